//! A trained model, as `predict` and `show` take it: its file, and where it is computed.

use std::{ops::Range, path::PathBuf, sync::Arc};

use clap::Args;

use super::say;
use crate::{
    Error, Result,
    dataset::Split,
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
    /// Trained parameters: a file final.safetensors, the folder of a run (ENTRANT/seed-N), or a run
    /// directory with a single run
    #[arg(long, value_name = "FILE|DIR")]
    weights: PathBuf,
    /// auto, host, an adapter's index or part of its name
    #[arg(long, default_value = "host")]
    device: DeviceChoice,
    /// Family of the kernels, on an adapter: auto, tiled or lanes
    #[arg(long, default_value = "auto")]
    kernels: FamilyChoice,
}

/// A model, its parameters, and where it is computed.
pub(super) struct Trained {
    /// Where the parameters are from.
    pub(super) file: PathBuf,
    pub(super) model: Model,
    pub(super) params: Vec<f32>,
    backend: Backend,
}

/// Samples that a trained model is to classify, and an engine over them.
pub(super) struct Classifier<'a> {
    trained: &'a Trained,
    samples: Arc<Split>,
    engine: Box<dyn Engine>,
}

impl TrainedArgs {
    /// Reads the model, and chooses what computes it.
    pub(super) fn open(&self) -> Result<Trained> {
        if self.device == DeviceChoice::Host && self.kernels != FamilyChoice::Auto {
            return Err(Error::config(
                "--kernels changes nothing here, since kernels run on adapters, not on the host \
                 engine: name an adapter with --device",
            ));
        }
        let file = find_trained(&self.weights)?;
        let (model, params) = read_model(&file)?;
        let backend = Backend::choose(&self.device, self.kernels, model.longest_side())?;
        if let Some(note) = backend.note() {
            say(&note);
        }
        Ok(Trained { file, model, params, backend })
    }
}

impl Trained {
    /// Opens an engine over these samples.
    pub(super) fn over(&self, samples: &Arc<Split>) -> Result<Classifier<'_>> {
        let engine = self.backend.open(&self.model, 1, samples)?;
        Ok(Classifier { trained: self, samples: Arc::clone(samples), engine })
    }
}

impl Classifier<'_> {
    /// What it makes of each of these samples.
    pub(super) fn classify(&mut self, range: Range<usize>) -> Result<Vec<Classified>> {
        let Trained { file, model, params, .. } = self.trained;
        let told = classify(&mut *self.engine, model, params, &self.samples, range);
        told.map_err(|error| match error {
            Error::Diverged(reason) => Error::Diverged(format!("{}: {reason}", file.display())),
            error => error,
        })
    }
}
