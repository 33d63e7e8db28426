//! What people say on the page: forms, and how they become lines of the inbox.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use hearth_operators::words::{ShiftKind, Time};
use maud::{Markup, html};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::Server;
use super::super::recent::Glance;
use super::day::Day;
use super::frame::trouble;
use super::words::{civil, instant, link, rfc3339, when};
use crate::outputs::Stamp;
use crate::sources::files::{Kind, context_words, taken};

/// What is shown once something was said, by how links name it.
pub(super) const DONE: [(&str, &str); 4] = [
    (
        "fine",
        "Noted. What spoke for this alarm counts half from now on.",
    ),
    (
        "erased",
        "It is being forgotten: what is shown goes as soon as the homes' models have forgotten it, too.",
    ),
    (
        "shift",
        "Declared. Once what was before it is final, Hearth imagines what is to come, and shows it here.",
    ),
    ("mode", "Noted. What happens is learnt all the same."),
];

/// The modes of a home, and how they are told to people.
const MODES: [(&str, &str); 3] = [
    ("away", "Nobody is at home"),
    ("guests", "There are guests"),
    ("home", "Life is as ever"),
];

/// “This was fine.”
pub(super) fn fine(home: &str, alarm: &str, form: &str) -> Markup {
    html! {
        form action="/said/fine" method="post" {
            (hidden(&[("form", form), ("home", home), ("alarm", alarm)]))
            button { "This was fine" }
            p.quiet { "Things like it will be less of an alarm in this home." }
        }
    }
}

/// “Erase this”, of an alarm: what happened in its segment.
pub(super) fn erase_alarm(home: &str, start: Stamp, end: Stamp, form: &str) -> Markup {
    // What is erased ends before `to`.
    let to = Stamp {
        time: Time(end.time.0 + 1),
        ..end
    };
    html! {
        details {
            summary { "Erase this" }
            form action="/said/erase" method="post" {
                (hidden(&[("form", form), ("home", home), ("from", &rfc3339(start)), ("to", &rfc3339(to))]))
                p { "Everything from " (when(start)) " to " (when(end)) " is forgotten: the events, and what was learnt from them. It cannot be undone." }
                (sure())
                button.danger { "Erase this" }
            }
        }
    }
}

/// Erasing of a home: a day, or all.
pub(super) fn erase(home: &str, day: &Option<Day>, form: &str) -> Markup {
    html! {
        p { "What is erased is forgotten with all that was learnt from it, as if it had never come." }
        @if let Some(day) = day {
            details {
                summary { "Erase " (super::words::day(day.date)) }
                form action="/said/erase" method="post" {
                    (hidden(&[("form", form), ("home", home), ("from", &rfc3339(day.from)), ("to", &rfc3339(day.to))]))
                    label for="device" { "Device (none: all)" }
                    input #device name="device" maxlength="256" autocomplete="off";
                    (sure())
                    button.danger { "Erase this day" }
                }
            }
        }
        details {
            summary { "Erase the whole home" }
            form action="/said/erase" method="post" {
                (hidden(&[("form", form), ("home", home)]))
                (sure())
                button.danger { "Erase the whole home" }
            }
        }
    }
}

fn sure() -> Markup {
    html! { p { label { input type="checkbox" name="sure" value="yes" required; " I am sure" } } }
}

