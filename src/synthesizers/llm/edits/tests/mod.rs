//! What edits promise: on small homes here, by a naive twin in `twin`, on garbage in `garbage`, on the paper's homes in `real`.

use std::sync::Arc;

use hearth_operators::words::{
    Action, ActionId, Catalog, Device, Hints, HomeId, Quadruple, Regime, Request, RequestKey,
    Sequence, Shift, ShiftKey, ShiftKind, Time,
};
use serde_json::{Value, json};

use super::read::Proposed;
use super::*;
use crate::config::Naming;

mod fuzz;
mod garbage;
mod real;
mod twin;

/// Devices with their actions; the second action closes the first.
const DEVICES: [(&str, &[&str]); 5] = [
    ("Heater", &["switch on", "switch off", "setHeatingSetpoint"]),
    ("Fan", &["switch on", "switch off"]),
    ("Blind", &["open", "close"]),
    ("Light", &["switch on", "switch off", "setLevel"]),
    ("Radio: kitchen", &["play"]),
];

fn catalog() -> Arc<Catalog> {
    let device = |(name, actions): (&str, &[&str])| {
        let actions = actions.iter().enumerate().map(|(i, action)| Action {
            closes: match i {
                1 => vec![actions[0].to_owned()],
                _ => Vec::new(),
            },
            ..Action::new(*action)
        });
        Device::new(name, actions.collect())
    };
    Arc::new(Catalog::new(DEVICES.map(device).into()).unwrap())
}

fn editor() -> Editor {
    Editor::new(&Pseudonyms::new(catalog(), Naming::Catalog).unwrap(), 7)
}

/// A behaviour written `hours Device:action` on a weekday.
fn sequence(weekday: u8, behaviors: &[(u8, &str)]) -> Sequence {
    let catalog = catalog();
    let quadruple = |&(hours, name): &(u8, &str)| {
        let (device, action) = name.rsplit_once(':').unwrap();
        Quadruple {
            weekday,
            hours,
            action: catalog.lookup(device, action).unwrap(),
        }
    };
    Sequence(behaviors.iter().map(quadruple).collect())
}

fn request(source: Vec<Sequence>, weekday: u8) -> Request {
    Request {
        key: RequestKey {
            shift: ShiftKey {
                home: HomeId(3),
                regime: 1,
            },
            weekday,
            part: 0,
        },
        parts: 1,
        requests: 7,
        representatives: Vec::new(),
        hints: Arc::new(Hints::default()),
        regime: Arc::new(Regime {
            shift: Shift {
                home: None,
                time: Time(0),
                offset: 0,
                kind: ShiftKind::Season,
                from: "winter".to_owned(),
                to: "summer".to_owned(),
            },
            source,
            target: Vec::new(),
        }),
    }
}

/// Two days of a home.
fn days() -> Vec<Sequence> {
    vec![
        sequence(
            0,
            &[
                (2, "Heater:switch on"),
                (2, "Heater:setHeatingSetpoint"),
                (2, "Light:switch on"),
                (3, "Light:switch off"),
                (5, "Heater:switch off"),
            ],
        ),
        sequence(
            1,
            &[
                (6, "Heater:switch on"),
                (6, "Light:switch on"),
                (7, "Light:switch off"),
                (7, "Heater:switch off"),
            ],
        ),
    ]
}

/// What some edits make of the two days.
fn edited(edits: &Value) -> Result<Edited, String> {
    let reply = json!({"edits": edits}).to_string();
    editor().edit(&request(days(), 0), &reply, &[])
}

