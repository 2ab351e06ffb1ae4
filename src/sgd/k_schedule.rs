//! How many gradients make an update, over time.

mod adaptive;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use self::adaptive::Adaptive;
use crate::{Result, ids::Version};

/// How far a run has come.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Run time so far.
    pub time: Duration,
    /// Updates so far.
    pub version: Version,
    /// The training loss when it was last evaluated; where nobody evaluates, the mean one of the
    /// minibatches between two evaluation times.
    pub loss: Option<f64>,
}

/// The training loss of parameters, on as much of the training set as is looked at for this; none where
/// nobody computes it.
pub type LossOf<'a> = dyn FnMut(&[f32]) -> Result<Option<f64>> + 'a;

/// Answers with K when an update was made; the answer holds from the next update on.
pub trait KSchedule {
    /// Is shown the parameters at the start, and after each update before it is asked for K.
    ///
    /// # Errors
    /// What `loss` returns.
    fn see(&mut self, _progress: &Progress, _params: &[f32], _loss: &mut LossOf<'_>) -> Result<()> {
        Ok(())
    }

    /// K for the updates to come.
    fn next_k(&mut self, progress: &Progress) -> usize;

    /// What has to be kept of it to go on later; none if nothing has.
    fn following(&self) -> Option<Following> {
        None
    }
}

impl<S: KSchedule + ?Sized> KSchedule for Box<S> {
    fn see(&mut self, progress: &Progress, params: &[f32], loss: &mut LossOf<'_>) -> Result<()> {
        (**self).see(progress, params, loss)
    }

    fn next_k(&mut self, progress: &Progress) -> usize {
        (**self).next_k(progress)
    }

    fn following(&self) -> Option<Following> {
        (**self).following()
    }
}

/// A K that follows the loss, as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Following {
    /// By the loss alone.
    AdaSync(AdaSync),
    /// By measurement.
    Adaptive(Box<Adaptive>),
}

impl From<Following> for Box<dyn KSchedule> {
    fn from(following: Following) -> Self {
        match following {
            Following::AdaSync(adasync) => Box::new(adasync),
            Following::Adaptive(adaptive) => adaptive,
        }
    }
}

/// The same K throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedK(pub usize);

impl KSchedule for FixedK {
    fn next_k(&mut self, _: &Progress) -> usize {
        self.0
    }
}

/// Where K should stand once the training loss has fallen from F(w_0) to F(w_t), from
/// rho = F(w_0) / F(w_t).
///
/// In a time t about t / g(K) updates are made, where g(K) is the mean time of one. With so many, the
/// bound on the error of a loss that need not be convex (Dutta et al. 2018, F* = 0) is a term in
/// g(K) F(w_t), which K makes larger, and a term in 1/K, which it makes smaller; the rules give the K
/// for which their sum is least. What is unknown in the bound cancels if K_0 is right at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rule {
    /// K^2 / (P - K) = rho K_0^2 / (P - K_0), for K learners that are waited for: g(K) is a constant
    /// and log(P / (P - K)) / mu, as with exponential and shifted exponential times.
    Quadratic,
    /// K = K_0 sqrt(rho), for K minibatches: g(K) = K E\[X\] / P.
    SquareRoot,
}

impl Rule {
    /// K among P = `learners`, rounded to the nearest and from 1 to P.
    ///
    /// # Panics
    /// If K_0 = `initial` is not from 1 to P.
    pub fn k(self, initial: usize, learners: usize, rho: f64) -> usize {
        assert!((1..=learners).contains(&initial), "K_0 is from 1 to P");
        let (k, p) = (initial as f64, learners as f64);
        let wanted = match self {
            Self::Quadratic if initial == learners => p,
            Self::Quadratic => {
                // (-b + sqrt(b^2 + 4 b P)) / 2 with b = rho K_0^2 / (P - K_0), without cancellation.
                let b = rho * k * k / (p - k);
                2.0 * p / (1.0 + (1.0 + 4.0 * p / b).sqrt())
            }
            Self::SquareRoot => k * rho.sqrt(),
        };
        // The cast saturates.
        (wanted.round() as usize).clamp(1, learners)
    }
}

