//! What a run says of itself on standard error, line by line: as text for a person, or as JSON for whoever collects it.
//!
//! Whoever has something to say uses the macros of `tracing`. Secrets are in no message; a home's name is in none above `debug`.

use std::fmt;
use std::io::{self, Write as _};

use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogFormat, LogLevel};

/// Lets this process say what is at least of this level, in this format. Called once; what other libraries say is left out.
pub fn begin(format: LogFormat, level: LogLevel) {
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    let ours = Targets::new().with_target("hearth", level);
    let said = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let all = tracing_subscriber::registry().with(ours);
    // Fails where this process has begun to say things already: then it goes on as it does.
    let _ = match format {
        LogFormat::Text => all.with(said.event_format(Plain)).try_init(),
        LogFormat::Json => {
            let json = Format::default().json().flatten_event(true);
            let fields = tracing_subscriber::fmt::format::JsonFields::new();
            let said = said.event_format(json.with_current_span(false).with_span_list(false));
            all.with(said.fmt_fields(fields)).try_init()
        }
    };
}

/// Says what ends this process: as everything else that it said, or, where it had not begun to say anything, as text.
pub fn fail(why: &str) {
    match tracing::dispatcher::has_been_set() {
        true => tracing::error!("{why}"),
        // Who closed standard error does not want to know.
        false => drop(writeln!(io::stderr(), "hearth: {why}")),
    }
}

/// A sentence a line, with the program's name before it, as errors are told.
struct Plain;

impl<S, N> FormatEvent<S, N> for Plain
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        writer.write_str("hearth: ")?;
        if *event.metadata().level() == Level::DEBUG {
            writer.write_str("(debug) ")?;
        }
        context
            .field_format()
            .format_fields(writer.by_ref(), event)?;
        writeln!(writer)
    }
}
