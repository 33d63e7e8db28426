//! From a prompt to a call: what a run asks the same of every request.

use std::sync::Arc;

use hearth_operators::words::HomeId;

use super::prompt::{Prompt, Prompts, TemplateError};
use super::{Call, Form, Format};

/// What all calls of a run share.
pub struct Calls {
    prompts: Arc<Prompts>,
    settings: CallSettings,
}

/// What a user decides of a call.
#[derive(Clone, Debug, PartialEq)]
pub struct CallSettings {
    /// The model, as the server names it.
    pub model: String,
    /// How the answer is asked for.
    pub format: Format,
    /// 0 is the most probable answer.
    pub temperature: f64,
    /// What the server draws by.
    pub seed: u64,
    /// Tokens that an answer may have at most.
    pub max_tokens: u32,
}

impl Calls {
    /// Calls made of these prompts.
    pub fn new(prompts: Arc<Prompts>, settings: CallSettings) -> Self {
        Calls { prompts, settings }
    }

    /// What writes the prompts.
    pub fn prompts(&self) -> &Arc<Prompts> {
        &self.prompts
    }

    /// The model that is asked.
    pub fn model(&self) -> &str {
        &self.settings.model
    }

    /// What is drawn by, here and at the server.
    pub fn seed(&self) -> u64 {
        self.settings.seed
    }

    /// The call that a home's prompt makes.
    ///
    /// # Errors
    /// The home's names cannot be told.
    pub fn call(&self, home: HomeId, prompt: Prompt) -> Result<Call, TemplateError> {
        let schema = self.prompts.outward(home)?.schema.clone();
        let [schema_words, paper_words] = self.prompts.answers().clone();
        Ok(Call {
            model: self.settings.model.clone(),
            system: prompt.system,
            user: prompt.user,
            form: Form {
                format: self.settings.format,
                schema,
                schema_words,
                paper_words,
            },
            temperature: self.settings.temperature,
            seed: Some(self.settings.seed),
            max_tokens: self.settings.max_tokens,
        })
    }
}
