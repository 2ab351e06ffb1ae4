//! A cluster in which anything that can happen does: numbers say what comes next, whoever it strikes.

use std::{cell::RefCell, collections::VecDeque, rc::Rc, time::Duration};

use tortoise::{
    Error, Result,
    cluster::{Cluster, Message, Order, Push, Snapshot},
    ids::{LearnerId, Task},
    sgd::Event,
};

use super::naive::{Heard, Life, Naive};

/// Overtaken minibatches that may still be pushed.
const OVERTAKEN: usize = 8;

/// What is to come, and who is where.
#[derive(Debug)]
pub(crate) struct Script {
    steps: std::vec::IntoIter<u32>,
    learners: Vec<Learner>,
    /// Whose minibatch was cancelled or lost.
    overtaken: VecDeque<(LearnerId, Task)>,
    pushed: Option<(LearnerId, Task)>,
    length: usize,
}

#[derive(Debug, Clone)]
struct Learner {
    life: Life,
    in_hand: Option<Task>,
}

impl Script {
    pub(crate) fn new(steps: Vec<u32>, learners: usize, length: usize) -> Self {
        let learner = Learner { life: Life::Here, in_hand: None };
        Self {
            steps: steps.into_iter(),
            learners: vec![learner; learners],
            overtaken: VecDeque::new(),
            pushed: None,
            length,
        }
    }

    pub(crate) fn assign(&mut self, learner: LearnerId, task: Task) {
        let one = &mut self.learners[learner];
        assert_eq!(one.life, Life::Here, "nobody starts who is not there");
        let before = one.in_hand.replace(task);
        self.overtake(learner, before);
    }

    pub(crate) fn lose(&mut self, learner: LearnerId, life: Life) {
        let one = &mut self.learners[learner];
        assert_ne!(one.life, Life::Gone, "who is gone is lost no more");
        one.life = life;
        let before = one.in_hand.take();
        self.overtake(learner, before);
    }

    fn overtake(&mut self, learner: LearnerId, task: Option<Task>) {
        self.overtaken.extend(task.map(|task| (learner, task)));
        if self.overtaken.len() > OVERTAKEN {
            self.overtaken.pop_front();
        }
    }

    /// Who is in that state, one of them.
    fn choose(&self, which: u32, fits: impl Fn(&Learner) -> bool) -> Option<LearnerId> {
        let fitting = (0..self.learners.len()).filter(|&learner| fits(&self.learners[learner]));
        let fitting: Vec<_> = fitting.collect();
        (!fitting.is_empty()).then(|| fitting[which as usize % fitting.len()])
    }

    /// What happens next, and after how many nanoseconds; nothing once the numbers are used up.
    ///
    /// # Panics
    /// If nobody is at work and nobody will return: all would wait for ever.
    pub(crate) fn next(&mut self) -> Option<(u64, Heard)> {
        let step = self.steps.next()?;
        let (kind, after, which) = (step % 64, (step >> 6) % 4, step >> 8);
        let down = self.choose(which, |one| one.life == Life::Down);
        let here = self.choose(which, |one| one.life == Life::Here);
        let busy = self.choose(which, |one| one.in_hand.is_some());
        assert!(busy.is_some() || down.is_some(), "somebody is at work, or will return");
        let value = (which >> 4) % 16;
        let heard = match (kind, here, down) {
            (0..=2, Some(learner), _) | (3, _, Some(learner)) => Heard::Lost { learner },
            (4..=8, _, Some(learner)) => self.returned(learner),
            (9..=10, ..) if !self.overtaken.is_empty() => {
                let at = which as usize % self.overtaken.len();
                let (learner, task) = self.overtaken.remove(at).unwrap();
                self.push(learner, task, value, 0)
            }
            (11, ..) if self.pushed.is_some() => {
                let (learner, task) = self.pushed.unwrap();
                self.push(learner, task, value, 0)
            }
            _ => match (busy, down) {
                (Some(learner), _) => {
                    let task = self.learners[learner].in_hand.take().unwrap();
                    self.pushed = Some((learner, task));
                    self.push(learner, task, value, kind)
                }
                (None, Some(learner)) => self.returned(learner),
                (None, None) => unreachable!("there is one of them"),
            },
        };
        Some((after.into(), heard))
    }

    fn returned(&mut self, learner: LearnerId) -> Heard {
        self.learners[learner].life = Life::Here;
        Heard::Returned { learner }
    }

