//! The synthesizer that takes both for evidence: what the table of knowledge makes of a home's past, weighed by how likely a
//! language model holds its devices in the new context beside the old.

use std::sync::Arc;

use hearth_operators::words::{Catalog, Catalogs, Request, Sequence, ShiftKind, Written};

use super::per_catalog::Each;
use super::{Contrast, Embedded, Knowledge, Ratios, Synthesizer, rows};

/// As flags and messages call it.
const NAME: &str = "blend";

/// The blend synthesizer for homes of one catalog.
///
/// Independent evidence multiplies: where the model is undecided, what the table says stands, and where the table cannot read a
/// context, as in free words, the model alone speaks.
pub struct Blend {
    catalog: Arc<Catalog>,
    embedded: Embedded,
    contrast: Contrast,
}

impl Blend {
    /// For homes with catalogs of their own.
    pub fn of_each(
        catalogs: Arc<Catalogs>,
        knowledge: Knowledge,
        ratios: Arc<Ratios>,
        seed: u64,
    ) -> impl Synthesizer {
        let knowledge = Arc::new(knowledge);
        let known = catalogs.clone();
        Each::new(NAME, catalogs, move |home| {
            let catalog = known.of(home).clone();
            Blend::new(catalog, knowledge.clone(), ratios.clone(), seed)
        })
    }

    /// For the homes of a catalog. Answers depend on the model, the seed and the request alone.
    pub fn new(
        catalog: Arc<Catalog>,
        knowledge: impl Into<Arc<Knowledge>>,
        ratios: Arc<Ratios>,
        seed: u64,
    ) -> Self {
        Blend {
            embedded: Embedded::new(catalog.clone(), knowledge, seed),
            contrast: Contrast::new(catalog.clone(), ratios, seed),
            catalog,
        }
    }

    fn sequences(&self, request: &Request) -> Result<Vec<Sequence>, String> {
        match self.embedded.sequences(request) {
            // It has no words that a model could compare.
            Ok(sequences) if request.regime.shift.kind == ShiftKind::Drift => Ok(sequences),
            Ok(sequences) => self.contrast.weighed(request, &sequences),
            Err(_) => self.contrast.sequences(request),
        }
    }
}

impl Synthesizer for Blend {
    fn synthesize(&self, request: &Request) -> Result<Vec<Written>, String> {
        let sequences = self.sequences(request)?;
        let written = sequences.iter().map(|s| Ok(rows(&self.catalog, s)));
        Ok(written.collect())
    }

    fn name(&self) -> &str {
        NAME
    }
}
