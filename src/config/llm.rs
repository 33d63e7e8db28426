//! Options of the synthesizers that are language models.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use clap::Args;

use super::choices::{CassetteMode, Format, Naming, Writes};
use super::money::{Money, Price};
use super::span::Span;

/// What a language model is asked, and where, and for how much.
#[derive(Args, Clone, Debug)]
pub struct LlmConfig {
    /// Address of an OpenAI-compatible server, such as http://127.0.0.1:8080/v1. Its key is read from HEARTH_LLM_KEY, and for
    /// api.openai.com also from OPENAI_API_KEY, which goes to no other server unless --llm-key-env names it
    #[arg(long, env = "HEARTH_LLM_URL", value_name = "URL")]
    pub llm_url: Option<String>,

    /// The model, as the server names it
    #[arg(long, env = "HEARTH_LLM_MODEL", value_name = "NAME")]
    pub llm_model: Option<String>,

    /// A file that holds the server's key, instead of the environment
    #[arg(long, env = "HEARTH_LLM_KEY_FILE", value_name = "FILE")]
    pub llm_key_file: Option<PathBuf>,

    /// The environment variable that holds the server's key: its name, not the key
    #[arg(long, env = "HEARTH_LLM_KEY_ENV", value_name = "VARIABLE")]
    pub llm_key_env: Option<String>,

    /// A server that is not this machine may be asked. It is sent the shift, sequences as weekday, three-hour bucket, device and
    /// action, transition counts and the devices; never home ids, times, or names that are not public words
    #[arg(
        long,
        env = "HEARTH_LLM_ALLOW_REMOTE",
        value_name = "BOOL",
        default_value = "false",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        action = clap::ArgAction::Set,
        value_parser = clap::builder::BoolishValueParser::new(),
    )]
    pub llm_allow_remote: bool,

    /// Which names of devices and actions leave the house
    #[arg(long, env = "HEARTH_LLM_NAMES", default_value = "public")]
    pub llm_names: Naming,

    /// What the model is asked to write
    #[arg(long, env = "HEARTH_LLM_WRITES", default_value = "sequences")]
    pub llm_writes: Writes,

    /// A folder with texts of prompts in place of the built-in ones (`hearth templates` writes those)
    #[arg(long, env = "HEARTH_LLM_TEMPLATES", value_name = "DIR")]
    pub llm_templates: Option<PathBuf>,

    /// How the answer is asked for
    #[arg(long, env = "HEARTH_LLM_FORMAT", default_value = "auto")]
    pub llm_format: Format,

    /// Temperature; 0 is the most probable answer. The seed of the run goes with each request
    #[arg(
        long,
        env = "HEARTH_LLM_TEMPERATURE",
        value_name = "NUMBER",
        default_value = "0",
        value_parser = temperature
    )]
    pub llm_temperature: f64,

    /// Tokens that an answer may have at most; a longer one is cut, which is a failure
    #[arg(
        long,
        env = "HEARTH_LLM_MAX_TOKENS",
        value_name = "NUMBER",
        default_value = "8040"
    )]
    pub llm_max_tokens: NonZeroU32,

    /// Requests under way at once, at most; fewer while the server complains
    #[arg(
        long,
        env = "HEARTH_LLM_CONCURRENCY",
        value_name = "NUMBER",
        default_value = "8"
    )]
    pub llm_concurrency: NonZeroUsize,

    /// Times that a request is tried before it counts as failed
    #[arg(
        long,
        env = "HEARTH_LLM_ATTEMPTS",
        value_name = "NUMBER",
        default_value = "5"
    )]
    pub llm_attempts: NonZeroU32,

    /// Requests a minute at most; none: as many as the server takes
    #[arg(long, env = "HEARTH_LLM_REQUESTS_PER_MINUTE", value_name = "NUMBER")]
    pub llm_requests_per_minute: Option<NonZeroU32>,

    /// Tokens a minute at most, of prompts and answers; none: as many as the server takes
    #[arg(long, env = "HEARTH_LLM_TOKENS_PER_MINUTE", value_name = "NUMBER")]
    pub llm_tokens_per_minute: Option<NonZeroU32>,

    /// Longest wait for a connection
    #[arg(
        long,
        env = "HEARTH_LLM_CONNECT_TIMEOUT",
        value_name = "DURATION",
        default_value = "10s"
    )]
    pub llm_connect_timeout: Span,

    /// Longest wait for the first word of an answer
    #[arg(
        long,
        env = "HEARTH_LLM_FIRST_TOKEN_TIMEOUT",
        value_name = "DURATION",
        default_value = "2m"
    )]
    pub llm_first_token_timeout: Span,

    /// Longest silence within an answer
    #[arg(
        long,
        env = "HEARTH_LLM_IDLE_TIMEOUT",
        value_name = "DURATION",
        default_value = "30s"
    )]
    pub llm_idle_timeout: Span,

    /// Longest time that one try of a request may take in all
    #[arg(
        long,
        env = "HEARTH_LLM_TIMEOUT",
        value_name = "DURATION",
        default_value = "10m"
    )]
    pub llm_timeout: Span,

    /// Price of a million tokens of the prompt, in any currency, such as 2.50
    #[arg(
        long,
        env = "HEARTH_LLM_PRICE_INPUT",
        value_name = "MONEY",
        default_value = "0"
    )]
    pub llm_price_input: Price,

    /// Price of a million tokens of the answer
    #[arg(
        long,
        env = "HEARTH_LLM_PRICE_OUTPUT",
        value_name = "MONEY",
        default_value = "0"
    )]
    pub llm_price_output: Price,

    /// What a run may cost at most, in the currency of the prices: set aside before each call, so it is never passed; none: no
    /// limit
    #[arg(long, env = "HEARTH_LLM_BUDGET", value_name = "MONEY")]
    pub llm_budget: Option<Money>,

    /// What one home may cost at most; none: no limit
    #[arg(long, env = "HEARTH_LLM_HOME_BUDGET", value_name = "MONEY")]
    pub llm_home_budget: Option<Money>,

    /// What becomes of recorded answers
    #[arg(long, env = "HEARTH_LLM_CASSETTE", default_value = "auto")]
    pub llm_cassette: CassetteMode,

    /// Where answers are recorded, with the ledger of what they cost; none: the folder `cassette` in the output folder
    #[arg(long, env = "HEARTH_LLM_CASSETTE_DIR", value_name = "DIR")]
    pub llm_cassette_dir: Option<PathBuf>,

    /// A model file for the synthesizers gguf, contrast and blend
    #[arg(long, env = "HEARTH_LLM_GGUF", value_name = "FILE")]
    pub llm_gguf: Option<PathBuf>,
}

fn temperature(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (0.0..=2.0).contains(&number) => Ok(number),
        _ => Err(format!("`{text}` is no number from 0 to 2")),
    }
}
