//! Lists of lists of whole numbers out of Python pickles, and nothing else: no object is built, nothing is run.
//!
//! The reader knows the opcodes that such data needs, in all protocols, and how NumPy writes a whole number: a call of
//! `scalar` with a `dtype` and its bytes. Both names are compared with the only ones that are understood; no other can be
//! called. Lists are kept by reference, so what it needs is proportional to the file, however the file is made; what the
//! result repeats is bounded.

use std::collections::BTreeMap;

/// The most numbers that a result may hold; sharing could make a small file describe far more.
const MAX_NUMBERS: usize = 50_000_000;

#[derive(Clone, Copy)]
enum Item<'a> {
    Number(i64),
    /// Index into the lists built so far.
    List(usize),
    /// Text or bytes, which only a NumPy number may be made of.
    Word(&'a [u8]),
    /// `None`, `True` or `False`, likewise.
    Constant,
    /// A name of NumPy that may be called.
    Name(Name),
    /// What `dtype` gives.
    Whole(Whole),
}

/// The names of NumPy that a whole number needs.
#[derive(Clone, Copy)]
enum Name {
    Scalar,
    Dtype,
}

impl Name {
    fn of(module: &[u8], name: &[u8]) -> Option<Self> {
        match (module, name) {
            // NumPy 2 and those before.
            (b"numpy._core.multiarray" | b"numpy.core.multiarray", b"scalar") => Some(Name::Scalar),
            (b"numpy", b"dtype") => Some(Name::Dtype),
            _ => None,
        }
    }
}

/// A kind of NumPy's whole numbers.
#[derive(Clone, Copy)]
struct Whole {
    signed: bool,
    bytes: usize,
}

impl Whole {
    /// As `dtype` is told: `i8`, `u2` …
    fn named(name: &[u8]) -> Option<Self> {
        let [sign @ (b'i' | b'u'), bytes @ (b'1' | b'2' | b'4' | b'8')] = *name else {
            return None;
        };
        Some(Whole {
            signed: sign == b'i',
            bytes: usize::from(bytes - b'0'),
        })
    }

    /// A number from its bytes, the lowest first.
    fn number(self, bytes: &[u8]) -> Option<i64> {
        let highest = *bytes.last().filter(|_| bytes.len() == self.bytes)?;
        let negative = self.signed && highest & 0x80 != 0;
        let mut eight = [if negative { 0xff } else { 0 }; 8];
        eight.get_mut(..bytes.len())?.copy_from_slice(bytes);
        let number = i64::from_le_bytes(eight);
        (negative == (number < 0)).then_some(number)
    }
}

const OBJECTS: &str = "it holds Python objects other than whole numbers of NumPy, which are not read; store plain lists of \
                       whole numbers";

/// Reads a pickled `[[int, ...], ...]` (tuples count as lists).
///
/// # Errors
/// What is wrong with the file, in half a sentence with the byte where it shows.
pub(super) fn sequences(bytes: &[u8]) -> Result<Vec<Vec<i64>>, String> {
    let mut machine = Machine {
        bytes,
        at: 0,
        lists: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: BTreeMap::new(),
    };
    let start_of = |at: usize| format!(" (byte {at})");
    let outer = machine.run().map_err(|what| what + &start_of(machine.at))?;
    let mut numbers = 0;
    let mut out = Vec::with_capacity(machine.lists[outer].len());
    for item in &machine.lists[outer] {
        let Item::List(inner) = *item else {
            return Err("it is a list of numbers, not of sequences".into());
        };
        let inner = &machine.lists[inner];
        numbers += inner.len();
        if numbers > MAX_NUMBERS {
            return Err(format!("it describes more than {MAX_NUMBERS} numbers"));
        }
        let sequence: Option<Vec<i64>> = inner
            .iter()
            .map(|item| match item {
                Item::Number(number) => Some(*number),
                _ => None,
            })
            .collect();
        out.push(sequence.ok_or("its sequences hold more than whole numbers")?);
    }
    Ok(out)
}

