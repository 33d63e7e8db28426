//! Rows to lines: ids become names.

use std::borrow::Cow;
use std::sync::Arc;

use hearth_operators::words::{
    ActionId, Adjustment, Behavior, CohortId, HOURS, HomeId, Moment, Outcome, Quadruple, Request,
    RequestKey, Segment, Sequence, Shift, Task, Verdict, WEEKDAYS,
};
use serde::Serialize;

use super::lines::{
    AdaptationLine, BehaviorLine, HintsLine, Judgement, PredictionLine, PromptLine, QuadrupleLine,
    RefusedLine, RepresentativeLine, RequestLine, ScoreLine, SegmentLine, ShiftLine, Stamp,
    TransitionLine, VerdictLine, VersionsLine, Word4, request_id,
};
use super::{Names, Row, Stream};

/// Knows the names behind the ids.
pub(super) struct Format {
    names: Names,
    /// `Device:action`, by action, where all homes have one catalog.
    actions: Vec<String>,
}

impl Format {
    pub(super) fn new(names: Names) -> Self {
        let actions = names.catalogs.only().map(|catalog| {
            let actions = catalog.action_ids();
            actions.map(|id| catalog.full_name(id)).collect()
        });
        Format {
            actions: actions.unwrap_or_default(),
            names,
        }
    }

    /// Appends the row's line, without line end, to `line`. Nothing for a row that only counts.
    pub(super) fn row(
        &self,
        row: &Row,
        line: &mut Vec<u8>,
    ) -> Option<(Stream, serde_json::Result<()>)> {
        let written = match row {
            Row::Segment {
                epoch,
                diff,
                segment,
            } => {
                let home = self.names.homes.name(segment.home);
                let (first, last) = ends(&segment.moments)?;
                let value = SegmentLine {
                    epoch: *epoch,
                    diff: *diff,
                    home: Cow::Borrowed(&home),
                    start: stamp(first),
                    end: stamp(last),
                    behaviors: self.behaviors(segment),
                };
                (Stream::Segments, write(line, &value))
            }
            Row::Transition {
                epoch,
                diff,
                home,
                from,
                to,
            } => {
                let (of, home) = (*home, self.names.homes.name(*home));
                let value = TransitionLine {
                    epoch: *epoch,
                    diff: *diff,
                    home: Cow::Borrowed(&home),
                    from: self.action(of, *from),
                    to: self.action(of, *to),
                };
                (Stream::Transitions, write(line, &value))
            }
            Row::Representative {
                epoch,
                diff,
                representative,
            } => {
                let segment = &representative.segment;
                let home = self.names.homes.name(segment.home);
                let (first, _) = ends(&segment.moments)?;
                let value = RepresentativeLine {
                    epoch: *epoch,
                    diff: *diff,
                    home: Cow::Borrowed(&home),
                    regime: representative.regime,
                    weekday: weekday(segment.weekday()),
                    start: stamp(first),
                    behaviors: self.behaviors(segment),
                };
                (Stream::Representatives, write(line, &value))
            }
            Row::Request { epoch, request } => {
                (Stream::Requests, self.request(*epoch, request, line))
            }
            Row::Verdict { epoch, verdict } => {
                (Stream::Verdicts, self.verdict(*epoch, verdict, line))
            }
            Row::Failure { epoch, key, reason } => (
                Stream::Verdicts,
                self.invalid(*epoch, key, 0, &[], reason, line),
            ),
            Row::Invalid {
                epoch,
                key,
                position,
                sequence,
                reason,
            } => (
                Stream::Verdicts,
                self.invalid(*epoch, key, *position, sequence, reason, line),
            ),
            Row::Adjustment { epoch, adjustment } => (
                Stream::Adaptations,
                self.adjustment(*epoch, adjustment, line),
            ),
            Row::Score { epoch, score } => {
                let home = self.names.homes.name(score.home);
                let prediction = |&(action, probability): &(ActionId, f32)| PredictionLine {
                    action: self.action(score.home, action),
                    probability: Some(probability),
                };
                let value = ScoreLine {
                    epoch: *epoch,
                    home: Cow::Borrowed(&home),
                    time: stamp(&score.moment),
                    action: self.action(score.home, score.moment.action),
                    score: Some(score.score),
                    threshold: Some(score.threshold),
                    anomaly: score.anomaly(),
                    predictions: score.predictions.iter().map(prediction).collect(),
                    versions: VersionsLine {
                        detector: score.detector,
                        predictor: score.predictor,
                    },
                };
                (Stream::Scores, write(line, &value))
            }
            Row::Late { behavior, reason } => (Stream::Late, self.refused(behavior, reason, line)),
            Row::Implausible { behavior, reason } => {
                (Stream::Rejected, self.refused(behavior, reason, line))
            }
            Row::Refused { shift } => (Stream::Rejected, self.refused_shift(shift, line)),
            Row::Rejected {
                line: input,
                source,
                reason,
            }
            | Row::RejectedContext {
                line: input,
                source,
                reason,
            } => {
                let value = RefusedLine {
                    line: input.into(),
                    source: source.into(),
                    reason: reason.into(),
                };
                (Stream::Rejected, write(line, &value))
            }
            Row::Tally { .. } | Row::Model { .. } => return None,
        };
        Some(written)
    }

