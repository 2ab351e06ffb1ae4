//! What each kernel is checked on: ragged shapes, and inputs that have gone wrong elsewhere.
//!
//! Numbers come from a named seed, so a failure comes back.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Case, Dense, DenseInputGradient, DenseWeightGradient, SoftmaxCrossEntropy};

/// Rows, inputs, outputs: one, just below, at and just above a tile, and the sizes of MNIST; then,
/// for both shapes of tile of the tiled family and about where one gives way to the other, sums
/// that are shorter than the parts they are dealt out into, or go round and do not come out even.
pub(super) static PRODUCTS: [[u32; 3]; 18] = [
    [1, 1, 1],
    [1, 785, 10],
    [7, 1, 63],
    [7, 63, 65],
    [31, 33, 32],
    [32, 784, 128],
    [33, 15, 17],
    [63, 64, 65],
    [64, 65, 63],
    [65, 7, 64],
    [65, 785, 7],
    [785, 1, 1],
    [1, 16, 785],
    [1000, 128, 10],
    [127, 35, 250],
    [263, 70, 120],
    [70, 250, 120],
    [144, 143, 224],
];

/// Rows and classes, and what the logits are like.
pub(super) static LOGITS: [Logits; 15] = [
    Logits(1, 1, Like::Uniform(3.0)),
    Logits(1, 10, Like::Uniform(3.0)),
    Logits(7, 2, Like::Uniform(3.0)),
    Logits(63, 10, Like::Uniform(3.0)),
    Logits(64, 63, Like::Uniform(3.0)),
    Logits(65, 64, Like::Uniform(10.0)),
    Logits(785, 10, Like::Uniform(3.0)),
    Logits(65, 1000, Like::Uniform(3.0)),
    Logits(7, 1000, Like::Uniform(1e4)),
    Logits(65, 10, Like::Uniform(1e4)),
    Logits(65, 10, Like::Near(1e4)),
    Logits(65, 10, Like::Near(-1e4)),
    Logits(7, 10, Like::Equal(0.0)),
    Logits(65, 10, Like::Equal(1e4)),
    Logits(65, 10, Like::Ties),
];

#[derive(Debug, Clone, Copy)]
pub(super) struct Logits(u32, u32, Like);

impl From<[u32; 3]> for Logits {
    fn from([rows, _, classes]: [u32; 3]) -> Self {
        Self(rows, classes, Like::Uniform(3.0))
    }
}

#[derive(Debug, Clone, Copy)]
enum Like {
    /// Uniform on ± this.
    Uniform(f32),
    /// Uniform on ±1 around this.
    Near(f32),
    /// All of them this.
    Equal(f32),
    /// Whole numbers from -2 to 2, so that the largest is often there twice.
    Ties,
}

pub(super) fn dense(at: usize, [rows, inputs, outputs]: [u32; 3]) -> Case {
    let mut numbers = Numbers::new(at);
    let x = numbers.floats(rows * inputs);
    let params = numbers.floats((inputs + 1) * outputs);
    let relu = (at % 2) as u32;
    Case::new(at, Dense { rows, inputs, outputs, relu }, vec![bits(&x), bits(&params)])
}

pub(super) fn dense_input_gradient(at: usize, [rows, inputs, outputs]: [u32; 3]) -> Case {
    let mut numbers = Numbers::new(at);
    let dy = numbers.floats(rows * outputs);
    let params = numbers.floats((inputs + 1) * outputs);
    // As a ReLU leaves them: half of them zero.
    let x: Vec<_> = numbers.floats(rows * inputs).iter().map(|x| x.max(0.0)).collect();
    let args = DenseInputGradient { rows, inputs, outputs };
    Case::new(at, args, vec![bits(&dy), bits(&params), bits(&x)])
}

pub(super) fn dense_weight_gradient(at: usize, [rows, inputs, outputs]: [u32; 3]) -> Case {
    let mut numbers = Numbers::new(at);
    let x = numbers.floats(rows * inputs);
    let dy = numbers.floats(rows * outputs);
    let params = numbers.floats((inputs + 1) * outputs);
    let l2 = if at.is_multiple_of(2) { 0.0 } else { 0.3 };
    let args = DenseWeightGradient { rows, inputs, outputs, l2 };
    Case::new(at, args, vec![bits(&x), bits(&dy), bits(&params)])
}

pub(super) fn softmax_cross_entropy(at: usize, Logits(rows, classes, like): Logits) -> Case {
    let mut numbers = Numbers::new(at);
    let mut logits = numbers.floats(rows * classes);
    for logit in &mut logits {
        *logit = match like {
            Like::Uniform(size) => size * *logit,
            Like::Near(centre) => centre + *logit,
            Like::Equal(value) => value,
            Like::Ties => (2.4 * *logit).round(),
        };
    }
    let labels = numbers.below(rows, classes);
    let mut case =
        Case::new(at, SoftmaxCrossEntropy { rows, classes }, vec![bits(&logits), labels]);
    case.shape += &format!(", logits {like:?}");
    case
}

/// Numbers for one case, the same ones every time.
struct Numbers(ChaCha8Rng);

impl Numbers {
    fn new(case: usize) -> Self {
        Self(ChaCha8Rng::seed_from_u64(case as u64))
    }

    /// Uniform on ±1.
    fn floats(&mut self, count: u32) -> Vec<f32> {
        (0..count).map(|_| 2.0 * self.0.random::<f32>() - 1.0).collect()
    }

    /// `count` whole numbers below `bound`.
    fn below(&mut self, count: u32, bound: u32) -> Vec<u32> {
        (0..count).map(|_| self.0.random_range(0..bound)).collect()
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().copied().map(f32::to_bits).collect()
}
