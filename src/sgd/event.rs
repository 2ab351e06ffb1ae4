//! What happens in a run, and who looks on.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::scheduler::Verdict;
use crate::{
    Result,
    cluster::Snapshot,
    ids::{LearnerId, Task, Version},
    numbers,
    sgd::state::State,
};

/// Everything that happens in a run, in the order in which it happens. `computing` is how many seconds
/// the learner's engine was at work, where that is measured.
///
/// Written and read again it is the same, but that a rate or a loss that is not finite is read as NaN,
/// and that its staleness is left out: it follows from the events before it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
#[expect(missing_docs, reason = "the fields are those of the run record")]
pub enum Event {
    /// A learner starts a minibatch at a version. Where parameters and gradients are on their way for a
    /// while, `computes` has the seconds from now on after which it has the parameters, and after which the
    /// gradient.
    Assign {
        learner: LearnerId,
        task: Task,
        version: Version,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        computes: Option<[f64; 2]>,
    },
    /// A gradient computed at `version` arrives, `staleness` versions later: s = j - tau. `rate` is its
    /// learning rate if it is accepted.
    Push {
        learner: LearnerId,
        task: Task,
        version: Version,
        #[serde(skip)]
        staleness: u64,
        verdict: Verdict,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[serde(default, deserialize_with = "numbers::some_or_nan")]
        rate: Option<f32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        #[serde(default, deserialize_with = "numbers::some_or_nan")]
        loss: Option<f32>,
        #[serde(skip_serializing_if = "Option::is_none")]
        computing: Option<f64>,
    },
    /// A minibatch is cancelled before it is finished.
    Cancel { learner: LearnerId, task: Task, version: Version },
    /// A gradient arrives that nobody waits for: its minibatch was cancelled or lost before, or it has
    /// come already. It is dropped, and counts for nothing.
    Late {
        learner: LearnerId,
        task: Task,
        #[serde(skip_serializing_if = "Option::is_none")]
        computing: Option<f64>,
    },
    /// A learner is lost, and the minibatch it had in hand with it.
    Lost {
        learner: LearnerId,
        #[serde(skip_serializing_if = "Option::is_none")]
        task: Option<Task>,
        cause: String,
    },
    /// Another has taken the place of a learner that was lost.
    Return { learner: LearnerId },
    /// The run goes on without a learner that was lost.
    Leave { learner: LearnerId },
    /// K gradients have made `version`.
    Update { version: Version, k: usize },
}

impl Event {
    /// Whose it is; none of an update, which is everybody's.
    pub fn learner(&self) -> Option<LearnerId> {
        match *self {
            Self::Assign { learner, .. }
            | Self::Push { learner, .. }
            | Self::Cancel { learner, .. }
            | Self::Late { learner, .. }
            | Self::Lost { learner, .. }
            | Self::Return { learner }
            | Self::Leave { learner } => Some(learner),
            Self::Update { .. } => None,
        }
    }
}

/// Looks on. What it does takes no run time.
pub trait Observer {
    /// Is told of everything that happens, at run time `time`.
    ///
    /// # Errors
    /// Whatever keeps it from going on; it ends the run.
    fn event(&mut self, time: Duration, event: &Event) -> Result<()>;

    /// Is shown the parameters that a learner reads, and may keep them. In every variant each version
    /// but the last is read before an update is made of it, so the one read last is w_j.
    ///
    /// # Errors
    /// Whatever keeps it from going on; it ends the run.
    fn read(&mut self, _learner: LearnerId, _version: Version, _params: &Snapshot) -> Result<()> {
        Ok(())
    }

    /// Is shown the parameters at the start, at every evaluation time and at the end; may answer
    /// with the training loss.
    ///
    /// # Errors
    /// Whatever keeps it from going on; it ends the run.
    fn evaluate(
        &mut self,
        _time: Duration,
        _version: Version,
        _params: &[f32],
    ) -> Result<Option<f64>> {
        Ok(None)
    }

    /// Is asked for the training loss of these parameters, by whoever decides on K. It may look at a part
    /// of the training set, always the same, and records nothing.
    ///
    /// # Errors
    /// Whatever keeps it from going on; it ends the run.
    fn loss(&mut self, _params: &[f32]) -> Result<Option<f64>> {
        Ok(None)
    }

    /// Is asked between two instants whether it wants to be shown the [`State`] of the run.
    fn wants_state(&mut self) -> bool {
        false
    }

    /// Is shown the state of the run when it wants it, and when the run is interrupted.
    ///
    /// # Errors
    /// Whatever keeps it from going on; it ends the run.
    fn state(&mut self, _state: &State) -> Result<()> {
        Ok(())
    }
}

/// Looks away.
impl Observer for () {
    fn event(&mut self, _: Duration, _: &Event) -> Result<()> {
        Ok(())
    }
}
