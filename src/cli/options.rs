//! The options that make a run what it is, as the command line has them.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{
    progress::Show,
    values::{named_folder, number, whole},
};
use crate::{
    cluster::{
        chaos::FaultPlan,
        delay::{Distribution, Slow},
    },
    dataset::shards::Sharding,
    engine::{adapter::DeviceChoices, backend::FamilyChoice, model::Shape},
    race::{Clock, Delay},
    sgd::{
        Cancellation,
        faults::{NonFinite, OnLoss},
        learning_rate::RateRule,
    },
};

/// What run time may be, and time on the wall clock.
const SECONDS: &str = "seconds above 0";

/// Headings of the help.
const TRAINED: &str = "What is trained";
const LEARNERS: &str = "Learners and their time";
const LENGTH: &str = "Length, repetitions and evaluation";
const WHERE: &str = "Where it is computed";
const FAULTS: &str = "Faults";
const FILES: &str = "Input and output";

/// The options that make a race what it is; a TOML file holds any of them under the same names.
#[derive(Debug, Clone, Args, Serialize)]
pub(super) struct RaceFlags {
    #[command(flatten)]
    #[serde(flatten)]
    run: RunFlags,
    #[command(flatten)]
    #[serde(flatten)]
    repeats: Repeats,
    /// Learning rates to try first; each entrant runs at its best one
    ///
    /// An entrant that names no rate of its own, as async@rate=0.1 does, runs once at each of them, as
    /// long as in the race and with a seed that the race does not use. The best rate is the one with the
    /// lowest mean training loss over the second half of that run.
    #[arg(long, value_name = "RATE", value_delimiter = ',', help_heading = TRAINED)]
    #[arg(value_parser = number("rates above 0"))]
    tune: Option<Vec<f64>>,
    /// Training losses: the report says when each was first reached
    #[arg(long, value_name = "LOSS", value_delimiter = ',', help_heading = LENGTH)]
    #[arg(value_parser = number("losses above 0"))]
    targets: Option<Vec<f64>>,
    /// Estimate theory's constants from the first run of each entrant
    ///
    /// Where they give a bound on the loss, it is drawn. Takes some seconds for each entrant.
    #[arg(long, help_heading = LENGTH)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    estimate: bool,
}

/// Those that an estimate has use for: it comes from one run.
#[derive(Debug, Clone, Args, Serialize)]
pub(super) struct EstimateFlags {
    #[command(flatten)]
    #[serde(flatten)]
    run: RunFlags,
    /// As if it were given.
    #[arg(skip = true)]
    estimate: bool,
}

/// Those that advice has use for: the run that follows it is shaped by its goal.
#[derive(Debug, Clone, Args, Serialize)]
pub(super) struct AdviseFlags {
    #[command(flatten)]
    #[serde(flatten)]
    setup: Setup,
    /// Goal without --target: the lowest training loss after this run time, in seconds
    #[arg(long, value_name = "SECONDS", help_heading = LENGTH, conflicts_with = "target")]
    #[arg(value_parser = number(SECONDS))]
    budget: Option<f64>,
    #[command(flatten)]
    #[serde(flatten)]
    repeats: Repeats,
    #[command(flatten)]
    #[serde(flatten)]
    kept: Kept,
}

/// What makes a run what it is.
#[derive(Debug, Clone, Args, Serialize)]
pub(super) struct RunFlags {
    #[command(flatten)]
    #[serde(flatten)]
    setup: Setup,
    #[command(flatten)]
    #[serde(flatten)]
    length: Length,
    #[command(flatten)]
    #[serde(flatten)]
    kept: Kept,
}