    fn request(&self, epoch: u64, request: &Request, line: &mut Vec<u8>) -> serde_json::Result<()> {
        let of = request.key.shift.home;
        let home = self.names.homes.name(of);
        let full = |action| self.action(of, action).into_owned();
        let successors = |&(action, count): &(ActionId, u32)| (full(action), count);
        let hints = request.hints.0.iter();
        let hints = hints.map(|(from, to)| (full(*from), to.iter().map(successors).collect()));
        let (system, user) = (self.names.prompt)(request);
        let value = RequestLine {
            epoch,
            request: request_id(&home, &request.key).into(),
            home: Cow::Borrowed(&home),
            shift: shift_line(&request.regime.shift),
            weekday: weekday(request.key.weekday),
            representatives: request
                .representatives
                .iter()
                .map(|r| self.words(of, r))
                .collect(),
            hints: HintsLine(hints.collect()),
            prompt: PromptLine { system, user },
        };
        write(line, &value)
    }

    fn verdict(&self, epoch: u64, verdict: &Verdict, line: &mut Vec<u8>) -> serde_json::Result<()> {
        let candidate = &verdict.candidate;
        let of = candidate.request.shift.home;
        let home = self.names.homes.name(of);
        let catalog = self.names.catalogs.of(of);
        let quadruple = |q: &Quadruple| QuadrupleLine {
            weekday: weekday(q.weekday),
            hours: hours(q.hours),
            device: catalog.device_name(q.action).into(),
            action: self.action(of, q.action),
        };
        let value = VerdictLine {
            epoch,
            request: request_id(&home, &candidate.request).into(),
            home: Cow::Borrowed(&home),
            position: candidate.position,
            sequence: candidate.sequence.0.iter().map(quadruple).collect(),
            verdict: match verdict.retain {
                true => Judgement::Retain,
                false => Judgement::Delete,
            },
            stage: verdict.stage,
            loss: Some(verdict.loss),
            bound: Some(verdict.bound),
            baseline: verdict.baseline,
            trial: verdict.trial,
            reason: None,
        };
        write(line, &value)
    }

