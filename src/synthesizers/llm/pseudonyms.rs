//! Under which names devices and actions leave the house.
//!
//! People name devices after themselves (`Anna's lamp`), and a catalog inferred from a log holds such names. So a
//! name leaves as it is only if each of its words is one of the [public words](PUBLIC), which tell nobody from anybody;
//! otherwise its public words and a number stand for it (`lamp 3`), the same for the same catalog. Answers come
//! back under these names and are mapped to the house's own.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, LazyLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use hearth_operators::words::{Action, Catalog, CatalogError, Device, Row};

use crate::config::Naming;
use crate::phrases::words;

/// Words of which names may be made that leave as they are.
const PUBLIC: &str = include_str!("public_words.txt");

/// Numbers of more digits than this are no lamp's number, they are an address, a code, a year.
const DIGITS: usize = 2;

/// What stands for what a sentence must not tell.
const HIDDEN: &str = "…";

/// The catalog under the names that leave the house. Ids are those of the house's own catalog.
pub struct Pseudonyms {
    own: Arc<Catalog>,
    public: Catalog,
    /// Finds what stays at home.
    finder: AhoCorasick,
    /// What stands for it, in the finder's order.
    outside: Vec<String>,
}

impl Pseudonyms {
    /// Pseudonyms everything of a catalog.
    ///
    /// # Errors
    /// The names that stand for others are too many to be searched for in sentences; names cannot collide.
    pub fn new(own: Arc<Catalog>, naming: Naming) -> Result<Self, String> {
        let mut hidden: BTreeMap<String, String> = BTreeMap::new();
        let public = match naming {
            Naming::Catalog => Catalog::clone(&own),
            Naming::Public => {
                let renamed = rename(&own, |name, stands_for_it| {
                    // A person who writes of `Anna's lamp` may not spell it as the device is.
                    let private = words(name).into_iter().filter(|word| !is_public(word));
                    for word in private.filter(|word| word.chars().count() > 2) {
                        hidden.entry(word).or_insert_with(|| HIDDEN.to_owned());
                    }
                    hidden.insert(name.to_owned(), stands_for_it.to_owned());
                });
                renamed.map_err(|error| error.to_string())?
            }
        };
        let (hidden, outside): (Vec<String>, Vec<String>) = hidden.into_iter().unzip();
        let finder = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(&hidden)
            .map_err(|error| error.to_string())?;
        Ok(Pseudonyms {
            own,
            public,
            finder,
            outside,
        })
    }

    /// The catalog as it is told.
    pub fn catalog(&self) -> &Catalog {
        &self.public
    }

    /// The house's own catalog.
    pub fn own_catalog(&self) -> &Arc<Catalog> {
        &self.own
    }

    /// A behaviour of an answer in the house's own names. What names nothing stays as it is, for validation to refuse.
    pub fn own(&self, row: Row) -> Row {
        let [weekday, hours, device, action] = row;
        match self.public.lookup(&device, &action) {
            Some(id) => [
                weekday,
                hours,
                self.own.device_name(id).to_owned(),
                self.own.action_name(id).to_owned(),
            ],
            None => [weekday, hours, device, action],
        }
    }

    /// A sentence that a person wrote, without the name of the home, names that stay at home, dates, clock times and
    /// long numbers.
    pub fn sentence(&self, text: &str, home: &str) -> String {
        // First, because parts of the home's name may be names that are hidden too.
        let text = without(text, home);
        let mut shown = String::with_capacity(text.len());
        let mut end = 0;
        for found in self.finder.find_iter(&text) {
            let (before, after) = (&text[..found.start()], &text[found.end()..]);
            let within =
                before.ends_with(char::is_alphanumeric) || after.starts_with(char::is_alphanumeric);
            if !within {
                shown.push_str(&text[end..found.start()]);
                shown.push_str(&self.outside[found.pattern().as_usize()]);
                end = found.end();
            }
        }
        shown.push_str(&text[end..]);
        without_numbers(&shown)
    }
}

/// The catalog with each name that is not public replaced; `replaced` is told of each.
fn rename(own: &Catalog, mut replaced: impl FnMut(&str, &str)) -> Result<Catalog, CatalogError> {
    let mut outside = |given: Vec<&str>, kind: &str| {
        let mut taken: HashSet<String> = given
            .iter()
            .filter(|n| public(n))
            .map(|n| (*n).to_owned())
            .collect();
        let mut names = Vec::with_capacity(given.len());
        for (position, name) in given.iter().enumerate() {
            if public(name) {
                names.push((*name).to_owned());
                continue;
            }
            let mut rest = words(name);
            rest.retain(|word| is_public(word) && !word.bytes().all(|b| b.is_ascii_digit()));
            let rest = if rest.is_empty() {
                kind.to_owned()
            } else {
                rest.join(" ")
            };
            // A public name may look the same; the number then counts on.
            let mut number = position + 1;
            let mut new = format!("{rest} {number}");
            while !taken.insert(new.clone()) {
                number += given.len();
                new = format!("{rest} {number}");
            }
            replaced(name, &new);
            names.push(new);
        }
        names
    };
    let devices = own.devices();
    let names = outside(devices.iter().map(|d| d.name.as_str()).collect(), "device");
    let renamed = devices.iter().zip(names).map(|(device, name)| {
        let given: Vec<&str> = device.actions.iter().map(|a| a.name.as_str()).collect();
        let actions = outside(given, "action").into_iter();
        Device::new(name, actions.map(Action::new).collect())
    });
    own.renamed(renamed.collect())
}

