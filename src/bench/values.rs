//! Values on the command line of measurements, and the middle of measured ones.

use crate::sources::LogFormat;

/// The formats of a measured log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Input {
    /// Packed (`.hlog`), blocks as they are.
    Binary,
    /// JSON Lines.
    Jsonl,
    /// CSV.
    Csv,
    /// Parquet.
    Parquet,
}

impl Input {
    /// Its name on the command line and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Input::Binary => "binary",
            Input::Jsonl => "jsonl",
            Input::Csv => "csv",
            Input::Parquet => "parquet",
        }
    }

    /// The format that its logs are written in.
    pub fn format(self) -> LogFormat {
        match self {
            Input::Binary => LogFormat::Hlog,
            Input::Jsonl => LogFormat::Jsonl,
            Input::Csv => LogFormat::Csv,
            Input::Parquet => LogFormat::Parquet,
        }
    }
}

/// A number of events such as `10000000` or `10M`, `300k`.
pub fn count(text: &str) -> Result<u64, String> {
    let (digits, unit) = match text.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1_000),
        None => match text.strip_suffix(['m', 'M']) {
            Some(digits) => (digits, 1_000_000),
            None => (text, 1),
        },
    };
    let number: Option<u64> = digits.parse().ok();
    number
        .and_then(|number| number.checked_mul(unit))
        .filter(|number| *number > 0)
        .ok_or_else(|| format!("`{text}` is no number above zero; write 300000, 300k or 10M"))
}

/// The same for homes.
pub fn homes(text: &str) -> Result<u32, String> {
    let number = count(text)?;
    u32::try_from(number).map_err(|_| format!("`{text}` homes are too many"))
}

/// The middle of some numbers; 0 of none.
pub fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    match numbers.len() {
        0 => 0.0,
        n if n % 2 == 1 => numbers[n / 2],
        n => (numbers[n / 2 - 1] + numbers[n / 2]) / 2.0,
    }
}
