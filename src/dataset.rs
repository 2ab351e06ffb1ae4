//! Labelled samples: what is read from disk, and which of them a minibatch takes.
//!
//! Knows no model, no device and no learner's schedule.

mod candidates;
mod digests;
pub mod idx;
pub mod minibatches;
pub mod mnist;
pub mod shards;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::digests::Digests;
pub(crate) use self::digests::sha256;
use crate::{
    Error, Result,
    share::{share, threads},
};

/// Samples that a core gathers at a time.
const GATHERED: usize = 16;
/// Features from which waking other cores pays.
const SHARED_FROM: usize = 200_000;
/// What a byte of an image is divided by.
const WHITE: f32 = 255.0;

/// What the samples of a split look like: the same number of features each, sample after sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Features {
    /// Each is a byte over `scale`, such as a pixel over 255; they stay bytes in memory.
    Bytes {
        /// The bytes.
        values: Vec<u8>,
        /// What stands for 1.
        scale: f32,
    },
    /// Each is a number of its own.
    Floats(Vec<f32>),
}

impl Features {
    /// Features that are `values` over `scale`: to the last bit for whole scales up to 4096, else
    /// within a unit in the last place.
    pub fn bytes(values: Vec<u8>, scale: f32) -> Self {
        Self::Bytes { values, scale }
    }

    /// Features that are these numbers.
    pub fn floats(values: Vec<f32>) -> Self {
        Self::Floats(values)
    }

    fn len(&self) -> usize {
        match self {
            Self::Bytes { values, .. } => values.len(),
            Self::Floats(values) => values.len(),
        }
    }

    fn check(&self) -> Result<()> {
        match self {
            Self::Bytes { scale, .. } => Scale::new(*scale).map(drop),
            Self::Floats(values) => all_finite("feature", values),
        }
    }
}

/// What is to be learned of each sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Labels {
    /// Which of several classes it belongs to.
    Classes {
        /// One a sample, each below `classes`.
        values: Vec<u32>,
        /// How many classes there are.
        classes: usize,
    },
    /// A number.
    Numbers(Vec<f32>),
}

impl Labels {
    /// Labels that are classes, each below `classes`.
    pub fn classes(values: Vec<u32>, classes: usize) -> Self {
        Self::Classes { values, classes }
    }

    /// Labels that are numbers, for a regression.
    pub fn numbers(values: Vec<f32>) -> Self {
        Self::Numbers(values)
    }

    /// The class of each sample; none where labels are numbers.
    pub fn of_classes(&self) -> Option<&[u32]> {
        match self {
            Self::Classes { values, .. } => Some(values),
            Self::Numbers(_) => None,
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Classes { values, .. } => values.len(),
            Self::Numbers(values) => values.len(),
        }
    }

    fn check(&self) -> Result<()> {
        match self {
            Self::Classes { values, classes } => {
                match values.iter().position(|&label| label as usize >= *classes) {
                    None => Ok(()),
                    Some(at) => {
                        let label = values[at];
                        Err(Error::config(format!("label {label} at {at} is not below {classes}")))
                    }
                }
            }
            Self::Numbers(values) => all_finite("label", values),
        }
    }
}

fn all_finite(what: &str, values: &[f32]) -> Result<()> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Error::config(format!("{what} {} at {at} is not finite", values[at]))),
    }
}

/// Labelled samples: the training set or the test set.
#[derive(Debug, Clone, PartialEq)]
pub struct Split {
    features: Features,
    labels: Labels,
    inputs: usize,
}

impl Split {
    /// Samples of `inputs` features each: `features` `[n, inputs]` with `labels` `[n]`.
    ///
    /// # Errors
    /// [`Error::Config`] where the lengths do not fit, a class is not below their number, a number is
    /// not finite, or a scale is none to divide by.
    pub fn new(features: Features, labels: Labels, inputs: usize) -> Result<Self> {
        if inputs == 0 || labels.len() == 0 {
            return Err(Error::config(
                "a data set needs at least one sample of at least one feature",
            ));
        }
        if labels.len().checked_mul(inputs) != Some(features.len()) {
            let (values, labels) = (features.len(), labels.len());
            return Err(Error::config(format!(
                "{values} values are not {inputs} for each of {labels} labels"
            )));
        }
        features.check()?;
        labels.check()?;
        Ok(Self { features, labels, inputs })
    }

