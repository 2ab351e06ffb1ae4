//! `tortoise race`, `tortoise train` and `tortoise resume`: runs on equal terms, recorded and summed up.

mod one;
mod resume;
mod shown;

use std::{
    env::consts,
    path::{self, Path, PathBuf},
    sync::Arc,
    thread,
    time::Duration,
};

use clap::Args;
use toml::Table;

pub(super) use self::resume::{ResumeArgs, resume};

use super::{
    Exit, SetVariable,
    experiment::{self, Experiment, Flags, TRACE},
    interrupt::Interrupt,
    print,
    progress::{News, Progress, Show},
    report::{of_command, tell},
    to_json,
    workers::{Workers, queues},
};
use crate::{
    Error, Result,
    dataset::{
        Dataset, Digests,
        mnist::{self, CLASSES, PIXELS},
        sha256,
    },
    engine::{
        Engine,
        adapter::{self, DRIVER_THREADS},
        backend::Backend,
        model::Model,
    },
    record::{
        Computed, Data, EntrantSummary, Origin, RunDirectory, Summary, TraceOrigin, read_origin,
        write_origin, write_summary, write_whole,
    },
    report,
    sgd::{Cancellation, Ended, Entrant, Objective, learning_rate::RateRule},
    share::both,
    theory::{runtime, staleness},
};

