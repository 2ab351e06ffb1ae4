//! Learners as they are configured, of which theory is asked.

use crate::{
    cluster::delay::{Distribution, Slow},
    sgd::Cancellation,
};

/// P learners and their times.
#[derive(Debug, Clone, PartialEq)]
pub struct Learners {
    /// P, how many there are.
    pub count: usize,
    /// Distribution of the time a minibatch takes.
    pub distribution: Distribution,
    /// Distribution of the time that a pull takes on the way, and that a push takes, if they take any.
    pub link: Option<Distribution>,
    /// Learners that are slower than the distribution says.
    pub slow: Slow,
    /// What becomes of cancelled work.
    pub cancellation: Cancellation,
}

impl Learners {
    /// P = `count` learners that are alike, whose cancelled work stops at once.
    pub fn alike(count: usize, distribution: Distribution) -> Self {
        let (slow, cancellation) = (Slow::default(), Cancellation::Preempt);
        Self { count, distribution, link: None, slow, cancellation }
    }

    /// Whether each replays a trace of its own, of which theory knows nothing.
    pub(super) fn replay(&self) -> bool {
        matches!(&self.distribution, Distribution::Trace(trace) if trace.is_replay())
    }

    /// Learners whose pushes come as those of these do, and with nothing on the way for any time; none where
    /// there are no such. A pull and a push that always take c seconds make every minibatch 2 c longer, as
    /// long as no learner is slower at computing alone.
    pub(super) fn without_link(&self) -> Option<Self> {
        match &self.link {
            None => Some(self.clone()),
            Some(Distribution::Constant(seconds)) if self.slow.is_none() => {
                let distribution = self.distribution.clone().later(2.0 * seconds);
                Some(Self { distribution, link: None, ..self.clone() })
            }
            Some(_) => None,
        }
    }

    /// Pushes a second in the long run if nobody waits: learner i makes one in f_i E\[X\] + 2 E\[L\], where
    /// L is the time on the way (the elementary renewal theorem).
    pub(super) fn pushes_a_second(&self) -> f64 {
        let (computing, way) =
            (self.distribution.mean(), self.link.as_ref().map_or(0.0, Distribution::mean));
        self.slow.factors(self.count).map(|factor| 1.0 / (factor * computing + 2.0 * way)).sum()
    }

    /// Whether a push comes after a finite time on average.
    pub(super) fn mean_is_finite(&self) -> bool {
        self.distribution.mean().is_finite()
            && self.link.as_ref().is_none_or(|link| link.mean().is_finite())
    }

    /// Whether all are alike, with exponential times and nothing on the way.
    pub(super) fn are_memoryless(&self) -> bool {
        self.link.is_none() && self.slow.is_none() && self.distribution.is_memoryless()
    }
}
