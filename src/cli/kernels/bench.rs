//! `tortoise kernels bench`: how fast the kernels are on the user's adapter.

use std::{
    fmt::Write as _,
    hint::black_box,
    path::{Path, PathBuf},
    time::Instant,
};

use clap::Args;
use serde::Serialize;

use super::{Which, apart};
use crate::{
    Error, Result,
    cli::{
        Exit, print, print_json,
        values::{ending, whole},
    },
    engine::{
        adapter::AdapterId,
        backend::Backend,
        gpu::check::timing::{self, KernelTiming, SAMPLES, StepTiming, Timings, WARM_UP},
        kernels::Family,
        model::{Model, Shape},
    },
    report::plot::bars::{self, Bar},
    sgd::ParameterServer,
};

/// What is timed are gradients of models of MNIST.
const PIXELS: usize = 28 * 28;
const DIGITS: usize = 10;

#[derive(Debug, Args)]
pub(super) struct BenchArgs {
    #[command(flatten)]
    which: Which,
    /// Whose gradient: logistic, or mlp:WIDTH[,WIDTH...]
    #[arg(long, default_value = "mlp:128")]
    model: Shape,
    /// Samples in a minibatch, m: one size, or several
    #[arg(long, value_name = "M", short = 'm', value_delimiter = ',')]
    #[arg(default_value = "1,32,128,512", value_parser = whole::<u32>("from 1 to 60000"))]
    minibatch: Vec<u32>,
    /// Draw where the time of a step goes, as SVG or, by the file's name, as PNG
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
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
    /// The parameter server's own work for a push that makes an update.
    server_seconds: f64,
}

pub(super) fn run(args: &BenchArgs) -> Result<Exit> {
    if args.minibatch.iter().any(|rows| !(1..=MOST_ROWS).contains(rows)) {
        return Err(Error::config(format!("--minibatch (m) must be from 1 to {MOST_ROWS}")));
    }
    if let Some(path) = &args.picture {
        ending("--picture", path, &["svg", "png"])?;
    }
    let most = args.minibatch.iter().copied().max().unwrap_or(0);
    let model = Model::new(&args.model, PIXELS, DIGITS, 0.0)?;
    let (adapter, shaders) = args.which.choose(model.longest_side().max(most as usize))?;
    let mut minibatches = Vec::new();
    for &rows in &args.minibatch {
        // What a text breaks, it breaks there.
        for (kernel, sizes) in timing::dispatches(&model, rows) {
            if !shaders.is_own(kernel) {
                apart(&adapter, &shaders, kernel, Some(sizes))?;
            }
        }
        minibatches.push(timing::time(&adapter, &shaders, &model, rows)?);
    }
    let mut all = minibatches.iter().flat_map(|timings| &timings.kernels);
    let passed = all.all(|timing| timing.check.passed);
    let benched = Benched {
        adapter: &adapter,
        family: shaders.family(),
        model: &args.model,
        samples: SAMPLES,
        warm_up_seconds: WARM_UP.as_secs_f64(),
        passed,
        minibatches,
        server_seconds: time_server(&model)?,
    };
    let backend = Backend::Gpu { adapter: Box::new(adapter.clone()), shaders };
    if let Some(path) = &args.picture {
        draw(&benched, &backend, path)?;
    }
    if args.which.json {
        print_json(&benched)?;
    } else {
        print(&text(&benched, &backend))?;
    }
    Ok(if passed { Exit::Done } else { Exit::Failed })
}

fn text(benched: &Benched<'_>, backend: &Backend) -> String {
    let warm_up = WARM_UP.as_millis();
    let mut text = format!(
        "{}: medians of {SAMPLES} after a warm-up of {warm_up} ms\n\
         {backend}\n\n\
         {:22} {:>23} {:>10} {:>9} {:>7} {:>10}\n",
        benched.model,
        "kernel",
        "rows x inputs x outputs",
        "time (us)",
        "GFLOP/s",
        "GB/s",
        "of sgemm",
    );
    for Timings { kernels, step } in &benched.minibatches {
        for timing in kernels {
            text.push_str(&line(timing));
        }
        if let Some(step) = step {
            let StepTiming { rows, seconds, .. } = *step;
            let rate = f64::from(rows) / seconds;
            let (name, shape, us) = ("whole step", format!("m = {rows}"), seconds * 1e6);
            let _ = writeln!(text, "{name:22} {shape:>23} {us:10.1} {rate:9.0} samples/s");
            for (part, seconds) in PARTS.iter().zip(parts(step, 0.0)).take(PARTS.len() - 1) {
                let _ = writeln!(text, "  {part:20} {:23} {:10.1}", "", seconds * 1e6);
            }
            text.push('\n');
        }
    }
    let server = benched.server_seconds * 1e6;
    let _ = writeln!(text, "the server's own work for a push and its update: {server:.1} us");
    text
}

/// What a step is made of, the server's work behind it.
const PARTS: [&str; 5] = ["upload", "kernels", "copies and wake-ups", "download", "server"];

fn parts(step: &StepTiming, server: f64) -> [f64; PARTS.len()] {
    [step.upload, step.kernels, step.waiting, step.download, server]
}

fn draw(benched: &Benched<'_>, backend: &Backend, path: &Path) -> Result<()> {
    let steps = benched.minibatches.iter().filter_map(|timings| timings.step.as_ref());
    let bar = |step: &StepTiming| Bar {
        label: format!("m = {}", step.rows),
        parts: parts(step, benched.server_seconds).into(),
    };
    let caption = format!("{}: {backend}", benched.model);
    bars::draw(&PARTS, &steps.map(bar).collect::<Vec<_>>(), &caption, path)
}

/// The time of accumulate, step and snapshot, while another learner holds the parameters.
fn time_server(model: &Model) -> Result<f64> {
    let mut server = ParameterServer::new(&model.initial(0));
    let gradient = vec![1e-6; model.params()];
    let mut held = server.pull();
    timing::median(|pushes| {
        let start = Instant::now();
        for _ in 0..pushes {
            server.accumulate(&gradient, 1e-3);
            server.apply();
            held = server.pull();
        }
        black_box(&held);
        Ok(start.elapsed())
    })
}

fn line(timing: &KernelTiming) -> String {
    let KernelTiming { kernel, rows, inputs, outputs, check, operations, bytes, .. } = timing;
    let shape = match operations {
        Some(_) => format!("{rows} x {inputs} x {outputs}"),
        None => format!("{rows} x {outputs}"),
    };
    let Some(seconds) = timing.seconds else {
        return format!("{kernel:22} {shape:>23}      WRONG: {check}\n");
    };
    let speed = operations.map(|operations| format!("{:.1}", operations / seconds * 1e-9));
    let share = timing.host_seconds.map(|host| format!("{:.0} %", 100.0 * host / seconds));
    let [speed, share] = [speed, share].map(|cell| cell.unwrap_or_else(|| "-".to_owned()));
    let (us, traffic) = (seconds * 1e6, bytes / seconds * 1e-9);
    format!("{kernel:22} {shape:>23} {us:10.1} {speed:>9} {traffic:7.1} {share:>10}\n")
}

/// The most samples a minibatch may have here: MNIST has no more.
const MOST_ROWS: u32 = 60_000;
