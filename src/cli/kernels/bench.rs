//! `tortoise kernels bench`: how fast the kernels are on the user's adapter.

use std::fmt::Write as _;

use clap::Args;
use serde::Serialize;

use super::Which;
use crate::{
    Error, Result,
    cli::{Exit, print, print_json},
    dataset::mnist::{CLASSES, PIXELS},
    engine::{
        backend::Backend,
        gpu::{
            adapter::AdapterId,
            check::timing::{self, KernelTiming, SAMPLES, Timings, WARM_UP},
            kernels::Family,
        },
        model::{Model, Shape},
    },
};

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    #[command(flatten)]
    which: Which,
    /// Whose gradient: logistic, or mlp:WIDTH[,WIDTH...]
    #[arg(long, default_value = "mlp:128")]
    model: Shape,
    /// m, the samples a gradient, one or several
    #[arg(long, short = 'm', value_delimiter = ',', default_value = "1,32,128,512")]
    minibatch: Vec<u32>,
}

#[derive(Serialize)]
struct Benched<'a> {
    adapter: &'a AdapterId,
    family: Family,
    model: &'a Shape,
    samples: usize,
    warm_up_seconds: f64,
    passed: bool,
    minibatches: Vec<Timings>,
}

pub(super) fn run(args: &BenchArgs) -> Result<Exit> {
    let most = args.minibatch.iter().copied().max().unwrap_or(0);
    if most > MOST_ROWS || args.minibatch.contains(&0) {
        let problem = format!("--minibatch (m) must be from 1 to {MOST_ROWS}");
        return Err(Error::config(problem));
    }
    let model = Model::new(&args.model, PIXELS, CLASSES, 0.0)?;
    let (adapter, shaders) = args.which.choose(model.longest_side().max(most as usize))?;
    let mut minibatches = Vec::new();
    for &rows in &args.minibatch {
        minibatches.push(timing::time(&adapter, &shaders, &model, rows)?);
    }
    let all = minibatches.iter().flat_map(|timings| &timings.kernels);
    let passed = all.clone().all(|timing| timing.check.passed);
    let benched = Benched {
        adapter: &adapter,
        family: shaders.family(),
        model: &args.model,
        samples: SAMPLES,
        warm_up_seconds: WARM_UP.as_secs_f64(),
        passed,
        minibatches,
    };
    if args.which.json {
        print_json(&benched)?;
    } else {
        let backend = Backend::Gpu { adapter: Box::new(adapter.clone()), shaders };
        print(&text(&benched, &backend))?;
    }
    Ok(if passed { Exit::Done } else { Exit::Failed })
}

fn text(benched: &Benched<'_>, backend: &Backend) -> String {
    let warm_up = WARM_UP.as_millis();
    let mut text = format!(
        "{}: medians of {SAMPLES} after a warm-up of {warm_up} ms\n\
         {backend}\n\n\
         {:22} {:>16} {:>10} {:>9} {:>7} {:>10}\n",
        benched.model, "kernel", "shape", "time (us)", "GFLOP/s", "GB/s", "of sgemm",
    );
    for Timings { kernels, step } in &benched.minibatches {
        for timing in kernels {
            text.push_str(&line(timing));
        }
        if let Some(step) = step {
            let (rows, seconds) = (step.rows, step.seconds);
            let (us, rate) = (seconds * 1e6, f64::from(rows) / seconds);
            let name = "whole step";
            let _ = writeln!(
                text,
                "{name:22} {:>16} {us:10.1} {rate:9.0} samples/s\n",
                format!("m = {rows}")
            );
        }
    }
    text.push_str("A step takes parameters and minibatch up, and loss and gradient down.\n");
    text
}

fn line(timing: &KernelTiming) -> String {
    let KernelTiming { kernel, rows, inputs, outputs, check, operations, bytes, .. } = timing;
    let shape = match operations {
        Some(_) => format!("{rows} x {inputs} x {outputs}"),
        None => format!("{rows} x {outputs}"),
    };
    let Some(seconds) = timing.seconds else {
        return format!("{kernel:22} {shape:>16}      WRONG: {check}\n");
    };
    let or_none = |value: Option<f64>, digits| {
        value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
    };
    let speed = or_none(operations.map(|operations| operations / seconds * 1e-9), 1);
    let share = timing.host_seconds.map(|host| 100.0 * host / seconds);
    let share = share.map_or_else(|| "-".to_owned(), |share| format!("{share:.0} %"));
    let (us, traffic) = (seconds * 1e6, bytes / seconds * 1e-9);
    format!("{kernel:22} {shape:>16} {us:10.1} {speed:>9} {traffic:7.1} {share:>10}\n")
}

/// The most samples a minibatch may have here: MNIST has no more.
const MOST_ROWS: u32 = 60_000;