    fn push(&self, learner: LearnerId, task: Task, value: u32, kind: u32) -> Heard {
        let value = value as f32 - 7.0;
        let mut loss = Some(1.0);
        let mut gradient: Vec<_> = (0..self.length).map(|d| value / (1 << d) as f32).collect();
        match (kind, gradient.last_mut()) {
            (12, Some(last)) => *last = f32::NAN,
            (13, Some(last)) => *last = f32::NEG_INFINITY,
            (14, _) => gradient.push(1.0),
            (15, Some(_)) => drop(gradient.pop()),
            (16, _) => loss = Some(f32::NAN),
            (17, _) => loss = None,
            (18, Some(last)) if value > 6.0 => *last = f32::MAX,
            _ => {}
        }
        Heard::Push { learner, task, loss, gradient }
    }
}

/// What the cluster, the observer and the policies of a run share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) naive: Naive,
    pub(crate) expected: VecDeque<Event>,
    pub(crate) k: usize,
    pub(crate) heard: u64,
    pub(crate) now: Duration,
}

/// The cluster that follows a script and tells the reference of it.
#[derive(Debug)]
pub(crate) struct Scripted {
    pub(crate) script: Script,
    pub(crate) shared: Rc<RefCell<Shared>>,
    now: Duration,
    next: Option<(Duration, Heard)>,
    /// What was read for each minibatch, and its bits then.
    reads: Vec<(LearnerId, Task, Snapshot, Vec<u32>)>,
}

impl Scripted {
    pub(crate) fn new(script: Script, shared: Rc<RefCell<Shared>>) -> Self {
        Self { script, shared, now: Duration::ZERO, next: None, reads: Vec::new() }
    }

    pub(crate) fn snapshots_are_as_they_were(&self) {
        for (.., params, before) in &self.reads {
            assert_eq!(bits(params), *before, "parameters that are held have changed");
        }
    }
}

pub(crate) fn bits(numbers: &[f32]) -> Vec<u32> {
    // Which of the numbers that are none it is means nothing.
    numbers.iter().map(|x| if x.is_nan() { f32::NAN.to_bits() } else { x.to_bits() }).collect()
}

impl Cluster for Scripted {
    fn assign(&mut self, order: Order) -> Option<Duration> {
        let Order { learner, task, params } = order;
        self.script.assign(learner, task);
        let before = bits(&params);
        self.reads.push((learner, task, params, before));
        if self.reads.len() > 4 * self.script.learners.len() {
            // Some are let go, so that their memory may be used again.
            self.reads.drain(..self.script.learners.len());
        }
        None
    }

    fn recv(&mut self, until: Duration, wanted: Option<usize>) -> Result<Option<Message>> {
        self.snapshots_are_as_they_were();
        assert!(wanted != Some(0), "somebody is wanted");
        let mut shared = self.shared.borrow_mut();
        assert!(shared.expected.is_empty(), "did not happen: {:?}", shared.expected);
        if self.next.is_none() {
            let next = self.script.next();
            self.next = next.map(|(after, heard)| (self.now + Duration::from_nanos(after), heard));
        }
        let Some((time, heard)) = self.next.take_if(|(time, _)| *time <= until) else {
            self.now = until;
            shared.now = until;
            return Ok(None);
        };
        (self.now, shared.now) = (time, time);
        shared.heard += 1;
        let k = shared.k;
        let events = shared.naive.hear(&heard, k);
        shared.expected.extend(events);
        Ok(Some(match heard {
            Heard::Push { learner, task, loss, gradient } => {
                Message::Push(Push { learner, task, loss, gradient, computing: None })
            }
            Heard::Lost { learner } => {
                Message::Lost { learner, cause: Error::Fault("test".into()) }
            }
            Heard::Returned { learner } => Message::Returned(learner),
        }))
    }

    fn restart(&mut self, learner: LearnerId, after: Duration) {
        let shared = self.shared.borrow();
        let doubled = 2_u32.saturating_pow(shared.naive.losses(learner) - 1);
        let back_off = shared.naive.rules.tolerance.back_off;
        assert_eq!(after, back_off.saturating_mul(doubled), "twice as long each time");
        self.script.lose(learner, Life::Down);
    }

    fn leave(&mut self, learner: LearnerId) {
        self.script.lose(learner, Life::Gone);
    }

    fn now(&self) -> Duration {
        self.now
    }
}
