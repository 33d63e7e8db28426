//! The chat template of a model file: how a conversation is written down for this very model.
//!
//! A template is a Jinja program from outside: it runs with bounded steps, sees the two messages alone, and has neither clock nor
//! files.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, Value, context};
use minijinja_contrib::pycompat::unknown_method_callback;

/// Steps of a template: those in use take hundreds.
const STEPS: u64 = 1_000_000;

/// A template that renders.
pub(super) struct ChatTemplate(Environment<'static>);

const NAME: &str = "chat";

impl ChatTemplate {
    pub fn new(source: &str, bos: &str, eos: &str) -> Result<Self, String> {
        let mut environment = Environment::new();
        // As the libraries that templates are written for have it.
        let syntax = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build();
        environment.set_syntax(syntax.map_err(|error| error.to_string())?);
        environment.set_unknown_method_callback(unknown_method_callback);
        environment.set_fuel(Some(STEPS));
        environment.add_function("raise_exception", |reason: String| {
            Err::<Value, _>(Error::new(ErrorKind::InvalidOperation, reason))
        });
        environment.add_global("bos_token", bos.to_owned());
        environment.add_global("eos_token", eos.to_owned());
        let template = environment.add_template_owned(NAME, source.to_owned());
        template.map_err(|error| format!("its chat template is not understood: {error}"))?;
        let template = ChatTemplate(environment);
        // What a template cannot do, it says before a run relies on it.
        template.render("system", "user")?;
        Ok(template)
    }

    /// The conversation up to where the model's answer begins.
    pub fn render(&self, system: &str, user: &str) -> Result<String, String> {
        let message = |role, content| context! { role, content };
        let conversation = context! {
            messages => [message("system", system), message("user", user)],
            add_generation_prompt => true,
            // A model that can think aloud would spend the answer's tokens on it.
            enable_thinking => false,
        };
        let template = self.0.get_template(NAME);
        template
            .and_then(|template| template.render(conversation))
            .map_err(|error| format!("its chat template fails: {error}"))
    }
}
