//! Pushes a second of virtual time without gradients: scheduler, server, delays and tournament.
//!
//! First check, then time: each case's staleness must be what theory says before it is timed.

#[allow(dead_code, reason = "each bench takes what it needs")]
mod common;

use criterion::Throughput;
use tortoise::{
    cluster::delay::{Delays, Distribution, Slow},
    sgd::{
        Cancellation, Entrant, Variant,
        simulate::{Times, default_warm_up, simulate},
    },
};

/// Accepted pushes a measurement.
const PUSHES: u64 = 200_000;

fn run(variant: Variant, k: usize, learners: usize) -> Times {
    let distribution: Distribution = "exponential:mean=1".parse().expect("a known distribution");
    let delays =
        Delays::new(distribution, &Slow::default(), learners, 1).expect("no learner is slow");
    let entrant = Entrant::with_k(variant, k);
    let warm_up = default_warm_up(learners, k);
    simulate(&entrant, Cancellation::Preempt, learners, delays, warm_up, PUSHES / k as u64)
        .expect("K is at most P")
}

fn check(times: &Times, variant: Variant, k: usize, learners: usize) {
    let expected = match variant {
        Variant::KSync | Variant::KBatchSync => 0.0,
        Variant::KAsync => (learners - k) as f64 / k as f64,
        Variant::KBatchAsync => (learners - 1) as f64 / k as f64,
    };
    let deviation = (times.mean_staleness - expected).abs();
    assert!(deviation <= 0.02 * (expected + 1.0), "{variant:?} K={k} P={learners}: {times:?}");
}

fn main() {
    let mut criterion = common::criterion(10, 500, 3.0);
    for learners in [8, 4096] {
        let mut group = criterion.benchmark_group(format!("simulate/P={learners}"));
        for (name, variant, k) in [
            ("sync", Variant::KSync, learners),
            ("k-sync:P/2", Variant::KSync, learners / 2),
            ("k-batch-sync:P/2", Variant::KBatchSync, learners / 2),
            ("async", Variant::KAsync, 1),
            ("k-async:P/2", Variant::KAsync, learners / 2),
            ("k-batch-async:P/2", Variant::KBatchAsync, learners / 2),
        ] {
            let times = run(variant, k, learners);
            check(&times, variant, k, learners);
            let accepted = (times.updates + times.warm_up) * k as u64;
            group.throughput(Throughput::Elements(accepted));
            group.bench_function(name, |bencher| bencher.iter(|| run(variant, k, learners)));
        }
        group.finish();
    }
    criterion.final_summary();
}
