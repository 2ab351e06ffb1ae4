//! Whole steps of SGD on the host engine, a second: draw a minibatch, gather it, load the
//! parameters, take the gradient, go down it. And evaluations of 70 000 images.
//!
//! First check, then time: each gradient must be what the f64 reference says.

#[allow(dead_code, reason = "each bench takes what it needs")]
mod common;

use criterion::Throughput;
use tortoise::{
    dataset::{Minibatch, minibatches::Minibatches},
    engine::{Engine, Part, host::Host},
};

const RATE: f32 = 0.01;

fn main() {
    let mut criterion = common::criterion(20, 300, 2.0);
    let data = common::mnist();
    for name in ["mlp:128", "logistic"] {
        let model = common::model(name);
        let mut host = Host::open(model.clone(), &data).unwrap();
        let mut gradient = vec![0.0; model.params()];

        let mut group = criterion.benchmark_group(format!("host/{name}"));
        for m in [1, 32, 64, 128, 512] {
            let minibatches = Minibatches::new(1, data.train.len(), m);
            let mut params = model.initial(1);
            let mut task = 0;
            let mut step = |params: &mut [f32], gradient: &mut [f32]| {
                let samples = minibatches.indices(0, task);
                host.load(params).expect("parameters are loaded");
                host.gradient(&samples, gradient).expect("a gradient is computed");
                for (w, g) in params.iter_mut().zip(gradient) {
                    *w -= RATE * *g;
                }
                task += 1;
            };

            step(&mut params, &mut gradient);
            let mut first = Minibatch::default();
            data.train.gather(minibatches.indices(0, 0).into_iter(), &mut first);
            let case = format!("{name}, m = {m}");
            common::check(&model, &model.initial(1), &first, &gradient, &case);

            group.throughput(Throughput::Elements(1));
            group.bench_function(format!("m={m}"), |bencher| {
                bencher.iter(|| step(&mut params, &mut gradient));
            });
        }
        let params = model.initial(1);
        group.throughput(Throughput::Elements((data.train.len() + data.test.len()) as u64));
        group.bench_function("evaluate", |bencher| {
            bencher.iter(|| {
                [Part::Train, Part::Test]
                    .map(|part| host.evaluate(&params, part).expect("an evaluation"))
            });
        });
        group.finish();
    }
    criterion.final_summary();
}
