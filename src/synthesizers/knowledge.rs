//! What the embedded synthesizer knows of homes in general: usages and their seasons, hours of schedules, what a second
//! person does, how people say these things. Data, not code: `knowledge.toml` beside this file, and a user's file of
//! the same shape that extends it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use hearth_operators::words::{HOURS, Hours};
use serde::Deserialize;
use toml::Spanned;

use crate::phrases::Phrase;

const BUILTIN: &str = include_str!("knowledge.toml");

/// Why a knowledge file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KnowledgeError {
    /// It cannot be read at all.
    #[error("cannot read the knowledge file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is no TOML of the known shape, or names what there is not.
    #[error("{}:{line}: {what}", path.display())]
    Bad {
        /// The file.
        path: PathBuf,
        /// Line number, from 1.
        line: usize,
        /// What is wrong there.
        what: String,
    },
}

/// The knowledge table.
#[derive(Clone, Debug, Default)]
pub struct Knowledge {
    pub(super) seasons: BTreeMap<String, Called>,
    /// In order of importance; a user's come first.
    pub(super) usages: Vec<Usage>,
    pub(super) schedules: BTreeMap<String, Called>,
    pub(super) moves: Vec<Moves>,
    pub(super) occupancy: Occupancy,
    pub(super) text: Text,
}

/// How people call a context.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Called {
    /// As the whole of `from` or `to`.
    pub words: Vec<Phrase>,
    /// Somewhere in free text.
    pub said: Vec<Phrase>,
}

/// What people do with devices in some seasons more than in others.
#[derive(Clone, Debug)]
pub(super) struct Usage {
    pub name: String,
    pub devices: Vec<Phrase>,
    pub except: Vec<Phrase>,
    /// Empty: any action.
    pub actions: Vec<Phrase>,
    pub seasons: BTreeSet<String>,
    pub sometimes: BTreeSet<String>,
    pub against: BTreeSet<String>,
    pub stays: bool,
    pub begins: Vec<Phrase>,
    pub hours: BTreeSet<Hours>,
    pub share: f64,
    /// Names of usages.
    pub instead: Vec<String>,
}

/// By how many three-hour buckets the activity of each bucket moves.
#[derive(Clone, Debug)]
pub(super) struct Moves {
    pub from: String,
    pub to: String,
    pub buckets: [i64; 8],
}

/// What is known of occupancy.
#[derive(Clone, Debug, Default)]
pub(super) struct Occupancy {
    pub single: Called,
    pub multiple: Called,
    /// What a second person is likely to use.
    pub devices: Vec<Phrase>,
    /// What nobody uses: it senses and meters by itself.
    pub except: Vec<Phrase>,
}

/// How free text speaks of devices.
#[derive(Clone, Debug, Default)]
pub(super) struct Text {
    pub gone: Vec<Phrase>,
    pub gone_after: Vec<Phrase>,
    pub new: Vec<Phrase>,
    pub new_after: Vec<Phrase>,
    pub fillers: Vec<Phrase>,
    pub negations: Vec<Phrase>,
}

impl Knowledge {
    /// What comes with Hearth.
    pub fn builtin() -> Self {
        Knowledge::default()
            .extended(BUILTIN, Path::new("knowledge.toml"))
            .expect("the built-in knowledge is checked by a test")
    }

    /// The builtin knowledge, extended by a TOML file of the same shape.
    ///
    /// # Errors
    /// The file cannot be read, has an unknown key, a bad value or a name that stands nowhere: with its line.
    pub fn load(path: &Path) -> Result<Self, KnowledgeError> {
        let text = std::fs::read_to_string(path).map_err(|source| KnowledgeError::Read {
            path: path.to_owned(),
            source,
        })?;
        Knowledge::builtin().extended(&text, path)
    }

