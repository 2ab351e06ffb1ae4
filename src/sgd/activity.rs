//! What each learner did, counted from the events of a run.

use std::time::Duration;

use super::{event::Event, scheduler::Verdict};
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

/// What a learner is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
enum Doing {
    #[default]
    Waiting,
    Busy(Duration),
    Away(Duration),
}

/// What all learners do.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Activities {
    learners: Vec<(Activity, Doing)>,
}

impl Activities {
    /// Takes an event in.
    pub fn count(&mut self, time: Duration, event: &Event) {
        match *event {
            Event::Assign { learner, .. } => {
                self.of(learner).0.started += 1;
                self.turn(learner, time, Doing::Busy(time));
            }
            Event::Push { learner, verdict, computing, .. } => {
                let busy = self.turn(learner, time, Doing::Waiting);
                let activity = &mut self.of(learner).0;
                match verdict {
                    Verdict::Accept => activity.accepted += 1,
                    Verdict::Discard => activity.discarded += 1,
                    Verdict::Reject => activity.rejected += 1,
                }
                if verdict != Verdict::Accept {
                    activity.wasted += busy;
                }
                activity.computing += computing.unwrap_or(0.0);
            }
            Event::Cancel { learner, .. } => {
                let busy = self.turn(learner, time, Doing::Waiting);
                let activity = &mut self.of(learner).0;
                activity.cancelled += 1;
                activity.wasted += busy;
            }
            Event::Late { learner, computing, .. } => {
                let activity = &mut self.of(learner).0;
                activity.late += 1;
                activity.computing += computing.unwrap_or(0.0);
            }
            Event::Lost { learner, task, .. } => {
                let busy = self.turn(learner, time, Doing::Away(time));
                let activity = &mut self.of(learner).0;
                activity.losses += 1;
                activity.lost += u64::from(task.is_some());
                activity.wasted += busy;
            }
            Event::Return { learner } => {
                self.turn(learner, time, Doing::Waiting);
            }
            Event::Leave { .. } | Event::Update { .. } => {}
        }
    }

    /// What each did up to run time `now`.
    pub fn until(mut self, now: Duration) -> Vec<Activity> {
        for learner in 0..self.learners.len() {
            self.turn(learner, now, Doing::Waiting);
        }
        self.learners.into_iter().map(|(activity, _)| activity).collect()
    }

    /// Has the learner do the next thing; how long it was busy with the last one.
    fn turn(&mut self, learner: LearnerId, time: Duration, next: Doing) -> Duration {
        let (activity, doing) = self.of(learner);
        let (mut busy, mut away) = (Duration::ZERO, Duration::ZERO);
        match *doing {
            Doing::Busy(since) => busy = time.saturating_sub(since),
            Doing::Away(since) => away = time.saturating_sub(since),
            Doing::Waiting => {}
        }
        *doing = next;
        activity.busy += busy;
        activity.away += away;
        busy
    }

    fn of(&mut self, learner: LearnerId) -> &mut (Activity, Doing) {
        if learner >= self.learners.len() {
            self.learners.resize(learner + 1, Default::default());
        }
        &mut self.learners[learner]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_busy_away_or_waiting() {
        let mut activities = Activities::default();
        let (learner, version) = (1, 0);
        let push = |task| Event::Push {
            learner,
            task,
            version,
            verdict: Verdict::Accept,
            rate: None,
            loss: None,
            computing: Some(0.5),
        };
        for (seconds, event) in [
            (0, Event::Assign { learner, task: 0, version }),
            (2, push(0)),
            (3, Event::Assign { learner, task: 1, version }),
            (4, Event::Cancel { learner, task: 1, version }),
            (4, Event::Assign { learner, task: 2, version }),
            (5, Event::Late { learner, task: 1, computing: Some(0.25) }),
            (7, Event::Lost { learner, task: Some(2), cause: "test".into() }),
            (17, Event::Return { learner }),
            (20, Event::Assign { learner, task: 3, version }),
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
