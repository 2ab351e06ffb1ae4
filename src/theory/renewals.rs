//! E\[T\] of K-batch-sync under any distribution: the time in which P learners that start afresh, and
//! go on with another minibatch after each, finish K minibatches together.
//!
//! With N(t) the minibatches finished by t, E\[T\] is the integral of Pr(N(t) < K). On a lattice the
//! n-th minibatch of a learner ends at a sum of n lattice times, a convolution; N(t) is the sum of P
//! independent counts, a power of a polynomial. Times rounded down to the lattice give a bound from
//! below, times rounded up one from above.

use super::order_statistics;
use crate::cluster::delay::Distribution;

/// A factor of the times, and how many learners have it.
pub(super) type Group = (f64, usize);

/// E\[T\] and what encloses it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Enclosed {
    /// From times rounded to the nearest: for smooth distributions the error falls with the square of
    /// the step.
    pub(super) value: f64,
    /// What halving the step has changed.
    pub(super) error: f64,
    pub(super) lower: f64,
    pub(super) upper: f64,
}

/// Lattice points of the search for the horizon, and of the result.
const COARSE: usize = 128;
const FINE: usize = 4096;
/// T is past the horizon with less than this probability.
const NEGLIGIBLE: f64 = 1e-11;

/// Which way times are rounded to the lattice: where in its cell of the lattice a point lies.
const DOWN: f64 = 1.0;
const NEAREST: f64 = 0.5;
const UP: f64 = 0.0;

/// E\[T\] for these learners; none where it would take long to compute or has too long a tail.
pub(super) fn time_of(distribution: &Distribution, groups: &[Group], k: usize) -> Option<Enclosed> {
    let p: usize = groups.iter().map(|(_, count)| count).sum();
    let products = groups.len() - 1 + p.ilog2() as usize + 1;
    if k.checked_mul(k)?.checked_mul(products)? > 1 << 19 {
        return None;
    }
    let horizon = horizon(distribution, groups, k)?;
    let mut step = horizon / FINE as f64;
    // Two times only: let the shorter one be a point of the lattice.
    if let (Distribution::Bimodal { fast, .. }, [(factor, _)]) = (distribution, groups)
        && factor * fast > step
    {
        // And one of the lattice with twice the step.
        let fast = 0.5 * factor * fast;
        step = fast / (fast / step).ceil();
    }
    let mean = |step: f64, point| {
        let points = (horizon / step).ceil() as usize;
        step * not_yet(distribution, groups, k, step, points, point).iter().sum::<f64>()
    };
    let (lower, upper) = (mean(step, DOWN), mean(step, UP));
    let value = mean(step, NEAREST);
    let error = (value - mean(2.0 * step, NEAREST)).abs();
    Some(Enclosed { value: value.clamp(lower, upper), error, lower, upper })
}

/// A time that T hardly ever exceeds, not far above the least.
fn horizon(distribution: &Distribution, groups: &[Group], k: usize) -> Option<f64> {
    let p: usize = groups.iter().map(|(_, count)| count).sum();
    let fastest = groups.iter().map(|(factor, _)| *factor).fold(f64::INFINITY, f64::min);
    let first = fastest * order_statistics::expected(distribution, 1, p);
    let mut horizon = 4.0 * first * k.div_ceil(p) as f64;
    for _ in 0..48 {
        let step = horizon / COARSE as f64;
        let tail = not_yet(distribution, groups, k, step, COARSE, UP);
        match tail.len() {
            COARSE => horizon *= 2.0,
            short if short < COARSE / 3 => horizon = step * (short + 1) as f64,
            _ => return Some(step * (tail.len() + 1) as f64),
        }
        if !horizon.is_finite() {
            break;
        }
    }
    None
}

/// Pr(T > i step) for i from 0 on, to `points` or to where it is negligible.
fn not_yet(
    distribution: &Distribution,
    groups: &[Group],
    k: usize,
    step: f64,
    points: usize,
    point: f64,
) -> Vec<f64> {
    let of_groups: Vec<_> = groups
        .iter()
        .map(|(factor, count)| (finished(distribution, k, step / factor, points, point), *count))
        .collect();
    let probability = |i: usize| {
        let mut product: Option<Vec<f64>> = None;
        for (finished, count) in &of_groups {
            let at_least = |n: usize| finished.get(n).map_or(0.0, |by| by[i]);
            let one = power((0..k).map(|n| at_least(n) - at_least(n + 1)).collect(), *count);
            product = Some(product.map_or(one.clone(), |before| convolve(&before, &one)));
        }
        product.map_or(0.0, |product| product.iter().sum::<f64>())
    };
    (0..points).map(probability).take_while(|left| *left > NEGLIGIBLE).collect()
}

/// Pr(a learner has finished n by i `step`), for each n up to K and each i below `points`.
fn finished(
    distribution: &Distribution,
    k: usize,
    step: f64,
    points: usize,
    point: f64,
) -> Vec<Vec<f64>> {
    let survival = |i: f64| if i < 0.0 { 1.0 } else { distribution.survival(i * step) };
    let one: Vec<f64> = (0..points)
        .map(|i| i as f64 + point)
        .map(|edge| survival(edge - 1.0) - survival(edge))
        .collect();
    let mut finished = vec![vec![1.0; points]];
    let mut ends = one.clone();
    while finished.len() <= k {
        let by: Vec<f64> = ends
            .iter()
            .scan(0.0, |sum, mass| {
                *sum += mass;
                Some(*sum)
            })
            .collect();
        let hardly = by[points - 1] < 1e-15;
        finished.push(by);
        if hardly {
            break;
        }
        ends = convolve(&ends, &one);
    }
    finished
}

/// The product of two power series, to the length they have.
fn convolve(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut product = vec![0.0; a.len()];
    for (i, &x) in a.iter().enumerate().filter(|(_, x)| **x != 0.0) {
        for (sum, y) in product[i..].iter_mut().zip(b) {
            *sum += x * y;
        }
    }
    product
}

/// The power of a series, by squaring.
fn power(mut base: Vec<f64>, mut exponent: usize) -> Vec<f64> {
    let mut product = vec![0.0; base.len()];
    product[0] = 1.0;
    loop {
        if exponent & 1 == 1 {
            product = convolve(&product, &base);
        }
        exponent >>= 1;
        if exponent == 0 {
            return product;
        }
        base = convolve(&base, &base);
    }
}
