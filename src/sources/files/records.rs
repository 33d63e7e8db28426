//! Records of an event log before any name is looked up: the fields of a JSON Lines object or a CSV record.

use std::borrow::Cow;

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess};
use serde::{Deserialize, Deserializer, Serialize};

use super::of_path::OfPath;
use super::text::{LONGEST_LINE, Text};
use crate::config::{Key, Keys};

/// The fields of an event as a line gives them. Fields that Hearth does not know are ignored.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Record<'a> {
    pub home: Field<'a>,
    pub time: Field<'a>,
    pub device: Field<'a>,
    pub action: Field<'a>,
    pub id: Field<'a>,
    pub seq: Field<'a>,
}

impl<'a> Record<'a> {
    /// Fills in what it does not say itself, and its file's path does.
    pub fn fill(&mut self, tells: &'a OfPath) {
        for (field, told) in [
            (&mut self.home, &tells.home),
            (&mut self.device, &tells.device),
            (&mut self.action, &tells.action),
        ] {
            if let (None, Some(told)) = (&field.0, told) {
                *field = Field(Some(told.as_str().into()));
            }
        }
    }

    fn field(&mut self, key: Key) -> &mut Field<'a> {
        match key {
            Key::Home => &mut self.home,
            Key::Time => &mut self.time,
            Key::Device => &mut self.device,
            Key::Action => &mut self.action,
            Key::Id => &mut self.id,
            Key::Seq => &mut self.seq,
        }
    }
}

/// Reads a record whose fields are called like this.
struct Called<'k>(&'k Keys);

impl<'de> DeserializeSeed<'de> for Called<'_> {
    type Value = Record<'de>;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Record<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> serde::de::Visitor<'de> for Called<'_> {
    type Value = Record<'de>;
    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an event")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Record<'de>, A::Error> {
        let mut record = Record::default();
        let mut met = [false; Key::COUNT];
        while let Some(Field(name)) = map.next_key()? {
            let name = name.unwrap_or_default();
            match self.0.find(&name) {
                Some(key) if std::mem::replace(&mut met[key as usize], true) => {
                    return Err(A::Error::custom(format!("duplicate field `{name}`")));
                }
                Some(key) => *record.field(key) = map.next_value()?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(record)
    }
}

/// A text field, borrowed from the line where it holds no escapes; `None` where it is missing or `null`. A number and a truth
/// value count as the text that they are written as.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Field<'a>(pub Option<Cow<'a, str>>);

impl<'de: 'a, 'a> Deserialize<'de> for Field<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Field<'de>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a text or a number")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Field(Some(Cow::Borrowed(text))))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Field(Some(Cow::Owned(text.to_owned()))))
            }
            fn visit_unit<E>(self) -> Result<Self::Value, E> {
                Ok(Field(None))
            }
            fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
                Ok(Field(Some(if value { "true" } else { "false" }.into())))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
                Ok(Field(Some(number.to_string().into())))
            }
            fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
                Ok(Field(Some(number.to_string().into())))
            }
            fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
                Ok(Field(Some(number.to_string().into())))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// An event that is shown to somebody as JSON Lines would write it, as far as it is known.
#[derive(Default, Serialize)]
pub(super) struct Shown<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq: Option<Cow<'a, str>>,
}

impl Shown<'_> {
    /// As a line.
    pub fn line(&self) -> String {
        // Texts and nothing else: it cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Reads an event's record from the JSON object that a line holds.
///
/// # Errors
/// What is wrong with the line.
pub(crate) fn event<'a>(line: &'a Text, keys: &Keys) -> Result<Record<'a>, String> {
    match usual(line, keys) {
        Some(record) => Ok(record),
        None => thorough(line, keys),
    }
}

/// The record of a line of the usual form, which says nothing but an event; `None`: it takes a [`thorough`] look.
pub(crate) fn usual<'a>(line: &'a Text, keys: &Keys) -> Option<Record<'a>> {
    if keys.usual() { quick(line) } else { None }
}

