//! What each learner did, counted from the events of a run.

use std::time::Duration;

use super::{
    event::Event,
    spans::{End, Spans, Stint},
};
use crate::ids::LearnerId;

/// What one learner did. Times are run time, in records in seconds; what is not busy and not away waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Activity {
    /// Minibatches it started.
    pub started: u64,
    /// Gradients of it that counted.
    pub accepted: u64,
    /// Minibatches cancelled before they were finished.
    pub cancelled: u64,
    /// Gradients dropped because they were stale.
    pub discarded: u64,
    /// What was pushed and was no gradient.
    pub rejected: u64,
    /// Minibatches lost with the learner.
    pub lost: u64,
    /// Gradients that arrived when nobody waited for them any more.
    pub late: u64,
    /// How often it was lost.
    pub losses: u64,
    /// Run time with a minibatch in hand.
    #[serde(with = "crate::numbers::seconds")]
    pub busy: Duration,
    /// Of that, with one that came to nothing: cancelled, dropped, rejected or lost.
    #[serde(with = "crate::numbers::seconds")]
    pub wasted: Duration,
    /// Run time between a loss and the return.
    #[serde(with = "crate::numbers::seconds")]
    pub away: Duration,
    /// Seconds that its engine was at work, where that is measured.
    pub computing: f64,
}

impl Activity {
    /// Takes in what is over.
    fn add(&mut self, stint: Stint) {
        match stint {
            Stint::Work(span) => {
                self.started += 1;
                self.busy += span.time();
                if span.end.is_wasted() {
                    self.wasted += span.time();
                }
                match span.end {
                    End::Accepted { .. } => self.accepted += 1,
                    End::Discarded => self.discarded += 1,
                    End::Rejected => self.rejected += 1,
                    End::Cancelled => self.cancelled += 1,
                    End::Lost => self.lost += 1,
                    End::InFlight => {}
                }
            }
            Stint::Pause(pause) if pause.away => self.away += pause.to - pause.from,
            Stint::Pause(_) => {}
            Stint::Late { .. } => self.late += 1,
        }
    }
}

/// What all learners do.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Activities {
    spans: Spans,
    learners: Vec<Activity>,
}

impl Activities {
    /// Takes an event in.
    pub fn count(&mut self, time: Duration, event: &Event) {
        match *event {
            Event::Lost { learner, .. } => self.of(learner).losses += 1,
            Event::Push { learner, computing: Some(seconds), .. }
            | Event::Late { learner, computing: Some(seconds), .. } => {
                self.of(learner).computing += seconds;
            }
            // Whoever has left stays away until the end.
            Event::Leave { .. } => return,
            _ => {}
        }
        if let Some(stint) = self.spans.take(time, event) {
            self.of(stint.learner()).add(stint);
        }
    }

    /// What each did up to run time `now`.
    pub fn until(mut self, now: Duration) -> Vec<Activity> {
        let spans = std::mem::take(&mut self.spans);
        spans.until(now).for_each(|stint| self.of(stint.learner()).add(stint));
        self.learners
    }

    fn of(&mut self, learner: LearnerId) -> &mut Activity {
        if learner >= self.learners.len() {
            self.learners.resize(learner + 1, Activity::default());
        }
        &mut self.learners[learner]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sgd::scheduler::Verdict;

    #[test]
    fn time_is_busy_away_or_waiting() {
        let mut activities = Activities::default();
        let (learner, version) = (1, 0);
        let push = |task| Event::Push {
            learner,
            task,
            version,
            staleness: 0,
            verdict: Verdict::Accept,
            rate: None,
            loss: None,
            computing: Some(0.5),
        };
        for (seconds, event) in [
            (0, Event::Assign { learner, task: 0, version, computes: None }),
            (2, push(0)),
            (3, Event::Assign { learner, task: 1, version, computes: None }),
            (4, Event::Cancel { learner, task: 1, version }),
            (4, Event::Assign { learner, task: 2, version, computes: None }),
            (5, Event::Late { learner, task: 1, computing: Some(0.25) }),
            (7, Event::Lost { learner, task: Some(2), cause: "test".into() }),
            (17, Event::Return { learner }),
            (20, Event::Assign { learner, task: 3, version, computes: None }),
        ] {
            activities.count(Duration::from_secs(seconds), &event);
        }
        let all = activities.until(Duration::from_secs(21));
        assert_eq!(all[0], Activity::default());
        let expected = Activity {
            started: 4,
            accepted: 1,
            cancelled: 1,
            lost: 1,
            late: 1,
            losses: 1,
            busy: Duration::from_secs(2 + 1 + 3 + 1),
            wasted: Duration::from_secs(1 + 3),
            away: Duration::from_secs(10),
            computing: 0.75,
            ..Activity::default()
        };
        assert_eq!(all[1], expected);
    }
}
