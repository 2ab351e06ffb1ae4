//! Runs the entrants of a race one after the other, records them, and sums them up.

use std::{
    env::consts,
    path::{self, Path, PathBuf},
    sync::atomic::AtomicBool,
    thread,
};

use toml::Table;

use super::{
    SetVariable,
    config::{Config, TRACE},
    engines::{Engines, queues},
    progress::{News, Progress},
    run::Run,
};
use crate::{
    Error, Result,
    dataset::{Dataset, Digests, mnist, sha256},
    engine::{Engine, adapter::DRIVER_THREADS, adapters, backend::Backend, model::Model},
    record::{
        Computed, Data, EntrantSummary, Origin, RunDirectory, RunSummary, Summary, TraceOrigin,
        learners_csv, read_origin, write_origin, write_summary, write_whole,
    },
    sgd::{Cancellation, Ended, Entrant, Objective, Trajectory, learning_rate::RateRule},
    share::both,
    theory::{runtime, staleness},
};

/// Samples times parameters of a gradient from which a software driver gains more from two threads
/// than it loses by waking them.
const WORTH_TWO_THREADS: usize = 3_500_000;

/// Why there are no trajectories of real time.
const REAL_IS_RECORDED: &str = "a race in real time is evaluated from its record: record it, or leave \
                                the setting clock = \"real\" out";

/// Everything that is checked and opened before the first file is written.
pub(crate) struct Runner {
    pub(crate) config: Config,
    pub(crate) data: Dataset,
    pub(super) folder: PathBuf,
    pub(super) digests: Digests,
    pub(crate) model: Model,
    pub(super) gradients: Vec<Backend>,
    engines: Engines,
    evaluator: Box<dyn Engine>,
    evaluations: Backend,
    pub(super) progress: Box<dyn Progress>,
}

impl Runner {
    pub(crate) fn open(
        config: Config,
        mut progress: Box<dyn Progress>,
        set_variable: SetVariable<'_>,
    ) -> Result<Self> {
        let Config { minibatch: m, l2, ref model, ref device, ref data, .. } = config;
        let folder = mnist::locate(data.as_deref())?;
        let source = mnist::find(&folder)?;
        let (inputs, classes) = source.shape()?;
        let model = Model::new(model, inputs, classes, l2 as f32)?;
        let side_by_side = config.learners > 1 && config.queues != Some(1);
        if side_by_side || m.saturating_mul(model.params()) < WORTH_TWO_THREADS {
            set_variable(DRIVER_THREADS, "0");
        }
        // Both take a while, and neither waits for the other.
        let (data, adapters) = both(
            || source.load().map(|data| (data.digests(), data)),
            || device.0.iter().map(adapters::choose).collect::<Result<Vec<_>>>(),
        );
        let (digests, data) = data?;
        let adapters = adapters?;
        let samples = data.train.len();
        if m > samples {
            return Err(Error::config(format!(
                "--minibatch {m} is more than the {samples} samples of the training set"
            )));
        }
        let longest = model.longest_side().max(m);
        let backend = |(adapter, device): (Option<_>, _)| match adapter {
            Some(adapter) => Backend::on(adapter, config.kernels, longest),
            None => Backend::host(device),
        };
        let gradients: Vec<_> = adapters.into_iter().zip(&device.0).map(backend).collect();
        let notes = source.note().into_iter().chain(gradients.iter().filter_map(Backend::note));
        notes.chain(config.note()).for_each(|note| progress.tell(News::Note(&note)));
        let evaluations = gradients[0].for_evaluation();
        let evaluator = evaluations.open(&model, m, &data)?;
        let engines = Engines::open(&config, &data, &model, &gradients)?;
        if gradients.len() > 1 {
            progress.tell(News::Note(&engines.to_string()));
        }
        Ok(Self {
            config,
            data,
            folder,
            digests,
            model,
            gradients,
            engines,
            evaluator,
            evaluations,
            progress,
        })
    }

