//! A GGUF file: what it says of itself, and its tensors, each checked before it is trusted.
//!
//! A model file comes from anywhere. candle checks lengths against the file's; what it does not check is checked here:
//! the header is read within a bound, and a tensor is read only if it has the very shape that the architecture asks for
//! and lies inside the file. So nothing in a file decides alone how much memory is taken.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufReader, Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use candle_core::Device;
use candle_core::quantized::QTensor;
use candle_core::quantized::gguf_file::{Content, Value};

/// Bytes that a header may have: the vocabulary is what makes it large, and the largest in use take a quarter of it.
const HEADER: u64 = 64 << 20;

/// An open model file. Errors are sentences that the file's name goes before.
pub(super) struct File {
    content: Content,
    tensors: BufReader<fs::File>,
    /// Bytes of the whole file.
    length: u64,
    /// Tensors not asked for so far.
    left: BTreeSet<String>,
}

impl File {
    pub fn open(path: &Path) -> Result<Self, String> {
        let cannot = |error: std::io::Error| format!("cannot be read: {error}");
        let mut file = fs::File::open(path).map_err(cannot)?;
        let length = file.metadata().map_err(cannot)?.len();
        let mut header = Vec::new();
        let mut bounded = Read::by_ref(&mut file).take(HEADER);
        bounded.read_to_end(&mut header).map_err(cannot)?;
        // candle divides by the alignment that the file gives, which may be 0.
        let content = catch_unwind(AssertUnwindSafe(|| Content::read(&mut Cursor::new(header))))
            .map_err(|_| "is not a whole GGUF file: its header makes no sense".to_owned())?
            .map_err(|error| format!("is not a whole GGUF file: {error}"))?;
        let left = content.tensor_infos.keys().cloned().collect();
        Ok(File {
            content,
            tensors: BufReader::new(file),
            length,
            left,
        })
    }

    /// The value of a key that may be absent.
    pub fn value(&self, key: &str) -> Option<&Value> {
        self.content.metadata.get(key)
    }

    /// A text that must be there.
    pub fn text(&self, key: &str) -> Result<&str, String> {
        match self.value(key) {
            Some(Value::String(text)) => Ok(text),
            other => Err(wrong(key, "a text", other)),
        }
    }

    /// A whole number that must be there, of at least 1.
    pub fn count(&self, key: &str) -> Result<usize, String> {
        let value = self.value(key);
        match value.and_then(whole) {
            Some(count) if count > 0 => Ok(count),
            _ => Err(wrong(key, "a whole number from 1", value)),
        }
    }

    /// A number that must be there, finite and above 0.
    pub fn positive(&self, key: &str) -> Result<f64, String> {
        let value = match self.value(key) {
            Some(Value::F32(x)) => Some(f64::from(*x)),
            Some(Value::F64(x)) => Some(*x),
            _ => None,
        };
        match value {
            Some(x) if x.is_finite() && x > 0.0 => Ok(x),
            _ => Err(wrong(key, "a number above 0", self.value(key))),
        }
    }

    /// A list that must be there, of what `item` takes.
    pub fn list<'a, T>(
        &'a self,
        key: &str,
        kind: &str,
        item: impl Fn(&'a Value) -> Option<T>,
    ) -> Result<Vec<T>, String> {
        let Some(Value::Array(values)) = self.value(key) else {
            return Err(wrong(key, kind, self.value(key)));
        };
        let items: Option<Vec<T>> = values.iter().map(item).collect();
        items.ok_or_else(|| format!("{key} is not {kind}: it holds something else"))
    }

    /// How many tensors there are.
    pub fn tensors(&self) -> usize {
        self.content.tensor_infos.len()
    }

    /// Whether there is such a tensor.
    pub fn has(&self, name: &str) -> bool {
        self.content.tensor_infos.contains_key(name)
    }

    /// The tensor of this name, which must have this shape (rows first).
    pub fn tensor(&mut self, name: &str, shape: &[usize]) -> Result<QTensor, String> {
        let Some(info) = self.content.tensor_infos.get(name) else {
            return Err(format!("the tensor {name} is missing"));
        };
        if info.shape.dims() != shape {
            return Err(format!(
                "the tensor {name} has the shape {:?} where {shape:?} is right",
                info.shape.dims()
            ));
        }
        let block = info.ggml_dtype.block_size();
        let whole = shape.last().is_some_and(|row| row.is_multiple_of(block));
        let elements = shape.iter().try_fold(1_usize, |n, d| n.checked_mul(*d));
        let bytes = elements.and_then(|n| (n / block).checked_mul(info.ggml_dtype.type_size()));
        let end = bytes
            .and_then(|n| u64::try_from(n).ok())
            .and_then(|n| n.checked_add(info.offset))
            .and_then(|n| n.checked_add(self.content.tensor_data_offset));
        if !whole || end.is_none_or(|end| end > self.length) {
            return Err(format!(
                "the tensor {name} {shape:?} does not lie inside the file of {} bytes: the file is cut or damaged",
                self.length
            ));
        }
        self.left.remove(name);
        self.content
            .tensor(&mut self.tensors, name, &Device::Cpu)
            .map_err(|error| format!("the tensor {name} cannot be read: {error}"))
    }

    /// Tensors that nothing asked for. A model that has some is not the one that was built from the others.
    pub fn left(&self) -> impl Iterator<Item = &str> {
        self.left.iter().map(String::as_str)
    }
}

/// A whole number of any width, if it is one that can count.
pub(super) fn whole(value: &Value) -> Option<usize> {
    match value {
        Value::U8(n) => Some(usize::from(*n)),
        Value::U16(n) => Some(usize::from(*n)),
        Value::U32(n) => usize::try_from(*n).ok(),
        Value::U64(n) => usize::try_from(*n).ok(),
        Value::I8(n) => usize::try_from(*n).ok(),
        Value::I16(n) => usize::try_from(*n).ok(),
        Value::I32(n) => usize::try_from(*n).ok(),
        Value::I64(n) => usize::try_from(*n).ok(),
        _ => None,
    }
}

fn wrong(key: &str, kind: &str, found: Option<&Value>) -> String {
    match found {
        None => format!("{key} is missing"),
        // A text or a list may be long and anything: what kind it is says enough.
        Some(Value::String(_)) => format!("{key} is not {kind} but a text"),
        Some(Value::Array(_)) => format!("{key} is not {kind} but a list"),
        Some(value) => format!("{key} is not {kind}: {value:?}"),
    }
}
