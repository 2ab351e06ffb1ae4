//! The twins of the shaders: same names, same order of arguments, sums in f64 and plain loops.
//!
//! Written to be compared with the WGSL line by line, and to be more exact than it, not fast.

use super::{Dense, DenseInputGradient, DenseWeightGradient, SoftmaxCrossEntropy};

/// Y = act(X W + b): `x` `[rows, inputs]`, `params` `[inputs + 1, outputs]`, `y` `[rows, outputs]`.
pub fn dense(args: &Dense, x: &[f64], params: &[f64], y: &mut [f64]) {
    let [rows, inputs, outputs] = sizes([args.rows, args.inputs, args.outputs]);
    for row in 0..rows {
        let y = &mut y[row * outputs..][..outputs];
        y.copy_from_slice(&params[inputs * outputs..]);
        for input in 0..inputs {
            let x = x[row * inputs + input];
            for output in 0..outputs {
                y[output] += x * params[input * outputs + output];
            }
        }
        if args.relu != 0 {
            for y in y.iter_mut().filter(|y| **y < 0.0) {
                *y = 0.0;
            }
        }
    }
}

/// p = softmax(logits); loss = -log p\[label\]; dlogits = (p - onehot(label)) / rows.
///
/// `logits` and `dlogits` `[rows, classes]`, all others `[rows]`; `hits` is 1 where the largest
/// logit is at the label, and the first of equals counts.
pub fn softmax_cross_entropy(
    args: &SoftmaxCrossEntropy,
    logits: &[f64],
    labels: &[u32],
    losses: &mut [f64],
    hits: &mut [u32],
    dlogits: &mut [f64],
) {
    let [rows, classes] = sizes([args.rows, args.classes]);
    for row in 0..rows {
        let logits = &logits[row * classes..][..classes];
        let dlogits = &mut dlogits[row * classes..][..classes];
        let label = labels[row] as usize;

        let mut guess = 0;
        for class in 1..classes {
            if logits[class] > logits[guess] {
                guess = class;
            }
        }
        let largest = logits[guess];
        let sum: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
        losses[row] = (largest - logits[label]) + sum.ln();
        hits[row] = u32::from(guess == label);
        for class in 0..classes {
            let onehot = if class == label { 1.0 } else { 0.0 };
            dlogits[class] = ((logits[class] - largest).exp() / sum - onehot) / rows as f64;
        }
    }
}

/// dX = dY W^T where X > 0, and 0 elsewhere: `dy` `[rows, outputs]`, `params`
/// `[inputs + 1, outputs]`, `x` and `dx` `[rows, inputs]`.
pub fn dense_input_gradient(
    args: &DenseInputGradient,
    dy: &[f64],
    params: &[f64],
    x: &[f64],
    dx: &mut [f64],
) {
    let [rows, inputs, outputs] = sizes([args.rows, args.inputs, args.outputs]);
    for row in 0..rows {
        let dy = &dy[row * outputs..][..outputs];
        for input in 0..inputs {
            let w = &params[input * outputs..][..outputs];
            let sum = dy.iter().zip(w).map(|(dy, w)| dy * w).sum();
            let at = row * inputs + input;
            dx[at] = if x[at] > 0.0 { sum } else { 0.0 };
        }
    }
}

/// dW = X^T dY + 2 L2 W and db = column sums of dY: `x` `[rows, inputs]`, `dy` `[rows, outputs]`,
/// `params` and `dparams` `[inputs + 1, outputs]`.
pub fn dense_weight_gradient(
    args: &DenseWeightGradient,
    x: &[f64],
    dy: &[f64],
    params: &[f64],
    dparams: &mut [f64],
) {
    let [rows, inputs, outputs] = sizes([args.rows, args.inputs, args.outputs]);
    for input in 0..=inputs {
        let dparams = &mut dparams[input * outputs..][..outputs];
        for output in 0..outputs {
            let decay = if input < inputs { 2.0 * f64::from(args.l2) } else { 0.0 };
            dparams[output] = decay * params[input * outputs + output];
        }
        for row in 0..rows {
            let x = if input < inputs { x[row * inputs + input] } else { 1.0 };
            for output in 0..outputs {
                dparams[output] += x * dy[row * outputs + output];
            }
        }
    }
}

fn sizes<const N: usize>(sizes: [u32; N]) -> [usize; N] {
    sizes.map(|size| size as usize)
}
