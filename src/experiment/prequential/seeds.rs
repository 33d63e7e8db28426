//! Which seeds are simulated.

use std::str::FromStr;

/// Seeds, each once, in the order given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seeds(Vec<u64>);

/// More would be a mistake.
const MOST: u64 = 1000;

impl Seeds {
    pub fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.iter().copied()
    }
}

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}` is neither a number of seeds (5: the seeds 1 to 5) nor a list (7,9 or 201-205), of at most {MOST}"
            )
        };
        let number = |text: &str| text.trim().parse::<u64>().map_err(|_| wrong());
        let ranges: Vec<(u64, u64)> = match text.contains([',', '-']) {
            false => vec![(1, number(text)?)],
            true => text
                .split(',')
                .map(|part| match part.split_once('-') {
                    Some((first, last)) => Ok((number(first)?, number(last)?)),
                    None => number(part).map(|seed| (seed, seed)),
                })
                .collect::<Result<_, String>>()?,
        };
        let mut seeds = Vec::new();
        for (first, last) in ranges {
            if first > last || last - first >= MOST {
                return Err(wrong());
            }
            for seed in first..=last {
                if !seeds.contains(&seed) {
                    seeds.push(seed);
                }
            }
        }
        match seeds.len() as u64 {
            1..=MOST => Ok(Seeds(seeds)),
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_by_hand() {
        let read = |text: &str| text.parse::<Seeds>().map(|seeds| seeds.0);
        assert_eq!(read("3"), Ok(vec![1, 2, 3]));
        assert_eq!(read("9, 7,9"), Ok(vec![9, 7]));
        assert_eq!(read("201-203,5"), Ok(vec![201, 202, 203, 5]));
        assert_eq!(read("7-7"), Ok(vec![7]));
        for text in ["", "0", "3-1", "a", "1-", "5,", "1-99999", "-1"] {
            let refused = read(text);
            assert!(refused.is_err(), "{text}: {refused:?}");
        }
    }
}
