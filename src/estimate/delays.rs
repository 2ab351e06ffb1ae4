//! The distribution of the delays, from durations that were observed.
//!
//! Each parametric distribution is fitted by maximum likelihood. Of a minibatch that was cancelled
//! it is only known that it would have taken longer than the time until then (it is
//! right-censored), and the likelihood says just that. Without these minibatches every distribution
//! would look too fast, since it is the slow ones that are cancelled.

mod families;
mod independence;
mod learners;
mod newton;
mod observed;
mod sample;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use self::observed::{Observed, Recording, parse_events, read_events};
use self::{families::FAMILIES, sample::Sample};
use super::Estimate;
use crate::{
    Error, Result,
    cluster::delay::{Distribution, Slow},
    ids::LearnerId,
};

/// A distribution with the parameters that the durations give it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Candidate {
    /// The distribution, as `--delay` takes it.
    #[serde(rename = "law")]
    pub distribution: Distribution,
    /// Its parameters by name.
    pub parameters: Vec<Parameter>,
    /// ln of the probability of the durations, each of those that were finished up to a nanosecond.
    #[serde(deserialize_with = "crate::numbers::or_nan")]
    pub log_likelihood: f64,
    /// 2 parameters - 2 ln likelihood (Akaike 1974).
    #[serde(deserialize_with = "crate::numbers::or_nan")]
    pub aic: f64,
    /// parameters ln(finished) - 2 ln likelihood (Schwarz 1978).
    #[serde(deserialize_with = "crate::numbers::or_nan")]
    pub bic: f64,
}

/// A parameter of a distribution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Parameter {
    /// As the distribution names it.
    pub name: Cow<'static, str>,
    /// Its value; times in seconds.
    #[serde(flatten)]
    pub estimate: Estimate,
}

/// A learner whose durations are those of the others times a factor.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Factor {
    /// Which learner it is.
    pub learner: LearnerId,
    /// What multiplies its times; above 1 it is slower than the distribution says.
    pub factor: Estimate,
}

/// What durations say of their distribution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Fit {
    /// The distributions that can have given the durations, the best first: that of the least BIC. AIC
    /// takes a shifted exponential distribution for every third sample of an exponential one, however
    /// large it is.
    pub candidates: Vec<Candidate>,
    /// The largest distance between the best distribution and the shares of durations that are longer
    /// (Kolmogorov and Smirnov).
    pub distance: f64,
    /// Whether that is no more than chance does.
    pub fits: bool,
    /// How successive durations of a learner are correlated, for which theory has 0: where a device slows
    /// down for a while it is above. None where there are too few durations, or all are the same.
    #[serde(default)]
    pub correlation: Option<Estimate>,
    /// Learners that differ from the others; the distribution is that of the others.
    pub slow: Vec<Factor>,
    /// Minibatches that were finished.
    pub finished: usize,
    /// Minibatches that were cancelled or not done at the end.
    pub unfinished: usize,
    /// What to be wary of, in plain words.
    pub warnings: Vec<String>,
}

/// What Kolmogorov's statistic exceeds once in a hundred samples of a distribution that is known; of
/// one that was fitted, less often.
const CHANCE: f64 = 1.63;

/// Standard errors that a correlation of independent durations exceeds about once in two thousand runs.
const DEPENDENT: f64 = 3.5;

/// Fits every parametric distribution of [`Distribution`] to durations.
///
/// # Errors
/// [`Error::Config`] where fewer than two are finished, or one is no number of 0 seconds or more.
pub fn fit(observed: &[Observed]) -> Result<Fit> {
    let valid = |observed: &Observed| observed.seconds.is_finite() && observed.seconds >= 0.0;
    if let Some(wrong) = observed.iter().find(|observed| !valid(observed)) {
        let (seconds, learner) = (wrong.seconds, wrong.learner);
        return Err(Error::config(format!("{seconds} s of learner {learner} are no duration")));
    }
    let finished = observed.iter().filter(|observed| observed.finished).count();
    if finished < 2 {
        return Err(Error::config(format!(
            "to estimate the distribution of delays, at least two minibatches must finish, and {finished} did"
        )));
    }
    let slow = learners::factors(observed);
    let odd = |learner| slow.iter().any(|odd| odd.learner == learner);
    let sample = Sample::new(observed.iter().filter(|observed| !odd(observed.learner)));
    let events = sample.finished.len() as f64;
    let mut candidates: Vec<Candidate> = FAMILIES
        .iter()
        .filter_map(|family| family(&sample))
        .map(|fitted| {
            let log_likelihood = families::log_likelihood(&fitted.likeliest, &sample);
            let count = fitted.errors.len() as f64;
            let parameter = |((name, value), error)| Parameter {
                name: Cow::Borrowed(name),
                estimate: Estimate::with_error(value, error),
            };
            let parameters = fitted.distribution.parameters().zip(fitted.errors);
            Candidate {
                parameters: parameters.map(parameter).collect(),
                distribution: fitted.distribution,
                log_likelihood,
                aic: 2.0 * count - 2.0 * log_likelihood,
                bic: count * events.ln() - 2.0 * log_likelihood,
            }
        })
        .collect();
    candidates.sort_by(|a, b| a.bic.total_cmp(&b.bic));
    let best = &candidates.first().expect("an exponential distribution can always be").distribution;
    let (distance, units) =
        sample.distance(|t| families::log_from(best, t).exp(), |t| best.survival(t));
    let fits = units <= CHANCE;
    let mut warnings = Vec::new();
    if !fits {
        warnings.push(format!(
            "no parametric distribution fits the delays: the best, {best}, is off by {distance:.4}, {:.1} times \
             what chance allows; the durations themselves are the distribution to use, as trace:FILE",
            units / CHANCE
        ));
    }
    warnings.extend(slow.iter().map(|Factor { learner, factor }| {
        format!("learner {learner} takes {factor} times as long as the others")
    }));
    let correlation = independence::correlation(observed);
    if let Some(correlation) = correlation
        && let Some(error) = correlation.standard_error()
        && correlation.value.abs() > DEPENDENT * error
    {
        warnings.push(format!(
            "the times of a learner are not independent, as theory assumes: the correlation of successive \
             ones is {correlation}"
        ));
    }
    let unfinished = observed.len() - finished;
    Ok(Fit { candidates, distance, fits, correlation, slow, finished, unfinished, warnings })
}

impl Fit {
    /// By which factor learners are slower than the best distribution says.
    pub fn slow(&self) -> Slow {
        Slow::new(self.slow.iter().map(|slow| (slow.learner, slow.factor.value)))
    }

    /// The best distribution.
    ///
    /// # Panics
    /// If there is none, which [`fit`] sees to.
    pub fn best(&self) -> &Candidate {
        self.candidates.first().expect("a fit has a distribution")
    }
}
