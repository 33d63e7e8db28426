//! What is kept long and looked at seldom, as bytes: numbers take as many as they need.

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserializer, Serializer};

/// Values that know a form of few bytes. It is also what a cut has of them: `#[serde(with = "packing")]`.
pub(crate) trait Packing: Sized {
    /// Equal values are equal bytes.
    fn pack(&self) -> Vec<u8>;

    /// `None`: these bytes make no sense.
    fn unpack(bytes: &[u8]) -> Option<Self>;
}

/// Writes a value in its packed form.
pub(crate) fn serialize<T: Packing, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_bytes(&value.pack())
}

/// Reads a value in its packed form.
pub(crate) fn deserialize<'de, T: Packing, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let bytes = from.deserialize_byte_buf(Bytes)?;
    T::unpack(&bytes).ok_or_else(|| D::Error::custom("packed bytes make no sense"))
}

struct Bytes;

impl<'de> Visitor<'de> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<u8>, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = list.next_element()? {
            bytes.push(byte);
        }
        Ok(bytes)
    }
}

/// Writes a number, seven bits a byte.
pub(crate) fn write_number(mut number: u64, bytes: &mut Vec<u8>) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Reads a number.
pub(crate) fn read_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = *rest.split_off_first()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    Some(number)
}

/// Writes a number that may be below 0: what is near it is short.
pub(crate) fn write_signed(number: i64, bytes: &mut Vec<u8>) {
    write_number((number << 1 ^ number >> 63) as u64, bytes);
}

/// Reads such a number.
pub(crate) fn read_signed(rest: &mut &[u8]) -> Option<i64> {
    let folded = read_number(rest)?;
    Some((folded >> 1) as i64 ^ -((folded & 1) as i64))
}
