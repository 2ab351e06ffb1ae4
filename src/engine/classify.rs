//! Classifies single samples with any engine. The gradient of a sample's loss with respect to the
//! last biases is p - onehot(label), where p are the probabilities of the classes. So an engine
//! that can train a model can also classify with it.

use std::{iter, ops::Range};

use super::{Engine, model::Model};
use crate::{
    Error, Result,
    dataset::{Minibatch, Split},
};

/// What a model makes of one sample.
#[derive(Debug, Clone, PartialEq)]
pub struct Classified {
    /// Softmax cross-entropy with the label, + L2 ||W||_F^2.
    pub loss: f32,
    /// p of each class.
    pub probabilities: Vec<f32>,
}

impl Classified {
    /// The classes, the likeliest first; of equal ones the lower.
    pub fn ranked(&self) -> Vec<usize> {
        let mut classes: Vec<usize> = (0..self.probabilities.len()).collect();
        let p = |class: usize| self.probabilities[class];
        classes.sort_by(|&a, &b| p(b).total_cmp(&p(a)));
        classes
    }
}

/// Classifies these samples of `split` one by one, at `params`, by an engine that was opened over it.
/// Labels matter to the losses only.
///
/// # Errors
/// [`Error::Device`] where the device fails, [`Error::Diverged`] where the model has no answer: its
/// weights are so large that what a layer gives is not finite.
pub fn classify(
    engine: &mut dyn Engine,
    model: &Model,
    params: &[f32],
    split: &Split,
    samples: Range<usize>,
) -> Result<Vec<Classified>> {
    engine.load(params)?;
    let mut gradient = vec![0.0; model.params()];
    let biases = model.layers()[model.layers().len() - 1].bias();
    let mut one = Minibatch::default();
    let largest = samples.clone().fold(1.0, |largest: f32, sample| {
        split.gather(iter::once(sample), &mut one);
        one.features.iter().fold(largest, |largest, x| largest.max(x.abs()))
    });
    let may_overflow = may_overflow(model, params, largest);
    samples
        .map(|sample| {
            split.gather(iter::once(sample), &mut one);
            if may_overflow && overflows(model, params, &one.features) {
                return Err(no_answer());
            }
            let loss = engine.gradient(&[sample], &mut gradient)?;
            let mut probabilities = gradient[biases.clone()].to_vec();
            if !probabilities.iter().all(|p| p.is_finite()) {
                return Err(no_answer());
            }
            probabilities[one.labels[0] as usize] += 1.0;
            // Rounding may leave a little less than nothing.
            probabilities.iter_mut().for_each(|p| *p = p.clamp(0.0, 1.0));
            Ok(Classified { loss, probabilities })
        })
        .collect()
}

fn no_answer() -> Error {
    Error::Diverged(
        "the model has no answer: its weights are so large that its logits are not finite"
            .to_owned(),
    )
}

/// Whether there may be features of at most this size for which a layer gives more than an f32 holds.
fn may_overflow(model: &Model, params: &[f32], largest: f32) -> bool {
    let mut most = f64::from(largest);
    model.layers().iter().any(|layer| {
        let mut sums = vec![0.0; layer.outputs];
        for (at, row) in params[layer.params()].chunks_exact(layer.outputs).enumerate() {
            let input = if at < layer.inputs { most } else { 1.0 };
            sums.iter_mut().zip(row).for_each(|(sum, w)| *sum += input * f64::from(w.abs()));
        }
        most = sums.into_iter().fold(0.0, f64::max);
        most > f64::from(f32::MAX)
    })
}

/// Whether what a layer gives for a sample is not finite. The engines do not say: a ReLU may make 0
/// of what is no number.
fn overflows(model: &Model, params: &[f32], features: &[f32]) -> bool {
    let mut inputs = features.to_vec();
    for layer in model.layers() {
        let mut outputs = params[layer.bias()].to_vec();
        for (x, row) in inputs.iter().zip(params[layer.weight()].chunks_exact(layer.outputs)) {
            outputs.iter_mut().zip(row).for_each(|(y, w)| *y += x * w);
        }
        if !outputs.iter().all(|y| y.is_finite()) {
            return true;
        }
        if layer.relu {
            outputs.iter_mut().for_each(|y| *y = y.max(0.0));
        }
        inputs = outputs;
    }
    false
}
