//! What a race is made of: defaults, then a TOML file, then flags; checked once, here.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::{
    Error, Result,
    cluster::delay::{Delays, Distribution, Slow},
    engine::{backend::FamilyChoice, gpu::adapter::DeviceChoice, model::Shape},
    file,
    sgd::{Cancellation, Entrant, Terms, learning_rate::RateRule},
    suggest,
};

/// Run time of a race if neither time nor updates are limited, in seconds.
const DEFAULT_BUDGET: f64 = 300.0;
/// The most bytes of a file of settings.
const MOST_BYTES: u64 = 1 << 20;
/// Evaluations of a run if not said otherwise, after the one at the start.
const EVALUATIONS: f64 = 15.0;

/// Which clock a run has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Clock {
    /// Durations are drawn from the delay law.
    Virtual,
}

/// The options that make a run what it is; a TOML file holds any of them under the same names.
#[derive(Debug, Clone, Default, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
#[command(next_help_heading = "The run")]
pub(super) struct Flags {
    /// logistic, or mlp:WIDTH[,WIDTH...] [default: mlp:128]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<Shape>,
    /// P, the number of learners [default: 8]
    #[arg(long, short = 'p')]
    #[serde(skip_serializing_if = "Option::is_none")]
    learners: Option<usize>,
    /// m, the samples a gradient [default: 32]
    #[arg(long, short = 'm')]
    #[serde(skip_serializing_if = "Option::is_none")]
    minibatch: Option<usize>,
    /// w_{j+1} = w_j - (1/K) sum of rate times gradient [default: 0.4]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    learning_rate: Option<f64>,
    /// What makes the rate of a gradient smaller: constant, decay:factor=0.5,every=1000 (updates;
    /// 60s for run time), compensated:c=0.01 (min(c/|w_j - w_tau|^2, rate)),
    /// inverse-staleness (rate/(1 + s)), adaptive:threshold=8
    /// (rate threshold/s where s is above) [default: constant]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_rule: Option<RateRule>,
    /// What multiplies the squared norm of the weights in the loss [default: 0]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    l2: Option<f64>,
    /// Law of the time a minibatch takes, in seconds: constant:1, exponential:mean=1,
    /// shifted-exponential:shift=1,mean=1, uniform:low=0,high=2, pareto:shape=2,scale=1,
    /// weibull:shape=0.5,scale=1, hyperexponential:p=0.9,mean1=0.5,mean2=5.5,
    /// bimodal:fast=1,slow=10,p=0.1, trace:FILE [default: exponential:mean=1]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    delay: Option<Distribution>,
    /// LEARNER=FACTOR[,...]: learners that are slower than the law says
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    slow: Option<Slow>,
    /// Whose time counts [default: virtual]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    clock: Option<Clock>,
    /// Whether cancelled work stops at once or is dropped when it arrives [default: preempt]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel: Option<Cancellation>,
    /// Run time of each run, in seconds [default: 300, or none with --updates]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    budget: Option<f64>,
    /// Updates of each run at most
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    updates: Option<u64>,
    /// Run time between evaluations, in seconds [default: a fifteenth of the budget]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    evaluate_every: Option<f64>,
    /// Run time between looks of adasync at the training loss that was
    /// evaluated last, in seconds [default: as --evaluate-every]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    adasync_every: Option<f64>,
    /// Training losses whose run time is reported [default: 0.5,0.3,0.2]
    #[arg(long, value_delimiter = ',')]
    #[serde(skip_serializing_if = "Option::is_none")]
    targets: Option<Vec<f64>>,
    /// Of delays, minibatches and initial parameters [default: 0]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// Repeat with this many seeds, and report mean and standard error [default: 1]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    seeds: Option<u64>,
    /// auto, host, an adapter's index or part of its name [default: auto]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<DeviceChoice>,
    /// Family of the kernels [default: auto]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    kernels: Option<FamilyChoice>,
    /// Devices and queues that the learners share [default: what suits
    /// the adapter]
    #[arg(long)]
    #[serde(skip_serializing_if = "Option::is_none")]
    queues: Option<usize>,
    /// Folder with the IDX files [default: $TORTOISE_DATA, else data/mnist]
    #[arg(long, value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<PathBuf>,
    /// Estimate the constants of theory from the first run of each entrant, and draw the bound on its
    /// loss where there is one; takes some seconds each
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(super) estimate: bool,
    /// Record every event
    #[arg(long)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    events: bool,
}

