//! What an engine in a process of its own costs: a gradient step and an opening, against the same in
//! this process, on the host and on the first adapter.
//!
//! First check, then time: both must give the same bits.

#[allow(dead_code, reason = "each bench takes what it needs")]
mod common;

use std::{path::Path, sync::Arc};

use tortoise::{
    dataset::Split,
    engine::{
        Engine,
        backend::{Backend, FamilyChoice},
        isolated::{EngineSetup, Isolated},
    },
};

const TORTOISE: &str = env!("CARGO_BIN_EXE_tortoise");
const M: usize = 32;

fn main() {
    let mut criterion = common::criterion(20, 500, 2.0);
    let model = common::model("mlp:128");
    let pixels = (0..M * 784).map(|at| (at * at / 7) as u8).collect();
    let labels = (0..M).map(|at| (at % 10) as u8).collect();
    let data = Arc::new(Split::images(pixels, labels, 784, 10).expect("a split"));
    let samples: Vec<usize> = (0..M).collect();
    let params = model.initial(1);

    let on_it = Backend::on(common::adapter(), FamilyChoice::Auto, model.longest_side());
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
