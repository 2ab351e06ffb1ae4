//! Where a run stands: all that is needed to go on with it as if it had not stopped.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    faults::Faults,
    k_schedule::{Following, Progress},
    scheduler::Scheduler,
    server::Saved,
};
use crate::cluster::{Snapshot, in_flight::InFlight};

/// How far a run has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// The last update, and the last loss.
    pub progress: Progress,
    /// When it is evaluated next; none at the start.
    pub evaluation: Option<Duration>,
    /// What learners have in hand.
    #[serde(rename = "hands")]
    pub in_flight: InFlight,
    /// The minibatches accepted since the last evaluation.
    pub losses: MinibatchLosses,
    /// Faults met in a row.
    pub faults: Faults,
}

/// The losses of some minibatches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct MinibatchLosses {
    pub(super) sum: f64,
    pub(super) count: u64,
}

/// All that is needed to go on with a run as if it had not stopped.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// Run time so far.
    pub now: Duration,
    /// Which gradients make the next update.
    pub scheduler: Scheduler,
    /// The parameters, and the gradients gathered.
    pub server: Saved,
    /// How K follows the loss, if it does.
    pub following: Option<Following>,
    /// How far it has come.
    pub position: Position,
    /// The parameters of what each learner has in hand, where the cluster keeps them.
    pub held: Vec<Option<Snapshot>>,
}