    /// What is minimised, with queues and an evaluator of its own over the first `evaluated` samples of
    /// the training set.
    #[cfg_attr(
        not(feature = "cli"),
        expect(dead_code, reason = "only the command gives advice yet")
    )]
    pub(crate) fn objective(&self, evaluated: usize) -> Result<Objective> {
        let Self { config, data, model, gradients, evaluations, .. } = self;
        let queues = queues(config, data, model, &gradients[0])?;
        let part = data.train.first(evaluated);
        let evaluator = evaluations.open(model, config.minibatch, part)?;
        Ok(Objective::new(queues, evaluator))
    }

    /// Runs all entrants in virtual time and keeps their trajectories, one a seed.
    pub(crate) fn trajectories(self) -> Result<Vec<Trajectory>> {
        let Self { config, model, engines, evaluator, .. } = self;
        let queues = engines.into_queues().ok_or_else(|| Error::config(REAL_IS_RECORDED))?;
        let (run_config, objective) = (config.run_config(), Objective::new(queues, evaluator));
        let seeds = config.seed..config.seed + config.seeds;
        let runs = config
            .entrants
            .iter()
            .flat_map(|entrant| seeds.clone().map(move |seed| (entrant, seed)));
        let run = |(entrant, seed)| {
            objective.trajectory(&run_config, entrant, seed, &model.initial(seed))
        };
        runs.map(run).collect()
    }

    /// Runs all entrants and records them, and in the end the summary.
    pub(crate) fn run(
        &mut self,
        directory: &RunDirectory,
        interrupt: &AtomicBool,
    ) -> Result<Summary<Config>> {
        let origin = self.begin(directory.path())?;
        self.config.extended.clone_from(&origin.extended);
        self.progress.tell(News::Start(&self.config));
        let summary = self.entrants(&origin, directory, interrupt)?;
        self.progress.tell(News::End);
        write_summary(directory.path(), &summary)?;
        let learners = learners_csv(&summary.entrants);
        write_whole(&directory.path().join("learners.csv"), learners.as_bytes())?;
        Ok(summary)
    }

    /// What the race depends on. If the run directory is new it is written there first, with all that
    /// the directory needs to be read and gone on with elsewhere.
    fn begin(&mut self, directory: &Path) -> Result<Origin<Table>> {
        if let Some(origin) = read_origin(directory)? {
            return Ok(origin);
        }
        let trace = self.config.trace().map(|trace| TraceOrigin {
            file: trace.path().display().to_string(),
            sha256: sha256(trace.text().as_bytes()),
        });
        if let Some(trace) = self.config.trace() {
            write_whole(&directory.join(TRACE), trace.text().as_bytes())?;
        }
        self.config.use_own_trace();
        write_whole(&directory.join("config.toml"), self.config.to_toml().as_bytes())?;
        let origin = Origin {
            configuration: self.config.settings(),
            data: self.data_origin(),
            trace,
            computed: vec![self.computed("the start")],
            extended: Vec::new(),
        };
        write_origin(directory, &origin)?;
        Ok(origin)
    }

    pub(super) fn data_origin(&self) -> Data {
        // A record is text.
        let folder = path::absolute(&self.folder).ok().filter(|folder| folder.to_str().is_some());
        Data { folder, digests: self.digests.clone() }
    }

    /// What computes, from the run called `from` on.
    pub(super) fn computed(&self, from: &str) -> Computed {
        Computed {
            from: from.to_owned(),
            tortoise: env!("CARGO_PKG_VERSION").to_owned(),
            gradients: self.gradients.iter().map(Backend::computer).collect(),
            evaluations: self.evaluations.computer(),
        }
    }

    /// What computed, in words; one after the other if the race went on elsewhere. What computes now
    /// is called `now`.
    fn in_turn(
        &self,
        origin: &Origin<Table>,
        now: &str,
        of: impl Fn(&Computed) -> String,
    ) -> String {
        let here = of(&self.computed("here"));
        let mut all: Vec<_> = origin.computed.iter().map(|one| (&one.from, of(one))).collect();
        all.dedup_by(|later, earlier| later.1 == earlier.1);
        let mut text = String::new();
        for (at, (from, what)) in all.iter().enumerate() {
            if at > 0 {
                text += &format!("; from {from} on ");
            }
            text += if *what == here { now } else { what };
        }
        text
    }

    /// All runs, and what theory says of them.
    fn entrants(
        &mut self,
        origin: &Origin<Table>,
        directory: &RunDirectory,
        interrupt: &AtomicBool,
    ) -> Result<Summary<Config>> {
        let mut entrants = Vec::new();
        let mut interrupted = false;
        for entrant in self.config.entrants.clone() {
            let runs = self.runs(entrant, directory, interrupt, &mut interrupted)?;
            if !runs.is_empty() {
                entrants.push(summed_up(&self.config, entrant, runs)?);
            }
        }
        Ok(Summary {
            tortoise: env!("CARGO_PKG_VERSION").into(),
            machine: machine(),
            configuration: self.config.clone(),
            gradients_on: self.in_turn(origin, &self.engines.to_string(), Computed::gradients),
            evaluations_on: self.in_turn(origin, &self.evaluations.to_string(), |computed| {
                computed.evaluations.to_string()
            }),
            queues: self.engines.count(),
            entrants,
            interrupted,
        })
    }

    /// The runs of `entrant`, one a seed, until one is interrupted.
    fn runs(
        &mut self,
        entrant: Entrant,
        directory: &RunDirectory,
        interrupt: &AtomicBool,
        interrupted: &mut bool,
    ) -> Result<Vec<RunSummary>> {
        let Config { seed, seeds, .. } = self.config;
        let mut runs = Vec::new();
        for seed in seed..seed + seeds {
            if *interrupted {
                break;
            }
            let run = Run {
                entrant,
                seed,
                config: &self.config,
                model: &self.model,
                engines: &mut self.engines,
                progress: &mut *self.progress,
                interrupt,
            };
            let run = run.record(directory, &mut *self.evaluator)?;
            *interrupted = run.ended == Ended::Interrupted;
            self.progress.tell(News::Over { entrant: &entrant.to_string(), run: &run });
            runs.push(run);
        }
        Ok(runs)
    }
}

