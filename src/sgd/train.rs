//! The one loop: the only place that sees scheduler, server and cluster together.
//!
//! What happens at the same moment happens in this order: a push is accepted; the update is made,
//! if K gradients are there; learners start again; and only then comes the next push.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    event::{Event, Observer},
    faults::{Answer, Faults, Tolerance},
    k_schedule::{KSchedule, Progress},
    learning_rate::{Arrival, LearningRate},
    scheduler::{Action, Scheduler, Verdict},
    server::ParameterServer,
    state::{MinibatchLosses, Position, State},
};
use crate::{
    Error, Result,
    cluster::{
        Cluster, Message, Order, Push,
        in_flight::{InFlight, Started},
    },
    ids::{LearnerId, Version},
};

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
    /// The longest wait for a push before `interrupt` is looked at again, where waiting takes time.
    pub look_every: Option<Duration>,
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Ended {
    /// It used up its time or made its updates.
    Done,
    /// It was interrupted.
    Interrupted,
    /// A loss, a gradient or a parameter was not finite.
    Diverged,
}

/// A run: who decides, who holds the parameters, who computes, and the policies. [`RunConfig::run`]
/// makes one out of a few numbers; this is for parts of one's own.
///
/// Sync with two learners that compute nothing and take a second for it:
///
/// ```
/// use std::time::Duration;
/// use tortoise::{
///     cluster::{delay::{Delays, Slow}, simulated::Simulated},
///     sgd::{
///         Cancellation, Ended, Limits, ParameterServer, Run, Scheduler, Variant,
///         k_schedule::FixedK, learning_rate::Constant,
///     },
/// };
///
/// # fn main() -> tortoise::Result<()> {
/// let delays = Delays::new("constant:1".parse()?, &Slow::default(), 2, 0)?;
/// let (server, cluster) = (ParameterServer::new(&[]), Simulated::times_only(2, delays));
/// let scheduler = Scheduler::new(Variant::KSync, Cancellation::Preempt, 2, 2);
/// let mut run = Run::new(scheduler, server, cluster, FixedK(2), Constant(0.1));
/// let limits = Limits { time: Some(Duration::from_secs(10)), ..Limits::default() };
/// assert_eq!(run.train(&limits, &mut ())?, Ended::Done);
/// assert_eq!(run.scheduler.version(), 10);
/// # Ok(())
/// # }
/// ```
///
/// [`RunConfig::run`]: super::RunConfig::run
#[derive(Debug)]
pub struct Run<C, K, R> {
    /// Decides which gradients make an update.
    pub scheduler: Scheduler,
    /// Holds the parameters.
    pub server: ParameterServer,
    /// Computes gradients, and has the clock.
    pub cluster: C,
    k_schedule: K,
    learning_rate: R,
    position: Position,
    /// Whether nobody is at work on what learners had in hand.
    abandoned: bool,
}

impl<C: Cluster, K: KSchedule, R: LearningRate> Run<C, K, R> {
    /// A run from its start, at the server's parameters.
    pub fn new(
        scheduler: Scheduler,
        server: ParameterServer,
        cluster: C,
        k_schedule: K,
        learning_rate: R,
    ) -> Self {
        let learners = scheduler.learners();
        let position = Position {
            progress: Progress { time: Duration::ZERO, version: 0, loss: None },
            evaluation: None,
            in_flight: InFlight::new(learners),
            losses: MinibatchLosses::default(),
            faults: Faults::new(Tolerance::default(), learners),
        };
        Self { scheduler, server, cluster, k_schedule, learning_rate, position, abandoned: false }
    }

