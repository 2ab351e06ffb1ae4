//! `tortoise race`, `tortoise train` and `tortoise resume`: runs on equal terms, recorded and summed up.

mod one;
mod shown;

use std::{env::consts, path::PathBuf, sync::Arc, thread};

use clap::Args;

use super::{
    Exit, SetVariable,
    experiment::{Experiment, Flags},
    interrupt::Interrupt,
    print_json,
    progress::{News, Progress, Show},
    report::tell,
    workers::{Workers, queues},
};
use crate::{
    Error, Result,
    dataset::{
        Dataset,
        mnist::{self, CLASSES, PIXELS},
    },
    engine::{
        Engine,
        backend::Backend,
        gpu::{DRIVER_THREADS, adapter},
        model::Model,
    },
    record::{EntrantSummary, RunDirectory, Summary, write_whole},
    report,
    sgd::{Cancellation, Ended, Entrant, Objective, learning_rate::RateRule},
    share::both,
    theory::{runtime, staleness},
};

#[derive(Debug, Args)]
pub(super) struct RaceArgs {
    /// sync, async, k-sync:K, k-batch-sync:K, k-async:K, k-batch-async:K [default: all]
    ///
    /// By default K = P/2. In place of K, adasync or adasync(K0): K grows as the training loss falls.
    entrants: Vec<Entrant>,
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
pub(super) struct TrainArgs {
    /// sync, async, k-sync:K, k-batch-sync:K, k-async:K or k-batch-async:K
    ///
    /// In place of K, adasync or adasync(K0): K grows as the training loss falls.
    entrant: Entrant,
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Input and output")]
pub(super) struct Output {
    /// TOML file with any of the options of the run, as a run directory has one
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Folder to write to, new or empty [default: the next free runs/NAME-N]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    #[command(flatten)]
    pub(super) show: Show,
}

#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// Run directory of a race that was interrupted, or that something brought to an end
    directory: PathBuf,
    #[command(flatten)]
    show: Show,
}

pub(super) fn race(args: &RaceArgs, set_variable: SetVariable<'_>) -> Result<Exit> {
    run("race", &args.entrants, &args.flags, &args.output, set_variable)
}

pub(super) fn train(args: &TrainArgs, set_variable: SetVariable<'_>) -> Result<Exit> {
    run("train", &[args.entrant], &args.flags, &args.output, set_variable)
}

/// Samples times parameters of a gradient from which a software driver gains more from two threads
/// than it loses by waking them.
const WORTH_TWO_THREADS: usize = 3_500_000;

/// Everything that is checked and opened before the first file is written.
pub(super) struct Race {
    pub(super) experiment: Experiment,
    pub(super) data: Dataset,
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
) -> Result<Exit> {
    let experiment = Experiment::new(entrants, flags, output.config.as_deref())?;
    let race = Race::open(experiment, &output.show, set_variable)?;
    let interrupt = Interrupt::listening()?;
    let directory = RunDirectory::create(output.out.as_deref(), name)?;
    carry_on(race, &directory, &interrupt, output.show.json)
}

/// Goes on with a race that stopped.
pub(super) fn resume(args: &ResumeArgs, set_variable: SetVariable<'_>) -> Result<Exit> {
    let directory = RunDirectory::open(&args.directory)?;
    let config = args.directory.join("config.toml");
    let experiment = Experiment::new(&[], &Flags::default(), Some(&config))?;
    let race = Race::open(experiment, &args.show, set_variable)?;
    carry_on(race, &directory, &Interrupt::listening()?, args.show.json)
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
    if json {
        print_json(&summary)?;
    }
    tell(vec![(directory.path(), summary)], directory.path(), json)?;
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
        // Both take a while, and neither waits for the other.
        let (data, adapters) = both(
            || mnist::load(&folder),
            || device.0.iter().map(adapter::choose).collect::<Result<Vec<_>>>(),
        );
        let (data, adapters) = (data?, adapters?);
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
        let notes = gradients.iter().filter_map(Backend::note);
        notes.for_each(|note| progress.tell(News::Note(&note)));
        let evaluations = gradients[0].for_evaluation();
        let evaluator = evaluations.open(&model, m)?;
        let workers = Workers::open(&experiment, &data, &model, &gradients)?;
        if gradients.len() > 1 {
            progress.tell(News::Note(&workers.to_string()));
        }
        Ok(Self { experiment, data, model, gradients, workers, evaluator, evaluations, progress })
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
        let file = |name: &str| directory.path().join(name);
        if !file("config.toml").exists() {
            write_whole(&file("config.toml"), self.experiment.to_toml().as_bytes())?;
        }
        self.progress.tell(News::Start { race: &self.experiment, interrupt });
        let summary = self.entrants(directory, interrupt)?;
        self.progress.tell(News::End);
        let json = serde_json::to_vec_pretty(&summary)
            .map_err(|error| Error::io("summary.json")(error.into()))?;
        write_whole(&file("summary.json"), &json)?;
        write_whole(&file("learners.csv"), report::csv(&summary.entrants).as_bytes())?;
        Ok(summary)
    }

    fn entrants(
        &mut self,
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
            gradients_on: self.workers.to_string(),
            evaluations_on: self.evaluations.to_string(),
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
