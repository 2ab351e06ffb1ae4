//! What a race is made of: defaults, then a TOML file, then what is given otherwise; checked once, here.

pub(crate) mod check;
mod delay;
pub(crate) mod layers;

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

pub(crate) use self::layers::Source;
pub use self::{
    delay::{Clock, Delay},
    layers::Scope,
};
use crate::{
    Error, Result,
    cluster::{
        chaos::FaultPlan,
        delay::{Distribution, Slow, Trace},
    },
    dataset::{mnist, shards::Sharding},
    engine::{
        adapter::DeviceChoices,
        backend::FamilyChoice,
        kernels::{EditedShaders, ShaderFile},
        model::Shape,
    },
    ids::Version,
    numbers::Shown,
    record::{Extension, Length},
    sgd::{
        Cancellation, Entrant, RunConfig, Tolerance,
        faults::{NonFinite, OnLoss},
        learning_rate::RateRule,
    },
};

/// Run time of a race if neither time nor updates are limited, in seconds: virtual and real.
pub(crate) const DEFAULT_BUDGETS: [f64; 2] = [300.0, 10.0];
/// How long minibatches take if not said otherwise: in virtual and in real time.
pub(crate) const DEFAULT_DELAYS: [&str; 2] = ["exponential:mean=1", "measured"];
/// Evaluations of a run if not said otherwise, after the one at the start.
const EVALUATIONS: f64 = 15.0;

/// Whether a setting is left out where it is recorded.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
fn is_zero(number: &f64) -> bool {
    *number == 0.0
}

/// The shortest and the longest time that may be set, in seconds: what clocks tell apart, and 30 years.
const SECONDS: std::ops::RangeInclusive<f64> = 1e-9..=1e9;

/// The copy of a trace in a run directory.
pub(crate) const TRACE: &str = "trace.csv";
/// The folder with the copies of edited shaders in a run directory.
pub(crate) const SHADERS: &str = "shaders";

/// A configuration that has been checked.
#[serde_with::skip_serializing_none]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Config {
    pub(crate) entrants: Vec<Entrant>,
    /// An engine of a program, by the name of its type, in place of a model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) objective: Option<String>,
    pub(crate) model: Shape,
    pub(crate) learners: usize,
    pub(crate) minibatch: usize,
    pub(crate) learning_rate: f64,
    /// Rates that every entrant without one of its own is tried at, before it races at the best; empty
    /// once it has that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tune: Vec<f64>,
    pub(crate) rate_rule: RateRule,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) momentum: f64,
    #[serde(default)]
    pub(crate) clip: Option<f64>,
    /// A bound on the staleness of every entrant that has none.
    #[serde(default)]
    pub(crate) stale: Option<u64>,
    pub(crate) l2: f64,
    pub(crate) delay: Delay,
    /// What each sample of a minibatch adds to a delay, in seconds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) per_sample: f64,
    #[serde(default, skip_serializing_if = "Slow::is_none")]
    pub(crate) slow: Slow,
    /// How the training set is split among the learners, if it is.
    #[serde(default)]
    pub(crate) shards: Option<Sharding>,
    /// Distribution of the time that a pull and a push take on the way, if they take any.
    #[serde(default)]
    pub(crate) link: Option<Distribution>,
    pub(crate) clock: Clock,
    pub(crate) cancel: Cancellation,
    pub(crate) budget: Option<f64>,
    pub(crate) updates: Option<u64>,
    pub(crate) evaluate_every: Option<f64>,
    adasync_every: Option<f64>,
    pub(crate) targets: Vec<f64>,
    pub(crate) seed: u64,
    pub(crate) seeds: u64,
    pub(crate) device: DeviceChoices,
    pub(crate) kernels: FamilyChoice,
    pub(crate) shaders: Option<EditedShaders>,
    pub(crate) queues: Option<usize>,
    pub(crate) data: Option<PathBuf>,
    pub(crate) isolate: bool,
    on_loss: OnLoss,
    restarts: u32,
    quorum: usize,
    patience: f64,
    non_finite: NonFinite,
    pub(crate) chaos: Option<FaultPlan>,
    pub(crate) checkpoint_every: f64,
    pub(crate) estimate: bool,
    pub(crate) events: bool,
    pub(crate) tensorboard: bool,
    /// How it became as long as it is: part of what is recorded, and no setting.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) extended: Vec<Extension>,
}

/// What holds where nobody says otherwise.
pub(crate) const DEFAULTS: &str = r#"
entrants = []
model = "mlp:128"
learners = 8
minibatch = 32
learning-rate = 0.4
rate-rule = "constant"
momentum = 0.0
l2 = 0.0
per-sample = 0.0
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

/// The race of whoever names no entrant: it shows what waiting and staleness cost, each at rates that
/// suit it, within half a minute on two cores.
pub(crate) const FIRST_RACE: &str = r#"
entrants = ["sync", "k-sync", "k-sync:1", "k-batch-sync", "async", "k-async", "k-batch-async"]
model = "mlp:32"
tune = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6]
budget = 100.0
evaluate-every = 10.0
seeds = 3
"#;
/// What of the first race does not hold where one of these is set.
const GIVES_WAY: [(&str, &[&str]); 3] = [
    ("tune", &["learning-rate"]),
    ("budget", &["budget", "updates", "evaluate-every"]),
    ("evaluate-every", &["budget", "updates", "evaluate-every"]),
];

