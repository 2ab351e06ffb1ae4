//! What staleness does to the parameters on average: it acts as momentum.

use serde::{Deserialize, Serialize};

/// Heavy ball (Polyak 1964): v_{j+1} = beta v_j + rate grad F(w_j), w_{j+1} = w_j - v_{j+1}.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct HeavyBall {
    /// beta, the share of its velocity that the ball keeps at an update.
    pub beta: f64,
    /// What its rate is, divided by the rate of the gradients that are stale.
    pub rate_ratio: f64,
}

impl HeavyBall {
    /// The one that the mean of K-async among P = `p` learners with exponential times follows on a
    /// quadratic, exactly: beta = 1 - K/P at K/P of the rate (Mitliagkas et al. 2016, theorem 3, for
    /// K = 1).
    ///
    /// With W = E w and M the mean of what the learners have read, an update makes
    /// W' = W - eta lambda M and, as any K learners are equally likely to make it,
    /// M' = (1 - K/P) M + (K/P) W'. So a step W' - W is 1 - K/P of the step before, less
    /// (K/P) eta lambda W. At first nobody is stale: the ball begins with v_0 = eta lambda W, and its first
    /// step is a whole one.
    ///
    /// # Panics
    /// If K is not from 1 to P.
    pub fn of_stale(p: usize, k: usize) -> Self {
        assert!((1..=p).contains(&k), "K is from 1 to P");
        let share = k as f64 / p as f64;
        Self { beta: 1.0 - share, rate_ratio: share }
    }

    /// w_0, w_1, ... on lambda w^2 / 2 from w_0 = `start`, without noise; `step` is the rate of the stale
    /// gradients times lambda.
    pub fn course(self, step: f64, start: f64) -> impl Iterator<Item = f64> {
        let next = move |&(w, v): &(f64, f64)| {
            let v = self.beta * v + self.rate_ratio * step * w;
            Some((w - v, v))
        };
        std::iter::successors(Some((start, step * start)), next).map(|(w, _)| w)
    }
}
