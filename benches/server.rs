//! The parameter server's own work for one push of the default model: accumulate, step, snapshot
//! and record, beside what they may cost: a tenth of a gradient step at m = 32.
//!
//! First check, then time: the parameters after the pushes must be what the rule says.

#[allow(dead_code, reason = "each bench takes what it needs")]
mod common;

use std::{hint::black_box, sync::Arc};

use criterion::Throughput;
use tortoise::sgd::ParameterServer;

/// Parameters of 784-128-10.
const PARAMS: usize = 785 * 128 + 129 * 10;

fn check(gradient: &[f32]) {
    let mut server = ParameterServer::new(&vec![1.0; PARAMS]);
    let read = server.pull();
    for _ in 0..2 {
        server.accumulate(gradient, 0.5);
    }
    assert_eq!(server.apply(), 2);
    let expected: Vec<_> = gradient.iter().map(|g| 1.0 - 0.5 * (0.5 * g + 0.5 * g)).collect();
    assert_eq!(server.params(), expected);
    assert!(read.iter().all(|w| *w == 1.0), "what was handed out has not changed");
}

fn main() {
    let mut criterion = common::criterion(30, 500, 2.0);
    let gradient: Vec<_> = (0..PARAMS).map(|at| (at % 17) as f32 * 1e-3).collect();
    check(&gradient);

    let mut group = criterion.benchmark_group("server/mlp:128");
    group.throughput(Throughput::Bytes(4 * PARAMS as u64));
    let mut server = ParameterServer::new(&vec![0.0; PARAMS]);
    group.bench_function("accumulate", |bencher| {
        bencher.iter(|| server.accumulate(black_box(&gradient), 0.01));
    });
    // As async has it: every push makes an update, and eight learners hold what they last read.
    let mut server = ParameterServer::new(&vec![0.0; PARAMS]);
    let mut held: [_; 8] = std::array::from_fn(|_| server.pull());
    let mut next = 0;
    group.bench_function("accumulate, step and snapshot", |bencher| {
        bencher.iter(|| {
            server.accumulate(black_box(&gradient), 1e-6);
            server.apply();
            held[next] = server.pull();
            next = (next + 1) % held.len();
            Arc::strong_count(&held[next])
        });
    });
    group.finish();
    criterion.final_summary();
}
