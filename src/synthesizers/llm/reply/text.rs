//! From a text to the lists in it: JSON, Python's lists and tuples, and what comes close to either.
//!
//! Nothing is refused here. A quote that does not close ends with its line, a bracket that does not close ends with the
//! text, with a Markdown fence or with prose; what was left open is marked, so that it is never taken for whole.

use std::borrow::Cow;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

/// Lists lie at most so deep in each other; what lies deeper is dropped, and the list at the limit is marked.
pub(super) const MAX_LEVELS: usize = 12;

/// A piece of a list.
#[derive(Debug)]
pub(super) enum Value<'a> {
    /// Text or a number.
    Word(Cow<'a, str>),
    /// A list, a tuple, or an object that only wraps lists.
    List(List<'a>),
    /// An object that is a behaviour: weekday, hours, device, action, as far as it has them.
    Behavior([Option<Cow<'a, str>>; 4]),
}

impl Value<'_> {
    /// Lists in lists: 0 for a word, 1 for a list of words or a behaviour, 2 for a list of such, and so on.
    pub fn levels(&self) -> u8 {
        match self {
            Value::Word(_) => 0,
            Value::Behavior(_) => 1,
            Value::List(list) => list.levels,
        }
    }
}

/// A list.
#[derive(Debug)]
pub(super) struct List<'a> {
    pub items: Vec<Value<'a>>,
    /// Its closing bracket is there.
    pub closed: bool,
    /// Something in it lay deeper than [`MAX_LEVELS`].
    pub too_deep: bool,
    /// See [`Value::levels`].
    pub levels: u8,
    /// Where in the text it stands.
    pub span: Range<usize>,
}

/// How an answer is marked as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Mark {
    /// Not at all: brackets in the text.
    None,
    /// `<seq` … `seq>`: the paper's form.
    Paper,
    /// `"sequences": …`: the schema's form.
    Schema,
}

/// Outermost lists with the same mark and no prose between them.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub mark: Mark,
    pub pieces: Vec<Piece<'a>>,
}

/// What stands between an outermost bracket and its end.
#[derive(Debug)]
pub(super) struct Piece<'a> {
    /// A list or a behaviour.
    pub value: Value<'a>,
    /// What it says, whatever its white space and quotes.
    pub fingerprint: u64,
    /// Where in the text it stands.
    pub span: Range<usize>,
}

/// All answers of a text, in its order, and how many characters were looked at.
pub(super) fn answers(text: &str) -> (Vec<Answer<'_>>, u64) {
    let mut reader = Reader {
        text,
        at: 0,
        looks: 0,
    };
    let mut answers: Vec<Answer> = Vec::new();
    // No prose since the last list; `<seq` since the last prose; `seq>` since the last list.
    let (mut adjacent, mut begun, mut ended) = (false, false, false);
    while let Some(c) = reader.peek() {
        if reader.marker("<seq") {
            begun = true;
        } else if reader.marker("seq>") {
            ended = true;
        } else if matches!(c, '[' | '{') {
            let start = reader.at;
            let (value, schema, mut fingerprint) = reader.outermost();
            let before = answers.last().filter(|_| adjacent).map(|a| a.mark);
            let mark = if schema {
                Mark::Schema
            } else if begun || (before == Some(Mark::Paper) && !ended) {
                Mark::Paper
            } else {
                Mark::None
            };
            mark.hash(&mut fingerprint);
            let piece = Piece {
                value,
                fingerprint: fingerprint.finish(),
                span: start..reader.at,
            };
            match answers.last_mut() {
                Some(answer) if before == Some(mark) => answer.pieces.push(piece),
                _ => answers.push(Answer {
                    mark,
                    pieces: vec![piece],
                }),
            }
            (adjacent, begun, ended) = (true, false, false);
        } else {
            if c.is_alphabetic() {
                (adjacent, begun) = (false, false);
            }
            reader.pass(c);
        }
    }
    (answers, reader.looks)
}

