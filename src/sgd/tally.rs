//! What became of every minibatch, and when updates were made, counted from the events of a run.

use std::time::Duration;

use super::{event::Event, scheduler::Verdict};
use crate::ids::Version;

/// Counts and times of a run. Every minibatch that was started is one of used, pending, wasted or
/// in flight.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Tally {
    /// Updates made.
    pub updates: Version,
    /// Run time at the last update.
    pub last_update: Duration,
    /// Minibatches started.
    pub started: u64,
    /// Gradients that went into an update.
    pub used: u64,
    /// Gradients accepted for an update that has not been made.
    pub pending: u64,
    /// Minibatches cancelled before they were finished.
    pub cancelled: u64,
    /// Gradients dropped on arrival.
    pub discarded: u64,
    /// What was pushed and was no gradient.
    pub rejected: u64,
    /// Minibatches lost with their learner.
    pub lost: u64,
    /// Gradients that arrived after their minibatch was cancelled or lost, or a second time: they are
    /// counted there already.
    pub late: u64,
    /// How many accepted gradients were this stale: s = j - tau, by s.
    pub staleness: Vec<u64>,
}

impl Tally {
    /// Takes an event in.
    pub fn count(&mut self, time: Duration, event: &Event) {
        match *event {
            Event::Assign { .. } => self.started += 1,
            Event::Cancel { .. } => self.cancelled += 1,
            Event::Push { verdict: Verdict::Discard, .. } => self.discarded += 1,
            Event::Push { verdict: Verdict::Reject, .. } => self.rejected += 1,
            Event::Late { .. } => self.late += 1,
            Event::Lost { task, .. } => self.lost += u64::from(task.is_some()),
            Event::Return { .. } | Event::Leave { .. } => {}
            Event::Push { version, .. } => {
                self.pending += 1;
                let staleness = (self.updates - version) as usize;
                if staleness >= self.staleness.len() {
                    self.staleness.resize(staleness + 1, 0);
                }
                self.staleness[staleness] += 1;
            }
            Event::Update { version, .. } => {
                self.used += std::mem::take(&mut self.pending);
                (self.updates, self.last_update) = (version, time);
            }
        }
    }

    /// Work that came to nothing: cancelled, dropped, rejected or lost.
    pub fn wasted(&self) -> u64 {
        self.cancelled + self.discarded + self.rejected + self.lost
    }

    /// Minibatches started of which nothing has been heard.
    pub fn in_flight(&self) -> u64 {
        self.started - self.used - self.pending - self.wasted()
    }

    /// Mean of s over the accepted gradients; zero if there is none.
    pub fn mean_staleness(&self) -> f64 {
        let sum: u64 = self.staleness.iter().zip(0..).map(|(count, s)| count * s).sum();
        sum as f64 / self.accepted().max(1) as f64
    }

    /// Share of the accepted gradients with s = 0.
    pub fn fresh_fraction(&self) -> f64 {
        self.staleness.first().copied().unwrap_or(0) as f64 / self.accepted().max(1) as f64
    }

    fn accepted(&self) -> u64 {
        self.staleness.iter().sum()
    }
}
