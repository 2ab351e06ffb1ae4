//! Expected times where some learners are slower than others: learner i takes f_i X for a minibatch.
//!
//! Learners of the same factor are a group, and the number of them that have finished by t is
//! binomial; so the number of all is a Poisson binomial count.

use super::{
    renewals::{self, Group},
    update_time::UpdateTime,
};
use crate::{
    cluster::delay::{Distribution, Slow},
    sgd::scheduler::Variant,
};

/// P times K from which a value would take long.
const MOST_WORK: usize = 1 << 16;
/// The error of an integral, beside its value.
const TOLERANCE: f64 = 1e-10;
/// Part of the shortest time below which nothing counts.
const NOTHING: f64 = 1e-12;

/// The groups of P = `p` learners.
pub(super) fn groups(slow: &Slow, p: usize) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for factor in slow.factors(p) {
        match groups.iter_mut().find(|(other, _)| *other == factor) {
            Some((_, count)) => *count += 1,
            None => groups.push((factor, 1)),
        }
    }
    groups
}

/// The long-run mean time per update of a base variant among these learners, under pre-emptive
/// cancellation. A learner that never waits pushes 1 / (f_i E\[X\]) gradients a second (elementary
/// renewal theorem); K-sync waits for the K-th of P different times; K-batch-sync counts the renewals
/// of all. K-async waits in a way that no formula is known for: only a bound.
pub(super) fn update_time(
    variant: Variant,
    distribution: &Distribution,
    groups: &[Group],
    k: usize,
) -> UpdateTime {
    let p: usize = groups.iter().map(|(_, count)| count).sum();
    let gradients: f64 = groups.iter().map(|(factor, count)| *count as f64 / factor).sum();
    let renewal = k as f64 * distribution.mean() / gradients;
    let known = |value: Option<f64>| value.map_or(UpdateTime::default(), UpdateTime::exactly);
    match variant {
        Variant::KBatchAsync => UpdateTime::exactly(renewal),
        Variant::KAsync if k == 1 || renewal.is_infinite() => UpdateTime::exactly(renewal),
        Variant::KSync => known(order_statistic(distribution, groups, k)),
        // Everybody waits for everybody.
        Variant::KAsync if k == p => known(order_statistic(distribution, groups, k)),
        Variant::KAsync => UpdateTime { lower: Some(renewal), ..UpdateTime::default() },
        Variant::KBatchSync if p == 1 || distribution.is_memoryless() => {
            UpdateTime::exactly(renewal)
        }
        Variant::KBatchSync if k == 1 => known(order_statistic(distribution, groups, 1)),
        Variant::KBatchSync => match *distribution {
            Distribution::Constant(seconds) => UpdateTime::exactly(seconds * in_turn(groups, k)),
            _ => match renewals::time_of(distribution, groups, k) {
                Some(numeric) => UpdateTime::numerically(&numeric, numeric.lower, numeric.upper),
                None => UpdateTime::default(),
            },
        },
    }
}

/// The K-th smallest of all multiples of the factors, each as often as there are learners of it.
fn in_turn(groups: &[Group], k: usize) -> f64 {
    let mut done: Vec<(f64, f64, usize)> =
        groups.iter().map(|(factor, count)| (*factor, *factor, *count)).collect();
    let mut finished = 0;
    loop {
        let next = done.iter_mut().min_by(|a, b| a.0.total_cmp(&b.0)).expect("there are learners");
        let time = next.0;
        finished += next.2;
        if finished >= k {
            return time;
        }
        next.0 += next.1;
    }
}