/// A bracket that is open.
struct Open<'a> {
    kind: Kind,
    start: usize,
    values: Vec<Value<'a>>,
    /// Of an object: the key of each value.
    keys: Vec<Cow<'a, str>>,
    /// Of an object: the key that waits for its value.
    key: Cow<'a, str>,
    too_deep: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    List,
    Tuple,
    Object,
}

impl<'a> Open<'a> {
    fn new(kind: Kind, start: usize) -> Self {
        Open {
            kind,
            start,
            values: Vec::new(),
            keys: Vec::new(),
            key: Cow::Borrowed(""),
            too_deep: false,
        }
    }

    fn add(&mut self, value: Value<'a>) {
        self.values.push(value);
        if self.kind == Kind::Object {
            self.keys.push(std::mem::take(&mut self.key));
        }
    }

    /// The value that it is, and whether it is an object with `sequences`.
    fn finish(mut self, closed: bool, end: usize) -> (Value<'a>, bool) {
        let key = |key: &Cow<str>| key.trim().to_ascii_lowercase();
        let mut schema = false;
        if self.kind == Kind::Object {
            let sequences = self.keys.iter().position(|k| key(k) == "sequences");
            if let Some(at) = sequences {
                schema = true;
                self.values = vec![self.values.swap_remove(at)];
            } else if self.values.iter().all(|v| matches!(v, Value::Word(_))) {
                let mut fields = [const { None }; 4];
                for (name, value) in self.keys.iter().zip(self.values.drain(..)) {
                    let field = match key(name).as_str() {
                        "weekday" | "day" => 0,
                        "hours" | "hour" | "time" => 1,
                        "device" => 2,
                        "action" => 3,
                        _ => continue,
                    };
                    if let (Value::Word(word), Some(field)) = (value, fields.get_mut(field)) {
                        *field = Some(word);
                    }
                }
                if closed && fields.iter().flatten().count() >= 2 {
                    return (Value::Behavior(fields), false);
                }
            }
            // What else stands beside lists (a number, a title) is no part of them.
            self.values.retain(|v| !matches!(v, Value::Word(_)));
            if let [Value::List(_)] = self.values.as_slice()
                && let Some(only) = self.values.pop()
            {
                return (only, schema);
            }
        }
        let levels = self.values.iter().map(Value::levels);
        let list = List {
            levels: levels.max().unwrap_or(0).saturating_add(1),
            items: self.values,
            closed,
            too_deep: self.too_deep,
            span: self.start..end,
        };
        (Value::List(list), schema)
    }
}

/// What a bracket closes.
fn closed(c: char) -> Option<Kind> {
    match c {
        ']' => Some(Kind::List),
        '}' => Some(Kind::Object),
        ')' => Some(Kind::Tuple),
        _ => None,
    }
}

/// The brackets that are open while a value is read.
#[derive(Default)]
struct Nest<'a> {
    /// From the outermost to the innermost.
    open: Vec<Open<'a>>,
    /// Brackets that are open beyond the deepest level.
    beyond: usize,
    /// The value, once its outermost bracket is closed.
    whole: Option<Value<'a>>,
    holds_sequences: bool,
    fingerprint: DefaultHasher,
}

impl<'a> Nest<'a> {
    fn open(&mut self, kind: Kind, at: usize) {
        if self.open.len() < MAX_LEVELS {
            self.open.push(Open::new(kind, at));
            return;
        }
        self.beyond += 1;
        if let Some(deepest) = self.open.last_mut() {
            deepest.too_deep = true;
        }
    }

    /// Closes the innermost bracket of a kind, if one is open. Brackets inside it that were forgotten end here too.
    fn close(&mut self, kind: Kind, at: usize) {
        if self.beyond > 0 {
            self.beyond -= 1;
            return;
        }
        if self.open.iter().all(|open| open.kind != kind) {
            return;
        }
        while let Some(inner) = self.open.pop() {
            let fits = inner.kind == kind;
            self.end(inner, fits, at);
            if fits {
                break;
            }
        }
    }

