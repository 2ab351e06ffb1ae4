//! Deadlines: a learner that is silent for too long counts as lost.
//!
//! The deadline follows from how late the learner's minibatches were so far, compared with the
//! delays. The next one may be late by the median of these times plus ten times their median
//! deviation from it (scaled to a standard deviation), but by at least the patience.

use std::{collections::VecDeque, time::Duration};

use super::{Cluster, Message, Order, Push};
use crate::{
    Error, Result,
    ids::{LearnerId, Task},
    statistics,
};

/// Minibatches of a learner that are looked back at.
const WINDOW: usize = 32;
/// Fewer than these say nothing yet.
const FEW: usize = 8;
/// Patience with a learner of which little has been seen, or that is being opened, in patiences: the
/// first minibatch compiles kernels.
pub const AT_FIRST: u32 = 30;
/// Of a normal distribution, by what the standard deviation is more than the median deviation.
const SCALE: f64 = 1.4826;
/// Deviations that count as chance.
const DEVIATIONS: f64 = 10.0;

/// A cluster in which nobody is waited for without end.
#[derive(Debug)]
pub struct WithDeadlines<C> {
    cluster: C,
    patience: Duration,
    learners: Vec<Learner>,
}

#[derive(Debug, Default)]
struct Learner {
    awaited: Option<Awaited>,
    overruns: VecDeque<Duration>,
}

/// What a learner should send.
#[derive(Debug, Clone, Copy)]
struct Awaited {
    /// The number of the minibatch; none if it is to return.
    task: Option<Task>,
    since: Duration,
    /// When the delays let it come.
    due: Duration,
    deadline: Duration,
}

impl<C: Cluster> WithDeadlines<C> {
    /// P = `learners` of `cluster`, each given at least `patience`.
    pub fn new(cluster: C, learners: usize, patience: Duration) -> Self {
        Self { cluster, patience, learners: (0..learners).map(|_| Learner::default()).collect() }
    }

    /// The earliest deadline, and of several that of the lowest id.
    fn next(&self) -> Option<(Duration, LearnerId)> {
        let awaited = self.learners.iter().zip(0..);
        awaited.filter_map(|(one, learner)| Some((one.awaited?.deadline, learner))).min()
    }

    /// Takes in that the `task`-th minibatch of `learner` has come.
    fn arrived(&mut self, learner: LearnerId, task: Task) {
        let now = self.cluster.now();
        let Learner { awaited, overruns } = &mut self.learners[learner];
        if let Some(Awaited { due, .. }) = awaited.take_if(|one| one.task == Some(task)) {
            overruns.truncate(WINDOW - 1);
            overruns.push_front(now.saturating_sub(due));
        }
    }
}

impl<C: Cluster> Cluster for WithDeadlines<C> {
    fn assign(&mut self, order: Order) -> Option<Duration> {
        let Order { learner, task, .. } = order;
        let since = self.cluster.now();
        let due = self.cluster.assign(order);
        let Learner { awaited, overruns } = &mut self.learners[learner];
        let expected = due.unwrap_or(since);
        let deadline = expected.saturating_add(allowance(overruns, self.patience));
        *awaited = Some(Awaited { task: Some(task), since, due: expected, deadline });
        due
    }

    fn recv(&mut self, until: Duration, wanted: Option<usize>) -> Result<Option<Message>> {
        let next = self.next();
        let limit = next.map_or(until, |(deadline, _)| deadline.min(until));
        let message = self.cluster.recv(limit, wanted)?;
        match &message {
            Some(Message::Push(Push { learner, task, .. })) => self.arrived(*learner, *task),
            Some(Message::Lost { learner, .. } | Message::Returned(learner)) => {
                self.learners[*learner].awaited = None;
            }
            None => {
                let Some((_, learner)) = next.filter(|(deadline, _)| *deadline <= limit) else {
                    return Ok(None);
                };
                let awaited = self.learners[learner].awaited.take();
                let waited = awaited.map_or(Duration::ZERO, |one| limit.saturating_sub(one.since));
                let cause = Error::Fault(format!("no answer in {:.2} s", waited.as_secs_f64()));
                return Ok(Some(Message::Lost { learner, cause }));
            }
        }
        Ok(message)
    }

    fn restart(&mut self, learner: LearnerId, after: Duration) {
        self.cluster.restart(learner, after);
        let since = self.cluster.now();
        let due = since.saturating_add(after);
        let deadline = due.saturating_add(self.patience.saturating_mul(AT_FIRST));
        let awaited = Some(Awaited { task: None, since, due, deadline });
        self.learners[learner] = Learner { awaited, overruns: VecDeque::new() };
    }

    fn leave(&mut self, learner: LearnerId) {
        self.cluster.leave(learner);
        self.learners[learner] = Learner::default();
    }

    fn computes(&self, learner: LearnerId) -> Option<[Duration; 2]> {
        self.cluster.computes(learner)
    }

    fn now(&self) -> Duration {
        self.cluster.now()
    }
}

/// By how much a minibatch may be late, from how late others were.
fn allowance(overruns: &VecDeque<Duration>, patience: Duration) -> Duration {
    if overruns.len() < FEW {
        return patience.saturating_mul(AT_FIRST);
    }
    let seconds: Vec<f64> = overruns.iter().map(Duration::as_secs_f64).collect();
    let median = |values| statistics::median(values).expect("some have been seen");
    let middle = median(seconds.clone());
    let deviation = median(seconds.iter().map(|x| (x - middle).abs()).collect());
    let most = Duration::try_from_secs_f64(middle + DEVIATIONS * SCALE * deviation);
    most.unwrap_or(Duration::MAX).max(patience)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(values: impl IntoIterator<Item = f64>) -> VecDeque<Duration> {
        values.into_iter().map(Duration::from_secs_f64).collect()
    }

    #[test]
    fn a_deadline_is_ten_deviations_beyond_the_median_and_no_less_than_the_patience() {
        let patience = Duration::from_secs(2);
        assert_eq!(allowance(&seconds([]), patience), Duration::from_secs(60));
        assert_eq!(allowance(&seconds([0.1; 7]), patience), Duration::from_secs(60));
        assert_eq!(allowance(&seconds([0.1; 8]), patience), patience);
        // Median 6, deviations 5 4 3 2 1 0 1 2 3 4 5 with the median 3.
        let spread = allowance(&seconds((1..=11).map(f64::from)), patience);
        assert!((spread.as_secs_f64() - (6.0 + 14.826 * 3.0)).abs() < 1e-9, "{spread:?}");
        // One that was very late does not make the next wait longer.
        let outlier = seconds((1..=10).map(f64::from).chain([1e6]));
        assert_eq!(allowance(&outlier, patience), spread);
    }
}