    fn invalid(
        &self,
        epoch: u64,
        key: &RequestKey,
        position: u32,
        sequence: &[Word4],
        reason: &str,
        line: &mut Vec<u8>,
    ) -> serde_json::Result<()> {
        let home = self.names.homes.name(key.shift.home);
        let words = |[weekday, hours, device, action]: &'_ Word4| {
            let [weekday, hours, device, action] =
                [weekday, hours, device, action].map(|word| Cow::Owned(word.clone()));
            QuadrupleLine {
                weekday,
                hours,
                device,
                action,
            }
        };
        let value = VerdictLine {
            epoch,
            request: request_id(&home, key).into(),
            home: Cow::Borrowed(&home),
            position,
            sequence: sequence.iter().map(words).collect(),
            verdict: Judgement::Delete,
            stage: 0,
            loss: None,
            bound: None,
            baseline: None,
            trial: None,
            reason: Some(reason.into()),
        };
        write(line, &value)
    }

    fn adjustment(
        &self,
        epoch: u64,
        adjustment: &Adjustment,
        line: &mut Vec<u8>,
    ) -> serde_json::Result<()> {
        let home = self.names.homes.name(adjustment.key.home);
        let (task, model) = match adjustment.task {
            Task::Detector => ("detector", self.names.detector),
            Task::Predictor => ("predictor", "sasrec"),
        };
        let event = match adjustment.outcome {
            Outcome::Promoted => "promoted",
            Outcome::Kept => "kept",
            Outcome::RolledBack => "rolled_back",
        };
        let value = AdaptationLine {
            epoch,
            home: Cow::Borrowed(&home),
            shift: shift_line(&adjustment.shift),
            task: task.into(),
            model: model.into(),
            version: adjustment.version,
            event: event.into(),
            before: Some(adjustment.before),
            after: Some(adjustment.after),
            evidence: Cow::Borrowed(&adjustment.evidence),
        };
        write(line, &value)
    }

    /// A shift that was declared too late, as the contexts' format writes it.
    fn refused_shift(&self, shift: &Shift, line: &mut Vec<u8>) -> serde_json::Result<()> {
        let home = shift.home.map(|home| self.names.homes.name(home));
        let declared = serde_json::json!({
            "home": home.as_deref().unwrap_or("*"),
            "time": crate::time::format(shift.time, shift.offset),
            "kind": shift.kind,
            "from": shift.from,
            "to": shift.to,
        });
        let value = RefusedLine {
            line: declared.to_string().into(),
            source: "contexts".into(),
            reason: "a later shift of this home was answered already".into(),
        };
        write(line, &value)
    }

    /// A decoded event that was not applied: the event as the input formats write it.
    fn refused(
        &self,
        behavior: &Behavior,
        reason: &str,
        line: &mut Vec<u8>,
    ) -> serde_json::Result<()> {
        #[derive(Serialize)]
        struct Event<'a> {
            home: &'a str,
            time: Stamp,
            device: &'a str,
            action: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            id: Option<&'a str>,
        }
        let home: Arc<str> = self.names.homes.name(behavior.home);
        let action = behavior.moment.action;
        let catalog = self.names.catalogs.of(behavior.home);
        let event = serde_json::to_string(&Event {
            home: &home,
            time: stamp(&behavior.moment),
            device: catalog.device_name(action),
            action: catalog.action_name(action),
            id: behavior.id.as_deref(),
        })?;
        let file = self.names.files.get(behavior.line.file as usize);
        let file = file.map_or("?", String::as_str);
        let value = RefusedLine {
            line: event.into(),
            source: format!("{file}:{}", behavior.line.line).into(),
            reason: reason.into(),
        };
        write(line, &value)
    }

    fn behaviors(&self, segment: &Segment) -> Vec<BehaviorLine<'_>> {
        let catalog = self.names.catalogs.of(segment.home);
        let behavior = |moment: &Moment| BehaviorLine {
            time: stamp(moment),
            device: catalog.device_name(moment.action).into(),
            action: self.action(segment.home, moment.action),
        };
        segment.moments.iter().map(behavior).collect()
    }

    fn words(&self, home: HomeId, sequence: &Sequence) -> Vec<Word4> {
        let catalog = self.names.catalogs.of(home);
        let words = |q: &Quadruple| {
            [
                weekday(q.weekday).into_owned(),
                hours(q.hours).into_owned(),
                catalog.device_name(q.action).to_owned(),
                catalog.action_name(q.action).to_owned(),
            ]
        };
        sequence.0.iter().map(words).collect()
    }

    /// The name of a cohort; `None`: that of homes that name none.
    pub(super) fn cohort(&self, cohort: CohortId) -> Option<&str> {
        let place = cohort.0.checked_sub(1)?;
        self.names.cohorts.get(place as usize).map(String::as_str)
    }

    fn action(&self, home: HomeId, action: ActionId) -> Cow<'_, str> {
        match self.actions.get(usize::from(action.0)) {
            Some(name) => name.into(),
            None => self.names.catalogs.of(home).full_name(action).into(),
        }
    }
}

fn write(line: &mut Vec<u8>, value: &impl Serialize) -> serde_json::Result<()> {
    serde_json::to_writer(line, value)
}

fn ends(moments: &[Moment]) -> Option<(&Moment, &Moment)> {
    moments.first().zip(moments.last())
}

fn stamp(moment: &Moment) -> Stamp {
    Stamp {
        time: moment.time,
        offset: moment.offset,
    }
}

fn shift_line(shift: &Shift) -> ShiftLine<'_> {
    ShiftLine {
        kind: shift.kind,
        from: Cow::Borrowed(&shift.from),
        to: Cow::Borrowed(&shift.to),
        time: Stamp {
            time: shift.time,
            offset: shift.offset,
        },
    }
}

fn weekday(weekday: u8) -> Cow<'static, str> {
    Cow::Borrowed(WEEKDAYS.get(usize::from(weekday)).copied().unwrap_or("?"))
}

fn hours(hours: u8) -> Cow<'static, str> {
    Cow::Borrowed(HOURS.get(usize::from(hours)).copied().unwrap_or("?"))
}
