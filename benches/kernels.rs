//! Each kernel that a gradient runs, on the first adapter, in both families: time a dispatch of many
//! handed over at once, and multiply-adds (counted as two operations) or bytes a second.
//!
//! First check, then time: each kernel must match its f64 twin on the shape it is timed on.

#[allow(dead_code, reason = "each bench takes what it needs")]
mod common;

use criterion::Throughput;
use tortoise::engine::{
    gpu::check::timing::each_kernel,
    kernels::{Family, ShaderSet},
};

fn main() {
    let mut criterion = common::criterion(10, 200, 0.5);
    let adapter = common::adapter();
    for family in Family::ALL {
        for name in ["mlp:128", "logistic"] {
            let model = common::model(name);
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
