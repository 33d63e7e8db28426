//! From Home Assistant into the inbox: what is said is read, and its lines are put with how far it was heard.

use hearth_operators::words::Time;
use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use serde_json::Value;

use super::SOURCE;
use super::frames::{Report, changed};
use super::reader::{Fate, Reader};
use crate::desk::Desk;
use crate::inbox::{InboxError, Mark};
use crate::remote::Complaints;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByFate {
    fate: &'static str,
}

/// Who Home Assistant is to whoever asks whether all is read.
const NAME: &str = "Home Assistant";

/// States on their way into the inbox.
pub(super) struct Intake {
    pub reader: Reader,
    desk: Desk,
    complaints: Complaints,
    states: Family<ByFate, Counter>,
    connected: Gauge,
}

impl Intake {
    /// Nothing has come.
    pub fn new(reader: Reader, desk: &Desk) -> Self {
        let (states, connected) = (Family::<ByFate, Counter>::default(), Gauge::default());
        let help = "States that Home Assistant told, by what became of them";
        let gauges = &desk.gauges;
        gauges.register("home_assistant_states", help, states.clone());
        let help = "Whether Home Assistant is heard, and all read that happened there before";
        gauges.register("home_assistant_connected", help, connected.clone());
        let intake = Intake {
            reader,
            desk: desk.clone(),
            complaints: Complaints::new(NAME),
            states,
            connected,
        };
        intake.hears(false);
        intake
    }

    /// Whether all is heard from now on.
    pub fn hears(&self, all: bool) {
        let why = (!all).then(|| "what happened there is not read yet".to_owned());
        self.desk.gauges.wait_for(NAME, why);
        self.connected.set(i64::from(all));
    }

    /// Takes reports, in the order of their times, and puts them.
    ///
    /// # Errors
    /// The inbox cannot be written.
    pub async fn take_all(&mut self, mut reports: Vec<Report>) -> Result<(), InboxError> {
        reports.sort_by_key(|report| report.updated);
        for report in reports {
            self.take(&report);
            if self.reader.is_full() {
                self.put().await?;
            }
        }
        self.put().await
    }

    /// Takes the event that an entity changed.
    pub fn take_event(&mut self, event: &Value) {
        if let Some(report) = self.read(changed(event)) {
            self.take(&report);
        }
    }

    /// What was read; nothing where it could not be, which is told.
    pub fn read(&mut self, report: Result<Report, String>) -> Option<Report> {
        match report {
            Ok(report) => Some(report),
            Err(why) => {
                self.refuse("an entity", &why);
                None
            }
        }
    }

    /// Believes what has stayed long enough.
    pub fn settle(&mut self) {
        self.reader.settle(now());
    }

    /// Puts what was taken, and how far it was heard.
    ///
    /// # Errors
    /// The inbox cannot be written.
    pub async fn put(&mut self) -> Result<(), InboxError> {
        let Some((lines, at)) = self.reader.flush() else {
            return Ok(());
        };
        let source = SOURCE.to_owned();
        self.desk.inbox.put(lines, Some(Mark { source, at })).await
    }

    fn take(&mut self, report: &Report) {
        let fate = match self.reader.take(report, now()) {
            Fate::Taken => "taken",
            Fate::Unchanged => "unchanged",
            Fate::Again => "again",
            Fate::Refused(why) => return self.refuse(&report.entity, &why),
        };
        self.states.get_or_create(&ByFate { fate }).inc();
    }

    fn refuse(&mut self, entity: &str, why: &str) {
        self.complaints.say(entity, why);
        let fate = "refused";
        self.states.get_or_create(&ByFate { fate }).inc();
    }
}

/// The time of this machine.
pub(super) fn now() -> Time {
    Time(Timestamp::now().as_microsecond())
}
