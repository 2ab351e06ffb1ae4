//! The host engine: f32 on all cores, through faer's matrix products. What stands in for an adapter
//! where there is none, and evaluates where the adapter is this same processor.

pub mod kernels;
pub mod reference;

use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};

use super::{
    Engine, Evaluation,
    model::{Layer, Model},
};
use crate::{
    Result,
    dataset::{Minibatch, Split},
};

/// Rows evaluated at a time.
const EVALUATION_ROWS: usize = 1000;
/// Multiplications from which waking other cores pays.
const PARALLEL_FROM: usize = 4_000_000;

/// Computes gradients on this machine's processor.
#[derive(Debug)]
pub struct Host {
    model: Model,
    params: Vec<f32>,
    penalty: f64,
    /// The output of each layer, `[m, outputs]`; the last are the logits, then dlogits.
    outputs: Vec<Vec<f32>>,
    /// The loss by the output of each layer but the last, `[m, outputs]`.
    doutputs: Vec<Vec<f32>>,
}

impl Host {
    /// An engine for `model`, at parameters zero.
    pub fn new(model: Model) -> Self {
        let layers = model.layers().len();
        let params = vec![0.0; model.params()];
        let buffers = || vec![Vec::new(); layers];
        Self { params, penalty: 0.0, outputs: buffers(), doutputs: buffers(), model }
    }

    fn forward(&mut self, images: &[f32], rows: usize) {
        for (at, layer) in self.model.layers().iter().enumerate() {
            let (before, after) = self.outputs.split_at_mut(at);
            let x = before.last().map_or(images, Vec::as_slice);
            let y = &mut after[0];
            y.clear();
            let bias = &self.params[layer.bias()];
            y.extend(std::iter::repeat_n(bias, rows).flatten());
            let x = matrix(&x[..rows * layer.inputs], rows, layer.inputs);
            let w = matrix(&self.params[layer.weight()], layer.inputs, layer.outputs);
            product(y, Accum::Add, x, w);
            if layer.relu {
                y.iter_mut().for_each(|value| *value = value.max(0.0));
            }
        }
    }

    /// From the logits of the last forward pass: the sum of losses and the hits; the logits become
    /// dlogits if `backward`.
    fn loss(&mut self, labels: &[u32], backward: bool) -> (f64, usize) {
        let classes = self.model.classes();
        let logits = self.outputs.last_mut().expect("a model has a layer");
        let scale = 1.0 / labels.len() as f32;
        let (mut sum, mut hits) = (0.0, 0);
        for (row, &label) in logits.chunks_exact_mut(classes).zip(labels) {
            let label = label as usize;
            let (mut guess, mut largest) = (0, row[0]);
            for (class, &logit) in row.iter().enumerate() {
                if logit > largest {
                    (guess, largest) = (class, logit);
                }
            }
            let all: f64 = row.iter().map(|&logit| f64::from(logit - largest).exp()).sum();
            sum += all.ln() + f64::from(largest - row[label]);
            hits += usize::from(guess == label);
            if backward {
                for logit in row.iter_mut() {
                    *logit = scale * (f64::from(*logit - largest).exp() / all) as f32;
                }
                row[label] -= scale;
            }
        }
        (sum, hits)
    }

    fn backward(&mut self, images: &[f32], rows: usize, gradient: &mut [f32]) {
        let last = self.model.layers().len() - 1;
        for (at, layer) in self.model.layers().iter().enumerate().rev() {
            let (before, from) = self.doutputs.split_at_mut(at);
            let dy = if at == last { &self.outputs[last] } else { &from[0] };
            let x = if at == 0 { images } else { &self.outputs[at - 1] };
            weight_gradient(layer, self.model.l2(), &self.params, x, dy, rows, gradient);
            if let Some(dx) = before.last_mut() {
                dx.resize(rows * layer.inputs, 0.0);
                let w = matrix(&self.params[layer.weight()], layer.inputs, layer.outputs);
                let dy = matrix(dy, rows, layer.outputs);
                product(dx, Accum::Replace, dy, w.transpose());
                for (dx, &x) in dx.iter_mut().zip(x) {
                    *dx = if x > 0.0 { *dx } else { 0.0 };
                }
            }
        }
    }
}

impl Engine for Host {
    fn load(&mut self, params: &[f32]) -> Result<()> {
        self.params.copy_from_slice(params);
        self.penalty = self.model.penalty(params);
        Ok(())
    }

    fn gradient(&mut self, batch: &Minibatch, gradient: &mut [f32]) -> Result<f32> {
        let rows = batch.len();
        self.forward(&batch.images, rows);
        let (sum, _) = self.loss(&batch.labels, true);
        self.backward(&batch.images, rows, gradient);
        Ok((sum / rows as f64 + self.penalty) as f32)
    }

    fn evaluate(&mut self, params: &[f32], split: &Split) -> Result<Evaluation> {
        self.load(params)?;
        let (mut batch, mut sum, mut hits) = (Minibatch::default(), 0.0, 0);
        for start in (0..split.len()).step_by(EVALUATION_ROWS) {
            split.gather(start..split.len().min(start + EVALUATION_ROWS), &mut batch);
            self.forward(&batch.images, batch.len());
            let (loss, right) = self.loss(&batch.labels, false);
            sum += loss;
            hits += right;
        }
        let samples = split.len() as f64;
        Ok(Evaluation { loss: sum / samples + self.penalty, accuracy: hits as f64 / samples })
    }
}

/// dW = X^T dY + 2 L2 W, and db = the column sums of dY, into the layer's part of `gradient`.
fn weight_gradient(
    layer: &Layer,
    l2: f32,
    params: &[f32],
    x: &[f32],
    dy: &[f32],
    rows: usize,
    gradient: &mut [f32],
) {
    let x = matrix(x, rows, layer.inputs);
    let dw = &mut gradient[layer.weight()];
    product(dw, Accum::Replace, x.transpose(), matrix(dy, rows, layer.outputs));
    if l2 != 0.0 {
        for (dw, w) in dw.iter_mut().zip(&params[layer.weight()]) {
            *dw += 2.0 * l2 * w;
        }
    }
    let db = &mut gradient[layer.bias()];
    db.fill(0.0);
    for dy in dy.chunks_exact(layer.outputs) {
        for (db, dy) in db.iter_mut().zip(dy) {
            *db += dy;
        }
    }
}

fn matrix(values: &[f32], rows: usize, columns: usize) -> MatRef<'_, f32> {
    MatRef::from_row_major_slice(values, rows, columns)
}

/// `to` = (`to` +) `left` `right`. Cores share the rows and columns of the result, never a sum, so
/// its bits do not depend on their number.
fn product(to: &mut [f32], add: Accum, left: MatRef<'_, f32>, right: MatRef<'_, f32>) {
    let (rows, inner, columns) = (left.nrows(), left.ncols(), right.ncols());
    let par = if rows * inner * columns < PARALLEL_FROM { Par::Seq } else { Par::rayon(0) };
    matmul(MatMut::from_row_major_slice_mut(to, rows, columns), add, left, right, 1.0, par);
}