/// What is trained, by whom and where: of every command that trains.
#[derive(Debug, Clone, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Setup {
    /// Model: logistic, or mlp:WIDTH[,WIDTH...]
    #[arg(long, help_heading = TRAINED)]
    model: Option<Shape>,
    /// Samples in a minibatch, m
    #[arg(long, value_name = "M", short = 'm', help_heading = TRAINED)]
    #[arg(value_parser = whole::<usize>("from 1 to the samples of the training set"))]
    minibatch: Option<usize>,
    /// Learning rate
    ///
    /// An update is w_{j+1} = w_j - (1/K) * (rate * gradient, summed over its K gradients).
    #[arg(long, value_name = "RATE", help_heading = TRAINED)]
    #[arg(value_parser = number("a number above 0"))]
    learning_rate: Option<f64>,
    /// Rule that lowers the learning rate
    ///
    /// One of constant; decay:factor=0.5,every=1000 (rate * factor after every 1000 updates, or with
    /// every=60s after every 60 s of run time); compensated:c=0.01 (at most c/|w_j - w_tau|^2, where the
    /// gradient was computed at w_tau); inverse-staleness (rate/(1 + s)); adaptive:threshold=8
    /// (rate * threshold/s where s is above the threshold; with tail=inverse rate/s, with tail=dropped no
    /// such gradient counts); picky:distance=0.5 (none counts where |w_j - w_tau| is above the distance). s
    /// is the staleness of the gradient.
    #[arg(long, value_name = "RULE", help_heading = TRAINED)]
    rate_rule: Option<RateRule>,
    /// Momentum of the server, from 0 to below 1: the share of the last step that the next one keeps
    ///
    /// v_{j+1} = momentum * v_j + (1/K) * (rate * gradient, summed over the K gradients); w_{j+1} = w_j -
    /// v_{j+1}.
    #[arg(long, value_name = "BETA", help_heading = TRAINED, hide_short_help = true)]
    #[arg(value_parser = number("from 0 to below 1"))]
    momentum: Option<f64>,
    /// Norm that each gradient is clipped to: one of a larger norm is made as short
    #[arg(long, value_name = "NORM", help_heading = TRAINED, hide_short_help = true)]
    #[arg(value_parser = number("a number above 0"))]
    clip: Option<f64>,
    /// Bound on the staleness: gradients of this staleness or more do not count, as in ringmaster:R
    ///
    /// It holds of every entrant that has none yet, which is then named ENTRANT@stale=R.
    #[arg(long, value_name = "R", help_heading = TRAINED, hide_short_help = true)]
    #[arg(value_parser = whole::<u64>("of 1 or more"))]
    stale: Option<u64>,
    /// What multiplies the squared norm of the weights in the loss
    #[arg(long, help_heading = TRAINED, hide_short_help = true)]
    #[arg(value_parser = number("a number of 0 or more"))]
    l2: Option<f64>,
    /// P, the number of learners
    #[arg(long, value_name = "P", short = 'p', help_heading = LEARNERS)]
    #[arg(value_parser = whole::<usize>("from 1 to 1048576"))]
    learners: Option<usize>,
    /// Distribution of the time that a minibatch takes
    ///
    /// In seconds, one of constant:1, exponential:mean=1, shifted-exponential:shift=1,mean=1,
    /// uniform:low=0,high=2, pareto:shape=2,scale=1, weibull:shape=0.5,scale=1,
    /// hyperexponential:p=0.9,mean1=0.5,mean2=5.5, bimodal:fast=1,slow=10,p=0.1, trace:FILE. In
    /// real time the default is "measured": a minibatch takes as long as its computation does.
    #[arg(long, value_name = "DISTRIBUTION", help_heading = LEARNERS)]
    delay: Option<Delay>,
    /// Seconds that each sample of a minibatch adds to its time [default: 0]
    #[arg(long, value_name = "SECONDS", help_heading = LEARNERS, hide_short_help = true)]
    #[arg(value_parser = number("0 seconds or more"))]
    per_sample: Option<f64>,
    /// Learners that are slower than the distribution says, as in 0=3,5=2
    #[arg(long, value_name = "LEARNER=FACTOR", help_heading = LEARNERS)]
    slow: Option<Slow>,
    /// Distribution of the time that parameters take on their way to a learner, and gradients on the way
    /// back, as in constant:0.1, in virtual time [default: they take none]
    #[arg(long, value_name = "DISTRIBUTION", help_heading = LEARNERS, hide_short_help = true)]
    link: Option<Distribution>,
    /// Split of the training set, of which each learner then has a part: iid (at random), or
    /// dirichlet:alpha=0.1 (by class: the smaller alpha, the fewer classes a learner has)
    ///
    /// The split depends on the seed. [default: each learner draws from all]
    #[arg(long, value_name = "SPLIT", help_heading = LEARNERS, hide_short_help = true)]
    shards: Option<Sharding>,
    /// Clock that measures run time
    #[arg(long, help_heading = LEARNERS)]
    clock: Option<Clock>,
    /// What becomes of cancelled work
    #[arg(long, help_heading = LEARNERS)]
    cancel: Option<Cancellation>,
    /// Seed of delays, minibatches and initial parameters
    #[arg(long, value_name = "N", help_heading = LENGTH, display_order = 900)]
    #[arg(value_parser = whole::<u64>("of 0 or more"))]
    seed: Option<u64>,
    /// auto, host, or an adapter: its index or part of its name
    ///
    /// host is the processor; `tortoise devices` lists the adapters. In real time learners can be spread
    /// over several, separated by commas.
    #[arg(long, help_heading = WHERE)]
    device: Option<DeviceChoices>,
    /// Family of the kernels: tiled (for GPUs), lanes (for software drivers), or auto
    #[arg(long, value_name = "FAMILY", help_heading = WHERE, hide_short_help = true)]
    kernels: Option<FamilyChoice>,
    /// Folder with edited shaders, KERNEL.wgsl, in place of those built in
    ///
    /// They are of the family that is chosen, and are copied into the run directory.
    #[arg(long, value_name = "DIR", help_heading = WHERE, hide_short_help = true)]
    #[arg(value_parser = named_folder("--shaders"))]
    shaders: Option<PathBuf>,
    /// Number of gradients that are computed at the same time, in virtual time [default:
    /// what suits the adapter]
    #[arg(long, value_name = "N", help_heading = WHERE, hide_short_help = true)]
    #[arg(value_parser = whole::<usize>("from 1 to 1024"))]
    queues: Option<usize>,
    /// Folder with IDX files of MNIST's or EMNIST's names [default: $TORTOISE_DATA, or data/mnist]
    ///
    /// Of several data sets in a folder, DIR/emnist-letters takes one.
    #[arg(long, value_name = "DIR", help_heading = FILES, value_parser = named_folder("--data"))]
    data: Option<PathBuf>,
}

