//! The timeline of a run from the events it has recorded.

use std::{fs, io::ErrorKind, ops::RangeInclusive, path::Path, time::Duration};

use serde::Deserialize;

use super::{Collector, Timeline};
use crate::{Error, Result, file, record::TIMELINE, sgd::Event};

/// The most bytes of a file: some ten million events without their batches.
const MOST_BYTES: u64 = 1 << 30;
/// The most events of a timeline.
const MOST_EVENTS: usize = 1_000_000;
/// From the start to where no clock of ours counts any more.
const SECONDS: RangeInclusive<f64> = 0.0..=1e11;

/// A line of `events.jsonl` or `timeline.jsonl`; what else it holds is left out.
#[derive(Deserialize)]
struct Line {
    t: f64,
    #[serde(flatten)]
    event: Event,
}

/// The timeline of the run in `folder`, from the first events that every run records; none where
/// there are none yet.
///
/// # Errors
/// As [`read_events`].
pub fn read(folder: &Path) -> Result<Option<Timeline>> {
    let path = folder.join(TIMELINE);
    match fs::metadata(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Ok(file) if file.len() == 0 => Ok(None),
        // What a run has recorded is a file, and no pipe to wait for.
        _ => {
            let text = file::text(&path, MOST_BYTES).map_err(Error::io(&path))?;
            parse_events(&path, &text, Duration::MAX).map(Some)
        }
    }
}

/// The timeline in the `events.jsonl` or `timeline.jsonl` at `path`, which may be a pipe, or `-` for
/// standard input, up to run time `until`.
///
/// # Errors
/// [`Error::Io`] where it cannot be read, is no file or pipe or has more than 2^30 bytes;
/// [`Error::Config`] naming the line that is no event, is cut off or does not follow from those
/// before it, or where there is no event, or more than a million.
pub fn read_events(path: &Path, until: Duration) -> Result<Timeline> {
    parse_events(path, &file::named_text(path, MOST_BYTES).map_err(Error::io(path))?, until)
}

/// What [`read_events`] makes of a file at `path` with this text.
///
/// # Errors
/// [`Error::Config`] as there.
pub fn parse_events(path: &Path, text: &str, until: Duration) -> Result<Timeline> {
    let mut collector = Collector::new(MOST_EVENTS);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let wrong = |what: &str| {
            Error::config(format!("{}, line {}: {what}", file::name(path), number + 1))
        };
        let line = line.strip_suffix('\n').ok_or_else(|| wrong("is cut off"))?;
        let Line { t, mut event } = serde_json::from_str(line)
            .map_err(|error| wrong(&format!("is not an event of a run ({error})")))?;
        if !SECONDS.contains(&t) {
            return Err(wrong("a run time is seconds from 0 to 1e11"));
        }
        let time = Duration::from_secs_f64(t);
        if time > until {
            return Ok(collector.finish());
        }
        if collector.is_full() {
            return Err(wrong(&format!(
                "has more than the {MOST_EVENTS} events that a timeline shows; choose an earlier end"
            )));
        }
        if let Event::Push { version, staleness, .. } = &mut event {
            *staleness = collector
                .version()
                .checked_sub(*version)
                .ok_or_else(|| wrong("a gradient is of parameters that are not made"))?;
        }
        collector.take(time, &event).map_err(wrong)?;
    }
    if text.is_empty() {
        return Err(Error::config(format!("{} holds no event of a run", file::name(path))));
    }
    Ok(collector.finish())
}
