//! A pass of a minibatch through a model and back, in portions that know nothing of each other.

use std::{
    cell::Cell,
    sync::{Mutex, PoisonError},
};

use faer::{Accum, MatMut, MatRef, Par, linalg::matmul::matmul};

use crate::{
    Error, Result,
    dataset::Minibatch,
    engine::model::{Layer, Model},
};

/// Samples a portion: the most that faer multiplies with weights where they lie; for more it makes
/// a copy of the weights.
const ROWS: usize = 12;
/// Rows of a layer's parameters a portion.
const WEIGHT_ROWS: usize = 64;

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
        let features = batch.features.chunks(ROWS * model.inputs());
        let mut portions: Vec<_> = features
            .zip(batch.labels.chunks(ROWS))
            .map(|(features, labels)| Rows { features, labels, layers: Vec::with_capacity(count) })
            .collect();
        self.layers.resize_with(count, Outputs::default);
        for (Outputs { y, dy }, layer) in self.layers.iter_mut().zip(model.layers()) {
            let [y, dy] = [y, dy].map(|buffer| {
                buffer.resize(batch.len() * layer.outputs, 0.0);
                buffer.chunks_mut(ROWS * layer.outputs)
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
            let x = matrix(x, self.labels.len(), layer.inputs);
            product(y, Accum::Add, x, weight(layer, params), Par::Seq);
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
            let dy = matrix(after[0].1, self.labels.len(), layer.outputs);
            product(dx, Accum::Replace, dy, weight(layer, params).transpose(), Par::Seq);
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
        let rows = own.chunks_mut(WEIGHT_ROWS * layer.outputs);
        let starts = (0..).step_by(WEIGHT_ROWS);
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
        let weights = WEIGHT_ROWS.min(layer.inputs - self.start);
        let (dw, db) = self.gradient.split_at_mut(weights * layer.outputs);
        let x = matrix(x, batch.len(), layer.inputs).subcols(self.start, weights);
        product(
            dw,
            Accum::Replace,
            x.transpose(),
            matrix(dy, batch.len(), layer.outputs),
            Par::Seq,
        );
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

fn weight<'a>(layer: &Layer, params: &'a [f32]) -> MatRef<'a, f32> {
    matrix(&params[layer.weight()], layer.inputs, layer.outputs)
}

/// What faer keeps for every thread that multiplies, about: twice the largest cache of the processor.
const ROOM: usize = 64 << 20;

/// Lets faer take the room that it needs to multiply on this thread. It takes it at the first product
/// and asks nobody: where it is not there, the process ends.
pub(super) fn make_room() -> Result<()> {
    thread_local!(static MADE: Cell<bool> = const { Cell::new(false) });
    /// One after another, so that none takes what another has just found free.
    static MAKING: Mutex<()> = Mutex::new(());
    if MADE.get() {
        return Ok(());
    }
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let mut room = Vec::<u8>::new();
    room.try_reserve_exact(ROOM).map_err(|_| {
        let mebibytes = ROOM >> 20;
        Error::NoRoom(format!(
            "matrix products, {mebibytes} MiB of address space a thread: allow more (ulimit -v), or \
             use fewer learners"
        ))
    })?;
    drop(room);
    // Just too large for the products that need no room.
    let side = 64;
    let (square, mut to) = (vec![0.0; side * side], vec![0.0; side * side]);
    let square = matrix(&square, side, side);
    product(&mut to, Accum::Replace, square, square, Par::Seq);
    MADE.set(true);
    Ok(())
}

/// Row-major `values` as a matrix.
pub(in crate::engine) fn matrix(values: &[f32], rows: usize, columns: usize) -> MatRef<'_, f32> {
    MatRef::from_row_major_slice(values, rows, columns)
}

/// `to` = (`to` +) `left` `right`, on the cores that `par` grants.
pub(in crate::engine) fn product(
    to: &mut [f32],
    add: Accum,
    left: MatRef<'_, f32>,
    right: MatRef<'_, f32>,
    par: Par,
) {
    let (rows, columns) = (left.nrows(), right.ncols());
    matmul(MatMut::from_row_major_slice_mut(to, rows, columns), add, left, right, 1.0, par);
    // faer leaves something in the upper halves of the vector registers, and until they are cleared
    // all code for plain SSE takes several times as long.
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        simd.avx._mm256_zeroupper();
    }
}
