//! What a learner computes: the loss and its gradient over a minibatch, and evaluations.
//!
//! An engine knows no variant, no version and no clock. Without the feature `gpu` there is no wgpu, and
//! the host computes.

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

use crate::{
    Result,
    dataset::{Minibatch, Split},
};

/// Computes gradients and evaluations of one [`model::Model`]; a [`quadratic::Quadratic`] has another
/// objective in place of the loss described here.
pub trait Engine {
    /// Makes `params` (flat, as [`model::Model`] lays them out) what the next gradients are taken at.
    ///
    /// # Errors
    /// [`crate::Error::Device`] where the device fails.
    fn load(&mut self, params: &[f32]) -> Result<()>;

    /// Writes the gradient of the minibatch's loss at the loaded parameters into `gradient` (laid
    /// out as the parameters) and returns the loss: mean softmax cross-entropy + L2 ||W||_F^2.
    ///
    /// # Errors
    /// [`crate::Error::Device`] where the device fails.
    fn gradient(&mut self, batch: &Minibatch, gradient: &mut [f32]) -> Result<f32>;

    /// Loss and accuracy over a whole split at `params`, which become the loaded parameters.
    ///
    /// # Errors
    /// [`crate::Error::Device`] where the device fails.
    fn evaluate(&mut self, params: &[f32], split: &Split) -> Result<Evaluation>;
}

impl<E: Engine + ?Sized> Engine for Box<E> {
    fn load(&mut self, params: &[f32]) -> Result<()> {
        (**self).load(params)
    }

    fn gradient(&mut self, batch: &Minibatch, gradient: &mut [f32]) -> Result<f32> {
        (**self).gradient(batch, gradient)
    }

    fn evaluate(&mut self, params: &[f32], split: &Split) -> Result<Evaluation> {
        (**self).evaluate(params, split)
    }
}

/// How good some parameters are over a split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Evaluation {
    /// Mean softmax cross-entropy + L2 ||W||_F^2.
    pub loss: f64,
    /// Share of samples whose largest logit is at their label; the first of equal logits counts. NaN
    /// where nothing is classified.
    pub accuracy: f64,
}
