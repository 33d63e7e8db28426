//! The request as a text for a language model: a system and a user message, after the paper's Table 1.
//!
//! Nothing in it tells one home from another: no home id, no date, no clock time, no name that a person gave; weekdays and
//! three-hour buckets are all that a model needs and sees. The texts are [templates](Templates) that a user can replace.

mod habits;
mod templates;

use std::sync::Arc;

use hearth_operators::words::{
    Catalog, Catalogs, HOURS, HomeId, Request, Shift, ShiftKind, WEEKDAYS,
};
use serde_json::{Value, json, to_string};

use super::Writes;
use super::edits;
use super::told::{Naming, Told};
use crate::homes::Homes;
use crate::synthesizers::per_catalog::PerCatalog;
use crate::synthesizers::rows;
use templates::Words;
pub use templates::{TemplateError, Templates};

/// Actions above which a schema does not list them: servers bound the size of a schema.
pub(super) const LISTED: usize = 400;

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
    homes: Homes,
}

/// What a model is told of a catalog.
pub struct Outward {
    /// The names that leave the house.
    pub told: Told,
    /// The JSON schema of an answer.
    pub schema: Value,
}

impl Prompts {
    /// For homes with these catalogs; `naming` decides what is told of them.
    pub fn new(
        catalogs: Arc<Catalogs>,
        naming: Naming,
        templates: Templates,
        homes: Homes,
    ) -> Self {
        let (known, writes) = (catalogs.clone(), templates.writes());
        let outward = PerCatalog::new(catalogs, move |home| {
            let told = Told::new(known.of(home).clone(), naming)?;
            let schema = match writes {
                Writes::Sequences => schema(told.catalog()),
                Writes::Edits => edits::schema(told.catalog()),
            };
            Ok(Arc::new(Outward { told, schema }))
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
        let told = &outward.told;
        let catalog = told.catalog();
        let mut words = vec![("scene", scene(&request.regime.shift, &home, told).into())];
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

/// The JSON schema of an answer: sequences of behaviours of this catalog's vocabulary.
pub fn schema(catalog: &Catalog) -> Value {
    let behavior = |device: Value, actions: Value| {
        json!({
            "type": "object",
            "properties": {
                "weekday": {"type": "string", "enum": WEEKDAYS},
                "hours": {"type": "string", "enum": HOURS},
                "device": device,
                "action": actions,
            },
            "required": ["weekday", "hours", "device", "action"],
            "additionalProperties": false,
        })
    };
    let behavior = if catalog.actions() > LISTED {
        let any = json!({"type": "string"});
        behavior(any.clone(), any)
    } else {
        let devices = catalog.devices().iter().filter(|d| !d.actions.is_empty());
        let each = devices.map(|device| {
            let actions: Vec<&str> = device.actions.iter().map(|a| a.name.as_str()).collect();
            behavior(
                json!({"type": "string", "enum": [device.name]}),
                json!({"type": "string", "enum": actions}),
            )
        });
        json!({"anyOf": each.collect::<Vec<_>>()})
    };
    json!({
        "type": "object",
        "properties": {
            "sequences": {"type": "array", "items": {"type": "array", "items": behavior}},
        },
        "required": ["sequences"],
        "additionalProperties": false,
    })
}

/// The shift as a sentence. Words from outside are quoted as JSON, so that they cannot pass for the prompt's own.
fn scene(shift: &Shift, home: &str, told: &Told) -> String {
    let [from, to] = [&shift.from, &shift.to].map(|words| text(&told.sentence(words, home)));
    match shift.kind {
        ShiftKind::Season => format!("The season changes from {from} to {to}."),
        ShiftKind::Schedule => format!(
            "The residents' daily schedule changes: so far they were active in the {from}, from now on in the {to}."
        ),
        ShiftKind::Occupancy => {
            format!("The number of people who live in the home changes from {from} to {to}.")
        }
        ShiftKind::Text if shift.from.trim().is_empty() => {
            format!("What changes in the home, in a resident's words: {to}.")
        }
        ShiftKind::Text => format!(
            "What changes in the home, in a resident's words: before, {from}; from now on, {to}."
        ),
    }
}

/// Anything as JSON on one line.
fn text<T: serde::Serialize + ?Sized>(value: &T) -> String {
    // Strings and lists of strings always serialise.
    to_string(value).unwrap_or_default()
}

fn array(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests;
