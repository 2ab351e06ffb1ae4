//! Turns the events of a run into spans: what every learner did, from when to when, and what came
//! of it.
//!
//! All counts, timelines, lanes and measured delays are made of the spans that [`Spans`] gives.

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
    /// When it started.
    pub from: Duration,
    /// When it ended.
    pub to: Duration,
    /// When, after its start, its learner had the parameters and when the gradient, where these were on
    /// their way for a while.
    pub computes: Option<[Duration; 2]>,
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

/// What a learner is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Doing {
    /// It waits for parameters.
    Waiting,
    /// It computes a gradient.
    Busy {
        /// Its number among the learner's minibatches.
        task: Task,
        /// The version it is computed at.
        version: Version,
        /// When it has the parameters and when the gradient, as a [`Span`] has it.
        #[serde(default)]
        computes: Option<[Duration; 2]>,
    },
    /// It is lost, and another will take its place.
    Away,
    /// It is lost, and the run goes on without it.
    Gone,
}

/// What all learners are doing. At the start of a run, each waits.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spans {
    /// Of those that were heard of, and since when.
    learners: BTreeMap<LearnerId, (Doing, Duration)>,
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

    /// From when to when its learner computed: all the time, unless parameters and gradient were on their
    /// way for a part of it.
    pub fn computing(&self) -> [Duration; 2] {
        match self.computes {
            None => [self.from, self.to],
            Some(both) => both.map(|after| self.from.saturating_add(after).min(self.to)),
        }
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
    /// What `learner` is doing, and since when.
    pub fn doing(&self, learner: LearnerId) -> (Doing, Duration) {
        self.learners.get(&learner).copied().unwrap_or((Doing::Waiting, Duration::ZERO))
    }

    /// Takes an event in; what is over by it. Of a minibatch that was not seen to start, as in a run
    /// that is looked at from its middle on, there is nothing.
    pub fn take(&mut self, time: Duration, event: &Event) -> Option<Stint> {
        let learner = event.learner()?;
        let next = match *event {
            Event::Late { task, .. } => return Some(Stint::Late { learner, task, at: time }),
            Event::Assign { task, version, computes, .. } => {
                let seconds =
                    |seconds| Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
                Doing::Busy { task, version, computes: computes.map(|both| both.map(seconds)) }
            }
            Event::Lost { .. } => Doing::Away,
            Event::Leave { .. } => Doing::Gone,
            Event::Push { .. } | Event::Cancel { .. } | Event::Return { .. } => Doing::Waiting,
            Event::Update { .. } => return None,
        };
        let (doing, since) = self.doing(learner);
        self.learners.insert(learner, (next, time));
        doing.stint(learner, since, time, End::of(event).unwrap_or(End::InFlight))
    }

    /// That an event follows from what its learner did before, in a run that is looked at from its
    /// start, or why it does not.
    pub fn follows(&self, event: &Event) -> Result<(), &'static str> {
        let Some(learner) = event.learner() else { return Ok(()) };
        match (self.doing(learner).0, event) {
            (Doing::Busy { .. }, Event::Assign { .. }) => {
                Err("a minibatch starts before the last one has ended")
            }
            (Doing::Away | Doing::Gone, Event::Assign { .. }) => {
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
                Doing::Busy { task: its, version: at, .. },
                &Event::Push { task, version, .. } | &Event::Cancel { task, version, .. },
            ) if (its, at) == (task, version) => Ok(()),
            _ if End::of(event).is_some() => {
                Err("a minibatch ends that its learner has not started")
            }
            _ => Ok(()),
        }
    }

    /// What all are doing, as if it were over `now`, learner by learner. Of those that have left there
    /// is nothing.
    pub fn until(&self, now: Duration) -> impl Iterator<Item = Stint> {
        let learners = self.learners.iter();
        learners.filter_map(move |(learner, (doing, since))| {
            doing.stint(*learner, *since, now, End::InFlight)
        })
    }
}

impl Doing {
    /// What it comes to; nothing of a wait of no time, or of who has left.
    fn stint(self, learner: LearnerId, from: Duration, to: Duration, end: End) -> Option<Stint> {
        let away = match self {
            Self::Busy { task, version, computes } => {
                let span = Span { learner, task, version, from, to, computes, end };
                return Some(Stint::Work(span));
            }
            Self::Waiting => false,
            Self::Away => true,
            Self::Gone => return None,
        };
        (from < to).then_some(Stint::Pause(Pause { learner, from, to, away }))
    }
}
