//! Decides what to do about faults: whether a learner that is lost is replaced, and whether the run
//! goes on.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::LearnerId;

/// What a run does when a learner crashes or does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnLoss {
    /// Another takes its place, after a while; if that is lost too, again and again, the run goes on
    /// without.
    #[default]
    Restart,
    /// The run goes on without it; K is at most the learners left.
    Shrink,
    /// The run stops.
    Stop,
}

/// What becomes of a run that meets a loss or a gradient that is not finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NonFinite {
    /// The run ends, and counts as diverged.
    #[default]
    Stop,
    /// The gradient is rejected and counted, and its learner starts another minibatch. A run that
    /// meets nothing else has diverged after all.
    Reject,
}

/// How much a run puts up with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tolerance {
    /// What a run does when a learner crashes or does not answer.
    pub on_loss: OnLoss,
    /// How often a learner is replaced without a push between, before the run goes on without it.
    pub restarts: u32,
    /// Before a learner is replaced for the first time; twice as long each further time.
    pub back_off: Duration,
    /// The fewest learners to go on with.
    pub quorum: usize,
    /// What becomes of a run that meets a loss or a gradient that is not finite.
    pub non_finite: NonFinite,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self {
            on_loss: OnLoss::default(),
            restarts: 5,
            back_off: Duration::from_millis(250),
            quorum: 1,
            non_finite: NonFinite::default(),
        }
    }
}

/// What becomes of a learner that is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    Restart { after: Duration },
    Leave,
    Stop,
}

/// Faults in a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    tolerance: Tolerance,
    /// Losses of each learner since it last pushed.
    losses: Vec<u32>,
    /// Gradients rejected since one was not.
    rejected: usize,
}

impl Faults {
    pub(super) fn new(tolerance: Tolerance, learners: usize) -> Self {
        Self { tolerance, losses: vec![0; learners], rejected: 0 }
    }

    /// A learner has pushed a gradient.
    pub(super) fn on_push(&mut self, learner: LearnerId) {
        self.losses[learner] = 0;
        self.rejected = 0;
    }

    /// A learner has pushed what is no gradient; whether the run goes on.
    pub(super) fn on_reject(&mut self, learner: LearnerId) -> bool {
        self.losses[learner] = 0;
        self.rejected += 1;
        // Ten of each learner are no fault of one of them, but of the parameters.
        let most = 10 * self.losses.len();
        self.tolerance.non_finite == NonFinite::Reject && self.rejected <= most
    }

    pub(super) fn on_loss(&mut self, learner: LearnerId) -> Answer {
        let Tolerance { on_loss, restarts, back_off, .. } = self.tolerance;
        let losses = &mut self.losses[learner];
        *losses += 1;
        match on_loss {
            OnLoss::Restart if *losses <= restarts => {
                let doubled = 1_u32.checked_shl(*losses - 1).unwrap_or(u32::MAX);
                Answer::Restart { after: back_off.saturating_mul(doubled) }
            }
            OnLoss::Restart | OnLoss::Shrink => Answer::Leave,
            OnLoss::Stop => Answer::Stop,
        }
    }

    pub(super) fn quorum(&self) -> usize {
        self.tolerance.quorum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_learner_is_replaced_later_each_time_and_then_no_more() {
        let tolerance = Tolerance { restarts: 3, ..Tolerance::default() };
        let mut faults = Faults::new(tolerance, 2);
        let restart = |milliseconds| Answer::Restart { after: Duration::from_millis(milliseconds) };
        let answers = [restart(250), restart(500), restart(1000), Answer::Leave];
        assert_eq!(answers, std::array::from_fn(|_| faults.on_loss(1)));
        assert_eq!(faults.on_loss(0), restart(250), "each learner for itself");
        faults.on_push(1);
        assert_eq!(faults.on_loss(1), restart(250), "who has pushed is as good as new");
    }

    #[test]
    fn a_run_that_meets_nothing_but_rejected_gradients_ends() {
        let reject = Tolerance { non_finite: NonFinite::Reject, ..Tolerance::default() };
        let mut faults = Faults::new(reject, 2);
        assert!((0..19).all(|_| faults.on_reject(0)));
        faults.on_push(0);
        assert!((0..20).all(|_| faults.on_reject(1)));
        assert!(!faults.on_reject(1));
        assert!(!Faults::new(Tolerance::default(), 2).on_reject(0));
    }
}
