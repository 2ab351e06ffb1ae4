//! A pass of a minibatch through a model and back, in portions that know nothing of each other.

use gemm::Parallelism;

use super::product::{Matrix, add_product, product};
use crate::{
    dataset::Minibatch,
    engine::model::{Layer, Model},
};

/// Samples a portion: the most that gemm multiplies with weights where they lie; for more it makes
/// a copy of the weights.
const ROWS: usize = 12;
/// Rows of a layer's parameters a portion.
const WEIGHT_ROWS: usize = 64;
/// A layer of so few outputs is narrow: a copy of its weights costs less than small portions do.
const NARROW: usize = 16;
const NARROW_ROWS: usize = 60;
const NARROW_WEIGHT_ROWS: usize = 128;

/// What a pass leaves behind; the buffers grow to the largest minibatch and are kept.
#[derive(Debug, Default)]
pub(super) struct Pass {
    layers: Vec<Outputs>,
}

/// A layer's output and the loss by it, both `[m, outputs]`.
#[derive(Debug, Default)]
struct Outputs {
    y: Vec<f32>,
    dy: Vec<f32>,
}

/// Some samples of a minibatch, with each layer's y and dy.
pub(super) struct Rows<'a> {
    features: &'a [f32],
    labels: &'a [u32],
    layers: Vec<(&'a mut [f32], &'a mut [f32])>,
}

/// Some rows of the gradient by the parameters of layer `at`, from row `start` on.
pub(super) struct WeightRows<'a> {
    at: usize,
    start: usize,
    gradient: &'a mut [f32],
}

impl Pass {
    /// Makes room for a pass of `batch` and portions it.
    pub(super) fn rows<'a>(&'a mut self, model: &Model, batch: &'a Minibatch) -> Vec<Rows<'a>> {
        let count = model.layers().len();
        let narrow = model.layers().iter().all(|layer| layer.outputs < NARROW);
        let samples = if narrow { NARROW_ROWS } else { ROWS };
        let features = batch.features.chunks(samples * model.inputs());
        let mut portions: Vec<_> = features
            .zip(batch.labels.chunks(samples))
            .map(|(features, labels)| Rows { features, labels, layers: Vec::with_capacity(count) })
            .collect();
        self.layers.resize_with(count, Outputs::default);
        for (Outputs { y, dy }, layer) in self.layers.iter_mut().zip(model.layers()) {
            let [y, dy] = [y, dy].map(|buffer| {
                buffer.resize(batch.len() * layer.outputs, 0.0);
                buffer.chunks_mut(samples * layer.outputs)
            });
            for (rows, own) in portions.iter_mut().zip(y.zip(dy)) {
                rows.layers.push(own);
            }
        }
        portions
    }
}

