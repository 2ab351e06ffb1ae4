//! Bounds on the error after so many updates: how low it gets, and how fast.
//!
//! They are the theorems of Dutta et al. 2018, with their errors corrected. Nothing is measured
//! here: the constants of the objective are given by the caller.
//!
//! Units, where F is in units of loss and w in units of parameters: a gradient is loss / parameter,
//! a curvature loss / parameter^2, a learning rate parameter^2 / loss.

mod compensated;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use self::compensated::Compensated;
use super::staleness::Expected;
use crate::{Error, numbers::Shown};

/// What the bounds need to know of the objective F and its gradients (Dutta et al. 2018, section
/// 2.4).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constants {
    /// L, the largest curvature: ||grad F(v) - grad F(w)|| <= L ||v - w||. In loss / parameter^2.
    pub smoothness: f64,
    /// c, with 2 c (F(w) - F*) <= ||grad F(w)||^2, the inequality of Polyak and Lojasiewicz. Where F
    /// is strongly convex, its least curvature will do. 0 where there is none. In
    /// loss / parameter^2.
    pub convexity: f64,
    /// sigma^2: the gradient of a minibatch of m samples has the variance
    /// sigma^2 / m + (M_G / m) ||grad F||^2, or less. In (loss / parameter)^2.
    pub variance: f64,
    /// M_G, the part of the variance that grows with the gradient. A mere number.
    pub gradient_variance: f64,
    /// F(w_0) - F*. In units of loss.
    pub initial_gap: f64,
}

impl Constants {
    /// Whether some objective can have them.
    ///
    /// # Errors
    /// [`Error::Config`] where one of them is negative or not finite, L is zero, or c is above L.
    pub fn check(&self) -> crate::Result<()> {
        let Self { smoothness, convexity, variance, gradient_variance, initial_gap } = *self;
        for (name, value) in [
            ("the smoothness L", smoothness),
            ("the convexity c", convexity),
            ("the variance sigma^2", variance),
            ("the variance by gradient M_G", gradient_variance),
            ("the initial gap F(w_0) - F*", initial_gap),
        ] {
            if !value.is_finite() || value < 0.0 {
                return Err(Error::config(format!(
                    "{name} is {}, and must be 0 or above",
                    Shown(value)
                )));
            }
        }
        if smoothness == 0.0 {
            return Err(Error::config("the smoothness L must be above 0"));
        }
        if convexity > smoothness {
            return Err(Error::config(format!(
                "the convexity c = {convexity} is above the smoothness L = {smoothness}, which no \
                 objective allows"
            )));
        }
        Ok(())
    }

    /// The largest rate that the bounds allow for K minibatches of m samples:
    /// 1 / (2 L (M_G / (K m) + 1)).
    ///
    /// Theorem 3 of Dutta et al. 2018 has 1 / (2 L (M_G / (K m) + 1 / K)), which its proof does not
    /// give: by lemma 9 the squared norm of a mean of K gradients is at most the mean of K squared
    /// norms, times 1 and not times 1 / K. For K = P, M_G = 0 it would allow K / (2 L) to gradient
    /// descent, which diverges from 2 / L on. Its other condition, 1 / (c gamma'), is never the
    /// smaller one, as c <= L and gamma' <= 3/2.
    ///
    /// # Panics
    /// If K or m is zero.
    pub fn largest_rate(&self, k: usize, minibatch: usize) -> f64 {
        1.0 / (2.0 * self.smoothness * (self.gradient_variance / samples(k, minibatch) + 1.0))
    }

    /// That `rate` is allowed.
    fn allow(&self, rate: f64, k: usize, minibatch: usize) -> Result<(), NoBound> {
        assert!(rate.is_nan() || rate >= 0.0, "a learning rate is not negative");
        if let Err(error) = self.check() {
            panic!("{error}");
        }
        let largest = self.largest_rate(k, minibatch);
        if rate <= largest { Ok(()) } else { Err(NoBound::RateTooLarge { rate, largest }) }
    }
}

/// K m, the samples of an update.
fn samples(k: usize, minibatch: usize) -> f64 {
    assert!(k > 0 && minibatch > 0, "an update is made of at least one sample");
    k as f64 * minibatch as f64
}

