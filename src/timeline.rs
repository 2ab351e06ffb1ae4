//! The timeline of a run: what every learner did and when updates were made, span by span, and its
//! pictures, of which one can read off what tells the variants apart.
//!
//! Built of the events of a run, as it runs ([`Collector`]) or as it was recorded ([`read`],
//! [`read_events`]), and then drawn: for a terminal ([`text`]), as a picture ([`svg`]) or for
//! ui.perfetto.dev ([`perfetto`]). Knows no parameters and no engine.
//!
//! ```
//! use tortoise::{
//!     cluster::delay::{Delays, Slow},
//!     sgd::{Cancellation, Limits, simulate::times_only},
//!     timeline::{Collector, Look, svg},
//! };
//!
//! # fn main() -> tortoise::Result<()> {
//! let delays = Delays::new("exponential:mean=1".parse()?, &Slow::default(), 3, 0)?;
//! let mut run = times_only(&"k-async:2".parse()?, Cancellation::Preempt, 3, delays)?;
//! let mut collector = Collector::new(1000);
//! run.train(&Limits { updates: Some(4), ..Limits::default() }, &mut collector)?;
//! let timeline = collector.finish();
//! assert_eq!(timeline.updates[3].pushes.len(), 2);
//! assert!(svg(&timeline, &Look::picture()).starts_with("<svg"));
//! # Ok(())
//! # }
//! ```

mod collector;
mod perfetto;
mod recorded;
mod svg;
mod text;

use std::{iter, time::Duration};

pub use self::{
    collector::Collector,
    perfetto::perfetto,
    recorded::{parse_events, read, read_events},
    svg::{Look, Palette, svg},
    text::text,
};
use crate::ids::{LearnerId, Task, Version};
pub use crate::sgd::spans::{End, Pause, Span};

/// What happened in a run, or in a part of it. Times are run time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timeline {
    /// Where it begins.
    pub from: Duration,
    /// Where it ends.
    pub until: Duration,
    /// j, of the parameters at its beginning.
    pub version: Version,
    /// j, of the last parameters of the run that are known.
    pub made: Version,
    /// Learner by learner.
    pub lanes: Vec<Lane>,
    /// Updates, in the order in which they were made.
    pub updates: Vec<Update>,
}

/// What one learner did, in order. Where there is neither a span nor a pause it has left the run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lane {
    /// Its minibatches.
    pub spans: Vec<Span>,
    /// The time between them, as far as there is any.
    pub pauses: Vec<Pause>,
    /// What it pushed when nobody waited for it any more: when, and which of its minibatches.
    pub late: Vec<(Duration, Task)>,
}

/// An update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Update {
    /// When it was made.
    pub at: Duration,
    /// j + 1, of the parameters that came of it.
    pub version: Version,
    /// The minibatches whose gradients it took, K of them, in the order in which they came.
    pub pushes: Vec<(LearnerId, Task)>,
}

impl Timeline {
    /// The versions and when they were made, from that at its beginning on.
    fn versions(&self) -> impl Iterator<Item = (Duration, Version)> {
        let made = self.updates.iter().map(|update| (update.at, update.version));
        iter::once((self.from, self.version)).chain(made)
    }

    /// The version that the gradient of a minibatch went into; none where it went into none, or that
    /// one is not known of.
    pub fn update(&self, span: &Span) -> Option<Version> {
        let End::Accepted { staleness } = span.end else { return None };
        // What is accepted at w_j goes into the update that makes w_{j+1}.
        Some(span.version + staleness + 1).filter(|update| *update <= self.made)
    }

    /// What of it lies between two moments. Spans keep their own times, and may reach beyond.
    #[must_use]
    pub fn between(&self, from: Duration, until: Duration) -> Self {
        let (from, until) = (from.max(self.from), until.min(self.until));
        let overlaps = |start: Duration, end: Duration| start < until && end > from;
        let lane = |lane: &Lane| Lane {
            spans: kept(&lane.spans, |span| overlaps(span.from, span.to)),
            pauses: kept(&lane.pauses, |pause| overlaps(pause.from, pause.to)),
            late: kept(&lane.late, |(at, _)| (from..=until).contains(at)),
        };
        let before = self.updates.iter().take_while(|update| update.at < from);
        Self {
            from,
            until: until.max(from),
            made: self.made,
            version: before.last().map_or(self.version, |update| update.version),
            lanes: self.lanes.iter().map(lane).collect(),
            updates: kept(&self.updates, |update| (from..=until).contains(&update.at)),
        }
    }

    /// Its beginning, as far as the learners start no more than so many minibatches.
    #[must_use]
    pub fn beginning(&self, tasks: usize) -> Self {
        let mut starts: Vec<Duration> =
            self.lanes.iter().flat_map(|lane| &lane.spans).map(|span| span.from).collect();
        starts.sort_unstable();
        self.between(self.from, starts.get(tasks).copied().unwrap_or(self.until))
    }
}

fn kept<T: Clone>(all: &[T], keep: impl Fn(&T) -> bool) -> Vec<T> {
    all.iter().filter(|one| keep(one)).cloned().collect()
}

/// Round moments between two, at most so many, in seconds, and how they are written.
fn ticks(from: Duration, until: Duration, most: usize) -> Vec<(f64, String)> {
    let (from, until) = (from.as_secs_f64(), until.as_secs_f64());
    let rough = ((until - from) / most.max(1) as f64).max(1e-9);
    let decade = 10_f64.powf(rough.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|multiple| multiple * decade);
    // A little less is no reason for a step twice as long.
    let step = steps.into_iter().find(|step| *step >= 0.999 * rough).unwrap_or(10.0 * decade);
    let digits = (-(1.001 * step).log10().floor()).max(0.0) as usize;
    let first = (from / step - 1e-6).ceil() as u64;
    let last = (until / step + 1e-6).floor() as u64;
    (first..=last)
        .map(|n| n as f64 * step)
        .map(|value| (value, format!("{value:.digits$}")))
        .collect()
}
