//! How many times as long an update of one variant takes as one of another.

use super::order_statistics;
use crate::cluster::delay::Distribution;

/// Sync over async, for P = `p` learners: P E\[X_{P:P}\] / E\[X\] (Dutta et al. 2018, theorem 1), P H_P
/// under exponential times (corollary 1). None where E\[X\] is infinite.
///
/// # Panics
/// If P is zero, or for a trace that is replayed.
pub fn sync_over_async(distribution: &Distribution, p: usize) -> Option<f64> {
    waiting_over_minibatches(distribution, p, p).map(|per_gradient| per_gradient * p as f64)
}

/// Waiting for K learners over taking K minibatches: P E\[X_{K:P}\] / (K E\[X\]) (Dutta et al. 2018,
/// theorem 2). None where E\[X\] is infinite.
///
/// For K-sync over K-batch-async it is exact under every distribution; for K-async, and over
/// K-batch-sync, under exponential times, as the paper has it.
///
/// # Panics
/// If K is not from 1 to P, or for a trace that is replayed.
pub fn waiting_over_minibatches(distribution: &Distribution, p: usize, k: usize) -> Option<f64> {
    let (waiting, mean) = (order_statistics::expected(distribution, k, p), distribution.mean());
    mean.is_finite().then(|| p as f64 * waiting / (k as f64 * mean))
}
