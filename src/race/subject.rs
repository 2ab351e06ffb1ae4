//! What a race minimises: a model on data that are read, or an engine that a program brings.

use std::{
    path::{self, PathBuf},
    slice,
};

use super::{
    Program,
    config::{Clock, Config},
    engines::{Engines, queues},
    progress::{News, Progress},
};
use crate::{
    Error, Result,
    dataset::{Dataset, Digests, mnist, shards::Shards},
    engine::{
        Engine,
        adapter::DRIVER_THREADS,
        adapters,
        backend::{Backend, Computer},
        model::Model,
        shared::shared,
    },
    record::{Computed, Data, Layout},
    sgd::{Objective, RunConfig},
    share::both,
};

/// Samples times parameters of a gradient from which a software driver gains more from two threads
/// than it loses by waking them.
const WORTH_TWO_THREADS: usize = 3_500_000;

/// Training samples that most losses of pilot runs are evaluated on. MNIST's first are easier than the
/// others, so where the loss itself counts a few are evaluated on all, and tell by how much.
const EVALUATED: usize = 10_000;

/// Training samples that the losses are of by which K is decided: they are looked at while a run goes on,
/// in real time too.
const LOOKED_AT: usize = 4096;

/// What is minimised.
pub(crate) enum Subject {
    /// A model, on data that were read.
    Model(Box<ModelOnData>),
    /// An engine that a program brought, by the name of its type.
    Own(&'static str),
}

/// A model, what it is trained on, and what computes it.
pub(crate) struct ModelOnData {
    pub(super) model: Model,
    data: Dataset,
    pub(super) folder: PathBuf,
    pub(super) digests: Digests,
    pub(super) gradients: Vec<Backend>,
    evaluations: Backend,
}

/// An engine that a program brings.
pub(crate) struct OwnEngine {
    pub(super) name: &'static str,
    pub(super) engine: Box<dyn Engine>,
}

/// What pilot runs are computed with, where that is not what the race is.
#[derive(Default)]
pub(super) struct Pilots {
    pub(super) engines: Option<Engines>,
    pub(super) evaluator: Option<Box<dyn Engine>>,
}

/// What is minimised, the engines for its gradients, and the one that evaluates.
pub(super) type Opened = (Subject, Engines, Box<dyn Engine>);

impl OwnEngine {
    /// One engine computes the gradients, when they are asked for, and evaluates between them.
    pub(super) fn open(self, config: &Config) -> Result<Opened> {
        let Self { name, engine } = self;
        config.check_own(name)?;
        config.check_samples(engine.samples())?;
        let [gradients, evaluator] = shared(engine);
        let engines = Engines::of_one(gradients, name);
        Ok((Subject::Own(name), engines, Box::new(evaluator)))
    }
}

impl ModelOnData {
    /// Reads the data, finds the devices and opens the engines.
    pub(super) fn open(
        config: &Config,
        progress: &mut dyn Progress,
        program: Program<'_>,
    ) -> Result<Opened> {
        let Config { l2, ref model, ref device, ref data, .. } = *config;
        let m = config.largest_minibatch();
        let folder = mnist::locate(data.as_deref())?;
        let source = mnist::find(&folder)?;
        let (inputs, classes) = source.shape()?;
        let model = Model::new(model, inputs, classes, l2 as f32)?;
        let side_by_side = config.learners > 1 && config.queues != Some(1);
        if side_by_side || m.saturating_mul(model.params()) < WORTH_TWO_THREADS {
            (program.set_variable)(DRIVER_THREADS, "0");
        }
        // Both take a while, and neither waits for the other.
        let (data, adapters) = both(
            || source.load().map(|data| (data.digests(), data)),
            || device.0.iter().map(adapters::choose).collect::<Result<Vec<_>>>(),
        );
        let (digests, data) = data?;
        let adapters = adapters?;
        config.check_samples(data.train.len())?;
        let longest = model.longest_side().max(m);
        let backend = |(adapter, device): (Option<_>, _)| {
            let backend = match adapter {
                Some(adapter) => Backend::on(adapter, config.kernels, longest),
                None => Backend::host(device),
            };
            match &config.shaders {
                Some(edited) => backend.with_edited(edited),
                None => Ok(backend),
            }
        };
        let gradients: Vec<_> =
            adapters.into_iter().zip(&device.0).map(backend).collect::<Result<_>>()?;
        gradients.iter().try_for_each(program.try_shaders)?;
        let notes = source.note().into_iter().chain(gradients.iter().filter_map(Backend::note));
        notes.chain(config.note()).for_each(|note| progress.tell(News::Note(&note)));
        let evaluations = gradients[0].for_evaluation();
        let evaluator = evaluations.open(&model, m, &data)?;
        let engines = Engines::open(config, &data, &model, &gradients)?;
        if gradients.len() > 1 {
            progress.tell(News::Note(&engines.to_string()));
        }
        let opened = Self { model, data, folder, digests, gradients, evaluations };
        Ok((Subject::Model(Box::new(opened)), engines, evaluator))
    }

