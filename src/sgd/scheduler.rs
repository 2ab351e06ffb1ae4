//! Which gradients make an update, and who starts again from which parameters.
//!
//! The scheduler is a state machine on ids of learners and on versions. It knows no parameters, no
//! time and no threads.
//!
//! A variant is the answers to three questions, its [`Rules`], and a number K:
//!
//! | variant | does a learner wait after its push? | how stale may a gradient be? | how far may a learner be ahead? |
//! |---|---|---|---|
//! | [K-sync](Variant::KSync) | yes | 0 | any |
//! | [K-batch-sync](Variant::KBatchSync) | no | 0 | any |
//! | [K-async](Variant::KAsync) | yes | any | any |
//! | [K-batch-async](Variant::KBatchAsync) | no | any | any |
//! | [Ringmaster](Rules::ringmaster) | no | below R | any |
//! | [stale synchronous parallel](Rules::stale_synchronous) | no | any | S |
//!
//! Sync is K-sync with K = P, async is K-async with K = 1 (Dutta et al. 2018, section 2.3). Unfinished
//! work that has become too stale to count is cancelled: where nothing stale counts, every update cancels
//! all that is unfinished.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use crate::ids::{LearnerId, Version};

/// What tells a variant from the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rules {
    /// Whether a learner that has pushed waits for the update, so that K counts learners; else K counts
    /// minibatches, whoever computed them.
    pub waits: bool,
    /// The most updates that may have been made since a gradient's parameters were read, if it is to
    /// count; any number where there is none. Unfinished work of which more have been made is cancelled.
    pub most_stale: Option<Version>,
    /// The most minibatches that a learner may have pushed more than the slowest before it starts
    /// another; any number where there is none. Where an update lets all of them start together, they
    /// are counted from there.
    pub most_ahead: Option<u64>,
}

impl Rules {
    /// Asynchronous SGD without gradients of staleness R = `bound` or more: with K = 1 Ringmaster ASGD,
    /// with stops where cancelled work stops at once, and else without (arXiv:2501.16168). With R = 1 it
    /// is K-batch-sync.
    ///
    /// # Panics
    /// If the bound is zero: no gradient would count.
    pub fn ringmaster(bound: Version) -> Self {
        assert!(bound > 0, "R is at least 1");
        Self { most_stale: Some(bound - 1), ..Variant::KBatchAsync.into() }
    }

    /// Asynchronous SGD in which nobody is more than S = `lead` minibatches ahead of the slowest: the
    /// stale synchronous parallel model (Ho et al. 2013, section 3).
    pub fn stale_synchronous(lead: u64) -> Self {
        Self { most_ahead: Some(lead), ..Variant::KBatchAsync.into() }
    }

    /// The same where no gradient of staleness R = `bound` or more counts.
    ///
    /// # Panics
    /// If the bound is zero: no gradient would count.
    #[must_use]
    pub fn with_cap(self, bound: Version) -> Self {
        let most = Self::ringmaster(bound).most_stale;
        Self { most_stale: self.most_stale.into_iter().chain(most).min(), ..self }
    }

    /// Whether no stale gradient counts, so that an update cancels all work that is not finished.
    pub fn only_fresh(self) -> bool {
        self.most_stale == Some(0)
    }

    /// Whether work is cancelled at all.
    pub fn cancels(self) -> bool {
        self.most_stale.is_some()
    }
}

/// The four base variants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Variant {
    /// The first K learners make the update, at the same parameters.
    KSync,
    /// The first K minibatches make the update, whoever computed them, at the same parameters.
    KBatchSync,
    /// The first K learners make the update, each at the parameters it last read.
    KAsync,
    /// The first K minibatches make the update, each at the parameters its learner last read.
    KBatchAsync,
}

impl Variant {
    /// All four, in the order of the table above.
    pub const ALL: [Self; 4] = [Self::KSync, Self::KBatchSync, Self::KAsync, Self::KBatchAsync];

