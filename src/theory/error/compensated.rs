//! The bound for rates that make up for staleness: no gamma is needed, only how far the parameters
//! move.

use serde::Serialize;

use super::{Constants, NoBound, samples};

/// Updates whose rates keep eta_j E||w_j - w_tau||^2 <= C, on average over the gradients of each.
/// With one gradient an update, [`crate::sgd::learning_rate::RateRule::Compensated`] does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Compensated {
    /// C. In parameter^4 / loss.
    pub c: f64,
    /// Each gradient is fresh with at least this probability, whatever came before, on average over
    /// the gradients of an update.
    pub p0: f64,
    /// K, the gradients of an update.
    pub k: usize,
    /// m, the samples of each.
    pub minibatch: usize,
}

impl Compensated {
    /// Bounds on E\[F(w_J)\] - F* from J = 0 on, one more than there are `rates`: theorem 4 of Dutta
    /// et al. 2018. By update j a gap e becomes (1 - rho_j) e + Delta_j with
    /// rho_j = eta_j c (1 + p0 / 2), Delta_j = eta_j^2 L sigma^2 / (2 K m) + C L^2 / 2.
    ///
    /// The paper has K = 1. With one rate for all K gradients of an update its proof goes through
    /// as it is. Rates must not depend on the gradients they are applied to.
    ///
    /// # Errors
    /// [`NoBound::RateTooLarge`] and [`NoBound::NotConvex`].
    ///
    /// # Panics
    /// If a rate or C is negative, p0 is no probability, K or m is zero, or the constants do not
    /// pass [`Constants::check`].
    pub fn gaps(
        &self,
        constants: &Constants,
        rates: impl IntoIterator<Item = f64>,
    ) -> Result<Vec<f64>, NoBound> {
        let Self { c, p0, k, minibatch } = *self;
        assert!(c >= 0.0, "C bounds what is not negative");
        assert!((0.0..=1.0).contains(&p0), "p0 is a probability");
        let Constants { smoothness, convexity, variance, initial_gap, .. } = *constants;
        if convexity == 0.0 {
            return Err(NoBound::NotConvex);
        }
        let noise = smoothness * variance / (2.0 * samples(k, minibatch));
        let drift = c * smoothness.powi(2) / 2.0;
        let mut gaps = vec![initial_gap];
        let mut gap = initial_gap;
        for rate in rates {
            constants.allow(rate, k, minibatch)?;
            let rho = rate * convexity * (1.0 + p0 / 2.0);
            gap = (1.0 - rho) * gap + rate.powi(2) * noise + drift;
            gaps.push(gap);
        }
        Ok(gaps)
    }
}
