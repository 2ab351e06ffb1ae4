//! What tells one data set from another, wherever it lies and however it is packed.

use std::thread;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Dataset, Features, Labels, Split};

/// SHA-256 of each part of a data set as it was loaded, in lower-case hexadecimal: of features, sample
/// after sample, and of labels. A pixel is a byte, a class too where there are at most 256 of them; what
/// else there is takes four, little endian.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the line above says what they are of")]
pub struct Digests {
    pub train_images: String,
    pub train_labels: String,
    pub test_images: String,
    pub test_labels: String,
}

impl Digests {
    /// What the first part that is another in `other` is called, and its digest in both.
    pub fn difference<'a>(&'a self, other: &'a Self) -> Option<(&'static str, &'a str, &'a str)> {
        let parts = |digests: &'a Self| {
            let Self { train_images, train_labels, test_images, test_labels } = digests;
            [train_images, train_labels, test_images, test_labels].map(String::as_str)
        };
        let names = ["training images", "training labels", "test images", "test labels"];
        let pairs = parts(self).into_iter().zip(parts(other));
        let mut all = names.into_iter().zip(pairs).map(|(name, (here, there))| (name, here, there));
        all.find(|(_, here, there)| here != there)
    }
}

impl Dataset {
    /// What tells it from another.
    pub fn digests(&self) -> Digests {
        let of = |split: &Split| [of_features(split.features()), of_labels(split.labels())];
        let (train, test) = thread::scope(|scope| {
            let test = scope.spawn(|| of(&self.test));
            (of(&self.train), test.join().expect("a digest is computed without a panic"))
        });
        let ([train_images, train_labels], [test_images, test_labels]) = (train, test);
        Digests { train_images, train_labels, test_images, test_labels }
    }
}

fn of_features(features: &Features) -> String {
    match features {
        Features::Bytes { values, .. } => sha256(values),
        Features::Floats(values) => sha256(&words(values, f32::to_le_bytes)),
    }
}

fn of_labels(labels: &Labels) -> String {
    match labels {
        Labels::Classes { values, classes: ..=256 } => {
            sha256(&values.iter().map(|&class| class as u8).collect::<Vec<_>>())
        }
        Labels::Classes { values, .. } => sha256(&words(values, u32::to_le_bytes)),
        Labels::Numbers(values) => sha256(&words(values, f32::to_le_bytes)),
    }
}

fn words<T: Copy>(values: &[T], bytes: fn(T) -> [u8; 4]) -> Vec<u8> {
    values.iter().flat_map(|&value| bytes(value)).collect()
}

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
