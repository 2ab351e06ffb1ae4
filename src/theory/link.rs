//! Where parameters and gradients are on their way for a while: a pull before each minibatch and a push
//! after it, each of a time of its own, in which the learner waits.

use super::{
    runtime::{self, UpdateTime},
    staleness::{self, Expected},
};
use crate::{
    cluster::delay::{Distribution, Slow},
    sgd::{
        Cancellation,
        scheduler::{Rules, Variant},
    },
};

/// The distribution of the time from reading to pushing, where it has a name: a pull and a push that always
/// take c seconds shift the time of a minibatch by 2 c, as long as no learner is slower at computing alone.
fn whole(
    distribution: &Distribution,
    link: Option<&Distribution>,
    slow: &Slow,
) -> Option<Distribution> {
    match link {
        None => Some(distribution.clone()),
        Some(Distribution::Constant(seconds)) if slow.is_none() => {
            Some(distribution.clone().later(2.0 * seconds))
        }
        Some(_) => None,
    }
}

/// [`runtime::update_time_of`] with a `link`, if there is one. For one that varies, or with slow learners,
/// only async and K-batch-async are known: by the elementary renewal theorem a learner pushes once in
/// E\[X\] + 2 E\[L\], where L is the time of the link, and an update takes K pushes.
pub fn update_time(
    rules: impl Into<Rules>,
    distribution: &Distribution,
    link: Option<&Distribution>,
    slow: &Slow,
    cancellation: Cancellation,
    p: usize,
    k: usize,
) -> UpdateTime {
    let rules = rules.into();
    if let Some(whole) = whole(distribution, link, slow) {
        return runtime::update_time_of(rules, &whole, slow, cancellation, p, k);
    }
    let replayed = matches!(distribution, Distribution::Trace(trace) if trace.is_replay());
    let variant = Variant::of(rules);
    // With one gradient an update nobody waits.
    let never_waits =
        variant == Some(Variant::KBatchAsync) || variant == Some(Variant::KAsync) && k == 1;
    let Some(link) = link.filter(|_| never_waits && !replayed) else {
        return UpdateTime::default();
    };
    let both_ways = 2.0 * link.mean();
    let pushes: f64 =
        slow.factors(p).map(|factor| 1.0 / (factor * distribution.mean() + both_ways)).sum();
    UpdateTime::exactly(k as f64 / pushes)
}

/// [`staleness::expected_of`] with a `link`, if there is one. For one that varies, or with slow learners,
/// the mean alone is known, which follows from counting.
pub fn staleness(
    rules: impl Into<Rules>,
    distribution: &Distribution,
    link: Option<&Distribution>,
    slow: &Slow,
    cancellation: Cancellation,
    p: usize,
    k: usize,
) -> Option<Expected> {
    let rules = rules.into();
    if let Some(whole) = whole(distribution, link, slow) {
        return staleness::expected_of(rules, &whole, slow, cancellation, p, k);
    }
    let finite =
        distribution.mean().is_finite() && link.is_some_and(|link| link.mean().is_finite());
    staleness::counted(rules, finite, p, k)
}
