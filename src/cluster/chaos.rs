//! Faults on purpose: learners that die or hang, pushes that are late, come twice or hold no gradient.
//!
//! Which minibatch meets which fault is a function of (seed, learner, minibatch), so that chaos in
//! virtual time is as repeatable as everything else there.

use std::{fmt, str::FromStr, time::Duration};

use rand::{RngExt, seq::IndexedRandom};
use serde_with::{DeserializeFromStr, SerializeDisplay};

use super::{Cluster, Message, Order, Push};
use crate::{
    Error, Result,
    ids::{LearnerId, Task},
    numbers::Shown,
    rng::{self, Purpose},
};

/// Which faults, and how many. Written `SEED` or `SEED:RATE`.
#[derive(Debug, Clone, Copy, PartialEq, SerializeDisplay, DeserializeFromStr)]
pub struct FaultPlan {
    /// Chooses the minibatches that meet a fault, and the faults.
    pub seed: u64,
    /// Share of minibatches that meet one, from 0 to 1.
    pub rate: f64,
}

/// Share of minibatches that meet a fault, if not said otherwise.
const RATE: f64 = 0.05;

impl fmt::Display for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.seed, Shown(self.rate))
    }
}

impl FromStr for FaultPlan {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (seed, rate) = text.split_once(':').map_or((text, None), |(s, r)| (s, Some(r)));
        let seed = seed.trim().parse().ok();
        let rate = rate.map_or(Some(RATE), |rate| rate.trim().parse().ok());
        let rate = rate.filter(|rate| (0.0..=1.0).contains(rate));
        seed.zip(rate).map(|(seed, rate)| Self { seed, rate }).ok_or_else(|| {
            let wanted = "SEED or SEED:RATE with a whole number and a share from 0 to 1";
            Error::config(format!("chaos \"{text}\" is not {wanted}, as in 7:0.05"))
        })
    }
}

/// What can happen to a minibatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// Its learner dies just before it pushes.
    Loss,
    /// Its learner says nothing any more.
    Hang,
    /// It takes longer, by up to the patience.
    Delay,
    /// It comes when it has been given up: after four times the patience.
    Late,
    /// Some number of its gradient is not finite.
    NotFinite,
    /// It comes twice.
    Twice,
}

impl Fault {
    const ALL: [Self; 6] =
        [Self::Loss, Self::Hang, Self::Delay, Self::Late, Self::NotFinite, Self::Twice];
}

/// A cluster in which things go wrong.
#[derive(Debug)]
pub struct Chaos<C> {
    cluster: C,
    plan: FaultPlan,
    patience: Duration,
    /// Pushes that come later, and when.
    later: Vec<(Duration, Push)>,
}

impl<C: Cluster> Chaos<C> {
    /// Faults in `cluster`, where who is silent for more than `patience` may be given up.
    pub fn new(cluster: C, plan: FaultPlan, patience: Duration) -> Self {
        Self { cluster, plan, patience, later: Vec::new() }
    }

    /// What happens to this minibatch, and a number from 0 to 1 to say how.
    fn fault(&self, learner: LearnerId, task: Task) -> Option<(Fault, f64)> {
        let mut rng = rng::stream(self.plan.seed, Purpose::Chaos, learner as u64, task);
        let hit = rng.random::<f64>() < self.plan.rate;
        let fault = *Fault::ALL.choose(&mut rng).expect("there are faults");
        hit.then(|| (fault, rng.random()))
    }

    /// What comes of a push now; nothing if it comes later or never.
    fn meet(&mut self, mut push: Push) -> Option<Message> {
        let (learner, now) = (push.learner, self.cluster.now());
        let Some((fault, how)) = self.fault(learner, push.task) else {
            return Some(Message::Push(push));
        };
        let mut later = |patiences: f64, push| {
            let wait = self.patience.mul_f64(patiences);
            self.later.push((now.saturating_add(wait), push));
        };
        match fault {
            Fault::Loss => {
                let cause = Error::Fault("killed by --chaos".into());
                return Some(Message::Lost { learner, cause });
            }
            Fault::Hang => return None,
            Fault::Delay | Fault::Late => {
                later(if fault == Fault::Late { 4.0 } else { how }, push);
                return None;
            }
            Fault::NotFinite => {
                let at = (how * push.gradient.len() as f64) as usize;
                match push.gradient.get_mut(at) {
                    Some(number) => *number = if how < 0.5 { f32::NAN } else { f32::INFINITY },
                    None => push.loss = Some(f32::NAN),
                }
            }
            Fault::Twice => later(0.0, push.clone()),
        }
        Some(Message::Push(push))
    }

