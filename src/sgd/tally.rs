//! What became of every minibatch, and when updates were made, counted from the events of a run.

use std::time::Duration;

use super::{event::Event, spans::End};
use crate::ids::Version;

/// Counts and times of a run. Every minibatch that was started is one of used, pending, wasted or
/// in flight.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Tally {
    /// Updates made.
    pub updates: Version,
    /// Run time at the last update, in records in seconds.
    #[serde(default, with = "crate::numbers::seconds")]
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
    #[serde(rename = "staleness_histogram")]
    pub staleness: Vec<u64>,
}

impl Tally {
    /// Takes an event in.
    pub fn count(&mut self, time: Duration, event: &Event) {
        match *event {
            Event::Assign { .. } => self.started += 1,
            Event::Late { .. } => self.late += 1,
            Event::Update { version, .. } => {
                self.used += std::mem::take(&mut self.pending);
                (self.updates, self.last_update) = (version, time);
            }
            _ => {}
        }
        match End::of(event) {
            Some(End::Accepted { staleness }) => {
                self.pending += 1;
                let s = staleness as usize;
                if s >= self.staleness.len() {
                    self.staleness.resize(s + 1, 0);
                }
                self.staleness[s] += 1;
            }
            Some(End::Discarded) => self.discarded += 1,
            Some(End::Rejected) => self.rejected += 1,
            Some(End::Cancelled) => self.cancelled += 1,
            Some(End::Lost) => self.lost += 1,
            Some(End::InFlight) | None => {}
        }
    }

    /// Minibatches that came to nothing, as [`End::is_wasted`] says: cancelled, dropped, rejected or
    /// lost.
    pub fn wasted(&self) -> u64 {
        self.cancelled + self.discarded + self.rejected + self.lost
    }

    /// Minibatches started of which nothing has been heard.
    pub fn in_flight(&self) -> u64 {
        self.started - self.used - self.pending - self.wasted()
    }

    /// Seconds per update, from the start to the last update; none without an update.
    pub fn mean_update_time(&self) -> Option<f64> {
        (self.updates > 0).then(|| self.last_update.as_secs_f64() / self.updates as f64)
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