/// A shift in words.
pub(super) fn shift(home: &str, glance: &Glance, form: &str) -> Markup {
    let now = newest(glance);
    let known = [ShiftKind::Season, ShiftKind::Schedule, ShiftKind::Occupancy];
    html! {
        details {
            summary { "Say that life changes here" }
            form.shift action="/said/shift" method="post" {
                (hidden(&[("form", form), ("home", home)]))
                p { label for="from" { "It was" } input #from name="from" required maxlength="200" list="contexts" placeholder="winter" autocomplete="off"; }
                p { label for="to" { "It is" } input #to name="to" required maxlength="200" list="contexts" placeholder="summer" autocomplete="off"; }
                p { label for="time" { "Since (the home's clock)" } input #time name="time" type="datetime-local" required value=[now]; }
                datalist #contexts { @for word in known.iter().flat_map(|kind| context_words(*kind)) { option value=(word) {} } }
                p.quiet { "Seasons (winter, spring, summer, autumn), daytime or night, single or multiple are understood as such; anything else is taken as you write it." }
                button { "Declare it" }
            }
        }
    }
}

/// Whether anybody is to be called: not while all are away, nor while there are guests.
pub(super) fn mode(home: &str, glance: &Glance, form: &str) -> Markup {
    html! {
        details {
            summary { "Say that nobody is at home, or that there are guests" }
            form.shift action="/said/mode" method="post" {
                (hidden(&[("form", form), ("home", home)]))
                fieldset {
                    legend { "Who is at home" }
                    @for (mode, told) in MODES {
                        p { label { input type="radio" name="mode" value=(mode) required; " " (told) } }
                    }
                }
                p { label for="mode-time" { "Since (the home's clock)" } input #mode-time name="time" type="datetime-local" required value=[newest(glance)]; }
                p.quiet { "No alarm is raised while nobody is at home or guests are there, until you say that life is as ever." }
                button { "Say it" }
            }
        }
    }
}

/// What the home's clock showed last, as forms write it.
fn newest(glance: &Glance) -> Option<String> {
    let newest = civil(glance.newest?);
    Some(newest.strftime("%Y-%m-%dT%H:%M").to_string())
}

fn hidden(fields: &[(&str, &str)]) -> Markup {
    html! { @for (name, value) in fields { input type="hidden" name=(name) value=(value); } }
}

/// A form that came back.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Said {
    #[serde(default)]
    form: String,
    #[serde(default)]
    home: String,
    alarm: Option<String>,
    from: Option<String>,
    to: Option<String>,
    time: Option<String>,
    mode: Option<String>,
    device: Option<String>,
    sure: Option<String>,
}

/// `POST /said/fine`
pub(super) async fn take_fine(
    State(server): State<Arc<Server>>,
    Form(said): Form<Said>,
) -> Response {
    let line = json!({ "home": said.home, "alarm": said.alarm, "fine": true });
    let alarm = said.alarm.clone().unwrap_or_default();
    let back = link(
        "/alarm",
        &[("home", &said.home), ("alarm", &alarm), ("said", "fine")],
    );
    put(&server, &said, Kind::Feedback, &line, &back).await
}

/// `POST /said/erase`
pub(super) async fn take_erasure(
    State(server): State<Arc<Server>>,
    Form(said): Form<Said>,
) -> Response {
    if said.sure.as_deref() != Some("yes") {
        return trouble(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Nothing was erased",
            "Go back, and say that you are sure.",
        );
    }
    let fields = [
        ("from", &said.from),
        ("to", &said.to),
        ("device", &said.device),
    ];
    let given = fields.into_iter().filter_map(|(key, value)| {
        let value = value.as_deref().filter(|value| !value.is_empty())?;
        Some((key.to_owned(), Value::from(value)))
    });
    let line = json!({ "home": said.home, "erase": given.collect::<Map<String, Value>>() });
    let back = link("/home", &[("name", &said.home), ("said", "erased")]);
    put(&server, &said, Kind::Erasure, &line, &back).await
}

/// `POST /said/shift`
pub(super) async fn take_shift(
    State(server): State<Arc<Server>>,
    Form(said): Form<Said>,
) -> Response {
    let (from, to) = (trimmed(&said.from), trimmed(&said.to));
    let Some(time) = since(&server, &said) else {
        return untimed();
    };
    let known = [ShiftKind::Season, ShiftKind::Schedule, ShiftKind::Occupancy];
    let lower = |text: &str| text.to_lowercase();
    let kind = known.into_iter().find(|kind| {
        let words = context_words(*kind);
        [from, to]
            .iter()
            .all(|text| words.contains(&lower(text).as_str()))
    });
    let (from, to) = match kind {
        Some(_) => (lower(from), lower(to)),
        None => (from.to_owned(), to.to_owned()),
    };
    let kind = kind.unwrap_or(ShiftKind::Text).name();
    let line =
        json!({ "home": said.home, "time": rfc3339(time), "kind": kind, "from": from, "to": to });
    let back = link("/home", &[("name", &said.home), ("said", "shift")]);
    put(&server, &said, Kind::Context, &line, &back).await
}

/// `POST /said/mode`
pub(super) async fn take_mode(
    State(server): State<Arc<Server>>,
    Form(said): Form<Said>,
) -> Response {
    let Some(time) = since(&server, &said) else {
        return untimed();
    };
    let line = json!({ "home": said.home, "time": rfc3339(time), "mode": trimmed(&said.mode) });
    let back = link("/home", &[("name", &said.home), ("said", "mode")]);
    put(&server, &said, Kind::Context, &line, &back).await
}

/// Since when something is said to be so, by the home's clock.
fn since(server: &Server, said: &Said) -> Option<Stamp> {
    let known = server.recent.home(&said.home);
    let newest = known.and_then(|(glance, _)| glance.newest);
    let offset = newest.map_or(0, |newest| newest.offset);
    instant(said.time.as_deref()?.parse().ok()?, offset)
}

fn untimed() -> Response {
    trouble(
        StatusCode::UNPROCESSABLE_ENTITY,
        "Nothing was declared",
        "Go back, and say since when.",
    )
}

fn trimmed(text: &Option<String>) -> &str {
    text.as_deref().unwrap_or_default().trim()
}

/// Puts a line into the inbox, if the form is one of this server's, and leads back.
async fn put(server: &Server, said: &Said, kind: Kind, line: &Value, back: &str) -> Response {
    if !server.access.is_form(&said.form) {
        return trouble(
            StatusCode::FORBIDDEN,
            "This form is out of date",
            "The server began anew since the page was loaded: go back, load it again, and say it again.",
        );
    }
    let checked = match taken(kind, line.to_string().as_bytes()) {
        Ok(line) if said.home != "*" => line,
        Ok(_) => {
            return trouble(
                StatusCode::UNPROCESSABLE_ENTITY,
                "Not understood",
                "Of all homes at once nothing can be said here.",
            );
        }
        Err(reason) => {
            return trouble(
                StatusCode::UNPROCESSABLE_ENTITY,
                "Not understood",
                &format!("Go back and change it: {reason}."),
            );
        }
    };
    match server.desk.inbox.put([checked], None).await {
        Ok(()) => Redirect::to(back).into_response(),
        Err(error) => trouble(
            StatusCode::SERVICE_UNAVAILABLE,
            "It could not be kept",
            &format!("{error}. Say it again later."),
        ),
    }
}