/// How a run goes, and how long.
#[derive(Debug, Clone, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Length {
    /// Run time, in seconds, after which each run ends
    ///
    /// With --updates alone there is no such limit.
    #[arg(long, value_name = "SECONDS", help_heading = LENGTH, value_parser = number(SECONDS))]
    budget: Option<f64>,
    /// Number of updates after which each run ends
    #[arg(long, value_name = "N", help_heading = LENGTH, value_parser = whole::<u64>("of 1 or more"))]
    updates: Option<u64>,
    /// Run time between evaluations [default: a fifteenth of the budget]
    #[arg(long, value_name = "SECONDS", help_heading = LENGTH, value_parser = number(SECONDS))]
    evaluate_every: Option<f64>,
    /// Run time, in seconds, after which adasync and adaptive choose K anew (adaptive
    /// may do so more often) [default: as --evaluate-every]
    #[arg(long, value_name = "SECONDS", help_heading = LENGTH, hide_short_help = true)]
    #[arg(value_parser = number(SECONDS))]
    adasync_every: Option<f64>,
    /// Run each learner in a process of its own, in real time: a driver that crashes or hangs then
    /// ends one learner, not the race
    #[arg(long, help_heading = FAULTS, hide_short_help = true)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    isolate: bool,
    /// What a run does when a learner crashes or does not answer
    #[arg(long, help_heading = FAULTS, hide_short_help = true)]
    on_loss: Option<OnLoss>,
    /// How often in a row a learner is replaced that sends no gradient
    #[arg(long, value_name = "N", help_heading = FAULTS, hide_short_help = true)]
    #[arg(value_parser = whole::<u32>("from 0 to 4294967295"))]
    restarts: Option<u32>,
    /// The fewest learners that a run goes on with
    #[arg(long, value_name = "N", help_heading = FAULTS, hide_short_help = true)]
    #[arg(value_parser = whole::<usize>("from 1 to P"))]
    quorum: Option<usize>,
    /// Shortest time to wait for a learner that does not answer, in seconds; it is longer where learners
    /// have taken longer
    #[arg(long, value_name = "SECONDS", help_heading = FAULTS, hide_short_help = true)]
    #[arg(value_parser = number(SECONDS))]
    patience: Option<f64>,
    /// What becomes of a run that meets a gradient that is not finite
    #[arg(long, help_heading = FAULTS, hide_short_help = true)]
    non_finite: Option<NonFinite>,
    /// Inject faults into a share RATE of the minibatches [default: 0.05]: learners
    /// die or hang, pushes are late, come twice or are not finite
    #[arg(long, value_name = "SEED[:RATE]", help_heading = FAULTS, hide_short_help = true)]
    chaos: Option<FaultPlan>,
}

/// What is kept of a run, besides what always is.
#[derive(Debug, Clone, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Kept {
    /// Time on the wall clock between checkpoints of a run
    ///
    /// tortoise resume goes on from them.
    #[arg(long, value_name = "SECONDS", help_heading = FILES, hide_short_help = true)]
    #[arg(value_parser = number(SECONDS))]
    checkpoint_every: Option<f64>,
    /// Record every event: assign, push, cancel, update, ...
    #[arg(long, help_heading = FILES)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    events: bool,
    /// Also write event files, a run for each entrant and seed, for tensorboard --logdir DIR (its axis
    /// "Relative" is run time)
    #[arg(long, help_heading = FILES)]
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    tensorboard: bool,
}

/// How often a run is repeated.
#[derive(Debug, Clone, Args, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Repeats {
    /// Runs of each entrant, each with another seed
    ///
    /// Results are then means with standard errors.
    #[arg(long, value_name = "N", help_heading = LENGTH, value_parser = whole::<u64>("of 1 or more"))]
    seeds: Option<u64>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Input and output")]
pub(super) struct Output {
    /// TOML file with options, such as a race's config.toml; - is standard input
    ///
    /// Options that this command does not use are ignored. Paths in the file are looked up beside it first,
    /// and then in the current folder.
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Folder to write to, new or empty [default: the next free runs/NAME-N]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    #[command(flatten)]
    pub(super) show: Show,
}
