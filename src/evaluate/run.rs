//! What a run says of its behaviours: those that hold, and how each was scored last.

use std::collections::HashMap;
use std::path::Path;

use super::trivial::TrivialAnswers;
use crate::outputs::read::{each, line};
use crate::outputs::{ScoreLine, SegmentLine, Stream};

/// Home, time in microseconds, action: the identity of a behaviour, names interned in order of the alphabet.
pub(super) type Key = (u32, i64, u32);

/// Names to numbers, in order of meeting.
#[derive(Default)]
pub(crate) struct Interner {
    ids: HashMap<String, u32>,
}

impl Interner {
    pub fn intern(&mut self, name: &str) -> u32 {
        if let Some(&id) = self.ids.get(name) {
            return id;
        }
        let id = self.ids.len() as u32;
        self.ids.insert(name.to_owned(), id);
        id
    }

    /// The names' places in the alphabet, which do not depend on the order of meeting.
    pub fn places(self) -> Places {
        let ids = self.ids.iter();
        let mut names: Vec<(&String, u32)> = ids.map(|(name, id)| (name, *id)).collect();
        names.sort_unstable();
        let mut of = vec![0; names.len()];
        for (place, (_, id)) in names.into_iter().enumerate() {
            of[id as usize] = place as u32;
        }
        Places { ids: self.ids, of }
    }
}

/// The place of each name in the alphabet.
pub(crate) struct Places {
    ids: HashMap<String, u32>,
    /// By number of the name.
    of: Vec<u32>,
}

impl Places {
    /// How many names there are.
    pub fn len(&self) -> usize {
        self.of.len()
    }

    pub fn place(&self, name: &str) -> Option<u32> {
        self.of.get(*self.ids.get(name)? as usize).copied()
    }

    /// The place of the name that was met as the `id`th.
    pub fn renamed(&self, id: u32) -> u32 {
        self.of[id as usize]
    }
}

/// A line of `scores`, as far as it matters here.
#[derive(Clone, Copy)]
pub(super) struct Scored {
    pub key: Key,
    epoch: u64,
    pub score: f32,
    pub called: bool,
    /// Place of the behaviour's action among its predictions, from 1; 0 where it is not among them.
    pub rank: u32,
}

/// The behaviours and scores of an output folder. Homes and actions stand for the places of their names in the alphabet, so that
/// nothing depends on the order of lines.
pub(super) struct Run {
    pub homes: Places,
    actions: Places,
    /// Changes of the count of each behaviour, by behaviour.
    behaviors: Vec<(Key, i64)>,
    /// By behaviour, then by epoch.
    scores: Vec<Scored>,
    /// Predictions of the longest list.
    pub longest: usize,
}

impl Run {
    pub fn read(dir: &Path) -> anyhow::Result<Self> {
        let (mut homes, mut actions) = (Interner::default(), Interner::default());
        let mut behaviors: Vec<(Key, i64)> = Vec::new();
        each(dir, Stream::Segments, |text| {
            let line: SegmentLine<'_> = line(text)?;
            let home = homes.intern(&line.home);
            behaviors.extend(line.behaviors.iter().map(|behavior| {
                let action = actions.intern(&behavior.action);
                ((home, behavior.time.time.0, action), line.diff)
            }));
            Ok(())
        })?;
        let mut scores: Vec<Scored> = Vec::new();
        let mut longest = 0;
        each(dir, Stream::Scores, |text| {
            let line: ScoreLine<'_> = line(text)?;
            longest = longest.max(line.predictions.len());
            let home = homes.intern(&line.home);
            let action = actions.intern(&line.action);
            scores.push(Scored::new(&line, (home, line.time.time.0, action)));
            Ok(())
        })?;
        let (homes, actions) = (homes.places(), actions.places());
        let renamed =
            |(home, time, action): Key| (homes.renamed(home), time, actions.renamed(action));
        for (key, _) in &mut behaviors {
            *key = renamed(*key);
        }
        for scored in &mut scores {
            scored.key = renamed(scored.key);
        }
        behaviors.sort_unstable_by_key(|(key, _)| *key);
        scores.sort_by_key(|scored| (scored.key, scored.epoch));
        Ok(Run {
            homes,
            actions,
            behaviors,
            scores,
            longest,
        })
    }

    /// The behaviour of a home, if the output knows both names.
    pub fn key(&self, home: &str, time: i64, action: &str) -> Option<Key> {
        Some((self.homes.place(home)?, time, self.actions.place(action)?))
    }

    /// Shows the last score of each behaviour that holds, with what its home did before it; gives how many scores are of others.
    pub fn each_scored(&self, mut see: impl FnMut(Scored, &TrivialAnswers)) -> u64 {
        let mut trivial = TrivialAnswers::new(self.actions.len());
        let mut last_scores = self
            .scores
            .chunk_by(|a, b| a.key == b.key)
            .filter_map(<[Scored]>::last)
            .peekable();
        let mut withdrawn = 0_u64;
        for same in self.behaviors.chunk_by(|a, b| a.0 == b.0) {
            let Some(&(key, _)) = same.first() else {
                continue;
            };
            if same.iter().map(|(_, diff)| diff).sum::<i64>() <= 0 {
                continue;
            }
            let (home, _, action) = key;
            trivial.enter(home);
            while last_scores.next_if(|scored| scored.key < key).is_some() {
                withdrawn += 1;
            }
            if let Some(scored) = last_scores.next_if(|scored| scored.key == key) {
                see(*scored, &trivial);
            }
            trivial.learn(action);
        }
        withdrawn + last_scores.count() as u64
    }
}

impl Scored {
    fn new(line: &ScoreLine<'_>, key: Key) -> Self {
        let mut predicted = line.predictions.iter();
        let place = predicted.position(|prediction| prediction.action == line.action);
        // A loss that was no number is written as null; the call tells on which side of the threshold it was.
        let beyond = if line.anomaly {
            f32::INFINITY
        } else {
            f32::NEG_INFINITY
        };
        Scored {
            key,
            epoch: line.epoch,
            score: line.score.unwrap_or(beyond),
            called: line.anomaly,
            rank: place.map_or(0, |place| place as u32 + 1),
        }
    }
}
