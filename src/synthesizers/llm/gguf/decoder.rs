//! The transformer of a model file: the decoder that Llama, Qwen 2 and Qwen 3 share, on candle's quantised products.
//!
//! The three differ in details that are values here (how a position turns a pair of numbers, a bias, a norm of heads). One
//! decoder for all of them gives every call its own memory of keys and values beside weights that all calls read, so
//! calls run side by side, and any context that the model was made for.

use candle_core::quantized::gguf_file::Value;
use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{D, Device, Module, Result, Tensor};
use candle_nn::kv_cache::KvCache;
use candle_nn::ops::{rms_norm, silu, softmax_last_dim};
use candle_nn::rotary_emb::{rope, rope_i};

use super::file::File;

/// Positions by which the memory of a call grows.
const GROWTH: usize = 512;

/// The architectures that are known.
#[derive(Clone, Copy, PartialEq)]
enum Architecture {
    Llama,
    Qwen2,
    Qwen3,
}

impl Architecture {
    const ALL: [(Architecture, &str); 3] = [
        (Architecture::Llama, "llama"),
        (Architecture::Qwen2, "qwen2"),
        (Architecture::Qwen3, "qwen3"),
    ];

    fn of(name: &str) -> std::result::Result<Self, String> {
        let known = Self::ALL.iter().find(|(_, known)| *known == name);
        known.map(|(architecture, _)| *architecture).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|(_, name)| *name).collect();
            format!(
                "its architecture {name:?} is not known; those that are: {}",
                names.join(", ")
            )
        })
    }
}

/// A matrix of the file.
struct Matrix(QMatMul);

impl Matrix {
    fn read(
        file: &mut File,
        name: &str,
        rows: usize,
        columns: usize,
    ) -> std::result::Result<Self, String> {
        let tensor = file.tensor(name, &[rows, columns])?;
        // candle multiplies these kinds number by number; as 8-bit blocks, finer than theirs, they go through vector kernels.
        let tensor = match tensor.dtype() {
            GgmlDType::Q4_1 | GgmlDType::Q5_0 | GgmlDType::Q5_1 => tensor
                .dequantize(&Device::Cpu)
                .and_then(|tensor| QTensor::quantize(&tensor, GgmlDType::Q8_0)),
            _ => Ok(tensor),
        };
        let product = tensor.and_then(QMatMul::from_qtensor);
        Ok(Matrix(product.map_err(sentence)?))
    }

    /// `x` (rows × columns of the matrix) times the matrix, transposed.
    ///
    /// With many rows it pays to unpack the whole matrix for the moment and leave the product to `gemm` (SmolLM2, a prompt
    /// of 975 tokens on one thread: 8.0 CPU s without, 1.9 with), except where candle has packed kernels.
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        const MANY: usize = 16;
        match &self.0 {
            QMatMul::QTensor(matrix) if x.dim(0)? >= MANY && !packed(matrix) => {
                x.matmul(&matrix.dequantize(&Device::Cpu)?.t()?)
            }
            product => product.forward(x),
        }
    }
}

/// Whether candle keeps such a matrix in tiles for the vector units of x86 and Arm.
fn packed(matrix: &QTensor) -> bool {
    let kind = matches!(
        matrix.dtype(),
        GgmlDType::Q4K | GgmlDType::Q6K | GgmlDType::Q8_0
    );
    let fits =
        |(rows, columns): (usize, usize)| rows.is_multiple_of(16) && columns.is_multiple_of(256);
    kind && matrix.shape().dims2().is_ok_and(fits)
}

/// A product with a matrix, and what is added.
struct Linear {
    weight: Matrix,
    bias: Option<Tensor>,
}

impl Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.weight.forward(x)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}

struct Layer {
    attention_norm: Tensor,
    query: Linear,
    key: Linear,
    value: Linear,
    /// Norms of each head's query and key (Qwen 3).
    head_norms: Option<(Tensor, Tensor)>,
    output: Matrix,
    feed_norm: Tensor,
    gate: Matrix,
    up: Matrix,
    down: Matrix,
}

