//! `summary.json`: what came of a race, in numbers.

use std::{borrow::Cow, io::ErrorKind, path::Path};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{EvaluationRow, Tuning, read_evaluations, run_folder, write_whole};
use crate::{
    Error, Result,
    estimate::{
        ErrorBound, Estimates,
        delays::{Fit, Observed, fit},
    },
    file,
    sgd::{activity::Activity, tally::Tally, train::Ended},
    statistics,
    theory::{runtime::UpdateTime, staleness::Expected},
};

/// A whole race.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Summary<C> {
    /// Version of this crate.
    pub tortoise: Cow<'static, str>,
    /// The configuration that gives this race again.
    pub configuration: C,
    /// Operating system and processor, and how many threads they run at a time.
    pub machine: String,
    /// What computed the gradients: adapter, driver and kernel family, or the host.
    pub gradients_on: String,
    /// What evaluated, in no run time: adapter, driver and kernel family, or the host.
    pub evaluations_on: String,
    /// Engines that computed gradients side by side.
    pub queues: usize,
    /// How the learning rates of entrants were found, if they were tuned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tuning: Option<Tuning>,
    /// Each entrant, in the order of the race.
    pub entrants: Vec<EntrantSummary>,
    /// Whether the race was interrupted before its end.
    pub interrupted: bool,
}

impl<C> Summary<C> {
    /// The same race, with another configuration beside it.
    pub fn with_configuration<D>(self, configuration: D) -> Summary<D> {
        Summary {
            tortoise: self.tortoise,
            configuration,
            machine: self.machine,
            gradients_on: self.gradients_on,
            evaluations_on: self.evaluations_on,
            queues: self.queues,
            tuning: self.tuning,
            entrants: self.entrants,
            interrupted: self.interrupted,
        }
    }
}

/// The name of the file.
pub(super) const FILE: &str = "summary.json";
/// The most bytes of it.
const MOST_BYTES: u64 = 1 << 30;

/// What came of the race in the run directory `race`, with the evaluations of its runs.
///
/// # Errors
/// [`Error::Config`] where there is no summary, or not all that it tells of, or a file is not as it was
/// written; [`Error::Io`] where one cannot be read.
pub fn read_summary<C: DeserializeOwned>(race: &Path) -> Result<Summary<C>> {
    let path = race.join(FILE);
    let text = file::text(&path, MOST_BYTES).map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => Error::config(format!(
            "{} has no summary.json: it is not a run directory (such as runs/race-1), or its race is not over",
            race.display()
        )),
        _ => Error::io(&path)(error),
    })?;
    let mut summary: Summary<C> = serde_json::from_str(&text).map_err(|error| {
        Error::config(format!("{}, line {}: {error}", path.display(), error.line()))
    })?;
    for EntrantSummary { entrant, runs, .. } in &mut summary.entrants {
        if runs.is_empty() {
            return Err(Error::config(format!("{}: {entrant} has no run", path.display())));
        }
        for run in runs {
            let file = run_folder(race, entrant, run.seed).join("evaluations.csv");
            run.evaluations = read_evaluations(&file)?;
            if run.evaluations.is_empty() {
                return Err(Error::config(format!("{} holds no evaluation", file.display())));
            }
        }
    }
    Ok(summary)
}

/// Writes `summary.json` into the run directory `race`, for [`read_summary`] and `tortoise report`.
///
/// # Errors
/// [`Error::Io`].
pub fn write_summary(race: &Path, summary: &Summary<impl Serialize>) -> Result<()> {
    let path = race.join(FILE);
    let json =
        serde_json::to_vec_pretty(summary).map_err(|error| Error::io(&path)(error.into()))?;
    write_whole(&path, &json)
}

/// One entrant, over all its seeds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EntrantSummary {
    /// The entrant, as it was named.
    pub entrant: String,
    /// P, the number of learners.
    pub learners: usize,
    /// K, at the start if it grows.
    pub k: usize,
    /// What theory says of its update time.
    pub theory: UpdateTime,
    /// What theory says of the staleness of its gradients; nothing while K grows.
    pub staleness_theory: Option<Expected>,
    /// The bound on its loss, if constants were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_bound: Option<ErrorBound>,
    /// One a seed.
    pub runs: Vec<RunSummary>,
}

