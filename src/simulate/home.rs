//! Who lives in a simulated home, with what, and how: everything that stays the same over its days.

use hearth_operators::words::{ActionId, ShiftKind};
use rand::Rng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::chance::{bell, stream};
use super::devices::{DEVICES, Kind, World};
use super::routines::{
    COMPANIONS, ROUTINES, Routine, SPRING, SUMMER, SWEPT, Seasons, Step, WINTER,
};
use super::settings::Settings;

/// Hour of the day, local, at which a shift happens: between the last bedtime and the first alarm.
pub(super) const SHIFT_HOUR: i64 = 4;

/// Offsets east of UTC that homes live in, in minutes; more homes in the first ones.
const OFFSETS: [i16; 8] = [0, 60, 60, 60, 120, -300, -480, 540];

/// A home.
pub(super) struct Home {
    /// Minutes east of UTC.
    pub offset: i16,
    /// Who lives there; the first has the home's chores.
    pub people: Vec<Person>,
    /// From which day on the second person is there.
    pub joined: u16,
    /// The planted shift.
    pub shift: Option<Planned>,
    /// By position of the device: whether the home has it.
    pub owned: Vec<bool>,
    /// Devices that the last person leaving closes, in this home's order.
    pub swept: Vec<usize>,
    /// Uses of single devices outside any routine, a day on average.
    pub whims: f32,
    /// How often a night is broken, a night.
    pub restless: f64,
    /// Weekdays of washing.
    pub laundry: u8,
    /// Weekdays of cleaning.
    pub cleaning: u8,
    /// Hour of cleaning.
    pub cleaning_hour: f32,
    /// How the hours of a night schedule follow from those of the day: waking hour and pace.
    pub night: (f32, f32),
}

/// The planted shift of a home.
#[derive(Clone, Copy)]
pub(super) struct Planned {
    /// The kind.
    pub kind: ShiftKind,
    /// The first day of the new context; the shift is at [`SHIFT_HOUR`] of it.
    pub day: u16,
    /// The context that ends.
    pub from: &'static str,
    /// The context that begins.
    pub to: &'static str,
}

/// A person's hours (local, from midnight; beyond 24 is the next day) and habits.
pub(super) struct Person {
    /// Gets up.
    pub wake: f32,
    /// Leaves for work.
    pub leave: f32,
    /// Comes back.
    pub back: f32,
    /// Cooks.
    pub dinner: f32,
    /// Begins the evening.
    pub evening: f32,
    /// Goes to bed.
    pub bed: f32,
    /// Hours later on days off.
    pub lie_in: f32,
    /// How far, in hours, the start of a routine strays (standard deviation).
    pub stray: f32,
    /// Weekdays of work outside the home.
    pub works: u8,
    /// How likely an errand is on a day off.
    pub errand: f64,
    /// By [`Routine`]: how often it takes place at all.
    pub keeps: [f64; ROUTINES.len()],
    /// By [`Routine`]: this person's way of doing it.
    pub habits: Vec<Vec<Habit>>,
}

/// A step as a person does it.
#[derive(Clone, Copy)]
pub(super) struct Habit {
    /// The step.
    pub step: Step,
    /// Probability when the step before was left out.
    pub otherwise: f32,
}

impl Home {
    /// The home with a number: it depends on the seed, the number, the days and the kinds of shift alone.
    pub fn new(settings: &Settings, home: u32, world: &World) -> Self {
        let rng = &mut stream(settings.seed, home, "home");
        let kind = settings.shifts.of(home);
        let shift = kind.and_then(|kind| plan(kind, settings.days.get(), rng));
        let kind = shift.map(|shift| shift.kind);
        let owned = furnish(kind, world, rng);
        let grows = kind == Some(ShiftKind::Occupancy);
        let couple = grows || rng.random_bool(0.35);

        // What comes with a second person is not used by the first one before.
        let alone = |device: usize| !(grows && COMPANIONS.contains(&DEVICES[device].0));
        let mut people = vec![Person::new(world, &|d| owned[d] && alone(d), 0., rng)];
        if couple {
            let later = rng.random_range(0.3..1.2);
            people.push(Person::new(world, &|d| owned[d], later, rng));
        }
        let mut swept: Vec<_> = SWEPT.iter().filter_map(|name| world.named(name)).collect();
        swept.retain(|&device| owned[device]);
        swept.shuffle(rng);
        Home {
            offset: OFFSETS[rng.random_range(0..OFFSETS.len())],
            joined: match shift {
                Some(shift) if grows => shift.day,
                _ => 0,
            },
            people,
            shift,
            owned,
            swept,
            whims: rng.random_range(0.1..1.2),
            restless: rng.random_range(0.0..0.35),
            laundry: weekdays(rng.random_range(1..=3), rng),
            cleaning: weekdays(rng.random_range(1..=4), rng),
            cleaning_hour: rng.random_range(9.5..15.0),
            night: (rng.random_range(18.1..18.7), rng.random_range(0.6..0.68)),
        }
    }

    /// Whether `day` lies in the context that a shift of this kind brought.
    pub fn after(&self, kind: ShiftKind, day: u16) -> bool {
        self.shift
            .is_some_and(|shift| shift.kind == kind && day >= shift.day)
    }

    /// The season of a day.
    pub fn season(&self, day: u16) -> Seasons {
        match self.shift {
            Some(shift) if self.after(ShiftKind::Season, day) && shift.to == "spring" => SPRING,
            Some(_) if self.after(ShiftKind::Season, day) => SUMMER,
            _ => WINTER,
        }
    }

