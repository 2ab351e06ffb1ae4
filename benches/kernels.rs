//! Each kernel that a gradient runs, on the first adapter, in both families: time a dispatch of many
//! handed over at once, and multiply-adds (counted as two operations) or bytes a second.
//!
//! First check, then time: each kernel must match its f64 twin on the shape it is timed on.

use std::time::Duration;

use criterion::{Criterion, Throughput};
use tortoise::engine::{
    adapters,
    gpu::check::timing::each_kernel,
    kernels::{Family, ShaderSet},
    model::Model,
};

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
        .configure_from_args();
    let adapter = adapters::list().into_iter().next().expect("scripts/setup.sh was run");
    for family in Family::ALL {
        for name in ["mlp:128", "logistic"] {
            let model = Model::new(&name.parse().expect("a known model"), 784, 10, 0.0).unwrap();
            let mut group = criterion.benchmark_group(format!("kernels/{family}/{name}"));
            for m in [32, 512] {
                let shaders = ShaderSet::new(family);
                let timed =
                    each_kernel(&adapter, &shaders, &model, m, &mut |kernel, sizes, run| {
                        assert!(run.check.passed, "{}", run.check);
                        let [rows, inputs, outputs] = sizes.map(u64::from);
                        group.throughput(if kernel.product.is_some() {
                            Throughput::Elements(2 * rows * inputs * outputs)
                        } else {
                            Throughput::Bytes(run.bytes() as u64)
                        });
                        let name = format!("{}/{rows}x{inputs}x{outputs}", kernel.name);
                        group.bench_function(name, |bencher| {
                            bencher.iter_custom(|count| run.time(count as usize).expect("it runs"));
                        });
                        Ok(())
                    });
                timed.expect("the adapter is there");
            }
            group.finish();
        }
    }
    criterion.final_summary();
}
