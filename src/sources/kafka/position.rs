//! How far a partition is read, and by what it is known to be the same.

use rskafka::record::RecordAndOffset;
use serde::{Deserialize, Serialize};

/// How far a partition is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    /// The next message's offset.
    pub next: i64,
    /// The sum of the last message that was read, where it was read: a topic that was made anew has another one there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sum: Option<u32>,
}

/// What a partition holds that was read until a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// It goes on there.
    Same,
    /// So many messages were deleted before they were read.
    Lost(i64),
    /// It is another one.
    Anew,
}

impl Position {
    /// Behind a message.
    pub fn behind(message: &RecordAndOffset) -> Self {
        Position {
            next: message.offset + 1,
            sum: Some(sum(message)),
        }
    }

    /// At an offset of which nothing is known.
    pub fn at(next: i64) -> Self {
        Position { next, sum: None }
    }

    /// What a partition is that holds offsets from `earliest` on, whether it has `ended` before this one, and that holds `last` at
    /// the offset before it, if anything.
    pub fn compare(&self, earliest: i64, ended: bool, last: Option<&RecordAndOffset>) -> Found {
        let other = |message: &RecordAndOffset| {
            message.offset + 1 == self.next && self.sum.is_some_and(|own| own != sum(message))
        };
        if ended || last.is_some_and(other) {
            Found::Anew
        } else if self.next < earliest {
            Found::Lost(earliest - self.next)
        } else {
            Found::Same
        }
    }
}

fn sum(message: &RecordAndOffset) -> u32 {
    let record = &message.record;
    let mut sum = crc32fast::Hasher::new();
    for part in [&record.key, &record.value] {
        let part = part.as_deref().unwrap_or_default();
        sum.update(&(part.len() as u64).to_le_bytes());
        sum.update(part);
    }
    sum.update(&record.timestamp.timestamp_millis().to_le_bytes());
    sum.finalize()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rskafka::chrono::DateTime;
    use rskafka::record::Record;

    use super::*;

    fn message(offset: i64, value: &str) -> RecordAndOffset {
        let record = Record {
            key: None,
            value: Some(value.into()),
            headers: BTreeMap::new(),
            timestamp: DateTime::UNIX_EPOCH,
        };
        RecordAndOffset { record, offset }
    }

    #[test]
    fn a_partition_is_known_by_its_last_message_and_its_ends() {
        let position = Position::behind(&message(9, "a"));
        assert_eq!(position.next, 10);
        let same = message(9, "a");
        let other = message(9, "b");
        for (earliest, ended, last, found) in [
            (0, false, Some(&same), Found::Same),
            (0, false, None, Found::Same),
            (10, false, None, Found::Same),
            (0, false, Some(&other), Found::Anew),
            (0, true, None, Found::Anew),
            (13, false, None, Found::Lost(3)),
            (0, false, Some(&message(11, "b")), Found::Same),
        ] {
            assert_eq!(position.compare(earliest, ended, last), found);
        }
        let unknown = Position::at(10);
        assert_eq!(unknown.compare(0, false, Some(&other)), Found::Same);
        let text = serde_json::to_string(&position).unwrap();
        assert_eq!(serde_json::from_str::<Position>(&text).unwrap(), position);
    }
}
