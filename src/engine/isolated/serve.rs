//! The other side: opens the engine that is asked for, and computes what it is sent until there is
//! nobody to send anything.

use std::io::{Read, Write};

#[cfg(feature = "gpu")]
use super::check;
use super::{
    EngineSetup, OPENING,
    wire::{Kind, Reader, WireFault, Writer, fail, pack, unpack},
};
use crate::{
    Error, Result,
    dataset::{Minibatch, Split},
    engine::{Engine, gpu, model::Model},
};

/// An engine, and room for what it is sent.
struct Learner {
    engine: Box<dyn Engine>,
    model: Model,
    /// Why the last parameters are not loaded.
    unloaded: Option<Error>,
    params: Vec<f32>,
    batch: Minibatch,
    gradient: Vec<f32>,
    pixels: Vec<u8>,
    labels: Vec<u8>,
}

/// Opens what comes first in `input` asks for and answers in `output` until `input` ends; returns
/// whether it could be opened. Where not, `output` has been told why.
///
/// # Errors
/// [`Error::Process`] where what comes is no request.
pub fn serve(input: impl Read, output: impl Write) -> Result<bool> {
    match converse(Reader::new(input, OPENING), Writer::new(output)) {
        Err(fault) if !fault.is_parting() => {
            Err(Error::Process(format!("is sent what cannot be understood: {fault}")))
        }
        opened => Ok(opened.unwrap_or(true)),
    }
}

fn converse<R: Read, W: Write>(
    mut from: Reader<R>,
    mut to: Writer<W>,
) -> std::result::Result<bool, WireFault> {
    let job: EngineSetup = match from.receive()? {
        None => return Ok(true),
        #[cfg(feature = "gpu")]
        Some((Kind::Check, payload)) => return check::serve(payload, &mut to),
        Some((kind @ Kind::Open, payload)) => serde_json::from_slice(payload)
            .map_err(|problem| WireFault::Unreadable { kind, problem })?,
        Some((kind, _)) => return Err(WireFault::OutOfPlace(kind)),
    };
    from.limit(job.most());
    gpu::beside_others();
    let mut learner = match job.backend.open(&job.model, job.minibatch) {
        Ok(engine) => Learner::new(engine, job.model),
        Err(error) => {
            fail(&mut to, &error)?;
            return Ok(false);
        }
    };
    to.send(Kind::Ready, &[])?;
    while let Some((kind, payload)) = from.receive()? {
        learner.answer(kind, payload, &mut to)?;
    }
    Ok(true)
}

impl Learner {
    fn new(engine: Box<dyn Engine>, model: Model) -> Self {
        let params = vec![0.0; model.params()];
        let (batch, gradient) = (Minibatch::default(), params.clone());
        let (pixels, labels) = (Vec::new(), Vec::new());
        Self { engine, model, unloaded: None, params, batch, gradient, pixels, labels }
    }

    fn answer(
        &mut self,
        kind: Kind,
        payload: &[u8],
        to: &mut Writer<impl Write>,
    ) -> std::result::Result<(), WireFault> {
        let inputs = self.model.inputs();
        match kind {
            Kind::Params => {
                unpack(kind, payload, &mut self.params)?;
                self.unloaded = self.engine.load(&self.params).err();
                Ok(())
            }
            Kind::Minibatch => {
                let Self { batch, gradient, .. } = self;
                let samples = payload.len() / (4 * (inputs + 1));
                let (images, labels) = payload.split_at(4 * samples * inputs);
                batch.images.resize(samples * inputs, 0.0);
                batch.labels.resize(samples, 0);
                unpack(kind, images, &mut batch.images)?;
                unpack(kind, labels, &mut batch.labels)?;
                if let Some(error) = &self.unloaded {
                    return fail(to, error);
                }
                match self.engine.gradient(batch, gradient) {
                    Ok(loss) => to.send(Kind::Gradient, &[&pack(&[loss]), &pack(gradient)]),
                    Err(error) => fail(to, &error),
                }
            }
            Kind::Samples => {
                let (pixels, labels) = payload.split_at(payload.len() / (inputs + 1) * inputs);
                self.pixels.extend_from_slice(pixels);
                self.labels.extend_from_slice(labels);
                Ok(())
            }
            Kind::Evaluate => {
                unpack(kind, payload, &mut self.params)?;
                self.unloaded = None;
                let (pixels, labels) =
                    (std::mem::take(&mut self.pixels), std::mem::take(&mut self.labels));
                let evaluation = Split::new(pixels, labels, inputs, self.model.classes())
                    .and_then(|split| self.engine.evaluate(&self.params, &split));
                match evaluation {
                    Ok(it) => to.send(Kind::Evaluation, &[&pack(&[it.loss, it.accuracy])]),
                    Err(error) => fail(to, &error),
                }
            }
            kind => Err(WireFault::OutOfPlace(kind)),
        }
    }
}
