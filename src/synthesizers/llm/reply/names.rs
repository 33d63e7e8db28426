//! Spelling: the one place where a reply's words are folded into the vocabulary's names.

use std::collections::HashMap;
use std::sync::Arc;

use hearth_operators::words::{Catalog, HOURS, Row, WEEKDAYS};

/// What a folded name stands for; `None` where two names fold alike.
type Folded = HashMap<String, Option<String>>;

/// The names of a catalog, found in spite of case and white space.
pub struct Names {
    catalog: Arc<Catalog>,
    devices: Folded,
    /// By device name: its actions.
    actions: HashMap<String, Folded>,
}

impl Names {
    pub fn new(catalog: Arc<Catalog>) -> Self {
        let mut devices = Folded::new();
        let mut actions = HashMap::new();
        for device in catalog.devices() {
            enter(&mut devices, &device.name);
            let mut own = Folded::new();
            for action in &device.actions {
                enter(&mut own, &action.name);
            }
            actions.insert(device.name.clone(), own);
        }
        Names {
            catalog,
            devices,
            actions,
        }
    }

    /// The catalog whose names these are.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Weekday, hours, device and action in the catalog's spelling, and whether all four are known and belong together.
    /// A word that is not known stays as it is.
    ///
    /// Numbers are read as the paper's data counts (weekdays from 0 = Monday, buckets from 0) only where both stand as
    /// numbers: a lone one may as well be an hour.
    pub fn spell(&self, [weekday, hours, device, action]: [&str; 4]) -> (Row, bool) {
        let when = match (number(weekday), number(hours)) {
            (Some(weekday), Some(hours)) => {
                let both = WEEKDAYS.get(weekday).zip(HOURS.get(hours));
                (both.map(|b| b.0), both.map(|b| b.1))
            }
            _ => (self::weekday(weekday), self::hours(hours)),
        };
        let known_device = self.device(device);
        let known_action = known_device.and_then(|device| self.action(device, action));
        let known = when.0.is_some() && when.1.is_some() && known_action.is_some();
        let row = [
            when.0.copied().unwrap_or(weekday),
            when.1.copied().unwrap_or(hours),
            known_device.unwrap_or(device),
            known_action.unwrap_or(action),
        ];
        (row.map(str::to_owned), known)
    }

    /// Whether these are a weekday, hours, a device and an action of it, told by their words alone (numbers tell nothing).
    pub fn told(&self, [weekday, hours, device, action]: [&str; 4]) -> bool {
        self::weekday(weekday).is_some()
            && self::hours(hours).is_some()
            && self
                .device(device)
                .is_some_and(|device| self.action(device, action).is_some())
    }

    /// The name of a device.
    pub fn device<'a>(&'a self, word: &'a str) -> Option<&'a str> {
        if self.catalog.has_device(word) {
            return Some(word);
        }
        self.devices.get(&fold(word))?.as_deref()
    }

    /// The name of a device's action. `device` is a name of the catalog; `action` may also be written `Device:action`.
    pub fn action<'a>(&'a self, device: &str, action: &str) -> Option<&'a str> {
        if let Some(id) = self.catalog.lookup(device, action) {
            return Some(self.catalog.action_name(id));
        }
        let own = self.actions.get(device)?;
        let action = fold(action);
        own.get(&action)
            .or_else(|| {
                let rest = action.strip_prefix(&fold(device))?;
                own.get(rest.strip_prefix(':')?)
            })?
            .as_deref()
    }
}

fn enter(names: &mut Folded, name: &str) {
    names
        .entry(fold(name))
        .and_modify(|known| *known = None)
        .or_insert_with(|| Some(name.to_owned()));
}

/// A name without case and white space.
fn fold(name: &str) -> String {
    let visible = name.chars().filter(|c| !c.is_whitespace());
    visible.flat_map(char::to_lowercase).collect()
}

/// `Monday`, `monday`, `Mon`, `Mon.`
pub fn weekday(word: &str) -> Option<&'static &'static str> {
    let word = word.trim();
    let word = word.strip_suffix('.').unwrap_or(word);
    WEEKDAYS.iter().find(|name| {
        let head = name.get(..word.len());
        word.len() >= 3 && head.is_some_and(|head| head.eq_ignore_ascii_case(word))
    })
}

/// `(6~9)`, `6~9`, `6-9`, `(06:00 - 09:00)`
pub fn hours(word: &str) -> Option<&'static &'static str> {
    let word = word.trim();
    let word = word.strip_prefix('(').unwrap_or(word);
    let word = word.strip_suffix(')').unwrap_or(word);
    let (from, to) = word.split_once(['~', '-', '–', '—', '～'])?;
    let hour = |text: &str| {
        let text = text.trim();
        let digits = text.strip_suffix(":00").unwrap_or(text);
        let short = digits.len() <= 2 && digits.bytes().all(|b| b.is_ascii_digit());
        digits.parse::<usize>().ok().filter(|_| short)
    };
    let (from, to) = (hour(from)?, hour(to)?);
    // Midnight ends the day as 24, or as 0.
    let to = if to == 0 { 24 } else { to };
    HOURS
        .get(from / 3)
        .filter(|_| from % 3 == 0 && to == from + 3)
}

/// A number of one digit.
fn number(word: &str) -> Option<usize> {
    let word = word.trim();
    word.parse().ok().filter(|&n| n < 10 && word.len() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::catalog_of;

    fn names() -> Names {
        Names::new(Arc::new(catalog_of(&[
            ("Blind", &["windowShade open", "windowShade close"]),
            ("Fan", &["on", "ON", "off"]),
            ("fan", &["on"]),
        ])))
    }

    #[test]
    fn small_differences_are_folded() {
        let canonical = ["Monday", "(6~9)", "Blind", "windowShade open"].map(str::to_owned);
        for words in [
            ["Monday", "(6~9)", "Blind", "windowShade open"],
            ["Mon", "6~9", "blind", "Blind:windowShade open"],
            [" monday ", "(6-9)", "BLIND", "windowshadeopen"],
            [
                "mon.",
                "06:00 – 09:00",
                " Blind",
                "blind: WindowShade  open",
            ],
            ["0", "2", "Blind", "windowShade open"],
        ] {
            assert_eq!(names().spell(words), (canonical.clone(), true), "{words:?}");
        }
        let late = names().spell(["Sunday", "21-0", "Fan", "off"]);
        assert_eq!(late.0[1], "(21~24)");
    }

    #[test]
    fn what_is_not_clear_stays_as_it_is() {
        for words in [
            ["Mo", "(6~9)", "Blind", "windowShade open"],
            ["Mondays", "(6~9)", "Blind", "windowShade open"],
            ["Monday", "(6~10)", "Blind", "windowShade open"],
            ["Monday", "(7~10)", "Blind", "windowShade open"],
            ["Monday", "6", "Blind", "windowShade open"],
            ["7", "2", "Blind", "windowShade open"],
            ["0", "8", "Blind", "windowShade open"],
            ["Monday", "(6~9)", "Blind", "Fan:on"],
            ["Monday", "(6~9)", "Blind", "fly"],
            // Two devices, and two actions of one, fold alike.
            ["Monday", "(6~9)", "FAN", "on"],
            ["Monday", "(6~9)", "Fan", "oN"],
        ] {
            assert_eq!(names().spell(words), (words.map(str::to_owned), false));
        }
        // Spelled exactly, they are told apart.
        assert!(names().spell(["Monday", "(6~9)", "fan", "on"]).1);
        assert!(names().spell(["Monday", "(6~9)", "Fan", "ON"]).1);
    }
}
