//! Runs one kernel at a time on an adapter and compares it with its host twin.
//!
//! Outputs are filled with NaN first, so that what a kernel leaves out shows. Inputs come from a
//! named seed, so a failure comes back.

use std::{borrow::Cow, fmt};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Deserializer, Serialize};

use self::rig::Rig;
use super::{
    adapter::AdapterId,
    buffers::Storage,
    kernels::{self, Arguments, KERNELS, Kernel, ShaderSet},
    plan::Call,
};
use crate::{Result, numbers};

mod cases;
mod rig;
pub mod timing;

/// The largest relative L2 error with which a kernel passes.
pub const TOLERANCE: f64 = 1e-5;

/// How one kernel did on one shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The kernel's name.
    pub kernel: Cow<'static, str>,
    /// The sizes, and what is special about the inputs.
    pub shape: String,
    /// Of the output that is furthest off: ||got - expected|| / ||expected||; infinite where a
    /// number is not finite.
    #[serde(deserialize_with = "or_infinite")]
    pub relative_error: f64,
    /// The first element that is off, where the check failed.
    pub first: Option<Difference>,
    /// Whether the error is at most [`TOLERANCE`].
    pub passed: bool,
}

/// An element that is not what the twin says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The output's name.
    pub output: Cow<'static, str>,
    /// Its index in the flat output.
    pub index: usize,
    /// What the kernel wrote; NaN where it wrote nothing.
    #[serde(deserialize_with = "numbers::or_nan")]
    pub got: f64,
    /// What the twin wrote.
    #[serde(deserialize_with = "numbers::or_nan")]
    pub expected: f64,
}

/// An error is written as null where it is infinite.
fn or_infinite<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<f64, D::Error> {
    Option::deserialize(from).map(|error| error.unwrap_or(f64::INFINITY))
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kernel, shape, relative_error, .. } = self;
        write!(f, "{kernel} {shape}: relative error {relative_error:.1e}")?;
        if let Some(Difference { output, index, got, expected }) = &self.first {
            write!(f, ", {output}[{index}] is {got} in place of {expected}")?;
        }
        Ok(())
    }
}

/// Checks every kernel of the set over its shapes.
///
/// # Errors
/// [`crate::Error::NoAdapter`] and [`crate::Error::Device`] where a kernel could not be run.
pub fn check(adapter: &AdapterId, shaders: &ShaderSet) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    for kernel in KERNELS {
        checks.append(&mut check_kernel(adapter, shaders, kernel)?);
    }
    Ok(checks)
}

/// Checks one kernel of the set over its shapes.
///
/// # Errors
/// As [`check`].
pub fn check_kernel(
    adapter: &AdapterId,
    shaders: &ShaderSet,
    kernel: &'static Kernel,
) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    each(adapter, shaders, kernel, None, &mut |check| {
        checks.push(check);
        Ok(())
    })?;
    Ok(checks)
}

/// Checks one kernel of the set over its shapes, or only on `[rows, inputs, outputs]`, and hands each
/// check over as soon as it is done.
///
/// # Errors
/// As [`check`], and what `take` returns.
pub fn each(
    adapter: &AdapterId,
    shaders: &ShaderSet,
    kernel: &'static Kernel,
    sizes: Option<[u32; 3]>,
    take: &mut dyn FnMut(Check) -> Result<()>,
) -> Result<()> {
    let mut rig = Rig::open(adapter, shaders)?;
    let mut judge = |case: Case| take(case.judge(kernel, &rig.bind(kernel, &case)?.run()?));
    match sizes {
        Some(sizes) => judge(cases::ordinary(kernel, sizes)),
        None => cases::each(kernel, &mut judge),
    }
}

/// Checks the kernel of this name once, on `[rows, inputs, outputs]` of ordinary numbers: a first look
/// at an adapter.
///
/// # Errors
/// As [`check`].
///
/// # Panics
/// If there is no kernel of this name.
pub fn check_once(
    adapter: &AdapterId,
    shaders: &ShaderSet,
    kernel: &str,
    sizes: [u32; 3],
) -> Result<Check> {
    let kernel = kernels::by_name(kernel).expect("the kernel is in the table");
    let mut rig = Rig::open(adapter, shaders)?;
    let case = cases::ordinary(kernel, sizes);
    let got = rig.bind(kernel, &case)?.run()?;
    Ok(case.judge(kernel, &got))
}

/// The bits that `repeats` runs of a kernel give on its largest shape, one entry a run.
///
/// # Errors
/// As [`check`].
pub fn repeat(
    adapter: &AdapterId,
    shaders: &ShaderSet,
    kernel: &'static Kernel,
    repeats: usize,
) -> Result<Vec<Vec<u32>>> {
    let mut rig = Rig::open(adapter, shaders)?;
    let mut runs = Vec::new();
    let mut most = 0;
    cases::each(kernel, &mut |case| {
        let size = case.outputs.iter().map(|(_, output)| output.len()).sum();
        if size > most {
            most = size;
            runs.clear();
            for _ in 0..repeats {
                runs.push(rig.bind(kernel, &case)?.run()?.concat());
            }
        }
        Ok(())
    })?;
    Ok(runs)
}

