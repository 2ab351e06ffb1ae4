//! The learners as the loop sees them: it tells them what to compute, and they hand over what is
//! finished and say when.
//!
//! A cluster knows nothing of variants. There is one for virtual time ([`simulated`]) and one for
//! real time ([`threaded`]).

pub mod chaos;
pub mod deadlines;
pub mod delay;
pub mod engine_pool;
pub mod in_flight;
pub mod learner_threads;
pub mod simulated;
pub mod threaded;

use std::{sync::Arc, time::Duration};

use crate::{
    Error, Result,
    ids::{LearnerId, Task},
};

/// Parameters as a learner read them; never change once handed out.
pub type Snapshot = Arc<[f32]>;

/// A minibatch that a learner is to start.
#[derive(Debug, Clone)]
pub struct Order {
    /// Who is to compute it.
    pub learner: LearnerId,
    /// Its number among the learner's minibatches.
    pub task: Task,
    /// The parameters to compute it at.
    pub params: Snapshot,
}

/// A finished minibatch.
#[derive(Debug, Clone, PartialEq)]
pub struct Push {
    /// Who computed it.
    pub learner: LearnerId,
    /// Its number among the learner's minibatches.
    pub task: Task,
    /// Loss of the minibatch; none where nothing is computed.
    pub loss: Option<f32>,
    /// Gradient of that loss, as long as the parameters.
    pub gradient: Vec<f32>,
    /// How long the engine was at work, where that is measured.
    pub computing: Option<Duration>,
}

/// What a cluster has to tell the loop.
#[derive(Debug)]
pub enum Message {
    /// A minibatch is finished.
    Push(Push),
    /// A learner can give no gradient any more.
    Lost {
        /// Which.
        learner: LearnerId,
        /// What ended it.
        cause: Error,
    },
    /// Another has taken the place of this learner, with nothing in hand.
    Returned(LearnerId),
}

/// P learners and their clock.
pub trait Cluster {
    /// Lets a learner start a minibatch, in place of what it is computing. Returns when the delays let
    /// it arrive; none where it arrives when it is done.
    fn assign(&mut self, order: Order) -> Option<Duration>;

    /// What comes next, in the order of time and then of learner id; none if nothing comes up to and
    /// including `until`, which is then the time.
    ///
    /// `wanted` is how many more pushes can count before unfinished work is cancelled, if there is a
    /// bound: who computes ahead need not go beyond.
    ///
    /// # Errors
    /// Whatever leaves no cluster to go on with.
    fn recv(&mut self, until: Duration, wanted: Option<usize>) -> Result<Option<Message>>;

    /// Puts another in the place of a learner that is lost, when `after` has passed; it will be
    /// [returned](Message::Returned), or lost again.
    fn restart(&mut self, learner: LearnerId, after: Duration);

    /// Ends a learner that is lost, and puts nobody in its place.
    fn leave(&mut self, learner: LearnerId);

    /// The parameters of the minibatch that a learner has in hand, where they are kept.
    fn held(&self, _learner: LearnerId) -> Option<&Snapshot> {
        None
    }

    /// Of the minibatch that a learner has in hand: after which time it has the parameters, and after which
    /// the gradient, counted from its assignment; nothing where neither is on its way for any time.
    fn computes(&self, _learner: LearnerId) -> Option<[Duration; 2]> {
        None
    }

    /// Run time.
    fn now(&self) -> Duration;
}

impl<C: Cluster + ?Sized> Cluster for Box<C> {
    fn assign(&mut self, order: Order) -> Option<Duration> {
        (**self).assign(order)
    }

    fn recv(&mut self, until: Duration, wanted: Option<usize>) -> Result<Option<Message>> {
        (**self).recv(until, wanted)
    }

    fn restart(&mut self, learner: LearnerId, after: Duration) {
        (**self).restart(learner, after);
    }

    fn leave(&mut self, learner: LearnerId) {
        (**self).leave(learner);
    }

    fn held(&self, learner: LearnerId) -> Option<&Snapshot> {
        (**self).held(learner)
    }

    fn computes(&self, learner: LearnerId) -> Option<[Duration; 2]> {
        (**self).computes(learner)
    }

    fn now(&self) -> Duration {
        (**self).now()
    }
}
