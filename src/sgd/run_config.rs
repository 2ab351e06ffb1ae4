//! The configuration of a run: everything but the entrant and the seed, and so what is the same for
//! all entrants of a race.

use std::{sync::atomic::AtomicBool, time::Duration};

use super::{
    entrant::Entrant,
    event::Observer,
    faults::Tolerance,
    k_schedule::KSchedule,
    learning_rate::{RateRule, Ruled},
    scheduler::{Cancellation, Scheduler},
    server::ParameterServer,
    simulate::{memoryless_update_times, update_times},
    train::{Ended, Limits, Run},
};
use crate::{
    Error, Result,
    cluster::{
        Cluster, Snapshot,
        chaos::{Chaos, FaultPlan},
        deadlines::{AT_FIRST, WithDeadlines},
        delay::{Delays, Distribution, Slow},
        engine_pool::EnginePool,
        learner_threads::LearnerThreads,
        simulated::Simulated,
        threaded::Threaded,
    },
    dataset::{minibatches::Minibatches, shards::Shards},
    ids::Version,
    sgd::state::State,
};

/// How long Ctrl-C may go unnoticed in real time.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// What is the same for all entrants. Times are run time in seconds.
///
/// ```
/// use std::sync::Arc;
/// use tortoise::{
///     cluster::engine_pool::EnginePool,
///     engine::quadratic::{Quadratic, coins},
///     sgd::{Ended, RunConfig},
/// };
///
/// # fn main() -> tortoise::Result<()> {
/// // Twice the distance from the mean of 512 throws of three coins, squared.
/// let train = Arc::new(coins(512, 3, 0)?);
/// let engine = Quadratic::new(&train, vec![4.0; 3]);
/// let queues = EnginePool::here(engine.clone());
/// let run_config = RunConfig {
///     minibatch: 8,
///     delay: Some("pareto:shape=2,scale=1".parse()?),
///     updates: Some(500),
///     ..RunConfig::new(4, 0.02)
/// };
/// let run = run_config.run(&"k-batch-async:2".parse()?, 0, &[0.0; 3][..], &queues, None, &mut ())?;
/// assert_eq!(run.ended, Ended::Done);
/// assert!(engine.loss(&run.params) < 0.05 * engine.loss(&[0.0; 3]));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct RunConfig {
    /// P, the number of learners.
    pub learners: usize,
    /// Samples in a minibatch, m, of an entrant that has no m of its own.
    pub minibatch: usize,
    /// eta, the rate of a gradient before the rule makes it smaller, of an entrant that has no rate of its
    /// own.
    pub learning_rate: f64,
    /// What makes the rate of a gradient smaller, of an entrant that has no rule of its own.
    pub rate_rule: RateRule,
    /// beta of the server's momentum, from 0 to below 1, of an entrant that has none of its own.
    pub momentum: f64,
    /// The norm that each gradient is clipped to, if one is, of an entrant that has none of its own.
    pub clip: Option<f64>,
    /// Distribution of the time a minibatch takes; none in real time, where it takes as long as it
    /// takes.
    pub delay: Option<Distribution>,
    /// What each sample of a minibatch adds to that time, in seconds.
    pub per_sample: f64,
    /// The parts of the training set that learners draw from; all from all of it, if there are none.
    pub shards: Option<Shards>,
    /// Distribution of the time that a pull takes on the way, and that a push takes; none where it takes no
    /// time, and in real time.
    pub link: Option<Distribution>,
    /// Learners that are slower than the distribution says.
    pub slow: Slow,
    /// What becomes of cancelled work.
    pub cancellation: Cancellation,
    /// Run time to stop at, in seconds.
    pub budget: Option<f64>,
    /// Updates to stop after.
    pub updates: Option<Version>,
    /// Run time between evaluations, in seconds; at the start and at the end there is always one.
    pub evaluate_every: Option<f64>,
    /// Run time between looks of `AdaSync`, in seconds, at the loss that was evaluated last, and the
    /// longest between two looks where K is measured; as often as the loss is evaluated, if nothing is
    /// said.
    pub adasync_every: Option<f64>,
    /// The faults that a run puts up with.
    pub tolerance: Tolerance,
    /// The least that a silent learner is waited for, in seconds, where learners can be lost.
    pub patience: f64,
    /// Faults on purpose.
    pub chaos: Option<FaultPlan>,
}

/// Where a run starts: at some parameters, or where another stopped.
#[derive(Debug, Clone)]
pub enum Start<'a> {
    /// w_0.
    Initial(&'a [f32]),
    /// All that was kept of a run.
    Saved(Box<State>),
}

impl<'a> From<&'a [f32]> for Start<'a> {
    fn from(initial: &'a [f32]) -> Self {
        Self::Initial(initial)
    }
}

/// How a run ended, and where.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Why it ended.
    pub ended: Ended,
    /// The last parameters, flat.
    pub params: Snapshot,
}

