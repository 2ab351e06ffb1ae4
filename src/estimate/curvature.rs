//! How fast the gradient turns: the largest absolute eigenvalue of the Hessian, by power iteration.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::objective::{Objective, squared};
use crate::Result;

/// Products with the Hessian at most.
const MOST_PRODUCTS: usize = 100;
/// Relative change from one product to the next at which it has converged.
const CONVERGED: f64 = 2e-5;
/// Length of the step to both sides, beside 1 + ||w||: short enough that the curvature is that at w,
/// long enough that gradients in f32 tell a difference.
const STEP: f64 = 1e-3;

/// ||Hessian(w)|| over `samples`, and whether it has converged; until then it is too small.
///
/// A product with the Hessian is a central difference of gradients, between the parameters as they
/// are rounded.
pub(super) fn smoothness(
    objective: &mut Objective<'_>,
    w: &[f32],
    samples: &[usize],
    rng: &mut ChaCha8Rng,
) -> Result<(f64, bool)> {
    let step = STEP * (1.0 + squared(w.iter().map(|w| f64::from(*w))).sqrt());
    let mut direction: Vec<f64> = w.iter().map(|_| rng.random::<f64>() - 0.5).collect();
    let mut norm = squared(direction.iter().copied()).sqrt();
    let mut largest = 0.0;
    for _ in 0..MOST_PRODUCTS {
        let beside = |sign: f64| -> Vec<f32> {
            let moved = w.iter().zip(&direction);
            moved.map(|(w, d)| (f64::from(*w) + sign * step / norm * d) as f32).collect()
        };
        let [before, after] = [beside(-1.0), beside(1.0)];
        let [low, high] = [objective.mean(&before, samples)?, objective.mean(&after, samples)?];
        let moved = before.iter().zip(&after).map(|(b, a)| f64::from(*a) - f64::from(*b));
        let moved = squared(moved).sqrt();
        direction.clear();
        direction.extend(high.gradient.iter().zip(&low.gradient).map(|(high, low)| high - low));
        norm = squared(direction.iter().copied()).sqrt();
        let (before, now) = (largest, norm / moved);
        if norm == 0.0 || !now.is_finite() {
            return Ok((now, true));
        }
        largest = now;
        if (now - before).abs() <= CONVERGED * now {
            return Ok((now, true));
        }
    }
    Ok((largest, false))
}
