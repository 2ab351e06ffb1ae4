//! Which samples a minibatch has: a pure function of the seed, the learner and the number of the
//! learner's minibatch.
//!
//! It does not depend on the delays, so no variant sees easier samples because it is faster.

use rand::seq::index;

use crate::rng::{self, Purpose};

/// Draws the minibatches of a run.
#[derive(Debug, Clone, Copy)]
pub struct Minibatches {
    seed: u64,
    samples: usize,
    minibatch: usize,
}

impl Minibatches {
    /// Minibatches of `minibatch` samples out of `samples`.
    ///
    /// # Panics
    /// If `minibatch` is zero or more than `samples`.
    pub fn new(seed: u64, samples: usize, minibatch: usize) -> Self {
        assert!(0 < minibatch && minibatch <= samples, "m is at least 1 and at most the data");
        Self { seed, samples, minibatch }
    }

    /// m, the samples a minibatch.
    pub fn minibatch(&self) -> usize {
        self.minibatch
    }

    /// The samples of the `task`-th minibatch that `learner` starts: m different indices, each
    /// minibatch drawn independently of all others.
    pub fn indices(&self, learner: usize, task: u64) -> Vec<usize> {
        let mut rng = rng::stream(self.seed, Purpose::Minibatch, learner as u64, task);
        index::sample(&mut rng, self.samples, self.minibatch).into_vec()
    }
}