impl Rows<'_> {
    /// Y = act(X W + b), layer after layer.
    pub(super) fn forward(&mut self, model: &Model, params: &[f32]) {
        for (at, layer) in model.layers().iter().enumerate() {
            let (before, after) = self.layers.split_at_mut(at);
            let x = before.last().map_or(self.features, |(y, _)| y);
            let y = &mut *after[0].0;
            for y in y.chunks_exact_mut(layer.outputs) {
                y.copy_from_slice(&params[layer.bias()]);
            }
            let x = Matrix::row_major(x, self.labels.len(), layer.inputs);
            add_product(y, x, weight(layer, params));
            if layer.relu {
                // Not by f32::max, which would hide that a value is not a number.
                y.iter_mut().for_each(|value| *value = if *value < 0.0 { 0.0 } else { *value });
            }
        }
    }

    /// From the logits: dlogits, for a loss that is the mean over `samples`; returns the sum of the
    /// losses here, and the hits.
    pub(super) fn loss(&mut self, classes: usize, samples: usize) -> (f64, usize) {
        let (logits, dlogits) = self.layers.last_mut().expect("a model has a layer");
        let rows = logits.chunks_exact(classes).zip(dlogits.chunks_exact_mut(classes));
        let (samples, mut loss, mut hits) = (samples as f64, 0.0, 0);
        for ((logits, dlogits), &label) in rows.zip(self.labels) {
            let label = label as usize;
            let (mut guess, mut largest) = (0, logits[0]);
            for (class, &logit) in logits.iter().enumerate() {
                if logit > largest {
                    (guess, largest) = (class, logit);
                }
            }
            hits += usize::from(guess == label);
            let mut sum = 0.0;
            for (dlogit, logit) in dlogits.iter_mut().zip(logits) {
                let exp = f64::from(logit - largest).exp();
                sum += exp;
                *dlogit = exp as f32;
            }
            loss += f64::from(largest) - f64::from(logits[label]) + sum.ln();
            let scale = (1.0 / (sum * samples)) as f32;
            dlogits.iter_mut().for_each(|exp| *exp *= scale);
            dlogits[label] -= (1.0 / samples) as f32;
        }
        (loss, hits)
    }

    /// From dlogits: dX = dY W^T where X > 0, layer before layer.
    pub(super) fn backward(&mut self, model: &Model, params: &[f32]) {
        for (at, layer) in model.layers().iter().enumerate().skip(1).rev() {
            let (before, after) = self.layers.split_at_mut(at);
            let (x, dx) = &mut before[at - 1];
            let dy = Matrix::row_major(after[0].1, self.labels.len(), layer.outputs);
            product(dx, dy, weight(layer, params).transpose(), Parallelism::None);
            for (dx, &x) in dx.iter_mut().zip(&**x) {
                *dx = if x > 0.0 { *dx } else { 0.0 };
            }
        }
    }
}

/// `gradient`, laid out as the parameters, in portions.
pub(super) fn weight_rows<'a>(model: &Model, mut gradient: &'a mut [f32]) -> Vec<WeightRows<'a>> {
    let mut portions = Vec::new();
    for (at, layer) in model.layers().iter().enumerate() {
        let (own, rest) = gradient.split_at_mut(layer.params().len());
        gradient = rest;
        let count = weight_rows_of(layer);
        let rows = own.chunks_mut(count * layer.outputs);
        let starts = (0..).step_by(count);
        portions.extend(rows.zip(starts).map(|(gradient, start)| WeightRows {
            at,
            start,
            gradient,
        }));
    }
    portions
}

impl WeightRows<'_> {
    /// dW = X^T dY + 2 L2 W, and in the row behind W db = the column sums of dY.
    pub(super) fn gradient(
        &mut self,
        model: &Model,
        params: &[f32],
        batch: &Minibatch,
        pass: &Pass,
    ) {
        let (layer, dy) = (&model.layers()[self.at], &pass.layers[self.at].dy);
        let x = if self.at == 0 { &batch.features } else { &pass.layers[self.at - 1].y };
        let weights = weight_rows_of(layer).min(layer.inputs - self.start);
        let (dw, db) = self.gradient.split_at_mut(weights * layer.outputs);
        let x = Matrix::row_major(x, batch.len(), layer.inputs).columns(self.start, weights);
        let dy_matrix = Matrix::row_major(dy, batch.len(), layer.outputs);
        product(dw, x.transpose(), dy_matrix, Parallelism::None);
        if model.l2() != 0.0 {
            let w = &params[layer.weight()][self.start * layer.outputs..];
            dw.iter_mut().zip(w).for_each(|(dw, w)| *dw += 2.0 * model.l2() * w);
        }
        if !db.is_empty() {
            db.fill(0.0);
            for dy in dy.chunks_exact(layer.outputs) {
                db.iter_mut().zip(dy).for_each(|(db, dy)| *db += dy);
            }
        }
    }
}

fn weight_rows_of(layer: &Layer) -> usize {
    if layer.outputs < NARROW { NARROW_WEIGHT_ROWS } else { WEIGHT_ROWS }
}

fn weight<'a>(layer: &Layer, params: &'a [f32]) -> Matrix<'a> {
    Matrix::row_major(&params[layer.weight()], layer.inputs, layer.outputs)
}
