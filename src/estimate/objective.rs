//! F and its gradient over many samples, put together from what an engine computes of a few at a
//! time. Off the clock; sums are in f64.

use rand::seq::index;
use rand_chacha::ChaCha8Rng;

use crate::{Result, engine::Engine};

/// The loss over the training set.
pub(super) struct Objective<'a> {
    engine: &'a mut dyn Engine,
    chunk: usize,
    gradient: Vec<f32>,
}

/// Loss and gradient at some parameters.
#[derive(Debug, Clone, Default)]
pub(super) struct Point {
    pub(super) loss: f64,
    pub(super) gradient: Vec<f64>,
}

impl<'a> Objective<'a> {
    /// Hands `chunk` samples at a time to the engine.
    pub(super) fn new(engine: &'a mut dyn Engine, chunk: usize) -> Self {
        Self { engine, chunk, gradient: Vec::new() }
    }

    /// N.
    pub(super) fn samples(&self) -> usize {
        self.engine.samples()
    }

    /// `count` samples in random order, or all in their own where there are not more.
    pub(super) fn sample(&self, rng: &mut ChaCha8Rng, count: usize) -> Vec<usize> {
        let all = self.samples();
        if count < all { index::sample(rng, all, count).into_vec() } else { (0..all).collect() }
    }

    pub(super) fn load(&mut self, params: &[f32]) -> Result<()> {
        self.gradient.resize(params.len(), 0.0);
        self.engine.load(params)
    }

    /// Loss and gradient of a minibatch at the loaded parameters.
    pub(super) fn minibatch(&mut self, samples: &[usize]) -> Result<(f32, &[f32])> {
        let loss = self.engine.gradient(samples, &mut self.gradient)?;
        Ok((loss, &self.gradient))
    }

    /// Mean loss and gradient over `samples`; each chunk counts by its length, and what it has of L2
    /// is what all of them have.
    pub(super) fn mean(&mut self, params: &[f32], samples: &[usize]) -> Result<Point> {
        self.load(params)?;
        let mut point = Point { loss: 0.0, gradient: vec![0.0; params.len()] };
        for chunk in samples.chunks(self.chunk) {
            let weight = chunk.len() as f64 / samples.len() as f64;
            let (loss, gradient) = self.minibatch(chunk)?;
            point.loss += weight * f64::from(loss);
            for (sum, g) in point.gradient.iter_mut().zip(gradient) {
                *sum += weight * f64::from(*g);
            }
        }
        Ok(point)
    }

    /// F and its gradient.
    pub(super) fn full(&mut self, params: &[f32]) -> Result<Point> {
        let all: Vec<usize> = (0..self.samples()).collect();
        self.mean(params, &all)
    }

    /// ||grad F(w) - grad F(v)||^2 and ||grad F(w)||^2, without bias where `samples` are a random part
    /// of all in random order: what chance adds to the square of a mean is told by how much the
    /// chunks differ, and taken off.
    pub(super) fn drift(&mut self, w: &[f32], v: &[f32], samples: &[usize]) -> Result<(f64, f64)> {
        // Enough of them that they tell how much they differ.
        let chunk = self.chunk.min(samples.len().div_ceil(LEAST_CHUNKS));
        let all = self.samples();
        let [mut difference, mut own] = [(); 2].map(|()| SquareOfMean::new(w.len()));
        for chunk in samples.chunks(chunk) {
            self.load(w)?;
            let (_, gradient) = self.minibatch(chunk)?;
            own.add(chunk.len(), gradient.iter().map(|g| f64::from(*g)));
            if !std::ptr::eq(w, v) {
                let gradient = gradient.to_vec();
                self.load(v)?;
                let (_, stale) = self.minibatch(chunk)?;
                let pairs = gradient.iter().zip(stale);
                difference.add(chunk.len(), pairs.map(|(g, s)| f64::from(*g) - f64::from(*s)));
            }
        }
        Ok((difference.value(all), own.value(all)))
    }
}

/// Chunks that a part of the samples is split into at least.
const LEAST_CHUNKS: usize = 16;

/// The square of the norm of a mean over all samples, of means over chunks of some of them.
struct SquareOfMean {
    sum: Vec<f64>,
    squares: f64,
    samples: usize,
    chunks: usize,
}

impl SquareOfMean {
    fn new(length: usize) -> Self {
        Self { sum: vec![0.0; length], squares: 0.0, samples: 0, chunks: 0 }
    }

    fn add(&mut self, samples: usize, mean: impl Iterator<Item = f64>) {
        for (sum, value) in self.sum.iter_mut().zip(mean) {
            *sum += samples as f64 * value;
            self.squares += samples as f64 * value * value;
        }
        self.samples += samples;
        self.chunks += 1;
    }

    /// Without bias for a part of `all` samples drawn without replacement (Cochran 1977, theorem 2.2).
    fn value(&self, all: usize) -> f64 {
        if self.chunks == 0 {
            return 0.0;
        }
        let n = self.samples as f64;
        let square = squared(self.sum.iter().map(|sum| sum / n));
        let left_out = 1.0 - n / all as f64;
        if left_out <= 0.0 || self.chunks == 1 {
            return square;
        }
        let variance = (self.squares - n * square) / (self.chunks - 1) as f64;
        square - left_out * variance / n
    }
}

/// The square of a norm.
pub(super) fn squared(values: impl Iterator<Item = f64>) -> f64 {
    values.map(|value| value * value).sum()
}
