//! What comes over the links of a cluster, of bytes that nobody meant: first words, words and frames.

use timely::communication::networking::MessageHeader;

use super::frames::Frames;
use super::hello::{Answer, Hello, Kind, hear};
use super::{Agreed, Decision, Had, Hosts, Peers, WholeCut};
use crate::fuzz::{fuzz, reasons};
use crate::stop::Stop;

const PROCESSES: usize = 3;
const WORKERS: usize = 2;

#[test]
fn first_words() {
    let traits = vec![("--seed".to_owned(), "7".to_owned())];
    let own = Hello::new(0, PROCESSES, WORKERS, traits.clone());
    let other = Hello::new(1, PROCESSES, WORKERS, traits).on(Kind::Data);
    let refused = Answer::Refused("both are process 1".to_owned());
    let seeds = [
        serde_json::to_vec(&other).unwrap(),
        serde_json::to_vec(&Answer::Welcome).unwrap(),
        serde_json::to_vec(&refused).unwrap(),
    ];
    let seeds: Vec<&[u8]> = seeds.iter().map(Vec::as_slice).collect();
    let words = ["\"process\":", "\"link\":\"Words\"", "--seed", "\n"];
    fuzz(&seeds, &words, |bytes| {
        let answer: Option<Answer> = hear(bytes).unwrap();
        match hear::<Hello>(bytes).unwrap().filter(Hello::is_ours) {
            Some(hello) => match own.refuses(&hello) {
                Some(why) => reasons([why.as_str()]),
                None => {
                    // It has a place among the links, and that is not this process's own.
                    assert!((1..PROCESSES).contains(&hello.process));
                    "one of us".to_owned()
                }
            },
            None => format!("{answer:?}"),
        }
    });
}

#[test]
fn words() {
    let hosts = (0..PROCESSES).map(|process| format!("host:{process}"));
    let hosts = Hosts::new(hosts.collect());
    let cut = WholeCut {
        epochs: 16,
        processes: 3,
        workers: 2,
        life: 5,
        number: 0,
    };
    let had = Had {
        cuts: vec![cut],
        catalogs: 7,
        ..Had::default()
    };
    let seed = br#""Alive"
{"Had":{"complete":false,"cuts":[{"epochs":16,"processes":3,"workers":2,"life":5}],"catalogs":7,"life":5}}
{"Decided":[16,{"cuts":true,"ends":false}]}
"Due"
{"There":16}
{"Open":[16,[4,7,9],5]}
{"Failed":"the disk is full"}
{"Lost":[2,"it closed its links"]}
"Ended"
"Interrupted"
"#;
    let more = [
        "\"Alive\"\n",
        "\"Ended\"\n",
        "{\"There\":16}\n",
        "{\"Open\":[16,[],0]}\n",
        "{\"Lost\":[0,\"\"]}\n",
    ];
    fuzz(&[seed], &more, |bytes| {
        let stop = Stop::default();
        let peers = Peers::new(0, &hosts, (0..PROCESSES).map(|_| None).collect(), &stop);
        // Both others say the same.
        peers.hear(1, bytes);
        peers.hear(2, bytes);
        let fails = stop.failure().is_some() || stop.is_interrupted();
        // Once its part is done, one may go without a word.
        assert!(fails || peers.has_ended(1) && peers.has_ended(2));
        // Nobody is waited for any more, and what is agreed on is of use.
        stop.stop();
        let agreed = peers.agree(had.clone());
        if let Some((Agreed::Cut(agreed), _)) = agreed {
            assert_eq!(agreed, cut, "it is not there");
        }
        let decided = peers.decide(16, Decision::default());
        assert_eq!(decided, Some(Decision::default()));
        let met = peers.meet(16);
        let open = peers.open(16, (vec![5, 5, 5], 7));
        let of_use = |(open, homes): &(Vec<u64>, u64)| open.len() <= 3 && *homes <= 7;
        assert!(open.as_ref().is_none_or(of_use), "{open:?}");
        let failure = stop.failure().unwrap_or_default();
        format!("{} {met} {} {failure}", agreed.is_some(), open.is_some())
    });
}

/// Frames in whatever pieces they come; timely reads them as they are taken for.
#[test]
fn frames() {
    let frame = |target: usize, message: &[u8]| {
        let header = MessageHeader {
            channel: 3,
            source: 0,
            target_lower: target,
            target_upper: target + 1,
            length: message.len(),
            seqno: 9,
        };
        let mut bytes = Vec::new();
        header.write_to(&mut bytes).unwrap();
        bytes.extend_from_slice(message);
        bytes
    };
    let seed = [frame(2, b"some"), frame(3, &[0; 70]), frame(0, b"")].concat();
    fuzz(&[&seed, &seed[..60]], &[], |bytes| {
        let take = |size: usize| {
            let mut frames = Frames::to(WORKERS..2 * WORKERS);
            let taken = bytes.chunks(size).try_for_each(|piece| frames.take(piece));
            (taken, frames.have_ended())
        };
        let (taken, ended) = take(bytes.len().max(1));
        for size in [1, 7, 48] {
            assert_eq!(take(size), (taken, ended), "in pieces of {size}");
        }
        if let Err(why) = taken {
            return why.to_owned();
        }
        let (mut rest, mut last) = (bytes, false);
        while let Some(header) = MessageHeader::try_read(rest) {
            assert!(!last);
            last = header.length == 0;
            let to = header.target_lower..header.target_upper;
            assert!(last || !to.is_empty() && to.start >= WORKERS && to.end <= 2 * WORKERS);
            rest = &rest[header.required_bytes()..];
        }
        assert_eq!(last, ended);
        format!("{ended} {}", rest.is_empty())
    });
}
