//! Each distribution with the parameters that are likeliest, where some durations are only known to be
//! longer.

use super::{
    newton::{Top, maximise},
    sample::{RESOLUTION, Sample},
};
use crate::{cluster::delay::Distribution, statistics::bisect};

/// A distribution with its parameters.
#[derive(Debug)]
pub(super) struct Fitted {
    /// The likeliest.
    pub(super) likeliest: Distribution,
    /// That with its ends where they are on average. The likeliest ends are the first and last
    /// duration seen, and X goes further: its log-likelihood rises towards them by a slope, and they
    /// are off by 1/slope on average, with that for a standard error.
    pub(super) distribution: Distribution,
    /// Standard errors of its parameters.
    pub(super) errors: Vec<f64>,
}

/// All parametric distributions. None of a distribution that cannot have given these durations, or of
/// which they tell less than it has parameters.
pub(super) const FAMILIES: [fn(&Sample) -> Option<Fitted>; 8] = [
    constant,
    exponential,
    shifted_exponential,
    uniform,
    pareto,
    weibull,
    hyperexponential,
    bimodal,
];

impl Fitted {
    /// None where a parameter or its error is not finite.
    fn new(likeliest: Distribution, distribution: Distribution, errors: Vec<f64>) -> Option<Self> {
        let finite = distribution.parameters().all(|(_, value)| value.is_finite())
            && errors.iter().all(|error| error.is_finite());
        finite.then_some(Self { likeliest, distribution, errors })
    }

    /// Of a distribution without ends, or whose ends are known.
    fn as_likely(likeliest: Distribution, errors: Vec<f64>) -> Option<Self> {
        Self::new(likeliest.clone(), likeliest, errors)
    }
}

/// ln of the probability of the sample, with a nanosecond for each finished duration: so distributions
/// that take single values compare with those that have densities.
pub(super) fn log_likelihood(distribution: &Distribution, sample: &Sample) -> f64 {
    let finished: f64 = sample.finished.iter().map(|t| log_probability(distribution, *t)).sum();
    finished + sample.cancelled.iter().map(|t| log_from(distribution, *t)).sum::<f64>()
}

/// ln Pr(X >= t).
pub(super) fn log_from(distribution: &Distribution, t: f64) -> f64 {
    match *distribution {
        Distribution::Constant(seconds) => ln_of(t <= seconds),
        Distribution::Bimodal { fast, .. } if t <= fast => 0.0,
        Distribution::Bimodal { slow, p, .. } => p.ln() + ln_of(t <= slow),
        // Not by way of probabilities, which the tail is too small for.
        Distribution::Exponential { mean } => -t / mean,
        Distribution::ShiftedExponential { shift, mean } => -(t - shift).max(0.0) / mean,
        Distribution::Weibull { shape, scale } => -(t / scale).powf(shape),
        Distribution::Hyperexponential { p, mean1, mean2 } => {
            ln_sum(p.ln() - t / mean1, (-p).ln_1p() - t / mean2)
        }
        Distribution::Uniform { .. } | Distribution::Pareto { .. } | Distribution::Trace(_) => {
            distribution.survival(t).ln()
        }
        Distribution::Shifted { shift, ref of } => log_from(of, (t - shift).max(0.0)),
    }
}

/// ln Pr(X = t), with t up to a nanosecond.
fn log_probability(distribution: &Distribution, t: f64) -> f64 {
    let density = match *distribution {
        Distribution::Constant(seconds) => return ln_of(t == seconds),
        Distribution::Bimodal { slow, p, .. } if t == slow => return p.ln(),
        Distribution::Bimodal { fast, p, .. } => return ln_of(t == fast) + (-p).ln_1p(),
        Distribution::Exponential { mean } => -mean.ln() - t / mean,
        Distribution::ShiftedExponential { shift, mean } => {
            ln_of(t >= shift) - mean.ln() - (t - shift) / mean
        }
        Distribution::Uniform { low, high } => ln_of(low <= t && t <= high) - (high - low).ln(),
        Distribution::Pareto { shape, scale } => {
            ln_of(t >= scale) + shape.ln() + shape * scale.ln() - (shape + 1.0) * t.ln()
        }
        Distribution::Weibull { shape, scale } => {
            let ln = (t / scale).ln();
            shape.ln() - scale.ln() + (shape - 1.0) * ln - (shape * ln).exp()
        }
        Distribution::Hyperexponential { p, mean1, mean2 } => {
            ln_sum(p.ln() - mean1.ln() - t / mean1, (-p).ln_1p() - mean2.ln() - t / mean2)
        }
        Distribution::Shifted { shift, .. } if t < shift => return f64::NEG_INFINITY,
        Distribution::Shifted { shift, ref of } => return log_probability(of, t - shift),
        Distribution::Trace(_) => unreachable!("a trace is no parametric distribution"),
    };
    density + RESOLUTION.ln()
}

