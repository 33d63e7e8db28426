//! A home's days: what its people intend, hour by hour, and the behaviours that come of it.

use hearth_operators::words::ActionId;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::chance::bell;
use super::devices::{Kind, World};
use super::home::{Home, Person, SHIFT_HOUR};
use super::occurrence::{DAY, Occurrence};
use super::routines::{Routine, against};
use super::state::State;

const HOUR: f32 = 3_600.0;

/// What somebody is about to do; whether it happens depends on the state of the devices then.
#[derive(Clone, Copy)]
enum Want {
    Do(ActionId),
    /// The person (by position) is up and at home.
    Arrive(usize),
    /// The person leaves or sleeps; the last one closes what is open.
    Depart(usize),
}

/// The hours of one day of a person, drawn.
struct Hours {
    wake: f32,
    /// Leaves and comes back.
    away: Option<(f32, f32)>,
    dinner: f32,
    evening: f32,
    bed: f32,
}

/// All behaviours of a home over its days, in order of time, before anything is planted.
pub(super) fn days(home: &Home, days: u16, world: &World, rng: &mut ChaCha8Rng) -> Vec<Occurrence> {
    let mut plan = Plan {
        home,
        world,
        day: 0,
        wants: Vec::new(),
    };
    for day in 0..days {
        plan.day = day;
        plan.day(rng);
    }
    let mut wants = plan.wants;
    // A stable sort: what one person does in the same second stays in order.
    wants.sort_by_key(|&(at, _)| at);
    carry_out(home, &wants, world, rng)
}

struct Plan<'a> {
    home: &'a Home,
    world: &'a World,
    day: u16,
    wants: Vec<(i64, Want)>,
}

impl Plan<'_> {
    /// Everybody's routines of a day, the chores and what is used outside of them.
    fn day(&mut self, rng: &mut ChaCha8Rng) {
        let home = self.home;
        let weekday = self.day % 7;
        let second = usize::from(self.day >= home.joined);
        for (number, person) in home.people.iter().enumerate().take(1 + second) {
            let hours = hours(person, weekday, rng);
            self.routines(number, person, &hours, rng);
            if number == 0 {
                self.chores(person, weekday, &hours, rng);
                self.whims(&hours, rng);
            }
        }
    }

    fn routines(&mut self, number: usize, person: &Person, hours: &Hours, rng: &mut ChaCha8Rng) {
        self.want(hours.wake, Want::Arrive(number));
        self.routine(Routine::Wake, person, hours.wake, rng);
        self.routine(Routine::Breakfast, person, hours.wake + 0.35, rng);
        match hours.away {
            Some((leave, back)) => {
                let gone = self.routine(Routine::Leave, person, leave, rng);
                self.want_at(gone + 20, Want::Depart(number));
                self.want(back, Want::Arrive(number));
                self.routine(Routine::Return, person, back + 0.01, rng);
            }
            None => {
                let noon = hours.wake + 5.2 + 0.4 * bell(rng);
                self.routine(Routine::Lunch, person, noon, rng);
            }
        }
        if number == 0 {
            self.routine(Routine::Cook, person, hours.dinner, rng);
            self.routine(Routine::Evening, person, hours.evening, rng);
        } else {
            self.routine(Routine::Company, person, hours.evening, rng);
        }
        let asleep = self.routine(Routine::Bed, person, hours.bed, rng);
        self.want_at(asleep + 20, Want::Depart(number));
        if rng.random_bool(self.home.restless) {
            let dark = hours.bed + rng.random_range(1.5..3.0);
            self.routine(Routine::Night, person, dark, rng);
        }
    }

    fn chores(&mut self, person: &Person, weekday: u16, hours: &Hours, rng: &mut ChaCha8Rng) {
        if self.home.laundry >> weekday & 1 == 1 {
            let hour = if hours.away.is_some() {
                hours.dinner - 0.4
            } else {
                hours.wake + 2.5 + bell(rng) * 0.5
            };
            self.routine(Routine::Laundry, person, hour, rng);
        }
        if self.home.cleaning >> weekday & 1 == 1 {
            let hour = self.home.cleaning_hour + 0.2 * bell(rng);
            self.routine(Routine::Cleaning, person, hour, rng);
        }
    }

    /// Uses of single devices outside any routine.
    fn whims(&mut self, hours: &Hours, rng: &mut ChaCha8Rng) {
        let whole = self.home.whims.floor();
        let more = rng.random_bool(f64::from(self.home.whims - whole));
        let unseasonal = against(self.home.season(self.day));
        for _ in 0..whole as u32 + u32::from(more) {
            let from = hours.away.map_or(hours.wake + 1.0, |(_, back)| back + 0.3);
            let hour = from + rng.random_range(0.0..1.0) * (hours.bed - from).max(0.1);
            let device = rng.random_range(0..self.world.devices());
            let name = &self.world.catalog.devices()[device].name;
            let odd = unseasonal.iter().any(|(device, _)| device == name);
            if !self.home.uses(device, self.day) || odd {
                continue;
            }
            let actions = self.world.actions(device);
            let opens = |a: &&ActionId| self.world.kind(**a) == Kind::Opens;
            let Some(&open) = actions.iter().find(opens) else {
                continue;
            };
            let close = actions
                .iter()
                .find(|&&a| self.world.catalog.closes(a).contains(&open));
            self.want(hour, Want::Do(open));
            if let Some(&close) = close {
                self.want(hour + rng.random_range(0.05..0.8), Want::Do(close));
            }
        }
    }

    /// A routine that begins at an hour: a chain in which each step depends on whether the one before was done.
    /// Returns the time of its end.
    fn routine(
        &mut self,
        routine: Routine,
        person: &Person,
        hour: f32,
        rng: &mut ChaCha8Rng,
    ) -> i64 {
        let mut at = self.at(hour);
        if !rng.random_bool(person.keeps[routine as usize]) {
            return at;
        }
        let season = self.home.season(self.day);
        let mut done = true;
        for habit in &person.habits[routine as usize] {
            if habit.step.seasons & season == 0 {
                continue;
            }
            let chance = if done {
                habit.step.chance
            } else {
                habit.otherwise
            };
            done = rng.random::<f32>() < chance;
            if done {
                // At least two seconds apart, now and then much later.
                let pace = rng.random_range(0.5..1.5);
                at += 2 + (habit.step.after * pace) as i64;
                self.want_at(at, Want::Do(habit.step.action));
            }
        }
        at
    }

    fn want(&mut self, hour: f32, want: Want) {
        self.want_at(self.at(hour), want);
    }

    /// Plans something, unless a new context begins before: what belonged to the old one does not reach into it.
    fn want_at(&mut self, at: i64, want: Want) {
        let cut = self.home.shift.is_some_and(|shift| {
            self.day < shift.day && at >= i64::from(shift.day) * DAY + SHIFT_HOUR * 3_600
        });
        if !cut {
            self.wants.push((at, want));
        }
    }

    fn at(&self, hour: f32) -> i64 {
        let hour = self.home.turned(hour, self.day);
        i64::from(self.day) * DAY + (hour.max(0.0) * HOUR) as i64
    }
}

