//! Which samples a minibatch has: a pure function of the seed, the learner and the number of the
//! learner's minibatch.
//!
//! It does not depend on the delays, so no variant sees easier samples because it is faster.

use rand::seq::index;

use super::shards::Parts;
use crate::rng::{self, Purpose};

/// Draws the minibatches of a run.
#[derive(Debug, Clone)]
pub struct Minibatches {
    seed: u64,
    samples: usize,
    minibatch: usize,
    /// What each learner draws from, if that is not all.
    parts: Option<Parts>,
}

impl Minibatches {
    /// Minibatches of `minibatch` samples out of `samples`.
    ///
    /// # Panics
    /// If `minibatch` is zero or more than `samples`.
    pub fn new(seed: u64, samples: usize, minibatch: usize) -> Self {
        assert!(0 < minibatch && minibatch <= samples, "m is at least 1 and at most the data");
        Self { seed, samples, minibatch, parts: None }
    }

    /// The same where each learner draws from a part of its own.
    ///
    /// # Panics
    /// If a part has fewer samples than a minibatch.
    #[must_use]
    pub fn within(self, parts: Parts) -> Self {
        let enough = parts.iter().all(|part| self.minibatch <= part.len());
        assert!(enough, "m is at most what a learner has");
        Self { parts: Some(parts), ..self }
    }

    /// m, the samples a minibatch.
    pub fn minibatch(&self) -> usize {
        self.minibatch
    }

    /// The samples of the `task`-th minibatch that `learner` starts: m different indices, each
    /// minibatch drawn independently of all others.
    pub fn indices(&self, learner: usize, task: u64) -> Vec<usize> {
        let mut rng = rng::stream(self.seed, Purpose::Minibatch, learner as u64, task);
        let mut sample = |samples| index::sample(&mut rng, samples, self.minibatch).into_vec();
        match &self.parts {
            None => sample(self.samples),
            Some(parts) => {
                let part = &parts[learner];
                sample(part.len()).into_iter().map(|at| part[at]).collect()
            }
        }
    }
}
