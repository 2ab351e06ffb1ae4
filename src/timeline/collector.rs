//! From the events of a run to its timeline.

use std::time::Duration;

use super::{Lane, Timeline, Update};
use crate::{
    Error, Result,
    ids::{LearnerId, Task, Version},
    sgd::{
        event::{Event, Observer},
        spans::{End, Spans, Stint},
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
    spans: Spans,
    lanes: Vec<Lane>,
    updates: Vec<Update>,
    /// The minibatches accepted since the last update.
    gathered: Vec<(LearnerId, Task)>,
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
        let Self { version: made, spans, mut lanes, updates, .. } = self;
        let until = end.max(self.now);
        spans.until(until).for_each(|stint| lanes[stint.learner()].add(stint));
        Timeline { from: Duration::ZERO, until, version: 0, made, lanes, updates }
    }

    /// j, of the parameters as they are now.
    pub(super) fn version(&self) -> Version {
        self.version
    }

    /// Takes an event in, unless it is full; what does not follow from the events before it is a
    /// problem.
    pub(super) fn take(&mut self, time: Duration, event: &Event) -> Taken {
        if self.is_full() {
            return Ok(());
        }
        self.follows(time, event)?;
        self.taken += 1;
        self.now = time;
        if event.learner() == Some(self.lanes.len()) {
            self.lanes.push(Lane::default());
        }
        if let Some(stint) = self.spans.take(time, event) {
            self.lanes[stint.learner()].add(stint);
            if let Stint::Work(span) = stint
                && matches!(span.end, End::Accepted { .. })
            {
                self.gathered.push((span.learner, span.task));
            }
        }
        if let Event::Update { version, .. } = *event {
            self.version = version;
            let pushes = std::mem::take(&mut self.gathered);
            self.updates.push(Update { at: time, version, pushes });
        }
        Ok(())
    }

    fn follows(&self, time: Duration, event: &Event) -> Taken {
        if time < self.now {
            return Err("time runs backwards");
        }
        if event.learner().is_some_and(|learner| learner > self.lanes.len()) {
            return Err("learners start in another order than that of their numbers");
        }
        match *event {
            Event::Assign { version, .. } if version != self.version => {
                Err("a minibatch starts at parameters that are not the last ones")
            }
            Event::Update { version, .. } if version != self.version + 1 => {
                Err("an update does not follow the one before it")
            }
            Event::Update { k, .. } if k != self.gathered.len() => {
                Err("an update takes another number of gradients than were accepted for it")
            }
            _ => self.spans.follows(event),
        }
    }
}

impl Lane {
    fn add(&mut self, stint: Stint) {
        match stint {
            Stint::Work(span) => self.spans.push(span),
            Stint::Pause(pause) => self.pauses.push(pause),
            Stint::Late { task, at, .. } => self.late.push((at, task)),
        }
    }
}

impl Observer for Collector {
    /// [`Error::Config`] where it has not looked on from the start of the run.
    fn event(&mut self, time: Duration, event: &Event) -> Result<()> {
        self.take(time, event).map_err(Error::config)
    }
}
