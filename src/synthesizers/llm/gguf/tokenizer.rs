//! Text into tokens and back, by the vocabulary and merges of a model file: byte-level BPE, as llama.cpp does it.
//!
//! How a text is first cut into words is not in the file; the file names the way (`tokenizer.ggml.pre`), and a wrong one gives
//! tokens that the model has rarely seen. So a name that is not known is an error, not a guess.

use candle_core::quantized::gguf_file::Value;
use tokenizers::decoders::byte_level::ByteLevel;
use tokenizers::models::bpe::{BPE, Vocab};
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::{PreTokenizerWrapper, SplitDelimiterBehavior};

use super::file::{File, whole};

/// Words as GPT-2 cuts them.
const GPT2: &str = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";
/// A digit.
const DIGIT: &str = r"\p{N}";
/// Words as Llama 3 cuts them: up to three digits together.
const LLAMA3: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// Words as Qwen cuts them: each digit alone.
const QWEN2: &str = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// A way to cut a text into words before BPE.
struct Words {
    names: &'static [&'static str],
    /// Each cuts what the one before it left.
    patterns: &'static [&'static str],
    /// A word that is a token is that token, whatever the merges say; and a text begins with the first token.
    llama3: bool,
}

const WORDS: [Words; 4] = [
    Words {
        names: &["gpt-2"],
        patterns: &[GPT2],
        llama3: false,
    },
    Words {
        names: &["smollm"],
        patterns: &[DIGIT, GPT2],
        llama3: false,
    },
    Words {
        names: &["llama-bpe", "llama3", "llama-v3"],
        patterns: &[LLAMA3],
        llama3: true,
    },
    Words {
        names: &["qwen2"],
        patterns: &[QWEN2],
        llama3: false,
    },
];

/// What a token is, by `tokenizer.ggml.token_type`.
mod kind {
    pub const UNKNOWN: usize = 2;
    pub const CONTROL: usize = 3;
    pub const USER_DEFINED: usize = 4;
}

/// Control tokens that end an answer, besides those that the file names so: many files name one of several.
const ENDS: [&str; 8] = [
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end_of_text|>",
    "<|endoftext|>",
    "<|end|>",
    "<end_of_turn>",
    "</s>",
];

/// The tokenizer of a model file.
pub(super) struct Tokenizer {
    words: tokenizers::Tokenizer,
    /// Tokens that a text holds as they are, before it is cut into words; the longest first.
    specials: Vec<Special>,
    /// The token that every text begins with, if the model wants one.
    first: Option<u32>,
    ends: Vec<u32>,
    /// The texts of the first and the last token, for templates that write them.
    pub bos: String,
    pub eos: String,
}

struct Special {
    text: String,
    id: u32,
    /// A mark of the chat's form (whose turn it is, where it ends), which no message may write itself.
    control: bool,
}

/// How the file's tokenizer cuts words.
fn cutting(file: &File) -> Result<&'static Words, String> {
    let model = file.text("tokenizer.ggml.model")?;
    if model != "gpt2" {
        return Err(format!(
            "its tokenizer kind {model:?} is not supported; only \"gpt2\" (byte-level BPE) is"
        ));
    }
    let name = file.text("tokenizer.ggml.pre")?;
    let words = WORDS.iter().find(|words| words.names.contains(&name));
    words.ok_or_else(|| {
        let names: Vec<&str> = WORDS
            .iter()
            .flat_map(|words| words.names)
            .copied()
            .collect();
        format!(
            "its tokenizer cuts words as {name:?}, which is not known; known are {}",
            names.join(", ")
        )
    })
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// Tokens that a text holds as they are, the longest first.
fn specials(file: &File, texts: &[String]) -> Result<Vec<Special>, String> {
    let kinds = file.list("tokenizer.ggml.token_type", "a list of kinds", whole)?;
    if texts.len() != kinds.len() {
        return Err(format!(
            "it has {} tokens and kinds for {}",
            texts.len(),
            kinds.len()
        ));
    }
    let mut specials: Vec<Special> = (0..)
        .zip(texts.iter().zip(&kinds))
        .filter(|(_, (text, kind))| {
            !text.is_empty() && [kind::UNKNOWN, kind::CONTROL, kind::USER_DEFINED].contains(kind)
        })
        .map(|(id, (text, kind))| Special {
            text: text.clone(),
            id,
            control: *kind != kind::USER_DEFINED,
        })
        .collect();
    specials.sort_by_key(|special| std::cmp::Reverse(special.text.len()));
    Ok(specials)
}

/// Byte-level BPE with the file's vocabulary and merges.
fn byte_pairs(
    file: &File,
    words: &Words,
    texts: &[String],
) -> Result<tokenizers::Tokenizer, String> {
    let merges = file.list("tokenizer.ggml.merges", "a list of pairs", text)?;
    let vocabulary: Vocab = (0..)
        .zip(texts)
        .map(|(id, text)| (text.clone(), id))
        .collect();
    if vocabulary.len() != texts.len() {
        return Err("two of its tokens are the same text".to_owned());
    }
    // A merge of what are no tokens, or into none, never happens.
    let merges = merges
        .iter()
        .filter_map(|pair| pair.split_once(' '))
        .filter(|(a, b)| {
            [*a, b, &format!("{a}{b}")]
                .iter()
                .all(|text| vocabulary.contains_key(*text))
        })
        .map(|(a, b)| (a.to_owned(), b.to_owned()));
    let bpe = BPE::builder()
        .vocab_and_merges(vocabulary.clone(), merges.collect::<Vec<_>>())
        .ignore_merges(words.llama3)
        .build();
    let failed = |error| format!("its tokenizer cannot be built: {error}");
    let mut steps = Vec::<PreTokenizerWrapper>::new();
    for pattern in words.patterns {
        let pattern = SplitPattern::Regex((*pattern).to_owned());
        let split = Split::new(pattern, SplitDelimiterBehavior::Isolated, false);
        steps.push(split.map_err(failed)?.into());
    }
    steps.push(ByteLevel::new(false, false, false).into());
    let mut tokenizer = tokenizers::Tokenizer::new(bpe.map_err(failed)?);
    tokenizer.with_pre_tokenizer(Some(Sequence::new(steps)));
    tokenizer.with_decoder(Some(ByteLevel::new(false, false, false)));
    Ok(tokenizer)
}

