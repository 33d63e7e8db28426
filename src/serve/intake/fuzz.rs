//! Bodies of bytes that nobody meant, plain and packed.

use super::*;
use crate::fuzz::{fuzz, reasons};

/// What came of a body that comes in pieces of this size.
fn read(kind: Kind, body: &[u8], gzip: bool, size: usize) -> (Lines, Option<String>) {
    let mut broken = None;
    let mut lines = Lines::new(kind);
    if gzip {
        let mut packed = MultiGzDecoder::new(lines);
        let pieces = body
            .chunks(size)
            .try_for_each(|piece| packed.write_all(piece));
        let whole = pieces.and_then(|()| packed.try_finish());
        broken = whole.err().map(|error| error.to_string());
        lines = std::mem::replace(packed.get_mut(), Lines::new(kind));
    } else {
        body.chunks(size).for_each(|piece| lines.feed(piece));
    }
    if broken.is_none() {
        lines.end();
    }
    (lines, broken)
}

#[test]
fn http_bodies() {
    let text =
        br#"{"home":"h","time":"2026-01-01T00:00:00Z","device":"Light","action":"on","id":"1"}

{"home":"h","time":1767225600,"action":"Light:off"}
{"home":"h","alarm":"2026-01-01T00:00:00Z","fine":true}
{"home":"h","erase":{"from":"2026-01-01T00:00:00Z"}}
{"home":"*","time":"2026-01-01","kind":"season","from":"winter","to":"summer"}"#;
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(text).unwrap();
    let packed = packer.finish().unwrap();
    let words = ["\"home\":", "\"mark\":", "\"erase\":{}", "\n", "\r\n"];
    fuzz(&[text, &packed], &words, |body| {
        let gzip = body.starts_with(&packed[..2]);
        let mut said = Vec::new();
        for kind in [Kind::Event, Kind::Context, Kind::Feedback, Kind::Erasure] {
            let (lines, broken) = read(kind, body, gzip, 1 << 16);
            assert!(lines.open.is_empty() || broken.is_some());
            let (small, also) = read(kind, body, gzip, 7);
            assert_eq!(also.is_some(), broken.is_some());
            // How far a body is unpacked that breaks off depends on its pieces.
            let of_both = small.good.len().min(lines.good.len());
            assert_eq!(small.good[..of_both], lines.good[..of_both]);
            assert!(
                broken.is_some()
                    || (small.good.len(), small.refused_all)
                        == (lines.good.len(), lines.refused_all)
            );
            if !gzip {
                let parts = body.split(|byte| *byte == b'\n');
                let parts = parts.filter(|line| !line.iter().all(u8::is_ascii_whitespace));
                let all = lines.good.len() as u64 + lines.refused_all;
                assert_eq!(all, parts.count() as u64);
            }
            for line in &lines.good {
                assert!(line.len() <= LONGEST_LINE && !line.contains('\n'));
                assert_eq!(taken(kind, line.as_bytes()).as_ref(), Ok(line));
            }
            let refused = lines.refused.iter().map(|refused| refused.reason.clone());
            said.extend(refused.chain(broken));
        }
        reasons(said.iter().map(String::as_str))
    });
}
