//! What a race is made of: defaults, then a TOML file, then flags; checked once, here.

mod check;
mod flags;
pub(super) mod settings;

use std::path::{Path, PathBuf};

use clap::{Arg, Args};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

pub(super) use self::check::NOTHING_CANCELLED;
pub(super) use self::flags::{AdviseFlags, Clock, Delay, EstimateFlags, Flags};
use self::settings::Source;
use crate::{
    Error, Result,
    cluster::{
        chaos::Plan,
        delay::{Distribution, Slow, Trace},
    },
    dataset::mnist,
    engine::{adapter::DeviceChoices, backend::FamilyChoice, model::Shape},
    numbers::Shown,
    record::{Extension, Length},
    sgd::{
        Cancellation, Entrant, Terms, Tolerance,
        faults::{NonFinite, OnLoss},
        learning_rate::RateRule,
    },
};

/// Run time of a race if neither time nor updates are limited, in seconds: virtual and real.
const DEFAULT_BUDGETS: [f64; 2] = [300.0, 10.0];
/// How long minibatches take if not said otherwise: in virtual and in real time.
const DEFAULT_DELAYS: [&str; 2] = ["exponential:mean=1", "measured"];
/// Evaluations of a run if not said otherwise, after the one at the start.
const EVALUATIONS: f64 = 15.0;

/// The shortest and the longest time that may be set, in seconds: what clocks tell apart, and 30 years.
const SECONDS: std::ops::RangeInclusive<f64> = 1e-9..=1e9;

/// The copy of a trace in a run directory.
pub(super) const TRACE: &str = "trace.csv";

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
    pub(super) delay: Delay,
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
    pub(super) device: DeviceChoices,
    pub(super) kernels: FamilyChoice,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) queues: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<PathBuf>,
    pub(super) isolate: bool,
    on_loss: OnLoss,
    restarts: u32,
    quorum: usize,
    patience: f64,
    non_finite: NonFinite,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) chaos: Option<Plan>,
    pub(super) checkpoint_every: f64,
    pub(super) estimate: bool,
    pub(super) events: bool,
    pub(super) tensorboard: bool,
    /// How it became as long as it is: part of what is recorded, and no setting.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) extended: Vec<Extension>,
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
clock = "virtual"
cancel = "preempt"
targets = [0.5, 0.3, 0.2]
seed = 0
seeds = 1
device = "auto"
kernels = "auto"
isolate = false
on-loss = "restart"
restarts = 5
quorum = 1
patience = 2.0
non-finite = "stop"
checkpoint-every = 30.0
estimate = false
events = false
tensorboard = false
"#;

impl Experiment {
    /// Lays `flags` over `config` over the defaults. `entrants` are those named on the command line;
    /// if there are none there and in the file, they are the six variants. What the file says of
    /// options that are not among `flags` is passed over.
    ///
    /// # Errors
    /// [`Error::Config`] that names the setting, [`Error::Dataset`] where `config` names a folder of
    /// data that is not there.
    pub(super) fn new<F: Args + Serialize>(
        entrants: &[Entrant],
        flags: &F,
        config: Option<&Path>,
    ) -> Result<Self> {
        let text = settings::text(config)?;
        let experiment = Self::parse(entrants, flags, config.zip(text.as_deref()))?;
        if let Some(config) = config.filter(|_| !settings::is_given("data", flags))
            && let Some(folder) = experiment.data.as_ref().filter(|folder| !mnist::is_there(folder))
        {
            let config = config.display();
            let problem = format!("is no folder, and {config} names it; give it with --data DIR");
            return Err(Error::Dataset { path: folder.clone(), problem });
        }
        Ok(experiment)
    }

    /// As [`Self::new`], from the text of the file at a path.
    pub(super) fn parse<F: Args + Serialize>(
        entrants: &[Entrant],
        flags: &F,
        config: Source<'_>,
    ) -> Result<Self> {
        let mut table = settings::layers(DEFAULTS, config, flags, &[])?;
        let clock = usize::from(table.get("clock").and_then(Value::as_str) == Some("real"));
        if !table.contains_key("budget") && !table.contains_key("updates") {
            table.insert("budget".into(), Value::Float(DEFAULT_BUDGETS[clock]));
        }
        if !table.contains_key("delay") {
            table.insert("delay".into(), Value::String(DEFAULT_DELAYS[clock].into()));
        }
        let mut experiment: Self = settings::checked(table, config)?;
        experiment.delay = settings::with_trace(experiment.delay, flags, config)?;
        let data = experiment.data.as_deref();
        experiment.data = data.map(|folder| settings::data_folder(folder, flags, config));
        let named = !entrants.is_empty();
        if named {
            experiment.entrants = entrants.to_vec();
        } else if experiment.entrants.is_empty() && experiment.learners > 0 {
            experiment.entrants = Entrant::six(experiment.learners);
        }
        let learners = experiment.learners;
        for entrant in &mut experiment.entrants {
            *entrant = entrant.among(learners);
        }
        let budget = experiment.budget;
        experiment.evaluate_every = experiment
            .evaluate_every
            .or_else(|| budget.map(|budget| (budget / EVALUATIONS).max(*SECONDS.start())));
        let given = settings::given(flags)?;
        experiment.check().map_err(|error| settings::of_file(error, config, &given, named))?;
        experiment.refuse_idle(&given)?;
        Ok(experiment)
    }