/// A configuration that has been checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Experiment {
    pub(super) entrants: Vec<Entrant>,
    pub(super) model: Shape,
    pub(super) learners: usize,
    pub(super) minibatch: usize,
    pub(super) learning_rate: f64,
    pub(super) rate_rule: RateRule,
    pub(super) l2: f64,
    pub(super) delay: Distribution,
    #[serde(default, skip_serializing_if = "Slow::is_none")]
    pub(super) slow: Slow,
    pub(super) clock: Clock,
    pub(super) cancel: Cancellation,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) budget: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) updates: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) evaluate_every: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    adasync_every: Option<f64>,
    pub(super) targets: Vec<f64>,
    pub(super) seed: u64,
    pub(super) seeds: u64,
    pub(super) device: DeviceChoice,
    pub(super) kernels: FamilyChoice,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) queues: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<PathBuf>,
    pub(super) estimate: bool,
    pub(super) events: bool,
}

/// What holds where nobody says otherwise.
const DEFAULTS: &str = r#"
entrants = []
model = "mlp:128"
learners = 8
minibatch = 32
learning-rate = 0.4
rate-rule = "constant"
l2 = 0.0
delay = "exponential:mean=1"
clock = "virtual"
cancel = "preempt"
targets = [0.5, 0.3, 0.2]
seed = 0
seeds = 1
device = "auto"
kernels = "auto"
estimate = false
events = false
"#;

impl Experiment {
    /// Lays `flags` over `config` over the defaults. `entrants` are those named on the command line;
    /// if there are none there and in the file, they are the six variants.
    ///
    /// # Errors
    /// [`Error::Config`] that names the setting.
    pub(super) fn new(entrants: &[Entrant], flags: &Flags, config: Option<&Path>) -> Result<Self> {
        let text = config.map(|path| file::text(path, MOST_BYTES).map_err(in_config(path)));
        Self::parse(entrants, flags, config.zip(text.transpose()?.as_deref()))
    }

    /// As [`Self::new`], from the text of the file at a path.
    pub(super) fn parse(
        entrants: &[Entrant],
        flags: &Flags,
        config: Option<(&Path, &str)>,
    ) -> Result<Self> {
        let mut table: Table = DEFAULTS.parse().expect("the defaults are TOML");
        if let Some((path, text)) = config {
            table.extend(settings(path, text)?);
        }
        table.extend(Table::try_from(flags).map_err(|error| Error::config(error.to_string()))?);
        if !table.contains_key("budget") && !table.contains_key("updates") {
            table.insert("budget".into(), Value::Float(DEFAULT_BUDGET));
        }
        let mut experiment: Self = table.try_into().map_err(|error: toml::de::Error| {
            // The message, then the key that it is about.
            let message = error.to_string().trim_end().replace('\n', " ");
            match config {
                Some((path, _)) => in_config(path)(message),
                None => Error::config(message),
            }
        })?;
        if !entrants.is_empty() {
            experiment.entrants = entrants.to_vec();
        } else if experiment.entrants.is_empty() && experiment.learners > 0 {
            experiment.entrants = Entrant::six(experiment.learners);
        }
        let budget = experiment.budget;
        experiment.evaluate_every =
            experiment.evaluate_every.or_else(|| budget.map(|budget| budget / EVALUATIONS));
        experiment.check()?;
        Ok(experiment)
    }

    /// What is the same for all entrants.
    pub(super) fn terms(&self) -> Terms {
        Terms {
            learners: self.learners,
            minibatch: self.minibatch,
            learning_rate: self.learning_rate,
            rate_rule: self.rate_rule,
            delay: self.delay.clone(),
            slow: self.slow.clone(),
            cancellation: self.cancel,
            budget: self.budget,
            updates: self.updates,
            evaluate_every: self.evaluate_every,
            adasync_every: self.adasync_every,
        }
    }

    /// This experiment as a TOML file that gives it again.
    pub(super) fn to_toml(&self) -> String {
        toml::to_string(self).expect("numbers and text are TOML")
    }

