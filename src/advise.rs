//! Which variant and K to choose, and which m and rate if asked: from the distribution of the delays and a
//! few short runs.
//!
//! How many updates a loss takes depends on K and on how stale the gradients are. This is learned
//! from a few [`pilot`] runs, and a [`model`] of these two effects carries it over to all variants.
//! How long the updates take depends on the distribution of the delays. This comes from the loop
//! without gradients ([`times`]). Together they say when each variant reaches a loss. Where the
//! constants of theory are [`given`], bounds take the place of the pilot runs.

pub mod given;
pub mod model;
pub mod pilot;
pub mod times;

use serde::Serialize;

use self::{model::Model, pilot::Pilots, times::UpdateTimes};
use crate::{
    Error, Result,
    sgd::{Entrant, Objective, RunConfig, scheduler::Variant, trajectory::Point},
    statistics,
    theory::survey,
};

/// What advice is to serve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Goal {
    /// This training loss, soon.
    Target(f64),
    /// A low training loss within this run time, in seconds.
    Budget(f64),
}

/// What is expected of an entrant. Each deviation is that of one run about the expectation, from the
/// repetitions of the pilots and from the delays.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// Who is meant.
    pub entrant: Entrant,
    /// m, the samples of a gradient.
    pub minibatch: usize,
    /// The learning rate.
    pub learning_rate: f64,
    /// Mean of the staleness s = j - tau, in updates.
    pub mean_staleness: f64,
    /// Long-run mean time per update in seconds.
    pub mean_update_time: f64,
    /// Updates to the target or to the end of the budget; none if it is not expected to get there.
    pub updates: Option<f64>,
    /// Run time to the target in seconds; none if it is not expected to get there.
    pub time: Option<f64>,
    /// Standard deviation of that time, in seconds.
    pub time_deviation: Option<f64>,
    /// Training loss at the end of the budget, or the target.
    pub loss: Option<f64>,
    /// Standard deviation of that loss.
    pub loss_deviation: Option<f64>,
    /// Whether the pilots went as far as that; else their course is carried on.
    pub within_pilots: bool,
}

impl Forecast {
    /// Of an entrant that is not expected to get anywhere.
    fn unknown(entrant: &Entrant, run_config: &RunConfig, times: &UpdateTimes) -> Self {
        Self {
            entrant: *entrant,
            minibatch: run_config.minibatch,
            learning_rate: run_config.learning_rate,
            mean_staleness: times.mean_staleness,
            mean_update_time: times.mean_update_time,
            updates: None,
            time: None,
            time_deviation: None,
            loss: None,
            loss_deviation: None,
            within_pilots: true,
        }
    }
}

/// Forecasts of all entrants that were weighed, the best first.
#[derive(Debug, Clone, Serialize)]
pub struct Advice {
    /// The loss or the run time that was asked for.
    pub goal: Goal,
    /// One an entrant with each m and rate; those that do not get there last.
    pub forecasts: Vec<Forecast>,
    /// What the pilot runs showed; none where bounds were gone by.
    pub pilots: Vec<pilot::Shown>,
    /// Of which m and rates the pilot runs showed nothing.
    pub left_out: Vec<LeftOut>,
    #[serde(skip)]
    weighed: Vec<Weighed>,
}

/// A minibatch and a rate of which nothing can be forecast.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeftOut {
    /// m, the samples of a gradient.
    pub minibatch: usize,
    /// The learning rate.
    pub learning_rate: f64,
    /// Why.
    pub reason: String,
}

/// What the pilots taught of a minibatch and a rate, and how long the updates of each entrant take.
#[derive(Debug, Clone)]
struct Weighed {
    run_config: RunConfig,
    models: Vec<Model>,
    times: Vec<(Entrant, UpdateTimes)>,
}

/// Entrants worth weighing among P = `learners`: each base variant with every K up to P, from P = 17
/// on with 1, 2, 3, 4, 6, 8, 12, ... and P; what is the same under two names, once. Those
/// with a bound on staleness or lead can be weighed when they are named: under other than exponential delays
/// their forecasts are up to three times too early.
pub fn entrants(learners: usize) -> Vec<Entrant> {
    let ks = |from: usize| survey::ks(learners).filter(move |k| *k >= from);
    let between =
        |variant| ks(1).filter(|k| *k < learners).map(move |k| Entrant::with_k(variant, k));
    let from_two = |variant| ks(2).map(move |k| Entrant::with_k(variant, k));
    let mut entrants = vec![Entrant::SYNC];
    if learners > 1 {
        entrants.push(Entrant::ASYNC);
    }
    entrants.extend(between(Variant::KSync));
    entrants.extend(from_two(Variant::KBatchSync));
    entrants.extend(between(Variant::KAsync).skip(1));
    entrants.extend(from_two(Variant::KBatchAsync));
    entrants
}

