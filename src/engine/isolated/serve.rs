//! The other side: opens the engine that is asked for, and computes what it is sent until there is
//! nobody to send anything.

use std::io::{Read, Write};

#[cfg(feature = "gpu")]
use super::check;
use super::{
    EngineSetup, OPENING,
    data::Outlines,
    wire::{Kind, Reader, WireFault, Writer, fail, pack, unpack},
};
use crate::{
    Error, Result,
    dataset::Part,
    engine::{Engine, gpu},
};

/// An engine, and room for what it is sent.
struct Learner {
    engine: Box<dyn Engine>,
    /// Why the last parameters are not loaded.
    unloaded: Option<Error>,
    params: Vec<f32>,
    indices: Vec<u64>,
    gradient: Vec<f32>,
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
    let (setup, outlines): (EngineSetup, Outlines) = match from.receive()? {
        None => return Ok(true),
        #[cfg(feature = "gpu")]
        Some((Kind::Check, payload)) => return check::serve(payload, &mut to),
        Some((kind @ Kind::Open, payload)) => serde_json::from_slice(payload)
            .map_err(|problem| WireFault::Unreadable { kind, problem })?,
        Some((kind, _)) => return Err(WireFault::OutOfPlace(kind)),
    };
    from.limit(setup.most().max(outlines.most()));
    let data = outlines.receive(|arriving| match from.receive()? {
        Some((Kind::Data, payload)) => arriving.take(payload),
        Some((kind, _)) => Err(WireFault::OutOfPlace(kind)),
        None => Err(WireFault::Truncated),
    })?;
    gpu::beside_others();
    let EngineSetup { backend, model, minibatch } = setup;
    let mut learner = match data.and_then(|data| backend.open(&model, minibatch, data)) {
        Ok(engine) => Learner::new(engine),
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
    fn new(engine: Box<dyn Engine>) -> Self {
        let params = vec![0.0; engine.params()];
        let (indices, gradient) = (Vec::new(), params.clone());
        Self { engine, unloaded: None, params, indices, gradient }
    }

    fn answer(
        &mut self,
        kind: Kind,
        payload: &[u8],
        to: &mut Writer<impl Write>,
    ) -> std::result::Result<(), WireFault> {
        match kind {
            Kind::Params => {
                unpack(kind, payload, &mut self.params)?;
                self.unloaded = self.engine.load(&self.params).err();
                Ok(())
            }
            Kind::Minibatch => {
                let Self { indices, gradient, .. } = self;
                indices.resize(payload.len() / size_of::<u64>(), 0);
                unpack(kind, payload, indices)?;
                if let Some(error) = &self.unloaded {
                    return fail(to, error);
                }
                let samples: Vec<usize> = indices.iter().map(|&index| index as usize).collect();
                match self.engine.gradient(&samples, gradient) {
                    Ok(loss) => to.send(Kind::Gradient, &[&pack(&[loss]), &pack(gradient)]),
                    Err(error) => fail(to, &error),
                }
            }
            Kind::EvaluateTrain => self.evaluate(kind, payload, Part::Train, to),
            Kind::EvaluateTest => self.evaluate(kind, payload, Part::Test, to),
            kind => Err(WireFault::OutOfPlace(kind)),
        }
    }

    fn evaluate(
        &mut self,
        kind: Kind,
        payload: &[u8],
        over: Part,
        to: &mut Writer<impl Write>,
    ) -> std::result::Result<(), WireFault> {
        unpack(kind, payload, &mut self.params)?;
        self.unloaded = None;
        match self.engine.evaluate(&self.params, over) {
            Ok(it) => to.send(Kind::Evaluation, &[&pack(&[it.loss, it.accuracy])]),
            Err(error) => fail(to, &error),
        }
    }
}
