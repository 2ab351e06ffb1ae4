//! What must happen, written down from the definitions and apart from the code that is tested: lists
//! of all that was started and of all that was counted, from which everything else is worked out
//! anew each time it is asked for.

use tortoise::{
    ids::{LearnerId, Task, Version},
    sgd::{
        Cancellation, Event, Tolerance, Verdict,
        faults::{NonFinite, OnLoss},
        scheduler,
    },
};

/// What a run is told at its start.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    /// The three answers.
    pub(crate) variant: scheduler::Rules,
    pub(crate) cancellation: Cancellation,
    pub(crate) learners: usize,
    pub(crate) tolerance: Tolerance,
    pub(crate) initial: Vec<f32>,
    /// The rate of a fresh gradient, and whether it is divided by 1 + s.
    pub(crate) rate: (f32, bool),
    /// beta, and the norm that gradients are clipped to.
    pub(crate) momentum: f32,
    pub(crate) clip: Option<f64>,
    pub(crate) drops: Option<Drops>,
    pub(crate) updates: Option<Version>,
}

/// Gradients that do not count, whatever the three answers are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Drops {
    /// Of a larger staleness.
    Above(u64),
    /// Computed at parameters further away than this.
    FurtherThan(f64),
}

impl Rules {
    pub(crate) fn rate(&self, staleness: u64, gradient: &[f32]) -> f32 {
        let (rate, divided) = self.rate;
        let rate = f64::from(rate) / if divided { (1 + staleness) as f64 } else { 1.0 };
        let norm = gradient.iter().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>().sqrt();
        let clipped = self.clip.filter(|clip| norm > *clip).map_or(1.0, |clip| clip / norm);
        (rate * clipped) as f32
    }
}

/// What a learner can be heard to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Heard {
    Push { learner: LearnerId, task: Task, loss: Option<f32>, gradient: Vec<f32> },
    Lost { learner: LearnerId },
    Returned { learner: LearnerId },
}

/// Why there is nothing more to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Diverged,
    LearnerLost(LearnerId),
    NoQuorum { live: usize, learner: LearnerId },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Life {
    Here,
    Down,
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    InHand,
    Counted,
    Cancelled,
    Discarded,
    Rejected,
    Lost,
}

#[derive(Debug, Clone)]
pub(crate) struct Started {
    pub(crate) learner: LearnerId,
    pub(crate) task: Task,
    pub(crate) version: Version,
    pub(crate) fate: Fate,
}

#[derive(Debug, Clone)]
struct Counted {
    learner: LearnerId,
    rate: f32,
    gradient: Vec<f32>,
}

/// The reference.
#[derive(Debug)]
pub(crate) struct Naive {
    pub(crate) rules: Rules,
    /// Every minibatch, in the order in which they started.
    pub(crate) started: Vec<Started>,
    /// How many had started when all learners started together last.
    together: usize,
    pub(crate) life: Vec<Life>,
    /// The gradients of each update that was made, and last of the one in the making.
    updates: Vec<Vec<Counted>>,
    /// What was pushed soundly (true), pushed otherwise (false) or lost (none), and by whom.
    record: Vec<(LearnerId, Option<bool>)>,
    pub(crate) end: Option<End>,
}

impl Naive {
    pub(crate) fn new(rules: Rules) -> Self {
        let life = vec![Life::Here; rules.learners];
        let (started, record) = (Vec::new(), Vec::new());
        Self { rules, started, together: 0, life, updates: vec![Vec::new()], record, end: None }
    }

    pub(crate) fn version(&self) -> Version {
        self.updates.len() as Version - 1
    }

    pub(crate) fn live(&self) -> usize {
        self.life.iter().filter(|life| **life != Life::Gone).count()
    }

    pub(crate) fn fates(&self, learner: Option<LearnerId>, fate: Fate) -> u64 {
        let of = self.started.iter().filter(|one| learner.is_none_or(|who| one.learner == who));
        of.filter(|one| one.fate == fate).count() as u64
    }

    pub(crate) fn pending(&self) -> u64 {
        self.updates[self.updates.len() - 1].len() as u64
    }

    /// w_j: from w_0 on, one update after the other.
    pub(crate) fn params(&self) -> Vec<f32> {
        self.params_of(self.version())
    }

