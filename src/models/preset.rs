//! The sizes of all models and how they are trained, by preset.

use serde::{Deserialize, Serialize};

use super::encoding::Columns;
use super::fit::Plan;
use super::layers::Measures;
use super::{autoencoder, sasrec};

/// Behaviours that the autoencoder reads at once.
pub(crate) const WINDOW: usize = 10;

/// Sizes and schedules of all models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Preset {
    /// As small as was measured to be as good: the detector counts; networks have width 32 and one block each in encoder and
    /// decoder, and a home's start from its cohort's.
    #[default]
    Small,
    /// The paper's sizes: compression d 256, 4 heads, 2 + 2 layers; detection and filter d 512, 8 heads, 2 + 2
    /// layers, 15 and 10 epochs; SASRec d 50, 2 blocks, 50 epochs. Each model from scratch.
    Paper,
}

impl Preset {
    /// The encoder of compression.
    pub(crate) fn encoder(self) -> autoencoder::Shape {
        match self {
            Preset::Small => self.detector(),
            Preset::Paper => autoencoder::Shape {
                measures: Measures {
                    width: 256,
                    heads: 4,
                    inner: 2048,
                    dropout: 0.1,
                },
                blocks: 2,
                columns: Columns::All,
            },
        }
    }

    /// The paper's filter's model, and the detector where that is an autoencoder.
    pub(crate) fn detector(self) -> autoencoder::Shape {
        let (width, heads, inner, dropout, blocks) = match self {
            Preset::Small => (32, 1, 64, 0.1, 1),
            Preset::Paper => (512, 8, 2048, 0.1, 2),
        };
        autoencoder::Shape {
            measures: Measures {
                width,
                heads,
                inner,
                dropout,
            },
            blocks,
            columns: Columns::All,
        }
    }

    /// The predictor.
    pub(crate) fn predictor(self) -> sasrec::Shape {
        let (width, inner, dropout, blocks, window, aim) = match self {
            Preset::Small => (32, 32, 0.1, 1, 50, sasrec::Aim::Softmax),
            Preset::Paper => (50, 50, 0.2, 2, 200, sasrec::Aim::Sampled),
        };
        sasrec::Shape {
            measures: Measures {
                width,
                heads: 1,
                inner,
                dropout,
            },
            blocks,
            window,
            aim,
        }
    }

    /// How an autoencoder is trained from scratch.
    pub(crate) fn detector_plan(self) -> Plan {
        match self {
            Preset::Small => Plan {
                epochs: 12,
                min_steps: 250,
                max_steps: 1500,
                batch: 32,
                rate: 4e-3,
                falling: true,
                betas: (0.9, 0.98),
            },
            Preset::Paper => Plan {
                epochs: 15,
                ..PAPER
            },
        }
    }

    /// How a predictor is trained from scratch.
    pub(crate) fn predictor_plan(self) -> Plan {
        match self {
            Preset::Small => self.detector_plan(),
            Preset::Paper => Plan {
                epochs: 50,
                betas: (0.9, 0.98),
                ..PAPER
            },
        }
    }

    /// How a home's predictor is trained from its cohort's (`Small`), or from scratch (`Paper`).
    pub(crate) fn predictor_adaptation(self) -> Plan {
        match self {
            Preset::Small => SHORT,
            Preset::Paper => self.predictor_plan(),
        }
    }

    /// How the filter's autoencoders are trained, where it is the paper's.
    pub(crate) fn filter_plan() -> Plan {
        PAPER
    }

    /// Whether the detector counts habits; else it is the paper's autoencoder.
    pub(crate) fn counts(self) -> bool {
        self == Preset::Small
    }

    /// What detectors and predictors are, in a word each.
    pub fn model_names(self) -> [&'static str; 2] {
        if self.counts() {
            ["surprise", "habits"]
        } else {
            ["autoencoder", "sasrec"]
        }
    }

    /// Whether a home's models start from its cohort's.
    pub(crate) fn warm(self) -> bool {
        self == Preset::Small
    }
}

/// Training that starts from good weights.
const SHORT: Plan = Plan {
    epochs: 20,
    min_steps: 60,
    max_steps: 200,
    batch: 32,
    rate: 3e-3,
    falling: true,
    betas: (0.9, 0.98),
};

/// What the paper says of all its trainings. Its epochs are not capped.
const PAPER: Plan = Plan {
    epochs: 10,
    min_steps: 0,
    max_steps: usize::MAX,
    batch: 32,
    rate: 1e-3,
    falling: false,
    betas: (0.9, 0.999),
};
