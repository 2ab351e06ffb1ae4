//! Gradient steps on the first adapter, as a learner does them: parameters up, minibatch up,
//! forward, backward, gradient down. Both families, both models, several minibatch sizes.
//!
//! First check, then time: each gradient must be what the f64 reference says. On a software adapter
//! LP_NUM_THREADS=0 makes llvmpipe compute on the queue's own thread.

use std::time::Duration;

use criterion::{Criterion, Throughput};
use tortoise::{
    dataset::{
        minibatches::Minibatches,
        mnist::{load, locate},
    },
    engine::{
        Engine, adapters,
        gpu::Gpu,
        host::reference::loss_and_gradient,
        kernels::{Family, ShaderSet},
        model::Model,
    },
};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let data = load(&locate(None).expect("MNIST is here")).expect("MNIST is whole");
    let adapter = adapters::list().into_iter().next().expect("scripts/setup.sh was run");
    for name in ["mlp:128", "logistic"] {
        let shape = name.parse().expect("a known model");
        let model = Model::for_split(&shape, &data.train, 0.0).unwrap();
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
                let mut step = || {
                    gpu.load(&params).expect("parameters are loaded");
                    gpu.gradient(&draw, &mut gradient).expect("a gradient is computed");
                };
                step();
                let wide: Vec<_> = params.iter().copied().map(f64::from).collect();
                let (_, expected) = loss_and_gradient(&model, &wide, &batch);
                let off: f64 =
                    gradient.iter().zip(&expected).map(|(g, e)| (f64::from(*g) - e).powi(2)).sum();
                let size: f64 = expected.iter().map(|e| e * e).sum();
                assert!((off / size).sqrt() < 1e-5, "{name}, {family}, m = {m}: {off} of {size}");

                let mut step = || {
                    gpu.load(&params).expect("parameters are loaded");
                    gpu.gradient(&draw, &mut gradient).expect("a gradient is computed");
                };
                group.throughput(Throughput::Elements(m as u64));
                group.bench_function(format!("m={m}"), |bencher| bencher.iter(&mut step));
            }
            group.finish();
        }
    }
    criterion.final_summary();
}
