//! The one loop: the only place that sees scheduler, server and cluster together.
//!
//! Within an instant, in this order: a push is accepted, the update is made if its quota is reached,
//! learners start again, and only then comes the next push.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    k_schedule::{KSchedule, Progress},
    learning_rate::{Arrival, LearningRate},
    scheduler::{Action, LearnerId, Scheduler, Verdict, Version},
    server::{ParameterServer, Snapshot},
};
use crate::{
    Result,
    cluster::{Assigned, Cluster, Push, Task},
};

/// Everything that happens in a run, in the order in which it happens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
#[expect(missing_docs, reason = "the fields are those of the run record")]
pub enum Event {
    /// A learner starts a minibatch at a version.
    Assign { learner: LearnerId, task: Task, version: Version },
    /// A gradient computed at `version` arrives. `rate` is its learning rate if it is accepted.
    Push {
        learner: LearnerId,
        task: Task,
        version: Version,
        verdict: Verdict,
        #[serde(skip_serializing_if = "Option::is_none")]
        rate: Option<f32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        loss: Option<f32>,
    },
    /// A minibatch is cancelled before it is finished.
    Cancel { learner: LearnerId, task: Task, version: Version },
    /// K gradients have made `version`.
    Update { version: Version, k: usize },
}

/// Looks on. What it does takes no run time.
pub trait Observer {
    /// Is told of everything that happens, at run time `time`.
    ///
    /// # Errors
    /// Whatever keeps it from going on; it ends the run.
    fn event(&mut self, time: Duration, event: &Event) -> Result<()>;

    /// Is shown the parameters that a learner reads, and may keep them. In every variant each version
    /// but the last is read before an update is made of it, so the one read last is w_j.
    ///
    /// # Errors
    /// Whatever keeps it from going on; it ends the run.
    fn read(&mut self, _learner: LearnerId, _version: Version, _params: &Snapshot) -> Result<()> {
        Ok(())
    }

    /// Is shown the parameters at the start, at every evaluation time and at the end; may answer
    /// with the training loss.
    ///
    /// # Errors
    /// Whatever keeps it from going on; it ends the run.
    fn evaluate(
        &mut self,
        _time: Duration,
        _version: Version,
        _params: &[f32],
    ) -> Result<Option<f64>> {
        Ok(None)
    }
}

/// Looks away.
impl Observer for () {
    fn event(&mut self, _: Duration, _: &Event) -> Result<()> {
        Ok(())
    }
}

/// When to stop, and when to look.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits<'a> {
    /// Run time to stop at; pushes at that very moment still count.
    pub time: Option<Duration>,
    /// Updates to stop after.
    pub updates: Option<Version>,
    /// Run time between evaluations; at the start and at the end there is always one.
    pub evaluate_every: Option<Duration>,
    /// Once true, the run ends before the next push.
    pub interrupt: Option<&'a AtomicBool>,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// It used up its time or made its updates.
    Done,
    /// It was interrupted.
    Interrupted,
    /// A loss was no finite number.
    Diverged,
}

/// A run: who decides, who holds the parameters, who computes, and the two policies.
#[derive(Debug)]
pub struct Run<C, K, R> {
    /// Decides which gradients make an update.
    pub scheduler: Scheduler,
    /// Holds the parameters.
    pub server: ParameterServer,
    /// Computes gradients, and has the clock.
    pub cluster: C,
    /// K over time.
    pub k_schedule: K,
    /// The rate of each gradient.
    pub learning_rate: R,
}

impl<C: Cluster, K: KSchedule, R: LearningRate> Run<C, K, R> {
    /// Trains until a limit is reached.
    ///
    /// # Errors
    /// [`crate::Error::LearnerLost`], or what the observer returns.
    ///
    /// # Panics
    /// If neither time nor updates are limited.
    pub fn train(&mut self, limits: &Limits<'_>, observer: &mut impl Observer) -> Result<Ended> {
        assert!(limits.time.is_some() || limits.updates.is_some(), "a run has an end");
        if self.learning_rate.needs_drift() {
            self.server.keep_read(self.scheduler.learners());
        }
        let end = limits.time.unwrap_or(Duration::MAX);
        let every = limits.evaluate_every.unwrap_or(Duration::MAX);
        let mut evaluation = every;
        let mut progress = Progress { time: Duration::ZERO, version: 0, loss: None };
        progress.loss = observer.evaluate(progress.time, 0, self.server.params())?;
        let ended = loop {
            if self.carry_out(&mut progress, limits.updates, observer)? {
                break Ended::Done;
            }
            if limits.interrupt.is_some_and(|interrupt| interrupt.load(Ordering::Relaxed)) {
                break Ended::Interrupted;
            }
            match self.cluster.recv(evaluation.min(end), self.scheduler.wanted())? {
                Some(push) => {
                    if !self.take_in(push, progress.version, observer)? {
                        break Ended::Diverged;
                    }
                }
                None if evaluation < end => {
                    let (version, params) = (progress.version, self.server.params());
                    progress.loss = observer.evaluate(evaluation, version, params)?;
                    evaluation = evaluation.saturating_add(every);
                }
                None => break Ended::Done,
            }
        };
        observer.evaluate(self.cluster.now(), progress.version, self.server.params())?;
        Ok(ended)
    }

    /// Carries out what the scheduler wants done; true once the last update is made.
    fn carry_out(
        &mut self,
        progress: &mut Progress,
        last: Option<Version>,
        observer: &mut impl Observer,
    ) -> Result<bool> {
        let now = self.cluster.now();
        while let Some(action) = self.scheduler.poll() {
            match action {
                Action::Apply { version } => {
                    let k = self.server.apply();
                    observer.event(now, &Event::Update { version, k })?;
                    (progress.time, progress.version) = (now, version);
                    if Some(version) == last {
                        return Ok(true);
                    }
                    self.scheduler.set_k(self.k_schedule.next_k(progress));
                }
                Action::Assign { learner, version } => {
                    let params = self.server.pull_for(learner);
                    observer.read(learner, version, &params)?;
                    let Assigned { task, cancelled } =
                        self.cluster.assign(learner, version, params);
                    if let Some(unfinished) = cancelled {
                        let (task, version) = (unfinished.task, unfinished.version);
                        observer.event(now, &Event::Cancel { learner, task, version })?;
                    }
                    observer.event(now, &Event::Assign { learner, task, version })?;
                }
            }
        }
        Ok(false)
    }

    /// Takes a push in; false if its loss is not finite, so that there is nothing to go on from.
    fn take_in(
        &mut self,
        push: Push,
        current: Version,
        observer: &mut impl Observer,
    ) -> Result<bool> {
        let Push { learner, task, version, loss, gradient } = push;
        let verdict = self.scheduler.on_push(learner, version);
        let rate = (verdict == Verdict::Accept).then(|| {
            let (time, staleness) = (self.cluster.now(), current - version);
            let drift = self.server.drift(learner);
            self.learning_rate.rate(&Arrival { learner, time, version: current, staleness, drift })
        });
        observer.event(
            self.cluster.now(),
            &Event::Push { learner, task, version, verdict, rate, loss },
        )?;
        if loss.is_some_and(|loss| !loss.is_finite()) {
            return Ok(false);
        }
        if let Some(rate) = rate {
            self.server.accumulate(&gradient, rate);
        }
        Ok(true)
    }
}