/// Reads a pickled text.
///
/// # Errors
/// It holds something else, or is damaged.
pub(super) fn text(bytes: &[u8]) -> Result<String, String> {
    let mut rest = bytes;
    let mut text = None;
    let truncated = || "it is truncated".to_owned();
    loop {
        let (&opcode, after) = rest.split_first().ok_or_else(truncated)?;
        // How many bytes follow the opcode: as its argument, or as the length of the text behind them.
        let (argument, is_text) = match opcode {
            0x80 => (1, false), // PROTO
            0x95 => (8, false), // FRAME
            0x94 => (0, false), // MEMOIZE
            b'q' => (1, false), // BINPUT
            0x8c => (1, true),  // SHORT_BINUNICODE
            b'X' => (4, true),  // BINUNICODE
            0x8d => (8, true),  // BINUNICODE8
            b'.' => return text.ok_or_else(|| "it holds no text".to_owned()),
            _ => return Err("it holds something other than one text".to_owned()),
        };
        let (head, after) = after.split_at_checked(argument).ok_or_else(truncated)?;
        rest = after;
        if is_text {
            let length = head
                .iter()
                .rev()
                .fold(0u64, |n, &byte| n << 8 | u64::from(byte));
            let length = usize::try_from(length).map_err(|_| truncated())?;
            let (body, after) = after.split_at_checked(length).ok_or_else(truncated)?;
            let body = std::str::from_utf8(body).map_err(|_| "its text is not UTF-8".to_owned())?;
            text = Some(body.to_owned());
            rest = after;
        }
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    lists: Vec<Vec<Item<'a>>>,
    stack: Vec<Item<'a>>,
    /// Heights of the stack at its marks.
    marks: Vec<usize>,
    memo: BTreeMap<u32, Item<'a>>,
}

impl<'a> Machine<'a> {
    /// Runs to the STOP opcode; returns the list on top.
    fn run(&mut self) -> Result<usize, String> {
        loop {
            let [opcode] = self.take()?;
            if opcode == b'.' {
                return match self.stack.pop() {
                    Some(Item::List(list)) => Ok(list),
                    _ => Err("it does not end in a list".into()),
                };
            }
            self.step(opcode)?;
        }
    }

    /// Carries an opcode out, or says why it is refused.
    fn step(&mut self, opcode: u8) -> Result<(), String> {
        match opcode {
            0x80 => _ = self.take::<1>()?, // PROTO
            0x95 => _ = self.take::<8>()?, // FRAME
            b'(' => self.marks.push(self.stack.len()),
            b']' | b')' | b'l' | b't' | 0x85..=0x87 => self.make_list(opcode)?,
            b'a' | b'e' => self.append(opcode)?,
            b'K' | b'M' | b'J' | b'I' | b'L' | 0x8a => {
                let number = self.number(opcode)?;
                self.stack.push(Item::Number(number));
            }
            0x94 | b'q' | b'r' | b'p' => {
                let slot = self.slot(opcode)?;
                self.memoize(slot)?;
            }
            b'h' | b'j' | b'g' => {
                let slot = self.slot(opcode)?;
                self.recall(slot)?;
            }
            b'N' | 0x88 | 0x89 => self.stack.push(Item::Constant), // NONE, NEWTRUE, NEWFALSE
            0x8c | b'C' | b'X' => self.word(opcode)?,
            b'c' | 0x93 => self.global(opcode)?,
            b'R' => self.reduce()?,
            b'b' => self.build()?,
            b'i' | b'o' | 0x81 | 0x92 => return Err(OBJECTS.into()),
            b'U' | b'T' | b'V' | b'S' | b'B' | 0x8d | 0x8e | 0x96 => {
                return Err(
                    "it holds text or objects where sequences of whole numbers are expected".into(),
                );
            }
            _ => {
                return Err(format!(
                    "it holds something other than lists of whole numbers (opcode 0x{opcode:02x})"
                ));
            }
        }
        Ok(())
    }

    /// Makes a list or tuple, empty or of what is on the stack.
    fn make_list(&mut self, opcode: u8) -> Result<(), String> {
        let items = match opcode {
            b'l' | b't' => self.pop_to_mark()?, // LIST, TUPLE
            0x85..=0x87 => self.pop(usize::from(opcode - 0x84))?, // TUPLE1 to TUPLE3
            _ => Vec::new(),                    // EMPTY_LIST, EMPTY_TUPLE
        };
        self.stack.push(Item::List(self.lists.len()));
        self.lists.push(items);
        Ok(())
    }

    /// Appends one item (APPEND) or all to the mark (APPENDS) to the list below them.
    fn append(&mut self, opcode: u8) -> Result<(), String> {
        let items = match opcode {
            b'a' => self.pop(1)?,
            _ => self.pop_to_mark()?,
        };
        match self.stack.last() {
            Some(&Item::List(list)) => {
                self.lists[list].extend_from_slice(&items);
                Ok(())
            }
            _ => Err("it appends to what is no list".into()),
        }
    }

    fn number(&mut self, opcode: u8) -> Result<i64, String> {
        Ok(match opcode {
            b'K' => {
                let [byte] = self.take()?;
                byte.into()
            }
            b'M' => u16::from_le_bytes(self.take()?).into(),
            b'J' => i32::from_le_bytes(self.take()?).into(),
            b'I' | b'L' => {
                let line = self.line()?;
                let number = line.strip_suffix('L').unwrap_or(line).parse();
                number.map_err(|_| "a number is malformed")?
            }
            _ => {
                // LONG1: a little-endian number of so many bytes.
                let [length] = self.take()?;
                self.long(usize::from(length))?
            }
        })
    }

    /// The slot of the memo that an opcode means.
    fn slot(&mut self, opcode: u8) -> Result<u32, String> {
        match opcode {
            0x94 => Ok(self.memo.len() as u32),
            b'q' | b'h' => {
                let [slot] = self.take()?;
                Ok(slot.into())
            }
            b'r' | b'j' => Ok(u32::from_le_bytes(self.take()?)),
            _ => {
                let slot = self.line()?.parse();
                slot.map_err(|_| "a memo slot is malformed".into())
            }
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let taken = self.bytes[self.at..].first_chunk::<N>();
        let taken = taken.ok_or("it is truncated")?;
        self.at += N;
        Ok(*taken)
    }

    /// A text or bytes, which stay where they are.
    fn word(&mut self, opcode: u8) -> Result<(), String> {
        let length = match opcode {
            b'X' => {
                // BINUNICODE
                let length = u32::from_le_bytes(self.take()?);
                usize::try_from(length).unwrap_or(usize::MAX)
            }
            _ => {
                // SHORT_BINUNICODE, SHORT_BINBYTES
                let [length] = self.take()?;
                length.into()
            }
        };
        let word = self.bytes[self.at..].get(..length);
        self.stack.push(Item::Word(word.ok_or("it is truncated")?));
        self.at += length;
        Ok(())
    }

    /// A name of NumPy, on two lines (GLOBAL) or on the stack (STACK_GLOBAL).
    fn global(&mut self, opcode: u8) -> Result<(), String> {
        let name = if opcode == b'c' {
            let (module, name) = (self.line()?, self.line()?);
            Name::of(module.as_bytes(), name.as_bytes())
        } else {
            match self.pop(2)?[..] {
                [Item::Word(module), Item::Word(name)] => Name::of(module, name),
                _ => None,
            }
        };
        self.stack.push(Item::Name(name.ok_or(OBJECTS)?));
        Ok(())
    }

    /// A call.
    fn reduce(&mut self) -> Result<(), String> {
        let [Item::Name(name), Item::List(of)] = self.pop(2)?[..] else {
            return Err(OBJECTS.into());
        };
        let made = self.call(name, of)?;
        self.stack.push(made);
        Ok(())
    }

    /// What a dtype is told afterwards: version, order of bytes, and what has none of structure.
    fn build(&mut self) -> Result<(), String> {
        let [Item::Whole(whole), Item::List(state)] = self.pop(2)?[..] else {
            return Err(OBJECTS.into());
        };
        match self.lists[state][..] {
            [Item::Number(3), Item::Word(b"<" | b"|"), ..] => {}
            _ => return Err("its NumPy numbers are not little-endian".into()),
        }
        self.stack.push(Item::Whole(whole));
        Ok(())
    }

    /// What NumPy would make of these arguments.
    fn call(&self, name: Name, arguments: usize) -> Result<Item<'a>, String> {
        match (name, &self.lists[arguments][..]) {
            // Not aligned, to be copied.
            (Name::Dtype, [Item::Word(kind), Item::Constant, Item::Constant]) => Whole::named(kind)
                .map(Item::Whole)
                .ok_or_else(|| "its NumPy numbers are not whole".into()),
            (Name::Scalar, [Item::Whole(whole), Item::Word(bytes)]) => whole
                .number(bytes)
                .map(Item::Number)
                .ok_or_else(|| "a NumPy number is malformed or too large".into()),
            _ => Err(OBJECTS.into()),
        }
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let rest = &self.bytes[self.at..];
        let end = rest
            .iter()
            .position(|&b| b == b'\n')
            .ok_or("it is truncated")?;
        self.at += end + 1;
        std::str::from_utf8(&rest[..end]).map_err(|_| "a number is malformed".into())
    }

    fn long(&mut self, length: usize) -> Result<i64, String> {
        let bytes = self.bytes[self.at..]
            .get(..length)
            .ok_or("it is truncated")?;
        self.at += length;
        let (low, high) = bytes.split_at(length.min(8));
        let negative = bytes.last().is_some_and(|b| b & 0x80 != 0);
        let fill = if negative { 0xff } else { 0 };
        let mut eight = [fill; 8];
        eight[..low.len()].copy_from_slice(low);
        let number = i64::from_le_bytes(eight);
        if high.iter().any(|&b| b != fill) || (number < 0) != negative {
            return Err("a number is too large".into());
        }
        Ok(number)
    }

    /// Takes the `n` topmost items; a mark may not lie among them.
    fn pop(&mut self, n: usize) -> Result<Vec<Item<'a>>, String> {
        let floor = self.marks.last().copied().unwrap_or(0);
        let from = self.stack.len().checked_sub(n);
        let from = from.filter(|&from| from >= floor);
        let from = from.ok_or("its stack runs empty")?;
        Ok(self.stack.split_off(from))
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Item<'a>>, String> {
        let mark = self.marks.pop().ok_or("a mark is missing")?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn memoize(&mut self, slot: u32) -> Result<(), String> {
        let item = *self.stack.last().ok_or("its stack runs empty")?;
        self.memo.insert(slot, item);
        Ok(())
    }

    fn recall(&mut self, slot: u32) -> Result<(), String> {
        let item = *self.memo.get(&slot).ok_or("a memo slot is empty")?;
        self.stack.push(item);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// `pickle.dumps([[1, 2], [300, -1], [70000]], protocol)` of CPython 3.11.
    const PROTOCOL_0: &[u8] = b"(lp0\n(lp1\nI1\naI2\naa(lp2\nI300\naI-1\naa(lp3\nI70000\naa.";
    const PROTOCOL_4: &[u8] = b"\x80\x04\x95\x1b\x00\x00\x00\x00\x00\x00\x00]\x94(]\x94(K\x01K\x02e]\x94(M,\x01J\xff\xff\xff\xffe]\x94Jp\x11\x01\x00ae.";

    #[test]
    fn reads_old_and_new_protocols() {
        let expected = vec![vec![1, 2], vec![300, -1], vec![70000]];
        assert_eq!(sequences(PROTOCOL_0), Ok(expected.clone()));
        assert_eq!(sequences(PROTOCOL_4), Ok(expected));
    }

    #[test]
    fn a_truncated_pickle_is_said_to_be_one() {
        for cut in 0..PROTOCOL_4.len() {
            let error = sequences(&PROTOCOL_4[..cut]).unwrap_err();
            assert!(error.starts_with("it is truncated"), "{cut}: {error}");
        }
    }

    #[test]
    fn a_text_is_read_and_anything_else_refused() {
        // `pickle.dumps('hé', protocol)` of CPython 3.11, protocols 2 and 4.
        let (old, new) = (
            &b"\x80\x02X\x03\x00\x00\x00h\xc3\xa9q\x00."[..],
            &b"\x80\x04\x95\x07\x00\x00\x00\x00\x00\x00\x00\x8c\x03h\xc3\xa9\x94."[..],
        );
        assert_eq!(text(old), Ok("hé".to_owned()));
        assert_eq!(text(new), Ok("hé".to_owned()));
        for cut in 0..new.len() {
            assert!(text(&new[..cut]).is_err(), "{cut}");
        }
        assert!(text(PROTOCOL_4).is_err());
        assert!(text(b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.").is_err());
    }

    #[test]
    fn objects_are_refused() {
        // `pickle.dumps(os.system)`-like: a global that a real unpickler would import.
        let error = sequences(b"cposix\nsystem\n(S'true'\ntR.").unwrap_err();
        assert!(error.contains("Python objects"), "{error}");
    }

    /// `pickle.dumps([[np.int64(3), 5], [np.int64(-2)]], protocol)` of NumPy 2.4, protocols 3 and 4.
    const NUMPY_3: &[u8] = b"\x80\x03]q\x00(]q\x01(cnumpy._core.multiarray\nscalar\nq\x02cnumpy\ndtype\nq\x03X\x02\x00\x00\x00i8q\x04\x89\x88\x87q\x05Rq\x06(K\x03X\x01\x00\x00\x00<q\x07NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x08bC\x08\x03\x00\x00\x00\x00\x00\x00\x00q\x09\x86q\x0aRq\x0bK\x05e]q\x0ch\x02h\x06C\x08\xfe\xff\xff\xff\xff\xff\xff\xffq\x0d\x86q\x0eRq\x0fae.";
    const NUMPY: &[u8] = b"\x80\x04\x95\x8a\x00\x00\x00\x00\x00\x00\x00]\x94(]\x94(\x8c\x16numpy._core.multiarray\x94\x8c\x06scalar\x94\x93\x94\x8c\x05numpy\x94\x8c\x05dtype\x94\x93\x94\x8c\x02i8\x94\x89\x88\x87\x94R\x94(K\x03\x8c\x01<\x94NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t\x94bC\x08\x03\x00\x00\x00\x00\x00\x00\x00\x94\x86\x94R\x94K\x05e]\x94h\x04h\x0aC\x08\xfe\xff\xff\xff\xff\xff\xff\xff\x94\x86\x94R\x94ae.";

    /// `NUMPY` with one part of it exchanged, wherever it stands.
    fn exchanged(old: &[u8], new: &[u8]) -> Vec<u8> {
        let at = NUMPY.windows(old.len()).position(|window| window == old);
        let at = at.expect("it stands there");
        [&NUMPY[..at], new, &NUMPY[at + old.len()..]].concat()
    }

    #[test]
    fn whole_numbers_of_numpy_are_read() {
        assert_eq!(sequences(NUMPY), Ok(vec![vec![3, 5], vec![-2]]));
        assert_eq!(sequences(NUMPY_3), Ok(vec![vec![3, 5], vec![-2]]));
        // The name before NumPy 2.
        let older = exchanged(b"\x16numpy._core", b"\x15numpy.core");
        assert_eq!(sequences(&older), Ok(vec![vec![3, 5], vec![-2]]));
        for cut in 0..NUMPY.len() {
            let error = sequences(&NUMPY[..cut]).unwrap_err();
            assert!(error.starts_with("it is truncated"), "{cut}: {error}");
        }
    }

    #[test]
    fn kinds_of_whole_numbers_are_read_as_wide_as_they_are() {
        let of =
            |kind: &[u8], bytes: &[u8]| Whole::named(kind).and_then(|whole| whole.number(bytes));
        assert_eq!(of(b"i1", &[0xff]), Some(-1));
        assert_eq!(of(b"u1", &[0xff]), Some(255));
        assert_eq!(of(b"i2", &[0x00, 0x80]), Some(-32_768));
        assert_eq!(of(b"u4", &[0xff; 4]), Some(u32::MAX.into()));
        assert_eq!(of(b"i8", &i64::MIN.to_le_bytes()), Some(i64::MIN));
        // Too large, too short, and no whole numbers.
        assert_eq!(of(b"u8", &[0xff; 8]), None);
        assert_eq!(of(b"i8", &[0; 4]), None);
        assert_eq!(of(b"i4", &[]), None);
        for kind in [&b"f8"[..], b"i3", b"O8", b"i", b"i80", b""] {
            assert!(Whole::named(kind).is_none(), "{kind:?}");
        }
    }

    #[test]
    fn nothing_else_of_numpy_is_read() {
        for (old, new, word) in [
            (
                &b"\x06scalar"[..],
                &b"\x0c_reconstruct"[..],
                "Python objects",
            ),
            (b"\x05dtype", b"\x05array", "Python objects"),
            (b"\x05numpy\x94", b"\x05posix\x94", "Python objects"),
            (b"\x02i8", b"\x02f8", "not whole"),
            (b"\x02i8", b"\x02O8", "not whole"),
            (b"\x01<", b"\x01>", "little-endian"),
            (b"C\x08\x03\0\0\0\0\0\0\0", b"C\x04\x03\0\0\0", "malformed"),
            // A number where a name is called, and a text left among the numbers.
            (b"h\x04h\x0a", b"K\x04h\x0a", "Python objects"),
            (b"K\x05e", b"\x8c\x01ae", "more than whole numbers"),
        ] {
            let error = sequences(&exchanged(old, new)).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }

    #[test]
    fn sharing_cannot_blow_up() {
        // One list of 65,536 zeros, named 65,536 times: 4 billion numbers in 200 kB.
        let mut bomb = b"](]q\x00(".to_vec();
        bomb.extend(b"K\x00".repeat(65_536));
        bomb.extend(b"e");
        bomb.extend(b"h\x00".repeat(65_536));
        bomb.extend(b"e.");
        assert!(sequences(&bomb).unwrap_err().contains("more than"));
        // A list that holds itself, and one nested a million deep.
        assert!(sequences(b"]q\x00h\x00a.").is_err());
        let mut deep = b"]".repeat(1_000_000);
        deep.extend(b"a".repeat(999_999));
        deep.extend(b".");
        assert!(sequences(&deep).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b"]()ae.K\x00ltq\x94\x85hj\x8c\x93RbCNc"[..])], 0..200)) {
            let _ = sequences(&bytes);
        }

        #[test]
        fn damaged_numbers_of_numpy_are_read_or_refused(at in 0..NUMPY.len(), byte: u8) {
            let mut bytes = NUMPY.to_vec();
            bytes[at] = byte;
            let _ = sequences(&bytes);
        }
    }
}
