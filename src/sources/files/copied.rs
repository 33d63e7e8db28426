//! Logs handed on as they are written.

use std::io;
use std::path::PathBuf;

use super::event::Event;
use super::events::Events;
use super::opened::Open;
use super::twice::Twice;
use super::{Rejected, SourceError};
use crate::config::Keys;
use crate::home_names::HomeNames;
use crate::time::Basis;
use crate::zones::Zones;

/// Hands on the lines of logs, in the order given: events with the times, offsets and ids that they have, names as they are
/// written, and the lines that are no event with the reason. Returns how many of each kind.
///
/// # Errors
/// A log breaks off, or `give` fails.
pub(crate) fn copy(
    files: &[PathBuf],
    (zones, keys): (&Zones, &Keys),
    mut give: impl FnMut(Result<Event<'_>, Rejected>) -> io::Result<()>,
) -> Result<(u64, u64), SourceError> {
    let mut events = Events::open(files, keys)?;
    let (homes, mut twice) = (HomeNames::default(), Twice::default());
    let (mut copied, mut refused) = (0, 0);
    let mut failed = Ok(());
    while let Some((_, (name, tells), open)) = events.current()? {
        let name = name.to_owned();
        let mut take = |mut event: Result<Event<'_>, Rejected>| {
            if let Ok(event) = &mut event
                && event.how.basis == Basis::Clock
            {
                let (home, read) = (homes.intern(&event.home), (event.time, event.offset));
                (event.time, event.offset) = twice.settle(home, read, zones.civil(&event.home));
            }
            *(if event.is_ok() {
                &mut copied
            } else {
                &mut refused
            }) += 1;
            let given = give(event);
            if failed.is_ok() {
                failed = given;
            }
        };
        let more = match open {
            Open::Packed(log) => log.next(&name, take)?,
            Open::Parquet(log) => {
                let more = log.advance(&name)?;
                if more {
                    take(
                        log.event(tells, zones)
                            .map_err(|reason| log.rejected(&name, reason)),
                    );
                }
                more
            }
            Open::Text { .. } => events.line(zones, None, |event, _, text, file| {
                let event = event.into_iter();
                event.for_each(|event| {
                    take(event.map_err(|reason| Rejected::new(text, file, reason)));
                });
            })?,
        };
        if let Err(error) = failed {
            return Err(SourceError::Unwritten(error));
        }
        if !more {
            events.finish_file();
        }
    }
    Ok((copied, refused))
}
