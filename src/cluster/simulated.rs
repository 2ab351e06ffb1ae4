//! Learners in virtual time: durations are drawn, gradients are real.
//!
//! The clock counts whole nanoseconds. So two events at the same time are really at the same time,
//! and their order is defined: the learner with the lowest id comes first.

mod earliest;

use std::time::Duration;

use self::earliest::Earliest;
use super::{
    Cluster, Message, Order, Push,
    delay::DelayModel,
    engine_pool::{Computed, Computing, EnginePool},
};
use crate::{
    Error, Result,
    cluster::{Snapshot, in_flight::InFlight},
    dataset::minibatches::Minibatches,
    ids::LearnerId,
};

/// P learners whose minibatches take the times a [`DelayModel`] gives.
///
/// ```
/// use std::time::Duration;
/// use tortoise::cluster::{
///     Cluster, Message, Order,
///     delay::{Delays, Slow},
///     simulated::Simulated,
/// };
///
/// # fn main() -> tortoise::Result<()> {
/// // Learner 1 is three times as slow as learner 0.
/// let delays = Delays::new("constant:2".parse()?, &Slow::new([(1, 3.0)]), 2, 0)?;
/// let mut cluster = Simulated::times_only(2, delays);
/// for learner in [0, 1] {
///     cluster.assign(Order { learner, task: 0, params: [].into() });
/// }
/// let push = cluster.recv(Duration::MAX, None)?;
/// assert!(matches!(push, Some(Message::Push(push)) if push.learner == 0));
/// assert_eq!(cluster.now(), Duration::from_secs(2));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Simulated<'a, D> {
    delays: D,
    now: u64,
    /// When each learner finishes what it has in hand; with nothing in hand, when it is back.
    finish: Earliest,
    assigned: Vec<Option<Assigned>>,
    /// When each has the parameters and when the gradient, since it was assigned; empty where neither is on
    /// its way for any time.
    computes: Vec<[Duration; 2]>,
    gradients: Option<Gradients<'a>>,
}

/// The minibatch a learner has in hand.
#[derive(Debug)]
struct Assigned {
    order: Order,
    computing: Option<Computing>,
}

#[derive(Debug)]
struct Gradients<'a> {
    queues: &'a EnginePool,
    minibatches: Minibatches,
}

impl<'a, D: DelayModel> Simulated<'a, D> {
    /// Learners that compute nothing: a push has no loss and an empty gradient.
    pub fn times_only(learners: usize, delays: D) -> Self {
        Self {
            delays,
            now: 0,
            finish: Earliest::new(learners),
            assigned: (0..learners).map(|_| None).collect(),
            computes: Vec::new(),
            gradients: None,
        }
    }

    /// Learners that compute their gradients on `queues`, in the order of virtual finish.
    pub fn with_gradients(
        learners: usize,
        delays: D,
        queues: &'a EnginePool,
        minibatches: Minibatches,
    ) -> Self {
        let gradients = Some(Gradients { queues, minibatches });
        Self { gradients, ..Self::times_only(learners, delays) }
    }

    /// The same learners at run time `now`, when they have started those minibatches and have these in
    /// hand, at the parameters that each of them holds. Delays must be new.
    ///
    /// # Panics
    /// If a learner with something in hand holds no parameters.
    #[must_use]
    pub fn resume(
        mut self,
        now: Duration,
        in_flight: &InFlight,
        held: &[Option<Snapshot>],
    ) -> Self {
        self.now = nanoseconds(now);
        self.delays.skip(in_flight.started());
        for (learner, started) in in_flight.all().iter().enumerate() {
            if let Some(started) = started {
                let params = held[learner].clone().expect("what is in hand is of some parameters");
                let task = started.task;
                self.finish.set(learner, nanoseconds(started.due.unwrap_or(now)));
                let order = Order { learner, task, params };
                self.assigned[learner] = Some(Assigned { order, computing: None });
            }
        }
        self
    }

    /// Starts the gradients that arrive next, of which `wanted` at most will be used.
    fn compute_ahead(&mut self, wanted: Option<usize>) {
        let Some(Gradients { queues, minibatches }) = &self.gradients else { return };
        // Twice as many as there are queues, so that none runs out of work while the server works.
        let most = 2 * queues.count();
        for learner in self.finish.first(wanted.map_or(most, |wanted| wanted.min(most))) {
            let Some(Assigned { order, computing }) = &mut self.assigned[learner] else { continue };
            computing.get_or_insert_with(|| queues.compute(order.clone(), minibatches.clone()));
        }
    }
}

impl<D: DelayModel> Cluster for Simulated<'_, D> {
    fn assign(&mut self, order: Order) -> Option<Duration> {
        let learner = order.learner;
        let mut duration = self.delays.sample(learner);
        if let Some([pull, push]) = self.delays.travel(learner) {
            let done = pull.saturating_add(duration);
            self.computes.resize(self.assigned.len(), [Duration::ZERO; 2]);
            self.computes[learner] = [pull, done];
            duration = done.saturating_add(push);
        }
        let due = self.now.saturating_add(nanoseconds(duration));
        self.finish.set(learner, due);
        self.assigned[learner] = Some(Assigned { order, computing: None });
        Some(Duration::from_nanos(due))
    }

    fn recv(&mut self, until: Duration, wanted: Option<usize>) -> Result<Option<Message>> {
        let until_nanoseconds = nanoseconds(until);
        let Some((learner, finish)) = self.finish.min().filter(|(_, t)| *t <= until_nanoseconds)
        else {
            self.now = until_nanoseconds.max(self.now);
            return Ok(None);
        };
        self.compute_ahead(wanted);
        self.now = finish;
        self.finish.clear(learner);
        let Some(Assigned { order, computing }) = self.assigned[learner].take() else {
            return Ok(Some(Message::Returned(learner)));
        };
        let (loss, gradient) = match computing {
            None => (None, Vec::new()),
            Some(computing) => {
                let lost = |source| Error::LearnerLost { learner, source: Box::new(source) };
                let Computed { loss, gradient } = computing
                    .recv()
                    .unwrap_or_else(|_| Err(Error::Fault("its queue has ended".into())))
                    .map_err(lost)?;
                (Some(loss), gradient)
            }
        };
        let push = Push { learner, task: order.task, loss, gradient, computing: None };
        Ok(Some(Message::Push(push)))
    }

    fn restart(&mut self, learner: LearnerId, after: Duration) {
        self.assigned[learner] = None;
        self.finish.set(learner, self.now.saturating_add(nanoseconds(after)));
    }

    fn leave(&mut self, learner: LearnerId) {
        self.assigned[learner] = None;
        self.finish.clear(learner);
    }

    fn held(&self, learner: LearnerId) -> Option<&Snapshot> {
        self.assigned[learner].as_ref().map(|assigned| &assigned.order.params)
    }

    fn computes(&self, learner: LearnerId) -> Option<[Duration; 2]> {
        self.computes.get(learner).copied()
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