/// Why there is no bound.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum NoBound {
    /// The rate is above [`Constants::largest_rate`], or is no number.
    #[error("none: the learning rate {} is above {largest:.3e}, the largest that has a bound", Shown(*.rate))]
    RateTooLarge {
        /// eta.
        rate: f64,
        /// The largest that is allowed.
        largest: f64,
    },
    /// gamma' = 1 - gamma + p0 / 2 is not above 0: by what is assumed of them, stale gradients may
    /// undo all progress.
    #[error("none: gradients are too stale (1 - gamma + p0 / 2 is {0:.4}, and must be above 0)")]
    TooStale(f64),
    /// c = 0: the error may have a minimum that is not the least. [`NonConvex`] has a bound.
    #[error("the convexity c is 0, so that only the gradient has a bound")]
    NotConvex,
    /// gamma is not known. There is one for each variant and K.
    #[error("none: gamma, by how much its stale gradients are off, is not known")]
    UnknownGamma,
    /// Theory does not say how stale gradients are under these rules.
    #[error("nothing is known of the staleness of its gradients")]
    Unknown,
}

/// gamma' = 1 - gamma + p0 / 2, what is left of an update's progress, above 0 and at most 3/2.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize)]
pub struct GammaPrime(f64);

impl GammaPrime {
    /// Of K-sync and K-batch-sync, where every gradient is fresh: theorem 3 with gamma = 0, p0 = 1.
    pub const FRESH: Self = Self(1.5);
    /// What lemma 2 has for them. It is looser than [`FRESH`](Self::FRESH) under the same condition,
    /// so that next to it stale gradients look better than they are.
    pub const LEMMA_2: Self = Self(1.0);

    /// Where E||grad F(w_j) - grad F(w_tau)||^2 <= gamma E||grad F(w_j)||^2, on average over the
    /// gradients of an update, and each is fresh with a probability of at least p0, whatever came
    /// before, on average too ([`super::staleness::Expected::fresh_at_least`]).
    ///
    /// The paper asks for gamma <= 1; the proof needs gamma' > 0 alone.
    ///
    /// # Errors
    /// [`NoBound::TooStale`].
    ///
    /// # Panics
    /// If gamma is negative or no number, or p0 no probability.
    pub fn new(gamma: f64, p0: f64) -> Result<Self, NoBound> {
        assert!(gamma >= 0.0, "gamma is the ratio of two squares");
        assert!((0.0..=1.0).contains(&p0), "p0 is a probability");
        let gamma_prime = 1.0 - gamma + p0 / 2.0;
        if gamma_prime > 0.0 { Ok(Self(gamma_prime)) } else { Err(NoBound::TooStale(gamma_prime)) }
    }

    /// gamma' of gradients that are as stale as `expected` and, if stale, as far off as `gamma` says;
    /// p0 is the larger of what staleness and gamma vouch for.
    ///
    /// # Errors
    /// [`NoBound::TooStale`]; [`NoBound::UnknownGamma`] where some are stale and there is no gamma.
    ///
    /// # Panics
    /// If gamma is negative or no number.
    pub fn of(expected: &Expected, gamma: Option<f64>) -> Result<Self, NoBound> {
        match (expected.fresh_at_least, gamma) {
            (1.0, _) => Ok(Self::FRESH),
            (fresh, Some(gamma)) => Self::new(gamma, fresh.max(p0_of_gamma(gamma))),
            (_, None) => Err(NoBound::UnknownGamma),
        }
    }

    /// gamma' as a number.
    pub fn value(self) -> f64 {
        self.0
    }
}

/// A p0 that gamma alone vouches for, (1 - sqrt(gamma))^2, or 0 for gamma above 1.
///
/// All that p0 is for is E||grad F(w_tau)||^2 >= p0 E||grad F(w_j)||^2 (lemma 1), and that much is
/// what the triangle inequality says. It takes [`GammaPrime`] to 3/2 as gamma falls to 0, however
/// rarely a gradient is fresh; the larger of the two p0 may be used.
pub fn p0_of_gamma(gamma: f64) -> f64 {
    (1.0 - gamma.sqrt()).max(0.0).powi(2)
}

/// Of what an update is made.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Step {
    /// eta, the same for all gradients. In parameter^2 / loss.
    pub rate: f64,
    /// K, the gradients of an update.
    pub k: usize,
    /// m, the samples of each.
    pub minibatch: usize,
}

/// E\[F(w_J)\] - F* <= floor + (1 - progress)^J (F(w_0) - F* - floor).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bound {
    /// F(w_0) - F*, in units of loss.
    pub initial_gap: f64,
    /// Where it ends: eta L sigma^2 / (2 c gamma' K m). In units of loss.
    pub floor: f64,
    /// The part of the distance from the floor that an update takes away: eta c gamma'.
    pub progress: f64,
}