    /// This knowledge with that of a file added; where both speak of the same thing, the file wins.
    fn extended(mut self, text: &str, path: &Path) -> Result<Self, KnowledgeError> {
        let places = Places { text, path };
        let file: File = toml::from_str(text).map_err(|e| {
            let at = e.span().map_or(0, |span| span.start);
            places.bad(at, e.message().replace('\n', " "))
        })?;
        for (name, called) in file.seasons {
            self.seasons.entry(name).or_default().join(called);
        }
        for (name, called) in file.schedules {
            self.schedules.entry(name).or_default().join(called);
        }
        self.occupancy.single.join(file.occupancy.single);
        self.occupancy.multiple.join(file.occupancy.multiple);
        replace(&mut self.occupancy.devices, file.occupancy.devices);
        replace(&mut self.occupancy.except, file.occupancy.except);
        self.text.extend(file.text);
        self.add_usages(file.usage, &places)?;
        self.add_moves(file.moves, &places)?;
        Ok(self)
    }

    /// Adds usages before those that are there; one of a name that is there takes its place.
    fn add_usages(&mut self, file: Vec<UsageFile>, places: &Places) -> Result<(), KnowledgeError> {
        let (mut usages, mut instead) = (Vec::<Usage>::new(), Vec::new());
        for usage in file {
            let start = usage.name.span().start;
            if usages.iter().any(|u| u.name == *usage.name.get_ref()) {
                let sentence = format!("usage `{}` stands here twice", usage.name.get_ref());
                return Err(places.bad(start, sentence));
            }
            if usage.devices.is_empty() {
                let sentence = format!("usage `{}` names no devices", usage.name.get_ref());
                return Err(places.bad(start, sentence));
            }
            instead.extend(usage.instead.iter().cloned());
            usages.push(self.usage(usage, places)?);
        }
        self.usages
            .retain(|old| usages.iter().all(|new| new.name != old.name));
        usages.append(&mut self.usages);
        self.usages = usages;
        let unknown =
            |name: &&Spanned<String>| self.usages.iter().all(|u| u.name != *name.get_ref());
        match instead.iter().find(unknown) {
            None => Ok(()),
            Some(name) => {
                let sentence = format!("`{}` is no usage", name.get_ref());
                Err(places.bad(name.span().start, sentence))
            }
        }
    }

    fn usage(&self, usage: UsageFile, places: &Places) -> Result<Usage, KnowledgeError> {
        let seasons = |names: &[Spanned<String>]| {
            let each = names.iter();
            each.map(|name| places.known(&self.seasons, name, "season"))
                .collect::<Result<_, _>>()
        };
        Ok(Usage {
            name: usage.name.into_inner(),
            devices: usage.devices,
            except: usage.except,
            actions: usage.actions,
            seasons: seasons(&usage.seasons)?,
            sometimes: seasons(&usage.sometimes)?,
            against: seasons(&usage.against)?,
            stays: usage.stays,
            begins: usage.begins,
            hours: usage.hours.into_iter().map(|bucket| bucket.0).collect(),
            share: usage.share.0,
            instead: usage.instead.iter().map(|i| i.get_ref().clone()).collect(),
        })
    }

    /// Adds moves; those between the same schedules take the place of what is there.
    fn add_moves(&mut self, file: Vec<MovesFile>, places: &Places) -> Result<(), KnowledgeError> {
        for moves in file {
            let from = places.known(&self.schedules, &moves.from, "schedule")?;
            let to = places.known(&self.schedules, &moves.to, "schedule")?;
            let mut buckets = [0; 8];
            for (bucket, by) in moves.hours {
                buckets[usize::from(bucket.0)] = by.0;
            }
            self.moves.retain(|old| old.from != from || old.to != to);
            self.moves.push(Moves { from, to, buckets });
        }
        Ok(())
    }
}

/// Where in a file something stands, for messages.
struct Places<'a> {
    text: &'a str,
    path: &'a Path,
}

impl Places<'_> {
    fn bad(&self, at: usize, what: String) -> KnowledgeError {
        let before = self.text.bytes().take(at);
        KnowledgeError::Bad {
            path: self.path.to_owned(),
            line: 1 + before.filter(|&b| b == b'\n').count(),
            what,
        }
    }

    /// A name that must be one of `names`.
    fn known(
        &self,
        names: &BTreeMap<String, Called>,
        name: &Spanned<String>,
        what: &str,
    ) -> Result<String, KnowledgeError> {
        if names.contains_key(name.get_ref()) {
            return Ok(name.get_ref().clone());
        }
        let all = names.keys().cloned().collect::<Vec<_>>().join(", ");
        let sentence = format!("`{}` is no {what}; known: {all}", name.get_ref());
        Err(self.bad(name.span().start, sentence))
    }
}