    /// The base variant that has these rules, if one has: what theory knows of it holds of nothing else.
    pub fn of(rules: Rules) -> Option<Self> {
        Self::ALL.into_iter().find(|variant| Rules::from(*variant) == rules)
    }

    /// Whether a learner that has pushed waits for the update, so that K counts learners.
    pub fn waits(self) -> bool {
        Rules::from(self).waits
    }

    /// Whether an update cancels the work that is not finished, so that no gradient is stale.
    pub fn cancels(self) -> bool {
        Rules::from(self).cancels()
    }
}

impl From<Variant> for Rules {
    fn from(variant: Variant) -> Self {
        let (waits, most_stale) = match variant {
            Variant::KSync => (true, Some(0)),
            Variant::KBatchSync => (false, Some(0)),
            Variant::KAsync => (true, None),
            Variant::KBatchAsync => (false, None),
        };
        Self { waits, most_stale, most_ahead: None }
    }
}

/// What becomes of unfinished work that is cancelled: that has become too stale to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cancellation {
    /// It stops at once, and its learner starts again from the new parameters: the paper's model.
    #[default]
    Preempt,
    /// It runs to its end, is dropped on arrival, and only then does its learner start again: what
    /// parameter servers without a way to stop a learner do.
    OnArrival,
}

/// What is to be done, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Make `version` out of the gradients accepted since the last update.
    Apply {
        /// The version that comes of it.
        version: Version,
    },
    /// Let `learner` start a minibatch at `version`, in place of what it may be computing.
    Assign {
        /// Who starts.
        learner: LearnerId,
        /// The current version.
        version: Version,
    },
}

/// Whether a pushed gradient counts.
#[must_use = "a discarded gradient must not be accumulated"]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It goes into the next update.
    Accept,
    /// It was computed at parameters that the variant, or its rule for the rate, no longer accepts.
    Discard,
    /// It is no gradient: some number of it is not finite, or there are too many or too few.
    Reject,
}

/// Whether a learner takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Presence {
    Here,
    /// It is lost, and somebody will take its place.
    Away,
    /// It is lost, and the run goes on without it.
    Gone,
}

/// Decides, push by push. Feed it with [`on_push`](Self::on_push), then carry out what
/// [`poll`](Self::poll) gives until it gives nothing.
///
/// Async with two learners:
///
/// ```
/// use tortoise::sgd::{Action, Cancellation, Scheduler, Variant, Verdict};
///
/// let mut scheduler = Scheduler::new(Variant::KAsync, Cancellation::Preempt, 2, 1);
/// assert_eq!(scheduler.poll(), Some(Action::Assign { learner: 0, version: 0 }));
/// assert_eq!(scheduler.poll(), Some(Action::Assign { learner: 1, version: 0 }));
/// assert_eq!(scheduler.poll(), None);
///
/// assert_eq!(scheduler.on_push(1, 0), Verdict::Accept);
/// assert_eq!(scheduler.poll(), Some(Action::Apply { version: 1 }));
/// assert_eq!(scheduler.poll(), Some(Action::Assign { learner: 1, version: 1 }));
/// assert_eq!(scheduler.poll(), None);
///
/// // The gradient of learner 0 was read at w_0: one version stale by now.
/// assert_eq!(scheduler.on_push(0, 0), Verdict::Accept);
/// assert_eq!(scheduler.poll(), Some(Action::Apply { version: 2 }));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduler {
    rules: Rules,
    cancellation: Cancellation,
    learners: Vec<Presence>,
    live: usize,
    k: usize,
    version: Version,
    accepted: usize,
    /// Whose gradient is in the next update, where K counts learners; lost ones among them.
    waiting: Vec<LearnerId>,
    /// Who starts another minibatch, at once or when others have caught up.
    starting: VecDeque<LearnerId>,
    /// Who is at work, and on a gradient at which version: kept where an update may cancel some of the
    /// work, but not all of it.
    at_work: BTreeSet<(Version, LearnerId)>,
    /// Minibatches that each learner has pushed, whatever became of them, since all of them started
    /// together last.
    pushed: Vec<u64>,
}

