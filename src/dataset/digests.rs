//! What tells one data set from another, wherever it lies and however it is packed.

use std::thread;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Dataset, Split};

/// SHA-256 of each part of a data set as it was loaded, in lower-case hexadecimal: of pixels, image
/// after image, and of labels, a byte each.
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
        let of = |split: &Split| [&split.pixels, &split.labels].map(|bytes| sha256(bytes));
        let (train, test) = thread::scope(|scope| {
            let test = scope.spawn(|| of(&self.test));
            (of(&self.train), test.join().expect("a digest is computed without a panic"))
        });
        let ([train_images, train_labels], [test_images, test_labels]) = (train, test);
        Digests { train_images, train_labels, test_images, test_labels }
    }
}

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