impl Layer {
    fn read(
        file: &mut File,
        architecture: Architecture,
        figures: &Figures,
        layer: usize,
    ) -> std::result::Result<Self, String> {
        let Figures {
            width_in,
            width_between,
            heads,
            shared_heads,
            width,
            ..
        } = *figures;
        let name = |part: &str| format!("blk.{layer}.{part}");
        let mut linear = |part: &str, to: usize| {
            let bias = match architecture {
                Architecture::Qwen2 => Some(vector(file, &name(&format!("{part}.bias")), to)?),
                Architecture::Llama | Architecture::Qwen3 => None,
            };
            let weight = Matrix::read(file, &name(&format!("{part}.weight")), to, width_in)?;
            Ok::<_, String>(Linear { weight, bias })
        };
        let query = linear("attn_q", heads * width)?;
        let key = linear("attn_k", shared_heads * width)?;
        let value = linear("attn_v", shared_heads * width)?;
        let head_norms = match architecture {
            Architecture::Qwen3 => Some((
                vector(file, &name("attn_q_norm.weight"), width)?,
                vector(file, &name("attn_k_norm.weight"), width)?,
            )),
            Architecture::Llama | Architecture::Qwen2 => None,
        };
        Ok(Layer {
            attention_norm: vector(file, &name("attn_norm.weight"), width_in)?,
            query,
            key,
            value,
            head_norms,
            output: Matrix::read(file, &name("attn_output.weight"), width_in, heads * width)?,
            feed_norm: vector(file, &name("ffn_norm.weight"), width_in)?,
            gate: Matrix::read(file, &name("ffn_gate.weight"), width_between, width_in)?,
            up: Matrix::read(file, &name("ffn_up.weight"), width_between, width_in)?,
            down: Matrix::read(file, &name("ffn_down.weight"), width_in, width_between)?,
        })
    }
}

/// The figures of a model file, which all shapes follow from.
struct Figures {
    context: usize,
    layers: usize,
    vocabulary: usize,
    /// Numbers of a token between the layers, and inside their second half.
    width_in: usize,
    width_between: usize,
    heads: usize,
    /// Heads of keys and values.
    shared_heads: usize,
    /// Numbers of a head's keys, of those that are turned, and of its values.
    width: usize,
    turned: usize,
    values: usize,
    /// Of the turns: how much slower each pair turns than the one before.
    base: f64,
    epsilon: f32,
}

impl Figures {
    /// Reads the figures of the architecture that `name` is, and checks that they fit together.
    fn read(file: &File, name: &str) -> std::result::Result<Self, String> {
        let key = |rest: &str| format!("{name}.{rest}");
        let count = |rest: &str| file.count(&key(rest));
        let count_or = |rest: &str, otherwise: usize| match file.value(&key(rest)) {
            Some(_) => count(rest),
            None => Ok(otherwise),
        };
        let context = count("context_length")?;
        let width_in = count("embedding_length")?;
        let width_between = count("feed_forward_length")?;
        let layers = count("block_count")?;
        let heads = count("attention.head_count")?;
        let shared_heads = count_or("attention.head_count_kv", heads)?;
        let width = count_or("attention.key_length", width_in / heads)?;
        let turned = count_or("rope.dimension_count", width)?;
        let values = count_or("attention.value_length", width)?;
        let base = match file.value(&key("rope.freq_base")) {
            Some(_) => file.positive(&key("rope.freq_base"))?,
            None => 10_000.0,
        };
        let epsilon = file.positive(&key("attention.layer_norm_rms_epsilon"))? as f32;
        let vocabulary = match file.value("tokenizer.ggml.tokens") {
            Some(Value::Array(tokens)) => tokens.len(),
            _ => return Err("tokenizer.ggml.tokens is missing".to_owned()),
        };
        if let Some(Value::String(scaling)) = file.value(&key("rope.scaling.type"))
            && scaling != "none"
        {
            return Err(format!(
                "it stretches its positions by {scaling:?}, which is not supported"
            ));
        }
        let figures = Figures {
            context,
            layers,
            vocabulary,
            width_in,
            width_between,
            heads,
            shared_heads,
            width,
            turned,
            values,
            base,
            epsilon,
        };
        figures.check(file.tensors())?;
        Ok(figures)
    }

