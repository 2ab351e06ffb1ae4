//! Runs the entrants of a race one after the other, records them, and sums them up.

use std::{env::consts, fs, path::Path, sync::atomic::AtomicBool, thread};

use toml::Table;

use super::{
    Program,
    config::{Clock, Config, SHADERS, TRACE},
    engines::Engines,
    progress::{News, Progress},
    run::Run,
    subject::{ModelOnData, OwnEngine, Subject},
    tuning,
};
use crate::{
    Error, Result,
    engine::{Engine, kernels::ShaderFile},
    estimate::{minimum::Minimum, of_one_objective},
    record::{
        Computed, CopyOrigin, EntrantSummary, Origin, RunDirectory, RunSummary, Summary, Tuning,
        learners_csv, read_origin, read_tuning, write_origin, write_run, write_summary,
        write_tuning, write_whole,
    },
    sgd::{Cancellation, Ended, Entrant, Objective, Trajectory},
    theory::{learners::Learners, runtime, staleness},
};

/// Why there are no trajectories of real time.
const REAL_IS_RECORDED: &str = "a race in real time is evaluated from its record: record it, or leave \
                                the setting clock = \"real\" out";

/// Everything that is checked and opened before the first file is written.
pub(crate) struct Runner {
    pub(crate) config: Config,
    pub(super) subject: Subject,
    engines: Engines,
    evaluator: Box<dyn Engine>,
    /// F*, once it has been looked for.
    minimum: Option<Minimum>,
    pub(super) progress: Box<dyn Progress>,
}

impl Runner {
    /// Opens a race of the engine `own`, or else of the model that is configured.
    pub(crate) fn open(
        mut config: Config,
        own: Option<OwnEngine>,
        mut progress: Box<dyn Progress>,
        program: Program<'_>,
    ) -> Result<Self> {
        let (subject, engines, evaluator) = match (own, &config.objective) {
            (Some(own), _) => {
                let name = own.name.to_owned();
                let opened = own.open(&config)?;
                config.objective = Some(name);
                opened
            }
            (None, Some(objective)) => {
                return Err(Error::config(format!(
                    "{objective} is an engine of a program, which alone can race it: by \
                     Race::new(..).record(..), or .resume(..) to go on"
                )));
            }
            (None, None) => ModelOnData::open(&config, &mut *progress, program)?,
        };
        if config.shards.is_some() {
            let run_config = subject.run_config(&config)?;
            let seeds = config.seed..=config.seed + config.seeds;
            let of_seed = |seed| run_config.minibatches(evaluator.samples(), seed).map(drop);
            seeds.into_iter().try_for_each(of_seed)?;
        }
        Ok(Self { config, subject, engines, evaluator, minimum: None, progress })
    }

