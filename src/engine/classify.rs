//! What a model makes of single images, through any engine: the gradient of a sample's loss by the
//! last biases is p - onehot(label), so that whatever trains can also classify.

use super::{Engine, model::Model};
use crate::{Result, dataset::Minibatch};

/// What a model makes of one image.
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

/// Classifies each image of `batch` on its own, at `params`. The labels matter to the losses only.
///
/// # Errors
/// [`crate::Error::Device`] where the device fails.
pub fn classify(
    engine: &mut dyn Engine,
    model: &Model,
    params: &[f32],
    batch: &Minibatch,
) -> Result<Vec<Classified>> {
    engine.load(params)?;
    let mut gradient = vec![0.0; model.params()];
    let biases = model.layers()[model.layers().len() - 1].bias();
    let samples = batch.images.chunks_exact(model.inputs()).zip(&batch.labels);
    samples
        .map(|(image, &label)| {
            let one = Minibatch { images: image.to_vec(), labels: vec![label] };
            let loss = engine.gradient(&one, &mut gradient)?;
            let mut probabilities = gradient[biases.clone()].to_vec();
            probabilities[label as usize] += 1.0;
            // Rounding may leave a little less than nothing.
            probabilities.iter_mut().for_each(|p| *p = p.clamp(0.0, 1.0));
            Ok(Classified { loss, probabilities })
        })
        .collect()
}