    fn check(&self, tensors: usize) -> std::result::Result<(), String> {
        let Figures {
            layers,
            width_in,
            heads,
            shared_heads,
            width,
            turned,
            values,
            ..
        } = *self;
        // All that a tensor's shape is made of is a product of these; below 2^24 none of them overflows.
        let factors = [
            width_in,
            self.width_between,
            heads,
            shared_heads,
            width,
            self.vocabulary,
        ];
        let sound = factors.iter().all(|n| *n < 1 << 24)
            && layers <= tensors
            && heads.is_multiple_of(shared_heads)
            && width > 0
            && width.is_multiple_of(2)
            && turned == width
            && values == width;
        if sound {
            return Ok(());
        }
        Err(format!(
            "its figures do not fit together: {layers} layers of width {width_in}, {heads} heads of width {width} \
             ({turned} turned, values {values}), {shared_heads} of keys"
        ))
    }
}

/// Radians by which a step turns each pair of numbers of a head.
fn turns(file: &mut File, figures: &Figures) -> std::result::Result<Vec<f64>, String> {
    let width = figures.width;
    let mut turns: Vec<f64> = (0..width / 2)
        .map(|pair| figures.base.powf(-2.0 * pair as f64 / width as f64))
        .collect();
    if file.has("rope_freqs.weight") {
        // Llama 3.1 and later: slow turns are slower still, so that a longer context fits.
        let factors = vector(file, "rope_freqs.weight", width / 2)?;
        let factors: Vec<f32> = factors.to_vec1().map_err(sentence)?;
        for (turn, factor) in turns.iter_mut().zip(factors) {
            *turn /= f64::from(factor);
        }
    }
    Ok(turns)
}

/// The weights, and what shape they have.
pub(super) struct Decoder {
    embedding: QTensor,
    layers: Vec<Layer>,
    norm: Tensor,
    head: Matrix,
    heads: usize,
    /// Heads of keys and values: each serves as many heads of queries.
    shared_heads: usize,
    /// Numbers of a head.
    width: usize,
    epsilon: f32,
    /// Radians by which a step turns each pair of numbers of a head.
    turns: Vec<f64>,
    /// Whether neighbours are a pair (Llama), or a number and the one half a head away.
    neighbours: bool,
    context: usize,
}

/// The keys and values of one call's tokens so far.
pub(super) struct Memory {
    layers: Vec<KvCache>,
    length: usize,
}

impl Decoder {
    /// Reads the weights. The file must hold what the architecture needs, in the shapes that its figures imply, and nothing
    /// else: a tensor that nobody reads means another model than the one that would run.
    pub fn read(file: &mut File) -> std::result::Result<Self, String> {
        let name = file.text("general.architecture")?.to_owned();
        let architecture = Architecture::of(&name)?;
        let figures = Figures::read(file, &name)?;
        let turns = turns(file, &figures)?;
        let (vocabulary, width_in) = (figures.vocabulary, figures.width_in);
        let embedding = file.tensor("token_embd.weight", &[vocabulary, width_in])?;
        let norm = vector(file, "output_norm.weight", width_in)?;
        // Without a head of its own the embedding serves as the head as well.
        let head = match file.has("output.weight") {
            true => "output.weight",
            false => "token_embd.weight",
        };
        let head = Matrix::read(file, head, vocabulary, width_in)?;
        let layers = (0..figures.layers)
            .map(|layer| Layer::read(file, architecture, &figures, layer))
            .collect::<std::result::Result<_, _>>()?;
        let left: Vec<&str> = file.left().take(3).collect();
        if !left.is_empty() {
            return Err(format!(
                "it is a kind of {name:?} that is not known: nothing here reads its tensors {}",
                left.join(", ")
            ));
        }
        Ok(Decoder {
            embedding,
            layers,
            norm,
            head,
            heads: figures.heads,
            shared_heads: figures.shared_heads,
            width: figures.width,
            epsilon: figures.epsilon,
            turns,
            neighbours: architecture == Architecture::Llama,
            context: figures.context,
        })
    }