impl RunConfig {
    /// P = `learners` with one minibatch of one sample in hand each, exponential times of mean 1 and
    /// pre-emptive cancellation, at a constant rate. Says nothing of when to stop.
    pub fn new(learners: usize, learning_rate: f64) -> Self {
        Self {
            learners,
            minibatch: 1,
            learning_rate,
            rate_rule: RateRule::Constant,
            momentum: 0.0,
            clip: None,
            delay: Some(Distribution::Exponential { mean: 1.0 }),
            per_sample: 0.0,
            shards: None,
            link: None,
            slow: Slow::default(),
            cancellation: Cancellation::Preempt,
            budget: None,
            updates: None,
            evaluate_every: None,
            adasync_every: None,
            tolerance: Tolerance::default(),
            patience: 2.0,
            chaos: None,
        }
    }

    /// The same as it is for `entrant`, which has settings of its own.
    #[must_use]
    pub fn of(&self, entrant: &Entrant) -> Self {
        Self {
            minibatch: entrant.minibatch().unwrap_or(self.minibatch),
            learning_rate: entrant.rate().unwrap_or(self.learning_rate),
            rate_rule: entrant.rate_rule().unwrap_or(self.rate_rule),
            momentum: entrant.momentum().unwrap_or(self.momentum),
            clip: entrant.clip().or(self.clip).filter(|norm| norm.is_finite()),
            cancellation: entrant.cancellation(self.cancellation),
            ..self.clone()
        }
    }

    /// Whether updates are plain SGD: every gradient counts as it is, at one rate.
    pub fn is_plain(&self) -> bool {
        self.rate_rule == RateRule::Constant && self.momentum == 0.0 && self.clip.is_none()
    }

