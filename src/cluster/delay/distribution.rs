//! The distributions of X, always with named parameters: a rate is never mistaken for a mean.

use std::{fmt, str::FromStr};

use serde_with::{DeserializeFromStr, SerializeDisplay};

use super::Trace;
use crate::{Error, Result, numbers::Shown, spec};

/// A distribution of the time a minibatch takes, in seconds. Written by its name and its parameters:
///
/// ```
/// use tortoise::cluster::delay::Distribution;
///
/// # fn main() -> tortoise::Result<()> {
/// let distribution: Distribution = "pareto:shape=2,scale=1".parse()?;
/// assert_eq!(distribution, Distribution::Pareto { shape: 2.0, scale: 1.0 });
/// assert_eq!(distribution.mean(), 2.0);
/// assert_eq!(distribution.to_string(), "pareto:shape=2,scale=1");
///
/// let error = "paretto:shape=2,scale=1".parse::<Distribution>().unwrap_err();
/// assert!(error.to_string().ends_with("did you mean \"pareto\"?"));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, SerializeDisplay, DeserializeFromStr)]
#[expect(missing_docs, reason = "the line above each variant says what its fields are")]
pub enum Distribution {
    /// Always this long. `constant:1`
    Constant(f64),
    /// Pr(X > t) = exp(-t / mean). `exponential:mean=1`
    Exponential { mean: f64 },
    /// `shift` plus an exponential time. `shifted-exponential:shift=1,mean=1`
    ShiftedExponential { shift: f64, mean: f64 },
    /// Even between `low` and `high`. `uniform:low=0,high=2`
    Uniform { low: f64, high: f64 },
    /// Type I: Pr(X > t) = (scale / t)^shape from `scale` on. `pareto:shape=2,scale=1`
    Pareto { shape: f64, scale: f64 },
    /// Pr(X > t) = exp(-(t / scale)^shape). `weibull:shape=0.5,scale=1`
    Weibull { shape: f64, scale: f64 },
    /// Exponential of mean `mean1` with probability `p`, else of mean `mean2`.
    /// `hyperexponential:p=0.9,mean1=0.5,mean2=5.5`
    Hyperexponential { p: f64, mean1: f64, mean2: f64 },
    /// `slow` with probability `p`, else `fast`. `bimodal:fast=1,slow=10,p=0.1`
    Bimodal { fast: f64, slow: f64, p: f64 },
    /// Times that were measured. `trace:FILE`
    Trace(Trace),
    /// `shift` plus a time of one of the distributions that have no shift themselves: see
    /// [`later`](Distribution::later). `pareto:shape=2,scale=1,shift=0.5`
    Shifted { shift: f64, of: Box<Self> },
}

/// Names, and the parameters of each in the order of [`Distribution::from_values`].
const GRAMMAR: [(&str, &[&str]); 9] = [
    ("constant", &["seconds"]),
    ("exponential", &["mean"]),
    ("shifted-exponential", &["shift", "mean"]),
    ("uniform", &["low", "high"]),
    ("pareto", &["shape", "scale"]),
    ("weibull", &["shape", "scale"]),
    ("hyperexponential", &["p", "mean1", "mean2"]),
    ("bimodal", &["fast", "slow", "p"]),
    ("trace", &[]),
];

/// What may have a shift besides its parameters.
const SHIFTABLE: [&str; 3] = ["pareto", "weibull", "hyperexponential"];

impl Distribution {
    /// The distribution of X + `seconds`.
    ///
    /// # Panics
    /// If that is negative or no number.
    #[must_use]
    pub fn later(self, seconds: f64) -> Self {
        assert!(seconds >= 0.0, "time is added");
        if seconds == 0.0 {
            return self;
        }
        match self {
            Self::Constant(constant) => Self::Constant(constant + seconds),
            Self::Exponential { mean } => Self::ShiftedExponential { shift: seconds, mean },
            Self::ShiftedExponential { shift, mean } => {
                Self::ShiftedExponential { shift: shift + seconds, mean }
            }
            Self::Uniform { low, high } => {
                Self::Uniform { low: low + seconds, high: high + seconds }
            }
            Self::Bimodal { fast, slow, p } => {
                Self::Bimodal { fast: fast + seconds, slow: slow + seconds, p }
            }
            Self::Trace(trace) => Self::Trace(trace.later(seconds)),
            Self::Shifted { shift, of } => Self::Shifted { shift: shift + seconds, of },
            of @ (Self::Pareto { .. } | Self::Weibull { .. } | Self::Hyperexponential { .. }) => {
                Self::Shifted { shift: seconds, of: Box::new(of) }
            }
        }
    }

