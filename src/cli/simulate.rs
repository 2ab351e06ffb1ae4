//! `tortoise simulate`: time only, no gradients.

use clap::Args;
use serde::Serialize;

use super::{Exit, print, print_json};
use crate::{
    Error, Result,
    cluster::delay::{Delays, Distribution, Slow},
    sgd::{
        Cancellation, Entrant,
        simulate::{Times, default_warm_up, simulate},
    },
    theory::runtime::{self, UpdateTime},
};

#[derive(Debug, Args)]
pub(super) struct SimulateArgs {
    /// sync, async, k-sync:K, k-batch-sync:K, k-async:K or k-batch-async:K
    entrant: Entrant,
    /// P, the number of learners
    #[arg(long, short = 'p', default_value_t = 8)]
    learners: usize,
    /// Law of the time a minibatch takes, in seconds; `tortoise race --help` lists them
    #[arg(long, default_value = "exponential:mean=1")]
    delay: Distribution,
    /// LEARNER=FACTOR[,...]: learners that are slower than the law says
    #[arg(long, default_value = "", hide_default_value = true)]
    slow: Slow,
    /// Whether cancelled work stops at once or is dropped when it arrives
    #[arg(long, default_value = "preempt")]
    cancel: Cancellation,
    /// Updates to measure
    #[arg(long, default_value_t = 10_000)]
    updates: u64,
    /// Updates before them that are left out [default: 100, and twenty pushes a learner]
    #[arg(long)]
    warm_up: Option<u64>,
    /// Of the delays
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Simulation<'a> {
    entrant: &'a Entrant,
    learners: usize,
    k: usize,
    delay: &'a Distribution,
    cancel: Cancellation,
    seed: u64,
    #[serde(flatten)]
    times: Times,
    theory: UpdateTime,
}

pub(super) fn run(args: &SimulateArgs) -> Result<Exit> {
    let SimulateArgs { entrant, learners, delay, cancel, updates, seed, .. } = args;
    if !(1..=1 << 20).contains(learners) {
        return Err(Error::config("--learners (P) must be from 1 to 1048576"));
    }
    if *updates == 0 {
        return Err(Error::config("--updates must be at least 1"));
    }
    let k = entrant.fixed_k(*learners)?;
    let preempts = *cancel == Cancellation::Preempt;
    if !runtime::has_mean(entrant.variant(), preempts, delay, *learners, k) {
        return Err(Error::config(format!(
            "under {delay} the update time of {entrant} has no finite mean; choose a larger shape"
        )));
    }
    let warm_up = args.warm_up.unwrap_or_else(|| default_warm_up(*learners, k));
    if warm_up.checked_add(*updates).is_none() {
        return Err(Error::config("--warm-up and --updates are too large together"));
    }
    let delays = Delays::new(delay.clone(), &args.slow, *learners, *seed)?;
    let times = simulate(entrant, *cancel, *learners, delays, warm_up, *updates)?;
    let theory =
        runtime::update_time_of(entrant.variant(), delay, &args.slow, *cancel, *learners, k);
    let simulation = Simulation {
        entrant,
        learners: *learners,
        k,
        delay,
        cancel: *cancel,
        seed: *seed,
        times,
        theory,
    };
    if args.json {
        print_json(&simulation)?;
    } else {
        print(&text(&simulation))?;
    }
    Ok(Exit::Done)
}

fn text(simulation: &Simulation<'_>) -> String {
    let Simulation { entrant, learners, k, delay, times, theory, .. } = simulation;
    let error = times.mean_update_time_se.map_or(String::new(), |se| format!(" ± {se:.2e}"));
    let bound = |name: &str, value: Option<f64>| {
        value.map_or(String::new(), |value| format!("{name} {value:.6} s"))
    };
    let predicted = match theory.mean_update_time {
        Some(value) => format!("{value:.6} s"),
        None => match [bound("at least", theory.lower), bound("at most", theory.upper)] {
            [lower, upper] if lower.is_empty() && upper.is_empty() => "no closed form".to_owned(),
            [lower, upper] if lower.is_empty() || upper.is_empty() => lower + &upper,
            [lower, upper] => format!("{lower}, {upper}"),
        },
    };
    format!(
        "{entrant}, P={learners}, K={k}, {delay}: {updates} updates after a warm-up of {warm_up}\n\
         mean update time  {mean:.6} s{error}\n\
         theory            {predicted}\n\
         mean staleness    {staleness:.4}\n\
         fresh gradients   {fresh:.2} %\n\
         minibatches       {started} started, {used} used, {wasted} wasted\n",
        updates = times.updates,
        warm_up = times.warm_up,
        mean = times.mean_update_time,
        staleness = times.mean_staleness,
        fresh = 100.0 * times.fresh_fraction,
        started = times.started,
        used = times.used,
        wasted = times.wasted,
    )
}