    /// Images of `inputs` pixels each, 0 to 255 for 0 to 1, with the class of each.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn images(pixels: Vec<u8>, labels: Vec<u8>, inputs: usize, classes: usize) -> Result<Self> {
        let labels = labels.into_iter().map(u32::from).collect();
        Self::new(Features::bytes(pixels, WHITE), Labels::classes(labels, classes), inputs)
    }

    /// Its first `samples` samples, or all if there are not as many.
    ///
    /// # Panics
    /// If that is none.
    #[must_use]
    pub fn first(&self, samples: usize) -> Self {
        assert!(samples > 0, "a split holds at least one sample");
        let all: Vec<usize> = (0..samples.min(self.len())).collect();
        self.picked(&all)
    }

    /// Those samples, in this order.
    ///
    /// # Panics
    /// If there are none, or there is no such sample.
    #[must_use]
    pub fn picked(&self, samples: &[usize]) -> Self {
        fn of<T: Copy>(values: &[T], each: usize, samples: &[usize]) -> Vec<T> {
            let one = |&at: &usize| &values[at * each..(at + 1) * each];
            samples.iter().flat_map(one).copied().collect()
        }
        assert!(!samples.is_empty(), "a split holds at least one sample");
        let inputs = self.inputs;
        let features = match &self.features {
            Features::Bytes { values, scale } => {
                Features::bytes(of(values, inputs, samples), *scale)
            }
            Features::Floats(values) => Features::floats(of(values, inputs, samples)),
        };
        let labels = match &self.labels {
            Labels::Classes { values, classes } => {
                Labels::classes(of(values, 1, samples), *classes)
            }
            Labels::Numbers(values) => Labels::numbers(of(values, 1, samples)),
        };
        Self { features, labels, inputs }
    }

    /// n, the number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Never: a split holds at least one sample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Features a sample.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of classes; none where labels are numbers.
    pub fn classes(&self) -> Option<usize> {
        match self.labels {
            Labels::Classes { classes, .. } => Some(classes),
            Labels::Numbers(_) => None,
        }
    }

    /// The features of all samples.
    pub fn features(&self) -> &Features {
        &self.features
    }

    /// The labels of all samples.
    pub fn labels(&self) -> &Labels {
        &self.labels
    }

    /// The class of sample `index`.
    ///
    /// # Panics
    /// If there is no such sample, or labels are numbers.
    pub fn class(&self, index: usize) -> u32 {
        match &self.labels {
            Labels::Classes { values, .. } => values[index],
            Labels::Numbers(_) => panic!("labels are numbers, and no classes"),
        }
    }

    /// Writes the features and classes of the samples `indices` into `batch`.
    ///
    /// # Panics
    /// If there is no such sample, or labels are numbers.
    pub fn gather(&self, indices: impl ExactSizeIterator<Item = usize>, batch: &mut Minibatch) {
        let indices: Vec<_> = indices.collect();
        batch.labels.clear();
        batch.labels.extend(indices.iter().map(|&index| self.class(index)));
        self.gather_features(&indices, &mut batch.features);
    }

    /// Writes the features of the samples `indices` into `features` `[indices, inputs]`.
    ///
    /// # Panics
    /// If there is no such sample.
    pub fn gather_features(&self, indices: &[usize], features: &mut Vec<f32>) {
        features.resize(indices.len() * self.inputs, 0.0);
        let workers = if features.len() < SHARED_FROM { 1 } else { threads() };
        let to = features.chunks_mut(GATHERED * self.inputs);
        let portions = to.zip(indices.chunks(GATHERED));
        match &self.features {
            Features::Bytes { values, scale } => {
                let scale = Scale::new(*scale).expect("it was checked when the split was made");
                let mut workers = vec![Vec::new(); workers];
                share(&mut workers, portions, |bytes, (to, indices)| {
                    // Bytes first: memory then fetches several samples at once.
                    bytes.clear();
                    for &index in indices {
                        bytes.extend_from_slice(self.of(values, index));
                    }
                    to.iter_mut().zip(&*bytes).for_each(|(to, &byte)| *to = scale.divide(byte));
                });
            }
            Features::Floats(values) => {
                share(&mut vec![(); workers], portions, |(), (to, indices)| {
                    for (to, &index) in to.chunks_exact_mut(self.inputs).zip(indices) {
                        to.copy_from_slice(self.of(values, index));
                    }
                });
            }
        }
    }

    /// What of the `values` of all samples is of sample `index`.
    fn of<'a, T>(&self, values: &'a [T], index: usize) -> &'a [T] {
        &values[index * self.inputs..][..self.inputs]
    }
}

/// Divides bytes by what is faster than a division: a byte times the upper bits of 1/scale is exact,
/// so that only the sum with what is left is rounded.
#[derive(Clone, Copy)]
struct Scale {
    upper: f32,
    lower: f32,
}

impl Scale {
    fn new(scale: f32) -> Result<Self> {
        let inverse = 1.0 / scale;
        if !(scale > 0.0 && inverse.is_normal() && (255.0 * inverse).is_finite()) {
            return Err(Error::config(format!("bytes cannot be scaled by 1/{scale}")));
        }
        let upper = f32::from_bits(inverse.to_bits() & !0xff);
        let lower = (1.0 / f64::from(scale) - f64::from(upper)) as f32;
        Ok(Self { upper, lower })
    }

    fn divide(self, byte: u8) -> f32 {
        f32::from(byte) * self.upper + f32::from(byte) * self.lower
    }
}