/// Any form of JSON.
pub(crate) fn thorough<'a>(line: &'a Text, keys: &Keys) -> Result<Record<'a>, String> {
    object(line, |text| {
        let mut json = serde_json::Deserializer::from_str(text);
        let record = Called(keys).deserialize(&mut json)?;
        json.end().map(|()| record)
    })
}

/// The usual form, the known keys once each with texts that need no unescaping: several times quicker than [`thorough`], which
/// decides wherever this is in doubt (`None`).
fn quick(line: &Text) -> Option<Record<'_>> {
    let text = utf8(line).ok()?;
    // One pass without a branch, so that it is done many bytes at a time.
    let odd = |odd: bool, byte: u8| odd | (byte < b' ') | (byte == b'\\');
    if text.bytes().fold(false, odd) {
        return None;
    }
    let bytes = text.as_bytes();
    let behind = |at: usize| at + bytes[at..].iter().take_while(|byte| **byte == b' ').count();
    let is = |at: usize, byte: u8| (bytes.get(at) == Some(&byte)).then_some(at + 1);
    let mut record = Record::default();
    let mut quotes = Quotes::of(bytes);
    // A text in quotes that comes next, and where it ends.
    let mut quoted = |at: usize| {
        let (open, close) = (quotes.next()?, quotes.next()?);
        (behind(at) == open).then(|| (&text[open + 1..close], close + 1))
    };
    let mut at = is(behind(0), b'{')?;
    loop {
        let (key, end) = quoted(at)?;
        let (value, end) = quoted(is(behind(end), b':')?)?;
        let field = match key {
            "home" => &mut record.home,
            "time" => &mut record.time,
            "device" => &mut record.device,
            "action" => &mut record.action,
            "id" => &mut record.id,
            "seq" => &mut record.seq,
            _ => return None,
        };
        if field.0.replace(Cow::Borrowed(value)).is_some() {
            return None;
        }
        let end = behind(end);
        at = match is(end, b',') {
            Some(next) => next,
            None => {
                let end = behind(is(end, b'}')?);
                return (end == bytes.len()).then_some(record);
            }
        };
    }
}

/// Where the quotes of a text stand, eight bytes at a time.
struct Quotes<'a> {
    bytes: &'a [u8],
    /// Where those begin that are looked at next.
    next: usize,
    /// Of the eight before: the highest bit of each that is one and was not given.
    left: u64,
}

impl<'a> Quotes<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Quotes {
            bytes,
            next: 0,
            left: 0,
        }
    }
}

impl Iterator for Quotes<'_> {
    type Item = usize;
    #[inline]
    fn next(&mut self) -> Option<usize> {
        const EACH: u64 = u64::MAX / 0xff;
        const LOW: u64 = 0x7f * EACH;
        while self.left == 0 {
            let rest = self
                .bytes
                .get(self.next..)
                .filter(|rest| !rest.is_empty())?;
            let mut eight = [0; 8];
            match rest.first_chunk() {
                Some(whole) => eight = *whole,
                None => eight[..rest.len()].copy_from_slice(rest),
            }
            // A byte is none now where it was a quote; adding carries into its highest bit wherever it is some.
            let word = u64::from_le_bytes(eight) ^ (u64::from(b'"') * EACH);
            self.left = !(((word & LOW) + LOW) | word | LOW);
            self.next += 8;
        }
        let place = self.left.trailing_zeros() as usize / 8;
        self.left &= self.left - 1;
        Some(self.next - 8 + place)
    }
}

/// Reads the JSON object that a line holds.
///
/// # Errors
/// What is wrong with the line.
pub(crate) fn json<'a, T: Deserialize<'a>>(line: &'a Text) -> Result<T, String> {
    object(line, serde_json::from_str)
}

fn object<'a, T>(
    line: &'a Text,
    read: impl FnOnce(&'a str) -> serde_json::Result<T>,
) -> Result<T, String> {
    let text = utf8(line)?;
    // Serde would also take an array for a struct.
    if !text.trim_start().starts_with('{') {
        return Err("the line is no JSON object".into());
    }
    read(text).map_err(|error| {
        let column = error.column();
        let message = error.to_string();
        // The position that the message ends with counts lines inside this line.
        let what = message.split(" at line ").next().unwrap_or(&message);
        format!("malformed JSON: {what} (column {column})")
    })
}

