//! What happened in the house before it was heard: from where it was heard last until now, without a gap.
//!
//! First Home Assistant is asked to tell what happens from now on; then what state each entity is in; then that its recorder writes
//! down all that happened before; then what it wrote since the house was heard last. Whatever is told twice counts once, by its time.

use std::time::Duration;

use hearth_operators::words::Time;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::frames::{Refusal, Report, aside, changed, history, state};
use super::intake::{Intake, now};
use super::session::{Broken, Events, Session};
use crate::time;

/// So much of the history is asked for at once.
const WINDOW: i64 = 6 * Time::HOUR;

/// So much of what was heard already is asked for again, should a clock have been put back a little.
const AGAIN: i64 = 60 * Time::SECOND;

/// How long the recorder may take to write down what has happened. It does so every few seconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// An entity that is nowhere.
const NOBODY: &str = "hearth.nobody";

/// Reads all that happened since `since`, or since it was last heard; says by which number events come from now on.
///
/// # Errors
/// The connection ends, something that must be answered is refused, or the inbox cannot be written.
pub(super) async fn catch_up(
    session: &mut Session,
    intake: &mut Intake,
    since: Time,
) -> Result<u64, Broken> {
    let mut events = Events::new();
    let subscribe = json!({"type": "subscribe_events", "event_type": "state_changed"});
    let live = session.ask(subscribe).await?;
    granted("events", session.answered(live, &mut events).await?)?;
    let is_running = settings(session, intake, &mut events).await?;
    let states = states(session, intake, &mut events).await?;
    let began = states.iter().map(|state| state.changed).min();
    if let Some(began) = began {
        intake.reader.began(began);
    }
    let entities: Vec<&str> = states.iter().map(|state| state.entity.as_str()).collect();
    let entities: Vec<&str> = entities
        .into_iter()
        .filter(|entity| intake.reader.reads(entity))
        .collect();
    let heard = intake.reader.until();
    if heard.is_none() {
        tracing::info!(
            "Home Assistant: {} of its {} entities are listened to; the others measure, are settings, or say something of \
             themselves",
            entities.len(),
            states.len()
        );
    }
    let since = heard.map_or(since, |until| Time(until.0 - AGAIN));
    match written(session, since, &mut events).await? {
        Ok(()) => past(session, intake, &entities, since, &mut events).await?,
        Err(refusal) if is_running => tracing::warn!(
            "Home Assistant: it has no history ({}), so what happens while there is no connection is lost; add \
             `history:` to its configuration.yaml",
            refusal.message
        ),
        Err(_) => return Err(Broken::of("it is still starting")),
    }
    let mut present = states;
    let told = events.iter().filter(|(id, _)| *id == live);
    present.extend(told.filter_map(|(_, event)| intake.read(changed(event))));
    intake.take_all(present).await?;
    Ok(live)
}

/// Learns where the house is and which entities stand aside; says whether Home Assistant has started.
async fn settings(
    session: &mut Session,
    intake: &mut Intake,
    events: &mut Events,
) -> Result<bool, Broken> {
    let config = session
        .answer(json!({"type": "get_config"}), events)
        .await?;
    let config = granted("its configuration", config)?;
    let zone = config["time_zone"].as_str().unwrap_or_default();
    if let Ok(zone) = TimeZone::get(zone) {
        intake.reader.live_in(zone);
    }
    // Without these nothing stands aside.
    let [mut entities, mut devices] = [Value::Null, Value::Null];
    for (list, of) in [(&mut entities, "entity"), (&mut devices, "device")] {
        let asked = json!({"type": format!("config/{of}_registry/list")});
        *list = session.answer(asked, events).await?.unwrap_or_default();
    }
    aside(&entities, &devices).for_each(|entity| intake.reader.set_aside(entity));
    Ok(config["state"] == "RUNNING")
}

/// The states that hold.
async fn states(
    session: &mut Session,
    intake: &mut Intake,
    events: &mut Events,
) -> Result<Vec<Report>, Broken> {
    let states = session
        .answer(json!({"type": "get_states"}), events)
        .await?;
    let Value::Array(states) = granted("its states", states)? else {
        return Err(Broken::of("its states are no list"));
    };
    let states = states.iter().map(state);
    Ok(states.filter_map(|state| intake.read(state)).collect())
}

/// Comes back once all is written down that has happened until now. A stream of history is told twice: what is written down, and
/// then what was not yet. Of an entity that is nowhere that is nothing, twice.
async fn written(
    session: &mut Session,
    since: Time,
    events: &mut Events,
) -> Result<Result<(), Refusal>, Broken> {
    let stream = session
        .ask(json!({"type": "history/stream", "start_time": at(since), "entity_ids": [NOBODY], "no_attributes": true}))
        .await?;
    if let Err(refusal) = session.answered(stream, events).await? {
        return Ok(Err(refusal));
    }
    for _ in 0..2 {
        session.event(stream, PATIENCE, events).await?;
    }
    let leave = json!({"type": "unsubscribe_events", "subscription": stream});
    let _ = session.answer(leave, events).await?;
    Ok(Ok(()))
}

/// Reads what was written down, a part at a time.
async fn past(
    session: &mut Session,
    intake: &mut Intake,
    entities: &[&str],
    since: Time,
    events: &mut Events,
) -> Result<(), Broken> {
    let (now, mut from) = (now(), since);
    while from <= now && !entities.is_empty() {
        let until = Time(from.0 + WINDOW);
        let mut question = json!({
            "type": "history/history_during_period", "start_time": at(from), "entity_ids": entities,
            "include_start_time_state": false, "no_attributes": true,
        });
        // The last part has no end: it is of another clock.
        if until <= now {
            question["end_time"] = at(until).into();
        }
        let answer = session.answer(question, events).await?;
        let reports = history(&granted("its history", answer)?).map_err(Broken::Off)?;
        intake.take_all(reports).await?;
        from = until;
    }
    Ok(())
}

fn at(time: Time) -> String {
    time::format(time, 0)
}

/// What was answered to a question that must be.
fn granted(what: &str, answer: Result<Value, Refusal>) -> Result<Value, Broken> {
    answer.map_err(|Refusal { code, message }| {
        Broken::Off(format!("it does not tell {what}: {message} ({code})"))
    })
}