impl Called {
    fn join(&mut self, other: Called) {
        self.words.extend(other.words);
        self.said.extend(other.said);
    }

    /// Whether `text` as a whole calls it so; `name` is its own name.
    pub fn is(&self, name: &str, text: &str) -> bool {
        Phrase::new(name).is_some_and(|own| own.is(text)) || self.words.iter().any(|w| w.is(text))
    }
}

impl Text {
    fn extend(&mut self, file: TextFile) {
        replace(&mut self.gone, file.gone);
        replace(&mut self.gone_after, file.gone_after);
        replace(&mut self.new, file.new);
        replace(&mut self.new_after, file.new_after);
        replace(&mut self.fillers, file.fillers);
        replace(&mut self.negations, file.negations);
    }
}

/// A list that a file gives takes the place of the one before.
fn replace(old: &mut Vec<Phrase>, new: Option<Vec<Phrase>>) {
    if let Some(new) = new {
        *old = new;
    }
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    seasons: BTreeMap<String, Called>,
    usage: Vec<UsageFile>,
    schedules: BTreeMap<String, Called>,
    moves: Vec<MovesFile>,
    occupancy: OccupancyFile,
    text: TextFile,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UsageFile {
    name: Spanned<String>,
    devices: Vec<Phrase>,
    #[serde(default)]
    except: Vec<Phrase>,
    #[serde(default)]
    actions: Vec<Phrase>,
    seasons: Vec<Spanned<String>>,
    #[serde(default)]
    sometimes: Vec<Spanned<String>>,
    #[serde(default)]
    against: Vec<Spanned<String>>,
    #[serde(default)]
    stays: bool,
    #[serde(default)]
    begins: Vec<Phrase>,
    #[serde(default)]
    hours: Vec<Bucket>,
    #[serde(default)]
    share: Share,
    #[serde(default)]
    instead: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MovesFile {
    from: Spanned<String>,
    to: Spanned<String>,
    hours: BTreeMap<Bucket, By>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct OccupancyFile {
    single: Called,
    multiple: Called,
    devices: Option<Vec<Phrase>>,
    except: Option<Vec<Phrase>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TextFile {
    gone: Option<Vec<Phrase>>,
    gone_after: Option<Vec<Phrase>>,
    new: Option<Vec<Phrase>>,
    new_after: Option<Vec<Phrase>>,
    fillers: Option<Vec<Phrase>>,
    negations: Option<Vec<Phrase>>,
}

impl<'de> Deserialize<'de> for Phrase {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Phrase::new(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` holds no word")))
    }
}

/// A three-hour bucket by its name.
#[derive(Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(try_from = "String")]
struct Bucket(Hours);

impl TryFrom<String> for Bucket {
    type Error = String;
    fn try_from(name: String) -> Result<Self, String> {
        (0..)
            .zip(HOURS)
            .find(|(_, known)| *known == name)
            .map_or_else(
                || {
                    Err(format!(
                        "`{name}` is no three-hour bucket; write (0~3), (3~6) … (21~24)"
                    ))
                },
                |(bucket, _)| Ok(Bucket(bucket)),
            )
    }
}

/// Hours of a move, kept in buckets.
#[derive(Deserialize)]
#[serde(try_from = "i64")]
struct By(i64);

impl TryFrom<i64> for By {
    type Error = String;
    fn try_from(hours: i64) -> Result<Self, String> {
        if hours % 3 == 0 && hours.abs() <= 24 {
            return Ok(By(hours / 3));
        }
        Err(format!("{hours} is no multiple of 3 from -24 to 24"))
    }
}

/// A share, from 0 to 1.
#[derive(Default, Deserialize)]
#[serde(try_from = "f64")]
struct Share(f64);

impl TryFrom<f64> for Share {
    type Error = String;
    fn try_from(share: f64) -> Result<Self, String> {
        if (0.0..=1.0).contains(&share) {
            return Ok(Share(share));
        }
        Err(format!("{share} is no share; write a number from 0 to 1"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extend(text: &str) -> Result<Knowledge, KnowledgeError> {
        Knowledge::builtin().extended(text, Path::new("mine.toml"))
    }

    #[test]
    fn the_builtin_stands() {
        let knowledge = Knowledge::builtin();
        let seasons: Vec<_> = knowledge.seasons.keys().map(String::as_str).collect();
        assert_eq!(seasons, ["autumn", "spring", "summer", "winter"]);
        for usage in &knowledge.usages {
            let some = usage.seasons.union(&usage.sometimes).cloned().collect();
            assert!(usage.against.is_disjoint(&some), "{}", usage.name);
            assert!(
                usage.seasons.is_disjoint(&usage.sometimes),
                "{}",
                usage.name
            );
            assert!(usage.share == 0.0 || !usage.begins.is_empty() && !usage.hours.is_empty());
        }
        assert!(knowledge.schedules.contains_key("night") && knowledge.moves.len() == 2);
        assert!(!knowledge.text.negations.is_empty() && !knowledge.occupancy.devices.is_empty());
    }

    #[test]
    fn a_file_extends_and_overrides() {
        let knowledge = extend(
            r#"
            [seasons.monsoon]
            words = ["rainy season"]
            [seasons.summer]
            words = ["été"]
            [[usage]]
            name = "heating"
            devices = ["kotatsu"]
            seasons = ["winter", "monsoon"]
            [[usage]]
            name = "umbrella"
            devices = ["umbrella dryer"]
            seasons = ["monsoon"]
            begins = ["on"]
            hours = ["(6~9)"]
            share = 1
            instead = ["heating"]
            [[moves]]
            from = "daytime"
            to = "night"
            hours = { "(6~9)" = 9 }
            "#,
        )
        .unwrap();
        let summer = &knowledge.seasons["summer"];
        assert!(summer.is("summer", "Été") && summer.is("summer", "summertime"));
        let heating: Vec<_> = knowledge
            .usages
            .iter()
            .filter(|u| u.name == "heating")
            .collect();
        assert_eq!(heating.len(), 1);
        assert_eq!(heating[0].devices, [Phrase::new("kotatsu").unwrap()]);
        assert_eq!(knowledge.usages[1].name, "umbrella");
        let count = Knowledge::builtin().usages.len();
        assert_eq!(knowledge.usages.len(), count + 1);
        let moves = knowledge.moves.iter().find(|m| m.to == "night").unwrap();
        assert_eq!(moves.buckets, [0, 0, 3, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_bad_file_is_refused_with_its_line() {
        let usage = "[[usage]]\nname = \"x\"\ndevices = [\"y\"]\n";
        for (text, line, what) in [
            ("\n[season.winter]\n".to_owned(), 2, "season"),
            (
                format!("{usage}seasons = [\"wintr\"]\n"),
                4,
                "`wintr` is no season; known: autumn",
            ),
            (format!("{usage}seasons = []\nshare = 1.5\n"), 5, "share"),
            (
                format!("{usage}seasons = []\ninstead = [\n\"z\"]\n"),
                6,
                "`z` is no usage",
            ),
            (
                format!("{usage}seasons = []\nhours = [\"6-9\"]\n"),
                5,
                "bucket",
            ),
            (
                format!("{usage}seasons = []\n{usage}seasons = []\n"),
                6,
                "twice",
            ),
            (format!("{usage}colour = 1\n"), 4, "colour"),
            (
                "[[usage]]\nname = \"x\"\ndevices = []\nseasons = []".to_owned(),
                2,
                "no devices",
            ),
            ("[text]\ngone = [\"--\"]".to_owned(), 2, "no word"),
            (
                "[[moves]]\nfrom = \"daytime\"\nto = \"dusk\"\nhours = {}\n".to_owned(),
                3,
                "dusk",
            ),
            (
                "[[moves]]\nfrom = \"daytime\"\nto = \"night\"\nhours = { \"(0~3)\" = 4 }"
                    .to_owned(),
                4,
                "multiple of 3",
            ),
            ("a =".to_owned(), 1, ""),
        ] {
            let error = extend(&text).unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("mine.toml:{line}: ")),
                "{text}\n→ {error}"
            );
            assert!(error.contains(what), "{text}\n→ {error}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Knowledge::load(Path::new("/nowhere/k.toml")).unwrap_err();
        assert!(error.to_string().contains("/nowhere/k.toml"), "{error}");
    }
}
