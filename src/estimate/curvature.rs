//! How fast the gradient turns: the largest absolute eigenvalue of the Hessian, by the method of
//! Lanczos (1950): power iteration that makes the best of all products so far, not only of the last.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::objective::{Objective, squared};
use crate::{Result, statistics::bisect};

/// Products with the Hessian at most.
const MOST_PRODUCTS: usize = 60;
/// Relative change at which it has converged, from one product to the next and over that once more.
const CONVERGED: f64 = 1e-4;
/// Length of the step to both sides, beside 1 + ||w||: short enough that the curvature is that at w,
/// long enough that gradients in f32 tell a difference.
const STEP: f64 = 1e-3;

/// ||Hessian(w)|| over `samples`, and whether it has converged; until then it is too small.
pub(super) fn smoothness(
    objective: &mut Objective<'_>,
    w: &[f32],
    samples: &[usize],
    rng: &mut ChaCha8Rng,
) -> Result<(f64, bool)> {
    let random = w.iter().map(|_| rng.random::<f64>() - 0.5).collect();
    let Some((_, mut next)) = normalised(random) else { return Ok((0.0, true)) };
    let mut basis: Vec<Vec<f64>> = Vec::new();
    // The Hessian in the basis: what is on the diagonal, and what is beside it.
    let (mut diagonal, mut beside) = (Vec::new(), Vec::new());
    let mut values = vec![0.0];
    for _ in 0..MOST_PRODUCTS.min(w.len()) {
        let mut product = product(objective, w, &next, samples)?;
        diagonal.push(dot(&product, &next));
        basis.push(next);
        // All of them, as rounding brings back what was taken out before.
        for direction in &basis {
            let part = dot(&product, direction);
            product.iter_mut().zip(direction).for_each(|(p, d)| *p -= part * d);
        }
        values.push(largest_eigenvalue(&diagonal, &beside));
        if let [.., first, second, last] = values[..]
            && (last - first).abs().max((last - second).abs()) <= CONVERGED * last
        {
            return Ok((last, true));
        }
        let scale: f64 =
            diagonal.iter().chain(&beside).fold(0.0, |most, value| value.abs().max(most));
        match normalised(product) {
            // Of what is left only rounding is left: there is no more to it.
            Some((norm, direction)) if norm > 1e-5 * scale => {
                beside.push(norm);
                next = direction;
            }
            _ => return Ok((values[values.len() - 1], true)),
        }
    }
    Ok((values[values.len() - 1], w.len() <= MOST_PRODUCTS))
}

/// The Hessian times a direction of length 1: a central difference of gradients.
fn product(
    objective: &mut Objective<'_>,
    w: &[f32],
    direction: &[f64],
    samples: &[usize],
) -> Result<Vec<f64>> {
    let step = STEP * (1.0 + squared(w.iter().map(|w| f64::from(*w))).sqrt());
    let moved = |by: f64| -> Vec<f32> {
        w.iter().zip(direction).map(|(w, d)| (f64::from(*w) + by * d) as f32).collect()
    };
    let [before, after] = [moved(-step), moved(step)];
    let [low, high] = [objective.mean(&before, samples)?, objective.mean(&after, samples)?];
    // As far as the parameters have moved where they are rounded.
    let distance = before.iter().zip(&after).map(|(b, a)| f64::from(*a) - f64::from(*b));
    let distance = squared(distance).sqrt();
    Ok(high.gradient.iter().zip(&low.gradient).map(|(high, low)| (high - low) / distance).collect())
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Length and direction; none of nothing.
fn normalised(mut vector: Vec<f64>) -> Option<(f64, Vec<f64>)> {
    let norm = squared(vector.iter().copied()).sqrt();
    vector.iter_mut().for_each(|x| *x /= norm);
    (norm > 0.0).then_some((norm, vector))
}

/// The largest absolute eigenvalue of a symmetric tridiagonal matrix, by bisection: as many are below
/// x as pivots of its elimination, less x, are negative (Sylvester).
fn largest_eigenvalue(diagonal: &[f64], beside: &[f64]) -> f64 {
    let bound = diagonal.iter().chain(beside).map(|x| x.abs()).fold(0.0, f64::max) * 3.0;
    let below = |x: f64| {
        let mut pivot = 1.0;
        let squares = [0.0].into_iter().chain(beside.iter().map(|b| b * b));
        let negative = diagonal.iter().zip(squares).filter(|(d, square)| {
            pivot = **d - x - square / pivot;
            pivot < 0.0
        });
        negative.count()
    };
    let most = bisect(-bound, bound, 60, |x| below(x) == diagonal.len());
    let least = bisect(-bound, bound, 60, |x| below(x) > 0);
    most.abs().max(least.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_eigenvalue_of_a_tridiagonal_matrix_is_found() {
        // 2 beside -1 has the eigenvalues 2 - 2 cos(pi i / (n + 1)).
        for n in [1_usize, 2, 7, 40] {
            let expected = 2.0 + 2.0 * (std::f64::consts::PI / (n + 1) as f64).cos();
            for sign in [1.0, -1.0] {
                let actual = largest_eigenvalue(&vec![sign * 2.0; n], &vec![-1.0; n - 1]);
                assert!((actual - expected).abs() < 1e-12, "{n}: {actual}, {expected}");
            }
        }
        assert_eq!(largest_eigenvalue(&[0.0], &[]), 0.0);
    }
}