    /// Tokens that a call may have in all.
    pub fn context(&self) -> usize {
        self.context
    }

    /// A call's memory, empty.
    pub fn memory(&self) -> Memory {
        let layers = self.layers.iter().map(|_| KvCache::new(1, GROWTH));
        Memory {
            layers: layers.collect(),
            length: 0,
        }
    }

    /// Reads tokens after those in the memory; gives the hidden state after the last of them (1 × width).
    pub fn read_on(&self, tokens: &[u32], memory: &mut Memory) -> Result<Tensor> {
        let (rows, before) = (tokens.len(), memory.length);
        let turn = self.turn(before..before + rows)?;
        let mask = (rows > 1).then(|| mask(rows, before)).transpose()?;
        self.pass(tokens, &turn, mask.as_ref(), memory)?
            .narrow(0, rows - 1, 1)
    }

    /// Reads a text and its `branches`, each of which goes on from its end as if it were the only one: what all share is read once.
    /// Gives the hidden states after the text and after each token of a branch but its last (rows × width), in that order.
    pub fn read_branches(&self, text: &[u32], branches: &[&[u32]]) -> Result<Tensor> {
        let mut tokens = text.to_vec();
        let mut positions: Vec<usize> = (0..text.len()).collect();
        // Which branch a token is of.
        let mut of = vec![None; text.len()];
        let mut kept = vec![text.len() as u32 - 1];
        for (number, branch) in branches.iter().enumerate() {
            for (at, &token) in branch.iter().enumerate().take(branch.len() - 1) {
                kept.push(tokens.len() as u32);
                tokens.push(token);
                positions.push(text.len() + at);
                of.push(Some(number));
            }
        }
        let rows = tokens.len();
        let seen = |row: usize, place: usize| {
            place <= row && (of[place].is_none() || of[place] == of[row])
        };
        let mask = (rows > 1)
            .then(|| mask_where(rows, rows, seen))
            .transpose()?;
        let turn = self.turn(positions)?;
        let mut memory = self.memory();
        let x = self.pass(&tokens, &turn, mask.as_ref(), &mut memory)?;
        x.index_select(&Tensor::new(kept, &Device::Cpu)?, 0)
    }

    /// Reads tokens after those in the memory; gives the hidden states after each (rows × width).
    fn pass(
        &self,
        tokens: &[u32],
        turn: &(Tensor, Tensor),
        mask: Option<&Tensor>,
        memory: &mut Memory,
    ) -> Result<Tensor> {
        let mut x = self
            .embedding
            .embedding(&Tensor::new(tokens, &Device::Cpu)?)?;
        for (layer, cache) in self.layers.iter().zip(&mut memory.layers) {
            let y = rms_norm(&x, &layer.attention_norm, self.epsilon)?;
            x = (x + self.attention(layer, &y, turn, mask, cache)?)?;
            let y = rms_norm(&x, &layer.feed_norm, self.epsilon)?;
            let y = (silu(&layer.gate.forward(&y)?)? * layer.up.forward(&y)?)?;
            x = (x + layer.down.forward(&y)?)?;
        }
        memory.length += tokens.len();
        Ok(x)
    }

    /// How likely each token is to be the next, as logits, one row behind the other.
    pub fn logits(&self, hidden: &Tensor) -> Result<Vec<f32>> {
        let x = rms_norm(&hidden.contiguous()?, &self.norm, self.epsilon)?;
        self.head.forward(&x)?.flatten_all()?.to_vec1()
    }