    fn params_of(&self, version: Version) -> Vec<f32> {
        let mut params = self.rules.initial.clone();
        let mut velocity = vec![0.0; params.len()];
        for update in &self.updates[..version as usize] {
            let share = 1.0 / update.len() as f32;
            for (d, w) in params.iter_mut().enumerate() {
                let sum = update.iter().fold(0.0, |sum, one| sum + one.rate * one.gradient[d]);
                // Without momentum nothing is kept, not even what is beyond all numbers.
                let beta = self.rules.momentum;
                let kept = if beta == 0.0 { 0.0 } else { beta * velocity[d] };
                velocity[d] = kept + share * sum;
                *w -= velocity[d];
            }
        }
        params
    }

    fn in_hand(&mut self, learner: LearnerId) -> Option<&mut Started> {
        let last = self.started.iter_mut().rev().find(|one| one.learner == learner);
        last.filter(|one| one.fate == Fate::InHand)
    }

    fn counts(&self, learner: LearnerId) -> bool {
        self.updates[self.updates.len() - 1].iter().any(|one| one.learner == learner)
    }

    /// The first events of all: everybody starts.
    pub(crate) fn start(&mut self) -> Vec<Event> {
        (0..self.rules.learners).map(|learner| self.assign(learner)).collect()
    }

    /// What must happen when this is heard, while K is `k`; cancellations come with the starts that
    /// cause them.
    pub(crate) fn hear(&mut self, heard: &Heard, k: usize) -> Vec<Event> {
        assert_eq!(self.end, None, "nothing is heard after the end");
        let mut events = match heard {
            Heard::Push { learner, task, loss, gradient } => {
                vec![self.push(*learner, *task, *loss, gradient)]
            }
            Heard::Lost { learner } => self.lose(*learner),
            Heard::Returned { learner } => {
                if self.life[*learner] == Life::Down {
                    self.life[*learner] = Life::Here;
                }
                vec![Event::Return { learner: *learner }]
            }
        };
        if self.end.is_none() {
            self.settle(k, &mut events);
        }
        events
    }

    fn push(
        &mut self,
        learner: LearnerId,
        task: Task,
        loss: Option<f32>,
        gradient: &[f32],
    ) -> Event {
        let computing = None;
        let current = self.version();
        let most_stale = self.rules.variant.most_stale;
        let length = self.rules.initial.len();
        let Some(hand) = self.in_hand(learner).filter(|hand| hand.task == task) else {
            return Event::Late { learner, task, computing };
        };
        let version = hand.version;
        let dropped = self.drops(version);
        let sound = gradient.len() == length
            && gradient.iter().chain(&loss).all(|number| number.is_finite());
        let verdict = match sound {
            false => Verdict::Reject,
            true if most_stale.is_some_and(|most| version + most < current) || dropped => {
                Verdict::Discard
            }
            true => Verdict::Accept,
        };
        self.in_hand(learner).expect("it has one").fate = match verdict {
            Verdict::Reject => Fate::Rejected,
            Verdict::Discard => Fate::Discarded,
            Verdict::Accept => Fate::Counted,
        };
        self.record.push((learner, Some(sound)));
        let mut rate = None;
        if verdict == Verdict::Accept {
            let its = self.rules.rate(current - version, gradient);
            let counted = Counted { learner, rate: its, gradient: gradient.to_vec() };
            self.updates.last_mut().unwrap().push(counted);
            rate = Some(its);
        }
        let pushed = self.record.iter().rev().filter_map(|(_, pushed)| *pushed);
        let in_a_row = pushed.take_while(|sound| !sound).count();
        let most = match self.rules.tolerance.non_finite {
            NonFinite::Stop => 0,
            NonFinite::Reject => 10 * self.rules.learners,
        };
        if in_a_row > most {
            self.end = Some(End::Diverged);
        }
        let staleness = current - version;
        Event::Push { learner, task, version, staleness, verdict, rate, loss, computing }
    }

