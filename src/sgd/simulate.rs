//! Update times, staleness and waste of a variant, without gradients: the same loop over learners
//! that compute nothing.

use std::time::Duration;

use serde::Serialize;

use super::{
    entrant::Entrant,
    event::{Event, Observer},
    k_schedule::FixedK,
    learning_rate::Constant,
    scheduler::{Cancellation, Scheduler},
    server::ParameterServer,
    tally::Tally,
    train::{Limits, Run},
};
use crate::{
    Error, Result,
    cluster::{delay::DelayModel, simulated::Simulated},
    ids::Version,
};

/// Batches whose means give the standard error; consecutive updates are not independent.
const BATCHES: u64 = 50;

/// Long-run figures of a variant, over the updates after the warm-up.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Times {
    /// Updates measured.
    pub updates: Version,
    /// Updates before them, left out: from a common start, the asynchronous variants need some time
    /// to forget it.
    pub warm_up: Version,
    /// Mean time per update, in seconds.
    pub mean_update_time: f64,
    /// Standard error of that in seconds, from batch means; none for fewer than two batches.
    pub mean_update_time_se: Option<f64>,
    /// Mean of the staleness s = j - tau, in updates.
    pub mean_staleness: f64,
    /// Share of gradients with s = 0, from 0 to 1.
    pub fresh_fraction: f64,
    /// How many gradients had s = 0, 1, 2, ...
    pub staleness_histogram: Vec<u64>,
    /// Minibatches started.
    pub started: u64,
    /// Gradients that went into updates.
    pub used: u64,
    /// Minibatches cancelled or dropped on arrival.
    pub wasted: u64,
}

/// Runs `entrant` with no gradients for `warm_up` and then `updates` updates.
///
/// ```
/// use tortoise::{
///     cluster::delay::{Delays, Slow},
///     sgd::{Cancellation, simulate::simulate},
/// };
///
/// # fn main() -> tortoise::Result<()> {
/// let delays = Delays::new("exponential:mean=1".parse()?, &Slow::default(), 8, 0)?;
/// let entrant = "k-async:4".parse()?;
/// let times = simulate(&entrant, Cancellation::Preempt, 8, delays, 100, 10_000)?;
/// assert!((times.mean_staleness - 1.0).abs() < 0.05); // (P - K) / K
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Where the entrant does not fit the learners, or follows a loss, or the run time is too long.
///
/// # Panics
/// If `updates` is zero.
pub fn simulate(
    entrant: &Entrant,
    cancellation: Cancellation,
    learners: usize,
    delays: impl DelayModel,
    warm_up: Version,
    updates: Version,
) -> Result<Times> {
    assert!(updates > 0, "there is something to measure");
    let batch = (updates / BATCHES).max(1);
    let mut window = Window { warm_up, batch, ..Window::default() };
    let limits = Limits { updates: Some(warm_up + updates), ..Limits::default() };
    times_only(entrant, cancellation, learners, delays)?.train(&limits, &mut window)?;
    let made = window.tally.updates;
    if made < warm_up + updates {
        return Err(Error::config(format!(
            "after {made} updates the run time is beyond 584 years, which no clock of ours counts"
        )));
    }
    Ok(window.times())
}

/// Mean times of an update for K = 1 to P = `learners`, for which the delays are drawn anew each time.
/// Where there are many learners they are simulated for some of these K, and lie on lines between.
///
/// # Errors
/// As [`simulate`] has them, and what `delays` returns.
pub fn update_times<D: DelayModel>(
    entrant: &Entrant,
    cancellation: Cancellation,
    learners: usize,
    delays: impl Fn() -> Result<D>,
) -> Result<Vec<f64>> {
    let mut times: Vec<f64> = Vec::with_capacity(learners);
    let mut k = 1;
    loop {
        let updates = (PUSHES / k as u64).max(FEWEST_UPDATES);
        let entrant = entrant.with_number(k);
        let warm_up = default_warm_up(learners, k);
        let simulated = simulate(&entrant, cancellation, learners, delays()?, warm_up, updates)?;
        let (time, before) = (simulated.mean_update_time, times.len());
        let from = times.last().copied().unwrap_or(0.0);
        let steps = (k - before) as f64;
        times.extend((1..=k - before).map(|step| from + (time - from) * step as f64 / steps));
        if k == learners {
            return Ok(times);
        }
        k = (k + 1).max(k + k / 4).min(learners);
    }
}

/// The ratios of these times where minibatches take exponential times and cancelled work stops at once:
/// 1/P + ... + 1/(P - K + 1) for K learners, K/P for K minibatches, in units of the mean time of a
/// minibatch (Dutta et al. 2018, section 3).
pub fn memoryless_update_times(entrant: &Entrant, learners: usize) -> Vec<f64> {
    let p = learners as f64;
    let mut time = 0.0;
    let next = |k: usize| {
        time += if entrant.rules().waits { 1.0 / (learners - k + 1) as f64 } else { 1.0 / p };
        time
    };
    (1..=learners).map(next).collect()
}

/// Gradients that each of [`update_times`] is measured over, at the least so many updates.
const PUSHES: u64 = 20_000;
const FEWEST_UPDATES: u64 = 200;

/// A run whose learners compute nothing.
///
/// # Errors
/// Where the entrant does not fit the learners, or follows a loss.
pub fn times_only<D: DelayModel>(
    entrant: &Entrant,
    cancellation: Cancellation,
    learners: usize,
    delays: D,
) -> Result<Run<Simulated<'static, D>, FixedK, Constant>> {
    let k = entrant.fixed_k(learners)?;
    let scheduler =
        Scheduler::new(entrant.rules(), entrant.cancellation(cancellation), learners, k);
    let (server, cluster) = (ParameterServer::new(&[]), Simulated::times_only(learners, delays));
    Ok(Run::new(scheduler, server, cluster, FixedK(k), Constant(1.0)))
}

/// A warm-up after which every variant has forgotten the common start: twenty pushes a learner.
pub fn default_warm_up(learners: usize, k: usize) -> Version {
    (20 * learners).div_ceil(k) as Version + 100
}

#[derive(Default)]
struct Window {
    warm_up: Version,
    batch: u64,
    start: Duration,
    batch_ends: Vec<Duration>,
    tally: Tally,
}

impl Window {
    fn times(self) -> Times {
        let Self { warm_up, batch, start, batch_ends, tally } = self;
        let updates = tally.updates - warm_up;
        let starts = [start].into_iter().chain(batch_ends.iter().copied());
        let means: Vec<f64> = starts
            .zip(&batch_ends)
            .map(|(start, &end)| (end - start).as_secs_f64() / batch as f64)
            .collect();
        Times {
            updates,
            warm_up,
            mean_update_time: (tally.last_update - start).as_secs_f64() / updates as f64,
            mean_update_time_se: crate::statistics::standard_error(&means),
            mean_staleness: tally.mean_staleness(),
            fresh_fraction: tally.fresh_fraction(),
            started: tally.started,
            used: tally.used,
            wasted: tally.wasted(),
            staleness_histogram: tally.staleness,
        }
    }
}

impl Observer for Window {
    fn event(&mut self, time: Duration, event: &Event) -> Result<()> {
        self.tally.count(time, event);
        if let Event::Update { version, .. } = *event {
            if version == self.warm_up {
                self.start = time;
                self.tally = Tally { updates: version, last_update: time, ..Tally::default() };
            } else if version > self.warm_up && (version - self.warm_up).is_multiple_of(self.batch)
            {
                self.batch_ends.push(time);
            }
        }
        Ok(())
    }
}
