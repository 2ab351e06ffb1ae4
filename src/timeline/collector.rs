//! From the events of a run to its timeline.

use std::time::Duration;

use super::{End, Lane, Pause, Span, Timeline, Update};
use crate::{
    Error, Result,
    ids::{LearnerId, Task, Version},
    sgd::{
        event::{Event, Observer},
        scheduler::Verdict,
    },
};

/// That an event follows from those before it, or why it does not.
type Taken = std::result::Result<(), &'static str>;

/// Looks on at a run and builds the timeline of its first events.
#[derive(Debug, Default)]
pub struct Collector {
    most: usize,
    taken: usize,
    now: Duration,
    version: Version,
    learners: Vec<(Lane, Doing)>,
    updates: Vec<Update>,
    /// The minibatches accepted since the last update: whose, and the places of their spans.
    gathered: Vec<(LearnerId, usize)>,
}

/// What a learner is doing.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Doing {
    Waiting(Duration),
    Busy { since: Duration, task: Task, version: Version },
    Away(Duration),
    Gone,
}

impl Collector {
    /// Takes so many events; those that come after are left out.
    pub fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    /// Whether it takes no more.
    pub fn is_full(&self) -> bool {
        self.taken >= self.most
    }

    /// The timeline up to the last event.
    pub fn finish(self) -> Timeline {
        let now = self.now;
        self.finish_at(now)
    }

    /// The timeline up to run time `end`, before which nothing else happens.
    pub fn finish_at(self, end: Duration) -> Timeline {
        let now = end.max(self.now);
        let lane = |(mut lane, doing): (Lane, Doing)| {
            if let Doing::Busy { since: from, task, version } = doing {
                lane.spans.push(Span { from, to: now, task, version, end: End::InHand });
            }
            pause(&mut lane, doing, now);
            lane
        };
        let lanes = self.learners.into_iter().map(lane).collect();
        Timeline { from: Duration::ZERO, until: now, version: 0, lanes, updates: self.updates }
    }

    /// Takes an event in, unless it is full; what does not follow from the events before it is a
    /// problem.
    pub(super) fn take(&mut self, time: Duration, event: &Event) -> Taken {
        if self.is_full() {
            return Ok(());
        }
        if time < self.now {
            return Err("time runs backwards");
        }
        self.taken += 1;
        self.now = time;
        match *event {
            Event::Assign { learner, task, version } => self.assign(learner, task, version),
            Event::Push { learner, task, version, verdict, .. } => {
                // Looked at first: what is not there has no staleness.
                let staleness = self.version.checked_sub(version);
                let staleness = staleness.ok_or("a gradient is of parameters that are not made")?;
                self.end(
                    learner,
                    task,
                    version,
                    match verdict {
                        Verdict::Accept => End::Accepted { staleness, update: None },
                        Verdict::Discard => End::Discarded,
                        Verdict::Reject => End::Rejected,
                    },
                )?;
                if verdict == Verdict::Accept {
                    let last = self.learners[learner].0.spans.len() - 1;
                    self.gathered.push((learner, last));
                }
                Ok(())
            }
            Event::Cancel { learner, task, version } => {
                self.end(learner, task, version, End::Cancelled)
            }
            Event::Late { learner, task, .. } => {
                self.of(learner)?.0.late.push((time, task));
                Ok(())
            }
            Event::Lost { learner, task, .. } => self.lose(learner, task),
            Event::Return { learner } => self.turn(learner, |doing, now| match doing {
                Doing::Away(_) => Doing::Waiting(now),
                other => other,
            }),
            Event::Leave { learner } => self.turn(learner, |_, _| Doing::Gone),
            Event::Update { version, k } => self.update(version, k),
        }
    }

    fn assign(&mut self, learner: LearnerId, task: Task, version: Version) -> Taken {
        if version != self.version {
            return Err("a minibatch starts at parameters that are not the last ones");
        }
        match self.of(learner)?.1 {
            Doing::Waiting(_) => {}
            Doing::Busy { .. } => return Err("a minibatch starts before the last one has ended"),
            Doing::Away(_) | Doing::Gone => return Err("a learner starts that was lost"),
        }
        self.turn(learner, |_, since| Doing::Busy { since, task, version })
    }

    fn lose(&mut self, learner: LearnerId, task: Option<Task>) -> Taken {
        match (self.of(learner)?.1, task) {
            (Doing::Busy { version, .. }, Some(task)) => {
                self.end(learner, task, version, End::Lost)?;
            }
            (Doing::Busy { .. }, None) => return Err("a learner is lost without its minibatch"),
            (_, Some(_)) => return Err(NOT_STARTED),
            _ => {}
        }
        self.turn(learner, |doing, now| match doing {
            Doing::Away(_) | Doing::Gone => doing,
            _ => Doing::Away(now),
        })
    }

    fn update(&mut self, version: Version, k: usize) -> Taken {
        if version != self.version + 1 {
            return Err("an update does not follow the one before it");
        }
        if k != self.gathered.len() {
            return Err("an update takes another number of gradients than were accepted for it");
        }
        self.version = version;
        let mut pushes = Vec::with_capacity(k);
        for (learner, place) in self.gathered.drain(..) {
            let span = &mut self.learners[learner].0.spans[place];
            if let End::Accepted { update, .. } = &mut span.end {
                *update = Some(version);
            }
            pushes.push((learner, span.task));
        }
        self.updates.push(Update { at: self.now, version, pushes });
        Ok(())
    }

    /// Ends the minibatch that `learner` has in hand, which must be this one.
    fn end(&mut self, learner: LearnerId, task: Task, version: Version, end: End) -> Taken {
        let to = self.now;
        let (lane, doing) = self.of(learner)?;
        match *doing {
            Doing::Busy { since: from, task: its, version: of } if (its, of) == (task, version) => {
                lane.spans.push(Span { from, to, task, version: of, end });
                *doing = Doing::Waiting(to);
                Ok(())
            }
            _ => Err(NOT_STARTED),
        }
    }

    /// From what `learner` does to what comes next.
    fn turn(&mut self, learner: LearnerId, next: impl Fn(Doing, Duration) -> Doing) -> Taken {
        let now = self.now;
        let (lane, doing) = self.of(learner)?;
        let next = next(*doing, now);
        if next != *doing {
            pause(lane, *doing, now);
            *doing = next;
        }
        Ok(())
    }

    fn of(&mut self, learner: LearnerId) -> std::result::Result<&mut (Lane, Doing), &'static str> {
        if learner == self.learners.len() {
            self.learners.push((Lane::default(), Doing::Waiting(Duration::ZERO)));
        }
        self.learners
            .get_mut(learner)
            .ok_or("learners start in another order than that of their numbers")
    }
}

const NOT_STARTED: &str = "a minibatch ends that its learner has not started";

/// Notes that a learner waited or was away until `to`.
fn pause(lane: &mut Lane, doing: Doing, to: Duration) {
    let (from, away) = match doing {
        Doing::Waiting(since) => (since, false),
        Doing::Away(since) => (since, true),
        Doing::Busy { .. } | Doing::Gone => return,
    };
    if from < to {
        lane.pauses.push(Pause { from, to, away });
    }
}

impl Observer for Collector {
    /// [`Error::Config`] where it has not looked on from the start of the run.
    fn event(&mut self, time: Duration, event: &Event) -> Result<()> {
        self.take(time, event).map_err(Error::config)
    }
}
