//! E\[X_{K:P}\], the expected K-th smallest of P independent times.

use crate::cluster::delay::Distribution;

/// E\[X_{K:P}\] in seconds, for 1 <= K <= P; none where no closed form is known or can be evaluated
/// to six digits. Infinite where the expectation is.
///
/// Exponential: (H_P - H_{P-K}) mean (Dutta et al. 2018, section 4.1); the others are textbook order
/// statistics (David and Nagaraja, Order Statistics, 2003).
pub fn expected(law: &Distribution, k: usize, p: usize) -> Option<f64> {
    assert!(0 < k && k <= p, "the K-th of P has 1 <= K <= P");
    let (kf, pf) = (k as f64, p as f64);
    // H_P - H_{P-K}, smallest terms first.
    let harmonic = || (p - k + 1..=p).rev().map(|i| 1.0 / i as f64).sum::<f64>();
    match *law {
        Distribution::Constant(seconds) => Some(seconds),
        Distribution::Exponential { mean } => Some(mean * harmonic()),
        Distribution::ShiftedExponential { shift, mean } => Some(shift + mean * harmonic()),
        Distribution::Uniform { low, high } => Some(low + (high - low) * kf / (pf + 1.0)),
        Distribution::Pareto { shape, .. } if (p - k + 1) as f64 * shape <= 1.0 => {
            Some(f64::INFINITY)
        }
        // The ratio of gamma functions, as a product without cancellation.
        Distribution::Pareto { shape, scale } => {
            let factors = (p - k + 1..=p).map(|i| i as f64 / (i as f64 - 1.0 / shape));
            Some(scale * factors.product::<f64>())
        }
        Distribution::Weibull { shape, scale } => weibull(shape, k, p).map(|x| scale * x),
        Distribution::Bimodal { fast, slow, p: q } => {
            Some(fast + (slow - fast) * binomial_above(p, q, p - k))
        }
        Distribution::Hyperexponential { .. } | Distribution::Trace(_) => None,
    }
}

/// Pr(Bin(n, q) > limit).
fn binomial_above(n: usize, q: f64, limit: usize) -> f64 {
    let ln_choose = |i: usize| ln_factorial(n) - ln_factorial(i) - ln_factorial(n - i);
    let ln_term = |i: usize| ln_choose(i) + i as f64 * q.ln() + (n - i) as f64 * (-q).ln_1p();
    (limit + 1..=n).map(|i| ln_term(i).exp()).sum()
}

/// The alternating sum for a Weibull law of scale 1; none where cancellation leaves too few digits.
fn weibull(shape: f64, k: usize, p: usize) -> Option<f64> {
    let ln_front = ln_factorial(p) - ln_factorial(k - 1) - ln_factorial(p - k);
    let (mut sum, mut magnitude) = (0.0, 0.0);
    for i in 0..k {
        let ln_choose = ln_factorial(k - 1) - ln_factorial(i) - ln_factorial(k - 1 - i);
        let exponent = 1.0 + 1.0 / shape;
        let term = (ln_front + ln_choose - exponent * ((p - k + 1 + i) as f64).ln()).exp();
        sum += if i % 2 == 0 { term } else { -term };
        magnitude += term;
    }
    // Each term carries the rounding of logarithms of its own size.
    (magnitude * 1e-14 < 1e-6 * sum).then(|| libm::tgamma(1.0 + 1.0 / shape) * sum)
}

fn ln_factorial(n: usize) -> f64 {
    libm::lgamma(n as f64 + 1.0)
}
