//! The host engine: computes in f32 on all cores, with the matrix products of the crate `gemm`. It
//! is used where there is no adapter, and for evaluations where the adapter is this same processor.
//!
//! Its results have the same bits whatever the number of cores and their speed. Cores share the
//! rows of a minibatch, and then the rows of the gradient, always in the same portions, and the
//! terms of one sum are never shared.

mod pass;
pub(super) mod product;
pub mod reference;

use self::pass::Pass;
use super::{Engine, Evaluation, check_samples, expect, model::Model};
use crate::{
    Result,
    dataset::{Minibatch, Part, Splits},
    share::{self, share, threads},
};

/// Samples that a core evaluates at a time: few enough to stay in its cache.
const EVALUATED: usize = 60;
/// Multiplications in a pass from which waking other cores pays.
const SHARED_FROM: usize = 4_000_000;

/// Computes gradients on this machine's processor.
#[derive(Debug)]
pub struct Host {
    model: Model,
    data: Splits,
    params: Vec<f32>,
    penalty: f64,
    batch: Minibatch,
    pass: Pass,
    evaluators: Vec<Evaluator>,
    /// Sum of losses and hits of each portion of samples.
    sums: Vec<(f64, usize)>,
}

/// What one core evaluates with.
#[derive(Debug, Default)]
struct Evaluator {
    batch: Minibatch,
    pass: Pass,
}

impl Host {
    /// An engine for `model` on these data, at parameters zero.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) where the data do not fit the model;
    /// [`Error::NoRoom`](crate::Error::NoRoom) where there is no room for the threads that it shares
    /// its work with.
    pub fn open(model: Model, data: impl Into<Splits>) -> Result<Self> {
        let data = data.into();
        model.check(&data)?;
        share::start()?;
        Ok(Self {
            params: vec![0.0; model.params()],
            model,
            data,
            penalty: 0.0,
            batch: Minibatch::default(),
            pass: Pass::default(),
            evaluators: (0..threads()).map(|_| Evaluator::default()).collect(),
            sums: Vec::new(),
        })
    }
}

impl Engine for Host {
    fn samples(&self) -> usize {
        self.data.train.len()
    }

    fn params(&self) -> usize {
        self.model.params()
    }

    fn initial(&self, seed: u64) -> Vec<f32> {
        self.model.initial(seed)
    }

    fn load(&mut self, params: &[f32]) -> Result<()> {
        expect("parameters", params.len(), self.model.params())?;
        self.params.copy_from_slice(params);
        self.penalty = self.model.penalty(params);
        Ok(())
    }

    fn gradient(&mut self, samples: &[usize], gradient: &mut [f32]) -> Result<f32> {
        expect("gradient", gradient.len(), self.model.params())?;
        check_samples(samples, self.samples())?;
        let Self { model, data, params, batch, pass, sums, .. } = self;
        data.train.gather(samples.iter().copied(), batch);
        let alone = batch.len() * model.params() < SHARED_FROM;
        let mut workers = vec![(); if alone { 1 } else { threads() }];
        let rows = pass.rows(model, batch);
        sums.clear();
        sums.resize(rows.len(), (0.0, 0));
        share(&mut workers, sums.iter_mut().zip(rows), |(), (sum, mut rows)| {
            rows.forward(model, params);
            *sum = rows.loss(model.classes(), batch.len());
            rows.backward(model, params);
        });
        let portions = pass::weight_rows(model, gradient);
        share(&mut workers, portions.into_iter(), |(), mut rows| {
            rows.gradient(model, params, batch, pass);
        });
        let loss: f64 = sums.iter().map(|(loss, _)| loss).sum();
        Ok((loss / batch.len() as f64 + self.penalty) as f32)
    }

    fn evaluate(&mut self, params: &[f32], over: Part) -> Result<Evaluation> {
        self.load(params)?;
        let Self { model, data, params, evaluators, sums, .. } = self;
        let Some(split) = data.part(over) else { return Ok(Evaluation::UNKNOWN) };
        sums.clear();
        sums.resize(split.len().div_ceil(EVALUATED), (0.0, 0));
        let portions = sums.iter_mut().zip((0..split.len()).step_by(EVALUATED));
        share(evaluators, portions, |Evaluator { batch, pass }, (sum, start)| {
            split.gather(start..split.len().min(start + EVALUATED), batch);
            for mut rows in pass.rows(model, batch) {
                rows.forward(model, params);
                let (loss, hits) = rows.loss(model.classes(), split.len());
                *sum = (sum.0 + loss, sum.1 + hits);
            }
        });
        let samples = split.len() as f64;
        let loss = sums.iter().map(|(loss, _)| loss).sum::<f64>() / samples + self.penalty;
        let hits: usize = sums.iter().map(|(_, hits)| hits).sum();
        Ok(Evaluation { loss, accuracy: hits as f64 / samples })
    }
}
