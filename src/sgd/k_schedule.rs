//! How many gradients make an update, over time.

use std::time::Duration;

use super::scheduler::Version;

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Run time.
    pub time: Duration,
    /// Updates so far.
    pub version: Version,
    /// The training loss when it was last evaluated.
    pub loss: Option<f64>,
}

/// Answers with K when an update was made; the answer holds from the next update on.
pub trait KSchedule {
    /// K for the updates to come.
    fn next_k(&mut self, progress: &Progress) -> usize;
}

/// The same K throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedK(pub usize);

impl KSchedule for FixedK {
    fn next_k(&mut self, _: &Progress) -> usize {
        self.0
    }
}
