//! The port between the loop and the learners: who computes what, and when it arrives.
//!
//! A cluster knows no variant: it starts what it is told to start and hands over what is finished.

pub mod delay;
pub mod queues;
pub mod simulated;

use std::time::Duration;

use crate::{
    Result,
    sgd::{
        scheduler::{LearnerId, Version},
        server::Snapshot,
    },
};

/// The number of a learner's minibatch, counted from 0 in the order it starts them.
pub type Task = u64;

/// A finished minibatch.
#[derive(Debug, Clone, PartialEq)]
pub struct Push {
    /// Who computed it.
    pub learner: LearnerId,
    /// Its number among the learner's minibatches.
    pub task: Task,
    /// tau, the version it was computed at.
    pub version: Version,
    /// Loss of the minibatch at that version; none where nothing is computed.
    pub loss: Option<f32>,
    /// Gradient of that loss, as long as the parameters.
    pub gradient: Vec<f32>,
}

/// A minibatch that has started and not arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// Its number among the learner's minibatches.
    pub task: Task,
    /// The version it is computed at.
    pub version: Version,
}

/// What an assignment set going, and what it put an end to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assigned {
    /// The minibatch that starts now.
    pub task: Task,
    /// The unfinished minibatch in whose place it starts.
    pub cancelled: Option<Started>,
}

/// P learners and their clock.
pub trait Cluster {
    /// Lets `learner` start its next minibatch at these parameters, in place of what it is computing.
    fn assign(&mut self, learner: LearnerId, version: Version, params: Snapshot) -> Assigned;

    /// The next push, in the order of time and then of learner id; none if none arrives up to and
    /// including `until`, which is then the time.
    ///
    /// `wanted` is how many more pushes can count before unfinished work is cancelled, if there is a
    /// bound: who computes ahead need not go beyond.
    ///
    /// # Errors
    /// [`crate::Error::LearnerLost`] where a learner can give no gradient any more.
    fn recv(&mut self, until: Duration, wanted: Option<usize>) -> Result<Option<Push>>;

    /// Run time.
    fn now(&self) -> Duration;
}
