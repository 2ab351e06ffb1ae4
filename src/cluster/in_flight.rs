//! The minibatches in flight: for each learner, the one that was assigned to it last, if it has not
//! arrived yet.
//!
//! Whatever arrives is compared with this. So no gradient counts twice, and a gradient does not
//! count if its learner was lost in the meantime or was told to start another minibatch.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::{LearnerId, Task, Version};

/// A minibatch that has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Started {
    /// Its number among the learner's minibatches.
    pub task: Task,
    /// The version it is computed at.
    pub version: Version,
    /// When the delays let it arrive; none where it arrives when it is done.
    pub due: Option<Duration>,
}

/// What P learners have in flight, each one minibatch at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InFlight {
    started: Vec<Task>,
    #[serde(rename = "hands")]
    learners: Vec<Option<Started>>,
}

impl InFlight {
    /// P = `learners` with nothing in flight.
    pub fn new(learners: usize) -> Self {
        Self { started: vec![0; learners], learners: vec![None; learners] }
    }

    /// The same learners with nothing in flight.
    #[must_use]
    pub fn emptied(&self) -> Self {
        Self { learners: vec![None; self.learners.len()], ..self.clone() }
    }

    /// The number of the minibatch that `learner` starts next.
    pub fn next(&mut self, learner: LearnerId) -> Task {
        let task = self.started[learner];
        self.started[learner] += 1;
        task
    }

    /// Gives `learner` a minibatch, and returns the one that it had.
    pub fn start(&mut self, learner: LearnerId, started: Started) -> Option<Started> {
        self.learners[learner].replace(started)
    }

    /// Takes the `task`-th minibatch from `learner`, if that is the one that it has.
    pub fn take(&mut self, learner: LearnerId, task: Task) -> Option<Started> {
        self.learners[learner].take_if(|started| started.task == task)
    }

    /// Takes whatever `learner` has.
    pub fn abandon(&mut self, learner: LearnerId) -> Option<Started> {
        self.learners[learner].take()
    }

    /// Minibatches that each learner has started.
    pub fn started(&self) -> &[Task] {
        &self.started
    }

    /// What each learner has.
    pub fn all(&self) -> &[Option<Started>] {
        &self.learners
    }
}