impl Bound {
    /// Theorem 3 of Dutta et al. 2018 with the condition put right, and lemma 2 with
    /// [`GammaPrime::LEMMA_2`]. F need not be convex: that c is above 0 is enough.
    ///
    /// # Errors
    /// [`NoBound::NotConvex`] and [`NoBound::RateTooLarge`].
    ///
    /// # Panics
    /// If the rate is negative, K or m is zero, or the constants do not pass [`Constants::check`].
    pub fn strongly_convex(
        constants: &Constants,
        step: Step,
        gamma_prime: GammaPrime,
    ) -> Result<Self, NoBound> {
        let Step { rate, k, minibatch } = step;
        let Constants { smoothness, convexity, variance, initial_gap, .. } = *constants;
        constants.allow(rate, k, minibatch)?;
        if convexity == 0.0 {
            return Err(NoBound::NotConvex);
        }
        let GammaPrime(gamma_prime) = gamma_prime;
        let noise = rate * smoothness * variance / (2.0 * samples(k, minibatch));
        let floor = noise / (convexity * gamma_prime);
        Ok(Self { initial_gap, floor, progress: rate * convexity * gamma_prime })
    }

    /// What is left of the distance from the floor after an update, 1 - eta c gamma'.
    pub fn decay(&self) -> f64 {
        1.0 - self.progress
    }

    /// The bound on E\[F(w_J)\] - F* after J = `updates`. In units of loss.
    pub fn after(&self, updates: f64) -> f64 {
        // Good for however little progress, where 1 - progress is rounded.
        let left = (updates * (-self.progress).ln_1p()).exp();
        self.floor + left * (self.initial_gap - self.floor)
    }

    /// [`after`](Self::after) as many updates as are made in `time` on average.
    ///
    /// The paper's trade-off between error and run time: it puts the mean number of updates where
    /// there is a random one, and so is a bound only as far as that number is near its mean.
    pub fn at(&self, time: f64, mean_update_time: f64) -> f64 {
        self.after(time / mean_update_time)
    }

    /// How many updates until the bound is `gap`, in fractions of one; none if it never is.
    pub fn updates_to(&self, gap: f64) -> Option<f64> {
        if self.initial_gap <= gap {
            return Some(0.0);
        }
        let left = (gap - self.floor) / (self.initial_gap - self.floor);
        (left > 0.0 && self.progress > 0.0).then(|| left.ln() / (-self.progress).ln_1p())
    }

    /// [`updates_to`](Self::updates_to) in time, with the provision of [`at`](Self::at).
    pub fn time_to(&self, gap: f64, mean_update_time: f64) -> Option<f64> {
        self.updates_to(gap).map(|updates| updates * mean_update_time)
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { initial_gap, floor, .. } = self;
        let (sign, distance) = match initial_gap - floor {
            above if above < 0.0 => ('-', -above),
            above => ('+', above),
        };
        write!(f, "{floor:.4e} {sign} {distance:.4e} * (1 - {:.4e})^J", self.progress)
    }
}

/// The mean of E||grad F(w_j)||^2 over the parameters that n updates start from, w_0 to w_{n-1}, is
/// at most floor + start / n.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NonConvex {
    /// 2 (F(w_0) - F*) / (eta gamma'). In (loss / parameter)^2.
    pub start: f64,
    /// L eta sigma^2 / (K m gamma'). In (loss / parameter)^2.
    pub floor: f64,
}

impl NonConvex {
    /// Theorem 5 of Dutta et al. 2018, under the same condition on the rate. It asks for no
    /// convexity.
    ///
    /// # Errors
    /// [`NoBound::RateTooLarge`].
    ///
    /// # Panics
    /// As [`Bound::strongly_convex`], and if the rate is zero.
    pub fn new(
        constants: &Constants,
        step: Step,
        gamma_prime: GammaPrime,
    ) -> Result<Self, NoBound> {
        let Step { rate, k, minibatch } = step;
        let Constants { smoothness, variance, initial_gap, .. } = *constants;
        assert!(rate != 0.0, "with no learning rate there is no progress");
        constants.allow(rate, k, minibatch)?;
        let GammaPrime(gamma_prime) = gamma_prime;
        let start = 2.0 * initial_gap / (rate * gamma_prime);
        let floor = smoothness * rate * variance / (samples(k, minibatch) * gamma_prime);
        Ok(Self { start, floor })
    }

    /// The bound after n = `updates`, which is J + 1 in the paper.
    pub fn after(&self, updates: f64) -> f64 {
        self.floor + self.start / updates
    }
}

/// As a formula in n, the number of updates.
impl fmt::Display for NonConvex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.4} + {:.4} / n", Shown(self.floor), Shown(self.start))
    }
}
