//! What each kernel is checked on: ragged shapes, and inputs that have gone wrong elsewhere.

use super::{Case, Numbers, Output};
use crate::{
    Result,
    engine::{
        gpu::kernels::{
            Dense, DenseInputGradient, DenseWeightGradient, Kernel, SoftmaxCrossEntropy,
        },
        host::kernels as host,
    },
};

/// Rows, inputs, outputs: one, just below, at and just above a tile, and the sizes of MNIST; then,
/// for both shapes of tile of the tiled family and about where one gives way to the other, sums
/// that are shorter than the parts they are dealt out into, or go round and do not come out even.
const DENSE: [[u32; 3]; 18] = [
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
const SOFTMAX: [(u32, u32, Logits); 15] = [
    (1, 1, Logits::Uniform(3.0)),
    (1, 10, Logits::Uniform(3.0)),
    (7, 2, Logits::Uniform(3.0)),
    (63, 10, Logits::Uniform(3.0)),
    (64, 63, Logits::Uniform(3.0)),
    (65, 64, Logits::Uniform(10.0)),
    (785, 10, Logits::Uniform(3.0)),
    (65, 1000, Logits::Uniform(3.0)),
    (7, 1000, Logits::Uniform(1e4)),
    (65, 10, Logits::Uniform(1e4)),
    (65, 10, Logits::Near(1e4)),
    (65, 10, Logits::Near(-1e4)),
    (7, 10, Logits::Equal(0.0)),
    (65, 10, Logits::Equal(1e4)),
    (65, 10, Logits::Ties),
];

#[derive(Debug, Clone, Copy)]
enum Logits {
    /// Uniform on ± this.
    Uniform(f32),
    /// Uniform on ±1 around this.
    Near(f32),
    /// All of them this.
    Equal(f32),
    /// Whole numbers from -2 to 2, so that the largest is often there twice.
    Ties,
}

/// Makes the cases of a kernel, one at a time, and hands them to `take`.
pub(super) fn each(kernel: &Kernel, take: &mut dyn FnMut(Case) -> Result<()>) -> Result<()> {
    if kernel.name == "softmax_cross_entropy" {
        let mut cases = SOFTMAX.into_iter().enumerate();
        return cases.try_for_each(|(at, case)| take(softmax_cross_entropy(at, case)));
    }
    let make = product(kernel);
    DENSE.into_iter().enumerate().try_for_each(|(at, sizes)| take(make(at, sizes)))
}

/// One case of a kernel, of these rows, inputs and outputs, on the most ordinary numbers.
pub(super) fn ordinary(kernel: &Kernel, sizes: [u32; 3]) -> Case {
    match kernel.name {
        "softmax_cross_entropy" => {
            let [rows, _, classes] = sizes;
            softmax_cross_entropy(0, (rows, classes, Logits::Uniform(3.0)))
        }
        _ => product(kernel)(0, sizes),
    }
}

/// What makes cases of a kernel that is a matrix product.
fn product(kernel: &Kernel) -> fn(usize, [u32; 3]) -> Case {
    match kernel.name {
        "dense" => dense,
        "dense_input_gradient" => dense_input_gradient,
        "dense_weight_gradient" => dense_weight_gradient,
        name => unreachable!("kernel {name} has no cases"),
    }
}

fn dense(at: usize, [rows, inputs, outputs]: [u32; 3]) -> Case {
    let mut numbers = Numbers::new(at as u64);
    let args = Dense { rows, inputs, outputs, relu: (at % 2) as u32 };
    let x = numbers.floats(rows * inputs, 1.0);
    let params = numbers.floats((inputs + 1) * outputs, 1.0);
    let mut y = vec![0.0; (rows * outputs) as usize];
    host::dense(&args, &wide(&x), &wide(&params), &mut y);
    let shape = format!("rows {rows}, inputs {inputs}, outputs {outputs}, relu {}", args.relu);
    let inputs = vec![(inputs, bits(&x)), (outputs, bits(&params))];
    Case::new(at, shape, args, inputs, vec![(outputs, Output::Floats(y))])
}

fn dense_input_gradient(at: usize, [rows, inputs, outputs]: [u32; 3]) -> Case {
    let mut numbers = Numbers::new(at as u64);
    let args = DenseInputGradient { rows, inputs, outputs };
    let dy = numbers.floats(rows * outputs, 1.0);
    let params = numbers.floats((inputs + 1) * outputs, 1.0);
    // As a ReLU leaves them: half of them zero.
    let x: Vec<_> = numbers.floats(rows * inputs, 1.0).iter().map(|x| x.max(0.0)).collect();
    let mut dx = vec![0.0; x.len()];
    host::dense_input_gradient(&args, &wide(&dy), &wide(&params), &wide(&x), &mut dx);
    let shape = format!("rows {rows}, inputs {inputs}, outputs {outputs}");
    let expected = vec![(inputs, Output::Floats(dx))];
    let inputs = vec![(outputs, bits(&dy)), (outputs, bits(&params)), (inputs, bits(&x))];
    Case::new(at, shape, args, inputs, expected)
}

fn dense_weight_gradient(at: usize, [rows, inputs, outputs]: [u32; 3]) -> Case {
    let mut numbers = Numbers::new(at as u64);
    let l2 = if at.is_multiple_of(2) { 0.0 } else { 0.3 };
    let args = DenseWeightGradient { rows, inputs, outputs, l2 };
    let x = numbers.floats(rows * inputs, 1.0);
    let dy = numbers.floats(rows * outputs, 1.0);
    let params = numbers.floats((inputs + 1) * outputs, 1.0);
    let mut dparams = vec![0.0; params.len()];
    host::dense_weight_gradient(&args, &wide(&x), &wide(&dy), &wide(&params), &mut dparams);
    let shape = format!("rows {rows}, inputs {inputs}, outputs {outputs}, l2 {l2}");
    let inputs = vec![(inputs, bits(&x)), (outputs, bits(&dy)), (outputs, bits(&params))];
    Case::new(at, shape, args, inputs, vec![(outputs, Output::Floats(dparams))])
}

fn softmax_cross_entropy(at: usize, (rows, classes, kind): (u32, u32, Logits)) -> Case {
    let mut numbers = Numbers::new(at as u64);
    let args = SoftmaxCrossEntropy { rows, classes };
    let mut logits = numbers.floats(rows * classes, 1.0);
    for logit in &mut logits {
        *logit = match kind {
            Logits::Uniform(size) => size * *logit,
            Logits::Near(centre) => centre + *logit,
            Logits::Equal(value) => value,
            Logits::Ties => (2.4 * *logit).round(),
        };
    }
    let labels = numbers.below(rows, classes);
    let length = rows as usize;
    let (mut losses, mut hits) = (vec![0.0; length], vec![0; length]);
    let mut dlogits = vec![0.0; logits.len()];
    host::softmax_cross_entropy(
        &args,
        &wide(&logits),
        &labels,
        &mut losses,
        &mut hits,
        &mut dlogits,
    );
    let shape = format!("rows {rows}, classes {classes}, logits {kind:?}");
    let outputs = vec![
        (1, Output::Floats(losses)),
        (1, Output::Integers(hits)),
        (classes, Output::Floats(dlogits)),
    ];
    Case::new(at, shape, args, vec![(classes, bits(&logits)), (1, labels)], outputs)
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().copied().map(f32::to_bits).collect()
}
