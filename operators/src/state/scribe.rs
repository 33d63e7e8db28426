//! A cut that is written while the dataflow goes on: which homes are still to be written, and who takes them down.

use crate::words::HomeId;

/// Takes down homes as a cut has them: as bytes, or as they are.
pub trait Scribe<S>: Send + Sync {
    /// A home, blank ones too; each once, in any order.
    fn write(&mut self, home: HomeId, state: &S);

    /// All are written. Without it, the cut comes to nothing.
    fn done(self: Box<Self>);
}

/// What of a cut is still to be written.
pub(super) struct Due<S> {
    /// A bit for each place.
    places: Vec<u64>,
    /// Before it no word has one.
    first: usize,
    scribe: Box<dyn Scribe<S>>,
}

impl<S> Due<S> {
    /// These places, all of them.
    pub fn new(places: Vec<u64>, scribe: Box<dyn Scribe<S>>) -> Self {
        let first = 0;
        Due {
            places,
            first,
            scribe,
        }
    }

    /// The first place that is still to be written.
    pub fn next(&mut self) -> Option<u32> {
        let words = self.places.iter().skip(self.first);
        self.first += words.take_while(|word| **word == 0).count();
        let word = self.places.get(self.first)?;
        Some(self.first as u32 * 64 + word.trailing_zeros())
    }

    /// Writes the home of a place, if there is any and that is still to be done.
    pub fn take(&mut self, place: u32, home: Option<(HomeId, &S)>) {
        let bit = 1 << (place % 64);
        let Some(word) = self.places.get_mut(place as usize / 64) else {
            return;
        };
        if *word & bit != 0 {
            *word &= !bit;
            if let Some((home, state)) = home {
                self.scribe.write(home, state);
            }
        }
    }

    /// All are written.
    pub fn done(self) {
        self.scribe.done();
    }
}
