//! `tortoise simulate`: time only, no gradients.

use clap::Args;
use serde::Serialize;

use super::{
    Exit,
    case::{self, CaseArgs},
    print, print_json,
};
use crate::{
    Error, Result,
    cluster::delay::{Delays, Distribution},
    sgd::{
        Cancellation, Entrant,
        simulate::{Times, default_warm_up, simulate},
    },
    theory::runtime::{self, UpdateTime},
};

#[derive(Debug, Args)]
pub(super) struct SimulateArgs {
    #[command(flatten)]
    case: CaseArgs,
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
    let SimulateArgs { case, updates, seed, .. } = args;
    let CaseArgs { entrant, learners, delay, slow, cancel } = case;
    let k = case.k()?;
    if *updates == 0 {
        return Err(Error::config("--updates must be at least 1"));
    }
    let warm_up = args.warm_up.unwrap_or_else(|| default_warm_up(*learners, k));
    if warm_up.checked_add(*updates).is_none() {
        return Err(Error::config("--warm-up and --updates are too large together"));
    }
    let delays = Delays::new(delay.clone(), slow, *learners, *seed)?;
    let times = simulate(entrant, *cancel, *learners, delays, warm_up, *updates)?;
    let theory = runtime::update_time_of(entrant.variant(), delay, slow, *cancel, *learners, k);
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
    let predicted = case::in_words(theory);
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