/// The runs of `entrant`, next to what theory says of them.
fn summed_up(config: &Config, entrant: Entrant, runs: Vec<RunSummary>) -> Result<EntrantSummary> {
    let learners = config.learners;
    let k = entrant.k(learners)?;
    let mut summary = EntrantSummary {
        entrant: entrant.to_string(),
        learners,
        k,
        theory: Default::default(),
        staleness_theory: None,
        error_bound: None,
        runs,
    };
    let first = &summary.runs[0];
    // Where delays are measured, theory goes by the distribution that fits them; and what a device is at
    // work on is not cancelled, but dropped on arrival.
    let delays = match (config.distribution(), &first.delays) {
        (Some(distribution), _) => Some((distribution.clone(), config.slow.clone(), config.cancel)),
        (None, fit) => fit
            .as_ref()
            .map(|fit| (fit.best().distribution.clone(), fit.slow(), Cancellation::OnArrival)),
    };
    // While K grows there is no long run.
    if let Some((distribution, slow, cancel)) = delays.filter(|_| !entrant.adapts()) {
        let rules = entrant.rules();
        summary.theory = runtime::update_time_of(rules, &distribution, &slow, cancel, learners, k);
        summary.staleness_theory = staleness::expected(rules, &distribution, &slow, learners, k);
    }
    // The bound is one of a constant rate, and of one K.
    if config.rate_rule == RateRule::Constant
        && let Some((estimates, expected)) =
            summary.runs[0].estimates.as_ref().zip(summary.staleness_theory)
    {
        summary.error_bound = Some(estimates.error_bound(&expected));
    }
    Ok(summary)
}

/// Operating system, processor and threads.
fn machine() -> String {
    let threads = thread::available_parallelism().map_or(1, |threads| threads.get());
    format!("{} {}, {threads} threads", consts::OS, consts::ARCH)
}
