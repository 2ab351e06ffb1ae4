//! A trained model, as `predict` and `show` take it: its file, and where it is computed.

use std::path::PathBuf;

use clap::Args;

use super::say;
use crate::{
    Error, Result,
    dataset::Minibatch,
    engine::{
        Engine,
        adapter::DeviceChoice,
        backend::{Backend, FamilyChoice},
        classify::{Classified, classify},
        model::Model,
    },
    record::{find_trained, read_model},
};

#[derive(Debug, Args)]
pub(super) struct TrainedArgs {
    /// Parameters that were trained: final.safetensors, or the folder of a run that holds it, or a
    /// run directory that holds one such
    #[arg(long, value_name = "FILE|DIR")]
    weights: PathBuf,
    /// auto, host, an adapter's index or part of its name
    #[arg(long, default_value = "host")]
    device: DeviceChoice,
    /// Family of the kernels, on an adapter: auto, tiled or lanes
    #[arg(long, default_value = "auto")]
    kernels: FamilyChoice,
}

/// A model, its parameters, and an engine.
pub(super) struct Trained {
    /// Where the parameters are from.
    pub(super) file: PathBuf,
    pub(super) model: Model,
    pub(super) params: Vec<f32>,
    engine: Box<dyn Engine>,
}

impl TrainedArgs {
    /// Reads the model, and opens what computes it.
    pub(super) fn open(&self) -> Result<Trained> {
        if self.device == DeviceChoice::Host && self.kernels != FamilyChoice::Auto {
            return Err(Error::config(
                "--kernels changes nothing here, since the host engine has no kernels: name an adapter \
                 with --device",
            ));
        }
        let file = find_trained(&self.weights)?;
        let (model, params) = read_model(&file)?;
        let backend = Backend::choose(&self.device, self.kernels, model.longest_side())?;
        if let Some(note) = backend.note() {
            say(&note);
        }
        let engine = backend.open(&model, 1)?;
        Ok(Trained { file, model, params, engine })
    }
}

impl Trained {
    /// What it makes of each image.
    pub(super) fn classify(&mut self, batch: &Minibatch) -> Result<Vec<Classified>> {
        let told = classify(&mut *self.engine, &self.model, &self.params, batch);
        told.map_err(|error| match error {
            Error::Diverged(reason) => {
                Error::Diverged(format!("{}: {reason}", self.file.display()))
            }
            error => error,
        })
    }
}
