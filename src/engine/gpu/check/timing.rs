//! How long each kernel of a gradient takes, and the whole step. Each kernel is checked before it
//! is timed.
//!
//! Every figure is the median of [`SAMPLES`] samples, after a warm-up of [`WARM_UP`], which does
//! not count. A sample of a kernel is many dispatches that are submitted together, so that the time
//! of submitting them hardly matters.

use std::time::{Duration, Instant};

use gemm::Parallelism;
use serde::Serialize;

use super::{
    Check, judge,
    rig::{Bound, Rig},
};
use crate::{
    Result,
    dataset::{Features, Labels, Split},
    engine::{
        adapter::AdapterId,
        gpu::Gpu,
        host::product::{self, Matrix},
        kernels::{Case, Kernel, Product, ShaderSet, Values, dispatches::Dispatches},
        model::Model,
    },
    statistics,
};

/// Samples of which the median is given.
pub const SAMPLES: usize = 15;
/// What runs before the first sample, for caches and clocks.
pub const WARM_UP: Duration = Duration::from_millis(100);
/// What a sample lasts at least.
const SAMPLE: Duration = Duration::from_millis(10);

/// How long one kernel takes on one shape.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KernelTiming {
    /// The kernel's name.
    pub kernel: &'static str,
    /// m, the rows of the minibatch.
    pub rows: u32,
    /// Columns of X.
    pub inputs: u32,
    /// Columns of Y.
    pub outputs: u32,
    /// How far it is off its twin on this shape.
    pub check: Check,
    /// Median of a dispatch; none where the check failed.
    pub seconds: Option<f64>,
    /// Floating-point operations of the matrix product, a multiply-add being two; none where it is
    /// none.
    pub operations: Option<f64>,
    /// Bytes of its matrices, each counted once.
    pub bytes: f64,
    /// Median of the host's sgemm on the same shape, on all cores or on one, whichever is faster.
    pub host_seconds: Option<f64>,
}

/// How long a learner's whole step takes, and where the time goes; all in seconds, medians.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StepTiming {
    /// m, the samples of the minibatch.
    pub rows: u32,
    /// The whole step: parameters and minibatch up, loss and gradient down.
    pub seconds: f64,
    /// Handing parameters and minibatch to the driver.
    pub upload: f64,
    /// The kernels, as they were timed one by one.
    pub kernels: f64,
    /// What else passes until the result can be read: commands, copies on the device, and waking
    /// up the threads of the driver and of the learner.
    pub waiting: f64,
    /// Copying loss and gradient to where the server takes them.
    pub download: f64,
}

/// Times of the kernels of one gradient and of the step they make.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Timings {
    /// In the order in which a gradient runs them.
    pub kernels: Vec<KernelTiming>,
    /// Of the whole; none where a kernel is wrong.
    pub step: Option<StepTiming>,
}

/// Times what a gradient of `model` over minibatches of `rows` samples runs on this adapter.
///
/// # Errors
/// [`crate::Error::NoAdapter`] and [`crate::Error::Device`] where something could not be run.
pub fn time(adapter: &AdapterId, shaders: &ShaderSet, model: &Model, rows: u32) -> Result<Timings> {
    let mut kernels = Vec::new();
    each_kernel(adapter, shaders, model, rows, &mut |kernel, sizes, run| {
        let [rows, inputs, outputs] = sizes;
        kernels.push(KernelTiming {
            kernel: kernel.name,
            rows,
            inputs,
            outputs,
            bytes: run.bytes(),
            operations: kernel.product.map(|_| 2.0 * sizes.map(f64::from).iter().product::<f64>()),
            host_seconds: kernel.product.map(|product| time_host(product, sizes)).transpose()?,
            seconds: run.check.passed.then(|| median(|count| run.time(count))).transpose()?,
            check: run.check,
        });
        Ok(())
    })?;
    // None where a kernel is wrong.
    let sum = kernels.iter().map(|timing| timing.seconds).sum::<Option<f64>>();
    let step = sum.map(|sum| time_step(adapter, shaders, model, rows, sum)).transpose()?;
    Ok(Timings { kernels, step })
}

/// A kernel on a shape, checked and ready to be timed.
#[expect(missing_debug_implementations, reason = "a device is not printable")]
pub struct Ready<'a> {
    /// How it did against its twin.
    pub check: Check,
    case: Case,
    bound: Bound<'a>,
}

impl Ready<'_> {
    /// The time from handing over `dispatches` of it, one after another, to the end of the last.
    ///
    /// # Errors
    /// [`crate::Error::Device`] where the device fails.
    pub fn time(&self, dispatches: usize) -> Result<Duration> {
        self.bound.time(dispatches)
    }

    /// Bytes of its matrices, each counted once.
    pub fn bytes(&self) -> f64 {
        let inputs = self.case.inputs.iter().map(Vec::len);
        let outputs = self.case.expected.iter().map(Values::len);
        4.0 * inputs.chain(outputs).sum::<usize>() as f64
    }
}