    /// The first of the pushes that come later: its place, and when.
    fn next(&self) -> Option<(usize, Duration)> {
        let times = self.later.iter().map(|(time, push)| (*time, push.learner, push.task));
        times.zip(0..).min().map(|((time, ..), at)| (at, time))
    }
}

impl<C: Cluster> Cluster for Chaos<C> {
    fn assign(&mut self, order: Order) -> Option<Duration> {
        self.cluster.assign(order)
    }

    fn recv(&mut self, until: Duration, wanted: Option<usize>) -> Result<Option<Message>> {
        loop {
            let next = self.next().filter(|(_, time)| *time <= until);
            let limit = next.map_or(until, |(_, time)| time);
            match (self.cluster.recv(limit, wanted)?, next) {
                (Some(Message::Push(push)), _) => {
                    if let Some(message) = self.meet(push) {
                        return Ok(Some(message));
                    }
                }
                (None, Some((at, _))) => {
                    return Ok(Some(Message::Push(self.later.swap_remove(at).1)));
                }
                (message, _) => return Ok(message),
            }
        }
    }

    fn restart(&mut self, learner: LearnerId, after: Duration) {
        self.cluster.restart(learner, after);
    }

    fn leave(&mut self, learner: LearnerId) {
        self.cluster.leave(learner);
    }

    fn computes(&self, learner: LearnerId) -> Option<[Duration; 2]> {
        self.cluster.computes(learner)
    }

    fn now(&self) -> Duration {
        self.cluster.now()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::cluster::{
        delay::{Delays, Slow},
        simulated::Simulated,
    };

    #[test]
    fn a_plan_is_written_as_it_is_read() {
        let plan: FaultPlan = "7:0.25".parse().unwrap();
        assert_eq!(plan, FaultPlan { seed: 7, rate: 0.25 });
        assert_eq!(plan.to_string(), "7:0.25");
        assert_eq!("7".parse::<FaultPlan>().unwrap(), FaultPlan { seed: 7, rate: RATE });
        for wrong in ["", "x", "7:2", "7:-1", "7:NaN", "-1", "7:"] {
            assert!(wrong.parse::<FaultPlan>().is_err(), "{wrong}");
        }
    }

    /// What comes of one minibatch of one second that meets a fault.
    fn fate(seed: u64) -> &'static str {
        let delays = Delays::new("constant:1".parse().unwrap(), &Slow::default(), 1, 0).unwrap();
        let patience = Duration::from_secs(2);
        let cluster = Simulated::times_only(1, delays);
        let mut chaos = Chaos::new(cluster, FaultPlan { seed, rate: 1.0 }, patience);
        chaos.assign(Order { learner: 0, task: 0, params: [].into() });
        let mut heard = Vec::new();
        while let Some(message) = chaos.recv(Duration::from_secs(100), None).unwrap() {
            heard.push((chaos.now(), message));
        }
        let due = Duration::from_secs(1);
        match &*heard {
            [] => "hang",
            [(time, Message::Lost { learner: 0, cause })] => {
                assert_eq!((*time, &*cause.to_string()), (due, "killed by --chaos"));
                "loss"
            }
            [(time, Message::Push(push))] if *time == due => {
                assert!(push.loss.unwrap().is_nan(), "a fault is to happen");
                "not finite"
            }
            [(time, Message::Push(Push { task: 0, loss: None, .. }))] => {
                let late = *time == due + 4 * patience;
                assert!(late || *time < due + patience, "{time:?}");
                if late { "late" } else { "delay" }
            }
            [(first, Message::Push(one)), (second, Message::Push(other))] => {
                assert_eq!((one, *first, *second), (other, due, due));
                "twice"
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_fault_has_the_effect_that_its_name_says_and_all_are_as_frequent() {
        let mut counts = HashMap::new();
        for seed in 0..6000 {
            *counts.entry(fate(seed)).or_insert(0) += 1;
        }
        for name in ["loss", "hang", "delay", "late", "not finite", "twice"] {
            // The standard deviation is 29.
            assert!((1000_i32 - counts[name]).abs() < 150, "{counts:?}");
        }
    }
}
