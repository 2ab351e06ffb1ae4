//! How fast the gradient turns: the largest absolute eigenvalue of the Hessian, by the method of
//! Lanczos (1950): power iteration that makes the best of all products so far, not only of the last.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::objective::{Objective, squared};
use crate::{
    Result,
    statistics::{self, bisect},
};

/// Products with the Hessian at most.
const MOST_PRODUCTS: usize = 60;
/// Relative change at which it has converged, from one product to the next and over that once more.
const CONVERGED: f64 = 1e-4;
/// Length of the step to both sides, beside 1 + ||w||: short enough that the curvature is that at w,
/// long enough that gradients in f32 tell a difference.
const STEP: f64 = 1e-3;

/// What curvature there is at some parameters.
pub(super) struct Curvature {
    /// ||Hessian(w)||.
    pub(super) smoothness: f64,
    /// Its standard error by the choice of the samples.
    pub(super) smoothness_error: f64,
    /// Whether the iteration has converged; if not, the smoothness is too small.
    pub(super) converged: bool,
}

/// Groups of samples whose curvatures say how much they differ.
const GROUPS: usize = 8;

/// ||Hessian(w)||. The first `searched` of the samples say in which direction it is. Of a sample the
/// largest eigenvalue is larger than that of all, as the direction is the one that suits the sample; so
/// the others, if there are, say how large the curvature in this direction is.
pub(super) fn smoothness(
    objective: &mut Objective<'_>,
    w: &[f32],
    samples: &[usize],
    searched: usize,
    rng: &mut ChaCha8Rng,
) -> Result<Curvature> {
    let (search, others) = samples.split_at(searched.min(samples.len()));
    let (largest, converged, direction) = lanczos(objective, w, search, rng)?;
    let all = objective.samples();
    let Some(direction) = direction.filter(|_| search.len() < all && others.len() >= 2 * GROUPS)
    else {
        return Ok(Curvature { smoothness: largest, smoothness_error: 0.0, converged });
    };
    let mut values = Vec::with_capacity(GROUPS);
    for group in others.chunks_exact(others.len() / GROUPS) {
        values.push(dot(&product(objective, w, &direction, group)?, &direction));
    }
    let left_out = 1.0 - others.len() as f64 / all as f64;
    let error = statistics::standard_error(&values).unwrap_or(f64::NAN) * left_out.sqrt();
    let mean = statistics::mean(&values).unwrap_or(f64::NAN);
    Ok(Curvature { smoothness: mean.abs(), smoothness_error: error, converged })
}

/// The largest absolute eigenvalue over `samples`, whether it has converged, and its direction; none
/// where there is no curvature.
fn lanczos(
    objective: &mut Objective<'_>,
    w: &[f32],
    samples: &[usize],
    rng: &mut ChaCha8Rng,
) -> Result<(f64, bool, Option<Vec<f64>>)> {
    let random = w.iter().map(|_| rng.random::<f64>() - 0.5).collect();
    let Some((_, mut next)) = normalised(random) else { return Ok((0.0, true, None)) };
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
            return Ok((last, true, direction(&basis, &diagonal, &beside)));
        }
        let scale: f64 =
            diagonal.iter().chain(&beside).fold(0.0, |most, value| value.abs().max(most));
        match normalised(product) {
            // Of what is left only rounding is left: there is no more to it.
            Some((norm, direction)) if norm > 1e-5 * scale => {
                beside.push(norm);
                next = direction;
            }
            _ => {
                let largest = values[values.len() - 1];
                return Ok((largest, true, direction(&basis, &diagonal, &beside)));
            }
        }
    }
    let direction = direction(&basis, &diagonal, &beside[..basis.len().saturating_sub(1)]);
    Ok((values[values.len() - 1], w.len() <= MOST_PRODUCTS, direction))
}

/// The direction of the largest eigenvalue, from a basis in which the Hessian is tridiagonal.
fn direction(basis: &[Vec<f64>], diagonal: &[f64], beside: &[f64]) -> Option<Vec<f64>> {
    let largest = largest_eigenvalue(diagonal, beside);
    let mut parts = vec![1.0; basis.len()];
    // Power iteration on a matrix of at most sixty rows.
    for _ in 0..5000 {
        let mut next: Vec<f64> = (0..parts.len())
            .map(|at| {
                let mut sum = diagonal[at] * parts[at];
                if at > 0 {
                    sum += beside[at - 1] * parts[at - 1];
                }
                if at + 1 < parts.len() {
                    sum += beside[at] * parts[at + 1];
                }
                sum
            })
            .collect();
        let length = squared(next.iter().copied()).sqrt();
        if length == 0.0 {
            return None;
        }
        next.iter_mut().for_each(|part| *part /= length);
        parts = next;
        if (length / largest - 1.0).abs() < 1e-12 {
            break;
        }
    }
    let mut direction = vec![0.0; basis[0].len()];
    for (part, vector) in parts.iter().zip(basis) {
        direction.iter_mut().zip(vector).for_each(|(d, v)| *d += part * v);
    }
    normalised(direction).map(|(_, direction)| direction)
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
