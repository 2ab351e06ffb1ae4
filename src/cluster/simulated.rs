//! Learners in virtual time: durations are drawn, gradients are real.
//!
//! The clock counts integer nanoseconds, so that ties are exact and order is total; ties go to the
//! lowest learner id.

mod earliest;

use std::time::Duration;

use self::earliest::Earliest;
use super::{
    Assigned, Cluster, Push, Started, Task,
    delay::DelayModel,
    queues::{Computed, Computing, Queues},
};
use crate::{
    Error, Result,
    dataset::minibatches::Minibatches,
    sgd::{
        scheduler::{LearnerId, Version},
        server::Snapshot,
    },
};

/// P learners whose minibatches take the times a [`DelayModel`] gives.
#[derive(Debug)]
pub struct Simulated<'a, D> {
    delays: D,
    now: u64,
    finish: Earliest,
    learners: Vec<Learner>,
    gradients: Option<Gradients<'a>>,
}

#[derive(Debug, Default)]
struct Learner {
    started: Task,
    hand: Option<Hand>,
}

/// The minibatch a learner has in hand.
#[derive(Debug)]
struct Hand {
    version: Version,
    params: Snapshot,
    computing: Option<Computing>,
}

#[derive(Debug)]
struct Gradients<'a> {
    queues: &'a Queues,
    minibatches: Minibatches,
}

impl<'a, D: DelayModel> Simulated<'a, D> {
    /// Learners that compute nothing: a push has no loss and an empty gradient.
    pub fn times_only(learners: usize, delays: D) -> Self {
        Self {
            delays,
            now: 0,
            finish: Earliest::new(learners),
            learners: (0..learners).map(|_| Learner::default()).collect(),
            gradients: None,
        }
    }

    /// Learners that compute their gradients on `queues`, in the order of virtual finish.
    pub fn with_gradients(
        learners: usize,
        delays: D,
        queues: &'a Queues,
        minibatches: Minibatches,
    ) -> Self {
        let gradients = Some(Gradients { queues, minibatches });
        Self { gradients, ..Self::times_only(learners, delays) }
    }

    /// Starts the gradients that arrive next, of which `wanted` at most will be used.
    fn compute_ahead(&mut self, wanted: Option<usize>) {
        let Some(Gradients { queues, minibatches }) = &self.gradients else { return };
        // Twice as many as there are queues, so that none runs out of work while the server works.
        let most = 2 * queues.count();
        for learner in self.finish.first(wanted.map_or(most, |wanted| wanted.min(most))) {
            let Learner { started, hand } = &mut self.learners[learner];
            let hand = hand.as_mut().expect("a learner that will finish has a minibatch in hand");
            hand.computing.get_or_insert_with(|| {
                queues.compute(learner, *started - 1, hand.params.clone(), *minibatches)
            });
        }
    }
}

impl<D: DelayModel> Cluster for Simulated<'_, D> {
    fn assign(&mut self, learner: LearnerId, version: Version, params: Snapshot) -> Assigned {
        let duration = nanoseconds(self.delays.sample(learner));
        self.finish.set(learner, self.now.saturating_add(duration));
        let Learner { started, hand } = &mut self.learners[learner];
        let task = *started;
        *started += 1;
        let unfinished = hand.replace(Hand { version, params, computing: None });
        let cancelled = unfinished.map(|hand| Started { task: task - 1, version: hand.version });
        Assigned { task, cancelled }
    }

    fn recv(&mut self, until: Duration, wanted: Option<usize>) -> Result<Option<Push>> {
        let until_nanoseconds = nanoseconds(until);
        let Some((learner, finish)) = self.finish.min().filter(|(_, t)| *t <= until_nanoseconds)
        else {
            self.now = until_nanoseconds;
            return Ok(None);
        };
        self.compute_ahead(wanted);
        self.now = finish;
        self.finish.clear(learner);
        let Learner { started, hand } = &mut self.learners[learner];
        let hand = hand.take().expect("a learner that finishes has a minibatch in hand");
        let (loss, gradient) = match hand.computing {
            None => (None, Vec::new()),
            Some(computing) => {
                let lost = |source| Error::LearnerLost { learner, source: Box::new(source) };
                let Computed { loss, gradient } = pollster::block_on(computing)
                    .unwrap_or_else(|_| Err(Error::config("its queue has ended")))
                    .map_err(lost)?;
                (Some(loss), gradient)
            }
        };
        Ok(Some(Push { learner, task: *started - 1, version: hand.version, loss, gradient }))
    }

    fn now(&self) -> Duration {
        Duration::from_nanos(self.now)
    }
}

/// Saturates below the time that stands for never.
fn nanoseconds(time: Duration) -> u64 {
    let whole = time.as_secs().saturating_mul(1_000_000_000);
    whole.saturating_add(time.subsec_nanos().into()).min(earliest::NEVER - 1)
}
