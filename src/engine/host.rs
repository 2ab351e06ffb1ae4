//! The host engine: f32 on all cores, through faer's matrix products. What stands in for an adapter
//! where there is none, and evaluates where the adapter is this same processor.
//!
//! Neither the number of cores nor their haste shows in a bit of its results: cores share rows and
//! columns of a product, or whole chunks of a split, and never the terms of one sum.

pub mod kernels;
pub mod reference;

use std::{
    num::NonZero,
    sync::{Mutex, PoisonError},
    thread,
};

use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};

use super::{
    Engine, Evaluation,
    model::{Layer, Model},
};
use crate::{
    Result,
    dataset::{Minibatch, Split},
};

/// Rows that one core evaluates at a time: few enough to stay in its cache.
const EVALUATION_ROWS: usize = 1000;
/// Multiplications from which waking other cores pays.
const PARALLEL_FROM: usize = 16_000_000;

/// Computes gradients on this machine's processor.
#[derive(Debug)]
pub struct Host {
    model: Model,
    params: Vec<f32>,
    penalty: f64,
    /// The gradients' buffers, and after them those of the other cores for evaluations.
    workers: Vec<Worker>,
    /// Sum of losses and hits of each chunk of an evaluation.
    chunks: Vec<(f64, usize)>,
}

impl Host {
    /// An engine for `model`, at parameters zero.
    pub fn new(model: Model) -> Self {
        let params = vec![0.0; model.params()];
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let workers = (0..cores).map(|_| Worker::new(&model)).collect();
        Self { model, params, penalty: 0.0, workers, chunks: Vec::new() }
    }
}

impl Engine for Host {
    fn load(&mut self, params: &[f32]) -> Result<()> {
        self.params.copy_from_slice(params);
        self.penalty = self.model.penalty(params);
        Ok(())
    }

    fn gradient(&mut self, batch: &Minibatch, gradient: &mut [f32]) -> Result<f32> {
        let Self { model, params, workers, .. } = self;
        let worker = &mut workers[0];
        worker.forward(model, params, batch, shared);
        let (sum, _) = worker.loss(model.classes(), &batch.labels);
        worker.backward(model, params, batch, gradient);
        Ok((sum / batch.len() as f64 + self.penalty) as f32)
    }

    fn evaluate(&mut self, params: &[f32], split: &Split) -> Result<Evaluation> {
        self.load(params)?;
        let Self { model, params, workers, chunks, .. } = self;
        chunks.clear();
        chunks.resize(split.len().div_ceil(EVALUATION_ROWS), (0.0, 0));
        let helpers = chunks.len().saturating_sub(1);
        let todo = Mutex::new(chunks.iter_mut().enumerate());
        let next = || todo.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = &|worker: &mut Worker| {
            while let Some((at, chunk)) = next() {
                *chunk = worker.evaluate(model, params, split, at * EVALUATION_ROWS);
            }
        };
        let (own, others) = workers.split_first_mut().expect("there is a worker for gradients");
        thread::scope(|scope| {
            for other in others.iter_mut().take(helpers) {
                scope.spawn(move || work(other));
            }
            work(own);
        });
        let samples = split.len() as f64;
        let loss = chunks.iter().map(|(loss, _)| loss).sum::<f64>() / samples + self.penalty;
        let hits: usize = chunks.iter().map(|(_, hits)| hits).sum();
        Ok(Evaluation { loss, accuracy: hits as f64 / samples })
    }
}

/// The buffers of one pass; they grow to the largest minibatch and are kept.
#[derive(Debug)]
struct Worker {
    batch: Minibatch,
    /// The output of each layer, `[m, outputs]`; the last are the logits, then dlogits.
    outputs: Vec<Vec<f32>>,
    /// The loss by the output of each layer but the last, `[m, outputs]`.
    doutputs: Vec<Vec<f32>>,
}

impl Worker {
    fn new(model: &Model) -> Self {
        let layers = model.layers().len();
        let [outputs, doutputs] = [layers, layers - 1].map(|count| vec![Vec::new(); count]);
        Self { batch: Minibatch::default(), outputs, doutputs }
    }

    /// Sum of losses and hits over the chunk of `split` that begins at `start`.
    fn evaluate(
        &mut self,
        model: &Model,
        params: &[f32],
        split: &Split,
        start: usize,
    ) -> (f64, usize) {
        let mut batch = std::mem::take(&mut self.batch);
        split.gather(start..split.len().min(start + EVALUATION_ROWS), &mut batch);
        self.forward(model, params, &batch, |_| Par::Seq);
        let result = self.loss(model.classes(), &batch.labels);
        self.batch = batch;
        result
    }

