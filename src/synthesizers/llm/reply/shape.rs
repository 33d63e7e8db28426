//! From lists to sequences: which level of nesting is a sequence, and which word is which field.

use hearth_operators::validate::MAX_LENGTH;
use hearth_operators::words::{Row, Written};

use super::limits::{MAX_SEQUENCES, excerpt};
use super::names::Names;
use super::text::{Answer, List, MAX_LEVELS, Mark, Piece, Value};

/// Fields of a behaviour.
const FIELDS: usize = 4;

/// The sequences of an answer.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// In the order of the text.
    pub written: Vec<Written>,
    /// A behaviour of it is in the vocabulary.
    pub known: bool,
    /// Behaviours that were looked up: the work done.
    pub tried: u64,
}

/// The sequences that an answer's lists hold. `text` is where they stand.
pub(super) fn sequences(answer: Answer, names: &Names, text: &str) -> Found {
    let mut walk = Walk {
        names,
        text,
        found: Found::default(),
    };
    let flat = answer.mark == Mark::Paper;
    match answer.pieces.as_slice() {
        [
            Piece {
                value: Value::List(list),
                ..
            },
        ] => walk.outermost(list, flat),
        lists if answer.mark == Mark::Schema => {
            for piece in lists {
                if let Value::List(list) = &piece.value {
                    walk.outermost(list, flat);
                }
            }
        }
        // The brackets around them were forgotten.
        pieces => {
            let ends = pieces.first().zip(pieces.last());
            let levels = pieces.iter().map(|p| p.value.levels()).max();
            let around = List {
                span: ends.map_or(0..0, |(first, last)| first.span.start..last.span.end),
                levels: levels.unwrap_or(0).saturating_add(1),
                items: answer.pieces.into_iter().map(|piece| piece.value).collect(),
                closed: true,
                too_deep: false,
            };
            walk.list(&around, flat);
        }
    }
    walk.found
}

struct Walk<'a> {
    names: &'a Names,
    text: &'a str,
    found: Found,
}

