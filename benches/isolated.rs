//! What an engine in a process of its own costs: a gradient step and an opening, against the same in
//! this process, on the host and on the first adapter.
//!
//! First check, then time: both must give the same bits.

use std::{path::Path, sync::Arc, time::Duration};

use criterion::Criterion;
use tortoise::{
    dataset::Split,
    engine::{
        Engine, adapters,
        backend::{Backend, FamilyChoice},
        isolated::{EngineSetup, Isolated},
        model::Model,
    },
};

const TORTOISE: &str = env!("CARGO_BIN_EXE_tortoise");
const M: usize = 32;

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    let model = Model::new(&"mlp:128".parse().expect("a known model"), 784, 10, 0.0).unwrap();
    let pixels = (0..M * 784).map(|at| (at * at / 7) as u8).collect();
    let labels = (0..M).map(|at| (at % 10) as u8).collect();
    let data = Arc::new(Split::images(pixels, labels, 784, 10).expect("a split"));
    let samples: Vec<usize> = (0..M).collect();
    let params = model.initial(1);

    let adapter = adapters::list().into_iter().next().expect("scripts/setup.sh was run");
    let on_it = Backend::on(adapter, FamilyChoice::Auto, model.longest_side());
    for (name, backend) in [("host", Backend::Host { stands_in: false }), ("adapter", on_it)] {
        let mut group = criterion.benchmark_group(format!("isolated/{name}"));
        let job = EngineSetup { backend, model: model.clone(), minibatch: M };
        let open = || Isolated::open(Path::new(TORTOISE), &job, &data).expect("it opens");
        let here = || job.backend.open(&model, M, &data).expect("it opens");
        let mut gradients = [vec![0.0; model.params()], vec![0.0; model.params()]];
        {
            let mut engines: [(&str, Box<dyn Engine>); 2] =
                [("here", here()), ("in a process", Box::new(open()))];
            for ((where_, engine), gradient) in engines.iter_mut().zip(&mut gradients) {
                let mut step = || {
                    engine.load(&params).expect("parameters are loaded");
                    engine.gradient(&samples, gradient).expect("a gradient is computed")
                };
                step();
                group.bench_function(format!("step {where_}"), |bencher| bencher.iter(&mut step));
            }
        }
        assert!(gradients[0] == gradients[1], "the same bits");
        group.sample_size(10);
        group.bench_function("opening here", |bencher| bencher.iter_with_large_drop(here));
        group.bench_function("opening in a process", |bencher| {
            bencher.iter_with_large_drop(open);
        });
        group.finish();
    }
    criterion.final_summary();
}
