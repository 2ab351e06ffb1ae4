//! Expected times where cancelled work runs to its end and is dropped on arrival, for exponential
//! delays. Then all that matters is how many learners are at work on a gradient that will count
//! (fresh) and how many on one that will not (doomed); each of them is the next with equal chance.

use crate::sgd::scheduler::Variant;

/// P times K from which a value would take long.
const MOST_WORK: usize = 1 << 22;

/// The mean time per update in seconds of a variant that cancels, for exponential delays of mean
/// `mean`. None for one that does not cancel, or where it would take long to compute.
pub(super) fn update_time(variant: Variant, mean: f64, p: usize, k: usize) -> Option<f64> {
    if p.checked_mul(k)? > MOST_WORK {
        return None;
    }
    match variant {
        Variant::KSync => Some(k_sync(mean, p, k)),
        Variant::KBatchSync => Some(k_batch_sync(mean, p, k)),
        Variant::KAsync | Variant::KBatchAsync => None,
    }
}

/// After an update the K learners that made it are fresh, and the others are doomed. Who pushes a
/// fresh gradient waits; who pushes a doomed one starts afresh. With a of K gradients there and d
/// learners doomed, P - a are at work.
fn k_sync(mean: f64, p: usize, k: usize) -> f64 {
    // The time left from each number of doomed learners, for a = K at first.
    let mut left = vec![0.0; p - k + 1];
    for accepted in (0..k).rev() {
        let at_work = (p - accepted) as f64;
        let mut before = Vec::with_capacity(left.len());
        for (doomed, left) in left.iter().enumerate() {
            let fresh = at_work - doomed as f64;
            let one_less: f64 = before.last().copied().unwrap_or(0.0);
            before.push((mean + fresh * left + doomed as f64 * one_less) / at_work);
        }
        left = before;
    }
    left[p - k]
}

/// After an update the learner that made it is fresh, and all others are doomed. Everybody starts
/// afresh after a push.
fn k_batch_sync(mean: f64, p: usize, k: usize) -> f64 {
    let p_learners = p as f64;
    // The time left from 1, 2, ..., P fresh learners.
    let mut left = vec![0.0; p];
    for _ in 0..k {
        let mut before = vec![0.0; p];
        let mut one_more = 0.0;
        for fresh in (1..=p).rev() {
            let share = fresh as f64 / p_learners;
            one_more = mean / p_learners + share * left[fresh - 1] + (1.0 - share) * one_more;
            before[fresh - 1] = one_more;
        }
        left = before;
    }
    left[0]
}