/// One run. Times are run time in seconds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunSummary {
    /// Its seed, of delays, minibatches and initial parameters.
    pub seed: u64,
    /// Why it ended.
    pub ended: Ended,
    /// Run time at the end.
    pub run_time: f64,
    /// Seconds on the wall clock that it took to compute and to evaluate, which is no run time.
    pub computing_time: f64,
    /// Seconds in which the process was stopped, in real time; they are no run time.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub paused: f64,
    /// What became of every minibatch.
    #[serde(flatten)]
    pub tally: Tally,
    /// Minibatches unfinished at the end.
    pub in_flight: u64,
    /// Seconds per update, from the start to the last update; none without an update.
    pub mean_update_time: Option<f64>,
    /// Mean of the staleness s = j - tau of the gradients used, in updates.
    pub mean_staleness: f64,
    /// Share of gradients used with s = 0, from 0 to 1.
    pub fresh_fraction: f64,
    /// Loss at the end, over the training set.
    #[serde(deserialize_with = "crate::numbers::or_nan")]
    pub train_loss: f64,
    /// Loss at the end, over the test set.
    #[serde(deserialize_with = "crate::numbers::or_nan")]
    pub test_loss: f64,
    /// Share of the test set that is classified right at the end, from 0 to 1.
    #[serde(deserialize_with = "crate::numbers::or_nan")]
    pub test_accuracy: f64,
    /// When an evaluation first found the training loss at or below each target.
    pub time_to_loss: Vec<TimeToLoss>,
    /// What each learner did, by learner id.
    pub learners: Vec<Activity>,
    /// The distribution of the times that minibatches took, in real time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delays: Option<Fit>,
    /// The constants of theory, if they were asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimates: Option<Estimates>,
    /// All evaluations; `evaluations.csv` holds them.
    #[serde(skip)]
    pub evaluations: Vec<EvaluationRow>,
}

fn is_zero(seconds: &f64) -> bool {
    *seconds == 0.0
}

/// When a training loss was reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TimeToLoss {
    /// The training loss.
    pub loss: f64,
    /// Run time of the first evaluation at or below it; none if there was none.
    pub time: Option<f64>,
}

/// What is left of a recorder when its run is over.
#[derive(Debug)]
pub struct Outcome {
    /// What became of every minibatch.
    pub tally: Tally,
    /// What every learner did.
    pub learners: Vec<Activity>,
    /// All evaluations.
    pub rows: Vec<EvaluationRow>,
    /// How long minibatches took, if that was looked at.
    pub observed: Vec<Observed>,
}

impl RunSummary {
    /// Run time in which a learner had nothing in hand and was there, in seconds.
    pub fn waiting(&self, learner: &Activity) -> f64 {
        (self.run_time - (learner.busy + learner.away).as_secs_f64()).max(0.0)
    }

    /// Sums a run up.
    ///
    /// # Panics
    /// If there is no evaluation.
    pub fn new(
        seed: u64,
        ended: Ended,
        computing_time: f64,
        outcome: Outcome,
        targets: &[f64],
    ) -> Self {
        let Outcome { tally, learners, rows: evaluations, observed } = outcome;
        let last = *evaluations.last().expect("there is an evaluation at the start of every run");
        let time_to_loss = targets
            .iter()
            .map(|&loss| TimeToLoss { loss, time: first(&evaluations, loss) })
            .collect();
        Self {
            seed,
            ended,
            run_time: last.t,
            computing_time,
            paused: 0.0,
            in_flight: tally.in_flight(),
            mean_update_time: tally.mean_update_time(),
            mean_staleness: tally.mean_staleness(),
            fresh_fraction: tally.fresh_fraction(),
            tally,
            train_loss: last.train_loss,
            test_loss: last.test_loss,
            test_accuracy: last.test_accuracy,
            time_to_loss,
            learners,
            // With fewer than two minibatches there is nothing to fit.
            delays: fit(&observed).ok(),
            estimates: None,
            evaluations,
        }
    }

    /// Run time of the first evaluation that found the training loss at or below `loss`, in seconds.
    pub fn time_to(&self, loss: f64) -> Option<f64> {
        first(&self.evaluations, loss)
    }
}

fn first(evaluations: &[EvaluationRow], loss: f64) -> Option<f64> {
    evaluations.iter().find(|row| row.train_loss <= loss).map(|row| row.t)
}

impl EntrantSummary {
    /// When its runs had reached `loss`, in seconds of run time: the mean over the seeds, and its
    /// standard error. None unless all of them did, as a mean over those that made it would flatter
    /// the others.
    pub fn time_to(&self, loss: f64) -> (Option<f64>, Option<f64>) {
        match self.runs.iter().all(|run| run.time_to(loss).is_some()) {
            true => self.mean(|run| run.time_to(loss)),
            false => (None, None),
        }
    }

    /// Mean over the seeds of what `of` picks, and its standard error; seeds where it picks nothing
    /// are left out.
    pub fn mean(&self, of: impl Fn(&RunSummary) -> Option<f64>) -> (Option<f64>, Option<f64>) {
        let values: Vec<f64> = self.runs.iter().filter_map(of).collect();
        (statistics::mean(&values), statistics::standard_error(&values))
    }
}