impl Walk<'_> {
    /// Finds the sequences in an answer's list; an empty one holds none, rather than being an empty sequence.
    fn outermost(&mut self, list: &List, flat: bool) {
        if !list.items.is_empty() || !list.closed {
            self.list(list, flat);
        }
    }

    /// Finds the sequences in a list. In the paper's form the outermost list holds flat ones (four words a behaviour), so
    /// `flat` is what lists of four words are taken for: sequences of one behaviour, rather than behaviours of one
    /// sequence.
    fn list(&mut self, list: &List, flat: bool) {
        if self.found.written.len() > MAX_SEQUENCES || placeholder(list) {
            return;
        }
        let words = list
            .items
            .iter()
            .filter(|item| matches!(item, Value::Word(_)));
        match words.count() {
            _ if list.too_deep => {
                self.reject(list, &too_deep());
            }
            n if n == list.items.len() => self.flat(list),
            0 if list.levels > 2 => {
                for item in &list.items {
                    match item {
                        Value::List(inner) => self.list(inner, false),
                        _ => self.reject(list, "a behaviour stands among sequences"),
                    }
                }
            }
            0 => {
                let mut inner = list.items.iter().filter_map(|item| match item {
                    Value::List(inner) => Some(inner.items.len()),
                    _ => None,
                });
                let lists_alone = inner.clone().count() == list.items.len();
                if lists_alone && (flat || inner.any(|words| words >= 2 * FIELDS)) {
                    for item in &list.items {
                        if let Value::List(inner) = item {
                            self.list(inner, false);
                        }
                    }
                } else {
                    self.nested(list);
                }
            }
            _ => self.reject(list, "words and lists are mixed"),
        }
    }

    /// A sequence of words, four a behaviour.
    fn flat(&mut self, list: &List) {
        if !list.closed {
            return self.reject(list, "it is cut short");
        }
        let words: Vec<&str> = list.items.iter().filter_map(word).collect();
        let (rows, rest) = words.as_chunks::<FIELDS>();
        if !rest.is_empty() {
            let what = format!("{} words are no whole number of behaviours", words.len());
            return self.reject(list, &what);
        }
        self.sequence(list, rows, false);
    }

    /// A sequence of behaviours, each a list of four words or an object.
    fn nested(&mut self, list: &List) {
        if !list.closed {
            return self.reject(list, "it is cut short");
        }
        let mut rows = Vec::with_capacity(list.items.len());
        for (i, item) in list.items.iter().enumerate() {
            let (words, closed) = match item {
                Value::List(inner) if placeholder(inner) => continue,
                Value::List(inner) if inner.too_deep => return self.reject(list, &too_deep()),
                Value::List(inner) => {
                    let words: Vec<&str> = inner.items.iter().filter_map(word).collect();
                    (words, inner.closed)
                }
                Value::Behavior(fields) => (fields.iter().flatten().map(|f| &**f).collect(), true),
                Value::Word(_) => continue,
            };
            match <[&str; FIELDS]>::try_from(words.as_slice()) {
                Ok(row) if closed => rows.push(row),
                Ok(_) => return self.reject(list, &format!("behaviour {} is cut short", i + 1)),
                Err(_) => {
                    let what = format!("behaviour {} has {} words, not four", i + 1, words.len());
                    return self.reject(list, &what);
                }
            }
        }
        self.sequence(list, &rows, true);
    }

    /// Takes a sequence. `parted`: something in the text parts its behaviours from each other.
    fn sequence(&mut self, list: &List, rows: &[[&str; FIELDS]], parted: bool) {
        if rows.len() > MAX_LENGTH {
            let what = format!("{} behaviours are more than {MAX_LENGTH}", rows.len());
            return self.reject(list, &what);
        }
        let as_written = self.spell(rows);
        if as_written.iter().all(|(_, known)| *known) {
            return self.take(as_written);
        }
        // Are the fields in another order, the same for all behaviours, that the words themselves tell?
        let mut told = orders().filter(|order| {
            rows.iter().all(|row| {
                self.found.tried += 1;
                self.names.told(order.map(|field| row[field]))
            })
        });
        let orders = (told.next(), told.next());
        drop(told);
        match orders {
            (Some(order), None) => {
                let rows: Vec<_> = rows
                    .iter()
                    .map(|row| order.map(|field| row[field]))
                    .collect();
                let ordered = self.spell(&rows);
                if parted || one_reading(order, &ordered) {
                    self.take(ordered);
                } else {
                    self.reject(
                        list,
                        "its behaviours are shifted: which words belong together cannot be told",
                    );
                }
            }
            _ => self.take(as_written),
        }
    }

    fn spell(&mut self, rows: &[[&str; FIELDS]]) -> Vec<(Row, bool)> {
        self.found.tried += rows.len() as u64;
        rows.iter().map(|row| self.names.spell(*row)).collect()
    }

    fn take(&mut self, rows: Vec<(Row, bool)>) {
        self.found.known |= rows.iter().any(|(_, known)| *known);
        self.give(Ok(rows.into_iter().map(|(row, _)| row).collect()));
    }

    fn reject(&mut self, list: &List, what: &str) {
        let there = self.text.get(list.span.clone()).unwrap_or_default();
        self.give(Err(format!("{what}: `{}`", excerpt(there))));
    }

    fn give(&mut self, written: Written) {
        if self.found.written.len() < MAX_SEQUENCES {
            self.found.written.push(written);
        } else if self.found.written.len() == MAX_SEQUENCES {
            self.found.written.push(Err(format!(
                "there are more than {MAX_SEQUENCES} sequences; the rest was left out"
            )));
        }
    }
}

fn too_deep() -> String {
    format!("it is nested deeper than {MAX_LEVELS} lists")
}

fn word<'a>(value: &'a Value) -> Option<&'a str> {
    match value {
        Value::Word(word) => Some(word),
        _ => None,
    }
}

/// Whether a list says nothing, as `['......']`: it shows where something is to stand.
fn placeholder(list: &List) -> bool {
    let silent = |word: &str| !word.chars().any(char::is_alphanumeric);
    let mut words = list.items.iter().map(|item| word(item).is_some_and(silent));
    !list.items.is_empty() && words.all(|silent| silent)
}

/// All orders of the fields but the usual one: which word of a behaviour is its weekday, hours, device and action.
fn orders() -> impl Iterator<Item = [usize; FIELDS]> {
    let tuples = (0..256).map(|n| [n / 64, n / 16 % FIELDS, n / 4 % FIELDS, n % FIELDS]);
    tuples.filter(|order| {
        let all = (0..FIELDS).all(|field| order.contains(&field));
        all && *order != [0, 1, 2, 3]
    })
}

/// Whether behaviours written in this order one after another, without anything between them, can be read in one way only.
/// A rotated order (hours, device, action, weekday) may as well be the usual one with its beginning lost; it makes no
/// difference only where the words that would change places are the same everywhere.
fn one_reading(order: [usize; FIELDS], rows: &[(Row, bool)]) -> bool {
    let shift = order[0];
    let rotated = (0..FIELDS).all(|field| order[field] == (field + shift) % FIELDS);
    let moved = FIELDS - shift;
    !rotated
        || rows
            .windows(2)
            .all(|pair| pair[0].0[..moved] == pair[1].0[..moved])
}