    /// Whether the device has its place in the home on that day.
    pub fn uses(&self, device: usize, day: u16) -> bool {
        let to_come = self.shift.is_some_and(|s| s.kind == ShiftKind::Occupancy)
            && !self.after(ShiftKind::Occupancy, day);
        self.owned[device] && !(to_come && COMPANIONS.contains(&DEVICES[device].0))
    }

    /// The hour of the day at which a routine of hour `hour` takes place: the same, or turned into the night.
    pub fn turned(&self, hour: f32, day: u16) -> f32 {
        if self.after(ShiftKind::Schedule, day) {
            self.night.0 + (hour - self.people[0].wake) * self.night.1
        } else {
            hour
        }
    }
}

/// The shift of a home: about the middle of its days, never on the first.
fn plan(kind: ShiftKind, days: u16, rng: &mut ChaCha8Rng) -> Option<Planned> {
    let middle = f32::from(days) * (0.5 + rng.random_range(-0.08..0.08));
    let warm = if rng.random_bool(0.5) {
        "spring"
    } else {
        "summer"
    };
    let (from, to) = match kind {
        ShiftKind::Season => ("winter", warm),
        ShiftKind::Schedule => ("daytime", "night"),
        ShiftKind::Occupancy => ("single", "multiple"),
        ShiftKind::Text | ShiftKind::Drift => return None,
    };
    (days > 1).then(|| Planned {
        kind,
        day: (middle as u16).clamp(1, days - 1),
        from,
        to,
    })
}

/// What a home has: by the shares of the table, and what its shift needs in order to show.
fn furnish(kind: Option<ShiftKind>, world: &World, rng: &mut ChaCha8Rng) -> Vec<bool> {
    let mut owned: Vec<bool> = DEVICES
        .iter()
        .map(|entry| rng.random_bool(f64::from(entry.1)))
        .collect();
    let needed: &[&str] = match kind {
        Some(ShiftKind::Season) => &["Heater", "AirConditioner"],
        Some(ShiftKind::Occupancy) => &["Television", "NetworkAudio"],
        _ => &[],
    };
    for device in needed.iter().filter_map(|name| world.named(name)) {
        owned[device] = true;
    }
    owned
}

impl Person {
    pub fn new(
        world: &World,
        has: &dyn Fn(usize) -> bool,
        later: f32,
        rng: &mut ChaCha8Rng,
    ) -> Self {
        let wake = 6.6 + later + 0.7 * bell(rng);
        let leave = wake + rng.random_range(1.1..1.7);
        let back = leave + rng.random_range(8.6..10.4);
        let dinner = back + rng.random_range(0.5..1.5);
        let evening = dinner + rng.random_range(0.9..1.8);
        let works = match rng.random_range(0..20) {
            0..14 => 0b001_1111,
            14..17 => weekdays(5, rng),
            _ => 0,
        };
        Person {
            wake,
            leave,
            back,
            dinner,
            evening,
            bed: (evening + rng.random_range(1.8..3.0)).clamp(20.8, 24.8),
            lie_in: rng.random_range(0.3..2.0),
            stray: rng.random_range(0.15..0.5),
            works,
            errand: rng.random_range(0.2..0.8),
            keeps: std::array::from_fn(|_| rng.random_range(0.8..1.0)),
            habits: ROUTINES
                .iter()
                .map(|routine| habits(*routine, world, has, rng))
                .collect(),
        }
    }

    /// Whether the person works outside the home on that weekday (0 = Monday).
    pub fn works_on(&self, weekday: u16) -> bool {
        self.works >> weekday & 1 == 1
    }
}

/// A person's own version of a routine: steps on devices at hand, some never done, some in another order, each with
/// its own probability after a step done and after a step left out.
fn habits(
    routine: Routine,
    world: &World,
    has: &dyn Fn(usize) -> bool,
    rng: &mut ChaCha8Rng,
) -> Vec<Habit> {
    let mut steps = routine.steps(world);
    steps.retain(|step| {
        let closes = world.kind(step.action) == Kind::Closes;
        has(world.device(step.action)) && (closes || !rng.random_bool(0.12))
    });
    for i in 1..steps.len() {
        let movable = |action: ActionId| world.kind(action) != Kind::Closes;
        let (one, other) = (steps[i - 1].action, steps[i].action);
        let apart = world.device(one) != world.device(other);
        if apart && movable(one) && movable(other) && rng.random_bool(0.3) {
            steps.swap(i - 1, i);
        }
    }
    let own = |mut step: Step| {
        step.chance = (step.chance * rng.random_range(0.75..1.15)).min(0.98);
        step.after *= rng.random_range(0.5..1.6);
        // What was opened is closed whatever happened in between.
        let link = match world.kind(step.action) {
            Kind::Closes => 1.0,
            _ => rng.random_range(0.3..1.0),
        };
        Habit {
            step,
            otherwise: step.chance * link,
        }
    };
    steps.into_iter().map(own).collect()
}

/// So many different weekdays, as bits.
fn weekdays(count: usize, rng: &mut ChaCha8Rng) -> u8 {
    let mut days: [u8; 7] = [0, 1, 2, 3, 4, 5, 6];
    days.shuffle(rng);
    days[..count].iter().fold(0, |bits, day| bits | 1 << day)
}