/// Advice for these terms: runs the pilots, `repetitions` of each with at most `updates` updates,
/// and weighs `entrants`.
///
/// ```
/// use std::sync::Arc;
/// use tortoise::{
///     advise::{Goal, advise, entrants, pilot::PilotBudget},
///     cluster::engine_pool::EnginePool,
///     engine::quadratic::{Quadratic, coins},
///     sgd::{Objective, RunConfig},
/// };
///
/// # fn main() -> tortoise::Result<()> {
/// let train = Arc::new(coins(2048, 3, 0)?);
/// let engine = Quadratic::new(&train, vec![1.0, 0.5, 4.0]);
/// let objective = Objective::new(EnginePool::here(engine.clone()), engine);
/// let run_config = RunConfig { minibatch: 8, ..RunConfig::new(4, 0.05) };
/// let (initial, budget) = (|_| vec![0.0; 3], PilotBudget { updates: 200, repetitions: 2, seed: 1 });
/// let advice = advise(&run_config, &objective, &initial, &entrants(4), Goal::Target(0.1), &budget)?;
/// let best = advice.best().expect("some entrant gets there");
/// let sync = advice.forecasts.iter().find(|forecast| forecast.entrant.to_string() == "sync");
/// assert!(best.time < sync.unwrap().time, "nobody should wait for the slowest");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Config`] where a goal is no number above 0 or nothing can be learned from the pilots;
/// what a run returns.
pub fn advise(
    run_config: &RunConfig,
    objective: &Objective,
    initial: &dyn Fn(u64) -> Vec<f32>,
    entrants: &[Entrant],
    goal: Goal,
    pilots: &pilot::PilotBudget,
) -> Result<Advice> {
    check(goal)?;
    let target = if let Goal::Target(loss) = goal { Some(loss) } else { None };
    let runs = Pilots::run(run_config, objective, initial, target, pilots)?;
    let models: Vec<Model> = runs.repetitions(goal).map(Model::new).collect::<Result<_>>()?;
    let mut times = Vec::new();
    for entrant in entrants {
        times.push((*entrant, UpdateTimes::of(entrant, run_config)?));
    }
    let weighed = Weighed { run_config: run_config.clone(), models, times };
    let forecasts =
        weighed.times.iter().map(|(entrant, times)| weighed.forecast(goal, entrant, times));
    let mut forecasts: Vec<Forecast> = forecasts.collect();
    sort(&mut forecasts, goal);
    let (pilots, weighed) = (runs.shown(run_config, target), vec![weighed]);
    Ok(Advice { goal, forecasts, pilots, left_out: Vec::new(), weighed })
}

/// Advice that also chooses among minibatches and rates, each given as m and eta: what `advice` says of the
/// run with each of them, the best first. Those of which the pilot runs show nothing are left out.
///
/// # Errors
/// What `advice` returns, where it returns no advice at all.
///
/// # Panics
/// If there is no m and rate to choose.
pub fn among(
    run_config: &RunConfig,
    choices: &[(usize, f64)],
    mut advice: impl FnMut(&RunConfig) -> Result<Advice>,
) -> Result<Advice> {
    let (mut all, mut left_out): (Option<Advice>, Vec<LeftOut>) = (None, Vec::new());
    let mut first = None;
    for &(minibatch, learning_rate) in choices {
        let of = RunConfig { minibatch, learning_rate, ..run_config.clone() };
        match (advice(&of), &mut all) {
            (Ok(more), Some(all)) => all.add(more),
            (Ok(more), None) => all = Some(more),
            (Err(Error::Config(reason)), _) => {
                left_out.push(LeftOut { minibatch, learning_rate, reason: reason.clone() });
                first.get_or_insert(Error::Config(reason));
            }
            (Err(error), _) => return Err(error),
        }
    }
    let Some(mut all) = all else { return Err(first.expect("there is something to choose from")) };
    all.left_out = left_out;
    sort(&mut all.forecasts, all.goal);
    Ok(all)
}

fn check(goal: Goal) -> Result<()> {
    let (Goal::Target(wanted) | Goal::Budget(wanted)) = goal;
    match wanted.is_finite() && wanted > 0.0 {
        true => Ok(()),
        false => Err(Error::config("a target or a budget must be a number above 0")),
    }
}

/// The best first.
fn sort(forecasts: &mut [Forecast], goal: Goal) {
    let reached = |forecast: &Forecast| match goal {
        Goal::Target(_) => forecast.time.unwrap_or(f64::INFINITY),
        Goal::Budget(_) => forecast.loss.unwrap_or(f64::INFINITY),
    };
    forecasts.sort_by(|one, other| reached(one).total_cmp(&reached(other)));
}

impl Advice {
    /// The best, if any is expected to get there.
    pub fn best(&self) -> Option<&Forecast> {
        self.forecasts.first().filter(|forecast| forecast.updates.is_some())
    }

