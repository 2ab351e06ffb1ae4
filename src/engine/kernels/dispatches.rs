//! What a gradient and an evaluation run: kernels in their order, and what they are bound to.
//!
//! Plain data, made without a device.

use super::{
    Arguments, Binding, Dense, DenseInputGradient, DenseWeightGradient, SoftmaxCrossEntropy,
};
use crate::engine::model::{Layer, Model};

/// A matrix or vector that kernels share. Layers are counted from the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Matrix {
    /// X of the first layer.
    Images,
    /// The label of each image.
    Labels,
    /// W of a layer, and b as one more row.
    Params(usize),
    /// Y of a layer, which is X of the next.
    Y(usize),
    /// The loss of each image.
    Losses,
    /// Whether the largest logit of each image is at its label.
    Hits,
    /// The gradient of the mean loss by Y of a layer.
    Dy(usize),
    /// The same by the layer's parameters.
    Dparams(usize),
}

/// A kernel with its arguments and what it is bound to.
#[derive(Debug, Clone)]
pub struct Dispatch {
    /// The arguments, and so the kernel.
    pub args: Arguments,
    /// In the order of the kernel's bindings, its arguments left out.
    pub matrices: Vec<Matrix>,
}

/// Dispatches in their order, and what of their results the host reads.
#[derive(Debug, Clone)]
pub struct Dispatches {
    /// What they compute together, in a word.
    pub what: &'static str,
    /// What to run.
    pub list: Vec<Dispatch>,
    /// What the host reads.
    pub results: Vec<Matrix>,
}

impl Dispatches {
    /// The losses of `rows` images, and their hits.
    pub fn of_evaluation(model: &Model, rows: usize) -> Self {
        let results = vec![Matrix::Losses, Matrix::Hits];
        Self { what: "evaluation", list: forward(model, rows), results }
    }

    /// The losses of `rows` images, and the gradient of their mean, layer after layer.
    pub fn of_gradient(model: &Model, rows: usize) -> Self {
        let mut list = forward(model, rows);
        list.extend(backward(model, rows));
        let layers = 0..model.layers().len();
        let results = [Matrix::Losses].into_iter().chain(layers.map(Matrix::Dparams)).collect();
        Self { what: "gradient", list, results }
    }

    /// Each matrix with its rows and columns wherever it is bound, and as what it is bound there.
    pub fn shapes(&self) -> impl Iterator<Item = (Matrix, &'static Binding, [usize; 2])> {
        self.list.iter().flat_map(|Dispatch { args, matrices }| {
            let bound = matrices.iter().zip(&args.kernel().bindings[1..]);
            bound.map(|(&matrix, binding)| {
                (matrix, binding, args.shape(binding).map(|size| size as usize))
            })
        })
    }
}

/// From the images to their losses.
fn forward(model: &Model, rows: usize) -> Vec<Dispatch> {
    let mut list = Vec::new();
    for (at, layer) in model.layers().iter().enumerate() {
        let [rows, inputs, outputs] = sizes(rows, layer);
        list.push(Dispatch {
            args: Dense { rows, inputs, outputs, relu: layer.relu.into() }.into(),
            matrices: vec![x(at), Matrix::Params(at), Matrix::Y(at)],
        });
    }
    let last = model.layers().len() - 1;
    let [rows, classes] = [rows, model.classes()].map(|size| size as u32);
    let [logits, dlogits] = [Matrix::Y(last), Matrix::Dy(last)];
    list.push(Dispatch {
        args: SoftmaxCrossEntropy { rows, classes }.into(),
        matrices: vec![logits, Matrix::Labels, Matrix::Losses, Matrix::Hits, dlogits],
    });
    list
}

/// From the last layer to the first: the gradient by the weights, and by the input where there is a
/// layer before.
fn backward(model: &Model, rows: usize) -> Vec<Dispatch> {
    let mut list = Vec::new();
    for (at, layer) in model.layers().iter().enumerate().rev() {
        let [rows, inputs, outputs] = sizes(rows, layer);
        let [dy, params] = [Matrix::Dy(at), Matrix::Params(at)];
        list.push(Dispatch {
            args: DenseWeightGradient { rows, inputs, outputs, l2: model.l2() }.into(),
            matrices: vec![x(at), dy, params, Matrix::Dparams(at)],
        });
        if at > 0 {
            list.push(Dispatch {
                args: DenseInputGradient { rows, inputs, outputs }.into(),
                matrices: vec![dy, params, x(at), Matrix::Dy(at - 1)],
            });
        }
    }
    list
}

/// What a layer is given.
fn x(layer: usize) -> Matrix {
    if layer == 0 { Matrix::Images } else { Matrix::Y(layer - 1) }
}

fn sizes(rows: usize, layer: &Layer) -> [u32; 3] {
    [rows, layer.inputs, layer.outputs].map(|size| size as u32)
}