/// Draws the hours of one day of a person.
fn hours(person: &Person, weekday: u16, rng: &mut ChaCha8Rng) -> Hours {
    let works = person.works_on(weekday);
    let mut stray = |hour: f32, much: f32| hour + much * person.stray * bell(rng);
    let wake = stray(
        if works {
            person.wake
        } else {
            person.wake + person.lie_in
        },
        1.0,
    );
    let dinner = stray(person.dinner, 1.0);
    let evening = stray(person.evening, 1.0).max(dinner + 0.6);
    // Friday and Saturday end later.
    let late = if weekday == 4 || weekday == 5 {
        0.7
    } else {
        0.0
    };
    // Not even by then, where the evening is longer.
    let bed = stray(person.bed + late, 1.0).min(26.5).max(evening + 1.0);
    let leave = stray(person.leave, 0.5).max(wake + 0.9);
    let back = stray(person.back, 1.2);
    let away = if works {
        Some((leave, back.max(leave + 4.0)))
    } else if rng.random_bool(person.errand) {
        let leave = wake + rng.random_range(2.2..4.5);
        Some((leave, leave + rng.random_range(1.0..4.0)))
    } else {
        None
    };
    // Nobody cooks before coming home.
    let home = away.map_or(0.0, |(_, back)| back + 0.3);
    Hours {
        wake,
        away,
        dinner: dinner.max(home),
        evening: evening.max(home + 0.6),
        bed,
    }
}

/// Carries out what people intend, in order of time: the behaviours of the home.
fn carry_out(
    home: &Home,
    wants: &[(i64, Want)],
    world: &World,
    rng: &mut ChaCha8Rng,
) -> Vec<Occurrence> {
    let mut log = Vec::with_capacity(wants.len());
    let mut state = State::new(world);
    let mut present = vec![false; home.people.len()];
    let turning = home
        .shift
        .map(|s| i64::from(s.day) * DAY + SHIFT_HOUR * 3_600);
    let mut turned = false;
    for &(at, want) in wants {
        if !turned && turning.is_some_and(|turning| at >= turning) {
            turned = true;
            put_away(home, world, &mut state);
        }
        match want {
            Want::Arrive(person) => present[person] = true,
            Want::Do(action) if state.accepts(action) => {
                state.apply(action);
                log.push(Occurrence::usual(at, action));
            }
            Want::Do(_) => {}
            Want::Depart(person) => {
                present[person] = false;
                if present.contains(&true) {
                    continue;
                }
                let mut at = at;
                for &device in &home.swept {
                    // Even a careful person forgets.
                    let Some(close) = state.closing(device).filter(|_| rng.random_bool(0.94))
                    else {
                        continue;
                    };
                    state.apply(close);
                    at += rng.random_range(3..20);
                    log.push(Occurrence::usual(at, close));
                }
            }
        }
    }
    // Closing everything takes a while, in which the next person may act.
    log.sort_by_key(|occurrence| occurrence.at);
    log
}

/// The devices of the old season are put away: whether they are on is forgotten.
fn put_away(home: &Home, world: &World, state: &mut State<'_>) {
    let Some(shift) = home.shift else { return };
    for (device, _) in against(home.season(shift.day)) {
        if let Some(device) = world.named(device) {
            state.forget(device);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::chance::stream;
    use super::*;

    /// One in some million evenings ends later than anybody goes to bed.
    #[test]
    fn nobody_goes_to_bed_before_the_evening_is_over() {
        let world = World::new().unwrap();
        let rng = &mut stream(3, 0, "home");
        let mut person = Person::new(&world, &|_| true, 1.2, rng);
        (person.evening, person.stray) = (24.9, 0.5);
        for day in 0..1_000 {
            let hours = hours(&person, day % 7, rng);
            assert!(hours.wake < hours.bed && hours.bed < 28.0);
        }
    }
}