    fn forward(
        &mut self,
        model: &Model,
        params: &[f32],
        batch: &Minibatch,
        par: impl Fn(usize) -> Par,
    ) {
        let rows = batch.len();
        for (at, layer) in model.layers().iter().enumerate() {
            let (before, after) = self.outputs.split_at_mut(at);
            let x = before.last().unwrap_or(&batch.images);
            let y = &mut after[0];
            y.resize(rows * layer.outputs, 0.0);
            for y in y.chunks_exact_mut(layer.outputs) {
                y.copy_from_slice(&params[layer.bias()]);
            }
            let x = matrix(x, rows, layer.inputs);
            product(y, Accum::Add, x, weight(layer, params), &par);
            if layer.relu {
                // Not by f32::max, which would hide that a value is not a number.
                y.iter_mut().for_each(|value| *value = if *value < 0.0 { 0.0 } else { *value });
            }
        }
    }

    /// From the logits of the last forward pass: the sum of losses and the hits. The logits become
    /// dlogits.
    fn loss(&mut self, classes: usize, labels: &[u32]) -> (f64, usize) {
        let logits = self.outputs.last_mut().expect("a model has a layer");
        let (mut loss, mut hits) = (0.0, 0);
        for (row, &label) in logits.chunks_exact_mut(classes).zip(labels) {
            let label = label as usize;
            let (mut guess, mut largest) = (0, row[0]);
            for (class, &logit) in row.iter().enumerate() {
                if logit > largest {
                    (guess, largest) = (class, logit);
                }
            }
            hits += usize::from(guess == label);
            loss += f64::from(largest) - f64::from(row[label]);
            let mut sum = 0.0;
            for logit in row.iter_mut() {
                let exp = f64::from(*logit - largest).exp();
                sum += exp;
                *logit = exp as f32;
            }
            loss += sum.ln();
            let samples = labels.len() as f64;
            let scale = (1.0 / (sum * samples)) as f32;
            row.iter_mut().for_each(|exp| *exp *= scale);
            row[label] -= (1.0 / samples) as f32;
        }
        (loss, hits)
    }

    fn backward(&mut self, model: &Model, params: &[f32], batch: &Minibatch, gradient: &mut [f32]) {
        let rows = batch.len();
        for (at, layer) in model.layers().iter().enumerate().rev() {
            let (before, from) = self.doutputs.split_at_mut(at);
            let dy = from.first().unwrap_or(&self.outputs[at]);
            let x = if at == 0 { &batch.images } else { &self.outputs[at - 1] };
            let gradient = &mut gradient[layer.params()];
            weight_gradient(layer, model.l2(), params, x, dy, rows, gradient);
            if let Some(dx) = before.last_mut() {
                dx.resize(rows * layer.inputs, 0.0);
                let dy = matrix(dy, rows, layer.outputs);
                product(dx, Accum::Replace, dy, weight(layer, params).transpose(), shared);
                for (dx, &x) in dx.iter_mut().zip(x) {
                    *dx = if x > 0.0 { *dx } else { 0.0 };
                }
            }
        }
    }
}

/// dW = X^T dY + 2 L2 W, and db = the column sums of dY, into the layer's `gradient`.
fn weight_gradient(
    layer: &Layer,
    l2: f32,
    params: &[f32],
    x: &[f32],
    dy: &[f32],
    rows: usize,
    gradient: &mut [f32],
) {
    let (dw, db) = gradient.split_at_mut(layer.inputs * layer.outputs);
    let x = matrix(x, rows, layer.inputs);
    product(dw, Accum::Replace, x.transpose(), matrix(dy, rows, layer.outputs), shared);
    if l2 != 0.0 {
        for (dw, w) in dw.iter_mut().zip(&params[layer.weight()]) {
            *dw += 2.0 * l2 * w;
        }
    }
    db.fill(0.0);
    for dy in dy.chunks_exact(layer.outputs) {
        for (db, dy) in db.iter_mut().zip(dy) {
            *db += dy;
        }
    }
}

fn weight<'a>(layer: &Layer, params: &'a [f32]) -> MatRef<'a, f32> {
    matrix(&params[layer.weight()], layer.inputs, layer.outputs)
}

/// Row-major `values` as a matrix.
pub(super) fn matrix(values: &[f32], rows: usize, columns: usize) -> MatRef<'_, f32> {
    MatRef::from_row_major_slice(values, rows, columns)
}

/// All cores, where there is enough to do.
fn shared(multiplications: usize) -> Par {
    if multiplications < PARALLEL_FROM { Par::Seq } else { Par::rayon(0) }
}

/// `to` = (`to` +) `left` `right`.
pub(super) fn product(
    to: &mut [f32],
    add: Accum,
    left: MatRef<'_, f32>,
    right: MatRef<'_, f32>,
    par: impl Fn(usize) -> Par,
) {
    let (rows, inner, columns) = (left.nrows(), left.ncols(), right.ncols());
    let par = par(rows * inner * columns);
    matmul(MatMut::from_row_major_slice_mut(to, rows, columns), add, left, right, 1.0, par);
}