#[derive(Debug, Args)]
#[command(mut_args(experiment::with_default))]
pub(super) struct RaceArgs {
    /// sync, async, k-sync:K, k-batch-sync:K, k-async:K, k-batch-async:K [default: all]
    ///
    /// Without :K, K = P/2, rounded up. In place of K, adasync or adasync(K0): K grows as the training
    /// loss falls.
    entrants: Vec<Entrant>,
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
#[command(mut_args(experiment::with_default))]
pub(super) struct TrainArgs {
    /// sync, async, k-sync:K, k-batch-sync:K, k-async:K or k-batch-async:K
    ///
    /// Without :K, K = P/2, rounded up. In place of K, adasync or adasync(K0): K grows as the training
    /// loss falls.
    entrant: Entrant,
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Input and output")]
pub(super) struct Output {
    /// TOML file with any of the options of a race, as a run directory has one; - is standard input
    ///
    /// What the command has no use for is passed over. A file that it names is looked for beside it, and
    /// then from here.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Folder to write to, new or empty [default: the next free runs/NAME-N]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    #[command(flatten)]
    pub(super) show: Show,
}

pub(super) fn race(
    args: &RaceArgs,
    set_variable: SetVariable<'_>,
    interrupt: &Interrupt,
) -> Result<Exit> {
    run("race", &args.entrants, &args.flags, &args.output, set_variable, interrupt)
}

pub(super) fn train(
    args: &TrainArgs,
    set_variable: SetVariable<'_>,
    interrupt: &Interrupt,
) -> Result<Exit> {
    run("train", &[args.entrant], &args.flags, &args.output, set_variable, interrupt)
}

/// Samples times parameters of a gradient from which a software driver gains more from two threads
/// than it loses by waking them.
const WORTH_TWO_THREADS: usize = 3_500_000;

/// How long a race may take to come to its end once that is wished. What takes longer, an evaluation of
/// a large model say, is cut off: nothing is lost by that but what `resume` computes again.
const STOPPING: Duration = Duration::from_millis(1500);
/// How long it may take from that wish until all is written and drawn.
const FINISHING: Duration = Duration::from_secs(10);

/// Everything that is checked and opened before the first file is written.
pub(super) struct Race {
    pub(super) experiment: Experiment,
    pub(super) data: Dataset,
    folder: PathBuf,
    digests: Digests,
    pub(super) model: Model,
    gradients: Vec<Backend>,
    workers: Workers,
    evaluator: Box<dyn Engine>,
    evaluations: Backend,
    progress: Box<dyn Progress>,
}

fn run(
    name: &str,
    entrants: &[Entrant],
    flags: &Flags,
    output: &Output,
    set_variable: SetVariable<'_>,
    interrupt: &Interrupt,
) -> Result<Exit> {
    let experiment = Experiment::new(entrants, flags, output.config.as_deref())?;
    let race = Race::open(experiment, &output.show, set_variable)?;
    let directory = RunDirectory::create(output.out.as_deref(), name)?;
    carry_on(race, &directory, interrupt, output.show.json)
}

/// Runs what is not over yet, and tells what came of all.
fn carry_on(
    mut race: Race,
    directory: &RunDirectory,
    interrupt: &Interrupt,
    json: bool,
) -> Result<Exit> {
    let summary = race.run(directory, interrupt)?;
    let interrupted = summary.interrupted;
    // All is written before anything is printed: there may be nobody left to print for.
    let printed = if json { Some(to_json(&summary)?) } else { None };
    tell(vec![(directory.path(), summary)], of_command, directory.path(), json)?;
    printed.map_or(Ok(()), |json| print(&json))?;
    Ok(if interrupted { Exit::Interrupted } else { Exit::Done })
}

impl Race {
    pub(super) fn open(
        experiment: Experiment,
        show: &Show,
        set_variable: SetVariable<'_>,
    ) -> Result<Self> {
        let Experiment { minibatch: m, l2, ref model, ref device, ref data, .. } = experiment;
        let of_mnist = Model::new(model, PIXELS, CLASSES, 0.0)?;
        let side_by_side = experiment.learners > 1 && experiment.queues != Some(1);
        if side_by_side || m.saturating_mul(of_mnist.params()) < WORTH_TWO_THREADS {
            set_variable(DRIVER_THREADS, "0");
        }
        let folder = mnist::locate(data.as_deref())?;
        let source = mnist::find(&folder)?;
        // Both take a while, and neither waits for the other.
        let (data, adapters) = both(
            || source.load().map(|data| (data.digests(), data)),
            || device.0.iter().map(adapter::choose).collect::<Result<Vec<_>>>(),
        );
        let (digests, data) = data?;
        let adapters = adapters?;
        let samples = data.train.len();
        if m > samples {
            return Err(Error::config(format!(
                "--minibatch {m} is more than the {samples} samples of the training set"
            )));
        }
        let model = Model::new(model, data.train.inputs(), data.train.classes(), l2 as f32)?;
        let longest = model.longest_side().max(m);
        let backend = |(adapter, device): (Option<_>, _)| match adapter {
            Some(adapter) => Backend::on(adapter, experiment.kernels, longest),
            None => Backend::host(device),
        };
        let gradients: Vec<_> = adapters.into_iter().zip(&device.0).map(backend).collect();
        let mut progress = show.progress();
        let notes = source.note().into_iter().chain(gradients.iter().filter_map(Backend::note));
        notes.chain(experiment.note()).for_each(|note| progress.tell(News::Note(&note)));
        let evaluations = gradients[0].for_evaluation();
        let evaluator = evaluations.open(&model, m)?;
        let workers = Workers::open(&experiment, &data, &model, &gradients)?;
        if gradients.len() > 1 {
            progress.tell(News::Note(&workers.to_string()));
        }
        Ok(Self {
            experiment,
            data,
            folder,
            digests,
            model,
            gradients,
            workers,
            evaluator,
            evaluations,
            progress,
        })
    }

    /// What is minimised, with queues and an evaluator of its own over the first `evaluated` samples.
    pub(super) fn objective(&self, evaluated: usize) -> Result<Objective> {
        let Self { experiment, data, model, gradients, evaluations, .. } = self;
        let queues = queues(experiment, data, model, &gradients[0])?;
        let evaluator = evaluations.open(model, experiment.minibatch)?;
        Ok(Objective::new(&Arc::new(data.train.first(evaluated)), queues, evaluator))
    }

    /// Runs all entrants and records them, and in the end the summary.
    pub(super) fn run(
        &mut self,
        directory: &RunDirectory,
        interrupt: &Interrupt,
    ) -> Result<Summary<Experiment>> {
        let origin = self.begin(directory.path())?;
        self.experiment.extended.clone_from(&origin.extended);
        interrupt.give(STOPPING);
        self.progress.tell(News::Start { race: &self.experiment, interrupt });
        let summary = self.entrants(&origin, directory, interrupt)?;
        interrupt.give(FINISHING);
        self.progress.tell(News::End);
        write_summary(directory.path(), &summary)?;
        let learners = report::csv(&summary.entrants);
        write_whole(&directory.path().join("learners.csv"), learners.as_bytes())?;
        Ok(summary)
    }

