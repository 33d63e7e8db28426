//! Sequences of the SmartGen authors' repository.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hearth_operators::words::{Behavior, ShiftKind, Time};

use super::{data, import, try_import, write};

/// `pickle.dumps(sequences, protocol=2)` for numbers below 256.
fn pickled(sequences: &[Vec<u8>]) -> Vec<u8> {
    let mut out = b"\x80\x02](".to_vec();
    for sequence in sequences {
        out.extend(b"](");
        out.extend(sequence.iter().flat_map(|&n| [b'K', n]));
        out.push(b'e');
    }
    out.extend(b"e.");
    out
}

#[test]
fn sequences_come_back_from_the_calendar() {
    let folder = tempfile::tempdir().unwrap();
    write(
        folder.path(),
        "SmartGen/dictionary.py",
        "xx_devices_dict = {'Light': 0, 'Door': 1}\nxx_actions = {'Light:switch off': 0, 'Light:switch on': 1,\n 'Door:open': 2}\n",
    );
    let winter = [
        vec![6, 7, 0, 1, 6, 7, 1, 2, 0, 0, 0, 0],
        // Closes what the one before it opened, were it placed next.
        vec![0, 3, 0, 0],
        vec![0, 3, 1, 2],
        // No multiple of four, an unknown action; the action of another device, which decides.
        vec![1, 1, 1],
        vec![1, 1, 0, 9],
        vec![1, 1, 0, 2],
    ];
    write(
        folder.path(),
        "SmartGen/IoT_data/xx/winter/trn.pkl",
        pickled(&winter),
    );
    write(
        folder.path(),
        "SmartGen/IoT_data/xx/spring/test.pkl",
        pickled(&[vec![3, 2, 1, 2]]),
    );
    write(
        folder.path(),
        "SmartGen/IoT_data/xx/night/test.pkl",
        b"cnumpy\narray\n.",
    );
    let repository = folder.path().to_str().unwrap();
    let smartgen = [
        "smartgen",
        repository,
        "--dataset",
        "xx",
        "--from",
        "winter",
        "--to",
    ];

    let imported = import(&[&smartgen[..], &["spring"]].concat());
    let [shift] = &imported.shifts[..] else {
        panic!("{:?}", imported.shifts)
    };
    assert_eq!(
        (shift.kind, &*shift.from, &*shift.to),
        (ShiftKind::Season, "winter", "spring")
    );
    assert_eq!(imported.homes.name(shift.home.unwrap()).as_ref(), "xx");
    let read: Vec<_> = imported
        .behaviors
        .iter()
        .map(|b| {
            let (weekday, hours) = b.moment.time.local(0);
            (
                b.id.as_deref().unwrap(),
                [weekday, hours],
                imported.catalog.full_name(b.moment.action),
                b.moment.time > shift.time,
            )
        })
        .collect();
    let is = |id, when, action: &str, after| (id, when, action.to_owned(), after);
    assert_eq!(
        read,
        [
            is("winter/5/0", [1, 1], "Door:open", false),
            is("winter/0/0", [6, 7], "Light:switch on", false),
            is("winter/0/1", [6, 7], "Door:open", false),
            is("winter/0/2", [0, 0], "Light:switch off", false),
            is("winter/2/0", [0, 3], "Door:open", false),
            is("winter/1/0", [0, 3], "Light:switch off", false),
            is("spring/0/0", [3, 2], "Door:open", true),
        ]
    );

    let refused = |to: &[&str]| {
        let error =
            try_import(&[&smartgen[..], to].concat(), &folder.path().join("out")).unwrap_err();
        format!("{error:#}")
    };
    assert!(refused(&["night"]).contains("is no shift"));
    assert!(refused(&["spring", "--to-split", "none"]).contains("check context and split"));
    let other = [
        "smartgen",
        repository,
        "--dataset",
        "xx",
        "--from",
        "night",
        "--from-split",
        "test",
    ];
    let error = format!(
        "{:#}",
        try_import(&other, &folder.path().join("out")).unwrap_err()
    );
    assert!(error.contains("Python objects"), "{error}");
}

/// The authors' data, all three shifts, from their pickles and from the conversion: every sequence comes back exactly, and
/// apart from the others.
#[test]
fn the_authors_data_comes_back_exactly() {
    let (Some(repository), Some(converted)) = (data("smartgen-repo"), data("smartgen")) else {
        return;
    };
    for (from, to, kind) in [
        ("winter", "spring", ShiftKind::Season),
        ("daytime", "night", ShiftKind::Schedule),
        ("single", "multiple", ShiftKind::Occupancy),
    ] {
        for dataset in ["fr", "sp"] {
            let args = |root: &Path| {
                let root = root.to_str().unwrap().to_owned();
                let args = [
                    "smartgen",
                    &root,
                    "--dataset",
                    dataset,
                    "--from",
                    from,
                    "--to",
                    to,
                ];
                import(&args)
            };
            let imported = args(&repository);
            assert_eq!(imported.lines(), args(&converted).lines());
            assert_eq!(imported.shifts[0].kind, kind);
            let mut sequences: BTreeMap<(String, usize), Vec<&Behavior>> = BTreeMap::new();
            for behavior in &imported.behaviors {
                let mut id = behavior.id.as_deref().unwrap().split('/');
                let key = (
                    id.next().unwrap().to_owned(),
                    id.next().unwrap().parse().unwrap(),
                );
                sequences.entry(key).or_default().push(behavior);
            }
            let mut spans = Vec::new();
            for (context, split) in [(from, "trn"), (to, "test")] {
                for (i, expected) in raw(&converted, dataset, context, split).iter().enumerate() {
                    let got = &sequences[&(context.to_owned(), i)];
                    let quadruples: Vec<_> = got
                        .iter()
                        .map(|b| {
                            let q = b.moment.quadruple();
                            (
                                i64::from(q.weekday),
                                i64::from(q.hours),
                                imported.catalog.full_name(q.action),
                            )
                        })
                        .collect();
                    assert_eq!(&quadruples, expected, "{dataset}/{context}/{i}");
                    spans.push((got[0].moment.time.0, got[got.len() - 1].moment.time.0));
                }
            }
            assert_eq!(spans.len(), sequences.len());
            spans.sort_unstable();
            for pair in spans.windows(2) {
                let gap = pair[1].0 - pair[0].1;
                assert!(gap > 33 * Time::HOUR && gap < 10 * Time::DAY);
            }
        }
    }
}

/// The sequences of a file of the conversion, actions by name.
fn raw(root: &Path, dataset: &str, context: &str, split: &str) -> Vec<Vec<(i64, i64, String)>> {
    let folder = root.join(dataset);
    let vocabulary: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("vocab.json")).unwrap()).unwrap();
    let plain = folder.join(format!("raw/{context}.{split}.jsonl"));
    let text = fs::read_to_string(&plain).unwrap_or_else(|_| {
        let packed = fs::File::open(plain.with_extension("jsonl.gz")).unwrap();
        std::io::read_to_string(flate2::read::MultiGzDecoder::new(packed)).unwrap()
    });
    let sequence = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        let quadruples: Vec<[i64; 4]> = serde_json::from_value(line["seq"].clone()).unwrap();
        let named = quadruples.into_iter().map(|[weekday, hours, _, action]| {
            let name = vocabulary["actions"][action.to_string()].as_str().unwrap();
            (weekday, hours, name.to_owned())
        });
        named.collect()
    };
    text.lines().map(sequence).collect()
}
