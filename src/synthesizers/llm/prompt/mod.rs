//! The request as a text for a language model: a system and a user message, after the paper's Table 1.
//!
//! Nothing in it tells one home from another: no home id, no date, no clock time, no name that a person gave; weekdays and
//! three-hour buckets are all that a model needs and sees. The texts are [templates](Templates) that a user can replace.

mod habits;
mod json;
mod templates;

use std::sync::Arc;

use hearth_operators::words::{Catalog, Catalogs, HomeId, Request, Shift, ShiftKind};
use serde_json::Value;

use super::Writes;
use super::pseudonyms::Pseudonyms;
use super::schema;
use crate::config::Naming;
use crate::home_names::HomeNames;
use crate::synthesizers::per_catalog::PerCatalog;
use crate::synthesizers::rows;
use json::{array, text};
use templates::Words;
pub use templates::{TemplateError, Templates};

/// The two messages of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prompt {
    /// Who the model is and what it is to do; how it must answer is [said apart](super::Form).
    pub system: String,
    /// What changes, and the home's data.
    pub user: String,
}

/// Writes requests as prompts.
pub struct Prompts {
    outward: PerCatalog<Result<Arc<Outward>, String>>,
    templates: Templates,
    homes: HomeNames,
}

/// What a model is told of a catalog.
pub struct Outward {
    /// The names that leave the house.
    pub pseudonyms: Pseudonyms,
    /// The JSON schema of an answer.
    pub schema: Value,
}

impl Prompts {
    /// For homes with these catalogs; `naming` decides what is told of them.
    pub fn new(
        catalogs: Arc<Catalogs>,
        naming: Naming,
        templates: Templates,
        homes: HomeNames,
    ) -> Self {
        let (known, writes) = (catalogs.clone(), templates.writes());
        let outward = PerCatalog::new(catalogs, move |home| {
            let pseudonyms = Pseudonyms::new(known.of(home).clone(), naming)?;
            let schema = match writes {
                Writes::Sequences => schema::sequences(pseudonyms.catalog()),
                Writes::Edits => schema::edits(pseudonyms.catalog()),
            };
            Ok(Arc::new(Outward { pseudonyms, schema }))
        });
        Prompts {
            outward,
            templates,
            homes,
        }
    }

    /// What is told of a home's catalog.
    ///
    /// # Errors
    /// Its names cannot be searched for in sentences.
    pub fn outward(&self, home: HomeId) -> Result<Arc<Outward>, TemplateError> {
        let outward = self.outward.of(home);
        Result::clone(&outward).map_err(TemplateError::Names)
    }

    /// The home of that name.
    pub fn home(&self, name: &str) -> Option<HomeId> {
        self.homes.find(name)
    }

    /// What the model is asked to write.
    pub fn writes(&self) -> Writes {
        self.templates.writes()
    }

    /// How to answer, in words: where a schema goes with the call, and where none does.
    pub fn answers(&self) -> &[String; 2] {
        self.templates.answers()
    }

    /// The messages of a request; where edits are asked for, the same for all requests of a shift.
    ///
    /// # Errors
    /// A user's template fails on these words, or the home's names cannot be told.
    pub fn write(&self, request: &Request) -> Result<Prompt, TemplateError> {
        let home = self.homes.name(request.key.shift.home);
        let outward = self.outward(request.key.shift.home)?;
        let pseudonyms = &outward.pseudonyms;
        let catalog = pseudonyms.catalog();
        let scene = scene(&request.regime.shift, &home, pseudonyms);
        let mut words = vec![("scene", scene.into())];
        match self.writes() {
            Writes::Sequences => words.extend(of_weekday(catalog, request)),
            Writes::Edits => {
                let past = habits::habits(catalog, &request.regime.source);
                let next = habits::successors(catalog, &request.hints);
                words.extend([("habits", past.into()), ("successors", next.into())]);
            }
        }
        let [system, user] = self.templates.messages(&Words(words))?;
        Ok(Prompt { system, user })
    }

    /// The same for people; a template's failure stands in place of the user message.
    pub fn shown(&self, request: &Request) -> (String, String) {
        match self.write(request) {
            Ok(Prompt { system, user }) => (system, user),
            Err(error) => (String::new(), error.to_string()),
        }
    }
}

/// A weekday's representatives, the graph, and the devices.
fn of_weekday(catalog: &Catalog, request: &Request) -> [(&'static str, minijinja::Value); 4] {
    let sequences = request.representatives.iter();
    let sequences = sequences.map(|s| array(rows(catalog, s).iter().map(text)));
    let hints = request.hints.0.iter().map(|(action, next)| {
        let next = next.iter().map(|(next, count)| {
            let name = text(&catalog.full_name(*next));
            format!("{{\"next\":{name},\"count\":{count}}}")
        });
        format!("{}:{}", text(&catalog.full_name(*action)), array(next))
    });
    let devices = catalog.devices().iter().filter(|d| !d.actions.is_empty());
    let devices = devices.map(|device| {
        let actions = array(device.actions.iter().map(|a| text(&a.name)));
        format!("{}: {actions}", text(&device.name))
    });
    let hints = hints.collect::<Vec<_>>().join(",\n");
    [
        ("sequences", sequences.collect::<Vec<_>>().join("\n").into()),
        ("count", request.representatives.len().into()),
        ("hints", format!("{{{hints}}}").into()),
        ("devices", devices.collect::<Vec<_>>().join("\n").into()),
    ]
}

/// The shift as a sentence. Words from outside are quoted as JSON, so that they cannot pass for the prompt's own.
fn scene(shift: &Shift, home: &str, pseudonyms: &Pseudonyms) -> String {
    let [from, to] = [&shift.from, &shift.to].map(|words| text(&pseudonyms.sentence(words, home)));
    match shift.kind {
        ShiftKind::Season => format!("The season changes from {from} to {to}."),
        ShiftKind::Schedule => format!(
            "The residents' daily schedule changes: so far they were active in the {from}, from now on in the {to}."
        ),
        ShiftKind::Occupancy => {
            format!("The number of people who live in the home changes from {from} to {to}.")
        }
        ShiftKind::Drift => format!(
            "What the residents do has changed, and nobody said why. On average, before: {from}; since: {to}."
        ),
        ShiftKind::Text if shift.from.trim().is_empty() => {
            format!("What changes in the home, in a resident's words: {to}.")
        }
        ShiftKind::Text => format!(
            "What changes in the home, in a resident's words: before, {from}; from now on, {to}."
        ),
    }
}

#[cfg(test)]
mod tests;
