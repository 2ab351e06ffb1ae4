//! The one fold of a run's events: what every learner did, from when to when, and what came of it.
//!
//! Counts, timelines, lanes and measured delays are made of what [`Spans`] answers.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{event::Event, scheduler::Verdict};
use crate::ids::{LearnerId, Task, Version};

/// A minibatch, from its start to its end. Times are run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Who computed it.
    pub learner: LearnerId,
    /// Its number among the learner's minibatches.
    pub task: Task,
    /// tau, the version it was computed at.
    pub version: Version,
    /// When it started; where that was not seen, when it ended.
    pub from: Duration,
    /// When it ended.
    pub to: Duration,
    /// What became of it.
    pub end: End,
}

/// What became of a minibatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its gradient was accepted.
    Accepted {
        /// s = j - tau.
        staleness: u64,
    },
    /// Its gradient was stale, and dropped.
    Discarded,
    /// What was pushed was no gradient, and dropped.
    Rejected,
    /// It was cancelled before it was finished.
    Cancelled,
    /// It was lost with its learner.
    Lost,
    /// It was not finished when the run, or what is looked at of it, ended.
    InFlight,
}

/// Time in which a learner had no minibatch in hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// Who had none.
    pub learner: LearnerId,
    /// From when on.
    pub from: Duration,
    /// Until when.
    pub to: Duration,
    /// Whether it was lost and had not returned; else it waited.
    pub away: bool,
}

/// What a learner has done, once it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stint {
    /// A minibatch.
    Work(Span),
    /// A time without one, never an empty one.
    Pause(Pause),
    /// A gradient that nobody waited for any more.
    Late {
        /// Who pushed it.
        learner: LearnerId,
        /// Of which of its minibatches.
        task: Task,
        /// When.
        at: Duration,
    },
}

/// What a learner is doing, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the fields are those of the events")]
pub enum Doing {
    /// It waits for parameters.
    Waiting { since: Duration },
    /// It computes a gradient.
    Busy { since: Duration, task: Task, version: Version },
    /// It is lost, and another will take its place.
    Away { since: Duration },
    /// It is lost, and the run goes on without it.
    Gone { since: Duration },
}

/// What all learners are doing. At the start, each waits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spans {
    /// Of those that were heard of.
    learners: BTreeMap<LearnerId, Doing>,
}

impl End {
    /// What becomes of a minibatch by `event`; none where none ends.
    pub fn of(event: &Event) -> Option<Self> {
        match *event {
            Event::Push { verdict: Verdict::Accept, staleness, .. } => {
                Some(Self::Accepted { staleness })
            }
            Event::Push { verdict: Verdict::Discard, .. } => Some(Self::Discarded),
            Event::Push { verdict: Verdict::Reject, .. } => Some(Self::Rejected),
            Event::Cancel { .. } => Some(Self::Cancelled),
            Event::Lost { task: Some(_), .. } => Some(Self::Lost),
            _ => None,
        }
    }

    /// Whether it came to nothing.
    pub fn is_wasted(self) -> bool {
        matches!(self, Self::Discarded | Self::Rejected | Self::Cancelled | Self::Lost)
    }

    /// Whether it was finished and pushed.
    pub fn is_pushed(self) -> bool {
        matches!(self, Self::Accepted { .. } | Self::Discarded | Self::Rejected)
    }

    /// What became of it, in a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Discarded => "discarded",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
            Self::InFlight => "not finished",
        }
    }
}

impl Span {
    /// How long it took.
    pub fn time(&self) -> Duration {
        self.to.saturating_sub(self.from)
    }
}

impl Stint {
    /// Whose it is.
    pub fn learner(&self) -> LearnerId {
        match *self {
            Self::Work(Span { learner, .. })
            | Self::Pause(Pause { learner, .. })
            | Self::Late { learner, .. } => learner,
        }
    }
}

impl Spans {
    /// What `learner` is doing.
    pub fn doing(&self, learner: LearnerId) -> Doing {
        self.learners.get(&learner).copied().unwrap_or(Doing::START)
    }

    /// That `event` can follow those before it as far as its learner goes, or why it cannot. In a run
    /// that is looked at from its middle on, minibatches end that were not seen to start.
    pub fn follows(&self, event: &Event) -> Result<(), &'static str> {
        let Some(learner) = event.learner() else { return Ok(()) };
        match (self.doing(learner), event) {
            (Doing::Busy { .. }, Event::Assign { .. }) => {
                Err("a minibatch starts before the last one has ended")
            }
            (Doing::Away { .. } | Doing::Gone { .. }, Event::Assign { .. }) => {
                Err("a learner starts that was lost")
            }
            (Doing::Busy { .. }, Event::Lost { task: None, .. }) => {
                Err("a learner is lost without its minibatch")
            }
            (Doing::Busy { task: its, .. }, Event::Lost { task: Some(task), .. })
                if its == *task =>
            {
                Ok(())
            }
            (
                Doing::Busy { task: its, version: of, .. },
                Event::Push { task, version, .. } | Event::Cancel { task, version, .. },
            ) if (its, of) == (*task, *version) => Ok(()),
            _ if End::of(event).is_some() => Err("a minibatch ends that its learner has not started"),
            _ => Ok(()),
        }
    }

    /// Takes an event in; what is over by it. Whether it [follows](Self::follows) is not asked.
    pub fn take(&mut self, time: Duration, event: &Event) -> Option<Stint> {
        let learner = event.learner()?;
        let doing = self.learners.entry(learner).or_insert(Doing::START);
        let before = *doing;
        *doing = match (before, event) {
            (_, &Event::Assign { task, version, .. }) => {
                Doing::Busy { since: time, task, version }
            }
            (_, Event::Push { .. } | Event::Cancel { .. })
            | (Doing::Away { .. }, Event::Return { .. }) => Doing::Waiting { since: time },
            (Doing::Waiting { .. } | Doing::Busy { .. }, Event::Lost { .. }) => {
                Doing::Away { since: time }
            }
            (_, Event::Leave { .. }) => Doing::Gone { since: time },
            (_, &Event::Late { task, .. }) => return Some(Stint::Late { learner, task, at: time }),
            // Who is away cannot be lost, and only who is away returns.
            _ => return None,
        };
        let (from, task, version) = match (before, event) {
            (Doing::Busy { since, task, version }, _) => (since, task, version),
            (_, &Event::Push { task, version, .. } | &Event::Cancel { task, version, .. }) => {
                (time, task, version)
            }
            _ => return before.pause(learner, time),
        };
        let end = End::of(event)?;
        Some(Stint::Work(Span { learner, task, version, from, to: time, end }))
    }

    /// What all are doing, as if it were over `now`, learner by learner. Of those that have left there
    /// is nothing.
    pub fn until(&self, now: Duration) -> impl Iterator<Item = Stint> {
        self.learners.iter().filter_map(move |(&learner, doing)| match *doing {
            Doing::Busy { since: from, task, version } => {
                let end = End::InFlight;
                Some(Stint::Work(Span { learner, task, version, from, to: now, end }))
            }
            idle => idle.pause(learner, now),
        })
    }
}

impl Doing {
    const START: Self = Self::Waiting { since: Duration::ZERO };

    /// The time without a minibatch that ends at `to`; none where it is empty.
    fn pause(self, learner: LearnerId, to: Duration) -> Option<Stint> {
        let (from, away) = match self {
            Self::Waiting { since } => (since, false),
            Self::Away { since } => (since, true),
            Self::Busy { .. } | Self::Gone { .. } => return None,
        };
        (from < to).then_some(Stint::Pause(Pause { learner, from, to, away }))
    }
}