/// That there is such a setting for each of these.
///
/// # Errors
/// [`Error::Config`] that names the one that there is not, and what is near it.
pub(crate) fn known(settings: &Table) -> Result<()> {
    layers::unknown(settings, &Scope::default())
        .map_or(Ok(()), |problem| Err(Error::config(problem)))
}

/// What of the first race holds beside what is `set`.
fn first_race(set: &Table) -> Table {
    let mut race = layers::built_in(FIRST_RACE);
    race.retain(|setting, _| {
        let to = GIVES_WAY.iter().find(|(own, _)| *own == setting).map_or(&[][..], |(_, to)| to);
        !to.iter().any(|other| set.contains_key(*other))
    });
    race
}

impl Config {
    /// Lays what is `given` over the file at `path` over the defaults. `entrants` are those that were
    /// named; if there are none there and in the file, it is the first race of the README, or one of the
    /// six variants where the time is real or the objective that of a program.
    ///
    /// # Errors
    /// [`Error::Config`] that names the setting, [`Error::Dataset`] where the file names a folder of
    /// data that is not there.
    pub fn new(
        entrants: &[Entrant],
        given: &Table,
        path: Option<&Path>,
        scope: &Scope,
    ) -> Result<Self> {
        let text = layers::text(path)?;
        let config = Self::parse(entrants, given, path.zip(text.as_deref()), scope)?;
        if let Some(path) = path.filter(|_| !given.contains_key("data"))
            && let Some(folder) = config.data.as_ref().filter(|folder| !mnist::is_there(folder))
        {
            let path = path.display();
            let problem = format!("is not a folder, and {path} names it; give it with --data DIR");
            return Err(Error::Dataset { path: folder.clone(), problem });
        }
        Ok(config)
    }

    /// As [`Self::new`], from the text of a file.
    pub(crate) fn parse(
        entrants: &[Entrant],
        given: &Table,
        file: Source<'_>,
        scope: &Scope,
    ) -> Result<Self> {
        let mut set = layers::set(file, given, scope)?;
        if set.get("entrants").and_then(Value::as_array).is_some_and(Vec::is_empty) {
            set.remove("entrants");
        }
        let clock = usize::from(set.get("clock").and_then(Value::as_str) == Some("real"));
        let named = !entrants.is_empty();
        let settled = named || ["entrants", "objective"].iter().any(|key| set.contains_key(*key));
        let is_first = !settled && clock == 0;
        let mut table = layers::built_in(DEFAULTS);
        if is_first {
            table.extend(first_race(&set));
        }
        table.extend(set);
        if !table.contains_key("budget") && !table.contains_key("updates") {
            table.insert("budget".into(), Value::Float(DEFAULT_BUDGETS[clock]));
        }
        if !table.contains_key("delay") {
            table.insert("delay".into(), Value::String(DEFAULT_DELAYS[clock].into()));
        }
        let mut config: Self = layers::checked(table, file)?;
        config.delay = layers::with_trace(config.delay, given, file)?;
        if let Some(shaders) = &config.shaders {
            config.shaders = Some(layers::edited_shaders(shaders.folder(), given, file)?);
        }
        let data = config.data.as_deref();
        config.data = data.map(|folder| layers::data_folder(folder, given, file));
        if named {
            config.entrants = entrants.to_vec();
        } else if config.entrants.is_empty() && config.learners > 0 {
            config.entrants = Entrant::six(config.learners);
        }
        let learners = config.learners;
        for entrant in &mut config.entrants {
            *entrant = entrant.among(learners);
            // A bound of 0 is found to be wrong below.
            if let Some(bound) = config.stale.filter(|bound| *bound > 0) {
                *entrant = entrant.capped(bound);
            }
        }
        if is_first {
            // Of two learners, a half is one.
            let mut seen = HashSet::new();
            config.entrants.retain(|entrant| seen.insert(*entrant));
        }
        let budget = config.budget;
        config.evaluate_every = config
            .evaluate_every
            .or_else(|| budget.map(|budget| (budget / EVALUATIONS).max(*SECONDS.start())));
        config.check().map_err(|error| layers::of_file(error, file, given, named))?;
        config.refuse_idle(given)?;
        Ok(config)
    }

