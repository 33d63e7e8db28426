//! The texts that prompts are made of: four files where sequences are asked for, three where edits are, each with a default
//! inside.

use std::io::Write;
use std::path::{Path, PathBuf};

use minijinja::{Environment, UndefinedBehavior, Value};

use crate::synthesizers::llm::Writes;

/// Why templates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The names of a catalog cannot be told.
    #[error("the names of this home cannot be told to a language model: {0}")]
    Names(String),
    /// The folder is not there, or holds none of the files.
    #[error(
        "{folder} holds none of {names}; `hearth templates --out DIR` writes the built-in ones to begin with"
    )]
    None {
        /// The folder.
        folder: PathBuf,
        /// What is looked for in it.
        names: String,
    },
    /// A file cannot be read.
    #[error("cannot read the template {path}: {error}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file is no template, or asks for what there is not.
    #[error("{path}:{line}: {reason}; known are {known}")]
    Wrong {
        /// Which.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why.
        reason: String,
        /// The words that a template can say.
        known: String,
    },
}

/// What the two messages can say, by name. Those of edits are the same for all requests of a shift.
pub(super) struct Words(pub Vec<(&'static str, Value)>);

/// The files of a kind of prompt, with the texts inside, and the words that its messages can say.
struct Kind {
    messages: [(&'static str, &'static str); 2],
    /// How to answer: where a schema goes with the call, and where none does.
    answers: [(&'static str, &'static str); 2],
    words: &'static [&'static str],
}

const SEQUENCES: Kind = Kind {
    messages: [
        ("system.txt", include_str!("system.txt")),
        ("user.txt", include_str!("user.txt")),
    ],
    answers: [
        ("schema.txt", include_str!("schema.txt")),
        ("paper.txt", include_str!("paper.txt")),
    ],
    words: &["scene", "sequences", "count", "hints", "devices"],
};

/// Edits have no other form than JSON, whether a schema goes along or not.
const EDITS: Kind = Kind {
    messages: [
        ("edits-system.txt", include_str!("edits-system.txt")),
        ("edits-user.txt", include_str!("edits-user.txt")),
    ],
    answers: [("edits-answer.txt", include_str!("edits-answer.txt")); 2],
    words: &["scene", "habits", "successors"],
};

impl Kind {
    fn of(writes: Writes) -> &'static Self {
        match writes {
            Writes::Sequences => &SEQUENCES,
            Writes::Edits => &EDITS,
        }
    }

    /// Each file once.
    fn files(&self) -> Vec<(&'static str, &'static str)> {
        let mut files = [self.messages, self.answers].concat();
        files.dedup();
        files
    }
}

/// The texts of prompts. `system.txt` and `user.txt` are the two messages, templates in Jinja's notation; `schema.txt` or
/// `paper.txt`, taken as it is, ends the first and says how to answer: to a server that takes a JSON schema, or to one
/// that does not. Where edits are asked for, `edits-system.txt`, `edits-user.txt` and `edits-answer.txt` are in their place.
pub struct Templates {
    folder: PathBuf,
    writes: Writes,
    messages: Environment<'static>,
    /// How to answer.
    answers: [String; 2],
}

impl Templates {
    /// Those of a folder, or those inside. What a folder lacks is taken from inside.
    ///
    /// # Errors
    /// The folder holds none of the files, or one cannot be read or is no template.
    pub fn load(folder: Option<&Path>, writes: Writes) -> Result<Self, TemplateError> {
        let kind = Kind::of(writes);
        let mut found = folder.is_none();
        let mut text = |(name, built_in): (&str, &str)| {
            let Some(path) = folder.map(|folder| folder.join(name)) else {
                return Ok(built_in.to_owned());
            };
            match std::fs::read_to_string(&path) {
                Ok(text) => {
                    found = true;
                    Ok(text)
                }
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                    Ok(built_in.to_owned())
                }
                Err(error) => Err(TemplateError::Unreadable { path, error }),
            }
        };
        let [system, user] = kind.messages;
        let messages = [text(system)?, text(user)?];
        let [by_schema, in_words] = kind.answers;
        let answers = [text(by_schema)?, text(in_words)?];
        if let (Some(folder), false) = (folder, found) {
            return Err(TemplateError::None {
                folder: folder.to_owned(),
                names: listed(kind.files().iter().map(|(name, _)| *name)),
            });
        }
        let mut templates = Templates {
            folder: folder.unwrap_or(Path::new("built-in")).to_owned(),
            writes,
            messages: Environment::new(),
            answers,
        };
        templates
            .messages
            .set_undefined_behavior(UndefinedBehavior::Strict);
        for ((name, _), text) in kind.messages.into_iter().zip(messages) {
            let added = templates.messages.add_template_owned(name, text);
            added.map_err(|error| templates.wrong(name, &error))?;
        }
        // Tried with no words, so that a misspelt one is told before any work.
        let nothing = kind.words.iter().map(|word| (*word, Value::from("")));
        templates.messages(&Words(nothing.collect()))?;
        Ok(templates)
    }

    /// Writes those inside into a folder, which is created where needed.
    ///
    /// # Errors
    /// The folder or a file cannot be written, or a file is there already.
    pub fn write(folder: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let kinds = [SEQUENCES, EDITS];
        for (name, text) in kinds.iter().flat_map(Kind::files) {
            std::fs::File::create_new(folder.join(name))?.write_all(text.as_bytes())?;
        }
        Ok(())
    }

    /// What they ask for.
    pub fn writes(&self) -> Writes {
        self.writes
    }

    /// How to answer, in words: where a schema goes with the call, and where none does.
    pub fn answers(&self) -> &[String; 2] {
        &self.answers
    }

    /// System and user message.
    pub(super) fn messages(&self, words: &Words) -> Result<[String; 2], TemplateError> {
        let message = |(name, _): (&'static str, _)| {
            let template = self.messages.get_template(name);
            let said = Value::from_pairs(words.0.iter().cloned());
            let rendered = template.and_then(|t| t.render(said));
            rendered.map_err(|error| self.wrong(name, &error))
        };
        let [system, user] = Kind::of(self.writes).messages;
        Ok([message(system)?, message(user)?])
    }

    fn wrong(&self, name: &str, error: &minijinja::Error) -> TemplateError {
        let detail = error.detail().map(|detail| format!(": {detail}"));
        TemplateError::Wrong {
            path: self.folder.join(name),
            line: error.line().unwrap_or(1),
            reason: format!("{}{}", error.kind(), detail.unwrap_or_default()),
            known: listed(Kind::of(self.writes).words.iter().copied()),
        }
    }
}

/// `a, b and c`.
fn listed<'a>(names: impl DoubleEndedIterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = names.collect();
    let last = names.pop().unwrap_or_default();
    match names.is_empty() {
        true => last.to_owned(),
        false => format!("{} and {last}", names.join(", ")),
    }
}
