//! The variants are one family: where two of them should be the same algorithm, they are the same
//! algorithm, event by event, on the same delays. This pins the scheduler without a formula.

use std::time::Duration;

use crate::distributions::DISTRIBUTIONS;
use tortoise::{
    Result,
    cluster::delay::{Delays, Distribution, Slow},
    sgd::{Cancellation, Entrant, Event, Limits, Observer, Variant, Verdict, simulate},
};

/// Times of which none is twice as long as another.
const NARROW: &str = "uniform:low=1,high=1.5";
const UPDATES: u64 = 60;

/// An update: when it was made, and of which gradients (learner, task, version read).
type Update = (Duration, Vec<(usize, u64, u64)>);

#[derive(Default)]
struct Updates {
    gathered: Vec<(usize, u64, u64)>,
    made: Vec<Update>,
}

impl Observer for Updates {
    fn event(&mut self, time: Duration, event: &Event) -> Result<()> {
        match *event {
            Event::Push { learner, task, version, verdict: Verdict::Accept, .. } => {
                self.gathered.push((learner, task, version));
            }
            Event::Update { .. } => self.made.push((time, std::mem::take(&mut self.gathered))),
            _ => {}
        }
        Ok(())
    }
}

fn updates(
    variant: Variant,
    k: usize,
    learners: usize,
    distribution: &str,
    seed: u64,
    n: u64,
) -> Vec<Update> {
    let distribution: Distribution = distribution.parse().unwrap();
    let delays = Delays::new(distribution, &Slow::default(), learners, seed).unwrap();
    let entrant = Entrant::with_k(variant, k);
    let mut run = simulate::times_only(&entrant, Cancellation::Preempt, learners, delays).unwrap();
    let mut updates = Updates::default();
    run.train(&Limits { updates: Some(n), ..Limits::default() }, &mut updates).unwrap();
    assert_eq!(updates.made.len() as u64, n);
    updates.made
}

/// Calls `check(learners, distribution, seed)` for every P, distribution and seed.
fn everywhere(check: impl Fn(usize, &str, u64)) {
    for learners in [1, 2, 5, 8, 13] {
        for distribution in DISTRIBUTIONS.into_iter().chain([NARROW]) {
            for seed in 0..5 {
                check(learners, distribution, seed);
            }
        }
    }
}

#[test]
fn sync_is_k_async_that_waits_for_all() {
    everywhere(|p, distribution, seed| {
        let sync = updates(Variant::KSync, p, p, distribution, seed, UPDATES);
        assert_eq!(
            sync,
            updates(Variant::KAsync, p, p, distribution, seed, UPDATES),
            "{distribution} P={p}"
        );
    });
}

#[test]
fn async_is_k_batch_async_with_k_1() {
    everywhere(|p, distribution, seed| {
        let asynchronous = updates(Variant::KAsync, 1, p, distribution, seed, UPDATES);
        assert_eq!(asynchronous, updates(Variant::KBatchAsync, 1, p, distribution, seed, UPDATES));
    });
}

#[test]
fn k_batch_sync_with_k_1_is_k_sync_with_k_1() {
    everywhere(|p, distribution, seed| {
        let batch = updates(Variant::KBatchSync, 1, p, distribution, seed, UPDATES);
        assert_eq!(
            batch,
            updates(Variant::KSync, 1, p, distribution, seed, UPDATES),
            "{distribution} P={p}"
        );
    });
}

#[test]
fn k_batch_async_updates_at_every_kth_update_of_async() {
    everywhere(|p, distribution, seed| {
        for k in 1..=p + 1 {
            let batch = updates(Variant::KBatchAsync, k, p, distribution, seed, UPDATES);
            let single = updates(Variant::KAsync, 1, p, distribution, seed, UPDATES * k as u64);
            let every_kth = single.iter().skip(k - 1).step_by(k).map(|(time, _)| time);
            assert!(batch.iter().map(|(time, _)| time).eq(every_kth), "{distribution} P={p} K={k}");
        }
    });
}

#[test]
fn one_learner_is_serial_sgd_in_every_variant() {
    for distribution in DISTRIBUTIONS.into_iter().chain([NARROW]) {
        for seed in 0..5 {
            let serial = updates(Variant::KSync, 1, 1, distribution, seed, UPDATES);
            for variant in Variant::ALL {
                assert_eq!(
                    serial,
                    updates(variant, 1, 1, distribution, seed, UPDATES),
                    "{distribution} {variant:?}"
                );
            }
            let tasks: Vec<u64> = serial.iter().map(|(_, gradients)| gradients[0].1).collect();
            assert!(tasks.iter().copied().eq(0..UPDATES));
            // K minibatches of one learner are one minibatch of K times the size.
            for variant in [Variant::KBatchSync, Variant::KBatchAsync] {
                for (j, (_, gradients)) in
                    updates(variant, 3, 1, distribution, seed, UPDATES).iter().enumerate()
                {
                    let j = j as u64;
                    let fresh = [(0, 3 * j, j), (0, 3 * j + 1, j), (0, 3 * j + 2, j)];
                    assert_eq!(gradients.as_slice(), fresh);
                }
            }
        }
    }
}

#[test]
fn what_only_looks_the_same_is_not() {
    let distribution = "uniform:low=0,high=2";
    let times = |variant, k| {
        let made = updates(variant, k, 8, distribution, 1, UPDATES);
        made.into_iter().map(|(time, _)| time).collect::<Vec<_>>()
    };
    assert_ne!(times(Variant::KBatchSync, 8), times(Variant::KSync, 8));
    assert_ne!(times(Variant::KBatchAsync, 8), times(Variant::KSync, 8));
    assert_ne!(times(Variant::KSync, 1), times(Variant::KAsync, 1));
}

#[test]
fn versions_and_contributors_are_what_each_variant_allows() {
    everywhere(|p, distribution, seed| {
        for variant in Variant::ALL {
            for k in 1..=p {
                for (j, (_, gradients)) in
                    updates(variant, k, p, distribution, seed, UPDATES).iter().enumerate()
                {
                    assert_eq!(gradients.len(), k);
                    assert!(gradients.iter().all(|&(_, _, version)| version <= j as u64));
                    if variant.cancels() {
                        assert!(gradients.iter().all(|&(_, _, version)| version == j as u64));
                    }
                    if variant.waits() {
                        let mut learners: Vec<_> = gradients.iter().map(|g| g.0).collect();
                        learners.sort_unstable();
                        learners.dedup();
                        assert_eq!(learners.len(), k, "K counts learners");
                    }
                }
            }
        }
    });
}

/// Sum over gradients of (s + 1) = sum over learners of the version last read: exact for K-async.
#[test]
fn staleness_telescopes_to_the_versions_last_read() {
    everywhere(|p, distribution, seed| {
        for k in 1..=p {
            let made = updates(Variant::KAsync, k, p, distribution, seed, UPDATES);
            let (mut sum, mut read) = (0, vec![0; p]);
            for (j, (_, gradients)) in made.iter().enumerate() {
                for &(learner, _, version) in gradients {
                    assert_eq!(version, read[learner]);
                    sum += j as u64 - version + 1;
                    read[learner] = j as u64 + 1;
                }
            }
            assert_eq!(sum, read.iter().sum::<u64>(), "{distribution} P={p} K={k}");
        }
    });
}