    /// What is the same for all entrants, without the shards, for which data are needed.
    pub(crate) fn run_config(&self) -> RunConfig {
        RunConfig {
            learners: self.learners,
            minibatch: self.minibatch,
            learning_rate: self.learning_rate,
            rate_rule: self.rate_rule,
            momentum: self.momentum,
            clip: self.clip,
            delay: self.distribution().cloned(),
            per_sample: self.per_sample,
            shards: None,
            link: self.link.clone(),
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

    /// The most samples that a minibatch has.
    pub(crate) fn largest_minibatch(&self) -> usize {
        let own = self.entrants.iter().filter_map(Entrant::minibatch);
        own.chain([self.minibatch]).max().expect("there is one of the race")
    }

    /// Distribution of the delays, without the part of the samples; none where they are measured.
    pub(crate) fn distribution(&self) -> Option<&Distribution> {
        match &self.delay {
            Delay::Distribution(distribution) => Some(distribution),
            Delay::Measured | Delay::Trace(_) => None,
        }
    }

    /// The trace that gives the delays, if one does.
    pub(crate) fn trace(&self) -> Option<&Trace> {
        match self.distribution() {
            Some(Distribution::Trace(trace)) => Some(trace),
            _ => None,
        }
    }

    /// The edited shaders, if there are any.
    pub(crate) fn shader_files(&self) -> &[ShaderFile] {
        self.shaders.as_ref().map_or(&[], EditedShaders::files)
    }

    /// Names the copies that a run directory has: of the trace, and of edited shaders.
    pub(crate) fn use_own_copies(&mut self) {
        if let Some(trace) = self.trace() {
            self.delay = Delay::Distribution(Distribution::Trace(trace.copied_to(TRACE)));
        }
        self.shaders = self.shaders.as_ref().map(|shaders| shaders.copied_to(SHADERS));
    }

    /// Whether the delays are drawn from the copy of a trace in the run directory.
    pub fn has_own_trace(&self) -> bool {
        self.delay.to_string() == format!("trace:{TRACE}")
    }

    /// Whether the edited shaders are the copies in the run directory.
    pub fn has_own_shaders(&self) -> bool {
        self.shaders.as_ref().is_some_and(|shaders| shaders.folder() == Path::new(SHADERS))
    }

    /// How long each run is.
    pub(crate) fn length(&self) -> Length {
        Length { budget: self.budget, updates: self.updates }
    }

    /// The settings.
    pub(crate) fn settings(&self) -> Table {
        let settings = Self { extended: Vec::new(), ..self.clone() };
        Table::try_from(settings).expect("numbers and text are TOML")
    }

    /// What the bits of a run depend on besides its seed and what computes it, as text. A longer run
    /// goes on from where a shorter one was saved.
    pub(crate) fn identity(&self) -> String {
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

    /// This config as a TOML file that gives it again.
    pub fn to_toml(&self) -> String {
        let settings = Self { extended: Vec::new(), ..self.clone() };
        toml::to_string(&settings).expect("numbers and text are TOML")
    }

    /// What is run, in a line.
    pub fn caption(&self) -> String {
        let Self { learners, minibatch, delay, seeds, .. } = self;
        let minimised = self.objective.clone().unwrap_or_else(|| self.model.to_string());
        let slow =
            if self.slow.is_none() { String::new() } else { format!(", slow {}", self.slow) };
        let samples = match self.per_sample {
            0.0 => String::new(),
            seconds => format!(" and {} s a sample", Shown(seconds)),
        };
        let rule = match self.rate_rule {
            RateRule::Constant => String::new(),
            rule => format!(" {rule}"),
        };
        let momentum = match self.momentum {
            0.0 => String::new(),
            beta => format!(", momentum {}", Shown(beta)),
        };
        let clip = self.clip.map_or(String::new(), |norm| format!(", clip {}", Shown(norm)));
        let link = self.link.as_ref().map_or(String::new(), |link| format!(", link {link}"));
        let shards = self.shards.map_or(String::new(), |split| format!(", shards {split}"));
        let cancel = match self.cancel {
            Cancellation::Preempt if self.clock == Clock::Real => "cancelled work is abandoned",
            Cancellation::Preempt => "cancelled work stops at once",
            Cancellation::OnArrival => "cancelled work runs to its end",
        };
        let repeats = if *seeds > 1 { format!(", {seeds} seeds") } else { String::new() };
        let clock = if self.clock == Clock::Real { "real" } else { "virtual" };
        let chaos = self.chaos.map_or(String::new(), |plan| format!(", chaos {plan}"));
        let extended: String = self.extended.iter().map(|one| format!(", {one}")).collect();
        format!(
            "{minimised}, P={learners}, m={minibatch}{rates}{rule}{momentum}{clip}, {delay}{samples}{slow}{link}{shards}, {clock} time, \
             {cancel}{repeats}{chaos}{extended}",
            rates = self.rates(),
        )
    }

    /// The learning rate of those who have none of their own, with a comma before.
    fn rates(&self) -> String {
        match self.entrants.is_empty() || self.entrants.iter().any(|one| one.rate().is_none()) {
            true => format!(", rate {}", Shown(self.learning_rate)),
            false => String::new(),
        }
    }

    /// Which part of a run is over at run time `time` and after so many updates, from 0 to 1.
    pub fn share(&self, time: Duration, updates: Version) -> f64 {
        let of_time = self.budget.map(|budget| time.as_secs_f64() / budget);
        let of_updates = self.updates.map(|all| updates as f64 / all as f64);
        of_time.into_iter().chain(of_updates).fold(0.0, f64::max).min(1.0)
    }
}
