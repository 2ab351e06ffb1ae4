//! The wgpu engine: a fixed list of dispatches on one queue.
//!
//! Every engine has an instance, a device and a queue of its own. Buffers and bind groups are made
//! once; a gradient is one submission and one readback.

pub mod adapter;
mod buffers;
pub mod check;
mod device;
pub mod kernels;
mod pipelines;
mod plan;
mod spin;

use std::time::{Duration, Instant};

use serde::Serialize;

pub use self::device::DRIVER_THREADS;
pub(crate) use self::device::beside_others;

use self::{
    adapter::AdapterId,
    buffers::Storage,
    device::Device,
    kernels::{Family, ShaderSet},
    pipelines::Pipelines,
    plan::{LayerBuffers, Plan},
};
use super::{Engine, Evaluation, model::Model};
use crate::{
    Error, Result,
    dataset::{Minibatch, Split},
};

/// The most samples that an evaluation hands to the device at a time.
const EVALUATED_AT_ONCE: usize = 1000;

/// Gradients and evaluations of one model on one adapter.
#[derive(Debug)]
pub struct Gpu {
    device: Device,
    pipelines: Pipelines,
    model: Model,
    layers: Vec<LayerBuffers>,
    gradient: Plan,
    /// Made by the first evaluation.
    evaluation: Option<Plan>,
    /// L2 ||W||_F^2 at the loaded parameters.
    penalty: f64,
}

/// What computed a run, for its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Description {
    /// Name of the adapter.
    pub adapter: String,
    /// `vulkan`, `metal`, `dx12` or `gl`.
    pub backend: String,
    /// Name and version of the driver.
    pub driver: String,
    /// Which shaders ran.
    pub family: Family,
}

impl Gpu {
    /// Opens a device for minibatches of about `minibatch` samples; larger ones make it grow.
    ///
    /// All parameters are zero until the first [`Engine::load`].
    ///
    /// # Errors
    /// [`Error::NoAdapter`] where the adapter is gone; [`Error::Device`] where it cannot be opened,
    /// refuses a shader, or has no room for the model or the minibatch.
    pub fn open(
        adapter: &AdapterId,
        model: Model,
        minibatch: usize,
        shaders: &ShaderSet,
    ) -> Result<Self> {
        let device = Device::open(adapter)?;
        let mut pipelines = Pipelines::new(&device, shaders)?;
        let layers: Vec<_> = model
            .layers()
            .iter()
            .map(|layer| LayerBuffers::new(&device, shaders.family(), layer))
            .collect::<Result<_>>()?;
        let gradient = Plan::new(&device, &mut pipelines, &model, &layers, minibatch.max(1), true)?;
        let (evaluation, penalty) = (None, 0.0);
        let mut gpu = Self { device, pipelines, model, layers, gradient, evaluation, penalty };
        gpu.warm_up()?;
        Ok(gpu)
    }

    /// Computes a gradient of nothing: drivers compile a kernel when it first runs.
    fn warm_up(&mut self) -> Result<()> {
        let nothing = Minibatch { images: vec![0.0; self.model.inputs()], labels: vec![0] };
        self.gradient(&nothing, &mut vec![0.0; self.model.params()]).map(drop)
    }

    /// What computes here.
    pub fn describe(&self) -> Description {
        let adapter = self.device.adapter();
        Description {
            adapter: adapter.name.clone(),
            backend: adapter.backend.clone(),
            driver: format!("{} {}", adapter.driver, adapter.driver_info).trim().into(),
            family: self.pipelines.family(),
        }
    }

    /// Hands a minibatch to the driver.
    fn upload(&mut self, batch: &Minibatch) -> Result<()> {
        let rows = batch.len();
        expect("pixels", batch.images.len(), rows * self.model.inputs())?;
        let classes = self.model.classes();
        if rows == 0 || batch.labels.iter().any(|&label| label as usize >= classes) {
            return Err(Error::config(format!(
                "a minibatch needs samples, and labels below the model's {classes} classes"
            )));
        }
        if rows > self.gradient.capacity() {
            let Self { device, pipelines, model, layers, .. } = self;
            self.gradient = Plan::new(device, pipelines, model, layers, rows, true)?;
        }
        self.gradient.upload(&self.device, &self.model, &batch.images, &batch.labels);
        Ok(())
    }

    /// Runs the kernels on the minibatch, tells `done` that they have, and copies the gradient;
    /// returns the loss.
    fn download(&mut self, gradient: &mut [f32], done: impl FnOnce()) -> Result<f32> {
        expect("gradient", gradient.len(), self.model.params())?;
        let plan = &self.gradient;
        let sum = plan.run(&self.device, &self.layers, |losses, dparams| {
            done();
            let mut gradient: &mut [u8] = bytemuck::cast_slice_mut(gradient);
            for row in dparams {
                let (to, rest) = gradient.split_at_mut(row.len());
                to.copy_from_slice(row);
                gradient = rest;
            }
            total(losses)
        })?;
        Ok((sum / plan.rows() as f64 + self.penalty) as f32)
    }

