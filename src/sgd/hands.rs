//! What each learner has in hand: the minibatch that was assigned to it last and has not arrived.
//!
//! Whatever arrives is compared with this, so that no gradient counts twice, and none of a learner
//! that was lost meanwhile or was told to start something else.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::scheduler::{LearnerId, Version};
use crate::cluster::Task;

/// A minibatch that has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hand {
    /// Its number among the learner's minibatches.
    pub task: Task,
    /// The version it is computed at.
    pub version: Version,
    /// When the delays let it arrive; none where it arrives when it is done.
    pub due: Option<Duration>,
}

/// The hands of P learners.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hands {
    started: Vec<Task>,
    hands: Vec<Option<Hand>>,
}

impl Hands {
    /// P = `learners` with nothing in hand.
    pub fn new(learners: usize) -> Self {
        Self { started: vec![0; learners], hands: vec![None; learners] }
    }

    /// The same learners with nothing in hand.
    #[must_use]
    pub fn emptied(&self) -> Self {
        Self { hands: vec![None; self.hands.len()], ..self.clone() }
    }

    /// The number of the minibatch that `learner` starts next.
    pub fn next(&mut self, learner: LearnerId) -> Task {
        let task = self.started[learner];
        self.started[learner] += 1;
        task
    }

    /// Gives `learner` a minibatch, and returns what it had in hand.
    pub fn put(&mut self, learner: LearnerId, hand: Hand) -> Option<Hand> {
        self.hands[learner].replace(hand)
    }

    /// Takes the `task`-th minibatch from `learner`, if that is what it has in hand.
    pub fn take(&mut self, learner: LearnerId, task: Task) -> Option<Hand> {
        self.hands[learner].take_if(|hand| hand.task == task)
    }

    /// Takes whatever `learner` has in hand.
    pub fn empty(&mut self, learner: LearnerId) -> Option<Hand> {
        self.hands[learner].take()
    }

    /// Minibatches that each learner has started.
    pub fn started(&self) -> &[Task] {
        &self.started
    }

    /// What each learner has in hand.
    pub fn all(&self) -> &[Option<Hand>] {
        &self.hands
    }
}
