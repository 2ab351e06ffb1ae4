//! Virtual-time runs with gradients: the six variants over eight learners, and async over more, on
//! the first adapter and on the host. Gradients a second that make updates, evaluations left out.
//!
//! First check, then time: a run must have made its updates and learnt something. On a software
//! adapter LP_NUM_THREADS=0 makes llvmpipe compute on the queue's own thread, as the command does.

#[allow(dead_code, reason = "each bench takes what it needs")]
mod common;

use std::time::Duration;

use criterion::Throughput;
use tortoise::{
    Result,
    cluster::{
        delay::{Delays, Distribution, Slow},
        engine_pool::EnginePool,
        simulated::Simulated,
    },
    dataset::{Dataset, minibatches::Minibatches},
    engine::{Engine, Part, adapter::DeviceChoice, backend::Backend, model::Model},
    ids::Version,
    sgd::{
        Cancellation, Entrant, Event, Limits, Observer, ParameterServer, Run, Scheduler,
        k_schedule::FixedK, learning_rate::Constant,
    },
};

/// Gradients that enter updates, a run.
const GRADIENTS: u64 = 240;
const MINIBATCH: usize = 32;

struct Nobody;

impl Observer for Nobody {
    fn event(&mut self, _: Duration, _: &Event) -> Result<()> {
        Ok(())
    }
}

fn run(
    entrant: &Entrant,
    learners: usize,
    queues: &EnginePool,
    data: &Dataset,
    model: &Model,
) -> Vec<f32> {
    let distribution: Distribution = "exponential:mean=1".parse().expect("a known distribution");
    let delays =
        Delays::new(distribution, &Slow::default(), learners, 1).expect("no learner is slow");
    let minibatches = Minibatches::new(1, data.train.len(), MINIBATCH);
    let k = entrant.k(learners).expect("K is at most P");
    let scheduler = Scheduler::new(entrant.rules(), Cancellation::Preempt, learners, k);
    let server = ParameterServer::new(&model.initial(1));
    let cluster = Simulated::with_gradients(learners, delays, queues, minibatches);
    let mut run = Run::new(scheduler, server, cluster, FixedK(k), Constant(0.1));
    let updates: Version = GRADIENTS / k as u64;
    let limits = Limits { updates: Some(updates), ..Limits::default() };
    run.train(&limits, &mut Nobody).expect("it runs");
    run.server.params().to_vec()
}

fn main() {
    let mut criterion = common::criterion(10, 500, 3.0);
    let (data, model) = (common::mnist(), common::model("mlp:128"));
    for device in [DeviceChoice::Auto, DeviceChoice::Host] {
        let backend = Backend::choose(&device, Default::default(), model.longest_side())
            .expect("scripts/setup.sh was run");
        let mut evaluator = backend.for_evaluation().open(&model, MINIBATCH, &data).unwrap();
        let mut loss = |params: &[f32]| evaluator.evaluate(params, Part::Test).unwrap().loss;
        let mut group = criterion.benchmark_group(format!("races/{device}"));
        group.throughput(Throughput::Elements(GRADIENTS));
        let eight = Entrant::six(8).into_iter().map(|entrant| (entrant, 8, backend.queues(8)));
        let one = (Entrant::ASYNC, 8, 1);
        let many = (Entrant::ASYNC, 64, backend.queues(64));
        for (entrant, learners, count) in eight.chain([one, many]) {
            let open = {
                let (backend, model, data) = (backend.clone(), model.clone(), data.clone());
                move || backend.open(&model, MINIBATCH, &data.train)
            };
            let queues = EnginePool::open(count, open).unwrap();
            let params = run(&entrant, learners, &queues, &data, &model);
            assert!(loss(&params) < 0.9 * loss(&model.initial(1)), "{entrant} has learnt nothing");
            let name = format!("{entrant}, P={learners}, {count} queues");
            group.bench_function(name, |bencher| {
                bencher.iter(|| run(&entrant, learners, &queues, &data, &model));
            });
        }
        group.finish();
    }
    criterion.final_summary();
}