    /// A step at `params`: how long it took to upload, to wait for the device, and to download.
    fn step(
        &mut self,
        params: &[f32],
        batch: &Minibatch,
        gradient: &mut [f32],
    ) -> Result<[Duration; 3]> {
        let start = Instant::now();
        self.load(params)?;
        self.upload(batch)?;
        let (uploaded, mut computed) = (Instant::now(), Instant::now());
        self.download(gradient, || computed = Instant::now())?;
        Ok([uploaded - start, computed - uploaded, computed.elapsed()])
    }

    /// The plan for evaluations, made when it is first needed.
    fn evaluation(&mut self, samples: usize) -> Result<Plan> {
        let layers = self.model.layers().iter().map(|layer| layer.outputs);
        let widest = layers.chain([self.model.inputs()]).max().unwrap_or(1);
        let capacity = Storage::most_rows(&self.device, EVALUATED_AT_ONCE.min(samples), widest);
        match self.evaluation.take() {
            Some(plan) if plan.capacity() >= capacity => Ok(plan),
            _ => {
                let Self { device, pipelines, model, layers, .. } = self;
                Plan::new(device, pipelines, model, layers, capacity, false)
            }
        }
    }
}

impl Engine for Gpu {
    fn load(&mut self, params: &[f32]) -> Result<()> {
        expect("parameters", params.len(), self.model.params())?;
        for (layer, buffers) in self.model.layers().iter().zip(&self.layers) {
            buffers.params.upload(&self.device, &params[layer.params()]);
        }
        self.penalty = self.model.penalty(params);
        self.device.healthy()
    }

    fn gradient(&mut self, batch: &Minibatch, gradient: &mut [f32]) -> Result<f32> {
        self.upload(batch)?;
        self.download(gradient, || {})
    }

    fn evaluate(&mut self, params: &[f32], split: &Split) -> Result<Evaluation> {
        expect("pixels an image", split.inputs(), self.model.inputs())?;
        expect("classes", split.classes(), self.model.classes())?;
        self.load(params)?;
        let mut plan = self.evaluation(split.len())?;
        let mut batch = Minibatch::default();
        let (mut loss, mut hits) = (0.0, 0);
        for start in (0..split.len()).step_by(plan.capacity()) {
            let end = split.len().min(start + plan.capacity());
            split.gather(start..end, &mut batch);
            plan.upload(&self.device, &self.model, &batch.images, &batch.labels);
            plan.run(&self.device, &self.layers, |losses, hit| {
                loss += total(losses);
                let hit = hit.flat_map(words).map(u32::from_ne_bytes);
                hits += hit.filter(|&hit| hit != 0).count();
            })?;
        }
        self.evaluation = Some(plan);
        let samples = split.len() as f64;
        Ok(Evaluation { loss: loss / samples + self.penalty, accuracy: hits as f64 / samples })
    }
}

fn expect(what: &str, got: usize, expected: usize) -> Result<()> {
    if got == expected {
        return Ok(());
    }
    Err(Error::config(format!("{got} {what}, but the model has {expected}")))
}

/// The elements of bytes that came back.
fn words(bytes: &[u8]) -> impl Iterator<Item = [u8; 4]> {
    bytes.chunks_exact(4).map(|word| [word[0], word[1], word[2], word[3]])
}

fn total(losses: &[u8]) -> f64 {
    words(losses).map(|word| f64::from(f32::from_ne_bytes(word))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(clippy::print_stdout, reason = "nothing is skipped in silence")]
    fn a_lost_device_is_an_error_that_names_its_adapter() {
        if std::env::var("TORTOISE_SKIP_GPU").is_ok_and(|value| value == "1") {
            println!("skipped: TORTOISE_SKIP_GPU=1");
            return;
        }
        let adapter = adapter::list().into_iter().next().expect("scripts/setup.sh was run");
        let model = Model::new(&"logistic".parse().unwrap(), 4, 2, 0.0).unwrap();
        let shaders = ShaderSet::new(Family::Tiled);
        let mut gpu = Gpu::open(&adapter, model, 1, &shaders).unwrap();
        let batch = Minibatch { images: vec![0.5; 4], labels: vec![1] };
        let mut gradient = vec![0.0; 10];
        gpu.gradient(&batch, &mut gradient).unwrap();

        gpu.device.device.destroy();
        for _ in 0..2 {
            let error = gpu.gradient(&batch, &mut gradient).unwrap_err();
            assert!(matches!(&error, Error::Device { .. }), "{error}");
            assert!(error.to_string().contains(&adapter.name), "{error}");
        }
        let split = Split::new(vec![0; 4], vec![0], 4, 2).unwrap();
        assert!(matches!(gpu.evaluate(&[0.0; 10], &split), Err(Error::Device { .. })));
    }
}
