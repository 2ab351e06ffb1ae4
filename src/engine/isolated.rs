//! An engine in a process of its own. If its driver crashes, hangs or is killed, one learner is
//! lost, and the program goes on.
//!
//! The process is this program again, started with the subcommand `learner`. First it is sent the
//! data and what to open, and then parameters and the indices of samples. It sends back losses and
//! gradients, with the same bits as an engine in this process. It reads no file, and it ends when
//! the program ends.

#[cfg(feature = "gpu")]
mod check;
mod data;
mod process;
mod serve;
mod wire;

use std::{
    env,
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use self::{
    data::Outlines,
    process::{FromProcess, Guard, Process, ToProcess},
    wire::{Kind, Reader, WireFault, Writer, pack, unpack},
};
use super::{Engine, Evaluation, backend::Backend, expect, model::Model};
use crate::{
    Error, Result, awake,
    dataset::{Part, Splits},
};

#[cfg(feature = "gpu")]
pub use self::check::check;
pub use self::serve::serve;

/// The most bytes of a frame before it is known what is opened: four shaders of 2^20 bytes, of which
/// JSON may make six times as much, or an error.
const OPENING: u64 = 1 << 25;
/// What a learner's process opens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EngineSetup {
    /// Where it computes.
    pub backend: Backend,
    /// What it computes.
    pub model: Model,
    /// m, the most samples of a minibatch.
    pub minibatch: usize,
}

impl EngineSetup {
    /// The most bytes of a frame's payload, either way.
    fn most(&self) -> u64 {
        let params = 4 * (self.model.params() as u64 + 1);
        let indices = (self.minibatch.max(1) as u64).saturating_mul(8);
        OPENING.max(params).max(indices)
    }
}

/// An engine in a process of its own. Dropped, it ends the process, by force if that takes more than
/// a second.
///
/// Once the process has ended, whatever is asked of it is an [`Error::Process`] that says how.
#[derive(Debug)]
pub struct Isolated {
    to: Writer<ToProcess>,
    from: Reader<FromProcess>,
    model: Model,
    samples: usize,
    minibatch: usize,
    /// How the process ended.
    ended: Option<String>,
    /// The last one: ends the process once nothing can be said to it.
    process: Guard,
}

/// A process on its way: it takes in the data, and opens its device.
#[derive(Debug)]
pub struct Opening {
    isolated: Isolated,
    data: Splits,
}

/// Ends a learner's process from any thread.
#[derive(Debug, Clone)]
pub struct Killer(Arc<Process>);

/// This program, as [`Isolated::open`] takes it.
///
/// # Errors
/// [`Error::Io`] where the system does not say.
pub fn this_program() -> Result<PathBuf> {
    env::current_exe().map_err(Error::io("this program"))
}

impl Isolated {
    /// Starts a process of `program`, which is `tortoise`, and waits until it has opened its engine over
    /// these data, which it is sent. A training set alone is enough for gradients.
    ///
    /// All parameters are zero until the first [`Engine::load`].
    ///
    /// # Errors
    /// As [`Self::start`] and [`Opening::ready`].
    pub fn open(
        program: impl Into<PathBuf>,
        setup: &EngineSetup,
        data: impl Into<Splits>,
    ) -> Result<Self> {
        Self::start(program, setup, data)?.ready()
    }

    /// Starts a process of `program`, which is `tortoise`, and does not wait for it.
    ///
    /// # Errors
    /// [`Error::Config`] where the data do not fit the model; [`Error::Io`] where the program cannot be
    /// started; [`Error::Process`] where it ends at once.
    pub fn start(
        program: impl Into<PathBuf>,
        setup: &EngineSetup,
        data: impl Into<Splits>,
    ) -> Result<Opening> {
        let data = data.into();
        setup.model.check(&data)?;
        let (process, from, to) = Process::start(program.into())?;
        let mut isolated = Self {
            to: Writer::new(to),
            from: Reader::new(from, setup.most()),
            model: setup.model.clone(),
            samples: data.train.len(),
            minibatch: setup.minibatch.max(1),
            ended: None,
            process: Guard(Arc::new(process)),
        };
        let open = serde_json::to_vec(&(setup, Outlines::of(&data)))
            .map_err(|error| Error::config(format!("a learner cannot be told its job: {error}")))?;
        isolated.send(Kind::Open, &[&open])?;
        Ok(Opening { isolated, data })
    }

    /// What ends this process, whatever it is doing and whoever waits for it.
    pub fn killer(&self) -> Killer {
        Killer(Arc::clone(&self.process.0))
    }

    /// The number that the system gives the process.
    pub fn id(&self) -> u32 {
        self.process.0.id()
    }

    fn send(&mut self, kind: Kind, parts: &[&[u8]]) -> Result<()> {
        if let Some(how) = &self.ended {
            return Err(Error::Process(how.clone()));
        }
        self.to.send(kind, parts).map_err(|fault| lost(&mut self.ended, &self.process.0, &fault))
    }

