//! Whether how long a minibatch takes depends on how long the learner's one before took, as where a
//! device slows down for a while. Theory has independent times (slides 14 to 16 of the talk on Dutta et
//! al. 2018).

use std::collections::BTreeMap;

use super::{
    Observed,
    sample::{RESOLUTION, Sample},
};
use crate::{estimate::Estimate, ids::LearnerId};

/// Durations of a learner without which a comparison is worth nothing.
const LEAST: usize = 20;

/// The correlation of successive durations of a learner, over all learners, 0 if they are independent;
/// none where there are too few, or all are the same.
///
/// A duration counts as how much sooner it ended than one would have expected: 1 if it was finished
/// at all, less the cumulative hazard that it went through (the martingale residual; the hazard is that
/// of Nelson 1972 and Aalen 1978, of each learner's own durations). What is cancelled is so without bias,
/// even where it is because another one before took long: among finished durations alone, a short one
/// would follow a long one.
pub(super) fn correlation(observed: &[Observed]) -> Option<Estimate> {
    let mut learners: BTreeMap<LearnerId, Vec<Observed>> = BTreeMap::new();
    for one in observed {
        learners.entry(one.learner).or_default().push(*one);
    }
    let (mut products, mut squares, mut squared_products, mut pairs) = (0.0, 0.0, 0.0, 0.0);
    for own in learners.values().filter(|own| own.len() >= LEAST) {
        let residuals = residuals(own);
        let square = residuals.iter().map(|r| r * r).sum::<f64>() / residuals.len() as f64;
        for pair in residuals.windows(2) {
            let product = pair[0] * pair[1];
            products += product;
            squared_products += product * product;
        }
        let count = (residuals.len() - 1) as f64;
        // They add up to 0, so that one alone is a little against the sum of the others.
        products += square;
        squares += square * count;
        pairs += count;
    }
    let estimate = Estimate::with_error(products / squares, squared_products.sqrt() / squares);
    (pairs > 0.0 && squares > 1e-9 * pairs).then_some(estimate)
}

/// Of each duration, in their order.
fn residuals(own: &[Observed]) -> Vec<f64> {
    let sample = Sample::new(own.iter());
    let hazard = sample.hazard();
    let residual = |one: &Observed| {
        // What was cut off at the moment in which many end had not come through it.
        let seconds = one.seconds.max(RESOLUTION);
        let passed = hazard.partition_point(|(t, _)| *t < seconds || one.finished && *t == seconds);
        let hazard = passed.checked_sub(1).map_or(0.0, |last| hazard[last].1);
        f64::from(u8::from(one.finished)) - hazard
    };
    own.iter().map(residual).collect()
}
