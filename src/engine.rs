//! What a learner computes: the loss and its gradient over a minibatch, and evaluations. An engine
//! has the data, and is asked for samples by their indices.
//!
//! An engine knows no variant, no version and no clock. Without the feature `gpu` the library is
//! built without wgpu, and gradients are computed on the host, which is the processor.

pub mod adapter;
pub mod adapters;
pub mod backend;
pub mod classify;
#[cfg(feature = "gpu")]
pub mod gpu;
#[cfg(not(feature = "gpu"))]
#[path = "engine/no_gpu.rs"]
mod gpu;
#[cfg(feature = "host")]
pub mod host;
pub mod interruptible;
pub mod isolated;
pub mod kernels;
pub mod model;
pub mod quadratic;
pub(crate) mod shared;

use crate::{Error, Result};

pub use crate::dataset::Part;

/// Samples that [`Engine::evaluate`] takes a gradient of at a time.
const EVALUATED_AT_ONCE: usize = 512;

/// Loss and gradient of what is minimised, over data of its own: those of a [`model::Model`], of a
/// [`quadratic::Quadratic`], or of whatever else is a mean over samples.
///
/// Samples are told by their places in the training set, 0 to n - 1. No samples, or one that is not
/// there, are [`crate::Error::Config`]; so are parameters and gradients of a wrong length.
pub trait Engine {
    /// n, the samples of the training set that gradients are taken of.
    fn samples(&self) -> usize;

    /// How many parameters there are.
    fn params(&self) -> usize;

    /// w_0 of a run with this seed; zeros, if nothing is said.
    fn initial(&self, _seed: u64) -> Vec<f32> {
        vec![0.0; self.params()]
    }

    /// Makes `params` what the next gradients are taken at.
    ///
    /// # Errors
    /// [`crate::Error::Device`] where the device fails.
    fn load(&mut self, params: &[f32]) -> Result<()>;

    /// Writes the gradient of the mean loss over these samples of the training set, at the loaded
    /// parameters, into `gradient` (as long as the parameters), and returns that loss.
    ///
    /// # Errors
    /// [`crate::Error::Device`] where the device fails.
    fn gradient(&mut self, samples: &[usize], gradient: &mut [f32]) -> Result<f32>;

    /// Loss and accuracy over a part of the data at `params`, which become the loaded parameters;
    /// [`Evaluation::UNKNOWN`] over a test set that is not there.
    ///
    /// If nothing is said: the loss is known of the training set, as the mean of what
    /// [`gradient`](Self::gradient) returns, and nothing else is.
    ///
    /// # Errors
    /// [`crate::Error::Device`] where the device fails.
    fn evaluate(&mut self, params: &[f32], over: Part) -> Result<Evaluation> {
        self.load(params)?;
        if over == Part::Test {
            return Ok(Evaluation::UNKNOWN);
        }
        let all: Vec<usize> = (0..self.samples()).collect();
        let mut gradient = vec![0.0; params.len()];
        let mut sum = 0.0;
        for samples in all.chunks(EVALUATED_AT_ONCE) {
            sum += samples.len() as f64 * f64::from(self.gradient(samples, &mut gradient)?);
        }
        Ok(Evaluation { loss: sum / all.len() as f64, ..Evaluation::UNKNOWN })
    }
}

impl<E: Engine + ?Sized> Engine for Box<E> {
    fn samples(&self) -> usize {
        (**self).samples()
    }

    fn params(&self) -> usize {
        (**self).params()
    }

    fn initial(&self, seed: u64) -> Vec<f32> {
        (**self).initial(seed)
    }

    fn load(&mut self, params: &[f32]) -> Result<()> {
        (**self).load(params)
    }

    fn gradient(&mut self, samples: &[usize], gradient: &mut [f32]) -> Result<f32> {
        (**self).gradient(samples, gradient)
    }

    fn evaluate(&mut self, params: &[f32], over: Part) -> Result<Evaluation> {
        (**self).evaluate(params, over)
    }
}

/// Refuses what [`Engine::gradient`] refuses of an engine with `n` samples: no samples, or one that is
/// not there.
///
/// # Errors
/// [`Error::Config`].
pub fn check_samples(samples: &[usize], n: usize) -> Result<()> {
    if samples.is_empty() {
        return Err(Error::config("a gradient is taken of at least one sample"));
    }
    match samples.iter().find(|&&sample| sample >= n) {
        None => Ok(()),
        Some(sample) => Err(Error::config(format!(
            "sample {sample} is not one of the {n} of the training set, which count from 0"
        ))),
    }
}

/// How good some parameters are over a part of the data.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// The mean loss: of a model, softmax cross-entropy + L2 ||W||_F^2.
    pub loss: f64,
    /// Share of samples whose largest logit is at their label; the first of equal logits counts. NaN
    /// where nothing is classified.
    pub accuracy: f64,
}

impl Evaluation {
    /// Nothing is known: both are NaN.
    pub const UNKNOWN: Self = Self { loss: f64::NAN, accuracy: f64::NAN };
}

fn expect(what: &str, got: usize, expected: usize) -> Result<()> {
    if got == expected {
        return Ok(());
    }
    Err(Error::config(format!("{got} {what}, but the model has {expected}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mean of the samples' own numbers.
    struct Mean(Vec<usize>);

    impl Engine for Mean {
        fn samples(&self) -> usize {
            1300
        }

        fn params(&self) -> usize {
            3
        }

        fn load(&mut self, _: &[f32]) -> Result<()> {
            Ok(())
        }

        fn gradient(&mut self, samples: &[usize], gradient: &mut [f32]) -> Result<f32> {
            check_samples(samples, self.samples())?;
            assert_eq!(gradient.len(), 3);
            self.0.extend(samples);
            Ok((samples.iter().sum::<usize>() as f64 / samples.len() as f64) as f32)
        }
    }

    #[test]
    fn an_engine_that_says_no_more_evaluates_by_gradients_and_starts_at_zero() {
        let mut engine: Box<dyn Engine> = Box::new(Mean(Vec::new()));
        assert_eq!(engine.initial(7), [0.0; 3]);
        let Evaluation { loss, accuracy } = engine.evaluate(&[0.0; 3], Part::Train).unwrap();
        assert_eq!((loss, accuracy.is_nan()), (1299.0 / 2.0, true), "chunks count by their length");
        let Evaluation { loss, accuracy } = engine.evaluate(&[0.0; 3], Part::Test).unwrap();
        assert!(loss.is_nan() && accuracy.is_nan());
        let mut mean = Mean(Vec::new());
        mean.evaluate(&[0.0; 3], Part::Train).unwrap();
        assert_eq!(mean.0, (0..1300).collect::<Vec<_>>(), "each sample once");
    }

    #[test]
    fn samples_that_are_none_or_not_there_are_refused() {
        assert!(check_samples(&[0, 3, 3], 4).is_ok());
        let refused = |samples: &[usize], n| check_samples(samples, n).unwrap_err().to_string();
        assert!(refused(&[], 4).contains("at least one sample"));
        assert!(refused(&[0, 4], 4).contains("sample 4 is not one of the 4"));
        assert!(refused(&[0], 0).contains("sample 0"));
    }
}