/// The expected K-th smallest of the times of all learners: the integral of Pr(fewer than K are done).
/// None where it would take long to compute.
fn order_statistic(distribution: &Distribution, groups: &[Group], k: usize) -> Option<f64> {
    let p: usize = groups.iter().map(|(_, count)| count).sum();
    let edges = edges(distribution);
    let work = p.checked_mul(k)?;
    if work > MOST_WORK || edges.len().checked_mul(work * groups.len())? > 1 << 28 {
        return None;
    }
    let fewer = |t: f64| {
        // The chances of 0, 1, ..., K - 1 learners that are done.
        let mut chances = vec![0.0; k];
        chances[0] = 1.0;
        for (factor, count) in groups {
            let left = distribution.survival(t / factor);
            for _ in 0..*count {
                for n in (1..k).rev() {
                    chances[n] = left * chances[n] + (1.0 - left) * chances[n - 1];
                }
                chances[0] *= left;
            }
        }
        chances.iter().sum::<f64>()
    };
    let mut places: Vec<f64> =
        groups.iter().flat_map(|(factor, _)| edges.iter().map(move |edge| factor * edge)).collect();
    places.sort_by(f64::total_cmp);
    places.dedup();
    if is_discrete(distribution) {
        let starts = [0.0].into_iter().chain(places.iter().copied());
        return Some(starts.zip(&places).map(|(from, to)| (to - from) * fewer(from)).sum());
    }
    // Pr(X > t) of a Pareto distribution falls with the power shape, and that of all that have to be
    // late with the sum of these.
    let power = (p - k + 1) as f64 * distribution.tail_power();
    if power <= 1.0 {
        return Some(f64::INFINITY);
    }
    let least = groups.iter().map(|(factor, _)| *factor).fold(f64::INFINITY, f64::min);
    let typical = least * distribution.quantile(0.5);
    let nothing = NOTHING * typical;
    let first = places.first().copied().unwrap_or(0.0).max(nothing);
    // Until then nobody can be done.
    let mut sum = first;
    let mut from = first;
    let integrand = |y: f64| fewer(y.exp()) * y.exp();
    for to in places.into_iter().filter(|place| *place > first) {
        sum += integral(&integrand, from.ln(), to.ln(), TOLERANCE * to);
        from = to;
    }
    loop {
        let tail = from * fewer(from);
        // Beyond, all of these distributions but Pareto's fall faster than any power.
        let far = from > 1e9 * sum;
        if tail < 1e-3 * TOLERANCE * sum && power.is_infinite() || far {
            return Some(if far && power.is_finite() { sum + tail / (power - 1.0) } else { sum });
        }
        let error = TOLERANCE * sum.max(1e-3 * typical);
        sum += integral(&integrand, from.ln(), (2.0 * from).ln(), error);
        from *= 2.0;
    }
}

/// Where Pr(X > t) has a step or a corner.
fn edges(distribution: &Distribution) -> Vec<f64> {
    match *distribution {
        Distribution::Constant(seconds) => vec![seconds],
        Distribution::ShiftedExponential { shift, .. } => vec![shift],
        Distribution::Uniform { low, high } => vec![low, high],
        Distribution::Pareto { scale, .. } => vec![scale],
        Distribution::Bimodal { fast, slow, .. } => vec![fast, slow],
        Distribution::Trace(ref trace) => {
            trace.distribution().expect("a replayed trace is no distribution").to_vec()
        }
        Distribution::Shifted { shift, ref of } => {
            let edges = edges(of).into_iter().map(|edge| shift + edge);
            [shift].into_iter().chain(edges).collect()
        }
        Distribution::Exponential { .. }
        | Distribution::Weibull { .. }
        | Distribution::Hyperexponential { .. } => Vec::new(),
    }
}

fn is_discrete(distribution: &Distribution) -> bool {
    matches!(
        distribution,
        Distribution::Constant(_) | Distribution::Bimodal { .. } | Distribution::Trace(_)
    )
}

/// The integral of a smooth function, by Simpson's rule with halved intervals where it is not yet good
/// enough (Kuncir 1962).
fn integral(of: &dyn Fn(f64) -> f64, from: f64, to: f64, error: f64) -> f64 {
    let middle = f64::midpoint(from, to);
    let values = [of(from), of(middle), of(to)];
    halved(of, (from, to), values, error, 40)
}

fn halved(
    of: &dyn Fn(f64) -> f64,
    (from, to): (f64, f64),
    [low, middle, high]: [f64; 3],
    error: f64,
    depth: u32,
) -> f64 {
    let (wide, half) = (to - from, f64::midpoint(from, to));
    let whole = wide / 6.0 * (low + 4.0 * middle + high);
    let left = of(f64::midpoint(from, half));
    let right = of(f64::midpoint(half, to));
    let lower = wide / 12.0 * (low + 4.0 * left + middle);
    let upper = wide / 12.0 * (middle + 4.0 * right + high);
    let difference = lower + upper - whole;
    if difference.abs() <= 15.0 * error || depth == 0 {
        return lower + upper + difference / 15.0;
    }
    halved(of, (from, half), [low, left, middle], error / 2.0, depth - 1)
        + halved(of, (half, to), [middle, right, high], error / 2.0, depth - 1)
}