    /// What the race depends on. If the run directory is new it is written there first, with all that
    /// the directory needs to be read and gone on with elsewhere.
    fn begin(&mut self, directory: &Path) -> Result<Origin<Table>> {
        if let Some(origin) = read_origin(directory)? {
            return Ok(origin);
        }
        let trace = self.experiment.trace().map(|trace| TraceOrigin {
            file: trace.path().display().to_string(),
            sha256: sha256(trace.text().as_bytes()),
        });
        if let Some(trace) = self.experiment.trace() {
            write_whole(&directory.join(TRACE), trace.text().as_bytes())?;
        }
        self.experiment.use_own_trace();
        write_whole(&directory.join("config.toml"), self.experiment.to_toml().as_bytes())?;
        let origin = Origin {
            configuration: self.experiment.settings(),
            data: self.data_origin(),
            trace,
            computed: vec![self.computed("the start")],
            extended: Vec::new(),
        };
        write_origin(directory, &origin)?;
        Ok(origin)
    }

    fn data_origin(&self) -> Data {
        // A record is text.
        let folder = path::absolute(&self.folder).ok().filter(|folder| folder.to_str().is_some());
        Data { folder, digests: self.digests.clone() }
    }

    /// What computes, from the run called `from` on.
    fn computed(&self, from: &str) -> Computed {
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

    fn entrants(
        &mut self,
        origin: &Origin<Table>,
        directory: &RunDirectory,
        interrupt: &Interrupt,
    ) -> Result<Summary<Experiment>> {
        let (mut entrants, mut stopped) = (Vec::new(), false);
        for entrant in self.experiment.entrants.clone() {
            let Experiment { learners, slow, cancel, seed, seeds, .. } = &self.experiment;
            let (variant, learners, k) = (entrant.variant(), *learners, entrant.k(*learners)?);
            // While K grows there is no long run.
            let fixed = !entrant.adapts();
            let mut summary = EntrantSummary {
                entrant: entrant.to_string(),
                learners,
                k,
                theory: Default::default(),
                staleness_theory: None,
                error_bound: None,
                runs: Vec::new(),
            };
            let (slow, cancel) = (slow.clone(), *cancel);
            for seed in *seed..*seed + *seeds {
                if !stopped {
                    let run = self.one(&entrant, seed, directory, interrupt)?;
                    stopped = run.ended == Ended::Interrupted;
                    self.progress.tell(News::Over { entrant: &summary.entrant, run: &run });
                    summary.runs.push(run);
                }
            }
            let Some(first) = summary.runs.first() else { continue };
            // Where delays are measured, theory goes by the law that fits them; and what a device is at
            // work on is not cancelled, but dropped on arrival.
            let law = match (self.experiment.law(), &first.delays) {
                (Some(law), _) => Some((law.clone(), slow, cancel)),
                (None, fit) => fit
                    .as_ref()
                    .map(|fit| (fit.best().law.clone(), fit.slow(), Cancellation::OnArrival)),
            };
            if let Some((law, slow, cancel)) = law.filter(|_| fixed) {
                summary.theory = runtime::update_time_of(variant, &law, &slow, cancel, learners, k);
                summary.staleness_theory =
                    Some(staleness::expected(variant, &law, &slow, learners, k));
            }
            let estimates = first.estimates.as_ref();
            // The bound is one of a constant rate, and of one K.
            if self.experiment.rate_rule == RateRule::Constant
                && let Some((estimates, expected)) = estimates.zip(summary.staleness_theory)
            {
                summary.error_bound = Some(estimates.error_bound(&expected));
            }
            entrants.push(summary);
        }
        Ok(Summary {
            tortoise: env!("CARGO_PKG_VERSION").into(),
            machine: machine(),
            configuration: self.experiment.clone(),
            gradients_on: self.in_turn(origin, &self.workers.to_string(), Computed::gradients),
            evaluations_on: self.in_turn(origin, &self.evaluations.to_string(), |computed| {
                computed.evaluations.to_string()
            }),
            queues: self.workers.count(),
            entrants,
            interrupted: stopped,
        })
    }
}

/// Operating system, processor and threads.
fn machine() -> String {
    let threads = thread::available_parallelism().map_or(1, |threads| threads.get());
    format!("{} {}, {threads} threads", consts::OS, consts::ARCH)
}