/// Whether a name may leave as it is.
fn public(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || " _-.:/()".contains(c);
    name.chars().all(plain) && words(name).iter().all(|word| is_public(word))
}

fn is_public(word: &str) -> bool {
    static WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
        let lines = PUBLIC.lines().filter(|line| !line.starts_with('#'));
        lines.flat_map(str::split_whitespace).collect()
    });
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        return word.len() <= DIGITS;
    }
    WORDS.contains(word)
}

/// Hides a home's name, in whatever case it is written.
fn without(text: &str, home: &str) -> String {
    // One name, for one sentence: what is built soonest.
    let finder = AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .kind(Some(AhoCorasickKind::NoncontiguousNFA))
        .build([home]);
    match finder {
        Ok(finder) if !home.is_empty() => finder.replace_all(text, &[HIDDEN]),
        _ => text.to_owned(),
    }
}

/// Hides dates, clock times and numbers of three digits or more, however they are written.
fn without_numbers(text: &str) -> String {
    let numeric = |c: char| c.is_numeric() || "-:/.,+".contains(c);
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(char::is_numeric) {
        let (before, from) = rest.split_at(start);
        shown.push_str(before);
        let run = from.find(|c| !numeric(c)).unwrap_or(from.len());
        let (run, after) = from.split_at(run);
        // A comma or full stop behind a number is the sentence's.
        let number = run.trim_end_matches(|c: char| !c.is_numeric());
        if number.chars().filter(|c| c.is_numeric()).count() > DIGITS {
            shown.push_str(HIDDEN);
        } else {
            shown.push_str(number);
        }
        shown.push_str(&run[number.len()..]);
        rest = after;
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalog::catalog_of;

    fn catalog(devices: &[(&str, &[&str])]) -> Arc<Catalog> {
        Arc::new(catalog_of(devices))
    }

    fn pseudonyms(names: &Pseudonyms) -> Vec<String> {
        let told = names.catalog();
        told.action_ids().map(|a| told.full_name(a)).collect()
    }

    #[test]
    fn what_names_a_person_or_a_place_stays_at_home() {
        let own = catalog(&[
            ("AirConditioner", &["switch on", "setCoolingSetpoint"]),
            ("Anna's bedroom lamp", &["switch on"]),
            ("lamp 2", &["Annas film night", "dim 50"]),
            ("Baker Street 221b", &["open"]),
            ("Ωmega", &["open"]),
            ("light.kitchen_1947", &["turn_on"]),
        ]);
        let names = Pseudonyms::new(own.clone(), Naming::Public).unwrap();
        let expected = [
            "AirConditioner:switch on",
            "AirConditioner:setCoolingSetpoint",
            "bedroom lamp 2:switch on",
            "lamp 2:night 1",
            "lamp 2:dim 50",
            "device 4:open",
            "device 5:open",
            "light kitchen 6:turn_on",
        ];
        assert_eq!(pseudonyms(&names), expected);
        let as_they_are = Pseudonyms::new(own.clone(), Naming::Catalog).unwrap();
        assert_eq!(
            as_they_are
                .catalog()
                .full_name(own.lookup("Ωmega", "open").unwrap()),
            "Ωmega:open"
        );
        assert_eq!(as_they_are.sentence("Ωmega broke", "h"), "Ωmega broke");
    }

    #[test]
    fn sentences_tell_no_home_no_name_and_no_time() {
        let names = Pseudonyms::new(catalog(&[("Anna's lamp", &["on"])]), Naming::Public).unwrap();
        for (written, told) in [
            ("a baby was born", "a baby was born"),
            ("ANNA'S LAMP broke", "lamp 1 broke"),
            (
                "the lamp of Anna, not of Susanna",
                "the lamp of …, not of Susanna",
            ),
            ("from 2022-06-01, 18:30 on", "from …, … on"),
            ("2 people more, 10 in all.", "2 people more, 10 in all."),
            ("H-17 is let; call 0049.30.1234", "… is let; call …"),
        ] {
            assert_eq!(names.sentence(written, "h-17"), told);
        }
    }

    proptest! {
        #[test]
        fn each_name_told_leads_back(
            given in proptest::collection::btree_set("[a-zA-Z0-9' _ß]{1,12}|lamp [0-9]{1,3}|device [0-9]", 1..12)
        ) {
            let devices: Vec<&str> = given.iter().map(String::as_str).collect();
            let devices: Vec<(&str, &[&str])> =
                devices.into_iter().map(|d| (d, &["switch on", "Annas mode", "mode 2"] as &[&str])).collect();
            let own = catalog(&devices);
            let names = Pseudonyms::new(own.clone(), Naming::Public).unwrap();
            for id in own.action_ids() {
                let told = names.catalog();
                let [device, action] = [told.device_name(id), told.action_name(id)].map(str::to_owned);
                prop_assert!(public(&action) || action.chars().any(|c| c.is_ascii_digit()));
                let row = names.own(["Monday".into(), "(0~3)".into(), device, action]);
                prop_assert_eq!(own.lookup(&row[2], &row[3]), Some(id));
            }
        }
    }
}
