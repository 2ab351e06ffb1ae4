//! Async with a bound R on the staleness, Ringmaster (arXiv:2501.16168): what is known of it.

use super::learners::Learners;
use crate::sgd::{Cancellation, scheduler::Rules};

/// Pr(s = 0), Pr(s = 1), ... in the long run of async among these P learners in which work of staleness R is
/// stopped at once (Ringmaster), under exponential times; none for other rules, times or learners.
///
/// Each learner is the next to push with probability 1/P. Then it is at 0, and the others are one update
/// further behind, or at 0 where that would be R: with q = 1 - 1/P, Pr(s) is q^s over the sum of these for
/// s < R. Who pushes is any of them.
pub fn shares(rules: Rules, learners: &Learners, k: usize) -> Option<Vec<f64>> {
    let p = learners.count;
    let most = rules.most_stale?;
    // With one gradient an update nobody waits.
    let known = Rules { waits: false, ..rules } == Rules::ringmaster(most + 1)
        && k == 1
        && learners.cancellation == Cancellation::Preempt
        && learners.are_memoryless();
    // Beyond this, nothing is left of a power of q.
    let count = (most + 1).min(64 * p as u64);
    let q = 1.0 - 1.0 / p as f64;
    let powers: Vec<f64> = (0..count).map(|s| q.powf(s as f64)).collect();
    let all: f64 = powers.iter().sum();
    known.then(|| powers.into_iter().map(|power| power / all).collect())
}
