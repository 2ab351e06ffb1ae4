//! The bound on the error that the estimated constants give.

use serde::{Deserialize, Serialize};

use super::{Estimates, Settings};
use crate::theory::{
    error::{Bound, Constants, GammaPrime, NonConvex, Step},
    staleness::Expected,
};

/// A bound on E\[F(w_J)\] - F*, or why there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorBound {
    /// F*, above which it is counted: the lowest loss that was found.
    #[serde(deserialize_with = "crate::numbers::or_nan")]
    pub f_star: f64,
    /// The bound on F - F* over updates, where there is one.
    pub bound: Option<Bound>,
    /// Why there is none.
    pub reason: Option<String>,
    /// The bound on the mean of ||grad F||^2 over n updates, which asks for no convexity.
    #[serde(default)]
    pub gradient: Option<NonConvex>,
}

impl Estimates {
    /// The constants as the bounds take them; the values, without their uncertainty.
    pub fn constants(&self) -> Constants {
        Constants {
            smoothness: self.smoothness.value,
            convexity: self.convexity.value,
            variance: self.variance.value,
            gradient_variance: self.gradient_variance.value,
            initial_gap: self.initial_loss - self.f_star.value,
        }
    }

    /// Theorems 3 and 5 of Dutta et al. 2018 for the run, whose staleness is as `expected`.
    ///
    /// Constants that come from the run hold where it went; so this is what theory says of runs
    /// like it, and no guarantee.
    pub fn error_bound(&self, expected: &Expected) -> ErrorBound {
        let Settings { learning_rate: rate, k, minibatch, .. } = self.settings;
        let constants = self.constants();
        let (f_star, step) = (self.f_star.value, Step { rate, k, minibatch });
        if let Err(error) = constants.check() {
            let reason = Some(error.to_string());
            return ErrorBound { f_star, bound: None, reason, gradient: None };
        }
        let gamma_prime = GammaPrime::of(expected, Some(self.gamma.value.max(0.0)));
        let bound = gamma_prime.and_then(|prime| Bound::strongly_convex(&constants, step, prime));
        let gradient = gamma_prime.and_then(|prime| NonConvex::new(&constants, step, prime));
        let reason = bound.err().map(|none| none.to_string());
        ErrorBound { f_star, bound: bound.ok(), reason, gradient: gradient.ok() }
    }
}
