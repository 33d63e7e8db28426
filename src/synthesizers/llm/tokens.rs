//! How many tokens a call has: an estimate for people, and a ceiling for the budget.
//!
//! Who counts is the server, and no two models count alike. So there are two answers. The *estimate* is what one common
//! vocabulary gives: near the truth, above or below. The *ceiling* is what no server with a byte-level vocabulary can
//! pass: each of its tokens stands for at least one byte of what it is sent, and what its chat template puts around the
//! messages is short. Money is reserved by the ceiling; that it was too careful is known as soon as the answer is there.

use std::collections::HashSet;

use serde_json::Value;
use tiktoken_rs::CoreBPE;

use super::{Call, Format, Usage};

/// Tokens allowed for what a server's chat template adds: marks of role and turn, and a preamble such as the day's date.
/// The longest template known to us (that of gpt-oss) adds about 70.
pub const TEMPLATE: u64 = 256;

/// Tokens around two messages in the OpenAI chat format: three and a role for each, three before the answer.
const CHAT: u64 = 2 * (3 + 1) + 3;

/// The most tokens that one attempt at a call can have: of the messages in the longer of the forms that it may take, and
/// of the answer.
///
/// Proven for servers that count the bytes they are sent. One that first rewrites the text into a longer one (a
/// SentencePiece model with NFKC does that to a few rare characters) may pass it, and the [`Ledger`](super::Ledger) then
/// says so.
pub fn ceiling(call: &Call) -> Usage {
    let by_schema = bytes(&call.form.schema_words).saturating_add(schema_bytes(&call.form.schema));
    let by_words = bytes(&call.form.paper_words);
    let form = match call.form.format {
        Format::Auto => by_schema.max(by_words),
        Format::Schema => by_schema,
        Format::Paper => by_words,
    };
    let input = [bytes(&call.system), bytes(&call.user), form]
        .into_iter()
        .fold(TEMPLATE, u64::saturating_add);
    Usage {
        input,
        output: u64::from(call.max_tokens),
    }
}

/// Counts as a common model would.
pub struct Estimator(CoreBPE);

impl Estimator {
    /// With the vocabulary of the GPT-4o family (`o200k_base`). Takes a tenth of a second: make one and keep it.
    ///
    /// # Errors
    /// The vocabulary inside cannot be read, in a sentence.
    pub fn new() -> Result<Self, String> {
        tiktoken_rs::o200k_base()
            .map(Self)
            .map_err(|error| format!("cannot read the vocabulary `o200k_base`: {error}"))
    }

    /// Tokens of a call: of its messages about, of its answer at most.
    ///
    /// A schema is counted as if the server put it among the messages; some do, some hold the answer to it unseen.
    pub fn estimate(&self, call: &Call) -> Usage {
        let mut input = CHAT + self.count(&call.system) + self.count(&call.user);
        match call.form.format {
            Format::Auto | Format::Schema => {
                input += self.count(&call.form.schema_words);
                input += self.count(&call.form.schema.to_string());
            }
            Format::Paper => input += self.count(&call.form.paper_words),
        }
        Usage {
            input,
            output: u64::from(call.max_tokens),
        }
    }

    /// Tokens of a text; what looks like a special token counts as the text that it is.
    pub fn count(&self, text: &str) -> u64 {
        match self.0.count(text, &HashSet::new()) {
            Ok(tokens) => tokens as u64,
            // Its pattern gives up on a million blanks in a row. Four bytes a token is what English has.
            Err(_) => (text.len() as u64).div_ceil(4),
        }
    }
}

fn bytes(text: &str) -> u64 {
    text.len() as u64
}

/// Bytes of a schema in the widest of the usual ways to write JSON: on many lines, all but ASCII escaped.
fn schema_bytes(schema: &Value) -> u64 {
    // A JSON value always serialises.
    let text = serde_json::to_string_pretty(schema).unwrap_or_default();
    text.chars()
        .map(|c| match c {
            _ if c.is_ascii() => 1,
            // A backslash, `u` and four digits for each UTF-16 unit.
            _ => 6 * c.len_utf16() as u64,
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::synthesizers::llm::Form;

    static ESTIMATOR: LazyLock<Estimator> = LazyLock::new(|| Estimator::new().unwrap());

    fn call(system: &str, user: &str, words: &str, format: Format) -> Call {
        Call {
            model: "m".to_owned(),
            system: system.to_owned(),
            user: user.to_owned(),
            form: Form {
                format,
                schema: json!({"type": "object", "description": words, "properties": {user: {"enum": [system, 1.5]}}}),
                schema_words: words.to_owned(),
                paper_words: format!("{words}{words}"),
            },
            temperature: 0.0,
            seed: None,
            max_tokens: 100,
        }
    }

    proptest! {
        /// Any characters at all: blanks, marks, emoji, special tokens.
        #[test]
        fn the_ceiling_is_never_below_the_estimate(
            system in "\\PC{0,80}|[ \n\t'<|>a-z]{0,80}",
            user in "(<\\|endoftext\\|>|\\p{Any}){0,80}",
            words in "[\\p{Any}]{0,40}",
            format in prop::sample::select(vec![Format::Auto, Format::Schema, Format::Paper]),
        ) {
            let call = call(&system, &user, &words, format);
            let (estimate, ceiling) = (ESTIMATOR.estimate(&call), ceiling(&call));
            prop_assert!(estimate.input <= ceiling.input, "{estimate:?} {ceiling:?}");
            prop_assert!(estimate.output <= ceiling.output);
            // A form that is not sent costs nothing; `auto` may come to either.
            let of = |format| super::ceiling(&Call { form: Form { format, ..call.form.clone() }, ..call.clone() });
            prop_assert_eq!(of(Format::Auto).input, of(Format::Schema).input.max(of(Format::Paper).input));
        }
    }

    #[test]
    fn a_text_that_the_pattern_gives_up_on_still_has_a_count() {
        let blanks = " ".repeat(2_000_000);
        let tokens = ESTIMATOR.count(&blanks);
        assert!(tokens > 0 && tokens <= 2_000_000, "{tokens}");
    }

    #[test]
    fn counts_as_the_published_vocabulary_does() {
        // The example of OpenAI's cookbook on counting with tiktoken.
        assert_eq!(ESTIMATOR.count("antidisestablishmentarianism"), 6);
        assert_eq!(ESTIMATOR.count("2 + 2 = 4"), 7);
        assert_eq!(ESTIMATOR.count("お誕生日おめでとう"), 8);
    }

    #[test]
    fn a_schema_counts_as_wide_as_it_may_be_written() {
        let schema = json!({"é": "😀"});
        let widest = "{\n  \"\\u00e9\": \"\\ud83d\\ude00\"\n}";
        assert_eq!(schema_bytes(&schema), widest.len() as u64);
    }
}
