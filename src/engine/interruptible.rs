//! An engine that can be interrupted: from then on it computes nothing more, and returns an error.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Engine, Evaluation};
use crate::{Error, Result, dataset::Part};

/// Another engine, as long as `interrupt` is false: so whatever takes many gradients of it ends within
/// the next one.
#[expect(missing_debug_implementations, reason = "an engine need not be printable")]
pub struct Interruptible<'a> {
    engine: &'a mut dyn Engine,
    interrupt: &'a AtomicBool,
}

impl<'a> Interruptible<'a> {
    /// `engine`, until `interrupt` becomes true.
    pub fn new(engine: &'a mut dyn Engine, interrupt: &'a AtomicBool) -> Self {
        Self { engine, interrupt }
    }

    fn engine(&mut self) -> Result<&mut dyn Engine> {
        match self.interrupt.load(Ordering::Relaxed) {
            true => Err(Error::Interrupted),
            false => Ok(self.engine),
        }
    }
}

/// [`Error::Interrupted`] once it is; else what the engine says.
impl Engine for Interruptible<'_> {
    fn samples(&self) -> usize {
        self.engine.samples()
    }

    fn params(&self) -> usize {
        self.engine.params()
    }

    fn initial(&self, seed: u64) -> Vec<f32> {
        self.engine.initial(seed)
    }

    fn load(&mut self, params: &[f32]) -> Result<()> {
        self.engine()?.load(params)
    }

    fn gradient(&mut self, samples: &[usize], gradient: &mut [f32]) -> Result<f32> {
        self.engine()?.gradient(samples, gradient)
    }

    fn evaluate(&mut self, params: &[f32], over: Part) -> Result<Evaluation> {
        self.engine()?.evaluate(params, over)
    }
}
