//! Estimates the constants of theory from a run: those of the loss, of the gradients, of their
//! staleness, and of the delays. Each has a standard error or a range, and a warning says in plain
//! words where an assumption of theory fails.
//!
//! A [`Watch`] observes a run and keeps some of its parameters. After the run, [`estimate`]
//! computes gradients there. This takes no run time, and nothing here changes a run.

mod bound;
mod bounded;
mod constants;
mod curvature;
pub mod delays;
pub mod minimum;
mod objective;
mod regression;
mod staleness;
mod watch;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::{
    bound::ErrorBound,
    bounded::Batches,
    constants::{Iterate, estimate, of_one_objective},
    staleness::Window,
    watch::{Moment, Seen, Watch},
};

use self::minimum::Minimum;
use crate::numbers::significant;

/// A value and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value itself, in the unit of what it is a value of.
    #[serde(deserialize_with = "crate::numbers::or_nan")]
    pub value: f64,
    /// How far it may be off.
    #[serde(flatten)]
    pub uncertainty: Uncertainty,
}

/// How far a value may be off.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Uncertainty {
    /// By chance.
    Error {
        /// Its standard error; not a number where there is too little to tell it from.
        #[serde(deserialize_with = "crate::numbers::or_nan")]
        standard_error: f64,
    },
    /// By what is not known: it lies between these, or varied between them over the run.
    Range {
        /// The least.
        #[serde(deserialize_with = "crate::numbers::or_nan")]
        low: f64,
        /// The most.
        #[serde(deserialize_with = "crate::numbers::or_nan")]
        high: f64,
    },
}

impl Estimate {
    /// A value with its standard error.
    pub fn with_error(value: f64, standard_error: f64) -> Self {
        Self { value, uncertainty: Uncertainty::Error { standard_error } }
    }

    /// A value between two others.
    pub fn between(value: f64, low: f64, high: f64) -> Self {
        Self { value, uncertainty: Uncertainty::Range { low, high } }
    }

    /// Its standard error; none where it has a range.
    pub fn standard_error(&self) -> Option<f64> {
        match self.uncertainty {
            Uncertainty::Error { standard_error } => Some(standard_error),
            Uncertainty::Range { .. } => None,
        }
    }

    /// What it lies between: two standard errors to both sides, or its range.
    pub fn range(&self) -> (f64, f64) {
        match self.uncertainty {
            Uncertainty::Error { standard_error } => {
                (self.value - 2.0 * standard_error, self.value + 2.0 * standard_error)
            }
            Uncertainty::Range { low, high } => (low, high),
        }
    }
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = short(self.value);
        match self.uncertainty {
            Uncertainty::Error { standard_error } if standard_error.is_nan() => f.write_str(&value),
            Uncertainty::Error { standard_error } => {
                write!(f, "{value} ± {}", short(standard_error))
            }
            Uncertainty::Range { low, high } => {
                write!(f, "{value} ({} to {})", short(low), short(high))
            }
        }
    }
}

/// Four digits.
fn short(value: f64) -> String {
    match value == 0.0 || (1e-3..1e5).contains(&value.abs()) {
        true => significant(value, 4),
        false => format!("{value:.3e}"),
    }
}

/// What a run is estimated with, and how much work is put into it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Settings {
    /// eta, the largest learning rate of the run.
    pub learning_rate: f64,
    /// K, the smallest of the run.
    pub k: usize,
    /// Samples in a minibatch, m.
    pub minibatch: usize,
    /// Seed of the random numbers; those of the run are independent of them.
    pub seed: u64,
    /// What no loss is below: 0 for a cross-entropy.
    #[serde(deserialize_with = "crate::numbers::or_nan")]
    pub least_loss: f64,
    /// Updates of which a [`Watch`] keeps the parameters, for gamma: this many at most, at least half
    /// as many of a longer run.
    pub moments: usize,
    /// Iterates w_k at which full gradient, variance and curvature are taken.
    pub iterates: usize,
    /// Minibatches at each iterate, for its variance.
    pub draws: usize,
    /// Samples that the direction of the largest curvature is taken over, the same at every iterate; as
    /// many others, if there are, say how large it is.
    pub curvature_samples: usize,
    /// Samples that gamma is taken over, the same throughout.
    pub staleness_samples: usize,
    /// Full gradients by which the loss is brought down from the lowest iterate, for F*.
    pub descent: usize,
    /// Samples that the engine is handed at a time.
    pub chunk: usize,
    /// What is known of F* beforehand; without it the loss is brought down from the lowest iterate.
    #[serde(skip)]
    pub minimum: Option<Minimum>,
    /// What c is not below: 2 l2 for a [`SoftmaxRegression`](minimum::SoftmaxRegression), 0 where nothing
    /// is known.
    #[serde(default)]
    pub least_convexity: f64,
    /// Whether each learner draws from a part of the samples of its own.
    #[serde(default)]
    pub shards: bool,
}

impl Settings {
    /// For a run of learning rate eta with K gradients of m = `minibatch` samples an update: work of
    /// about seventy full gradients of MNIST.
    pub fn new(learning_rate: f64, k: usize, minibatch: usize, seed: u64) -> Self {
        Self {
            learning_rate,
            k,
            minibatch,
            seed,
            least_loss: 0.0,
            moments: 64,
            iterates: 6,
            draws: 64,
            curvature_samples: 2048,
            staleness_samples: 8192,
            descent: 30,
            chunk: 512,
            minimum: None,
            least_convexity: 0.0,
            shards: false,
        }
    }
}

/// The constants of Dutta et al. 2018, section 2.4, as a run shows them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Estimates {
    /// L of assumption 1, ||grad F(w) - grad F(w')|| <= L ||w - w'||: the largest absolute eigenvalue
    /// of the Hessian at any iterate; its error is that of the samples it is taken over. Between the
    /// iterates it may be larger.
    pub smoothness: Estimate,
    /// c of assumption 2 in the form that the theorems use, 2 c (F(w) - F*) <= ||grad F(w)||^2 (Polyak
    /// and Lojasiewicz): the least over the iterates with [`f_star`](Self::f_star) for F*, and not below
    /// what is known of the objective. Between the iterates it may be smaller. It grows with F*; its range is that of F*.
    pub convexity: Estimate,
    /// sigma^2 of assumption 4, E||g - grad F||^2 <= sigma^2/m + (M_G/m) ||grad F||^2.
    pub variance: Estimate,
    /// M_G of assumption 4, which has no unit.
    pub gradient_variance: Estimate,
    /// gamma of assumption 5, E||grad F(w_j) - grad F(w_tau)||^2 <= gamma E||grad F(w_j)||^2, over the
    /// whole run.
    pub gamma: Estimate,
    /// gamma from one part of the run to the next: it grows as the gradients fall.
    pub gamma_windows: Vec<Window>,
    /// p0, the share of gradients with s = 0: an average, while the theorem asks for a lower bound
    /// whatever has happened before.
    pub p0: Estimate,
    /// F*. The value is the lowest loss that was found, and is not below F*; the range goes down to what
    /// no loss is below. Of softmax regression with L2 both are near each other
    /// ([`minimum`]). Of other models it is only the lowest loss seen, by the run or going down from it.
    pub f_star: Estimate,
    /// F(w_0), over the training set.
    pub initial_loss: f64,
    /// The distribution of the delays.
    pub delay: delays::Fit,
    /// What was measured at which parameters.
    pub iterates: Vec<Iterate>,
    /// Where an assumption of theory fails, or an estimate is worth little, in plain words.
    pub warnings: Vec<String>,
    /// How it was estimated.
    pub settings: Settings,
}