    /// What is the same for all entrants.
    pub(super) fn terms(&self) -> Terms {
        Terms {
            learners: self.learners,
            minibatch: self.minibatch,
            learning_rate: self.learning_rate,
            rate_rule: self.rate_rule,
            delay: self.law().cloned(),
            slow: self.slow.clone(),
            cancellation: self.cancel,
            budget: self.budget,
            updates: self.updates,
            evaluate_every: self.evaluate_every,
            adasync_every: self.adasync_every,
            tolerance: Tolerance {
                on_loss: self.on_loss,
                restarts: self.restarts,
                quorum: self.quorum,
                non_finite: self.non_finite,
                ..Tolerance::default()
            },
            patience: self.patience,
            chaos: self.chaos,
        }
    }

    /// Law of the delays; none where they are measured.
    pub(super) fn law(&self) -> Option<&Distribution> {
        match &self.delay {
            Delay::Law(law) => Some(law),
            Delay::Measured | Delay::Trace(_) => None,
        }
    }

    /// The trace that gives the delays, if one does.
    pub(super) fn trace(&self) -> Option<&Trace> {
        match self.law() {
            Some(Distribution::Trace(trace)) => Some(trace),
            _ => None,
        }
    }

    /// Draws the delays from the copy of their trace that a run directory has.
    pub(super) fn use_own_trace(&mut self) {
        if let Some(trace) = self.trace() {
            self.delay = Delay::Law(Distribution::Trace(trace.copied_to(TRACE)));
        }
    }

    /// Whether the delays are drawn from the copy of a trace in the run directory.
    pub(super) fn has_own_trace(&self) -> bool {
        self.delay.to_string() == format!("trace:{TRACE}")
    }

    /// How long each run is.
    pub(super) fn length(&self) -> Length {
        Length { budget: self.budget, updates: self.updates }
    }

    /// The settings.
    pub(super) fn settings(&self) -> Table {
        let settings = Self { extended: Vec::new(), ..self.clone() };
        Table::try_from(settings).expect("numbers and text are TOML")
    }

    /// What the bits of a run depend on besides its seed and what computes it, as text. A longer run
    /// goes on from where a shorter one was saved.
    pub(super) fn identity(&self) -> String {
        let same = Self {
            budget: None,
            updates: None,
            device: DeviceChoices(Vec::new()),
            data: None,
            checkpoint_every: 0.0,
            ..self.clone()
        };
        same.to_toml()
    }

    /// This experiment as a TOML file that gives it again.
    pub(super) fn to_toml(&self) -> String {
        let settings = Self { extended: Vec::new(), ..self.clone() };
        toml::to_string(&settings).expect("numbers and text are TOML")
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
            Cancellation::Preempt if self.clock == Clock::Real => "cancelled work is overtaken",
            Cancellation::Preempt => "cancellation preempts",
            Cancellation::OnArrival => "cancelled work is dropped on arrival",
        };
        let repeats = if *seeds > 1 { format!(", {seeds} seeds") } else { String::new() };
        let clock = if self.clock == Clock::Real { "real" } else { "virtual" };
        let chaos = self.chaos.map_or(String::new(), |plan| format!(", chaos {plan}"));
        let extended: String = self.extended.iter().map(|one| format!(", {one}")).collect();
        format!(
            "{model}, P={learners}, m={minibatch}, rate {rate}{rule}, {delay}{slow}, {clock} time, \
             {cancel}{repeats}{chaos}{extended}",
            rate = Shown(*learning_rate),
        )
    }
}

/// For the help of an option: with the value that holds where nobody says otherwise.
pub(super) fn with_default(arg: Arg) -> Arg {
    let [simulated, measured] = DEFAULT_BUDGETS;
    match arg.get_id().as_str() {
        "budget" => settings::say_default(arg, &format!("{simulated}, in real time {measured}")),
        "delay" => settings::say_default(arg, DEFAULT_DELAYS[0]),
        _ => settings::with_default(arg, DEFAULTS),
    }
}