    /// What is run, in a line.
    pub(super) fn caption(&self) -> String {
        let Self { model, learners, minibatch, learning_rate, delay, seeds, .. } = self;
        let slow =
            if self.slow.is_none() { String::new() } else { format!(", slow {}", self.slow) };
        let rule = match self.rate_rule {
            RateRule::Constant => String::new(),
            rule => format!(" {rule}"),
        };
        let cancel = match self.cancel {
            Cancellation::Preempt => "cancellation preempts",
            Cancellation::OnArrival => "cancelled work is dropped on arrival",
        };
        let repeats = if *seeds > 1 { format!(", {seeds} seeds") } else { String::new() };
        format!(
            "{model}, P={learners}, m={minibatch}, rate {learning_rate}{rule}, {delay}{slow}, \
             virtual time, {cancel}{repeats}"
        )
    }

    fn check(&self) -> Result<()> {
        let need = |holds: bool, what: &str| match holds {
            true => Ok(()),
            false => Err(Error::config(what)),
        };
        need((1..=1 << 20).contains(&self.learners), "--learners (P) must be from 1 to 1048576")?;
        need(self.minibatch > 0, "--minibatch (m) must be at least 1")?;
        let rate = self.learning_rate;
        need(rate.is_finite() && rate > 0.0, "--learning-rate must be a number above 0")?;
        need(self.l2.is_finite() && self.l2 >= 0.0, "--l2 must be a number from 0 on")?;
        let seconds = |value: Option<f64>| {
            // 10^9 s are 30 years; Duration and the clock hold far more.
            value.is_none_or(|value| value > 0.0 && value <= 1e9)
        };
        need(seconds(self.budget), "--budget must be seconds above 0 (and at most 1e9)")?;
        need(seconds(self.evaluate_every), "--evaluate-every must be seconds above 0")?;
        let looks = self.adasync_every.is_none_or(|every| {
            seconds(Some(every)) && self.evaluate_every.is_some_and(|evaluate| every >= evaluate)
        });
        need(looks, "--adasync-every must be seconds, --evaluate-every or more")?;
        need(self.updates != Some(0), "--updates must be at least 1")?;
        need(self.seeds > 0, "--seeds must be at least 1")?;
        need(self.seed.checked_add(self.seeds).is_some(), "--seed is too large")?;
        let queues = self.queues.is_none_or(|queues| (1..=1024).contains(&queues));
        need(queues, "--queues must be from 1 to 1024")?;
        let targets = self.targets.iter().all(|loss| loss.is_finite() && *loss > 0.0);
        need(targets, "--targets must be losses above 0")?;
        for (at, entrant) in self.entrants.iter().enumerate() {
            entrant.k(self.learners)?;
            let again = self.entrants[..at].contains(entrant);
            need(!again, &format!("{entrant} is named twice"))?;
            let sees_loss = !entrant.adapts() || self.evaluate_every.is_some();
            let remedy = "say how often it is evaluated with --evaluate-every, or give a --budget";
            need(sees_loss, &format!("{entrant} follows the training loss: {remedy}"))?;
        }
        Delays::new(self.delay.clone(), &self.slow, self.learners, self.seed).map(drop)
    }
}

/// For `map_err`: what is wrong with the file at `path`.
fn in_config<E: std::fmt::Display>(path: &Path) -> impl FnOnce(E) -> Error {
    move |error| Error::config(format!("{}: {error}", path.display()))
}

/// The settings in the text of the TOML file at `path`, all known.
fn settings(path: &Path, text: &str) -> Result<Table> {
    let table: Table = text.parse().map_err(in_config::<toml::de::Error>(path))?;
    let command = Flags::augment_args(clap::Command::new("settings"));
    let mut known: Vec<String> =
        command.get_arguments().map(|flag| flag.get_id().as_str().replace('_', "-")).collect();
    known.push("entrants".to_owned());
    if let Some(key) = table.keys().find(|key| !known.contains(key)) {
        let hint = suggest::nearest(key, known.iter().map(String::as_str));
        return Err(in_config(path)(format!("unknown setting \"{key}\"{hint}")));
    }
    Ok(table)
}
