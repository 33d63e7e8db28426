//! A day of a home: how often it did what, by three-hour bucket.

use serde::{Deserialize, Serialize};

use crate::words::{ActionId, Hours, Moment, Time};

/// Local time at which a day begins: when most sleep, an evening that becomes late still belongs to its day.
const DAWN: i64 = 4 * Time::HOUR;

/// Uses of one kind that a day notes at most; what comes beyond them counts as behaviours alone.
const MOST: usize = 1024;

/// An action in a three-hour bucket, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Use {
    /// What.
    pub action: ActionId,
    /// When.
    pub hours: Hours,
    /// How often; 255 stands for all above.
    pub times: u8,
}

/// What a home did from one dawn to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// Days since 1970-01-01, local.
    pub number: i64,
    /// Minutes east of UTC that the clock of its first behaviour showed.
    pub offset: i16,
    /// By action, then bucket.
    pub uses: Vec<Use>,
    /// All of them.
    pub behaviors: u32,
}

impl Day {
    /// The local day in which a behaviour lies.
    pub fn of(moment: &Moment) -> i64 {
        (moment.time.0.saturating_add(minutes(moment.offset)) - DAWN).div_euclid(Time::DAY)
    }

    /// A day that begins with a behaviour.
    pub fn begin(moment: &Moment) -> Self {
        let mut day = Day {
            number: Day::of(moment),
            offset: moment.offset,
            uses: Vec::new(),
            behaviors: 0,
        };
        day.add(moment);
        day
    }

    /// One more behaviour.
    pub fn add(&mut self, moment: &Moment) {
        self.behaviors = self.behaviors.saturating_add(1);
        match self.place(moment) {
            Ok(place) => self.uses[place].times = self.uses[place].times.saturating_add(1),
            Err(place) if self.uses.len() < MOST => {
                let (_, hours) = moment.time.local(moment.offset);
                let one = Use {
                    action: moment.action,
                    hours,
                    times: 1,
                };
                self.uses.insert(place, one);
            }
            Err(_) => {}
        }
    }

    /// One behaviour less: it was erased.
    pub fn remove(&mut self, moment: &Moment) {
        self.behaviors = self.behaviors.saturating_sub(1);
        if let Ok(place) = self.place(moment) {
            self.uses[place].times -= 1;
            if self.uses[place].times == 0 {
                self.uses.remove(place);
            }
        }
    }

    fn place(&self, moment: &Moment) -> Result<usize, usize> {
        let (_, hours) = moment.time.local(moment.offset);
        let key = (moment.action, hours);
        self.uses
            .binary_search_by_key(&key, |used| (used.action, used.hours))
    }

    /// When it begins.
    pub fn start(&self) -> Time {
        dawn(self.number, self.offset)
    }

    /// When the next one begins.
    pub fn end(&self) -> Time {
        dawn(self.number.saturating_add(1), self.offset)
    }
}

fn dawn(day: i64, offset: i16) -> Time {
    let local = day.saturating_mul(Time::DAY).saturating_add(DAWN);
    Time(local.saturating_sub(minutes(offset)))
}

fn minutes(offset: i16) -> i64 {
    i64::from(offset) * 60 * Time::SECOND
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_lasts_from_dawn_to_dawn() {
        let at = |hour: i64, offset| Moment {
            time: Time(hour * Time::HOUR),
            action: ActionId(3),
            offset,
        };
        // 03:00 still belongs to the day before; two hours east it is 05:00.
        assert_eq!(
            [at(3, 0), at(4, 0), at(3, 120)].map(|m| Day::of(&m)),
            [-1, 0, 0]
        );
        let mut day = Day::begin(&at(4, 0));
        assert_eq!(
            (day.start(), day.end()),
            (Time(DAWN), Time(DAWN + Time::DAY))
        );
        day.add(&at(5, 0));
        day.add(&at(7, 0));
        let times = |day: &Day| {
            day.uses
                .iter()
                .map(|u| (u.hours, u.times))
                .collect::<Vec<_>>()
        };
        assert_eq!(times(&day), [(1, 2), (2, 1)]);
        day.remove(&at(7, 0));
        day.remove(&at(20, 0));
        assert_eq!((times(&day), day.behaviors), (vec![(1, 2)], 1));
    }
}