    /// One run of `entrant` in virtual time. Delays and minibatches are functions of the seed, so that
    /// all entrants have the same. It goes on from what was kept as if it had not stopped, unless
    /// there are faults on purpose: of those nothing is kept, and what learners had in hand is lost.
    ///
    /// # Errors
    /// [`Error::Config`] where the entrant or the delays do not fit the learners,
    /// [`Error::LearnerLost`], or what the observer returns.
    ///
    /// # Panics
    /// If neither time nor updates are limited, if there are fewer samples than m, or if the
    /// entrant follows a loss that is never evaluated.
    pub fn run<'s>(
        &self,
        entrant: &Entrant,
        seed: u64,
        start: impl Into<Start<'s>>,
        queues: &EnginePool,
        interrupt: Option<&AtomicBool>,
        observer: &mut impl Observer,
    ) -> Result<Finished> {
        let (start, own) = (start.into(), self.of(entrant));
        let delays = own.delays(seed)?;
        let minibatches = own.minibatches(queues.samples(), seed)?;
        let mut cluster = Simulated::with_gradients(own.learners, delays, queues, minibatches);
        let abandoned = own.chaos.is_some();
        if let Start::Saved(state) = &start {
            let in_flight = &state.position.in_flight;
            let mut pairs = in_flight.all().iter().zip(&state.held);
            if !abandoned && pairs.any(|(hand, held)| hand.is_some() && held.is_none()) {
                return Err(Error::config("what was kept of the run is of one in real time"));
            }
            cluster = match abandoned {
                false => cluster.resume(state.now, in_flight, &state.held),
                true => cluster.resume(state.now, &in_flight.emptied(), &[]),
            };
        }
        let limits = Limits { interrupt, ..own.limits() };
        match own.chaos {
            None => own.train(entrant, start, abandoned, cluster, &limits, observer),
            Some(plan) => {
                let patience = own.patience();
                let chaos = Chaos::new(cluster, plan, patience);
                let cluster = WithDeadlines::new(chaos, own.learners, patience);
                own.train(entrant, start, abandoned, cluster, &limits, observer)
            }
        }
    }

    /// One run of `entrant` in real time, on `learners`. Where there is a distribution of the delays,
    /// learners are held back to the times drawn from it.
    ///
    /// # Errors
    /// [`Error::Config`] where the entrant or the delays do not fit the learners,
    /// [`Error::LearnerLost`] and [`Error::NoQuorum`] where losses are not put up with, or what the
    /// observer returns.
    ///
    /// # Panics
    /// As [`run`](Self::run), and if there are not P learners.
    pub fn run_in_real_time<'s>(
        &self,
        entrant: &Entrant,
        seed: u64,
        start: impl Into<Start<'s>>,
        learners: &mut LearnerThreads,
        interrupt: Option<&AtomicBool>,
        observer: &mut impl Observer,
    ) -> Result<Finished> {
        assert_eq!(learners.count(), self.learners, "there are P learners");
        let (start, own) = (start.into(), self.of(entrant));
        let patience = own.patience();
        let minibatches = own.minibatches(learners.samples(), seed)?;
        let delays = own.delay.is_some().then(|| own.delays(seed)).transpose()?;
        let (now, started) = match &start {
            Start::Saved(state) => (state.now, state.position.in_flight.started()),
            Start::Initial(_) => (Duration::ZERO, &[][..]),
        };
        // Of what is at work from the run before, nothing has been seen.
        let at_first = patience.saturating_mul(AT_FIRST);
        let threaded = Threaded::new(learners, minibatches, delays, at_first, now, started)?;
        let look_every = Some(LOOK_EVERY);
        let limits = Limits { interrupt, look_every, ..own.limits() };
        let cluster: Box<dyn Cluster> = match own.chaos {
            None => Box::new(threaded),
            Some(plan) => Box::new(Chaos::new(threaded, plan, patience)),
        };
        let cluster = WithDeadlines::new(cluster, own.learners, patience);
        own.train(entrant, start, true, cluster, &limits, observer)
    }

    /// A run of `entrant`, of which this is the configuration. Where the minibatches in hand are
    /// `abandoned`, those of a run that goes on are lost.
    fn train(
        &self,
        entrant: &Entrant,
        start: Start<'_>,
        abandoned: bool,
        cluster: impl Cluster,
        limits: &Limits<'_>,
        observer: &mut impl Observer,
    ) -> Result<Finished> {
        let Self { learners, cancellation, momentum, .. } = *self;
        let rate = Ruled { rule: self.rate_rule, most: self.learning_rate, clip: self.clip };
        let window = self.adasync_every.or(self.evaluate_every);
        assert!(!entrant.adapts() || window.is_some(), "what follows a loss needs evaluations");
        let window = window.map_or(Duration::MAX, Duration::from_secs_f64);
        let k = entrant.k(learners)?;
        let mut run = match start {
            Start::Initial(initial) => {
                let scheduler = Scheduler::new(entrant.rules(), cancellation, learners, k);
                let k_schedule = self.k_schedule(entrant, window)?;
                let server = ParameterServer::new(initial).with_momentum(momentum);
                Run::new(scheduler, server, cluster, k_schedule, rate)
                    .with_tolerance(self.tolerance)
            }
            Start::Saved(state) => {
                let State { scheduler, server, following, position, .. } = *state;
                let k_schedule = match following {
                    Some(following) => following.into(),
                    None => self.k_schedule(entrant, window)?,
                };
                let server = ParameterServer::resume(server).with_momentum(momentum);
                Run::new(scheduler, server, cluster, k_schedule, rate).resume(position, abandoned)
            }
        };
        let ended = run.train(limits, observer)?;
        Ok(Finished { ended, params: run.server.pull() })
    }

    /// K over time; where it follows the loss, with a `window` of run time between two looks.
    fn k_schedule(&self, entrant: &Entrant, window: Duration) -> Result<Box<dyn KSchedule>> {
        let Self { learners, cancellation, .. } = *self;
        entrant.k_schedule(learners, window, || match self.time_of_a_minibatch() {
            Some(_) => update_times(entrant, cancellation, learners, || self.delays(0)),
            None => Ok(memoryless_update_times(entrant, learners)),
        })
    }

    /// Which of so many `samples` each minibatch has.
    ///
    /// # Errors
    /// [`Error::Config`] where a learner would have too few of them.
    ///
    /// # Panics
    /// If there are fewer than m.
    pub fn minibatches(&self, samples: usize, seed: u64) -> Result<Minibatches> {
        let minibatches = Minibatches::new(seed, samples, self.minibatch);
        match &self.shards {
            None => Ok(minibatches),
            Some(shards) => Ok(minibatches.within(shards.split(samples, self.learners, seed)?)),
        }
    }

    /// Distribution of the time a minibatch takes, with the part of its samples.
    ///
    /// # Errors
    /// [`Error::Config`] where it takes as long as it takes.
    pub fn distribution(&self) -> Result<Distribution> {
        self.time_of_a_minibatch()
            .ok_or_else(|| Error::config("in virtual time the delays need a distribution"))
    }

    fn time_of_a_minibatch(&self) -> Option<Distribution> {
        self.delay.clone().map(|delay| delay.later(self.per_sample * self.minibatch as f64))
    }

    /// The time of every minibatch of a run, in seconds of virtual time.
    ///
    /// # Errors
    /// [`Error::Config`] where delays or link do not fit the learners, or are not drawn.
    pub fn delays(&self, seed: u64) -> Result<Delays> {
        Delays::new(self.distribution()?, &self.slow, self.learners, seed)?
            .with_link(self.link.as_ref(), seed)
    }

    fn patience(&self) -> Duration {
        Duration::from_secs_f64(self.patience)
    }

    fn limits(&self) -> Limits<'_> {
        Limits {
            time: self.budget.map(Duration::from_secs_f64),
            updates: self.updates,
            evaluate_every: self.evaluate_every.map(Duration::from_secs_f64),
            ..Limits::default()
        }
    }
}