    /// Whether a gradient of this version is dropped.
    pub(crate) fn drops(&self, version: Version) -> bool {
        match self.rules.drops {
            None => false,
            Some(Drops::Above(staleness)) => self.version() > version + staleness,
            Some(Drops::FurtherThan(distance)) => {
                let (now, then) = (self.params(), self.params_of(version));
                let squares = now.iter().zip(&then).map(|(w, read)| f64::from(w - read).powi(2));
                squares.sum::<f64>() > distance * distance
            }
        }
    }

    fn lose(&mut self, learner: LearnerId) -> Vec<Event> {
        let task = self.in_hand(learner).map(|hand| {
            hand.fate = Fate::Lost;
            hand.task
        });
        let mut events = vec![Event::Lost { learner, task, cause: "test".into() }];
        self.record.push((learner, None));
        let Tolerance { on_loss, restarts, quorum, .. } = self.rules.tolerance;
        let restarted = on_loss == OnLoss::Restart && self.losses(learner) <= restarts;
        if on_loss == OnLoss::Stop {
            self.end = Some(End::LearnerLost(learner));
        } else if restarted {
            self.life[learner] = Life::Down;
        } else {
            self.life[learner] = Life::Gone;
            events.push(Event::Leave { learner });
            let live = self.live();
            if live < quorum {
                self.end = Some(End::NoQuorum { live, learner });
            }
        }
        events
    }

    /// Losses of a learner since it last pushed.
    pub(crate) fn losses(&self, learner: LearnerId) -> u32 {
        let its = self.record.iter().rev().filter(|(who, _)| *who == learner);
        its.take_while(|(_, pushed)| pushed.is_none()).count() as u32
    }

    /// The update, if it is complete, and then the starts.
    fn settle(&mut self, k: usize, events: &mut Vec<Event>) {
        let Rules { variant, cancellation, learners, updates, .. } = self.rules;
        let scheduler::Rules { waits: by_learner, most_stale, .. } = variant;
        let most_stale = most_stale.filter(|_| cancellation == Cancellation::Preempt);
        let wanted = if by_learner { k.min(self.live()) } else { k };
        let counted = self.pending() as usize;
        let update = counted > 0 && counted >= wanted;
        if update {
            self.updates.push(Vec::new());
            if most_stale == Some(0) {
                self.together = self.started.len();
            }
            events.push(Event::Update { version: self.version(), k: counted });
            if updates == Some(self.version()) {
                self.end = Some(End::Done);
                return;
            }
        }
        for learner in 0..learners {
            let here = self.life[learner] == Life::Here;
            let free = self.in_hand(learner).is_none() && !(by_learner && self.counts(learner));
            let current = self.version();
            let stopped = self
                .in_hand(learner)
                .is_some_and(|hand| most_stale.is_some_and(|most| hand.version + most < current));
            if here && (free || stopped) && !self.is_too_far_ahead(learner) {
                if let Some(hand) = self.in_hand(learner) {
                    hand.fate = Fate::Cancelled;
                    let (task, version) = (hand.task, hand.version);
                    events.push(Event::Cancel { learner, task, version });
                }
                events.push(self.assign(learner));
            }
        }
    }

    /// Minibatches that a learner has pushed since all started together.
    fn pushed(&self, learner: LearnerId) -> u64 {
        let pushed = [Fate::Counted, Fate::Discarded, Fate::Rejected];
        let its = self.started[self.together..].iter().filter(|one| one.learner == learner);
        its.filter(|one| pushed.contains(&one.fate)).count() as u64
    }

    fn is_too_far_ahead(&self, learner: LearnerId) -> bool {
        // Who waits for the update holds nobody back.
        let waits = |other| self.rules.variant.waits && self.counts(other);
        let counts = |other: &LearnerId| self.life[*other] != Life::Gone && !waits(*other);
        let slowest = (0..self.rules.learners).filter(counts).map(|other| self.pushed(other)).min();
        let most = self.rules.variant.most_ahead;
        most.zip(slowest).is_some_and(|(most, slowest)| self.pushed(learner) > slowest + most)
    }

    fn assign(&mut self, learner: LearnerId) -> Event {
        let task = self.started.iter().filter(|one| one.learner == learner).count() as Task;
        let version = self.version();
        self.started.push(Started { learner, task, version, fate: Fate::InHand });
        Event::Assign { learner, task, version, computes: None }
    }
}