    /// The payload of the answer, which is to be of this kind.
    fn answer(&mut self, expected: Kind) -> Result<&[u8]> {
        let Self { from, ended, process: Guard(process), .. } = self;
        match from.receive() {
            Ok(Some((kind, payload))) if kind == expected => Ok(payload),
            Ok(Some((kind @ Kind::Failed, payload))) => {
                Err(match serde_json::from_slice(payload) {
                    Ok(error) => error,
                    Err(problem) => lost(ended, process, &WireFault::Unreadable { kind, problem }),
                })
            }
            Ok(Some((kind, _))) => Err(lost(ended, process, &WireFault::OutOfPlace(kind))),
            Ok(None) => Err(lost(ended, process, &WireFault::Truncated)),
            Err(fault) => Err(lost(ended, process, &fault)),
        }
    }

    /// The numbers of the answer.
    fn numbers<T: bytemuck::Pod>(&mut self, kind: Kind, parts: [&mut [T]; 2]) -> Result<()> {
        let payload = self.answer(kind)?;
        let [first, rest] = parts;
        let (a, b) = payload.split_at(payload.len().min(size_of_val(first)));
        let taken = unpack(kind, a, first).and_then(|()| unpack(kind, b, rest));
        taken.map_err(|fault| lost(&mut self.ended, &self.process.0, &fault))
    }
}

/// The process has ended, or has to, since nobody knows what it will say next.
fn lost(ended: &mut Option<String>, process: &Process, fault: &WireFault) -> Error {
    let how = if fault.is_parting() {
        process.end()
    } else {
        process.kill();
        process.end();
        format!("sends what cannot be understood: {fault}")
    };
    Error::Process(ended.insert(how).clone())
}

impl Opening {
    /// What ends this process while it opens its device, and later.
    pub fn killer(&self) -> Killer {
        self.isolated.killer()
    }

    /// Sends the data and waits until the engine is open.
    ///
    /// # Errors
    /// What [`Backend::open`] returns there; [`Error::Process`] where the process ends.
    pub fn ready(mut self) -> Result<Isolated> {
        let Self { isolated, data } = &mut self;
        data::portions(data, |features, labels| isolated.send(Kind::Data, &[features, labels]))?;
        isolated.answer(Kind::Ready)?;
        Ok(self.isolated)
    }

    /// Sends the data and waits until the engine is open, and ends the process if it is not when `patience` is over.
    ///
    /// # Errors
    /// As [`ready`](Self::ready); [`Error::Io`] where nobody can watch the time.
    pub fn ready_within(self, patience: Duration) -> Result<Isolated> {
        let (killer, (ready, waiting)) = (self.killer(), mpsc::channel::<()>());
        let watch = thread::Builder::new().name("watch of a learner".into()).spawn(move || {
            if awake::heard(&waiting, patience) == Some(true) {
                killer.kill();
            }
        });
        watch.map_err(Error::io("a thread for a learner"))?;
        let opened = self.ready();
        drop(ready);
        opened
    }
}

impl Killer {
    /// Ends the process at once; whoever waits for it gets an [`Error::Process`].
    pub fn kill(&self) {
        self.0.kill();
    }
}

impl Engine for Isolated {
    fn samples(&self) -> usize {
        self.samples
    }

    fn params(&self) -> usize {
        self.model.params()
    }

    fn initial(&self, seed: u64) -> Vec<f32> {
        self.model.initial(seed)
    }

    /// Where loading fails there, the next gradient says so.
    fn load(&mut self, params: &[f32]) -> Result<()> {
        expect("parameters", params.len(), self.model.params())?;
        self.send(Kind::Params, &[&pack(params)])
    }

    fn gradient(&mut self, samples: &[usize], gradient: &mut [f32]) -> Result<f32> {
        expect("gradient", gradient.len(), self.model.params())?;
        if samples.len() > self.minibatch {
            let (got, most) = (samples.len(), self.minibatch);
            let problem = format!("{got} samples for a learner of minibatches of at most {most}");
            return Err(Error::config(problem));
        }
        let indices: Vec<u64> = samples.iter().map(|&sample| sample as u64).collect();
        self.send(Kind::Minibatch, &[&pack(&indices)])?;
        let mut loss = [0.0];
        self.numbers(Kind::Gradient, [&mut loss, gradient])?;
        Ok(loss[0])
    }

    fn evaluate(&mut self, params: &[f32], over: Part) -> Result<Evaluation> {
        expect("parameters", params.len(), self.model.params())?;
        let kind = match over {
            Part::Train => Kind::EvaluateTrain,
            Part::Test => Kind::EvaluateTest,
        };
        self.send(kind, &[&pack(params)])?;
        let (mut loss, mut accuracy) = ([0.0], [0.0]);
        self.numbers(Kind::Evaluation, [&mut loss, &mut accuracy])?;
        Ok(Evaluation { loss: loss[0], accuracy: accuracy[0] })
    }
}