    /// The time that X stays below with probability `u`, for `u` in `[0, 1)`.
    pub fn quantile(&self, u: f64) -> f64 {
        // 1 - u is exact: u is a multiple of 2^-53.
        let exponential = |u: f64, mean: f64| -mean * (1.0 - u).ln();
        match *self {
            Self::Constant(seconds) => seconds,
            Self::Exponential { mean } => exponential(u, mean),
            Self::ShiftedExponential { shift, mean } => shift + exponential(u, mean),
            Self::Uniform { low, high } => low + (high - low) * u,
            Self::Pareto { shape, scale } => scale * (1.0 - u).powf(-1.0 / shape),
            Self::Weibull { shape, scale } => scale * exponential(u, 1.0).powf(1.0 / shape),
            Self::Bimodal { slow, p, .. } if u < p => slow,
            Self::Bimodal { fast, .. } => fast,
            // Not the inverse of the mixture, but as uniform: the branch takes a part of u, and
            // what is left of it is uniform again.
            Self::Hyperexponential { p, mean1, .. } if u < p => exponential(u / p, mean1),
            Self::Hyperexponential { p, mean2, .. } => exponential((u - p) / (1.0 - p), mean2),
            Self::Trace(ref trace) => trace.draw(u),
            Self::Shifted { shift, ref of } => shift + of.quantile(u),
        }
    }

    /// Pr(X > t), for t from 0 on.
    ///
    /// # Panics
    /// For a trace that is replayed, which is no distribution.
    pub fn survival(&self, t: f64) -> f64 {
        match *self {
            Self::Constant(seconds) => f64::from(t < seconds),
            Self::Exponential { mean } => (-t / mean).exp(),
            Self::ShiftedExponential { shift, mean } => (-(t - shift).max(0.0) / mean).exp(),
            Self::Uniform { low, high } => ((high - t) / (high - low)).clamp(0.0, 1.0),
            Self::Pareto { shape, scale } => (scale / t.max(scale)).powf(shape),
            Self::Weibull { shape, scale } => (-(t / scale).powf(shape)).exp(),
            Self::Hyperexponential { p, mean1, mean2 } => {
                p * (-t / mean1).exp() + (1.0 - p) * (-t / mean2).exp()
            }
            Self::Shifted { shift, ref of } => of.survival((t - shift).max(0.0)),
            Self::Bimodal { fast, .. } if t < fast => 1.0,
            Self::Bimodal { slow, p, .. } => p * f64::from(t < slow),
            Self::Trace(ref trace) => {
                let distribution =
                    trace.distribution().expect("a replayed trace is no distribution");
                distribution.iter().filter(|seconds| **seconds > t).count() as f64
                    / distribution.len() as f64
            }
        }
    }

    /// E\[X\]; infinite for a Pareto distribution of shape 1 or less.
    pub fn mean(&self) -> f64 {
        match *self {
            Self::Constant(seconds) => seconds,
            Self::Exponential { mean } => mean,
            Self::ShiftedExponential { shift, mean } => shift + mean,
            Self::Uniform { low, high } => f64::midpoint(low, high),
            Self::Pareto { shape, .. } if shape <= 1.0 => f64::INFINITY,
            Self::Pareto { shape, scale } => shape * scale / (shape - 1.0),
            Self::Weibull { shape, scale } => scale * libm::tgamma(1.0 + 1.0 / shape),
            Self::Hyperexponential { p, mean1, mean2 } => p * mean1 + (1.0 - p) * mean2,
            Self::Bimodal { fast, slow, p } => p * slow + (1.0 - p) * fast,
            Self::Trace(ref trace) => trace.mean(),
            Self::Shifted { shift, ref of } => shift + of.mean(),
        }
    }

    /// The power of t with which Pr(X > t) falls in the end: finite for Pareto distributions only.
    pub(crate) fn tail_power(&self) -> f64 {
        match *self {
            Self::Pareto { shape, .. } => shape,
            Self::Shifted { ref of, .. } => of.tail_power(),
            _ => f64::INFINITY,
        }
    }

    /// Whether what is left of a minibatch is distributed as a fresh one is.
    pub fn is_memoryless(&self) -> bool {
        matches!(self, Self::Exponential { .. } | Self::Weibull { shape: 1.0, .. })
    }

    /// Half of all durations are below it; of a trace that is replayed, all learners' together.
    pub(super) fn median(&self) -> f64 {
        match self {
            Self::Trace(trace) => trace.median(),
            distribution => distribution.quantile(0.5),
        }
    }