fn ln_of(holds: bool) -> f64 {
    if holds { 0.0 } else { f64::NEG_INFINITY }
}

/// ln(e^a + e^b).
fn ln_sum(a: f64, b: f64) -> f64 {
    let most = a.max(b);
    most + (a.min(b) - most).exp().ln_1p()
}

fn constant(sample: &Sample) -> Option<Fitted> {
    let seconds = sample.finished[0];
    let all = sample.all().all(|t| t <= seconds) && sample.finished.iter().all(|t| *t == seconds);
    all.then(|| Fitted::as_likely(Distribution::Constant(seconds), vec![0.0]))?
}

fn exponential(sample: &Sample) -> Option<Fitted> {
    let finished = sample.finished.len() as f64;
    let mean = sample.all().sum::<f64>() / finished;
    Fitted::as_likely(Distribution::Exponential { mean }, vec![mean / finished.sqrt()])
}

/// Of durations from `first` on: how many finished, how many in all, and the sum of `beyond` them.
fn from_first(sample: &Sample, beyond: impl Fn(f64, f64) -> f64) -> Option<(f64, f64, f64, f64)> {
    let first = sample.finished[0];
    let sum: f64 = sample.all().filter(|t| *t > first).map(|t| beyond(t, first)).sum();
    let (finished, cancelled) = sample.from(first);
    let enough = finished > 2 && sum > 0.0;
    enough.then_some((first, finished as f64, (finished + cancelled) as f64, sum))
}

fn shifted_exponential(sample: &Sample) -> Option<Fitted> {
    let (first, finished, all, sum) = from_first(sample, |t, first| t - first)?;
    // One duration tells where the others start from.
    let mean = sum / (finished - 1.0);
    let off = mean / all;
    let shift = (first - off).max(0.0);
    let likeliest = Distribution::ShiftedExponential { shift: first, mean: sum / finished };
    let distribution = Distribution::ShiftedExponential { shift, mean };
    Fitted::new(likeliest, distribution, vec![off, mean / finished.sqrt()])
}

fn pareto(sample: &Sample) -> Option<Fitted> {
    let (first, finished, all, sum) = from_first(sample, |t, first| (t / first).ln())?;
    let shape = (finished - 2.0) / sum;
    let off = first / (all * shape);
    let scale = (first - off).max(RESOLUTION);
    let likeliest = Distribution::Pareto { shape: finished / sum, scale: first };
    let distribution = Distribution::Pareto { shape, scale };
    Fitted::new(likeliest, distribution, vec![shape / finished.sqrt(), off])
}

fn uniform(sample: &Sample) -> Option<Fitted> {
    let (first, _, all, _) = from_first(sample, |t, first| t - first)?;
    let last = sample.finished[sample.finished.len() - 1];
    let cancelled: Vec<f64> = sample.cancelled.iter().copied().filter(|t| *t > first).collect();
    let least = cancelled.iter().copied().fold(last, f64::max);
    // Of the log-likelihood -finished ln(high - low) + sum ln((high - t) / (high - low)), t those
    // that were cancelled: it rises while this is above 0, and this falls.
    let slope = |high: f64| {
        let left: f64 = cancelled.iter().map(|t| 1.0 / (high - t)).sum();
        left - all / (high - first)
    };
    let (likeliest, high, error) = if least == last && slope(last) <= 0.0 {
        let off = -1.0 / slope(last);
        (last, last + off, off)
    } else {
        let mut high = 2.0 * least;
        while slope(high) > 0.0 {
            high *= 2.0;
        }
        let high = bisect(least, high, 100, |high| slope(high) <= 0.0);
        let squares: f64 = cancelled.iter().map(|t| (high - t).powi(-2)).sum();
        let information = squares - all * (high - first).powi(-2);
        (high, high, 1.0 / information.sqrt())
    };
    let off = (likeliest - first) / all;
    let low = (first - off).max(0.0);
    let likeliest = Distribution::Uniform { low: first, high: likeliest };
    Fitted::new(likeliest, Distribution::Uniform { low, high }, vec![off, error])
}