    /// The same run, that puts up with so much.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: Tolerance) -> Self {
        self.position.faults = Faults::new(tolerance, self.scheduler.learners());
        self
    }

    /// The same run from `position` on, where scheduler, server and K are as they were there. If the
    /// minibatches in hand are `abandoned` they are lost; else the cluster has them.
    #[must_use]
    pub fn resume(mut self, position: Position, abandoned: bool) -> Self {
        (self.position, self.abandoned) = (position, abandoned);
        self
    }

    /// Trains until a limit is reached.
    ///
    /// # Errors
    /// [`Error::LearnerLost`] where a loss is not put up with, [`Error::NoQuorum`] where too few
    /// learners are left, what the cluster or the observer returns.
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
        let mut evaluation = match self.position.evaluation {
            Some(evaluation) => evaluation,
            None => {
                self.evaluate(Duration::ZERO, observer)?;
                self.see(observer)?;
                every
            }
        };
        self.position.evaluation = Some(evaluation);
        if std::mem::take(&mut self.abandoned) {
            self.take_back(observer)?;
        }
        let ended = loop {
            if self.carry_out(limits.updates, observer)? {
                break Ended::Done;
            }
            if limits.interrupt.is_some_and(|interrupt| interrupt.load(Ordering::Relaxed)) {
                observer.state(&self.state())?;
                break Ended::Interrupted;
            }
            if observer.wants_state() {
                observer.state(&self.state())?;
            }
            let next = evaluation.min(end);
            let look = limits.look_every.map(|every| self.cluster.now().saturating_add(every));
            let until = look.map_or(next, |look| look.min(next));
            match self.cluster.recv(until, self.scheduler.wanted())? {
                Some(Message::Push(push)) => {
                    if !self.take_in(push, observer)? {
                        break Ended::Diverged;
                    }
                }
                Some(Message::Lost { learner, cause }) => self.lose(learner, cause, observer)?,
                Some(Message::Returned(learner)) => {
                    self.scheduler.on_return(learner);
                    observer.event(self.cluster.now(), &Event::Return { learner })?;
                }
                None if until < next => {}
                None if evaluation < end => {
                    self.evaluate(evaluation, observer)?;
                    evaluation = evaluation.saturating_add(every);
                    self.position.evaluation = Some(evaluation);
                }
                None => break Ended::Done,
            }
        };
        self.evaluate(self.cluster.now(), observer)?;
        // Finite gradients can add up to what is not, and after the last update none tells of it.
        let overflown = ended == Ended::Done && !self.server.is_finite();
        Ok(if overflown { Ended::Diverged } else { ended })
    }

    /// All that is needed to go on from here.
    fn state(&self) -> State {
        State {
            now: self.cluster.now(),
            scheduler: self.scheduler.clone(),
            server: self.server.save(),
            following: self.k_schedule.following(),
            position: self.position.clone(),
            held: (0..self.scheduler.learners())
                .map(|learner| self.cluster.held(learner).cloned())
                .collect(),
        }
    }

    /// Lets the observer look at the parameters. Where it answers nothing, the loss is the mean one of
    /// the minibatches accepted since it was last asked.
    fn evaluate(&mut self, time: Duration, observer: &mut impl Observer) -> Result<()> {
        let Position { progress, losses, .. } = &mut self.position;
        let evaluated = observer.evaluate(time, progress.version, self.server.params())?;
        let MinibatchLosses { sum, count } = std::mem::take(losses);
        let mean = (count > 0).then(|| sum / count as f64);
        progress.loss = evaluated.or(mean).or(progress.loss);
        Ok(())
    }

    /// Shows the parameters to whoever decides on K.
    fn see(&mut self, observer: &mut impl Observer) -> Result<()> {
        let (progress, params) = (&self.position.progress, self.server.params());
        self.k_schedule.see(progress, params, &mut |params| observer.loss(params))
    }

    /// Counts what learners had in hand as lost, and lets all that are left start again.
    fn take_back(&mut self, observer: &mut impl Observer) -> Result<()> {
        let now = self.cluster.now();
        for learner in 0..self.scheduler.learners() {
            if let Some(Started { task, .. }) = self.position.in_flight.abandon(learner) {
                let (task, cause) = (Some(task), "the run was stopped".to_owned());
                observer.event(now, &Event::Lost { learner, task, cause })?;
                self.scheduler.on_loss(learner);
            }
            if self.scheduler.on_return(learner) {
                observer.event(now, &Event::Return { learner })?;
            }
        }
        Ok(())
    }

    /// Carries out what the scheduler wants done; true once the last update is made.
    fn carry_out(&mut self, last: Option<Version>, observer: &mut impl Observer) -> Result<bool> {
        let now = self.cluster.now();
        while let Some(action) = self.scheduler.poll() {
            match action {
                Action::Apply { version } => {
                    let k = self.server.apply();
                    observer.event(now, &Event::Update { version, k })?;
                    let progress = &mut self.position.progress;
                    (progress.time, progress.version) = (now, version);
                    if Some(version) == last {
                        return Ok(true);
                    }
                    self.see(observer)?;
                    self.scheduler.set_k(self.k_schedule.next_k(&self.position.progress));
                }
                Action::Assign { learner, version } => {
                    let params = self.server.pull_for(learner);
                    observer.read(learner, version, &params)?;
                    let in_flight = &mut self.position.in_flight;
                    let task = in_flight.next(learner);
                    let due = self.cluster.assign(Order { learner, task, params });
                    let started = Started { task, version, due };
                    if let Some(Started { task, version, .. }) = in_flight.start(learner, started) {
                        observer.event(now, &Event::Cancel { learner, task, version })?;
                    }
                    let computes = self.cluster.computes(learner);
                    let computes = computes.map(|both| both.map(|time| time.as_secs_f64()));
                    observer.event(now, &Event::Assign { learner, task, version, computes })?;
                }
            }
        }
        Ok(false)
    }

    /// Takes a push in; false if the run has diverged, so that there is nothing to go on from.
    fn take_in(&mut self, push: Push, observer: &mut impl Observer) -> Result<bool> {
        let Push { learner, task, loss, gradient, computing } = push;
        let (now, computing) = (self.cluster.now(), computing.map(|time| time.as_secs_f64()));
        let Some(Started { version, .. }) = self.position.in_flight.take(learner, task) else {
            observer.event(now, &Event::Late { learner, task, computing })?;
            return Ok(true);
        };
        let sound = loss.is_none_or(f32::is_finite) && self.server.fits(&gradient);
        let current = self.position.progress.version;
        let staleness = current - version;
        // Of what does not count nothing else is worked out.
        let counts = sound && !self.scheduler.is_too_stale(version);
        let arrival = counts.then(|| {
            let (time, drift) = (now, self.server.drift(learner));
            let norm = self.learning_rate.needs_norm().then(|| ParameterServer::norm(&gradient));
            Arrival { learner, time, version: current, staleness, drift, norm }
        });
        let verdict = match &arrival {
            _ if !sound => self.scheduler.on_reject(learner),
            Some(arrival) if self.learning_rate.drops(arrival) => self.scheduler.on_drop(learner),
            _ => self.scheduler.on_push(learner, version),
        };
        let accepted = arrival.as_ref().filter(|_| verdict == Verdict::Accept);
        let rate = accepted.map(|arrival| self.learning_rate.rate(arrival));
        let event =
            Event::Push { learner, task, version, staleness, verdict, rate, loss, computing };
        observer.event(now, &event)?;
        if !sound {
            return Ok(self.position.faults.on_reject(learner));
        }
        self.position.faults.on_push(learner);
        if let Some(rate) = rate {
            self.server.accumulate(&gradient, rate);
            if let Some(loss) = loss {
                let losses = &mut self.position.losses;
                (losses.sum, losses.count) = (losses.sum + f64::from(loss), losses.count + 1);
            }
        }
        Ok(true)
    }

    /// Goes on after the loss of a learner, as it is put up with.
    fn lose(
        &mut self,
        learner: LearnerId,
        cause: Error,
        observer: &mut impl Observer,
    ) -> Result<()> {
        let now = self.cluster.now();
        let task = self.position.in_flight.abandon(learner).map(|started| started.task);
        observer.event(now, &Event::Lost { learner, task, cause: cause.to_string() })?;
        match self.position.faults.on_loss(learner) {
            Answer::Restart { after } => {
                self.scheduler.on_loss(learner);
                self.cluster.restart(learner, after);
            }
            Answer::Leave => {
                self.scheduler.on_leave(learner);
                self.cluster.leave(learner);
                observer.event(now, &Event::Leave { learner })?;
            }
            Answer::Stop => return Err(Error::LearnerLost { learner, source: cause.into() }),
        }
        let (live, quorum) = (self.scheduler.live(), self.position.faults.quorum());
        if live < quorum {
            let cause = cause.into();
            return Err(Error::NoQuorum { live, quorum, learner, cause });
        }
        Ok(())
    }
}
