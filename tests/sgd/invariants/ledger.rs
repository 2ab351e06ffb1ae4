//! What the events alone must say: no reference, only the rules that a reader of a run would check.

use std::{collections::HashMap, time::Duration};

use tortoise::{
    ids::{LearnerId, Task, Version},
    sgd::{Cancellation, Event, Tally, Verdict, activity::Activities, scheduler::Rules},
};

use super::naive::{Fate, Life, Naive};

/// Notes the events and checks them.
#[derive(Debug)]
pub(crate) struct Ledger {
    variant: Rules,
    cancellation: Cancellation,
    version: Version,
    time: Duration,
    /// The version of each minibatch that was started and has not ended.
    open: HashMap<(LearnerId, Task), Version>,
    /// What counts for the update in the making.
    gathered: Vec<(LearnerId, Version)>,
    live: usize,
    tally: Tally,
    activities: Activities,
    learners: usize,
}

impl Ledger {
    pub(crate) fn new(variant: Rules, cancellation: Cancellation, learners: usize) -> Self {
        Self {
            variant,
            cancellation,
            version: 0,
            time: Duration::ZERO,
            open: HashMap::new(),
            gathered: Vec::new(),
            live: learners,
            tally: Tally::default(),
            activities: Activities::default(),
            learners,
        }
    }

    pub(crate) fn note(&mut self, time: Duration, event: &Event) {
        assert!(time >= self.time, "time goes back");
        self.time = time;
        self.tally.count(time, event);
        self.activities.count(time, event);
        match *event {
            Event::Assign { learner, task, version, .. } => {
                assert_eq!(version, self.version, "who starts reads the current version");
                let busy = self.open.keys().any(|&(who, _)| who == learner);
                assert!(!busy, "learner {learner} has one minibatch in hand");
                self.open.insert((learner, task), version);
            }
            Event::Push { learner, task, version, verdict, rate, .. } => {
                let read = self.open.remove(&(learner, task));
                assert_eq!(read, Some(version), "a gradient comes once");
                assert_eq!(rate.is_some(), verdict == Verdict::Accept);
                if verdict == Verdict::Accept {
                    self.gathered.push((learner, version));
                }
            }
            Event::Cancel { learner, task, version } => {
                assert_eq!(self.open.remove(&(learner, task)), Some(version));
                let preempt = self.cancellation == Cancellation::Preempt;
                let most = self.variant.most_stale.expect("something is too stale");
                assert!(preempt && version + most < self.version);
            }
            Event::Lost { learner, task, .. } => {
                let had: Vec<_> = self.open.keys().filter(|(who, _)| *who == learner).collect();
                assert!(had.iter().copied().eq(&task.map(|task| (learner, task))));
                self.open.retain(|(who, _), _| *who != learner);
            }
            Event::Leave { .. } => self.live -= 1,
            Event::Late { learner, task, .. } => {
                assert!(!self.open.contains_key(&(learner, task)), "it was waited for");
            }
            Event::Return { .. } => {}
            Event::Update { version, k } => self.update(version, k),
        }
    }

    fn update(&mut self, version: Version, k: usize) {
        assert_eq!(version, self.version + 1, "one by one");
        let mut gathered = std::mem::take(&mut self.gathered);
        assert_eq!(gathered.len(), k, "all that counted, and nothing else");
        let most = self.variant.most_stale.unwrap_or(Version::MAX);
        let stale = |read| self.version.checked_sub(read).expect("it is of a version before");
        assert!(gathered.iter().all(|&(_, read)| stale(read) <= most), "nothing is too stale");
        if self.variant.waits {
            gathered.sort_unstable();
            gathered.dedup_by_key(|&mut (learner, _)| learner);
            assert_eq!(gathered.len(), k, "K different learners");
            assert!(k <= self.live, "at most those that are left");
        }
        self.version = version;
    }

    /// Whether all counts are those of the reference, and add up.
    pub(crate) fn agrees(&self, naive: &Naive, now: Duration) {
        let tally = &self.tally;
        assert_eq!((tally.updates, tally.updates), (naive.version(), self.version));
        assert_eq!(tally.started, naive.started.len() as u64);
        let counted = naive.fates(None, Fate::Counted);
        let pending = naive.pending();
        let expected = [
            counted - pending,
            pending,
            naive.fates(None, Fate::Cancelled),
            naive.fates(None, Fate::Discarded),
            naive.fates(None, Fate::Rejected),
            naive.fates(None, Fate::Lost),
            naive.fates(None, Fate::InHand),
        ];
        let Tally { used, pending, cancelled, discarded, rejected, lost, .. } = *tally;
        let told = [used, pending, cancelled, discarded, rejected, lost, tally.in_flight()];
        assert_eq!(
            told, expected,
            "used, pending, cancelled, discarded, rejected, lost, in flight"
        );
        assert_eq!(told.iter().sum::<u64>(), tally.started);
        for (learner, one) in self.activities.clone().until(now).into_iter().enumerate() {
            let of = |fate| naive.fates(Some(learner), fate);
            assert_eq!(one.accepted, of(Fate::Counted));
            let in_hand = of(Fate::InHand);
            assert!(
                in_hand <= u64::from(naive.life[learner] == Life::Here),
                "none in hand if lost"
            );
            let ended = one.accepted + one.cancelled + one.discarded + one.rejected + one.lost;
            assert_eq!(one.started, ended + in_hand, "learner {learner} of {}", self.learners);
        }
    }
}
