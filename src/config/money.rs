//! Money, exactly: a whole number of 10⁻¹² parts of whatever currency the prices are in.

use std::fmt;
use std::ops::AddAssign;
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Decimals of an amount.
const DECIMALS: usize = 12;
/// The smallest parts in one unit of currency.
const UNIT: u128 = 10_u128.pow(DECIMALS as u32);
/// Prices are per so many tokens.
const MILLION: u128 = 1_000_000;

/// An amount of money in the currency of the prices, exact to twelve decimals. In words, as in files: `0.0375`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Money(u128);

impl Money {
    /// As a number, for a measure.
    pub fn number(self) -> f64 {
        self.0 as f64 / UNIT as f64
    }

    /// Nothing.
    pub const ZERO: Money = Money(0);

    pub(crate) fn plus(self, other: Money) -> Money {
        Money(self.0.saturating_add(other.0))
    }

    pub(crate) fn minus(self, other: Money) -> Money {
        Money(self.0.saturating_sub(other.0))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Money) {
        *self = self.plus(other);
    }
}

impl FromStr for Money {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) {
            return Err(format!(
                "`{text}` is no amount of money: write it as a decimal number such as 0.15"
            ));
        }
        if part.len() > DECIMALS {
            return Err(format!("`{text}` has more than {DECIMALS} decimals"));
        }
        format!("{whole}{part:0<DECIMALS$}")
            .parse()
            .map(Money)
            .map_err(|_| format!("`{text}` is more money than can be counted"))
    }
}

impl fmt::Display for Money {
    /// As few decimals as say it exactly.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / UNIT, self.0 % UNIT);
        if part == 0 {
            return write!(f, "{whole}");
        }
        let part = format!("{part:0DECIMALS$}");
        write!(f, "{whole}.{}", part.trim_end_matches('0'))
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

/// The price of a million tokens, exact to six decimals, so that each token has an exact one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price(Money);

impl Price {
    pub(crate) fn of(self, tokens: u64) -> Money {
        Money(u128::from(tokens).saturating_mul(self.0.0 / MILLION))
    }
}

impl FromStr for Price {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let money: Money = text.parse()?;
        if !money.0.is_multiple_of(MILLION) {
            return Err(format!(
                "the price `{text}` has more than six decimals: it is the price of a million tokens"
            ));
        }
        Ok(Price(money))
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_amount_is_read_as_it_is_written(parts in any::<u128>()) {
            let money = Money(parts);
            prop_assert_eq!(money.to_string().parse(), Ok(money));
        }

        #[test]
        fn no_text_is_taken_for_another_amount(text in "[0-9.eE+ -]{0,8}|\\PC{0,5}") {
            if let Ok(money) = text.parse::<Money>() {
                prop_assert_eq!(money.to_string().parse::<f64>().ok(), text.parse::<f64>().ok());
            }
        }
    }

    #[test]
    fn what_is_no_amount_is_refused() {
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "1,5",
            "0.0000000000001",
        ] {
            assert!(text.parse::<Money>().is_err(), "{text}");
        }
        assert!(u128::MAX.to_string().parse::<Money>().is_err());
        assert!("0.0000001".parse::<Price>().is_err());
    }
}
