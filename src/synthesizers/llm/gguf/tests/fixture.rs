//! Model files made here: tiny, with weights by chance, of every architecture.

use std::collections::BTreeMap;
use std::io::Cursor;

use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use rand::Rng;

use super::*;

pub(super) const ARCHITECTURES: [&str; 3] = ["llama", "qwen2", "qwen3"];

/// Two messages and the answer's beginning, as ChatML writes them.
const CHATML: &str = "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n\
    {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

const WIDTH: usize = 64;
const BETWEEN: usize = 96;
const HEADS: usize = 4;
const SHARED: usize = 2;
const LAYERS: usize = 2;

/// What a file is made of.
#[derive(Clone)]
pub(super) struct Made {
    pub metadata: BTreeMap<String, Value>,
    pub tensors: BTreeMap<String, Tensor>,
}

impl Made {
    /// A model of this architecture. `freely`: its heads are not as wide as its width implies, where it may say so, and its head
    /// is not its embedding; Llama's slow turns are slowed.
    pub fn new(architecture: &str, freely: bool) -> Self {
        let width = match (architecture, freely) {
            ("qwen3", true) => 32,
            _ => WIDTH / HEADS,
        };
        let texts = texts();
        let vocabulary = texts.len();
        let mut metadata = BTreeMap::new();
        let mut set = |key: String, value| metadata.insert(key, value);
        set(
            "general.architecture".into(),
            Value::String(architecture.into()),
        );
        set("general.name".into(), Value::String("made".into()));
        for (key, count) in [
            ("context_length", 512),
            ("embedding_length", WIDTH),
            ("feed_forward_length", BETWEEN),
            ("block_count", LAYERS),
            ("attention.head_count", HEADS),
            ("attention.head_count_kv", SHARED),
            ("attention.key_length", width),
            ("attention.value_length", width),
            ("rope.dimension_count", width),
        ] {
            set(format!("{architecture}.{key}"), Value::U32(count as u32));
        }
        set(
            format!("{architecture}.attention.layer_norm_rms_epsilon"),
            Value::F32(1e-5),
        );
        set(format!("{architecture}.rope.freq_base"), Value::F32(1000.0));
        let list =
            |texts: Vec<String>| Value::Array(texts.into_iter().map(Value::String).collect());
        let kinds = (0..vocabulary).map(|id| Value::I32(if id < 2 { 3 } else { 1 }));
        set("tokenizer.ggml.model".into(), Value::String("gpt2".into()));
        set("tokenizer.ggml.pre".into(), Value::String("smollm".into()));
        set("tokenizer.ggml.tokens".into(), list(texts));
        set(
            "tokenizer.ggml.token_type".into(),
            Value::Array(kinds.collect()),
        );
        set(
            "tokenizer.ggml.merges".into(),
            list(vec!["t h".into(), "th e".into()]),
        );
        set("tokenizer.ggml.eos_token_id".into(), Value::U32(1));
        set("tokenizer.ggml.bos_token_id".into(), Value::U32(0));
        set(
            "tokenizer.chat_template".into(),
            Value::String(CHATML.into()),
        );

        let mut chance = ChaCha8Rng::seed_from_u64(7);
        let mut tensors = BTreeMap::new();
        let mut add = |name: String, shape: &[usize], around: f32, spread: f32| {
            let values: Vec<f32> = (0..shape.iter().product())
                .map(|_| around + spread * chance.random_range(-1.0..1.0))
                .collect();
            tensors.insert(name, Tensor::from_vec(values, shape, &Device::Cpu).unwrap());
        };
        add("token_embd.weight".into(), &[vocabulary, WIDTH], 0.0, 1.0);
        add("output_norm.weight".into(), &[WIDTH], 1.0, 0.5);
        if freely {
            add("output.weight".into(), &[vocabulary, WIDTH], 0.0, 0.5);
        }
        if freely && architecture == "llama" {
            add("rope_freqs.weight".into(), &[width / 2], 4.0, 3.0);
        }
        for layer in 0..LAYERS {
            let name = |part: &str| format!("blk.{layer}.{part}");
            for (part, to) in [("attn_q", HEADS), ("attn_k", SHARED), ("attn_v", SHARED)] {
                add(
                    name(&format!("{part}.weight")),
                    &[to * width, WIDTH],
                    0.0,
                    0.4,
                );
                if architecture == "qwen2" {
                    add(name(&format!("{part}.bias")), &[to * width], 0.0, 0.5);
                }
            }
            if architecture == "qwen3" {
                add(name("attn_q_norm.weight"), &[width], 1.5, 0.5);
                add(name("attn_k_norm.weight"), &[width], 1.5, 0.5);
            }
            add(
                name("attn_output.weight"),
                &[WIDTH, HEADS * width],
                0.0,
                0.4,
            );
            add(name("attn_norm.weight"), &[WIDTH], 1.0, 0.5);
            add(name("ffn_norm.weight"), &[WIDTH], 1.0, 0.5);
            add(name("ffn_gate.weight"), &[BETWEEN, WIDTH], 0.0, 0.3);
            add(name("ffn_up.weight"), &[BETWEEN, WIDTH], 0.0, 0.3);
            add(name("ffn_down.weight"), &[WIDTH, BETWEEN], 0.0, 0.3);
        }
        Made { metadata, tensors }
    }

    /// The file's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let tensors: Vec<(&str, QTensor)> = self
            .tensors
            .iter()
            .map(|(name, tensor)| {
                let tensor = QTensor::quantize(tensor, GgmlDType::F32).unwrap();
                (name.as_str(), tensor)
            })
            .collect();
        let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(n, t)| (*n, t)).collect();
        let metadata: Vec<(&str, &Value)> = self
            .metadata
            .iter()
            .map(|(key, value)| (key.as_str(), value))
            .collect();
        let mut bytes = Cursor::new(Vec::new());
        gguf_file::write(&mut bytes, &metadata, &tensors).unwrap();
        bytes.into_inner()
    }

    pub fn file(&self) -> tempfile::NamedTempFile {
        file_of(&self.bytes())
    }

    pub fn load(&self) -> LocalModel {
        LocalModel::load(self.file().path()).unwrap()
    }
}

pub(super) fn file_of(bytes: &[u8]) -> tempfile::NamedTempFile {
    let file = tempfile::Builder::new().suffix(".gguf").tempfile().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    file
}

/// Two marks, a token for each byte in the letters of byte-level BPE, and what two merges make.
fn texts() -> Vec<String> {
    let plain = |byte: &u8| matches!(byte, b'!'..=b'~' | 0xa1..=0xac | 0xae..=0xff);
    let (letters, others): (Vec<u8>, Vec<u8>) = (0..=u8::MAX).partition(plain);
    let letters = letters.into_iter().map(char::from);
    let others = ('\u{100}'..).take(others.len());
    let bytes = letters.chain(others).map(String::from);
    let marks = ["<|im_start|>", "<|im_end|>"].map(String::from);
    let merged = ["th", "the"].map(String::from);
    marks.into_iter().chain(bytes).chain(merged).collect()
}