    /// The name that it is written with, without its parameters.
    pub fn name(&self) -> &'static str {
        self.parts().0
    }

    /// Its parameters by name, times in seconds; none of a trace, and without a shift that comes on top.
    pub fn parameters(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let (name, values) = self.parts();
        let grammar = GRAMMAR.iter().find(|(known, _)| *known == name);
        let (_, names) = grammar.expect("the grammar lists every name with its parameters");
        names.iter().copied().zip(values)
    }

    /// Its name, and the values of its parameters in the order of the [`GRAMMAR`].
    fn parts(&self) -> (&'static str, Vec<f64>) {
        match *self {
            Self::Constant(seconds) => ("constant", vec![seconds]),
            Self::Exponential { mean } => ("exponential", vec![mean]),
            Self::ShiftedExponential { shift, mean } => ("shifted-exponential", vec![shift, mean]),
            Self::Uniform { low, high } => ("uniform", vec![low, high]),
            Self::Pareto { shape, scale } => ("pareto", vec![shape, scale]),
            Self::Weibull { shape, scale } => ("weibull", vec![shape, scale]),
            Self::Hyperexponential { p, mean1, mean2 } => {
                ("hyperexponential", vec![p, mean1, mean2])
            }
            Self::Bimodal { fast, slow, p } => ("bimodal", vec![fast, slow, p]),
            Self::Trace(_) => ("trace", Vec::new()),
            Self::Shifted { ref of, .. } => of.parts(),
        }
    }

    fn from_values(name: &str, parameters: &[&str], values: &[f64]) -> Result<Self> {
        let need = |holds: bool, what: &str| match holds {
            true => Ok(()),
            false => Err(Error::config(format!("{name}: {what}"))),
        };
        need(values.iter().all(|x| x.is_finite()), "parameters are finite numbers")?;
        for (parameter, &x) in parameters.iter().zip(values) {
            match *parameter {
                "p" => need(0.0 < x && x < 1.0, "p must be above 0 and below 1")?,
                "shift" => need(x >= 0.0, "shift must not be negative")?,
                // Those that belong together are looked at together, below.
                "low" | "high" | "fast" | "slow" => {}
                _ => need(x > 0.0, &format!("{parameter} must be above 0"))?,
            }
        }
        Ok(match (name, values) {
            ("exponential", &[mean]) => Self::Exponential { mean },
            ("shifted-exponential", &[shift, mean]) => Self::ShiftedExponential { shift, mean },
            ("uniform", &[low, high]) => {
                need(0.0 <= low && low < high, "0 <= low < high must hold")?;
                Self::Uniform { low, high }
            }
            ("pareto", &[shape, scale]) => Self::Pareto { shape, scale },
            ("weibull", &[shape, scale]) => Self::Weibull { shape, scale },
            ("hyperexponential", &[p, mean1, mean2]) => Self::Hyperexponential { p, mean1, mean2 },
            ("bimodal", &[fast, slow, p]) => {
                need(fast > 0.0, "fast must be above 0")?;
                need(fast <= slow, "fast must not be above slow")?;
                Self::Bimodal { fast, slow, p }
            }
            _ => unreachable!("the grammar lists every name with its parameters"),
        })
    }
}

impl FromStr for Distribution {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, parameters, rest) = spec::name("distribution", text, &GRAMMAR)?;
        match name {
            "constant" => {
                let seconds = rest.parse().ok().filter(|&s: &f64| s.is_finite() && s > 0.0);
                return seconds.map(Self::Constant).ok_or_else(|| {
                    Error::config("constant needs seconds above 0, as in constant:1")
                });
            }
            "trace" if rest.is_empty() => {
                return Err(Error::config("trace needs a file, as in trace:delays.csv"));
            }
            "trace" => return Trace::read(rest.as_ref()).map(Self::Trace),
            _ => {}
        }
        let mut keys = parameters.to_vec();
        keys.extend(SHIFTABLE.contains(&name).then_some("shift"));
        let values = spec::values(name, rest, &keys)?;
        let shift = values.get(parameters.len()).copied().flatten();
        let value = |(key, value): (&&str, Option<&str>)| match value {
            Some(value) => spec::number(name, key, value),
            None => Err(Error::config(format!("{name} needs {key}, as in {key}=1"))),
        };
        let values = parameters.iter().zip(values).map(value).collect::<Result<Vec<_>>>()?;
        let shift = shift.map_or(Ok(0.0), |shift| spec::number(name, "shift", shift))?;
        if !(shift.is_finite() && shift >= 0.0) {
            return Err(Error::config(format!("{name}: shift must not be negative")));
        }
        Ok(Self::from_values(name, parameters, &values)?.later(shift))
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Self::Constant(seconds) => write!(f, "{name}:{}", Shown(*seconds)),
            Self::Trace(trace) => write!(f, "{name}:{}", trace.path().display()),
            Self::Shifted { shift, of } => write!(f, "{of},shift={}", Shown(*shift)),
            _ => {
                let pair = |(parameter, value)| format!("{parameter}={}", Shown(value));
                let pairs: Vec<String> = self.parameters().map(pair).collect();
                write!(f, "{name}:{}", pairs.join(","))
            }
        }
    }
}