    /// The same with queues and an evaluator of its own, which for most losses looks at a part of the
    /// training set only.
    fn pilot_objective(&self, config: &Config) -> Result<Objective> {
        let Self { data, model, gradients, evaluations, .. } = self;
        let queues = queues(config, data, model, &gradients[0])?;
        let whole = evaluations.open(model, config.largest_minibatch(), data)?;
        match self.part(config, EVALUATED)? {
            Some(part) => Ok(Objective::sampled(queues, part, whole)),
            None => Ok(Objective::new(queues, whole)),
        }
    }

    /// An evaluator of the first `samples` of the training set; none where that would be all of it.
    fn part(&self, config: &Config, samples: usize) -> Result<Option<Box<dyn Engine>>> {
        let Self { data, model, evaluations, .. } = self;
        let few = data.train.len() <= samples;
        let m = config.largest_minibatch();
        let open = || evaluations.open(model, m, data.train.first(samples));
        if few { Ok(None) } else { open().map(Some) }
    }

    /// Engines and an evaluator for pilot runs that are only compared, where there are better ones than
    /// those of the race: in virtual time, the host's in place of a software driver's.
    fn pilots(&self, config: &Config) -> Result<Pilots> {
        let Self { data, model, gradients, evaluations, .. } = self;
        let faster = evaluations.computer() != gradients[0].computer();
        // Edited shaders may compute something else than the host.
        let elsewhere = faster && config.clock == Clock::Virtual && config.shaders.is_none();
        let open = || Engines::open(config, data, model, slice::from_ref(evaluations));
        let engines = if elsewhere { Some(open()?) } else { None };
        Ok(Pilots { engines, evaluator: self.part(config, EVALUATED)? })
    }

    fn data(&self) -> Data {
        // A record is text.
        let folder = path::absolute(&self.folder).ok().filter(|folder| folder.to_str().is_some());
        Data { folder, digests: self.digests.clone() }
    }
}

impl Subject {
    /// What is the same for all entrants, with the parts of the data that learners have.
    ///
    /// # Errors
    /// [`Error::Config`] where the data cannot be split so.
    pub(super) fn run_config(&self, config: &Config) -> Result<RunConfig> {
        let labels = match self {
            Self::Model(opened) => opened.data.train.labels().of_classes(),
            Self::Own(_) => None,
        };
        let shards = |sharding| Shards::new(sharding, labels, config.largest_minibatch());
        let shards = config.shards.map(shards).transpose()?;
        Ok(RunConfig { shards, ..config.run_config() })
    }

    /// How its parameters are told apart in files.
    pub(super) fn layout(&self) -> Layout<'_> {
        match self {
            Self::Model(opened) => Layout::Model(&opened.model),
            Self::Own(_) => Layout::Flat,
        }
    }

    /// The data that were read, and where they lay; none of an engine that has its own.
    pub(super) fn data(&self) -> Option<Data> {
        match self {
            Self::Model(opened) => Some(opened.data()),
            Self::Own(_) => None,
        }
    }

    /// What computes, from the run called `from` on.
    pub(super) fn computed(&self, from: &str) -> Computed {
        let (gradients, evaluations) = match self {
            Self::Model(opened) => {
                let gradients = opened.gradients.iter().map(Backend::computer).collect();
                (gradients, opened.evaluations.computer())
            }
            Self::Own(name) => (vec![Computer::own(name)], Computer::own(name)),
        };
        let tortoise = env!("CARGO_PKG_VERSION").to_owned();
        Computed { from: from.to_owned(), tortoise, gradients, evaluations }
    }

    /// What evaluates, in words.
    pub(super) fn evaluations(&self) -> String {
        match self {
            Self::Model(opened) => opened.evaluations.to_string(),
            Self::Own(name) => (*name).to_owned(),
        }
    }

    /// What is minimised once more, for most losses evaluated over a part of the training set only.
    pub(super) fn pilot_objective(&self, config: &Config) -> Result<Objective> {
        match self {
            Self::Model(opened) => opened.pilot_objective(config),
            Self::Own(name) => Err(Error::config(format!("{name} is opened once only"))),
        }
    }

    /// An evaluator of as many training samples as whoever decides on K looks at; none where that is the
    /// one that evaluates.
    pub(super) fn sample(&self, config: &Config) -> Result<Option<Box<dyn Engine>>> {
        match self {
            Self::Model(opened) => opened.part(config, LOOKED_AT),
            Self::Own(_) => Ok(None),
        }
    }

    /// What pilot runs that are only compared are computed with.
    pub(super) fn pilots(&self, config: &Config) -> Result<Pilots> {
        match self {
            Self::Model(opened) => opened.pilots(config),
            Self::Own(_) => Ok(Pilots::default()),
        }
    }
}