impl Scheduler {
    /// P = `learners`, an update every `k` accepted gradients; the first actions let all learners
    /// start at w_0.
    ///
    /// # Panics
    /// If `learners` or `k` is zero, or `k` is more than `learners` where K counts learners.
    pub fn new(
        rules: impl Into<Rules>,
        cancellation: Cancellation,
        learners: usize,
        k: usize,
    ) -> Self {
        assert!(learners > 0, "P is at least 1");
        let mut scheduler = Self {
            rules: rules.into(),
            cancellation,
            learners: vec![Presence::Here; learners],
            live: learners,
            k: 0,
            version: 0,
            accepted: 0,
            waiting: Vec::with_capacity(learners),
            starting: (0..learners).collect(),
            at_work: BTreeSet::new(),
            pushed: vec![0; learners],
        };
        scheduler.set_k(k);
        scheduler
    }

    /// Takes in that `learner` pushed the gradient it computed at `version`.
    pub fn on_push(&mut self, learner: LearnerId, version: Version) -> Verdict {
        self.pushed[learner] += 1;
        if self.stops_some() {
            self.at_work.remove(&(version, learner));
        }
        let verdict = match self.is_too_stale(version) {
            true => Verdict::Discard,
            false => Verdict::Accept,
        };
        if verdict == Verdict::Accept {
            self.accepted += 1;
        }
        if self.rules.waits && verdict == Verdict::Accept {
            self.waiting.push(learner);
        } else {
            self.start(learner);
        }
        verdict
    }

    /// Whether a gradient that was computed at `version` does not count any more.
    pub fn is_too_stale(&self, version: Version) -> bool {
        self.rules.most_stale.is_some_and(|most| self.version - version > most)
    }

    /// Takes in that `learner` pushed what is no gradient: it starts another minibatch.
    pub fn on_reject(&mut self, learner: LearnerId) -> Verdict {
        self.pass_over(learner);
        Verdict::Reject
    }

    /// Takes in that `learner` pushed a gradient that is dropped, whatever the rules say: it starts another
    /// minibatch.
    pub fn on_drop(&mut self, learner: LearnerId) -> Verdict {
        self.pass_over(learner);
        Verdict::Discard
    }

    fn pass_over(&mut self, learner: LearnerId) {
        self.pushed[learner] += 1;
        self.at_work.retain(|(_, other)| *other != learner);
        self.start(learner);
    }

    /// Takes in that nothing more comes from `learner` until it [returns](Self::on_return). What it
    /// has pushed counts.
    pub fn on_loss(&mut self, learner: LearnerId) {
        if self.learners[learner] == Presence::Here {
            self.learners[learner] = Presence::Away;
        }
        self.starting.retain(|&other| other != learner);
        self.at_work.retain(|(_, other)| *other != learner);
    }

    /// Takes in that `learner` is there again, with nothing in hand. If its gradient is in the update
    /// already it waits as it would have, so that no learner is in an update twice. Returns whether it
    /// was away.
    pub fn on_return(&mut self, learner: LearnerId) -> bool {
        let was_away = self.learners[learner] == Presence::Away;
        if was_away {
            self.learners[learner] = Presence::Here;
            if !self.waiting.contains(&learner) {
                self.starting.push_back(learner);
            }
        }
        was_away
    }

    /// Goes on without `learner`, which is lost: where K counts learners it is at most those left.
    pub fn on_leave(&mut self, learner: LearnerId) {
        self.on_loss(learner);
        if self.learners[learner] != Presence::Gone {
            self.learners[learner] = Presence::Gone;
            self.live -= 1;
        }
    }

    /// What is to be done next: the update before any start, then the starts in the order of ids.
    pub fn poll(&mut self) -> Option<Action> {
        if self.accepted > 0 && self.accepted >= self.quota() {
            self.accepted = 0;
            self.version += 1;
            self.release();
            return Some(Action::Apply { version: self.version });
        }
        let learner = self.next_start()?;
        if self.stops_some() {
            self.at_work.insert((self.version, learner));
        }
        Some(Action::Assign { learner, version: self.version })
    }