    /// Puts a bracket that ends into the one around it.
    fn end(&mut self, inner: Open<'a>, closed: bool, at: usize) {
        let (value, schema) = inner.finish(closed, at);
        self.holds_sequences |= schema;
        match self.open.last_mut() {
            Some(outer) => outer.add(value),
            None => self.whole = Some(value),
        }
    }

    fn finish(mut self, at: usize) -> (Value<'a>, bool, DefaultHasher) {
        while let Some(inner) = self.open.pop() {
            self.end(inner, false, at);
        }
        // A bracket was open when this began, so there is a value.
        let value = self.whole.unwrap_or(Value::Word(Cow::Borrowed("")));
        (value, self.holds_sequences, self.fingerprint)
    }
}

/// Reads on in a text, character by character.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// Characters looked at: the work done.
    looks: u64,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&mut self) -> Option<char> {
        self.looks += 1;
        self.rest().chars().next()
    }

    fn pass(&mut self, c: char) {
        self.at += c.len_utf8();
    }

    /// Passes a marker, if one stands here.
    fn marker(&mut self, marker: &str) -> bool {
        let found = self.at_marker(marker);
        if found {
            self.at += marker.len();
        }
        found
    }

    fn at_marker(&self, marker: &str) -> bool {
        let here = self.rest().get(..marker.len());
        here.is_some_and(|here| here.eq_ignore_ascii_case(marker))
    }

    /// Reads the list or object that begins here. Also says whether it holds `sequences`, and what it says as a hash.
    fn outermost(&mut self) -> (Value<'a>, bool, DefaultHasher) {
        let mut nest = Nest::default();
        while nest.whole.is_none() {
            let empty_line = self.pass_space();
            let Some(c) = self.peek() else { break };
            if let Some(kind) = self.opened(c) {
                nest.open(kind, self.at);
                c.hash(&mut nest.fingerprint);
                self.pass(c);
            } else if let Some(kind) = closed(c) {
                self.pass(c);
                c.hash(&mut nest.fingerprint);
                nest.close(kind, self.at);
            } else if self.breaks_off(c, empty_line) {
                break;
            } else if matches!(c, ',' | ';' | ':' | '<' | '>') {
                self.pass(c);
            } else {
                self.word(c, &mut nest);
            }
        }
        nest.finish(self.at)
    }

    /// What a bracket opens.
    fn opened(&self, c: char) -> Option<Kind> {
        match c {
            '[' => Some(Kind::List),
            '{' => Some(Kind::Object),
            '(' if !self.bare_hours() => Some(Kind::Tuple),
            _ => None,
        }
    }

    /// Whether what stands here is no part of a list that was not closed.
    fn breaks_off(&self, c: char, empty_line: bool) -> bool {
        c == '`' && self.rest().starts_with("```")
            || self.at_marker("<seq")
            || self.at_marker("seq>")
            || empty_line && c.is_alphabetic()
    }

    /// Reads a word, which is a key where a colon follows it in an object.
    fn word(&mut self, c: char, nest: &mut Nest<'a>) {
        let in_object = nest.open.last().is_some_and(|o| o.kind == Kind::Object);
        let (word, keep) = match c {
            '"' | '\'' | '“' | '‘' => (self.quoted(c), true),
            _ => {
                let word = self.bare(c, in_object);
                (Cow::Borrowed(word), word.chars().any(char::is_alphanumeric))
            }
        };
        word.hash(&mut nest.fingerprint);
        let is_key = in_object && {
            self.pass_space();
            self.peek() == Some(':')
        };
        match nest.open.last_mut() {
            Some(object) if is_key => object.key = word,
            Some(list) if nest.beyond == 0 && keep => list.add(Value::Word(word)),
            _ => {}
        }
    }

    /// Passes white space and comments; whether an empty line was among it.
    fn pass_space(&mut self) -> bool {
        let (mut lines, mut empty_line) = (0, false);
        while let Some(c) = self.peek() {
            if c == '#' || c == '/' && self.rest().starts_with("//") {
                while let Some(c) = self.peek().filter(|&c| c != '\n') {
                    self.pass(c);
                }
            } else if c.is_whitespace() {
                lines += usize::from(c == '\n');
                empty_line |= lines > 1;
                self.pass(c);
            } else {
                break;
            }
        }
        empty_line
    }

    /// Whether `(6~9)` stands here without quotes, rather than a tuple.
    fn bare_hours(&self) -> bool {
        let after = self.rest().chars().skip(1).take(16);
        let mut end = after.skip_while(|&c| c.is_ascii_digit() || "~-–—: ".contains(c));
        end.next() == Some(')')
    }

    /// A word without quotes: to the end of the line, or to what ends a value.
    fn bare(&mut self, first: char, in_object: bool) -> &'a str {
        let start = self.at;
        self.pass(first);
        let mut parenthesis = first == '(';
        while let Some(c) = self.peek() {
            match c {
                ',' | '[' | ']' | '{' | '}' | '<' | '>' | '\n' => break,
                ':' if in_object => break,
                '(' => parenthesis = true,
                ')' if !parenthesis => break,
                ')' => parenthesis = false,
                _ => {}
            }
            self.pass(c);
        }
        self.text.get(start..self.at).unwrap_or_default().trim_end()
    }

    /// A word in quotes. Its quote closes where a value can end, so that an apostrophe inside does no harm.
    fn quoted(&mut self, quote: char) -> Cow<'a, str> {
        let close = match quote {
            '“' => '”',
            '‘' => '’',
            same => same,
        };
        self.pass(quote);
        let start = self.at;
        // With escapes: what was read before `from`, unescaped.
        let (mut unescaped, mut from) = (String::new(), start);
        let end = loop {
            let Some(c) = self.peek() else { break self.at };
            if c == '\n' {
                // It was never closed: brackets and commas at the end of the line are no part of it.
                let line = self.text.get(from..self.at).unwrap_or_default();
                let word = line.trim_end_matches(|c: char| {
                    c.is_whitespace() || matches!(c, ',' | ']' | '}' | ')')
                });
                self.at = from + word.len();
                break self.at;
            }
            if c == close && self.can_end_after(c) {
                let end = self.at;
                self.pass(c);
                break end;
            }
            if c == '\\'
                && let Some((character, length)) = escaped(self.rest())
            {
                unescaped.push_str(self.text.get(from..self.at).unwrap_or_default());
                unescaped.push(character);
                self.at += length;
                from = self.at;
            } else {
                self.pass(c);
            }
        };
        let last = self.text.get(from..end).unwrap_or_default();
        if from == start {
            Cow::Borrowed(last)
        } else {
            unescaped.push_str(last);
            Cow::Owned(unescaped)
        }
    }

    /// Whether what follows a quote ends a value.
    fn can_end_after(&mut self, quote: char) -> bool {
        let after = self.rest().get(quote.len_utf8()..).unwrap_or_default();
        let next = after.trim_start_matches([' ', '\t', '\r']);
        self.looks += (after.len() - next.len()) as u64;
        let marker = next.get(..4);
        matches!(
            next.chars().next(),
            None | Some('\n' | ',' | ';' | ':' | ']' | '}' | ')')
        ) || marker.is_some_and(|marker| marker.eq_ignore_ascii_case("seq>"))
    }
}

