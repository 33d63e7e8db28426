//! The error of all models.

/// Why a model cannot be built, used or trained.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// A sequence holds what the catalog or the calendar does not.
    #[error(
        "a sequence holds action {action} on weekday {weekday} in bucket {hours}, which is not of this catalog and \
         calendar; read the log with the catalog that the models were trained with"
    )]
    Unknown {
        /// Id of the action.
        action: u16,
        /// The weekday, 0 to 6 where it is right.
        weekday: u8,
        /// The three-hour bucket, 0 to 7 where it is right.
        hours: u8,
    },
    /// A sequence without behaviours.
    #[error("a sequence without behaviours can be neither embedded nor scored")]
    Empty,
    /// Nothing to train on.
    #[error("the warm-up data holds no sequence to train on; give more events or a longer warm-up")]
    NoData,
    /// The weights are not what this model needs.
    #[error("the weights do not fit: {0}; train them again with this catalog and preset")]
    Weights(String),
    /// The tensor library refused.
    #[error("tensor arithmetic failed: {0}")]
    Tensor(#[from] candle_core::Error),
}