/// The line's text, if it is whole and valid.
pub(super) fn utf8(line: &Text) -> Result<&str, String> {
    if line.too_long {
        return Err(format!("the line is longer than {LONGEST_LINE} bytes"));
    }
    std::str::from_utf8(&line.bytes)
        .map_err(|error| format!("invalid UTF-8 at byte {}", error.valid_up_to() + 1))
}

/// How lines of text are written.
#[derive(Clone, Copy)]
pub(super) enum Format {
    JsonLines,
    /// `None`: a CSV file without a header, so without any line.
    Csv(Option<Columns>),
}

/// Where a CSV file keeps each field, as its header says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Columns {
    /// What stands between two fields.
    separator: u8,
    /// `None` where the file's path tells it.
    home: Option<usize>,
    time: usize,
    device: Option<usize>,
    action: usize,
    id: Option<usize>,
    seq: Option<usize>,
    /// How many columns the header has: each record must have as many.
    count: usize,
}

impl Columns {
    /// Reads a header: the names of fields in any order, between commas, semicolons, tabs or bars, whichever makes an event of
    /// it; `id` and `seq` may be missing, `device` where each action is written `Device:action`, and `home` where the path `tells` it.
    /// Other columns are ignored.
    ///
    /// # Errors
    /// The column that is missing or stands twice.
    pub fn parse(header: &Text, keys: &Keys, tells: &OfPath) -> Result<Self, String> {
        let text = utf8(header)?;
        let separators = *b",;\t|";
        let mut all = separators.map(|separator| Self::parted(text, separator, keys, tells));
        let likely = separators.map(|separator| text.matches(char::from(separator)).count());
        let most = (0..all.len()).max_by_key(|&i| (all[i].is_ok(), likely[i], all.len() - i));
        std::mem::replace(&mut all[most.unwrap_or(0)], Err(String::new()))
    }

    fn parted(text: &str, separator: u8, keys: &Keys, tells: &OfPath) -> Result<Self, String> {
        let Some(names) = split(text, separator) else {
            return Err("its quotes do not close".into());
        };
        let find = |key: Key| {
            let name = keys.of(key);
            let called = |i: &usize| names[*i].trim().eq_ignore_ascii_case(name);
            let mut places = (0..names.len()).filter(called);
            match (places.next(), places.next()) {
                (_, Some(_)) => Err(format!("column `{name}` stands in it twice")),
                (place, None) => Ok(place.filter(|_| keys.is(key, name))),
            }
        };
        let need = |key: Key| {
            let names = || names.iter().map(|name| name.trim()).collect::<Vec<_>>();
            let missing = || {
                let (has, name) = (names().join(", "), keys.of(key));
                format!("it has no column `{name}`, but {has}")
            };
            find(key)?.ok_or_else(missing)
        };
        Ok(Columns {
            separator,
            home: match tells.home {
                Some(_) => find(Key::Home)?,
                None => Some(need(Key::Home)?),
            },
            time: need(Key::Time)?,
            device: find(Key::Device)?,
            action: need(Key::Action)?,
            id: find(Key::Id)?,
            seq: find(Key::Seq)?,
            count: names.len(),
        })
    }

    /// Goes on over more of a record.
    pub fn scan(&self, scan: &mut Scan, bytes: &[u8]) {
        scan.over(bytes, self.separator);
    }

    /// The fields of a record whose quotes are in order.
    pub(super) fn fields<'a>(&self, text: &'a str) -> Result<Record<'a>, String> {
        let mut record = Record::default();
        let mut count = 0;
        if text.contains('"') {
            let Some(fields) = split(text, self.separator) else {
                return Err("malformed CSV: a quoted field is not closed".into());
            };
            for field in fields {
                self.put(count, field, &mut record);
                count += 1;
            }
        } else {
            for field in text.split(char::from(self.separator)) {
                self.put(count, Cow::Borrowed(field), &mut record);
                count += 1;
            }
        }
        if count != self.count {
            return Err(format!(
                "malformed CSV: {count} fields where the header has {}",
                self.count
            ));
        }
        Ok(record)
    }

    /// Puts a field where its column belongs.
    fn put<'a>(&self, column: usize, field: Cow<'a, str>, record: &mut Record<'a>) {
        let place = match Some(column) {
            column if column == self.home => &mut record.home,
            column if column == Some(self.time) => &mut record.time,
            column if column == self.device => &mut record.device,
            column if column == Some(self.action) => &mut record.action,
            column if column == self.id => &mut record.id,
            column if column == self.seq => &mut record.seq,
            _ => return,
        };
        *place = Field((!field.is_empty()).then_some(field));
    }
}

