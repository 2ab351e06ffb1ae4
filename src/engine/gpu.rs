//! The wgpu engine: fixed lists of dispatches on one queue.
//!
//! Every engine has an instance, a device and a queue of its own. Buffers and bind groups are made
//! once; a gradient is one submission and one readback.

mod adapters;
mod buffers;
pub mod check;
mod device;
mod pass;
mod pipelines;
mod spin;
mod text;

use std::time::{Duration, Instant};

pub(super) use self::{adapters::all as adapters, device::beside_others};

use self::{
    buffers::Storage,
    device::Device,
    pass::{Pass, Results},
    pipelines::Pipelines,
};
use super::{
    Engine, Evaluation,
    adapter::AdapterId,
    check_samples, expect,
    kernels::{
        Family, MATRIX, ShaderSet,
        dispatches::{Dispatches, Matrix},
    },
    model::Model,
};
use crate::{
    Result,
    dataset::{Minibatch, Part, Splits},
};

/// The most samples that an evaluation hands to the device at a time.
const EVALUATED_AT_ONCE: usize = 1000;

/// Gradients and evaluations of one model on one adapter.
#[derive(Debug)]
pub struct Gpu {
    device: Device,
    pipelines: Pipelines,
    model: Model,
    data: Splits,
    batch: Minibatch,
    /// Those of each layer.
    params: Vec<Storage>,
    gradients: Pass,
    /// Made by the first evaluation.
    evaluations: Option<Pass>,
    /// L2 ||W||_F^2 at the loaded parameters.
    penalty: f64,
}

impl Gpu {
    /// Opens a device for minibatches of about `minibatch` samples; larger ones make it grow.
    ///
    /// All parameters are zero until the first [`Engine::load`].
    ///
    /// # Errors
    /// [`crate::Error::Config`] where the data do not fit the model; [`crate::Error::NoAdapter`] where the
    /// adapter is gone; [`crate::Error::Device`] where it cannot be opened,
    /// refuses a shader, or has no room for the model or the minibatch.
    pub fn open(
        adapter: &AdapterId,
        model: Model,
        minibatch: usize,
        shaders: &ShaderSet,
        data: impl Into<Splits>,
    ) -> Result<Self> {
        let data = data.into();
        model.check(&data)?;
        let device = Device::open(adapter)?;
        let mut pipelines = Pipelines::new(&device, shaders)?;
        let params = params(&device, &model, shaders.family())?;
        let list = Dispatches::of_gradient;
        let gradients =
            Pass::new(&device, &mut pipelines, list, &model, &params, minibatch.max(1))?;
        let mut gpu = Self {
            device,
            pipelines,
            model,
            data,
            batch: Minibatch::default(),
            params,
            gradients,
            evaluations: None,
            penalty: 0.0,
        };
        // Drivers compile a kernel when it first runs.
        gpu.gradient(&[0], &mut vec![0.0; gpu.model.params()])?;
        Ok(gpu)
    }

    /// Hands samples to the driver.
    fn upload(&mut self, samples: &[usize]) -> Result<()> {
        check_samples(samples, self.samples())?;
        let rows = samples.len();
        if rows > self.gradients.capacity() {
            let Self { device, pipelines, model, params, .. } = self;
            let list = Dispatches::of_gradient;
            self.gradients = Pass::new(device, pipelines, list, model, params, rows)?;
        }
        let Self { data, batch, .. } = self;
        data.train.gather(samples.iter().copied(), batch);
        self.gradients.upload(&self.device, &self.model, &batch.features, &batch.labels);
        Ok(())
    }

    /// Copies the gradient out of the results and returns the loss.
    fn copy(&self, results: &Results<'_>, gradient: &mut [f32]) -> f32 {
        let mut gradient: &mut [u8] = bytemuck::cast_slice_mut(gradient);
        for row in results.rows(|matrix| matches!(matrix, Matrix::Dparams(_))) {
            let (to, rest) = gradient.split_at_mut(row.len());
            to.copy_from_slice(row);
            gradient = rest;
        }
        (total(results) / self.gradients.samples() as f64 + self.penalty) as f32
    }

    /// A gradient at `params`: how long it took to upload, to run the kernels, and to copy the result.
    fn time_step(
        &mut self,
        params: &[f32],
        samples: &[usize],
        gradient: &mut [f32],
    ) -> Result<[Duration; 3]> {
        let start = Instant::now();
        self.load(params)?;
        self.upload(samples)?;
        let uploaded = Instant::now();
        let results = self.gradients.run(&self.device)?;
        let computed = Instant::now();
        self.copy(&results, gradient);
        drop(results);
        Ok([uploaded - start, computed - uploaded, computed.elapsed()])
    }