/// Takes a kernel with its rows, inputs and outputs.
pub type Take<'a> = dyn FnMut(&'static Kernel, [u32; 3], Ready<'_>) -> Result<()> + 'a;

/// Hands over each kernel that a gradient of `model` over `rows` samples runs, in their order.
///
/// # Errors
/// As [`time`], and what `take` returns.
pub fn each_kernel(
    adapter: &AdapterId,
    shaders: &ShaderSet,
    model: &Model,
    rows: u32,
    take: &mut Take<'_>,
) -> Result<()> {
    let mut rig = Rig::open(adapter, shaders)?;
    for (kernel, sizes) in dispatches(model, rows) {
        let case = kernel.ordinary_case(sizes);
        let bound = rig.bind(&case)?;
        let check = judge(&case, &bound.run()?);
        take(kernel, sizes, Ready { check, case, bound })?;
    }
    Ok(())
}

/// The kernels of a gradient in their order, each with its rows, inputs and outputs.
pub fn dispatches(model: &Model, rows: u32) -> Vec<(&'static Kernel, [u32; 3])> {
    let list = Dispatches::of_gradient(model, rows as usize).list;
    list.iter().map(|dispatch| (dispatch.args.kernel(), dispatch.args.sizes())).collect()
}

/// The host's sgemm on the shape of a kernel's product.
fn time_host(product: Product, sizes: [u32; 3]) -> Result<f64> {
    let [rows, inputs, outputs] = sizes.map(|size| size as usize);
    let (x, w, y) =
        (vec![0.5; rows * inputs], vec![0.5; inputs * outputs], vec![0.5; rows * outputs]);
    let x = Matrix::row_major(&x, rows, inputs);
    let w = Matrix::row_major(&w, inputs, outputs);
    let y = Matrix::row_major(&y, rows, outputs);
    let (left, right) = match product {
        Product::XW => (x, w),
        Product::DyWt => (y, w.transpose()),
        Product::XtDy => (x.transpose(), y),
    };
    let mut to = vec![0.0; left.product_len(&right)];
    let mut best = f64::INFINITY;
    for cores in [Parallelism::None, Parallelism::Rayon(0)] {
        let seconds = median(|products| {
            let start = Instant::now();
            for _ in 0..products {
                product::product(&mut to, left, right, cores);
            }
            Ok(start.elapsed())
        })?;
        best = best.min(seconds);
    }
    Ok(best)
}

/// Times a step whose kernels take `kernels` seconds.
fn time_step(
    adapter: &AdapterId,
    shaders: &ShaderSet,
    model: &Model,
    rows: u32,
    kernels: f64,
) -> Result<StepTiming> {
    let all: Vec<usize> = (0..rows as usize).collect();
    let pixels = (0..all.len() * model.inputs()).map(|at| at as u8).collect();
    let labels = all.iter().map(|at| (at % model.classes()) as u32).collect();
    let labels = Labels::classes(labels, model.classes());
    let data = Split::new(Features::bytes(pixels, 255.0), labels, model.inputs())?;
    let mut gpu = Gpu::open(adapter, model.clone(), all.len(), shaders, data)?;
    let params = model.initial(0);
    let mut gradient = vec![0.0; model.params()];
    let mut phases = Vec::new();
    let seconds = median(|steps| {
        let start = Instant::now();
        let mut sums = [0.0; 3];
        for _ in 0..steps {
            let phases = gpu.time_step(&params, &all, &mut gradient)?;
            sums.iter_mut().zip(phases).for_each(|(sum, phase)| *sum += phase.as_secs_f64());
        }
        phases.push(sums.map(|sum| sum / steps as f64));
        Ok(start.elapsed())
    })?;
    // Those of the warm-up came first.
    let phases = &phases[phases.len() - SAMPLES..];
    let [upload, waited, download] =
        [0, 1, 2].map(|at| middle(phases.iter().map(|phases| phases[at]).collect()));
    let waiting = (waited - kernels).max(0.0);
    Ok(StepTiming { rows, seconds, upload, kernels, waiting, download })
}

/// Seconds of one, where `time` tells how long so many take: the median.
///
/// # Errors
/// What `time` returns.
pub fn median(mut time: impl FnMut(usize) -> Result<Duration>) -> Result<f64> {
    let (start, mut count) = (Instant::now(), 1);
    loop {
        let took = time(count)?;
        if took < SAMPLE {
            let short = SAMPLE.as_secs_f64() / took.as_secs_f64().max(1e-9);
            count = (count as f64 * short.clamp(1.2, 8.0)).ceil() as usize;
        } else if start.elapsed() >= WARM_UP {
            break;
        }
    }
    let mut samples = Vec::with_capacity(SAMPLES);
    for _ in 0..SAMPLES {
        samples.push(time(count)?.as_secs_f64() / count as f64);
    }
    Ok(middle(samples))
}

fn middle(samples: Vec<f64>) -> f64 {
    statistics::median(samples).expect("there are samples")
}
