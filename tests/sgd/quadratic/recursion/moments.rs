//! Second moments of the parameters and of what learners hold of them, push by push.
//!
//! The learners are exchangeable: a few means say all that matters of them. Who pushes next is
//! independent of everything else, so that E\[h_i y\] of the one who does is E\[mean h y\].

use super::Recursion;

/// Second moments of one dimension, counted from the minimum: of w_j, and of h_i, the parameters that
/// learner i read last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Moments {
    /// E\[w^2\].
    pub(crate) current: f64,
    /// E\[w mean h\].
    pub(crate) cross: f64,
    /// E\[mean h^2\].
    pub(crate) held: f64,
    /// E\[(mean h)^2\].
    pub(crate) mean_held: f64,
}

impl Moments {
    /// All learners hold w_0, `start` away from the minimum.
    pub(crate) fn at(start: f64) -> Self {
        Self::all_read(start * start)
    }

    /// All learners have read w: E\[w^2\] = `current`.
    pub(super) fn all_read(current: f64) -> Self {
        Self { current, cross: current, held: current, mean_held: current }
    }

    pub(super) fn from_array([current, cross, held, mean_held]: [f64; 4]) -> Self {
        Self { current, cross, held, mean_held }
    }

    pub(super) fn to_array(self) -> [f64; 4] {
        [self.current, self.cross, self.held, self.mean_held]
    }

    /// K of P learners, all sets of them equally likely, push and then read.
    pub(super) fn after_k_of_p(&self, recursion: &Recursion) -> Self {
        let Recursion { k, learners, rate, curvature, variance, .. } = *recursion;
        let (k, p, step) = (k as f64, learners as f64, rate * curvature);
        let Self { current, cross, held, mean_held } = *self;
        // E[h_i h_l] of two different learners.
        let pair = (p * mean_held - held) / (p - 1.0);
        // Of s, the mean of the K that are pushed.
        let pushed = held / k + (k - 1.0) / k * pair;
        let next = current - 2.0 * step * cross + step * step * pushed + rate * rate * variance / k;
        // E[w' mean h] and E[w' s].
        let (next_held, next_pushed) = (cross - step * mean_held, cross - step * pushed);
        // K of P hold w' from now on: mean h' = mean h + r (w' - s).
        let r = k / p;
        Self {
            current: next,
            cross: next_held + r * (next - next_pushed),
            held: held + r * (next - held),
            mean_held: mean_held
                + 2.0 * r * (next_held - mean_held)
                + r * r * (next - 2.0 * next_pushed + pushed),
        }
    }
}

/// The moments between two updates of K-batch-async, with those of the sum gathered for the next one:
/// a, K-th parts of the gradients that have arrived.
#[derive(Debug)]
pub(super) struct Gathering {
    pub(super) moments: Moments,
    /// E\[a^2\].
    sum: f64,
    /// E\[a w\].
    sum_current: f64,
    /// E\[a mean h\].
    sum_held: f64,
}

impl Gathering {
    pub(super) fn new(moments: Moments) -> Self {
        Self { moments, sum: 0.0, sum_current: 0.0, sum_held: 0.0 }
    }

    /// A learner i, each as likely, adds g(h_i) / K to a, then w - `rate` a is the current w and what
    /// it reads: for the last of K the update, with which a has served, and for the others, with a
    /// rate of zero, what w was.
    pub(super) fn push(&mut self, recursion: &Recursion, rate: f64) {
        let Recursion { k, learners, curvature, variance, .. } = *recursion;
        let Moments { current, cross, held, mean_held } = self.moments;
        let share = 1.0 / k as f64;
        let part = share * curvature;
        self.sum += 2.0 * part * self.sum_held + part * part * held + share * share * variance;
        self.sum_current += part * cross;
        // E[a h_i] and E[a mean h], which were the same before i was the one to push.
        let sum_pusher = self.sum_held + part * held;
        self.sum_held += part * mean_held;
        let next = current - 2.0 * rate * self.sum_current + rate * rate * self.sum;
        // E[w' mean h] and E[w' h_i].
        let (next_held, next_pusher) = (cross - rate * self.sum_held, cross - rate * sum_pusher);
        // mean h' = mean h + (w' - h_i) / P.
        let r = 1.0 / learners as f64;
        self.sum_held += r * (self.sum_current - sum_pusher);
        self.moments = Moments {
            current: next,
            cross: next_held + r * (next - next_pusher),
            held: held + r * (next - held),
            mean_held: mean_held
                + 2.0 * r * (next_held - mean_held)
                + r * r * (next - 2.0 * next_pusher + held),
        };
    }
}