/// The character that an escape at the beginning of `text` stands for, and the escape's length in bytes.
fn escaped(text: &str) -> Option<(char, usize)> {
    let simple = match text.as_bytes().get(1)? {
        b'n' => '\n',
        b't' => '\t',
        b'r' => '\r',
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b @ (b'"' | b'\'' | b'\\' | b'/') => char::from(*b),
        b'u' => {
            let unit = |at: usize| {
                let digits = text.get(at..at + 4)?;
                let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
                u16::from_str_radix(digits, 16).ok().filter(|_| hex)
            };
            let first = unit(2)?;
            let second = text.get(6..8).filter(|&s| s == "\\u").and_then(|_| unit(8));
            let units = [Some(first), second].into_iter().flatten();
            let decoded = char::decode_utf16(units).next()?.ok()?;
            return Some((decoded, if decoded.len_utf16() == 2 { 12 } else { 6 }));
        }
        _ => return None,
    };
    Some((simple, 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value as compact text: `[a,[b]]`, open lists with `…`, behaviours as `<…|…|…|…>`.
    fn show(value: &Value) -> String {
        match value {
            Value::Word(word) => word.to_string(),
            Value::List(list) => {
                let items: Vec<String> = list.items.iter().map(show).collect();
                format!(
                    "[{}{}",
                    items.join(","),
                    if list.closed { "]" } else { "…" }
                )
            }
            Value::Behavior(fields) => {
                let fields = fields.iter().map(|f| f.as_deref().unwrap_or("?"));
                format!("<{}>", fields.collect::<Vec<_>>().join("|"))
            }
        }
    }

    fn read(text: &str) -> Vec<(Mark, Vec<String>)> {
        let (answers, _) = answers(text);
        let pieces = |a: &Answer| a.pieces.iter().map(|p| show(&p.value)).collect();
        answers.iter().map(|a| (a.mark, pieces(a))).collect()
    }

    #[test]
    fn lists_are_found_in_any_text() {
        let one = |mark, list: &str| vec![(mark, vec![list.to_owned()])];
        for (text, list) in [
            (
                r#"see ["a","b\"c","\u00e9\ud83d\ude00"]."#,
                r#"[a,b"c,é😀]"#,
            ),
            ("['it's', 'b' ,\"c's\"]", "[it's,b,c's]"),
            ("[(“a”, ‘b’), (1, null)] # none", "[[a,b],[1,null]]"),
            (
                "[Monday, (6~9), Blind:shade open]",
                "[Monday,(6~9),Blind:shade open]",
            ),
            ("[['a', // first\n 'b'], ...]", "[[a,b]]"),
            // Left open: by the end, by a quote, by the wrong bracket, by prose.
            ("[['a','b'],['c','d", "[[a,b],[c,d……"),
            ("[['a','b],\n['c']]", "[[a,b],[c]]"),
            ("[[('a','b'], 'c']", "[[[a,b…],c]"),
            ("[['a']\n\nThat's ['all']", "[[a]…"),
            (
                r#"{"day":"Mon","time":"6","device":"D","action":"A"}"#,
                "<Mon|6|D|A>",
            ),
            (r#"{"n":1,"rows":[["a"]],"title":"t"}"#, "[[a]]"),
        ] {
            assert_eq!(read(text).first(), one(Mark::None, list).first(), "{text}");
        }
        assert_eq!(
            read("<seq [['a']], [['b']] seq>\n[['c']] and [['d']]"),
            [
                (Mark::Paper, vec!["[[a]]".to_owned(), "[[b]]".to_owned()]),
                (Mark::None, vec!["[[c]]".to_owned()]),
                (Mark::None, vec!["[[d]]".to_owned()]),
            ]
        );
        assert_eq!(
            read(r#"{"note":["x"],"Sequences":[["a"]]}"#),
            one(Mark::Schema, "[[a]]")
        );
    }

    #[test]
    fn fingerprints_tell_content_from_form() {
        let print = |text: &str| answers(text).0[0].pieces[0].fingerprint;
        assert_eq!(print("[['a', 'b']]"), print("[ [\"a\",\n\"b\"] ]"));
        assert_ne!(print("[['a', 'b']]"), print("[['a'], ['b']]"));
        assert_ne!(print("[['a', 'b']]"), print("<seq [['a', 'b']] seq>"));
    }

    #[test]
    fn depth_is_bounded() {
        let text = "[".repeat(100_000) + "'a'" + &"]".repeat(100_000) + " [['b']]";
        let read = read(&text);
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].1[1], "[[b]]");
    }
}