    /// Whether the two are expected to end within a deviation of each other.
    pub fn too_close(&self, best: &Forecast, other: &Forecast) -> bool {
        let of = |forecast: &Forecast| match self.goal {
            Goal::Target(_) => forecast.time.zip(forecast.time_deviation),
            Goal::Budget(_) => forecast.loss.zip(forecast.loss_deviation),
        };
        of(best).zip(of(other)).is_some_and(|((best, deviation), (other, others))| {
            other - best < deviation.hypot(others)
        })
    }

    fn add(&mut self, other: Self) {
        self.forecasts.extend(other.forecasts);
        self.pilots.extend(other.pilots);
        self.weighed.extend(other.weighed);
    }

    /// The course that is expected, down to what is `forecast`; none where there were no pilots.
    pub fn course(&self, forecast: &Forecast) -> Vec<Point> {
        let Forecast { entrant, minibatch, learning_rate, loss, .. } = *forecast;
        let is_of = |weighed: &&Weighed| {
            let RunConfig { minibatch: m, learning_rate: rate, .. } = weighed.run_config;
            (m, rate) == (minibatch, learning_rate)
        };
        let Some((weighed, end)) = self.weighed.iter().find(is_of).zip(loss) else {
            return Vec::new();
        };
        let times = weighed.times.iter().find(|(one, _)| *one == entrant);
        times.map_or(Vec::new(), |(_, times)| weighed.course(self.goal, times, end))
    }
}

impl Weighed {
    /// What all models say; none where one says nothing.
    fn all(&self, of: impl Fn(&Model) -> Option<f64>) -> Option<Vec<f64>> {
        self.models.iter().map(of).collect()
    }

    fn forecast(&self, goal: Goal, entrant: &Entrant, times: &UpdateTimes) -> Forecast {
        let mut forecast = Forecast::unknown(entrant, &self.run_config, times);
        let UpdateTimes { k, mean_staleness, .. } = *times;
        let deviation = |values: &[f64], of_delays: f64| {
            let n = values.len() as f64;
            let error = statistics::standard_error(values).unwrap_or(0.0);
            // Of a run to come: its own deviation and the error of the mean.
            (error.powi(2) * (n + 1.0) + of_delays.powi(2)).sqrt()
        };
        match goal {
            Goal::Target(loss) => {
                let updates = |model: &Model| model.updates_to(loss, k, mean_staleness);
                let Some(counts) = self.all(|model| Some(updates(model)?.count)) else {
                    return forecast;
                };
                let reached: Vec<f64> = counts.iter().map(|n| times.of_update(*n)).collect();
                let time = mean(&reached);
                forecast.loss = Some(loss);
                forecast.updates = Some(mean(&counts));
                forecast.time = Some(time);
                forecast.time_deviation = Some(deviation(&reached, times.deviation_of(time)));
                forecast.within_pilots =
                    self.models.iter().filter_map(updates).all(|updates| updates.within);
            }
            Goal::Budget(time) => {
                let updates = times.updates_within(time);
                let after =
                    |updates: f64| self.all(|model| model.loss_after(updates, k, mean_staleness));
                let Some(losses) = after(updates) else { return forecast };
                let loss = mean(&losses);
                // What the delays do to the updates they do to the loss.
                let later = after(updates + times.deviation_of(time) / times.mean_update_time);
                let of_delays = later.map_or(0.0, |later| loss - mean(&later));
                forecast.loss = Some(loss);
                forecast.loss_deviation = Some(deviation(&losses, of_delays));
                forecast.updates = Some(updates);
                forecast.time = Some(time);
                forecast.within_pilots = self.models.iter().zip(&losses).all(|(model, loss)| {
                    let needed = model.updates_to(1.001 * loss, k, mean_staleness);
                    needed.is_some_and(|needed| needed.within)
                });
            }
        }
        forecast
    }

    /// The course down to the `end` that is forecast of it.
    fn course(&self, goal: Goal, times: &UpdateTimes, end: f64) -> Vec<Point> {
        const POINTS: i32 = 60;
        let start = mean(&self.models.iter().map(Model::start).collect::<Vec<_>>());
        let point = |n: i32| {
            let loss = start * (end / start).powf(f64::from(n) / f64::from(POINTS));
            let updates = |model: &Model| model.updates_to(loss, times.k, times.mean_staleness);
            let updates = mean(&self.all(|model| Some(updates(model)?.count))?);
            Some(Point { time: times.of_update(updates), updates, loss, loss_se: None })
        };
        let mut course: Vec<Point> = (0..=POINTS).filter_map(point).collect();
        // Where a pilot does not get further, another takes its place, which may look faster.
        for at in 1..course.len() {
            course[at].time = course[at].time.max(course[at - 1].time);
            course[at].updates = course[at].updates.max(course[at - 1].updates);
        }
        if let Goal::Budget(time) = goal {
            course.retain(|point| point.time < time);
            let updates = times.updates_within(time);
            course.push(Point { time, updates, loss: end, loss_se: None });
        }
        course
    }
}

fn mean(values: &[f64]) -> f64 {
    statistics::mean(values).unwrap_or(f64::NAN)
}