impl Tokenizer {
    pub fn read(file: &File) -> Result<Self, String> {
        let words = cutting(file)?;
        let texts = file.list("tokenizer.ggml.tokens", "a list of texts", text)?;
        let specials = specials(file, &texts)?;
        let tokenizer = byte_pairs(file, words, &texts)?;
        let named = |key: &str| {
            let id = file
                .value(&format!("tokenizer.ggml.{key}_token_id"))
                .and_then(whole);
            id.and_then(|id| Some((u32::try_from(id).ok()?, texts.get(id)?)))
        };
        let begins = match file.value("tokenizer.ggml.add_bos_token") {
            Some(Value::Bool(begins)) => *begins,
            _ => words.llama3,
        };
        let bos = named("bos");
        let eos = named("eos");
        let mut ends: Vec<u32> = [eos, named("eot"), named("eom")]
            .iter()
            .flatten()
            .map(|(id, _)| *id)
            .collect();
        let by_text = specials
            .iter()
            .filter(|special| ENDS.contains(&special.text.as_str()));
        ends.extend(by_text.map(|special| special.id));
        if ends.is_empty() {
            return Err("it names no token that ends an answer".to_owned());
        }
        let text = |token: Option<(u32, &String)>| token.map_or_else(String::new, |t| t.1.clone());
        Ok(Tokenizer {
            words: tokenizer,
            specials,
            first: bos.filter(|_| begins).map(|(id, _)| id),
            ends,
            bos: text(bos),
            eos: text(eos),
        })
    }

    /// Whether the token is the one that every text begins with.
    pub fn begins(&self, token: u32) -> bool {
        self.first == Some(token)
    }

    /// Whether the token ends an answer.
    pub fn ends(&self, token: u32) -> bool {
        self.ends.contains(&token)
    }

    /// The tokens of a whole conversation, beginning as the model wants it. Every `guard` goes without a trace, but it has kept
    /// what it stood in from being a special token.
    pub fn encode(&self, text: &str, guard: char) -> Result<Vec<u32>, String> {
        let mut tokens = Vec::new();
        for piece in self.pieces(text) {
            match piece {
                Piece::Token(id) => tokens.push(id),
                Piece::Text(text) => self.encode_words(&text.replace(guard, ""), &mut tokens)?,
            }
        }
        if let Some(first) = self.first
            && tokens.first() != Some(&first)
        {
            tokens.insert(0, first);
        }
        Ok(tokens)
    }

    /// The message with `guard` inside everything that would be a control token: what a person writes stays what they say.
    pub fn guarded(&self, message: &str, guard: char) -> String {
        let mut message = message.to_owned();
        for special in self.specials.iter().filter(|special| special.control) {
            let mut chars = special.text.chars();
            if let Some(first) = chars.next()
                && message.contains(&special.text)
            {
                let parted = format!("{first}{guard}{}", chars.as_str());
                message = message.replace(&special.text, &parted);
            }
        }
        message
    }

    /// The text of tokens; control tokens have none.
    pub fn decode(&self, tokens: &[u32]) -> Result<String, String> {
        let control = |id: &u32| self.specials.iter().any(|s| s.control && s.id == *id);
        let tokens: Vec<u32> = tokens.iter().copied().filter(|id| !control(id)).collect();
        let text = self.words.decode(&tokens, false);
        text.map_err(|error| format!("an answer's tokens are no text: {error}"))
    }

    fn encode_words(&self, text: &str, tokens: &mut Vec<u32>) -> Result<(), String> {
        let encoding = self.words.encode_fast(text, false);
        let encoding = encoding.map_err(|error| format!("a text has no tokens: {error}"))?;
        tokens.extend(encoding.get_ids());
        Ok(())
    }

    /// The special tokens of a text, and the texts between them. A longer special token comes before a shorter one.
    fn pieces<'a>(&self, text: &'a str) -> Vec<Piece<'a>> {
        let mut pieces = vec![Piece::Text(text)];
        for special in &self.specials {
            if !text.contains(&special.text) {
                continue;
            }
            let mut finer = Vec::new();
            for piece in pieces {
                let Piece::Text(text) = piece else {
                    finer.push(piece);
                    continue;
                };
                for (i, between) in text.split(&special.text).enumerate() {
                    if i > 0 {
                        finer.push(Piece::Token(special.id));
                    }
                    if !between.is_empty() {
                        finer.push(Piece::Text(between));
                    }
                }
            }
            pieces = finer;
        }
        pieces
    }
}

/// A part of a text.
enum Piece<'a> {
    Token(u32),
    Text(&'a str),
}
