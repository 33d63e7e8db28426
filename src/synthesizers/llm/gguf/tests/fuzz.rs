//! Model files of bytes that nobody meant: an error or a model, whatever is damaged.

use super::fixture::{ARCHITECTURES, Made, file_of};
use super::*;
use crate::fuzz::{fuzz, reasons};

/// Bytes of a made model in which most of what can go wrong is said.
const HEADER: usize = 8 << 10;

/// The header is mutated; the tensors are those of the architecture that the first byte says.
#[test]
fn gguf() {
    let models = ARCHITECTURES.map(|architecture| Made::new(architecture, true).bytes());
    let seeds = [0, 1, 2].map(|n| [&[n as u8], &models[n][..HEADER]].concat());
    let seeds = seeds.each_ref().map(Vec::as_slice);
    let words = [
        "{% for a in range(99999) %}",
        "{{ messages }}",
        "llama",
        "tokenizer.ggml.tokens",
    ];
    fuzz(&seeds, &words, |bytes| {
        let (first, header) = bytes.split_first().unwrap_or((&0, &[]));
        let model = &models[*first as usize % models.len()];
        let bytes = [header, &model[HEADER..]].concat();
        let loaded = LocalModel::load(file_of(&bytes).path());
        let said = loaded.map_err(|error| error.to_string());
        match said.and_then(|model| {
            model
                .complete(&call("a", "b", 2), GOING)
                .map_err(|e| e.to_string())
        }) {
            Ok(answer) => format!("{:?}", answer.finish),
            Err(error) => reasons([error.as_str()]),
        }
    });
}
