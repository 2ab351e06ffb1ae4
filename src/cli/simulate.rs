//! `tortoise simulate`: time only, no gradients.

use std::path::PathBuf;

use clap::Args;
use serde::{Deserialize, Serialize};

use super::{
    Exit,
    case::{self, Case, MINIBATCH_ALONE, with_samples},
    print, print_json, settings,
    values::{UNTRAINED, entrant_alone, number, whole},
};
use crate::{
    Error, Result,
    cluster::delay::{Distribution, Slow},
    numbers::Shown,
    race::{Delay, config::layers},
    sgd::{
        Cancellation, Entrant,
        simulate::{Times, default_warm_up, simulate},
    },
    theory::runtime::UpdateTime,
};

/// The options that make a simulation what it is; a TOML file holds any of them under the same names.
#[derive(Debug, Args, Serialize)]
#[command(mut_args(|arg| settings::with_default(arg, DEFAULTS)))]
#[serde(rename_all = "kebab-case")]
pub(super) struct SimulateArgs {
    /// {entrants}; without :K, K = P/2
    /// [default: the one that --config names]
    #[arg(value_parser = entrant_alone(UNTRAINED))]
    #[serde(skip)]
    entrant: Option<Entrant>,
    /// P, the number of learners
    #[arg(long, value_name = "P", short = 'p', value_parser = whole::<usize>("from 1 to 1048576"))]
    learners: Option<usize>,
    /// Distribution of the time a minibatch takes, in seconds; `tortoise race --help` lists them
    #[arg(long)]
    delay: Option<Delay>,
    /// Seconds that each sample of a minibatch adds to its time [default: 0]
    #[arg(long, value_name = "SECONDS", value_parser = number("0 seconds or more"))]
    per_sample: Option<f64>,
    /// Samples in a minibatch, m, for --per-sample
    #[arg(long, value_name = "M", short = 'm', value_parser = whole::<usize>("of 1 or more"))]
    minibatch: Option<usize>,
    /// Distribution of the time that a pull and a push take on the way [default: they take none]
    #[arg(long, value_name = "DISTRIBUTION")]
    link: Option<Distribution>,
    /// LEARNER=FACTOR[,...]: learners that are slower than the distribution says
    #[arg(long)]
    slow: Option<Slow>,
    /// Whether cancelled work stops at once or is dropped when it arrives
    #[arg(long)]
    cancel: Option<Cancellation>,
    /// Updates to measure
    #[arg(long, value_name = "N", value_parser = whole::<u64>("of 1 or more"))]
    updates: Option<u64>,
    /// Updates before those, which are not measured [default: 100, and 20 pushes of each learner]
    #[arg(long, value_name = "N", value_parser = whole::<u64>("of 0 or more"))]
    warm_up: Option<u64>,
    /// Seed of the delays
    #[arg(long, value_name = "N", value_parser = whole::<u64>("of 0 or more"))]
    seed: Option<u64>,
    /// TOML file with these options, or the config.toml of a race, of which the rest is ignored; - is
    /// standard input
    #[arg(long, value_name = "FILE")]
    #[serde(skip)]
    config: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    #[serde(skip)]
    json: bool,
}

/// What holds where nobody says otherwise.
const DEFAULTS: &str = r#"
entrants = []
learners = 8
delay = "exponential:mean=1"
per-sample = 0.0
minibatch = 32
slow = ""
cancel = "preempt"
updates = 10000
seed = 0
"#;

/// The settings of a simulation.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Settings {
    entrants: Vec<Entrant>,
    learners: usize,
    delay: Delay,
    per_sample: f64,
    minibatch: usize,
    link: Option<Distribution>,
    slow: Slow,
    cancel: Cancellation,
    updates: u64,
    warm_up: Option<u64>,
    seed: u64,
}

#[derive(Serialize)]
struct Simulation<'a> {
    #[serde(flatten)]
    case: &'a Case,
    seed: u64,
    #[serde(flatten)]
    times: Times,
    theory: UpdateTime,
}

pub(super) fn run(args: &SimulateArgs) -> Result<Exit> {
    let read = layers::text(args.config.as_deref())?;
    let source = args.config.as_deref().zip(read.as_deref());
    let (given, scope) = (settings::given(args)?, settings::scope::<SimulateArgs>(&["warm-up"]));
    let mut table = layers::built_in(DEFAULTS);
    table.extend(layers::set(source, &given, &scope)?);
    let wanted: Settings = layers::checked(table, source)?;
    let Settings { learners, slow, cancel, updates, seed, .. } = wanted;
    let ((Some(entrant), _) | (None, &[entrant])) = (args.entrant, &*wanted.entrants) else {
        return Err(Error::config("name one entrant, as in `tortoise simulate k-async:4`"));
    };
    let Delay::Distribution(delay) = layers::with_trace(wanted.delay, &given, source)? else {
        return Err(Error::config(
            "simulate needs a distribution, and \"measured\" is none: name one with --delay",
        ));
    };
    if args.minibatch.is_some() && wanted.per_sample == 0.0 {
        return Err(Error::config(MINIBATCH_ALONE));
    }
    let delay = with_samples(delay, wanted.per_sample, wanted.minibatch)?;
    let case = Case::new(entrant.untrained(), learners, delay, wanted.link, slow, cancel)?;
    case.note_idle(args.cancel);
    if updates == 0 {
        return Err(Error::config("--updates must be at least 1"));
    }
    let warm_up = wanted.warm_up.unwrap_or_else(|| default_warm_up(learners, case.k));
    let times = simulate(&case.entrant, cancel, learners, case.delays(seed)?, warm_up, updates)?;
    let simulation = Simulation { case: &case, seed, times, theory: case.update_time() };
    if args.json {
        print_json(&simulation)?;
    } else {
        print(&text(&simulation))?;
    }
    Ok(Exit::Done)
}

fn text(simulation: &Simulation<'_>) -> String {
    let Simulation { case, times, theory, .. } = simulation;
    let error = times.mean_update_time_se.map_or(String::new(), |se| format!(" ± {se:.2e}"));
    let predicted = case::in_words(theory);
    format!(
        "{case}: {updates} updates after a warm-up of {warm_up}\n\
         mean update time  {mean:.6} s{error}\n\
         theory            {predicted}\n\
         mean staleness    {staleness:.4}\n\
         fresh gradients   {fresh:.2} %\n\
         minibatches       {started} started, {used} used, {wasted} wasted\n",
        case = case.in_words(),
        updates = times.updates,
        warm_up = times.warm_up,
        mean = Shown(times.mean_update_time),
        staleness = Shown(times.mean_staleness),
        fresh = 100.0 * times.fresh_fraction,
        started = times.started,
        used = times.used,
        wasted = times.wasted,
    )
}
