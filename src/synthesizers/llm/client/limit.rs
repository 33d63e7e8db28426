//! How many tokens a server allows an answer, by the words with which it turned down that more were asked for.

/// Words that say that something is too much.
const TOO_MUCH: [&str; 9] = [
    "too large",
    "too high",
    "too big",
    "at most",
    "maximum",
    "less than or equal",
    "range",
    "exceed",
    "<=",
];

/// Words that name the context window, which holds the prompt and the answer.
const WINDOW: [&str; 4] = [
    "context length",
    "context window",
    "context size",
    "max_model_len",
];

/// Words behind the number of the prompt's tokens.
const OF_PROMPT: [&str; 5] = [
    "input",
    "in the messages",
    "prompt",
    "in your prompt",
    "of text",
];

/// The most that is allowed, where the complaint is that `asked` is too much: what is left of the context window, or the largest
/// number below that it names.
pub(super) fn allowed(complaint: &str, asked: u32) -> Option<u32> {
    let text = complaint.to_ascii_lowercase();
    let about = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let numbers = numbers(&text);
    if about(&WINDOW) {
        return left_of_window(&text, &numbers).filter(|left| (1..asked).contains(left));
    }
    if !about(&TOO_MUCH) || !about(&["max_tokens", "max_completion_tokens", "max_new_tokens"]) {
        return None;
    }
    let below = numbers.iter().map(|(_, number)| *number);
    below.filter(|number| (2..asked).contains(number)).max()
}

/// Whether what is allowed depends on how long the prompt is.
pub(super) fn is_of_window(complaint: &str) -> bool {
    let text = complaint.to_ascii_lowercase();
    WINDOW.iter().any(|word| text.contains(word))
}

/// The window without the prompt.
fn left_of_window(text: &str, numbers: &[(usize, u32)]) -> Option<u32> {
    let named = WINDOW.iter().filter_map(|word| text.find(word)).min()?;
    let (_, window) = numbers.iter().find(|(at, _)| *at > named)?;
    let is_prompt = |(at, _): &&(usize, u32)| {
        let behind = text[*at..].trim_start_matches(|c: char| c.is_ascii_digit());
        let behind = behind.trim_start_matches([' ', ',']);
        let behind = behind.strip_prefix("tokens ").unwrap_or(behind);
        OF_PROMPT.iter().any(|word| behind.starts_with(word))
    };
    let (_, prompt) = numbers.iter().find(is_prompt)?;
    window.checked_sub(*prompt)
}

/// Whole numbers that stand alone, and where: the date in a model's name is none.
fn numbers(text: &str) -> Vec<(usize, u32)> {
    let of_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/');
    let mut found = Vec::new();
    let mut at = 0;
    for word in text.split(|c| !of_word(c)) {
        if let Ok(number) = word.parse() {
            found.push((at, number));
        }
        // What parts words is one byte, or more of another alphabet.
        at += word.len();
        at += text[at..].chars().next().map_or(0, char::len_utf8);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the words of OpenAI, DeepSeek, Groq, Anthropic, vLLM (two versions), llama.cpp and others.
    #[test]
    fn what_a_server_allows_is_read_from_its_words() {
        for (asked, complaint, expected) in [
            (
                100_000,
                "max_tokens is too large: 100000. This model supports at most 16384 completion tokens, whereas you provided 100000.",
                Some(16_384),
            ),
            (
                20_000,
                "Invalid max_tokens value, the valid range of max_tokens is [1, 8192] for gpt-4o-2024-08-06",
                Some(8_192),
            ),
            (
                9_000,
                "`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is less than the `context_window`",
                Some(8_192),
            ),
            (
                200_000,
                "max_tokens: 200000 > 128000, which is the maximum allowed number of output tokens for x",
                Some(128_000),
            ),
            (
                4_000,
                "This model's maximum context length is 4097 tokens. However, you requested 5000 tokens (1000 in the messages, 4000 in the completion).",
                Some(3_097),
            ),
            (
                4_000,
                "'max_tokens' or 'max_completion_tokens' is too large: 4000. This model's maximum context length is 2048 tokens and your \
                 request has 1500 input tokens (4000 > 2048 - 1500).",
                Some(548),
            ),
            (
                4_000,
                "This model's maximum context length is 1000 tokens and your request has 1500 input tokens",
                None,
            ),
            (
                4_000,
                "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.",
                None,
            ),
            (4_000, "temperature must be at most 2", None),
            (4_000, "max_tokens is too large", None),
            (
                4_000,
                "größer als 5: max_tokens exceed 100–200 €",
                Some(200),
            ),
        ] {
            assert_eq!(allowed(complaint, asked), expected, "{complaint}");
        }
    }
}