    /// Cosines and sines of positions, each rows × half a head.
    fn turn(&self, positions: impl IntoIterator<Item = usize>) -> Result<(Tensor, Tensor)> {
        let mut rows = 0;
        let counted = positions.into_iter().inspect(|_| rows += 1);
        let angles =
            counted.flat_map(|position| self.turns.iter().map(move |turn| position as f64 * turn));
        let (sin, cos): (Vec<f32>, Vec<f32>) = angles
            .map(|angle| (angle.sin() as f32, angle.cos() as f32))
            .unzip();
        let shape = (rows, self.turns.len());
        Ok((
            Tensor::from_vec(cos, shape, &Device::Cpu)?,
            Tensor::from_vec(sin, shape, &Device::Cpu)?,
        ))
    }

    /// Rows × width of the layer, in and out.
    fn attention(
        &self,
        layer: &Layer,
        x: &Tensor,
        (cos, sin): &(Tensor, Tensor),
        mask: Option<&Tensor>,
        cache: &mut KvCache,
    ) -> Result<Tensor> {
        let rows = x.dim(0)?;
        // Heads × rows × width of a head.
        let by_head = |x: Tensor, heads: usize, norm: Option<&Tensor>| {
            let mut x = x.reshape((rows, heads, self.width))?;
            if let Some(norm) = norm {
                x = rms_norm(&x, norm, self.epsilon)?;
            }
            x.transpose(0, 1)?.contiguous()
        };
        let turned = |x: Tensor| {
            let x = x.unsqueeze(0)?;
            let rope = if self.neighbours { rope_i } else { rope };
            rope(&x, cos, sin)?.squeeze(0)
        };
        let norms = layer.head_norms.as_ref();
        let query = by_head(layer.query.forward(x)?, self.heads, norms.map(|n| &n.0))?;
        let key = by_head(
            layer.key.forward(x)?,
            self.shared_heads,
            norms.map(|n| &n.1),
        )?;
        let value = by_head(layer.value.forward(x)?, self.shared_heads, None)?;
        let query = (turned(query)? / (self.width as f64).sqrt())?;
        let (keys, values) = cache.append(&turned(key)?, &value)?;

        // The heads that share keys lie side by side: they are rows of one product.
        let sharing = self.heads / self.shared_heads;
        let query = query.reshape((self.shared_heads, sharing * rows, self.width))?;
        let mut weights = query.matmul(&keys.transpose(D::Minus1, D::Minus2)?)?;
        if let Some(mask) = mask {
            let length = keys.dim(1)?;
            let apart = weights.reshape((self.shared_heads, sharing, rows, length))?;
            weights = apart.broadcast_add(mask)?.reshape(weights.shape())?;
        }
        let y = softmax_last_dim(&weights)?.matmul(&values)?;
        let y = y.reshape((self.heads, rows, self.width))?.transpose(0, 1)?;
        layer
            .output
            .forward(&y.reshape((rows, self.heads * self.width))?)
    }
}

/// Nothing looks at what comes after it: rows × all places so far.
fn mask(rows: usize, before: usize) -> Result<Tensor> {
    mask_where(rows, before + rows, |row, place| place <= before + row)
}

/// What looks at what: rows × all places so far.
fn mask_where(rows: usize, length: usize, seen: impl Fn(usize, usize) -> bool) -> Result<Tensor> {
    let mut mask = vec![f32::NEG_INFINITY; rows * length];
    for (at, number) in mask.iter_mut().enumerate() {
        if seen(at / length, at % length) {
            *number = 0.0;
        }
    }
    Tensor::from_vec(mask, (rows, length), &Device::Cpu)
}

fn vector(file: &mut File, name: &str, length: usize) -> std::result::Result<Tensor, String> {
    let tensor = file.tensor(name, &[length])?;
    tensor.dequantize(&Device::Cpu).map_err(sentence)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn sentence(error: candle_core::Error) -> String {
    format!("its tensors cannot be used: {error}")
}
