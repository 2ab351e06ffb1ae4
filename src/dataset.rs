//! Labelled images: what is read from disk, and which samples a minibatch takes.
//!
//! Knows no model, no device and no learner's schedule.

mod candidates;
mod digests;
pub mod idx;
pub mod minibatches;
pub mod mnist;

use std::sync::Arc;

pub use self::digests::Digests;
pub(crate) use self::digests::sha256;
use crate::{
    Error, Result,
    share::{share, threads},
};

/// Images that a core gathers at a time.
const GATHERED: usize = 16;
/// Pixels from which waking other cores pays.
const SHARED_FROM: usize = 200_000;

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

    /// Its first `samples` samples, or all if there are not as many.
    ///
    /// # Panics
    /// If that is none.
    #[must_use]
    pub fn first(&self, samples: usize) -> Self {
        assert!(samples > 0, "a split holds at least one sample");
        let samples = samples.min(self.len());
        let pixels = self.pixels[..samples * self.inputs].to_vec();
        Self { pixels, labels: self.labels[..samples].to_vec(), ..*self }
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

    /// The samples from `start` on, at most `samples` of them: their pixels and their labels.
    pub(crate) fn portion(&self, start: usize, samples: usize) -> (&[u8], &[u8]) {
        let end = self.len().min(start + samples);
        (&self.pixels[start * self.inputs..end * self.inputs], &self.labels[start..end])
    }

    /// Writes the samples `indices` into `batch`, pixels scaled to `[0, 1]`.
    pub fn gather(&self, indices: impl ExactSizeIterator<Item = usize>, batch: &mut Minibatch) {
        let indices: Vec<_> = indices.collect();
        batch.labels.clear();
        batch.labels.extend(indices.iter().map(|&index| u32::from(self.labels[index])));
        batch.images.resize(indices.len() * self.inputs, 0.0);
        let alone = batch.images.len() < SHARED_FROM;
        let images = batch.images.chunks_mut(GATHERED * self.inputs);
        let portions = images.zip(indices.chunks(GATHERED));
        let mut workers = vec![Vec::new(); if alone { 1 } else { threads() }];
        share(&mut workers, portions, |bytes, (images, indices)| {
            // Bytes first: memory then fetches several images at once.
            bytes.clear();
            for &index in indices {
                bytes.extend_from_slice(&self.pixels[index * self.inputs..][..self.inputs]);
            }
            images.iter_mut().zip(&*bytes).for_each(|(image, &pixel)| *image = scaled(pixel));
        });
    }
}

/// `pixel` / 255 to the last bit, by what is faster than a division: `pixel` times the upper bits of
/// 1/255 is exact, so that only the sum is rounded.
fn scaled(pixel: u8) -> f32 {
    const UPPER: f32 = f32::from_bits((1.0_f32 / 255.0).to_bits() & !0xff);
    const LOWER: f32 = (1.0 / 255.0 - UPPER as f64) as f32;
    f32::from(pixel) * UPPER + f32::from(pixel) * LOWER
}

/// The training set and the test set.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// What gradients are taken of; the learners share it.
    pub train: Arc<Split>,
    /// What no gradient sees; test losses and accuracies are over it.
    pub test: Split,
}

/// The samples of one gradient, ready for an engine.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Minibatch {
    /// Pixels `[m, inputs]`, image after image, in `[0, 1]`.
    pub images: Vec<f32>,
    /// Labels `[m]`, each below the number of classes.
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
