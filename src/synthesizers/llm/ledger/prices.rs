//! What tokens cost.

use super::super::Usage;
use crate::config::{Money, Price};

/// What a model's tokens cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prices {
    /// Of a million tokens of the messages.
    pub input: Price,
    /// Of a million tokens of the answer.
    pub output: Price,
}

impl Prices {
    /// What this many tokens cost. An amount beyond what can be counted is the greatest that can.
    pub fn cost(&self, usage: Usage) -> Money {
        self.input
            .of(usage.input)
            .plus(self.output.of(usage.output))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A plain count of millionths is the oracle: price × tokens, nothing rounded.
        #[test]
        fn a_cost_is_exact(price in 0_u64..1_000_000_000, tokens in any::<u64>()) {
            let text = format!("{}.{:06}", price / 1_000_000, price % 1_000_000);
            let prices = Prices { input: text.parse().unwrap(), output: Price::default() };
            let cost = prices.cost(Usage { input: tokens, output: 7 });
            let parts = u128::from(price) * u128::from(tokens);
            let unit = 10_u128.pow(12);
            let exact = format!("{}.{:012}", parts / unit, parts % unit);
            prop_assert_eq!(Ok(cost), exact.parse());
        }
    }
}
