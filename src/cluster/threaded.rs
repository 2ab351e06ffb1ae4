//! Learners in real time.
//!
//! With a distribution of delays, a gradient that is done earlier is held back until the time that
//! was drawn for it has passed, as if the learner had taken that long. If its learner is given
//! another minibatch before then, the gradient is dropped. If that happens while it is being
//! computed, it is dropped when it arrives, by the loop, which compares it with the minibatches
//! [`in_flight`](super::in_flight).

use std::time::Duration;

use super::{
    Cluster, Message, Order, Push,
    delay::{DelayModel, Delays},
    learner_threads::{LearnerThreads, ThreadMessage, ThreadNews},
};
use crate::{
    Result, awake,
    dataset::minibatches::Minibatches,
    ids::{LearnerId, Task},
};

/// P learners on threads, and the wall clock, which stands still while this process is stopped.
#[derive(Debug)]
pub struct Threaded<'a> {
    learners: &'a mut LearnerThreads,
    minibatches: Minibatches,
    delays: Option<Delays>,
    /// When the run began or went on, by [`awake::now`], and at which run time.
    origin: (Duration, Duration),
    now: Duration,
    /// The number of the minibatch that each has in hand, and when it is due.
    assigned: Vec<Option<(Task, Duration)>>,
    /// What has come, and when it may be told.
    ready: Vec<(Duration, LearnerId, Message)>,
    /// Learners to start again, and when.
    returning: Vec<(Duration, LearnerId)>,
}

impl<'a> Threaded<'a> {
    /// Learners that begin as soon as all rest, for which they have `patience`, at run time
    /// `start`, when those minibatches have been `started`. With `delays`, which must be new, no
    /// gradient comes before its drawn time.
    ///
    /// # Errors
    /// Where a learner that was still at work has to be replaced and cannot be.
    pub fn new(
        learners: &'a mut LearnerThreads,
        minibatches: Minibatches,
        mut delays: Option<Delays>,
        patience: Duration,
        start: Duration,
        started: &[Task],
    ) -> Result<Self> {
        learners.begin(patience)?;
        if let Some(delays) = &mut delays {
            delays.skip(started);
        }
        let assigned = vec![None; learners.count()];
        let (ready, returning) = (Vec::new(), Vec::new());
        let (origin, now) = ((awake::now(), start), start);
        Ok(Self { learners, minibatches, delays, origin, now, assigned, ready, returning })
    }

    /// Run time when this process has run for so long.
    fn at(&self, awake: Duration) -> Duration {
        let (origin, start) = self.origin;
        start + awake.saturating_sub(origin)
    }

    /// Takes in what a learner says.
    fn hear(&mut self, ThreadMessage { learner, time, news, .. }: ThreadMessage) {
        let time = self.at(time);
        let (time, message) = match news {
            ThreadNews::Rested => return,
            ThreadNews::Opened { samples, kill } => {
                self.learners.opened(learner, samples, kill);
                (time, Message::Returned(learner))
            }
            ThreadNews::Failed(cause) => (time, Message::Lost { learner, cause }),
            ThreadNews::Computed { task, computed, computing, .. } => {
                let in_hand = self.assigned[learner].filter(|(own, _)| *own == task);
                let (loss, gradient) = (Some(computed.loss), computed.gradient);
                let computing = Some(computing);
                let push = Push { learner, task, loss, gradient, computing };
                let due = in_hand.map_or(time, |(_, due)| due.max(time));
                (due, Message::Push(push))
            }
        };
        self.ready.push((time, learner, message));
    }

    /// What may be told first: its place, and when.
    fn next(&self) -> Option<(usize, Duration)> {
        let order = self.ready.iter().zip(0..).map(|((time, learner, _), at)| (time, learner, at));
        order.min().map(|(time, _, at)| (at, *time))
    }

    /// Starts those learners again whose time has come.
    fn restart_due(&mut self, now: Duration) {
        while let Some(at) = self.returning.iter().position(|(time, _)| *time <= now) {
            let (_, learner) = self.returning.swap_remove(at);
            if let Err(cause) = self.learners.restart(learner) {
                self.ready.push((now, learner, Message::Lost { learner, cause }));
            }
        }
    }
}

impl Cluster for Threaded<'_> {
    fn assign(&mut self, order: Order) -> Option<Duration> {
        let Order { learner, task, .. } = order;
        // What is held back has been overtaken.
        self.ready.retain(|(_, other, message)| {
            *other != learner || !matches!(message, Message::Push(push) if push.task < task)
        });
        let delay = self.delays.as_mut().map(|delays| delays.sample(learner));
        let due = delay.map(|delay| self.now.saturating_add(delay));
        self.assigned[learner] = Some((task, due.unwrap_or(self.now)));
        self.learners.order(order, self.minibatches.clone());
        due
    }

    fn recv(&mut self, until: Duration, _: Option<usize>) -> Result<Option<Message>> {
        loop {
            while let Some(report) = self.learners.wait(Duration::ZERO) {
                self.hear(report);
            }
            let now = self.at(awake::now());
            self.restart_due(now);
            let next = self.next();
            if let Some((at, time)) = next
                && time <= now.min(until)
            {
                self.now = now.min(until).max(self.now);
                return Ok(Some(self.ready.swap_remove(at).2));
            }
            if now >= until {
                self.now = until.max(self.now);
                return Ok(None);
            }
            let returning = self.returning.iter().map(|(time, _)| *time);
            let first = returning.chain(next.map(|(_, time)| time)).fold(until, Duration::min);
            if let Some(report) = self.learners.wait(first.saturating_sub(now)) {
                self.hear(report);
            }
        }
    }

    fn restart(&mut self, learner: LearnerId, after: Duration) {
        self.leave(learner);
        self.returning.push((self.now.saturating_add(after), learner));
    }

    fn leave(&mut self, learner: LearnerId) {
        self.learners.kill(learner);
        self.assigned[learner] = None;
        self.returning.retain(|(_, other)| *other != learner);
        // What it has said of itself was of the one that is lost; what it computed, numbers tell.
        let pushed = |message: &Message| matches!(message, Message::Push(_));
        self.ready.retain(|(_, other, message)| *other != learner || pushed(message));
    }

    fn now(&self) -> Duration {
        self.now
    }
}
