//! Amounts of memory, as options write them.

use std::fmt;
use std::str::FromStr;

/// An amount of memory above zero, written like `512MiB` or `2GiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(u64);

/// The units, each 1,024 times the one before it.
const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];

impl Size {
    /// In bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let digits = text
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim();
        // `512M` is 512 MiB, too.
        let power = UNITS.iter().position(|known| {
            known.eq_ignore_ascii_case(unit)
                || !unit.is_empty() && known[..1].eq_ignore_ascii_case(unit)
        });
        let bytes = number.parse::<u64>().ok().zip(power);
        let bytes = bytes.and_then(|(number, power)| number.checked_mul(1 << (10 * power)));
        match bytes {
            Some(0) => Err(format!("`{text}` is no memory at all")),
            Some(bytes) => Ok(Size(bytes)),
            None => Err(format!(
                "`{text}` is no amount of memory; write it like 512MiB or 2GiB"
            )),
        }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = |power: &usize| self.0.is_multiple_of(1 << (10 * power));
        let power = (0..UNITS.len()).rev().find(whole).unwrap_or(0);
        write!(f, "{}{}", self.0 >> (10 * power), UNITS[power])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_and_written() {
        for (text, bytes, shown) in [
            ("512MiB", 512 << 20, "512MiB"),
            ("1536 mib", 1536 << 20, "1536MiB"),
            ("2048M", 2 << 30, "2GiB"),
            ("3g", 3 << 30, "3GiB"),
            ("100B", 100, "100B"),
        ] {
            let size: Size = text.parse().unwrap();
            assert_eq!((size.bytes(), size.to_string()), (bytes, shown.to_owned()));
        }
        for wrong in [
            "",
            "12",
            "GiB",
            "0MiB",
            "2.5GiB",
            "9999999999999TiB",
            "5 miles",
        ] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }
}
