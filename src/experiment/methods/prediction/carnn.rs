//! CARNN: a recurrent network whose matrices depend on the context (Liu, Wu, Wang, Li and Wang, *Context-aware Sequential
//! Recommendation*, ICDM 2016).
//!
//! What enters is multiplied by a matrix of its input context (weekday and three-hour bucket), the state by one of its transition
//! context (the time that passed between two behaviours), and so is what is said of the next behaviour. Ours: a weekday's
//! and a bucket's matrix are added, for one a pair would see too little; the passed time is what weekday and bucket tell, in
//! steps that grow; the next behaviour's own context has matrices of its own, one of them for *not told*.

use candle_core::{Device, Tensor};
use hearth_operators::words::{HOURS, Quadruple, WEEKDAYS};

use super::network::{Input, Network, TrainingPlan};
use crate::models::{Init, Mode, ModelError, Preset, Source, Vocabulary};

/// Hours that passed, at most, by category of transition; then longer, and unknown.
const GAPS: [u32; 4] = [0, 3, 9, 24];
const LONGER: usize = GAPS.len();
const UNKNOWN: usize = LONGER + 1;
pub(super) const TRANSITIONS: usize = UNKNOWN + 1;
/// The category of a weekday or bucket that is not told, or of the start token.
const NO_DAY: usize = WEEKDAYS.len();
const NO_HOURS: usize = HOURS.len();

/// One matrix a category.
struct Switched {
    matrices: Tensor,
    categories: usize,
}

impl Switched {
    fn new(
        source: &mut Source,
        name: &str,
        categories: usize,
        width: usize,
    ) -> Result<Self, ModelError> {
        let spread = Init::Spread((1.0 / width as f32).sqrt());
        Ok(Switched {
            matrices: source.take(name, &[width, categories * width], spread)?,
            categories,
        })
    }

    /// Each row of `x`, `[rows, width]`, by the matrix of its category. All matrices in one product and then a look-up: the
    /// product is small, and many smaller ones, or a sum over categories, take longer.
    fn forward(&self, x: &Tensor, of: &[usize]) -> Result<Tensor, ModelError> {
        let (rows, width) = x.dims2()?;
        let all = x
            .matmul(&self.matrices)?
            .reshape((rows * self.categories, width))?;
        let rows = of.iter().enumerate();
        let chosen: Vec<u32> = rows
            .map(|(row, category)| (row * self.categories + category) as u32)
            .collect();
        let chosen = Tensor::from_vec(chosen, of.len(), &Device::Cpu)?;
        Ok(all.index_select(&chosen, 0)?)
    }
}

/// The matrices.
pub(super) struct Carnn {
    input_day: Switched,
    input_hours: Switched,
    transition: Switched,
    next_day: Switched,
    next_hours: Switched,
    next_transition: Switched,
}

impl Network for Carnn {
    const NAME: &'static str = "CARNN";

    fn plan(preset: Preset) -> TrainingPlan {
        TrainingPlan::new(preset, 64, 100, 32)
    }

    fn build(source: &mut Source, _: &Vocabulary, width: usize) -> Result<Self, ModelError> {
        let mut switched =
            |name: &str, categories: usize| Switched::new(source, name, categories, width);
        Ok(Carnn {
            input_day: switched("input.day", NO_DAY + 1)?,
            input_hours: switched("input.hours", NO_HOURS + 1)?,
            transition: switched("transition", TRANSITIONS)?,
            next_day: switched("next.day", NO_DAY + 1)?,
            next_hours: switched("next.hours", NO_HOURS + 1)?,
            next_transition: switched("next.transition", TRANSITIONS)?,
        })
    }

    fn states(&self, input: &Input, _: &mut Mode) -> Result<Tensor, ModelError> {
        let (rows, places, width) = input.measures()?;
        let at = |row: usize, place: usize| &input.windows[row][place];
        // The behaviour before a place, none before the first.
        let before = |row: usize, place: usize| Some(at(row, place.checked_sub(1)?));
        // Categories by row and place. What a padded place says is not looked at, so any will do there.
        let categories = |of: &dyn Fn(usize, usize) -> usize| -> Vec<usize> {
            let lengths = input.windows.iter().map(|window| window.len());
            let rows = lengths.enumerate().flat_map(|(row, length)| {
                let place = move |place| (place < length).then_some((row, place));
                (0..places).map(place)
            });
            rows.map(|at| at.map_or(0, |(row, place)| of(row, place)))
                .collect()
        };
        let day =
            categories(&|row, place| before(row, place).map_or(NO_DAY, |q| usize::from(q.weekday)));
        let hours =
            categories(&|row, place| before(row, place).map_or(NO_HOURS, |q| usize::from(q.hours)));
        let passed = categories(&|row, place| {
            let earlier = place.checked_sub(2).map(|earlier| at(row, earlier));
            transition(earlier, before(row, place))
        });
        let next_day = categories(&|row, place| {
            if input.told[row][0] {
                usize::from(at(row, place).weekday)
            } else {
                NO_DAY
            }
        });
        let next_hours = categories(&|row, place| {
            if input.told[row][1] {
                usize::from(at(row, place).hours)
            } else {
                NO_HOURS
            }
        });
        let next_passed = categories(&|row, place| {
            let told = input.told[row] == [true; 2];
            transition(before(row, place), told.then(|| at(row, place)))
        });

        let read = input.slots.reshape((rows * places, width))?;
        let entering = (self.input_day.forward(&read, &day)?
            + self.input_hours.forward(&read, &hours)?)?
        .reshape((rows, places, width))?;
        let mut state = Tensor::zeros((rows, width), read.dtype(), &Device::Cpu)?;
        let mut states = Vec::with_capacity(places);
        for place in 0..places {
            let here: Vec<usize> = (0..rows).map(|row| passed[row * places + place]).collect();
            let kept = self.transition.forward(&state, &here)?;
            let entering = entering.narrow(1, place, 1)?.squeeze(1)?;
            state = (entering + kept)?.tanh()?;
            states.push(state.clone());
        }
        let states = Tensor::stack(&states, 1)?.reshape((rows * places, width))?;
        let said = self.next_transition.forward(&states, &next_passed)?;
        Ok((self.next_day.forward(&said, &next_day)?
            + self.next_hours.forward(&said, &next_hours)?)?)
    }
}

/// The category of the time that passed between two behaviours; a week that passed cannot be told from none.
pub(super) fn transition(from: Option<&Quadruple>, to: Option<&Quadruple>) -> usize {
    let (Some(from), Some(to)) = (from, to) else {
        return UNKNOWN;
    };
    let hour = |q: &Quadruple| 24 * u32::from(q.weekday) + 3 * u32::from(q.hours);
    let passed = (7 * 24 + hour(to) - hour(from)) % (7 * 24);
    let category = GAPS.iter().position(|&most| passed <= most);
    category.unwrap_or(LONGER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hearth_operators::words::ActionId;

    #[test]
    fn time_passes_over_the_end_of_the_week() {
        let at = |weekday, hours| Quadruple {
            weekday,
            hours,
            action: ActionId(0),
        };
        let passed = |from, to| transition(Some(&from), Some(&to));
        assert_eq!(passed(at(6, 7), at(6, 7)), 0);
        assert_eq!(passed(at(6, 7), at(0, 0)), 1);
        assert_eq!(passed(at(6, 7), at(0, 3)), 3);
        assert_eq!(passed(at(2, 1), at(1, 1)), LONGER);
        assert_eq!(transition(None, Some(&at(0, 0))), UNKNOWN);
    }
}
