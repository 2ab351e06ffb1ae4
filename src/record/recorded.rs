//! How far a run is recorded, so that its record goes on where it stopped.

use serde::{Deserialize, Serialize};

use crate::{
    ids::LearnerId,
    sgd::{activity::Activities, tally::Tally},
};

/// Where a record goes on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// What became of every minibatch.
    pub tally: Tally,
    /// What every learner did.
    pub activities: Activities,
    /// How long its files are.
    pub lengths: Lengths,
    /// Events in `timeline.jsonl`.
    pub(super) first_events: u64,
    /// Bytes of parameters that are to be evaluated later, and how many parameters there are.
    pub(super) deferred: u64,
    pub(super) params: usize,
    pub(super) gathered: Gathered,
}

/// The gradients accepted since the last update.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Gathered {
    pub(super) loss: f64,
    pub(super) rate: f64,
    pub(super) staleness: Vec<u64>,
    pub(super) learners: Vec<LearnerId>,
}

/// How long the files of a run are, in bytes: where it goes on from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lengths {
    /// Of `updates.jsonl`.
    pub updates: u64,
    /// Of `evaluations.csv`.
    pub evaluations: u64,
    /// Of `timeline.jsonl`.
    pub timeline: u64,
    /// Of `events.jsonl`, if events are recorded.
    pub events: Option<u64>,
    /// Of `events.out.tfevents.tortoise`, if TensorBoard is written for.
    pub tensorboard: Option<u64>,
}
