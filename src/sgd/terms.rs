//! The terms on which entrants race: everything of a run but the entrant and the seed.

use std::{sync::atomic::AtomicBool, time::Duration};

use super::{
    entrant::Entrant,
    learning_rate::{RateRule, Ruled},
    scheduler::{Cancellation, Scheduler, Version},
    server::{ParameterServer, Snapshot},
    train::{Ended, Limits, Observer, Run},
};
use crate::{
    Result,
    cluster::{
        delay::{Delays, Distribution, Slow},
        queues::Queues,
        simulated::Simulated,
    },
    dataset::minibatches::Minibatches,
};

/// What is the same for all entrants. Times are run time in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// P.
    pub learners: usize,
    /// m, the samples a gradient.
    pub minibatch: usize,
    /// The rate of a gradient, before the rule.
    pub learning_rate: f64,
    /// What makes the rate of a gradient smaller.
    pub rate_rule: RateRule,
    /// Law of the time a minibatch takes.
    pub delay: Distribution,
    /// Learners that are slower than the law says.
    pub slow: Slow,
    /// What becomes of cancelled work.
    pub cancellation: Cancellation,
    /// Run time to stop at.
    pub budget: Option<f64>,
    /// Updates to stop after.
    pub updates: Option<Version>,
    /// Between evaluations; at the start and at the end there is always one.
    pub evaluate_every: Option<f64>,
    /// Between looks of `AdaSync` at the loss that was evaluated last; as often as it is evaluated,
    /// if nothing is said.
    pub adasync_every: Option<f64>,
}

/// How a run ended, and where.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Why.
    pub ended: Ended,
    /// The last parameters.
    pub params: Snapshot,
}

impl Terms {
    /// P = `learners` with one minibatch of one sample in hand each, exponential times of mean 1 and
    /// pre-emptive cancellation, at a constant rate. Says nothing of when to stop.
    pub fn new(learners: usize, learning_rate: f64) -> Self {
        Self {
            learners,
            minibatch: 1,
            learning_rate,
            rate_rule: RateRule::Constant,
            delay: Distribution::Exponential { mean: 1.0 },
            slow: Slow::default(),
            cancellation: Cancellation::Preempt,
            budget: None,
            updates: None,
            evaluate_every: None,
            adasync_every: None,
        }
    }

    /// One run of `entrant` from `initial` in virtual time. Delays and minibatches are functions of
    /// the seed, so that all entrants have the same.
    ///
    /// # Errors
    /// [`crate::Error::Config`] where the entrant or the delays do not fit the learners,
    /// [`crate::Error::LearnerLost`], or what the observer returns.
    ///
    /// # Panics
    /// If neither time nor updates are limited, if there are fewer samples than m, or if the
    /// entrant follows a loss that is never evaluated.
    pub fn run(
        &self,
        entrant: &Entrant,
        seed: u64,
        initial: &[f32],
        queues: &Queues,
        interrupt: Option<&AtomicBool>,
        observer: &mut impl Observer,
    ) -> Result<Finished> {
        let Self { learners, cancellation, learning_rate: most, rate_rule: rule, .. } = *self;
        let window = self.adasync_every.or(self.evaluate_every);
        assert!(!entrant.adapts() || window.is_some(), "what follows a loss needs evaluations");
        let window = window.map_or(Duration::MAX, Duration::from_secs_f64);
        let delays = Delays::new(self.delay.clone(), &self.slow, learners, seed)?;
        let minibatches = Minibatches::new(seed, queues.samples(), self.minibatch);
        let k = entrant.k(learners)?;
        let mut run = Run {
            scheduler: Scheduler::new(entrant.variant(), cancellation, learners, k),
            server: ParameterServer::new(initial),
            cluster: Simulated::with_gradients(learners, delays, queues, minibatches),
            k_schedule: entrant.k_schedule(learners, window)?,
            learning_rate: Ruled { rule, most },
        };
        let limits = Limits {
            time: self.budget.map(Duration::from_secs_f64),
            updates: self.updates,
            evaluate_every: self.evaluate_every.map(Duration::from_secs_f64),
            interrupt,
        };
        let ended = run.train(&limits, observer)?;
        Ok(Finished { ended, params: run.server.pull() })
    }
}
