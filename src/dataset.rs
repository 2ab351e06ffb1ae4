//! Labelled images: what is read from disk, and which samples a minibatch takes.
//!
//! Knows no model, no device and no learner's schedule.

pub mod idx;
pub mod minibatches;
pub mod mnist;

use std::sync::Arc;

use crate::{Error, Result};

/// Labelled images, row after row: the training set or the test set.
///
/// Pixels stay bytes in memory; [`Split::gather`] scales them by 1/255 and nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    pixels: Vec<u8>,
    labels: Vec<u8>,
    inputs: usize,
    classes: usize,
}

impl Split {
    /// `pixels` `[n, inputs]` with `labels` `[n]`, each below `classes`.
    ///
    /// # Errors
    /// [`Error::Config`] where the lengths or the labels do not fit.
    pub fn new(pixels: Vec<u8>, labels: Vec<u8>, inputs: usize, classes: usize) -> Result<Self> {
        if inputs == 0 || labels.is_empty() {
            return Err(Error::config("a data set needs at least one image of at least one pixel"));
        }
        if labels.len().checked_mul(inputs) != Some(pixels.len()) {
            let (images, labels) = (pixels.len() / inputs, labels.len());
            return Err(Error::config(format!("{images} images but {labels} labels")));
        }
        if let Some(at) = labels.iter().position(|&label| usize::from(label) >= classes) {
            let label = labels[at];
            return Err(Error::config(format!("label {label} at {at} is not below {classes}")));
        }
        Ok(Self { pixels, labels, inputs, classes })
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Never: a split holds at least one sample.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Pixels an image.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The label of sample `index`.
    pub fn label(&self, index: usize) -> u8 {
        self.labels[index]
    }

    /// Writes the samples `indices` into `batch`, pixels scaled to `[0, 1]`.
    pub fn gather(&self, indices: impl ExactSizeIterator<Item = usize>, batch: &mut Minibatch) {
        batch.images.clear();
        batch.labels.clear();
        batch.images.reserve(indices.len() * self.inputs);
        for index in indices {
            let row = &self.pixels[index * self.inputs..][..self.inputs];
            batch.images.extend(row.iter().map(|&pixel| f32::from(pixel) / 255.0));
            batch.labels.push(u32::from(self.labels[index]));
        }
    }
}

/// The training set and the test set.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// What gradients are taken of; the learners share it.
    pub train: Arc<Split>,
    /// What no gradient sees.
    pub test: Split,
}

/// The samples of one gradient, ready for an engine.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Minibatch {
    /// `[m, inputs]`, in `[0, 1]`.
    pub images: Vec<f32>,
    /// `[m]`, each below the number of classes.
    pub labels: Vec<u32>,
}

impl Minibatch {
    /// m, the number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }
}