    /// What is minimised, with queues and an evaluator of its own, which for most losses looks at a
    /// part of the training set only.
    #[cfg_attr(
        not(feature = "cli"),
        expect(dead_code, reason = "only the command gives advice yet")
    )]
    pub(crate) fn pilot_objective(&self) -> Result<Objective> {
        self.subject.pilot_objective(&self.config)
    }

    /// Runs all entrants in virtual time and keeps their trajectories, one a seed.
    pub(crate) fn trajectories(mut self) -> Result<Vec<Trajectory>> {
        if self.config.clock == Clock::Real {
            return Err(Error::config(REAL_IS_RECORDED));
        }
        self.tune(&AtomicBool::new(false))?;
        let Self { config, subject, engines, evaluator, .. } = self;
        let queues = engines.into_queues().expect("in virtual time there are queues");
        let run_config = subject.run_config(&config)?;
        let mut objective = Objective::new(queues, evaluator);
        if config.entrants.iter().any(Entrant::is_measured)
            && let Some(sample) = subject.sample(&config)?
        {
            objective = objective.with_sample(sample);
        }
        let seeds = config.seed..config.seed + config.seeds;
        let runs = config
            .entrants
            .iter()
            .flat_map(|entrant| seeds.clone().map(move |seed| (entrant, seed)));
        let run = |(entrant, seed)| {
            objective.trajectory(&run_config, entrant, seed, &objective.initial(seed))
        };
        runs.map(run).collect()
    }

    /// Runs all entrants and records them, and in the end the summary.
    pub(crate) fn run(
        &mut self,
        directory: &RunDirectory,
        interrupt: &AtomicBool,
    ) -> Result<Summary<Config>> {
        let origin = self.begin(directory.path(), interrupt)?;
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
    fn begin(&mut self, directory: &Path, interrupt: &AtomicBool) -> Result<Origin<Table>> {
        if let Some(origin) = read_origin(directory)? {
            return Ok(origin);
        }
        let trace = self.config.trace().map(|trace| CopyOrigin::of(trace.path(), trace.text()));
        let of_shader =
            |file: &ShaderFile| (file.kernel.to_owned(), CopyOrigin::of(&file.path, &file.text));
        let shaders = self.config.shader_files().iter().map(of_shader).collect();
        self.copy_inputs(directory)?;
        let configure = |config: &Config| {
            write_whole(&directory.join("config.toml"), config.to_toml().as_bytes())
        };
        configure(&self.config)?;
        // If this ends before the entrants have their rates, the race is tuned again when it goes on.
        if let Some(tuning) = self.tune(interrupt)? {
            write_tuning(directory, &tuning)?;
            configure(&self.config)?;
        }
        let origin = Origin {
            configuration: self.config.settings(),
            data: self.subject.data(),
            trace,
            shaders,
            computed: vec![self.subject.computed("the start")],
            extended: Vec::new(),
        };
        write_origin(directory, &origin)?;
        Ok(origin)
    }

    /// Gives each entrant the rate that suits it best, if that is asked for.
    fn tune(&mut self, interrupt: &AtomicBool) -> Result<Option<Tuning>> {
        if self.config.tune.is_empty() {
            return Ok(None);
        }
        let Self { config, subject, engines, evaluator, progress, .. } = self;
        let tuning =
            tuning::tune(config, subject, engines, &mut **evaluator, &mut **progress, interrupt)?;
        Ok(Some(tuning))
    }

    /// Copies what was read from elsewhere into the run directory, and names the copies from then on.
    fn copy_inputs(&mut self, directory: &Path) -> Result<()> {
        if let Some(trace) = self.config.trace() {
            write_whole(&directory.join(TRACE), trace.text().as_bytes())?;
        }
        if self.config.shaders.is_some() {
            let folder = directory.join(SHADERS);
            fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
            for file in self.config.shader_files() {
                write_whole(&folder.join(file.name()), file.text.as_bytes())?;
            }
        }
        self.config.use_own_copies();
        Ok(())
    }

    /// What computed, in words; one after the other if the race went on elsewhere. What computes now
    /// is called `now`.
    fn in_turn(
        &self,
        origin: &Origin<Table>,
        now: &str,
        of: impl Fn(&Computed) -> String,
    ) -> String {
        let here = of(&self.subject.computed("here"));
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
        let mut ran = Vec::new();
        let mut interrupted = false;
        for entrant in self.config.entrants.clone() {
            let runs = self.runs(entrant, directory, interrupt, &mut interrupted)?;
            if !runs.is_empty() {
                ran.push((entrant, runs));
            }
        }
        let estimates = ran.iter_mut().flat_map(|(_, runs)| runs).map(|run| &mut run.estimates);
        of_one_objective(&mut estimates.flatten().collect::<Vec<_>>());
        for (entrant, runs) in &ran {
            for run in runs.iter().filter(|run| run.estimates.is_some()) {
                write_run(&directory.folder(&entrant.to_string(), run.seed), run)?;
            }
        }
        let summed_up = |(entrant, runs)| summed_up(&self.config, entrant, runs);
        let entrants = ran.into_iter().map(summed_up).collect::<Result<Vec<_>>>()?;
        Ok(Summary {
            tortoise: env!("CARGO_PKG_VERSION").into(),
            machine: machine(),
            configuration: self.config.clone(),
            gradients_on: self.in_turn(origin, &self.engines.to_string(), Computed::gradients),
            evaluations_on: self.in_turn(origin, &self.subject.evaluations(), |computed| {
                computed.evaluations.to_string()
            }),
            queues: self.engines.count(),
            tuning: read_tuning(directory.path())?,
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
                run_config: self.subject.run_config(&self.config)?.of(&entrant),
                layout: self.subject.layout(),
                engines: &mut self.engines,
                sample: match entrant.is_measured() {
                    true => self.subject.sample(&self.config)?,
                    false => None,
                },
                progress: &mut *self.progress,
                interrupt,
                minimum: &mut self.minimum,
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
    let (first, run_config) = (&summary.runs[0], config.run_config().of(&entrant));
    // Where delays are measured, theory goes by the distribution that fits them; and what a device is at
    // work on is not cancelled, but dropped on arrival.
    let delays = match (config.distribution(), &first.delays) {
        (Some(_), _) => Some((run_config.distribution()?, config.slow.clone(), config.cancel)),
        (None, fit) => fit
            .as_ref()
            .map(|fit| (fit.best().distribution.clone(), fit.slow(), Cancellation::OnArrival)),
    };
    // While K grows there is no long run, and of gradients that are dropped theory knows nothing.
    let known = !entrant.adapts() && !run_config.rate_rule.may_drop();
    if let Some((distribution, slow, cancel)) = delays.filter(|_| known) {
        let (rules, link) = (entrant.rules(), config.link.clone());
        let cancellation = entrant.cancellation(cancel);
        let learners = Learners { count: learners, distribution, link, slow, cancellation };
        summary.theory = runtime::update_time_of(rules, &learners, k);
        summary.staleness_theory = staleness::expected_of(rules, &learners, k);
    }
    // The bound is one of plain SGD at a constant rate, and of one K.
    if run_config.is_plain()
        && !config.has_shards()
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
