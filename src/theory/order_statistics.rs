//! E\[X_{K:P}\], the expected K-th smallest of P independent times.
//!
//! Closed forms where they can be evaluated without cancellation, else sums of positive terms alone:
//! every value is good to rounding, for thousands of learners too.

use crate::cluster::delay::Distribution;

/// E\[X_{K:P}\] in seconds, for 1 <= K <= P. Infinite where the expectation is.
///
/// Exponential: (H_P - H_{P-K}) mean (Dutta et al. 2018, section 4.1); the others are textbook order
/// statistics (David and Nagaraja, Order Statistics, 2003).
///
/// # Panics
/// If K is out of range, or for a trace that is replayed, which is no distribution.
pub fn expected(distribution: &Distribution, k: usize, p: usize) -> f64 {
    assert!(0 < k && k <= p, "the K-th of P has 1 <= K <= P");
    let (kf, pf) = (k as f64, p as f64);
    // H_P - H_{P-K}, smallest terms first.
    let harmonic = || (p - k + 1..=p).rev().map(|i| 1.0 / i as f64).sum::<f64>();
    match *distribution {
        Distribution::Constant(seconds) => seconds,
        Distribution::Exponential { mean } => mean * harmonic(),
        Distribution::ShiftedExponential { shift, mean } => shift + mean * harmonic(),
        Distribution::Uniform { low, high } => low + (high - low) * kf / (pf + 1.0),
        Distribution::Pareto { shape, .. } if (p - k + 1) as f64 * shape <= 1.0 => f64::INFINITY,
        // The ratio of gamma functions, as a product without cancellation.
        Distribution::Pareto { shape, scale } => {
            let factors = (p - k + 1..=p).map(|i| i as f64 / (i as f64 - 1.0 / shape));
            scale * factors.product::<f64>()
        }
        // A power of an exponential time.
        Distribution::Weibull { shape, scale } => {
            scale * power_of_mixture(1.0 / shape, &[(1.0, 1.0)], k, p)
        }
        Distribution::Hyperexponential { p: q, mean1, mean2 } => {
            power_of_mixture(1.0, &[(q, mean1), (1.0 - q, mean2)], k, p)
        }
        Distribution::Bimodal { fast, slow, p: q } => {
            fast + (slow - fast) * binomial_below(p, 1.0 - q, k)
        }
        Distribution::Trace(ref trace) => {
            let mut times =
                trace.distribution().expect("a replayed trace is no distribution").to_vec();
            times.sort_by(f64::total_cmp);
            let n = times.len() as f64;
            let rises = times.windows(2).zip(1_u32..).filter(|(pair, _)| pair[1] > pair[0]);
            let rises =
                rises.map(|(pair, i)| (pair[1] - pair[0]) * binomial_below(p, f64::from(i) / n, k));
            times[0] + rises.sum::<f64>()
        }
        Distribution::Shifted { shift, ref of } => shift + expected(of, k, p),
    }
}

/// E\[(T_{K:P})^r\] for T from a mixture of exponential distributions, given as (weight, mean).
///
/// The trapezoidal rule in ln t over the density of T_{K:P}, whose constant is the sum of the
/// weights: no gamma function is needed. For analytic integrands that vanish at both ends the rule
/// converges exponentially (Trefethen and Weideman, SIAM Review 56, 2014). The standard deviation of
/// ln T_{K:P} is above 1.2 / sqrt(P), so that a step of half of 1 / sqrt(P) sees all of it.
fn power_of_mixture(r: f64, parts: &[(f64, f64)], k: usize, p: usize) -> f64 {
    let below = (k - 1) as f64;
    let above = (p - k) as f64;
    let ln_weight = |y: f64| {
        let t = y.exp();
        let (mut reached, mut left, mut density) = (0.0, 0.0, 0.0);
        for (weight, mean) in parts {
            reached -= weight * (-t / mean).exp_m1();
            left += weight * (-t / mean).exp();
            density += weight * t / mean * (-t / mean).exp();
        }
        if density == 0.0 || left == 0.0 {
            return f64::NEG_INFINITY;
        }
        below * reached.ln() + above * left.ln() + density.ln()
    };
    let means = parts.iter().map(|(_, mean)| *mean);
    let shortest = means.clone().fold(f64::INFINITY, f64::min);
    let longest = means.fold(0.0, f64::max);
    let ln_p = (p as f64).ln();
    // What lies outside is less than e^-50 of the whole.
    let low = shortest.ln() - ln_p - 50.0;
    let spread = (longest / shortest).ln();
    let high = longest.ln() + (100.0 + 4.0 * (r + ln_p) + spread).ln();
    let step = f64::min(0.2, 0.5 / (p as f64).sqrt());
    let points = ((high - low) / step).ceil() as usize;
    let ln_terms: Vec<_> = (0..=points)
        .map(|i| low + i as f64 * step)
        .map(|y| (y, ln_weight(y)))
        .filter(|(_, ln_weight)| ln_weight.is_finite())
        .collect();
    let largest = ln_terms.iter().fold(f64::NEG_INFINITY, |most, (_, ln)| most.max(*ln));
    let weights: f64 = ln_terms.iter().map(|(_, ln)| (ln - largest).exp()).sum();
    let powers: f64 = ln_terms.iter().map(|(y, ln)| (ln - largest + r * y).exp()).sum();
    powers / weights
}

/// Pr(Bin(n, q) < limit) for 0 < q < 1: terms outward from the largest, which need no factorials.
fn binomial_below(n: usize, q: f64, limit: usize) -> f64 {
    const NEGLIGIBLE: f64 = 1e-60;
    let odds = q / (1.0 - q);
    let mode = (((n + 1) as f64 * q) as usize).min(n);
    let (mut all, mut below) = (0.0, 0.0);
    let mut add = |i: usize, term: f64| {
        all += term;
        if i < limit {
            below += term;
        }
    };
    let mut term = 1.0;
    for i in (0..=mode).rev() {
        add(i, term);
        term *= i as f64 / ((n - i + 1) as f64 * odds);
        if term < NEGLIGIBLE {
            break;
        }
    }
    term = 1.0;
    for i in mode + 1..=n {
        term *= (n - i + 1) as f64 * odds / i as f64;
        if term < NEGLIGIBLE {
            break;
        }
        add(i, term);
    }
    below / all
}
