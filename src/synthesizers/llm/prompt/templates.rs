//! The texts that prompts are made of: four files, each with a default inside.

use std::io::Write;
use std::path::{Path, PathBuf};

use minijinja::{Environment, UndefinedBehavior, Value};

/// Why templates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The folder is not there, or holds none of the files.
    #[error(
        "{0} holds none of system.txt, user.txt, schema.txt and paper.txt; `hearth templates --out DIR` writes the \
         built-in ones to begin with"
    )]
    None(PathBuf),
    /// A file cannot be read.
    #[error("cannot read the template {path}: {error}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A file is no template, or asks for what there is not.
    #[error("{path}:{line}: {reason}; known are scene, sequences, count, hints and devices")]
    Wrong {
        /// Which.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why.
        reason: String,
    },
}

/// What the two messages can say.
#[derive(Default)]
pub(super) struct Words {
    /// The shift as a sentence.
    pub scene: String,
    /// The representatives, one a line, as JSON.
    pub sequences: String,
    /// How many they are.
    pub count: usize,
    /// The top-k transitions as JSON.
    pub hints: String,
    /// One device a line with its actions.
    pub devices: String,
}

impl Words {
    fn value(&self) -> Value {
        Value::from_pairs([
            ("scene", Value::from(self.scene.as_str())),
            ("sequences", self.sequences.as_str().into()),
            ("count", self.count.into()),
            ("hints", self.hints.as_str().into()),
            ("devices", self.devices.as_str().into()),
        ])
    }
}

/// The texts of prompts. `system.txt` and `user.txt` are the two messages, templates in Jinja's notation; `schema.txt` or
/// `paper.txt`, taken as it is, ends the first and says how to answer: to a server that takes a JSON schema, or to one
/// that does not.
pub struct Templates {
    folder: PathBuf,
    messages: Environment<'static>,
    /// How to answer.
    answers: [String; 2],
}

const MESSAGES: [(&str, &str); 2] = [
    ("system.txt", include_str!("system.txt")),
    ("user.txt", include_str!("user.txt")),
];

const ANSWERS: [(&str, &str); 2] = [
    ("schema.txt", include_str!("schema.txt")),
    ("paper.txt", include_str!("paper.txt")),
];

impl Templates {
    /// Those of a folder, or those inside. What a folder lacks is taken from inside.
    ///
    /// # Errors
    /// The folder holds none of the files, or one cannot be read or is no template.
    pub fn load(folder: Option<&Path>) -> Result<Self, TemplateError> {
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
        let messages = [text(MESSAGES[0])?, text(MESSAGES[1])?];
        let answers = [text(ANSWERS[0])?, text(ANSWERS[1])?];
        if let (Some(folder), false) = (folder, found) {
            return Err(TemplateError::None(folder.to_owned()));
        }
        let mut templates = Templates {
            folder: folder.unwrap_or(Path::new("built-in")).to_owned(),
            messages: Environment::new(),
            answers,
        };
        templates
            .messages
            .set_undefined_behavior(UndefinedBehavior::Strict);
        for ((name, _), text) in MESSAGES.into_iter().zip(messages) {
            let added = templates.messages.add_template_owned(name, text);
            added.map_err(|error| templates.wrong(name, &error))?;
        }
        // Tried with no words, so that a misspelt one is told before any work.
        templates.messages(&Words::default())?;
        Ok(templates)
    }

    /// Writes those inside into a folder, which is created where needed.
    ///
    /// # Errors
    /// The folder or a file cannot be written, or a file is there already.
    pub fn write(folder: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        for (name, text) in MESSAGES.into_iter().chain(ANSWERS) {
            std::fs::File::create_new(folder.join(name))?.write_all(text.as_bytes())?;
        }
        Ok(())
    }

    /// How to answer, in words: where a schema goes with the call, and where none does.
    pub fn answers(&self) -> &[String; 2] {
        &self.answers
    }

    /// System and user message.
    pub(super) fn messages(&self, words: &Words) -> Result<[String; 2], TemplateError> {
        let message = |name| {
            let template = self.messages.get_template(name);
            let rendered = template.and_then(|t| t.render(words.value()));
            rendered.map_err(|error| self.wrong(name, &error))
        };
        Ok([message("system.txt")?, message("user.txt")?])
    }

    fn wrong(&self, name: &str, error: &minijinja::Error) -> TemplateError {
        let detail = error.detail().map(|detail| format!(": {detail}"));
        TemplateError::Wrong {
            path: self.folder.join(name),
            line: error.line().unwrap_or(1),
            reason: format!("{}{}", error.kind(), detail.unwrap_or_default()),
        }
    }
}