    /// Sets K for the update in progress and all that follow; gradients already accepted stay.
    ///
    /// # Panics
    /// If `k` is zero, or more than P where K counts learners.
    pub fn set_k(&mut self, k: usize) {
        assert!(k > 0, "K is at least 1");
        assert!(!self.rules.waits || k <= self.learners.len(), "K learners are at most all P");
        self.k = k;
    }

    /// How many more pushes can count before unfinished work is cancelled; no bound where none is.
    pub fn wanted(&self) -> Option<usize> {
        self.stops_all().then(|| self.quota().saturating_sub(self.accepted))
    }

    /// Whether an update stops all work that is not finished.
    fn stops_all(&self) -> bool {
        self.rules.only_fresh() && self.cancellation == Cancellation::Preempt
    }

    /// Whether an update stops work that has become too stale, and no other.
    fn stops_some(&self) -> bool {
        let Rules { most_stale, .. } = self.rules;
        most_stale.is_some_and(|most| most > 0) && self.cancellation == Cancellation::Preempt
    }

    /// Lets `learner` start another minibatch. Who is to be stopped, but too far ahead to start again, may
    /// push before it is.
    fn start(&mut self, learner: LearnerId) {
        if self.rules.most_ahead.is_none() || !self.starting.contains(&learner) {
            self.starting.push_back(learner);
        }
    }

    /// P, the number of learners, lost ones among them.
    pub fn learners(&self) -> usize {
        self.learners.len()
    }

    /// Learners that are there or will be again.
    pub fn live(&self) -> usize {
        self.live
    }

    /// j, the version that the next update is made of.
    pub fn version(&self) -> Version {
        self.version
    }

    /// K, the gradients an update.
    pub fn k(&self) -> usize {
        self.k
    }

    /// K, or the learners that are left where it counts them.
    fn quota(&self) -> usize {
        if self.rules.waits { self.k.min(self.live) } else { self.k }
    }

    /// Who starts next of those that have nothing to do: in the order of ids, without those that are too
    /// far ahead.
    fn next_start(&mut self) -> Option<LearnerId> {
        if self.rules.most_ahead.is_none() {
            return self.starting.pop_front();
        }
        let places = 0..self.starting.len();
        let may_start = places.filter(|at| !self.is_too_far_ahead(self.starting[*at]));
        let at = may_start.min_by_key(|at| self.starting[*at])?;
        self.starting.remove(at)
    }

    /// Whether others have to catch up before `learner` starts again. Who waits for the update holds
    /// nobody back: the update may wait for those that are ahead.
    fn is_too_far_ahead(&self, learner: LearnerId) -> bool {
        let Some(most) = self.rules.most_ahead else { return false };
        let counts = |other: &LearnerId| {
            self.learners[*other] != Presence::Gone && !self.waiting.contains(other)
        };
        let others = (0..self.learners.len()).filter(counts);
        let slowest = others.map(|other| self.pushed[other]).min().unwrap_or(u64::MAX);
        self.pushed[learner].saturating_sub(slowest) > most
    }

    /// Who starts at the parameters just made: all learners if unfinished work stops now, else those
    /// who have none, and those whose work has become too stale.
    fn release(&mut self) {
        if self.stops_some() {
            while let Some(&(version, learner)) = self.at_work.first()
                && self.is_too_stale(version)
            {
                self.at_work.pop_first();
                self.start(learner);
            }
        }
        let here = |learner: &LearnerId| self.learners[*learner] == Presence::Here;
        if self.stops_all() {
            self.waiting.clear();
            self.starting.clear();
            self.pushed.fill(0);
            self.starting.extend((0..self.learners.len()).filter(here));
        } else {
            self.starting.extend(self.waiting.drain(..).filter(here));
            self.starting.make_contiguous().sort_unstable();
        }
    }
}