#[test]
fn each_edit_does_what_it_says() {
    let on_off = |a: &[(u8, &str)], b: &[(u8, &str)]| vec![sequence(0, a), sequence(1, b)];
    for (edits, expected) in [
        // Closing actions follow; a device is all its actions.
        (
            json!([{"edit": "drop", "what": "Heater"}]),
            on_off(
                &[(2, "Light:switch on"), (3, "Light:switch off")],
                &[(6, "Light:switch on"), (7, "Light:switch off")],
            ),
        ),
        (
            json!([{"edit": "drop", "what": "Light:switch on"}]),
            on_off(
                &[
                    (2, "Heater:switch on"),
                    (2, "Heater:setHeatingSetpoint"),
                    (5, "Heater:switch off"),
                ],
                &[(6, "Heater:switch on"), (7, "Heater:switch off")],
            ),
        ),
        // In some hours; what closes it is replaced with it.
        (
            json!([{"edit": "replace", "action": "Heater:switch on", "by": "Fan:switch on", "hours": ["(18~21)"]}]),
            on_off(
                &[
                    (2, "Heater:switch on"),
                    (2, "Heater:setHeatingSetpoint"),
                    (2, "Light:switch on"),
                    (3, "Light:switch off"),
                    (5, "Heater:switch off"),
                ],
                &[
                    (6, "Fan:switch on"),
                    (6, "Light:switch on"),
                    (7, "Light:switch off"),
                    (7, "Fan:switch off"),
                ],
            ),
        ),
        // Where it has to: after one action, on one day.
        (
            json!([{"edit": "add", "action": "Radio: kitchen:play", "hours": [], "weekdays": ["Tue"], "share": 1,
                    "after": "Light:switch on"}]),
            on_off(
                &[
                    (2, "Heater:switch on"),
                    (2, "Heater:setHeatingSetpoint"),
                    (2, "Light:switch on"),
                    (3, "Light:switch off"),
                    (5, "Heater:switch off"),
                ],
                &[
                    (6, "Heater:switch on"),
                    (6, "Light:switch on"),
                    (6, "Radio: kitchen:play"),
                    (7, "Light:switch off"),
                    (7, "Heater:switch off"),
                ],
            ),
        ),
        // What closes it moves with it, past what lies between.
        (
            json!([{"edit": "move", "what": "Light:switch on", "hours": ["(6~9)"], "by": 3}]),
            on_off(
                &[
                    (2, "Heater:switch on"),
                    (2, "Heater:setHeatingSetpoint"),
                    (5, "Light:switch on"),
                    (5, "Heater:switch off"),
                    (6, "Light:switch off"),
                ],
                &[
                    (6, "Heater:switch on"),
                    (6, "Light:switch on"),
                    (7, "Light:switch off"),
                    (7, "Heater:switch off"),
                ],
            ),
        ),
        // A closing action that moves itself stays behind what it closes.
        (
            json!([{"edit": "move", "what": "Heater:switch off", "by": -7}]),
            on_off(
                &[
                    (2, "Heater:switch on"),
                    (2, "Heater:setHeatingSetpoint"),
                    (2, "Light:switch on"),
                    (2, "Heater:switch off"),
                    (3, "Light:switch off"),
                ],
                &[
                    (6, "Heater:switch on"),
                    (6, "Light:switch on"),
                    (6, "Heater:switch off"),
                    (7, "Light:switch off"),
                ],
            ),
        ),
    ] {
        let edited = edited(&edits).unwrap();
        assert_eq!(edited.refused, Vec::<String>::new(), "{edits}");
        assert_eq!(edited.sequences, expected, "{edits}");
    }
    // Over midnight into the next day.
    let night = edited(&json!([{"edit": "move", "what": "everything", "by": 4}])).unwrap();
    let moved = night.sequences[1].0.iter().map(|q| (q.weekday, q.hours));
    assert_eq!(moved.collect::<Vec<_>>(), [(2, 2), (2, 2), (2, 3), (2, 3)]);
}

