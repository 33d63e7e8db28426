//! What a replay would ask a language model, and what that would cost (`--dry-run`, `--explain`).

use std::collections::HashSet;
use std::fmt;
use std::io::{self, Write};
use std::path::Path;

use super::calls::Calls;
use super::cassette::Cassette;
use super::client::{self, Endpoint};
use super::edits::MAX_EDITS;
use super::ledger::{Money, Prices};
use super::prompt::Prompt;
use super::tokens::{Estimator, ceiling};
use super::{Call, Usage, Writes};
use crate::outputs::read::{each, line};
use crate::outputs::{RequestLine, Stream, grouped, shift_of};

/// Tokens of an edit, about: as the example in the prompt has them.
const EDIT: u64 = 40;

/// Requests, tokens and money.
#[derive(Clone, Debug, Default)]
pub struct Quote {
    /// What the model would write.
    pub writes: Writes,
    /// Requests of the log; where edits are asked for, its shifts.
    pub requests: u64,
    /// Of these, answered by the cassette already.
    pub recorded: u64,
    /// Tokens of the others: about those of the messages, and of answers as long as the sequences given or of as many edits
    /// as are allowed.
    pub about: Usage,
    /// The most that they can have.
    pub most: Usage,
    /// What the one costs.
    pub cost: Money,
    /// What the other costs.
    pub highest: Money,
}

impl Quote {
    /// Adds up the requests in an output folder, and shows each call to `see` with the request's name.
    ///
    /// # Errors
    /// The folder's `requests.jsonl` or a recorded answer cannot be read; `see` fails.
    pub fn of(
        out: &Path,
        calls: &Calls,
        cassette: Option<&Cassette>,
        prices: Prices,
        mut see: impl FnMut(&str, &Call) -> io::Result<()>,
    ) -> anyhow::Result<Self> {
        let estimator = Estimator::new().map_err(anyhow::Error::msg)?;
        let writes = calls.prompts().writes();
        let mut quote = Quote {
            writes,
            ..Quote::default()
        };
        let mut shifts = HashSet::new();
        each(out, Stream::Requests, |text| {
            let request: RequestLine = line(text)?;
            let label = match writes {
                Writes::Sequences => &*request.request,
                Writes::Edits => shift_of(&request.request),
            };
            if writes == Writes::Edits && !shifts.insert(label.to_owned()) {
                return Ok(());
            }
            let home = calls.prompts().home(&request.home);
            let unknown =
                || anyhow::anyhow!("requests.jsonl names an unknown home `{}`", request.home);
            let home = home.ok_or_else(unknown)?;
            let prompt = Prompt {
                system: request.prompt.system,
                user: request.prompt.user,
            };
            let call = calls.call(home, prompt)?;
            quote.requests += 1;
            if let Some(cassette) = cassette
                && cassette.lookup(label, &call)?.is_some()
            {
                quote.recorded += 1;
                return Ok(());
            }
            see(label, &call)?;
            let answer = match writes {
                Writes::Sequences => {
                    estimator.count(&serde_json::to_string(&request.representatives)?)
                }
                Writes::Edits => EDIT * MAX_EDITS as u64,
            };
            let about = Usage {
                input: estimator.estimate(&call).input,
                output: answer.min(u64::from(call.max_tokens)),
            };
            quote.about = quote.about.plus(about);
            quote.most = quote.most.plus(ceiling(&call));
            Ok(())
        })?;
        quote.cost = prices.cost(quote.about);
        quote.highest = prices.cost(quote.most);
        Ok(quote)
    }
}

impl fmt::Display for Quote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Quote {
            writes,
            requests,
            recorded,
            about,
            most,
            cost,
            highest,
        } = self;
        let (asked, long) = match writes {
            Writes::Sequences => ("requests", "as long as the sequences given"),
            Writes::Edits => ("shifts  ", "as long as all edits that are allowed"),
        };
        writeln!(
            f,
            "{asked}           {:>14}  of which {} are recorded already and cost nothing",
            grouped(*requests),
            grouped(*recorded)
        )?;
        writeln!(
            f,
            "tokens of prompts  {:>14}  at most {}",
            grouped(about.input),
            grouped(most.input)
        )?;
        writeln!(
            f,
            "tokens of answers  {:>14}  at most {}; about {long}, if the model does as it is told",
            grouped(about.output),
            grouped(most.output)
        )?;
        write!(
            f,
            "cost               {cost:>14}  at most {highest}, if no call is tried twice"
        )
    }
}

/// Prints a call as it would leave the house: a line that says whose it is and where it would go, then its body, byte for
/// byte, then a blank line. A key goes with it as the header `Authorization`, which is not shown.
///
/// # Errors
/// The output cannot be written.
pub fn explain(
    out: &mut impl Write,
    url: Option<&str>,
    request: &str,
    call: &Call,
) -> io::Result<()> {
    let to = url.and_then(|url| url.parse::<Endpoint>().ok());
    let to = to.map_or("(no --llm-url)".to_owned(), |to| to.to_string());
    let body = client::body(call);
    writeln!(out, "# {request}: POST {to}, {} bytes", body.len())?;
    out.write_all(&body)?;
    out.write_all(b"\n\n")
}
