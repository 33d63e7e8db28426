//! How many alarms a person wants to see.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use super::Span;

/// So many alarms of a home in so much time: `1/30d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlarmBudget {
    /// How many.
    pub alarms: NonZeroU32,
    /// In how much event time.
    pub per: Span,
}

impl FromStr for AlarmBudget {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a number of alarms and a time, such as 1/30d");
        let (alarms, per) = text.split_once('/').ok_or_else(wrong)?;
        Ok(AlarmBudget {
            alarms: alarms.trim().parse().map_err(|_| wrong())?,
            per: per.trim().parse()?,
        })
    }
}

impl fmt::Display for AlarmBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.alarms, self.per)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_a_number_and_a_time() {
        for text in ["1/30d", "12/90min"] {
            let budget: AlarmBudget = text.parse().unwrap();
            assert_eq!(budget.to_string().parse(), Ok(budget));
        }
        for wrong in ["1", "0/30d", "1/0d", "-1/30d", "a/b", ""] {
            assert!(wrong.parse::<AlarmBudget>().is_err(), "{wrong}");
        }
    }
}
