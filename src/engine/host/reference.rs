//! A whole gradient in f64, put together from the twins of the shaders: what engines are held to.

use crate::{
    dataset::Minibatch,
    engine::{
        kernels::{Dense, DenseInputGradient, DenseWeightGradient, SoftmaxCrossEntropy, twins},
        model::Model,
    },
};

/// Loss (mean softmax cross-entropy + L2 ||W||_F^2) and its gradient over a minibatch.
///
/// `params` and the gradient are flat, as the model lays them out.
///
/// # Panics
/// If the lengths do not fit the model or a label is not below the number of classes.
pub fn loss_and_gradient(model: &Model, params: &[f64], batch: &Minibatch) -> (f64, Vec<f64>) {
    let forward = Forward::new(model, params, batch);
    let rows = batch.len() as u32;
    let mut gradient = vec![0.0; model.params()];
    let mut dy = forward.dlogits;
    for (layer, x) in model.layers().iter().zip(&forward.inputs).rev() {
        let [inputs, outputs] = [layer.inputs as u32, layer.outputs as u32];
        let args = DenseWeightGradient { rows, inputs, outputs, l2: model.l2() };
        let params = &params[layer.params()];
        twins::dense_weight_gradient(&args, x, &dy, params, &mut gradient[layer.params()]);
        if layer.params().start > 0 {
            let args = DenseInputGradient { rows, inputs, outputs };
            let mut dx = vec![0.0; x.len()];
            twins::dense_input_gradient(&args, &dy, params, x, &mut dx);
            dy = dx;
        }
    }
    (forward.loss, gradient)
}

/// Loss and how many samples have their largest logit at their label, over a minibatch.
///
/// # Panics
/// As [`loss_and_gradient`].
pub fn evaluate(model: &Model, params: &[f64], batch: &Minibatch) -> (f64, usize) {
    let forward = Forward::new(model, params, batch);
    (forward.loss, forward.hits)
}

struct Forward {
    /// What each layer is given.
    inputs: Vec<Vec<f64>>,
    loss: f64,
    hits: usize,
    dlogits: Vec<f64>,
}

impl Forward {
    fn new(model: &Model, params: &[f64], batch: &Minibatch) -> Self {
        let rows = batch.len();
        let mut inputs = Vec::with_capacity(model.layers().len());
        let mut x: Vec<f64> = batch.features.iter().copied().map(f64::from).collect();
        for layer in model.layers() {
            let mut y = vec![0.0; rows * layer.outputs];
            let args = Dense {
                rows: rows as u32,
                inputs: layer.inputs as u32,
                outputs: layer.outputs as u32,
                relu: layer.relu.into(),
            };
            twins::dense(&args, &x, &params[layer.params()], &mut y);
            inputs.push(std::mem::replace(&mut x, y));
        }
        let args = SoftmaxCrossEntropy { rows: rows as u32, classes: model.classes() as u32 };
        let (mut losses, mut hits) = (vec![0.0; rows], vec![0; rows]);
        let mut dlogits = vec![0.0; x.len()];
        twins::softmax_cross_entropy(
            &args,
            &x,
            &batch.labels,
            &mut losses,
            &mut hits,
            &mut dlogits,
        );
        let weights = model.layers().iter().flat_map(|layer| &params[layer.weight()]);
        let penalty = f64::from(model.l2()) * weights.map(|w| w * w).sum::<f64>();
        Self {
            inputs,
            loss: losses.iter().sum::<f64>() / rows as f64 + penalty,
            hits: hits.iter().map(|&hit| hit as usize).sum(),
            dlogits,
        }
    }
}
