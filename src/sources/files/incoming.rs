//! Files of text that somebody else writes, as a live run takes them: their records become lines of a log, under the usual names.

use std::path::Path;

use super::csv_record::CsvRecord;
use super::lines::Lines;
use super::of_path::OfPath;
use super::opened::is_csv;
use super::records::{self, Columns, Format, Record, Scan, Shown};
use super::text::{LONGEST_LINE, Text};
use crate::config::Keys;

/// How such a file is written.
pub(crate) struct Incoming {
    format: Format,
    keys: Keys,
    tells: OfPath,
}

impl Incoming {
    /// By a file's name and, where that does not tell, by its first line: without this it may only be known later. Of CSV that line is
    /// the header.
    ///
    /// # Errors
    /// It is no header of events.
    pub fn of(path: &Path, first: &[u8], keys: &Keys) -> Result<Self, String> {
        let tells = OfPath::read(path, keys);
        let mut header = Text::default();
        let bytes = first.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first);
        header.bytes.extend_from_slice(bytes);
        header.end();
        let begins = header.bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        let is_csv = is_csv(path).unwrap_or(begins != Some(&b'{'));
        let format = match is_csv {
            false => Format::JsonLines,
            true => {
                let columns = Columns::parse(&header, keys, &tells);
                Format::Csv(Some(columns.map_err(|reason| {
                    format!("its header is none of events: {reason}")
                })?))
            }
        };
        Ok(Incoming {
            format,
            keys: keys.clone(),
            tells,
        })
    }

    /// Whether its first line is a header.
    pub fn has_header(&self) -> bool {
        matches!(self.format, Format::Csv(_))
    }

    /// How many of these bytes, which begin with a record and end with a line, are whole records. One that is longer than any may be is
    /// whole.
    pub fn whole(&self, bytes: &[u8]) -> usize {
        let Format::Csv(Some(columns)) = &self.format else {
            return bytes.len();
        };
        let (mut whole, mut at, mut scan) = (0, 0, Scan::FieldStart);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            at += line.len();
            columns.scan(&mut scan, line);
            if scan != Scan::Quoted {
                (whole, scan) = (at, Scan::FieldStart);
            }
        }
        match at - whole > LONGEST_LINE {
            true => at,
            false => whole,
        }
    }

    /// Whole records as lines of a log; what is none as it stands.
    pub fn lines(&self, bytes: Vec<u8>) -> Vec<Vec<u8>> {
        let mut lines = Lines::in_memory(bytes);
        let (mut all, mut text) = (Vec::new(), Text::default());
        // What is in memory can be read.
        while lines.read(&mut text).unwrap_or(false) {
            if text.is_blank() || text.is_mark() {
                continue;
            }
            let line = match &self.format {
                Format::Csv(Some(columns)) => {
                    let record =
                        CsvRecord::complete(std::mem::take(&mut text), &mut lines, columns);
                    let shown = record.fields(columns).map(|fields| self.line(fields));
                    shown.map_or_else(|_| record.text.bytes.clone(), String::into_bytes)
                }
                // Under the usual names, and with all that they need, lines stay as they are.
                _ if self.keys.usual() && self.tells == OfPath::default() => text.bytes.clone(),
                _ => match records::event(&text, &self.keys) {
                    Ok(record) if record.action.0.is_some() => self.line(record).into_bytes(),
                    _ => text.bytes.clone(),
                },
            };
            all.push(line);
        }
        all
    }

    fn line<'a>(&'a self, mut record: Record<'a>) -> String {
        record.fill(&self.tells);
        let Record {
            home,
            time,
            device,
            action,
            id,
            seq,
        } = record;
        let shown = Shown {
            home: home.0,
            time: time.0,
            device: device.0,
            action: action.0,
            id: id.0,
            seq: seq.0,
        };
        shown.line()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(name: &str, keys: &str, text: &str) -> Vec<String> {
        let keys = keys.parse().unwrap();
        let first = text.split_inclusive('\n').next().unwrap();
        let incoming = Incoming::of(Path::new(name), first.as_bytes(), &keys).unwrap();
        let behind = if incoming.has_header() {
            first.len()
        } else {
            0
        };
        let bytes = text.as_bytes()[behind..].to_vec();
        assert_eq!(incoming.whole(&bytes), bytes.len());
        let lines = incoming.lines(bytes).into_iter();
        lines.map(|line| String::from_utf8(line).unwrap()).collect()
    }

    const LINE: &str = r#"{"home":"h","time":"2025-01-01T10:00:00Z","device":"L","action":"on"}"#;

    /// However it is written, an event is the same line.
    #[test]
    fn records_become_lines_under_the_usual_names() {
        for (name, keys, text) in [
            (
                "a.csv",
                "",
                "home,time,device,action\nh,2025-01-01T10:00:00Z,L,on\n",
            ),
            (
                "a.csv",
                "",
                "\u{feff}home;time;device;action\r\nh;2025-01-01T10:00:00Z;L;on\r\n",
            ),
            (
                "a.tsv",
                "",
                "home\ttime\tdevice\taction\nh\t2025-01-01T10:00:00Z\tL\ton\n",
            ),
            (
                "a.txt",
                "",
                "Home,Time,Device,Action\n\"h\",2025-01-01T10:00:00Z,L,on\n",
            ),
            (
                "a.csv",
                "home=h,time=t,device=d,action=a",
                "h,t,d,a\nh,2025-01-01T10:00:00Z,L,on\n",
            ),
            (
                "h.csv",
                "home=",
                "time,device,action\n2025-01-01T10:00:00Z,L,on\n",
            ),
            (
                "h.jsonl",
                "home=,time=t",
                "{\"t\":\"2025-01-01T10:00:00Z\",\"device\":\"L\",\"action\":\"on\",\"note\":1}\n",
            ),
            ("a.jsonl", "", &format!("{LINE}\n\n")),
        ] {
            assert_eq!(lines(name, keys, text), [LINE], "{name} {keys}");
        }
    }

    #[test]
    fn a_record_of_several_lines_is_one_and_waits_for_its_end() {
        let text = "home,time,device,action,seq\nh,0,\"L\n1\",on,4\n";
        let line = r#"{"home":"h","time":"0","device":"L\n1","action":"on","seq":"4"}"#;
        assert_eq!(lines("a.csv", "", text), [line]);
        let keys = Keys::default();
        let incoming = Incoming::of(Path::new("a.csv"), b"home,time,action\n", &keys).unwrap();
        assert_eq!(incoming.whole(b"h,0,L:on\nh,0,\"L\n"), 9);
        let endless = format!("h,0,\"L\n{}\n", "x".repeat(LONGEST_LINE));
        assert_eq!(incoming.whole(endless.as_bytes()), endless.len());
    }

    #[test]
    fn what_is_no_event_stays_as_it_stands() {
        let said = r#"{"home":"h","erase":{}}"#;
        assert_eq!(
            lines("a.jsonl", "time=t", &format!("{said}\n?\n")),
            [said, "?"]
        );
        assert_eq!(lines("a.csv", "", "home,time,action\nbroken\n"), ["broken"]);
        let keys = Keys::default();
        let refused = Incoming::of(Path::new("a.csv"), b"when;where;what\n", &keys);
        assert!(refused.err().unwrap().contains("no column `home`"));
    }
}