#[test]
fn what_cannot_stand_is_refused_with_its_reason() {
    let stands = json!({"edit": "drop", "what": "Light:setLevel"});
    let base = json!({"edit": "move", "what": "Light", "by": 1});
    let add = |field: &str, value: Value| {
        let mut edit =
            json!({"edit": "add", "action": "Fan:switch on", "hours": ["(6~9)"], "share": 0.5});
        edit[field] = value;
        edit
    };
    for (edit, reason) in [
        (stands, "touches nothing"),
        (
            json!({"edit": "drop", "what": "Toaster"}),
            "`Toaster` is no",
        ),
        (
            json!({"edit": "drop", "what": "Fan:explode"}),
            "no such action",
        ),
        (json!({"edit": "drop", "what": "everything"}), "everything"),
        (json!({"edit": "burn", "what": "Fan"}), "unknown variant"),
        (json!({"edit": "drop"}), "missing field `what`"),
        (
            json!({"edit": "drop", "what": "Heater", "hours": ["(6~9)"]}),
            "unknown field",
        ),
        (json!("drop everything"), "invalid type"),
        (
            json!({"edit": "replace", "action": "Light:switch on", "by": "Light:switch on"}),
            "by itself",
        ),
        (add("share", json!(0)), "share 0 is not"),
        (add("share", json!(1.5)), "share 1.5"),
        (add("hours", json!(["noon"])), "`noon` is no three-hour"),
        (add("weekdays", json!(["Funday"])), "no weekday"),
        (add("hours", json!(["(3~6)"])), "nothing happens"),
        (add("weekdays", json!(["Sunday"])), "nothing happens"),
        (
            add("after", json!("Radio: kitchen:play")),
            "`Radio: kitchen:play`, which it is to follow, does not occur",
        ),
        (
            add("action", json!("Heater:switch on")),
            "it is done already",
        ),
        (
            json!({"edit": "move", "what": "Heater", "by": 0}),
            "nothing",
        ),
        (
            json!({"edit": "move", "what": "Heater", "by": 8}),
            "8 buckets",
        ),
        (
            json!({"edit": "move", "what": "Light", "by": -1}),
            "edit 1 moves it",
        ),
    ] {
        let edited = edited(&json!([base, edit])).unwrap();
        assert_eq!(edited.refused.len(), 1, "{edit}");
        let told = &edited.refused[0];
        assert!(
            told.starts_with("edit 2 `") && told.contains(reason),
            "{told}"
        );
    }
}

#[test]
fn edits_that_contradict_each_other_or_end_a_life_are_refused() {
    for (edits, refused) in [
        (
            json!([{"edit": "add", "action": "Fan:switch on", "share": 1}, {"edit": "drop", "what": "Fan"}]),
            "contradicts edit 1, which brings it",
        ),
        (
            json!([{"edit": "drop", "what": "Heater"},
                   {"edit": "add", "action": "Heater:switch on", "share": 1}]),
            "contradicts edit 1, which ends it",
        ),
        (
            json!([{"edit": "drop", "what": "Heater"},
                   {"edit": "replace", "action": "Light:switch on", "by": "Heater:switch on"}]),
            "contradicts edit 1, which ends it",
        ),
        (
            json!([{"edit": "drop", "what": "Heater"}, {"edit": "drop", "what": "Light"}]),
            "would leave 0 of 4 behaviours",
        ),
    ] {
        let edited = edited(&edits).unwrap();
        assert_eq!(edited.refused.len(), 1, "{edits}");
        assert!(edited.refused[0].contains(refused), "{}", edited.refused[0]);
    }
    // What one edit leaves is what the next one sees: here the second still has something to do.
    let both = json!([{"edit": "drop", "what": "Heater:setHeatingSetpoint"}, {"edit": "move", "what": "Heater", "by": 1}]);
    assert!(edited(&both).unwrap().refused.is_empty());
}

#[test]
fn only_so_many_edits_are_taken() {
    let add = |i: usize| json!({"edit": "move", "what": "Heater", "hours": [], "by": i % 7 + 1});
    let edits: Vec<Value> = (0..MAX_EDITS + 5).map(add).collect();
    let edited = edited(&json!(edits)).unwrap();
    // The first stands, the others of those taken say the same again.
    assert_eq!(edited.refused.len(), MAX_EDITS - 1 + 1);
    let last = edited.refused.last().unwrap();
    assert!(last.contains("the other 5 were left out"), "{last}");
}

#[test]
fn a_reply_of_which_nothing_stands_fails_and_one_of_no_edits_changes_nothing() {
    let nothing = edited(&json!([])).unwrap();
    assert_eq!((nothing.sequences, nothing.refused), (days(), Vec::new()));
    let error = edited(&json!([{"edit": "drop", "what": "Fan"}])).unwrap_err();
    assert!(
        error.starts_with("no edit of the answer stands: edit 1 `")
            && error.contains("touches nothing"),
        "{error}"
    );
}

