//! Gradient steps on the first adapter, as a learner does them: parameters up, minibatch up,
//! forward, backward, gradient down. Both families, both models, several minibatch sizes.
//!
//! First check, then time: each gradient must be what the f64 reference says. On a software adapter
//! LP_NUM_THREADS=0 makes llvmpipe compute on the queue's own thread.

#[allow(dead_code, reason = "each bench takes what it needs")]
mod common;

use criterion::Throughput;
use tortoise::{
    dataset::minibatches::Minibatches,
    engine::{
        Engine,
        gpu::Gpu,
        kernels::{Family, ShaderSet},
    },
};

fn main() {
    let mut criterion = common::criterion(20, 500, 2.0);
    let (data, adapter) = (common::mnist(), common::adapter());
    for name in ["mlp:128", "logistic"] {
        let model = common::model(name);
        let params = model.initial(1);
        for family in Family::ALL {
            let mut group = criterion.benchmark_group(format!("steps/{name}/{family}"));
            for m in [1, 32, 64, 128, 512] {
                let mut batch = Default::default();
                let draw = Minibatches::new(1, data.train.len(), m).indices(0, 0);
                data.train.gather(draw.iter().copied(), &mut batch);
                let mut gpu = Gpu::open(&adapter, model.clone(), m, &ShaderSet::new(family), &data)
                    .expect("the adapter is there");
                let mut gradient = vec![0.0; model.params()];
                let mut step = |gradient: &mut [f32]| {
                    gpu.load(&params).expect("parameters are loaded");
                    gpu.gradient(&draw, gradient).expect("a gradient is computed");
                };
                step(&mut gradient);
                let case = format!("{name}, {family}, m = {m}");
                common::check(&model, &params, &batch, &gradient, &case);
                group.throughput(Throughput::Elements(m as u64));
                group.bench_function(format!("m={m}"), |bencher| {
                    bencher.iter(|| step(&mut gradient));
                });
            }
            group.finish();
        }
    }
    criterion.final_summary();
}