/// `AdaSync`: K grows as the training loss falls (Dutta, Wang and Joshi 2020), from few gradients an
/// update, which come fast, to many, which are less noisy.
///
/// It looks at the loss once in a window of run time, at the first update after it; K never falls
/// and is at most P.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AdaSync {
    rule: Rule,
    initial: usize,
    learners: usize,
    window: Duration,
    windows: u32,
    k: usize,
    initial_loss: Option<f64>,
}

impl AdaSync {
    /// Starts at K_0 = `initial` among P = `learners`.
    ///
    /// # Panics
    /// If K_0 is not from 1 to P, or the window is no time at all.
    pub fn new(rule: Rule, initial: usize, learners: usize, window: Duration) -> Self {
        assert!((1..=learners).contains(&initial), "K_0 is from 1 to P");
        assert!(!window.is_zero(), "there is time between two looks");
        Self { rule, initial, learners, window, windows: 1, k: initial, initial_loss: None }
    }
}

impl KSchedule for AdaSync {
    fn next_k(&mut self, progress: &Progress) -> usize {
        let Some(loss) = progress.loss else { return self.k };
        // Up to the first update every evaluation is one of w_0.
        let initial_loss = *self.initial_loss.get_or_insert(loss);
        // The evaluation at the end of a window comes after the updates of that moment.
        let end = self.window.saturating_mul(self.windows);
        if progress.time > end {
            let passed = (progress.time.as_nanos() - 1) / self.window.as_nanos();
            self.windows = u32::try_from(passed).unwrap_or(u32::MAX - 1) + 1;
            let rho = initial_loss / loss;
            // A loss of zero leaves nothing to win by speed; one that is no number says nothing.
            if !rho.is_nan() {
                let k = self.rule.k(self.initial, self.learners, rho);
                self.k = self.k.max(k);
            }
        }
        self.k
    }

    fn following(&self) -> Option<Following> {
        Some(Following::AdaSync(self.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k_grows_as_the_loss_halves_and_halves_again() {
        for (rule, learners, expected) in [
            (Rule::Quadratic, 8, [1, 1, 2, 3, 3, 4, 5, 6, 7, 7]),
            (Rule::SquareRoot, 8, [1, 1, 2, 3, 4, 6, 8, 8, 8, 8]),
            (Rule::Quadratic, 20, [1, 1, 2, 3, 4, 5, 7, 9, 11, 13]),
            (Rule::SquareRoot, 20, [1, 1, 2, 3, 4, 6, 8, 11, 16, 20]),
        ] {
            let ks = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map(|n| rule.k(1, learners, 2_f64.powi(n)));
            assert_eq!(ks, expected, "{rule:?} P={learners}");
        }
    }

    #[test]
    fn a_rule_gives_k_0_at_the_start_and_p_at_the_end() {
        for learners in [1, 2, 8, 20] {
            for rule in [Rule::Quadratic, Rule::SquareRoot] {
                for initial in 1..=learners {
                    assert_eq!(rule.k(initial, learners, 1.0), initial, "{rule:?} P={learners}");
                    assert_eq!(rule.k(initial, learners, f64::INFINITY), learners, "{rule:?}");
                    assert!(rule.k(initial, learners, 0.0) >= 1);
                }
            }
        }
    }

    #[test]
    fn k_is_looked_at_once_a_window_and_never_falls() {
        let mut schedule = AdaSync::new(Rule::SquareRoot, 1, 8, Duration::from_secs(10));
        let mut at = |seconds, loss| {
            let time = Duration::from_secs_f64(seconds);
            schedule.next_k(&Progress { time, version: 1, loss })
        };
        assert_eq!(at(0.5, None), 1);
        assert_eq!(at(1.0, Some(4.0)), 1);
        assert_eq!(at(9.0, Some(1.0)), 1, "within the window");
        assert_eq!(at(10.0, Some(1.0)), 1, "the evaluation comes after the update");
        assert_eq!(at(10.5, Some(1.0)), 2);
        assert_eq!(at(19.0, Some(0.25)), 2, "within the window");
        assert_eq!(at(35.0, Some(0.25)), 4, "windows without an update are skipped");
        assert_eq!(at(39.0, Some(0.1)), 4, "within the window");
        assert_eq!(at(41.0, Some(4.0)), 4, "a loss that rises");
        assert_eq!(at(51.0, Some(f64::NAN)), 4, "a loss that is no number");
        assert_eq!(at(61.0, Some(0.0)), 8, "no loss at all");
    }
}
