//! The variants are one family: where two of them should be the same algorithm, they are the same
//! algorithm, event by event, on the same delays. This pins the scheduler without a formula.

use std::{sync::Arc, time::Duration};

use crate::distributions::DISTRIBUTIONS;
use tortoise::{
    Result,
    cluster::{
        delay::{Delays, Distribution, Slow},
        engine_pool::EnginePool,
    },
    dataset::shards::Shards,
    engine::quadratic::{Quadratic, coins},
    sgd::{Cancellation, Entrant, Event, Limits, Observer, RunConfig, Variant, Verdict, simulate},
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
    updates_of(&Entrant::with_k(variant, k), learners, distribution, seed, n)
}

fn updates_of(
    entrant: &Entrant,
    learners: usize,
    distribution: &str,
    seed: u64,
    n: u64,
) -> Vec<Update> {
    let distribution: Distribution = distribution.parse().unwrap();
    let delays = Delays::new(distribution, &Slow::default(), learners, seed).unwrap();
    let mut run = simulate::times_only(entrant, Cancellation::Preempt, learners, delays).unwrap();
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

/// The methods since 2018 are the base variants where their number says so.
#[test]
fn a_bound_and_a_lead_reduce_to_what_they_bound() {
    for (one, other) in [
        ("ringmaster:1000000000", "async"),
        ("ringmaster:unbounded", "async"),
        ("ssp:unbounded", "async"),
        ("async@stale=unbounded", "async"),
        ("k-batch-async:3@stale=unbounded", "k-batch-async:3"),
        ("ringmaster:1", "k-sync:1"),
        ("ringmaster:1@cancel=on-arrival", "k-sync:1@cancel=on-arrival"),
        ("ssp:1000000000", "async"),
        ("k-batch-async:3@stale=1000000000", "k-batch-async:3"),
        ("k-batch-async:3@stale=1", "k-batch-sync:3"),
        ("k-batch-async:3@stale=1,cancel=on-arrival", "k-batch-sync:3@cancel=on-arrival"),
        ("k-batch-async:1@stale=4", "ringmaster:4"),
        ("ssp:1000000000@stale=4", "ringmaster:4"),
    ] {
        let [one, other]: [Entrant; 2] = [one, other].map(|entrant| entrant.parse().unwrap());
        everywhere(|p, distribution, seed| {
            assert_eq!(
                updates_of(&one, p, distribution, seed, UPDATES),
                updates_of(&other, p, distribution, seed, UPDATES),
                "{one} and {other}, {distribution}, P={p}"
            );
        });
    }
    // With K learners an update too: those that are waited for.
    for (one, other) in [("k-async:2@stale=1", "k-sync:2"), ("k-async:2@stale=900000", "k-async:2")]
    {
        let [one, other]: [Entrant; 2] = [one, other].map(|entrant| entrant.parse().unwrap());
        for seed in 0..5 {
            let of = |entrant| updates_of(entrant, 5, NARROW, seed, UPDATES);
            assert_eq!(of(&one), of(&other), "{one} and {other}");
        }
    }
}

/// Looks at every accepted push, and at how far learners are ahead when they start.
struct Bounded {
    most_stale: u64,
    most_ahead: u64,
    version: u64,
    pushed: Vec<u64>,
    /// The largest of both that came up.
    seen: [u64; 2],
}

impl Observer for Bounded {
    fn event(&mut self, _: Duration, event: &Event) -> Result<()> {
        match *event {
            Event::Push { learner, version, verdict, .. } => {
                self.pushed[learner] += 1;
                if verdict == Verdict::Accept {
                    self.seen[0] = self.seen[0].max(self.version - version);
                }
            }
            Event::Assign { learner, .. } => {
                let slowest = self.pushed.iter().min().unwrap();
                self.seen[1] = self.seen[1].max(self.pushed[learner] - slowest);
            }
            Event::Update { version, .. } => self.version = version,
            _ => {}
        }
        assert!(self.seen[0] <= self.most_stale && self.seen[1] <= self.most_ahead, "{event:?}");
        Ok(())
    }
}

#[test]
fn staleness_stays_below_the_cap_and_nobody_gets_further_ahead_than_the_lead() {
    let any = u64::MAX;
    for (entrant, most_stale, most_ahead) in [
        ("ringmaster:3", 2, any),
        ("ringmaster:3@cancel=on-arrival", 2, any),
        ("k-async:2@stale=2", 1, any),
        ("k-batch-async:3@stale=2,cancel=on-arrival", 1, any),
        ("ssp:0", any, 0),
        ("ssp:3", any, 3),
        ("ssp:3@stale=5", 4, 3),
    ] {
        let entrant: Entrant = entrant.parse().unwrap();
        everywhere(|p, distribution, seed| {
            if entrant.k(p).is_err() {
                return;
            }
            let slow: Slow = if p > 2 { "0=3,2=7".parse().unwrap() } else { Slow::default() };
            let delays = Delays::new(distribution.parse().unwrap(), &slow, p, seed).unwrap();
            let mut run = simulate::times_only(&entrant, Cancellation::Preempt, p, delays).unwrap();
            let (version, pushed, seen) = (0, vec![0; p], [0; 2]);
            let mut bounded = Bounded { most_stale, most_ahead, version, pushed, seen };
            run.train(&Limits { updates: Some(300), ..Limits::default() }, &mut bounded).unwrap();
            // The bounds bite.
            if p == 13 && most_stale != any {
                assert_eq!(bounded.seen[0], most_stale, "{entrant} {distribution}");
            }
            if p == 13 && most_ahead != any {
                assert_eq!(bounded.seen[1], most_ahead, "{entrant} {distribution}");
            }
        });
    }
}

#[test]
fn a_lone_learner_has_all_of_the_data() {
    let split = Arc::new(coins(256, 6, 3).unwrap());
    let queues = EnginePool::here(Quadratic::new(&split, vec![1.0, 0.5, 2.0, 0.25, 1.5, 0.75]));
    let run = |learners, shards: Option<&str>| {
        let shards = shards.map(|law| Shards::new(law.parse().unwrap(), None, 4).unwrap());
        let run_config =
            RunConfig { minibatch: 4, updates: Some(200), shards, ..RunConfig::new(learners, 0.1) };
        let start = &[0.0; 6][..];
        let finished = run_config.run(&Entrant::ASYNC, 7, start, &queues, None, &mut ()).unwrap();
        finished.params.iter().map(|w| w.to_bits()).collect::<Vec<_>>()
    };
    assert_eq!(run(1, Some("iid")), run(1, None));
    assert_ne!(run(4, Some("iid")), run(4, None));
    assert_eq!(run(4, Some("iid")), run(4, Some("iid")));
}

/// A pull and a push that always take as long make every minibatch longer by both.
#[test]
fn a_constant_way_is_a_later_push() {
    let times = |entrant: &str, delay: Distribution, link: Option<&str>, cancel| {
        let link = link.map(|link| link.parse().unwrap());
        let delays = Delays::new(delay, &Slow::default(), 5, 3).unwrap();
        let delays = delays.with_link(link.as_ref(), 3).unwrap();
        let entrant: Entrant = entrant.parse().unwrap();
        let mut run = simulate::times_only(&entrant, cancel, 5, delays).unwrap();
        let mut updates = Updates::default();
        run.train(&Limits { updates: Some(60), ..Limits::default() }, &mut updates).unwrap();
        updates.made
    };
    let entrants =
        ["sync", "k-sync:3", "k-batch-sync:3", "async", "k-async:3", "ringmaster:3", "ssp:1"];
    for entrant in entrants {
        for cancel in [Cancellation::Preempt, Cancellation::OnArrival] {
            let exponential: Distribution = "exponential:mean=1".parse().unwrap();
            let linked = times(entrant, exponential.clone(), Some("constant:0.25"), cancel);
            let later = times(entrant, exponential.later(0.5), None, cancel);
            for ((at, gradients), (expected, same)) in linked.iter().zip(&later) {
                assert_eq!(gradients, same, "{entrant}");
                // Each of the three times is rounded by itself.
                assert!(at.abs_diff(*expected) < Duration::from_nanos(1000), "{entrant}");
            }
        }
    }
}

#[test]
fn what_nothing_reaches_changes_no_bit() {
    let split = Arc::new(coins(256, 6, 3).unwrap());
    let queues = EnginePool::here(Quadratic::new(&split, vec![1.0, 0.5, 2.0, 0.25, 1.5, 0.75]));
    let run = |entrant: &str| {
        let run_config = RunConfig { minibatch: 4, updates: Some(200), ..RunConfig::new(4, 0.1) };
        let entrant: Entrant = entrant.parse().unwrap();
        let start = &[0.0; 6][..];
        let finished = run_config.run(&entrant, 7, start, &queues, None, &mut ()).unwrap();
        finished.params.iter().map(|w| w.to_bits()).collect::<Vec<_>>()
    };
    for entrant in ["sync", "k-async:2", "async", "ringmaster:3", "ssp:2"] {
        let plain = run(entrant);
        for same in [
            "momentum=0",
            "clip=1e30",
            "clip=unbounded",
            "momentum=0,clip=1e30",
            "rate-rule=constant",
            "rate-rule=picky:distance=1e6",
            "rate-rule=adaptive:threshold=1000000,tail=dropped",
            "minibatch=4",
        ] {
            assert_eq!(run(&format!("{entrant}@{same}")), plain, "{entrant}@{same}");
        }
        for other in ["momentum=0.1", "clip=0.1", "minibatch=5"] {
            assert_ne!(run(&format!("{entrant}@{other}")), plain, "{entrant}@{other}");
        }
    }
    // To drop what is staler than T on arrival is the cap R = T + 1 there.
    for entrant in ["async", "k-async:2", "k-batch-async:3", "ssp:3"] {
        let dropped = run(&format!("{entrant}@rate-rule=adaptive:threshold=2,tail=dropped"));
        assert_eq!(dropped, run(&format!("{entrant}@cancel=on-arrival,stale=3")), "{entrant}");
        assert_ne!(dropped, run(entrant), "{entrant}");
        assert_ne!(run(&format!("{entrant}@rate-rule=picky:distance=0.2")), run(entrant));
    }
}