#[test]
fn the_last_list_counts_wherever_it_stands() {
    let example = r#"{"edits":[{"edit":"drop","what":"Light"}]}"#;
    let list = r#"[{"edit":"drop","what":"Heater"}]"#;
    let wanted = edited(&serde_json::from_str(list).unwrap()).unwrap();
    let asked = format!("Answer in this form: {example}");
    for reply in [
        format!(r#"{{"edits":{list}}}"#),
        format!("```json\n{{\"edits\": {list}}}\n```\nThat is all [of it]."),
        format!(
            r#"<think>{example} or {{"edits":[{{"edit":"drop"</think> {{"thoughts":"hot","edits":{list}}}"#
        ),
        format!(r#"{{"answer":{{"edits":{list}}}}} as in {example}"#),
        format!("The edits: {list}"),
        format!(r#"[] [{{"edit":"drop","what":"Fan"}}] {{"edits":{list}}}"#),
    ] {
        let read = editor().edit(&request(days(), 0), &reply, &[&asked]);
        assert_eq!(read.as_ref(), Ok(&wanted), "{reply}");
    }
    for (reply, reason) in [
        ("", "the reply is empty"),
        ("I cannot help.", "no whole list of edits: `I cannot"),
        (
            r#"{"edits":[{"edit":"drop","what":"Heater"}"#,
            "no whole list",
        ),
        (example, "no whole list"),
    ] {
        let error = editor().edit(&request(days(), 0), reply, &[&asked]);
        let error = error.unwrap_err();
        assert!(error.contains(reason), "{error}");
    }
}

/// Names that leave the house come back as the house's own, and never in another form.
#[test]
fn edits_come_in_told_names_and_answers_in_own() {
    let actions = ["switch on", "switch off"].map(Action::new);
    let own = Device::new("Zoë's lamp", actions.into());
    let own = Arc::new(Catalog::new(vec![own]).unwrap());
    let pseudonyms = Pseudonyms::new(own.clone(), Naming::Public).unwrap();
    let editor = Editor::new(&pseudonyms, 7);
    let behavior = |action| Quadruple {
        weekday: 0,
        hours: 2,
        action: ActionId(action),
    };
    let request = request(vec![Sequence(vec![behavior(0), behavior(1)])], 0);
    let reply = r#"{"edits":[{"edit":"drop","what":"lamp 1:switch off"},{"edit":"drop","what":"Zoë's lamp"}]}"#;
    let edited = editor.edit(&request, reply, &[]).unwrap();
    let answer = editor.answer(&request, &edited);
    let left = ["Monday", "(6~9)", "Zoë's lamp", "switch on"].map(str::to_owned);
    assert_eq!(answer[0], Ok(vec![left]));
    assert!(answer[1].as_ref().unwrap_err().starts_with("edit 2"));
    assert_eq!(answer.len(), 2);
}

/// The requests of a shift share the edited past: each of its sequences once, each reason once.
#[test]
fn requests_share_the_edited_past() {
    let source: Vec<Sequence> = (0..70)
        .map(|i: u8| {
            sequence(
                2 + i % 3,
                &[(i % 8, "Light:switch on"), (i % 8, "Fan:switch on")],
            )
        })
        .collect();
    let reply = r#"{"edits":[{"edit":"replace","action":"Fan:switch on","by":"Radio: kitchen:play"},{"edit":"drop","what":"Blind"}]}"#;
    let editor = editor();
    let mut written = Vec::new();
    for weekday in 2..5 {
        let mut request = request(source.clone(), weekday);
        request.parts = 3;
        for part in 0..3 {
            request.key.part = part;
            let edited = editor.edit(&request, reply, &[]).unwrap();
            written.extend(editor.answer(&request, &edited));
        }
    }
    let (told, refused): (Vec<_>, Vec<_>) = written.into_iter().partition(Result::is_ok);
    assert_eq!((told.len(), refused.len()), (70, 1));
    let catalog = catalog();
    let mut told: Vec<_> = told.into_iter().map(Result::unwrap).collect();
    let mut expected: Vec<_> = (0..70)
        .map(|i: u8| {
            let day = [(i % 8, "Light:switch on"), (i % 8, "Radio: kitchen:play")];
            rows(&catalog, &sequence(2 + i % 3, &day))
        })
        .collect();
    told.sort();
    expected.sort();
    assert_eq!(told, expected);
}
