//! The learning rate, asked for each gradient.

use super::scheduler::{LearnerId, Version};

/// A gradient that has arrived and counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrival {
    /// Who computed it.
    pub learner: LearnerId,
    /// The version it enters: j, before the update.
    pub version: Version,
    /// s = j - tau, the updates made since its learner read the parameters.
    pub staleness: u64,
}

/// Answers with the rate of one gradient: w_{j+1} = w_j - (1/K) sum_l rate_l g_l.
pub trait LearningRate {
    /// The rate of this gradient.
    fn rate(&mut self, gradient: &Arrival) -> f32;
}

/// The same rate throughout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Constant(pub f32);

impl LearningRate for Constant {
    fn rate(&mut self, _: &Arrival) -> f32 {
        self.0
    }
}