/// The training set and the test set; a clone shares them.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// What gradients are taken of.
    pub train: Arc<Split>,
    /// What no gradient sees; test losses and accuracies are over it.
    pub test: Arc<Split>,
}

/// A part of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The training set.
    Train,
    /// The test set.
    Test,
}

/// What an engine computes over: a training set, and a test set if it is to evaluate over one. Made of
/// a [`Dataset`], or of a training set alone.
#[derive(Debug, Clone)]
pub struct Splits {
    /// What gradients are taken of.
    pub train: Arc<Split>,
    /// What no gradient sees.
    pub test: Option<Arc<Split>>,
}

impl Splits {
    /// The split that is meant, where there is one.
    pub fn part(&self, part: Part) -> Option<&Arc<Split>> {
        match part {
            Part::Train => Some(&self.train),
            Part::Test => self.test.as_ref(),
        }
    }
}

impl From<&Dataset> for Splits {
    fn from(Dataset { train, test }: &Dataset) -> Self {
        Self { train: Arc::clone(train), test: Some(Arc::clone(test)) }
    }
}

impl From<&Arc<Split>> for Splits {
    fn from(train: &Arc<Split>) -> Self {
        Self { train: Arc::clone(train), test: None }
    }
}

impl From<Split> for Splits {
    fn from(train: Split) -> Self {
        Self { train: Arc::new(train), test: None }
    }
}

/// Samples with classes, gathered for a model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Minibatch {
    /// Features `[m, inputs]`, sample after sample.
    pub features: Vec<f32>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_over_whole_scales_are_quotients_to_the_last_bit() {
        for scale in 1..=4096 {
            let scale = scale as f32;
            let by = Scale::new(scale).unwrap();
            for byte in 0..=u8::MAX {
                let quotient = f32::from(byte) / scale;
                assert_eq!(by.divide(byte).to_bits(), quotient.to_bits(), "{byte} / {scale}");
            }
        }
    }

    #[test]
    fn bytes_over_any_scale_are_quotients_but_for_rounding() {
        for scale in [1e-30_f32, 0.3, 1.7, 254.999, 1e5, 3.3e30] {
            let by = Scale::new(scale).unwrap();
            for byte in 0..=u8::MAX {
                let quotient = f32::from(byte) / scale;
                let off = by.divide(byte).to_bits().abs_diff(quotient.to_bits());
                assert!(off <= 1, "{byte} / {scale}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let bytes = |count, scale| Features::bytes(vec![1; count], scale);
        let classes = || Labels::classes(vec![0, 2], 3);
        let refused = |features, labels, inputs| {
            Split::new(features, labels, inputs).unwrap_err().to_string()
        };
        for scale in [0.0, -1.0, f32::NAN, f32::INFINITY, 1e-40, 1e-38] {
            let said = refused(bytes(4, scale), classes(), 2);
            assert!(said.contains("cannot be scaled"), "{scale}: {said}");
        }
        let cases = [
            (bytes(3, 1.0), classes(), 2, "3 values are not 2 for each of 2 labels"),
            (bytes(0, 1.0), classes(), 0, "at least one feature"),
            (bytes(0, 1.0), Labels::numbers(Vec::new()), 2, "at least one sample"),
            (bytes(2, 1.0), Labels::classes(vec![0, 3], 3), 1, "label 3 at 1 is not below 3"),
            (
                bytes(2, 1.0),
                Labels::numbers(vec![0.0, f32::NAN]),
                1,
                "label NaN at 1 is not finite",
            ),
            (Features::floats(vec![f32::INFINITY, 1.0]), classes(), 1, "feature inf at 0"),
        ];
        for (features, labels, inputs, why) in cases {
            let said = refused(features, labels, inputs);
            assert!(said.contains(why), "{said}");
        }
    }

    #[test]
    fn the_first_samples_are_those_of_the_whole_whatever_their_kind() {
        let values: Vec<u8> = (0..12).collect();
        let floats = values.iter().map(|&byte| f32::from(byte)).collect();
        let kinds = [
            (Features::bytes(values, 1.0), Labels::classes(vec![3, 1, 0, 2], 4)),
            (Features::floats(floats), Labels::numbers(vec![3.0, 1.0, 0.0, 2.0])),
        ];
        for (features, labels) in kinds {
            let all = Split::new(features, labels, 3).unwrap();
            let first = all.first(2);
            let (mut of_all, mut of_first) = (Vec::new(), Vec::new());
            all.gather_features(&[1, 0], &mut of_all);
            first.gather_features(&[1, 0], &mut of_first);
            assert_eq!((first.len(), &of_first), (2, &of_all));
            assert_eq!(of_first, [3.0, 4.0, 5.0, 0.0, 1.0, 2.0]);
            let picked = all.picked(&[3, 1]);
            picked.gather_features(&[0, 1], &mut of_first);
            assert_eq!(of_first, [9.0, 10.0, 11.0, 3.0, 4.0, 5.0]);
            assert_eq!((first.classes(), all.first(9)), (all.classes(), all));
        }
    }
}