/// Binds a kernel's buffers, with the arguments of a case.
type Bind = dyn Fn(&mut Rig, &[&Storage]) -> Result<Call>;

/// One kernel's arguments and inputs, and what it should give.
struct Case {
    shape: String,
    bind: Box<Bind>,
    /// In the order of the bindings, as bits; each with its columns.
    inputs: Vec<(u32, Vec<u32>)>,
    /// In the order of the bindings; each with its columns.
    outputs: Vec<(u32, Output)>,
}

enum Output {
    Floats(Vec<f64>),
    Integers(Vec<u32>),
}

impl Output {
    fn len(&self) -> usize {
        match self {
            Self::Floats(expected) => expected.len(),
            Self::Integers(expected) => expected.len(),
        }
    }
}

impl Case {
    fn new<A: Arguments>(
        at: usize,
        shape: String,
        args: A,
        inputs: Vec<(u32, Vec<u32>)>,
        outputs: Vec<(u32, Output)>,
    ) -> Self {
        // Every third case pretends that a dispatch is at most three workgroups wide, as one of
        // millions of rows would be folded.
        let widest = (at % 3 == 2).then_some(3);
        let bind = Box::new(move |rig: &mut Rig, buffers: &[&Storage]| {
            let mut call = Call::new(&rig.device, &mut rig.pipelines, &args, buffers)?;
            if let Some(widest) = widest {
                call.fold(args.dispatch_within(rig.pipelines.family(), widest));
            }
            Ok(call)
        });
        Self { shape, bind, inputs, outputs }
    }

    fn judge(&self, kernel: &Kernel, got: &[Vec<u32>]) -> Check {
        let names = kernel.bindings.iter().skip(1 + self.inputs.len());
        let (mut relative_error, mut first) = (0.0_f64, None);
        for (((_, output), bits), binding) in self.outputs.iter().zip(got).zip(names) {
            let (got, mut expected): (Vec<_>, Vec<_>) = match output {
                Output::Floats(expected) => {
                    let float = |&bits| f64::from(f32::from_bits(bits));
                    (bits.iter().map(float).collect(), expected.clone())
                }
                Output::Integers(expected) => {
                    let number = |&integer| f64::from(integer);
                    (bits.iter().map(number).collect(), expected.iter().map(number).collect())
                }
            };
            // Behind the rows comes what pads them: other kernels count on zeros there.
            expected.resize(got.len(), 0.0);
            let error = relative(&got, &expected);
            relative_error = relative_error.max(error);
            if error > TOLERANCE && first.is_none() {
                first = first_difference(binding.name, &got, &expected);
            }
        }
        let passed = relative_error <= TOLERANCE;
        let (kernel, shape) = (kernel.name.into(), self.shape.clone());
        Check { kernel, shape, relative_error, first, passed }
    }
}

/// ||got - expected|| / ||expected||, and infinite in place of NaN.
fn relative(got: &[f64], expected: &[f64]) -> f64 {
    let norm = |squares: f64| squares.sqrt();
    let off = norm(got.iter().zip(expected).map(|(got, expected)| (got - expected).powi(2)).sum());
    let size = norm(expected.iter().map(|expected| expected.powi(2)).sum());
    match off / size {
        _ if off == 0.0 => 0.0,
        error if error.is_nan() => f64::INFINITY,
        error => error,
    }
}

/// The first element that is further off than rounding explains.
fn first_difference(output: &'static str, got: &[f64], expected: &[f64]) -> Option<Difference> {
    let size = expected.iter().map(|expected| expected.powi(2)).sum::<f64>();
    let typical = (size / expected.len().max(1) as f64).sqrt();
    let off = |got: f64, expected: f64| {
        let allowed = TOLERANCE * (typical + expected.abs());
        (got - expected).abs().partial_cmp(&allowed) != Some(std::cmp::Ordering::Less)
    };
    let index = (0..got.len()).find(|&at| off(got[at], expected[at]))?;
    Some(Difference { output: output.into(), index, got: got[index], expected: expected[index] })
}

/// Numbers for one case, the same ones every time.
struct Numbers(ChaCha8Rng);

impl Numbers {
    fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Uniform on ±`size`.
    fn floats(&mut self, count: u32, size: f32) -> Vec<f32> {
        (0..count).map(|_| size * (2.0 * self.0.random::<f32>() - 1.0)).collect()
    }

    /// `count` whole numbers below `bound`.
    fn below(&mut self, count: u32, bound: u32) -> Vec<u32> {
        (0..count).map(|_| self.0.random_range(0..bound)).collect()
    }
}