/// The fields of a line that is a CSV record by itself, whatever stands around it; `None`: it takes a closer look.
pub(crate) fn unquoted<'a>(line: &'a Text, columns: &Columns) -> Option<Record<'a>> {
    let text = utf8(line).ok()?;
    let odd = |byte: u8| byte == b'"' || byte == b'\0';
    if text.bytes().fold(false, |any, byte| any | odd(byte)) {
        return None;
    }
    columns.fields(text).ok()
}

/// Where in a CSV record a scan stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Scan {
    FieldStart,
    Unquoted,
    Quoted,
    /// After a quote inside a quoted field: its end, or the first half of a doubled quote.
    QuoteInQuoted,
    Broken,
}

impl Scan {
    fn over(&mut self, bytes: &[u8], separator: u8) {
        for &byte in bytes {
            *self = match (*self, byte) {
                (Scan::Broken, _) => return,
                (Scan::FieldStart | Scan::QuoteInQuoted, b'"') => Scan::Quoted,
                (Scan::Quoted, b'"') => Scan::QuoteInQuoted,
                (Scan::Quoted, _) => Scan::Quoted,
                (_, byte) if byte == separator => Scan::FieldStart,
                (Scan::Unquoted, b'"') | (Scan::QuoteInQuoted, _) => Scan::Broken,
                (Scan::FieldStart | Scan::Unquoted, _) => Scan::Unquoted,
            };
        }
    }
}

/// Splits a record whose quotes [`Scan`] found to be in order. `None` where they do not close.
fn split(text: &str, separator: u8) -> Option<Vec<Cow<'_, str>>> {
    if !text.contains('"') {
        let fields = text.split(char::from(separator));
        return Some(fields.map(Cow::Borrowed).collect());
    }
    let mut options = csv::ReaderBuilder::new();
    let mut records = options
        .has_headers(false)
        .delimiter(separator)
        .from_reader(text.as_bytes())
        .into_records();
    let record = records.next()?.ok()?;
    let owned = record.iter().map(|field| Cow::Owned(field.to_owned()));
    records.next().is_none().then(|| owned.collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line() -> impl Strategy<Value = String> {
        let text = "[ -~é\\t]{0,5}";
        let key = prop::sample::select(vec![
            "home", "time", "device", "action", "id", "seq", "note",
        ]);
        let blank = prop::sample::select(vec!["", "", " ", "  ", "\t"]);
        let pair = (key, text, blank.clone(), blank.clone())
            .prop_map(|(key, text, a, b)| format!("{a}\"{key}\"{b}:{a}\"{text}\"{b}"));
        (prop::collection::vec(pair, 0..6), blank, "(.{0,3})?")
            .prop_map(|(pairs, blank, rest)| format!("{blank}{{{}}}{blank}{rest}", pairs.join(",")))
    }

    proptest! {
        /// Wherever the quick reader answers, it answers as serde does.
        #[test]
        fn quick_equals_thorough(line in line()) {
            let text = Text { bytes: line.into_bytes(), ..Text::default() };
            if let Some(record) = quick(&text) {
                prop_assert_eq!(Ok(record), thorough(&text, &Keys::default()));
            }
        }
    }

    #[test]
    fn the_usual_line_is_read_quickly() {
        let line = r#"{"home": "h-1", "time":"2022-08-04T18:30:00Z","action":"Light:on"}"#;
        let text = Text {
            bytes: line.into(),
            ..Text::default()
        };
        assert!(quick(&text).is_some());
    }
}
