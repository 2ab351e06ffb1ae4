//! Runs one kernel at a time on an adapter and compares it with its host twin.
//!
//! Outputs are filled with NaN first, so that an element which the kernel does not write is
//! noticed.

use std::{borrow::Cow, fmt};

use serde::{Deserialize, Deserializer, Serialize};

use self::rig::Rig;
use crate::{
    Result,
    engine::{
        adapter::AdapterId,
        kernels::{BindingKind, Case, Kernel, ShaderSet, Values},
    },
    numbers,
};

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

/// Checks one kernel of the set over its shapes, or only on `[rows, inputs, outputs]` of ordinary
/// numbers.
///
/// # Errors
/// [`crate::Error::NoAdapter`] and [`crate::Error::Device`] where the kernel could not be run.
pub fn check(
    adapter: &AdapterId,
    shaders: &ShaderSet,
    kernel: &'static Kernel,
    sizes: Option<[u32; 3]>,
) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    each(adapter, shaders, kernel, sizes, &mut |check| {
        checks.push(check);
        Ok(())
    })?;
    Ok(checks)
}

/// As [`check`], and hands each check over as soon as it is done.
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
    let mut judge = |case: Case| take(judge(&case, &rig.bind(&case)?.run()?));
    match sizes {
        Some(sizes) => judge(kernel.ordinary_case(sizes)),
        None => kernel.cases().try_for_each(judge),
    }
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
    let size = |case: &Case| case.expected.iter().map(Values::len).sum::<usize>();
    let Some(largest) = kernel.cases().max_by_key(size) else { return Ok(runs) };
    for _ in 0..repeats {
        runs.push(rig.bind(&largest)?.run()?.concat());
    }
    Ok(runs)
}

/// Compares what a kernel gave, as bits, with what the case expects.
fn judge(case: &Case, got: &[Vec<u32>]) -> Check {
    let kernel = case.args.kernel();
    let outputs = kernel.bindings.iter().filter(|binding| binding.kind == BindingKind::Write);
    let (mut relative_error, mut first) = (0.0_f64, None);
    for ((binding, bits), expected) in outputs.zip(got).zip(&case.expected) {
        let got = Values::from_bits(binding.element, bits).into_f64();
        let mut expected = expected.clone().into_f64();
        // Behind the rows comes what pads them: other kernels count on zeros there.
        expected.resize(got.len(), 0.0);
        let error = relative(&got, &expected);
        relative_error = relative_error.max(error);
        if error > TOLERANCE && first.is_none() {
            first = first_difference(binding.name, &got, &expected);
        }
    }
    let passed = relative_error <= TOLERANCE;
    let shape = case.shape.clone();
    Check { kernel: kernel.name.into(), shape, relative_error, first, passed }
}

/// ||got - expected|| / ||expected||, and infinite in place of NaN.
fn relative(got: &[f64], expected: &[f64]) -> f64 {
    let off: f64 = got.iter().zip(expected).map(|(got, expected)| (got - expected).powi(2)).sum();
    let size: f64 = expected.iter().map(|expected| expected.powi(2)).sum();
    match off.sqrt() / size.sqrt() {
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