    /// The pass for evaluations of so many samples, made when it is first needed.
    fn take_evaluations(&mut self, samples: usize) -> Result<Pass> {
        let layers = self.model.layers().iter().map(|layer| layer.outputs);
        let widest = layers.chain([self.model.inputs()]).max().unwrap_or(1);
        let capacity = Storage::most_rows(&self.device, EVALUATED_AT_ONCE.min(samples), widest);
        match self.evaluations.take() {
            Some(pass) if pass.capacity() >= capacity => Ok(pass),
            _ => {
                let Self { device, pipelines, model, params, .. } = self;
                let list = Dispatches::of_evaluation;
                Pass::new(device, pipelines, list, model, params, capacity)
            }
        }
    }
}

/// Opens an engine on an adapter, as [`Gpu::open`] does.
pub(super) fn open(
    adapter: &AdapterId,
    model: &Model,
    minibatch: usize,
    shaders: &ShaderSet,
    data: Splits,
) -> Result<Box<dyn Engine>> {
    Ok(Box::new(Gpu::open(adapter, model.clone(), minibatch, shaders, data)?))
}

/// Makes the parameters of each layer.
fn params(device: &Device, model: &Model, family: Family) -> Result<Vec<Storage>> {
    let layers = model.layers().iter();
    let form = *MATRIX.of(family);
    layers
        .map(|layer| Storage::new(device, "params", layer.inputs + 1, layer.outputs, form))
        .collect()
}

impl Engine for Gpu {
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
        for (layer, own) in self.model.layers().iter().zip(&self.params) {
            own.upload(&self.device, &params[layer.params()]);
        }
        self.penalty = self.model.penalty(params);
        self.device.healthy()
    }

    fn gradient(&mut self, samples: &[usize], gradient: &mut [f32]) -> Result<f32> {
        expect("gradient", gradient.len(), self.model.params())?;
        self.upload(samples)?;
        let results = self.gradients.run(&self.device)?;
        Ok(self.copy(&results, gradient))
    }

    fn evaluate(&mut self, params: &[f32], over: Part) -> Result<Evaluation> {
        self.load(params)?;
        let Some(split) = self.data.part(over).cloned() else { return Ok(Evaluation::UNKNOWN) };
        let mut pass = self.take_evaluations(split.len())?;
        let (mut loss, mut hits) = (0.0, 0);
        for start in (0..split.len()).step_by(pass.capacity()) {
            let end = split.len().min(start + pass.capacity());
            split.gather(start..end, &mut self.batch);
            let Minibatch { features, labels } = &self.batch;
            pass.upload(&self.device, &self.model, features, labels);
            let results = pass.run(&self.device)?;
            loss += total(&results);
            let hit = results.rows(|matrix| *matrix == Matrix::Hits).flat_map(words);
            hits += hit.map(u32::from_ne_bytes).filter(|&hit| hit != 0).count();
        }
        self.evaluations = Some(pass);
        let samples = split.len() as f64;
        Ok(Evaluation { loss: loss / samples + self.penalty, accuracy: hits as f64 / samples })
    }
}

/// The elements of bytes that came back.
fn words(bytes: &[u8]) -> impl Iterator<Item = [u8; 4]> {
    bytes.chunks_exact(4).map(|word| [word[0], word[1], word[2], word[3]])
}

/// The sum of the losses.
fn total(results: &Results<'_>) -> f64 {
    let losses = results.rows(|matrix| *matrix == Matrix::Losses).flat_map(words);
    losses.map(|word| f64::from(f32::from_ne_bytes(word))).sum()
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write as _};

    use super::*;
    use crate::{Error, dataset::Split};

    #[test]
    fn a_lost_device_is_an_error_that_names_its_adapter() {
        if std::env::var("TORTOISE_SKIP_GPU").is_ok_and(|value| value == "1") {
            // Where the test harness does not keep it to itself.
            let _ = writeln!(io::stderr(), "skipped a lost device: TORTOISE_SKIP_GPU=1");
            return;
        }
        let adapter =
            crate::engine::adapters::list().into_iter().next().expect("scripts/setup.sh was run");
        let model = Model::new(&"logistic".parse().unwrap(), 4, 2, 0.0).unwrap();
        let shaders = ShaderSet::new(Family::Tiled);
        let data = Split::images(vec![128; 4], vec![1], 4, 2).unwrap();
        let mut gpu = Gpu::open(&adapter, model, 1, &shaders, data).unwrap();
        let mut gradient = vec![0.0; 10];
        gpu.gradient(&[0], &mut gradient).unwrap();

        gpu.device.device.destroy();
        for _ in 0..2 {
            let error = gpu.gradient(&[0], &mut gradient).unwrap_err();
            assert!(matches!(&error, Error::Device { .. }), "{error}");
            assert!(error.to_string().contains(&adapter.name), "{error}");
        }
        assert!(matches!(gpu.evaluate(&[0.0; 10], Part::Train), Err(Error::Device { .. })));
    }
}
