//! The learning rate, asked for each gradient.

pub(super) mod rule;

use std::time::Duration;

pub use self::rule::{Period, RateRule, Tail};
use crate::ids::{LearnerId, Version};

/// A gradient that has arrived and counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrival {
    /// The learner that computed it.
    pub learner: LearnerId,
    /// Run time when it arrived.
    pub time: Duration,
    /// The version it enters: j, before the update.
    pub version: Version,
    /// s = j - tau, the updates made since its learner read the parameters.
    pub staleness: u64,
    /// ||w_j - w_tau||^2, how far the parameters have moved since then; none unless the policy
    /// [needs](LearningRate::needs_drift) it.
    pub drift: Option<f64>,
    /// ||g||; none unless the policy [needs](LearningRate::needs_norm) it.
    pub norm: Option<f64>,
}

/// Answers with the rate of one gradient: w_{j+1} = w_j - (1/K) sum_l rate_l g_l.
pub trait LearningRate {
    /// The rate of this gradient.
    fn rate(&mut self, gradient: &Arrival) -> f32;

    /// Whether this gradient is dropped instead, so that it is in no update and its learner starts
    /// another.
    fn drops(&mut self, _gradient: &Arrival) -> bool {
        false
    }

    /// Whether it wants to know [`Arrival::drift`]. Only then does the server keep what each learner
    /// read last.
    fn needs_drift(&self) -> bool {
        false
    }

    /// Whether it wants to know [`Arrival::norm`].
    fn needs_norm(&self) -> bool {
        false
    }
}

/// The same rate throughout.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Constant(pub f32);

impl LearningRate for Constant {
    fn rate(&mut self, _: &Arrival) -> f32 {
        self.0
    }
}

/// A rate that a rule makes smaller.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ruled {
    /// What makes it smaller.
    pub rule: RateRule,
    /// The rate that it is made of, which it never exceeds.
    pub most: f64,
    /// The norm that a gradient is clipped to, each before it is added to the others: its rate is
    /// multiplied by min(1, clip / ||g||).
    pub clip: Option<f64>,
}

impl LearningRate for Ruled {
    fn rate(&mut self, gradient: &Arrival) -> f32 {
        let rate = self.rule.rate(self.most, gradient);
        let clipped = |clip: f64| {
            let norm = gradient.norm.expect("who needs the norm is told it");
            if norm > clip { clip / norm } else { 1.0 }
        };
        (rate * self.clip.map_or(1.0, clipped)) as f32
    }

    fn drops(&mut self, gradient: &Arrival) -> bool {
        self.rule.drops(gradient)
    }

    fn needs_norm(&self) -> bool {
        self.clip.is_some()
    }

    fn needs_drift(&self) -> bool {
        self.rule.needs_drift()
    }
}