fn weibull(sample: &Sample) -> Option<Fitted> {
    let distribution = |&[shape, scale]: &[f64; 2]| Distribution::Weibull {
        shape: shape.exp(),
        scale: scale.exp(),
    };
    let mean = sample.all().sum::<f64>() / sample.finished.len() as f64;
    let Top { at, covariance } =
        maximise(|at| log_likelihood(&distribution(at), sample), [0.0, mean.ln()])?;
    let error = |i: usize| at[i].exp() * covariance[i][i].sqrt();
    Fitted::as_likely(distribution(&at), vec![error(0), error(1)])
}

/// Shares of the quick ones that the search for a mixture starts from.
const STARTS: [f64; 3] = [0.5, 0.9, 0.99];
/// Steps of expectation and maximisation before those of Newton.
const EM_STEPS: usize = 50;

fn hyperexponential(sample: &Sample) -> Option<Fitted> {
    let distribution = |&[logit, mean1, mean2]: &[f64; 3]| Distribution::Hyperexponential {
        p: 1.0 / (1.0 + (-logit).exp()),
        mean1: mean1.exp(),
        mean2: mean2.exp(),
    };
    let starts = STARTS.map(|p| {
        let [p, mean1, mean2] = expectation_maximisation(sample, p);
        [(p / (1.0 - p)).ln(), mean1.ln(), mean2.ln()]
    });
    let finite = starts.into_iter().filter(|start| start.iter().all(|x| x.is_finite()));
    let best = finite.map(|start| (log_likelihood(&distribution(&start), sample), start));
    let (_, start) = best.max_by(|(a, _), (b, _)| a.total_cmp(b))?;
    let Top { at, covariance } = maximise(|at| log_likelihood(&distribution(at), sample), start)?;
    let distribution = distribution(&at);
    let &Distribution::Hyperexponential { p, mean1, mean2 } = &distribution else { return None };
    let error = |i: usize| covariance[i][i].sqrt();
    // Of two that are one, nothing could tell the share.
    let two = (1e-6..1.0 - 1e-6).contains(&p) && mean1 * (1.0 + 1e-3) < mean2;
    let errors = vec![p * (1.0 - p) * error(0), mean1 * error(1), mean2 * error(2)];
    two.then(|| Fitted::as_likely(distribution, errors))?
}

/// p and the two means: how likely each duration is to be a quick one, and by these shares the means,
/// in turns (Dempster, Laird and Rubin 1977). Begins with quick ones that take half the mean.
fn expectation_maximisation(sample: &Sample, p: f64) -> [f64; 3] {
    let mean = sample.all().sum::<f64>() / sample.finished.len() as f64;
    let [mut p, mut mean1, mut mean2] = [p, mean / 2.0, mean * (1.0 - p / 2.0) / (1.0 - p)];
    for _ in 0..EM_STEPS {
        // Shares, time and finished ones of the quick; of all of them.
        let (mut quick, mut all) = ([0.0; 3], [0.0; 3]);
        for (times, finished) in [(&sample.finished, 1.0), (&sample.cancelled, 0.0)] {
            for t in times {
                let odds =
                    (1.0 - p) / p * (mean1 / mean2).powf(finished) * (t / mean1 - t / mean2).exp();
                let share = 1.0 / (1.0 + odds);
                for (i, value) in [1.0, *t, finished].into_iter().enumerate() {
                    quick[i] += share * value;
                    all[i] += value;
                }
            }
        }
        p = quick[0] / all[0];
        mean1 = quick[1] / quick[2];
        mean2 = (all[1] - quick[1]) / (all[2] - quick[2]);
    }
    [p, mean1, mean2]
}

fn bimodal(sample: &Sample) -> Option<Fitted> {
    let mut distinct = sample.distinct();
    let (Some((fast, quick)), Some((slow, late)), None) =
        (distinct.next(), distinct.next(), distinct.next())
    else {
        return None;
    };
    let unfinished = sample.cancelled.iter().filter(|t| **t > fast).count();
    let (late, all) = ((late + unfinished) as f64, (quick + late + unfinished) as f64);
    let p = late / all;
    let error = (p * (1.0 - p) / all).sqrt();
    let possible = sample.cancelled.last().is_none_or(|t| *t <= slow);
    let distribution = Distribution::Bimodal { fast, slow, p };
    possible.then(|| Fitted::as_likely(distribution, vec![0.0, 0.0, error]))?
}
