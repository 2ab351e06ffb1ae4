//! From what was seen of a run to the constants of theory.

use rand::seq::index;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{
    Estimate, Estimates, Seen, Settings,
    curvature::{self, Curvature},
    delays,
    minimum::Minimum,
    objective::{Objective, Point, squared},
    regression::{Line, Measured},
    staleness,
};
use crate::{
    Error, Result,
    engine::Engine,
    ids::Version,
    numbers::Shown,
    rng::{self, Purpose},
    statistics,
};

/// What was measured at w_k.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Iterate {
    /// k, the updates that made w_k.
    pub version: Version,
    /// F(w_k), over the training set.
    pub loss: f64,
    /// ||grad F(w_k)||^2, over the training set.
    pub gradient_square: f64,
    /// E||g - grad F(w_k)||^2 of a gradient g of one sample.
    pub variance: Estimate,
    /// ||Hessian(w_k)||, over a part of the training set.
    #[serde(deserialize_with = "crate::numbers::or_nan")]
    pub smoothness: f64,
    /// Its standard error, from how much parts of these samples differ; 0 over the whole training set.
    #[serde(default)]
    pub smoothness_error: f64,
    /// Whether its iteration has converged; if not, the smoothness is too small.
    pub converged: bool,
}

/// The constants of a run that was [watched](super::Watch), by gradients over the training set.
///
/// `engine` computes the model of the run; its results are those of the loss that was trained.
///
/// ```
/// use std::sync::Arc;
/// use tortoise::{
///     cluster::engine_pool::EnginePool,
///     engine::quadratic::{Quadratic, coins},
///     estimate::{Settings, Watch, estimate},
///     sgd::RunConfig,
/// };
///
/// # fn main() -> tortoise::Result<()> {
/// let train = Arc::new(coins(8192, 3, 0)?);
/// let mut engine = Quadratic::new(&train, vec![1.0, 0.5, 4.0]);
/// let queues = EnginePool::here(engine.clone());
/// let run_config = RunConfig { minibatch: 8, updates: Some(200), ..RunConfig::new(4, 0.05) };
/// let settings = Settings::new(run_config.learning_rate, 1, run_config.minibatch, 0);
/// let mut watch = Watch::new((), &settings);
/// run_config.run(&"async".parse()?, 0, &[0.0; 3][..], &queues, None, &mut watch)?;
/// let ((), seen) = watch.finish();
/// let estimates = estimate(&seen, &mut engine, &settings)?;
/// // The largest curvature, and the mean of the distribution that a `RunConfig` has if nothing is said.
/// assert!((estimates.smoothness.value - 4.0).abs() < 0.01);
/// assert!((estimates.delay.best().distribution.mean() - 1.0).abs() < 0.2);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`Error::Config`] where the run made no update, finished fewer than two minibatches, or the
/// settings do not fit the training set; [`Error::Diverged`] where it was no longer finite; or what
/// the engine returns.
pub fn estimate(seen: &Seen, engine: &mut dyn Engine, settings: &Settings) -> Result<Estimates> {
    check(seen, engine.samples(), settings)?;
    let delay = delays::fit(&seen.observed)?;
    let mut objective = Objective::new(engine, settings.chunk);
    let (places, iterates) = iterates(&mut objective, seen, settings)?;
    let line = Line::through(&iterates.iter().map(measured).collect::<Vec<_>>());
    let steepest = iterates.iter().max_by(|a, b| a.smoothness.total_cmp(&b.smoothness));
    let smoothness = steepest.map(|one| Estimate::with_error(one.smoothness, one.smoothness_error));
    let smoothness = smoothness.expect("there is an iterate");
    let by_loss = iterates.iter().zip(places).min_by(|(a, _), (b, _)| a.loss.total_cmp(&b.loss));
    let (lowest, place) = by_loss.expect("there is an iterate");
    let (found, least) = match settings.minimum {
        Some(Minimum { found, least }) => (found, least),
        None => {
            let found = descend(&mut objective, place, settings.descent, smoothness.value)?;
            (found, settings.least_loss)
        }
    };
    let found = found.min(lowest.loss).min(seen.lowest_loss.unwrap_or(f64::INFINITY));
    let f_star = Estimate::between(found, least.min(found), found);
    let convexity = convexity(&iterates, &f_star, settings);
    let sample =
        objective.sample(&mut stream(settings, Stream::Staleness, 0), settings.staleness_samples);
    let (gamma, gamma_windows) = staleness::gamma(&mut objective, &seen.moments, &sample)?;
    let (share, error) = seen.fresh.share().expect("there was an update");
    let mut estimates = Estimates {
        smoothness,
        convexity,
        variance: line.intercept,
        gradient_variance: line.slope,
        gamma,
        gamma_windows,
        p0: Estimate::with_error(share, error),
        f_star,
        initial_loss: iterates[0].loss,
        delay,
        iterates,
        warnings: Vec::new(),
        settings: *settings,
    };
    estimates.warnings = warnings(&estimates);
    Ok(estimates)
}

/// Makes F* and c those of the objective where several runs were of one: F* is the lowest loss that any
/// of them found, and c the least over the iterates of all.
pub fn of_one_objective(all: &mut [&mut Estimates]) {
    let least = |of: fn(&Estimates) -> f64| all.iter().map(|one| of(one)).min_by(f64::total_cmp);
    let Some(found) = least(|one| one.f_star.value) else { return };
    let low = all.iter().map(|one| one.f_star.range().0).fold(f64::NEG_INFINITY, f64::max);
    let f_star = Estimate::between(found, low.min(found), found);
    let iterates: Vec<Iterate> = all.iter().flat_map(|one| one.iterates.clone()).collect();
    for one in all {
        one.f_star = f_star;
        one.convexity = convexity(&iterates, &f_star, &one.settings);
        one.warnings = warnings(one);
    }
}

fn check(seen: &Seen, samples: usize, settings: &Settings) -> Result<()> {
    let Settings { minibatch, iterates, draws, chunk, .. } = *settings;
    let need = |holds: bool, what: String| if holds { Ok(()) } else { Err(Error::config(what)) };
    need(!seen.moments.is_empty(), "the run made no update".to_owned())?;
    need(
        0 < minibatch && minibatch <= samples,
        format!("minibatches of {minibatch} samples do not fit the {samples} of the training set"),
    )?;
    need(iterates > 0 && draws > 1 && chunk > 0, "an estimate takes some iterates and draws".into())
}

/// What random numbers are for; 0 is the choice of moments.
#[derive(Clone, Copy)]
enum Stream {
    Draws = 1,
    Curvature = 2,
    Direction = 3,
    Staleness = 4,
}

fn stream(settings: &Settings, of: Stream, number: usize) -> ChaCha8Rng {
    rng::stream(settings.seed, Purpose::Estimation, of as u64, number as u64)
}

/// Parameters evenly spaced over the run, w_0 and the last among them, and what is measured there.
fn iterates<'a>(
    objective: &mut Objective<'_>,
    seen: &'a Seen,
    settings: &Settings,
) -> Result<(Vec<&'a [f32]>, Vec<Iterate>)> {
    let moments = seen.moments.iter().map(|moment| (moment.version, &*moment.params));
    let all: Vec<_> = moments.chain([(seen.last.0, &*seen.last.1)]).collect();
    let count = settings.iterates.min(all.len());
    let places = (0..count).map(|number| all[number * (all.len() - 1) / (count - 1).max(1)]);
    let mut part = stream(settings, Stream::Curvature, 0);
    let part = objective.sample(&mut part, 2 * settings.curvature_samples);
    let mut iterates = Vec::with_capacity(count);
    for (number, (version, w)) in places.clone().enumerate() {
        let Point { loss, gradient } = objective.full(w)?;
        let gradient_square = squared(gradient.iter().copied());
        if !(loss.is_finite() && gradient_square.is_finite()) {
            return Err(Error::Diverged(format!(
                "the loss is no number any more after {version} updates, so that no constant can be \
                 told; lower the learning rate"
            )));
        }
        let mut draws = stream(settings, Stream::Draws, number);
        let variance = variance(objective, w, &gradient, settings, &mut draws)?;
        let mut direction = stream(settings, Stream::Direction, number);
        let Curvature { smoothness, smoothness_error, converged } =
            curvature::smoothness(objective, w, &part, settings.curvature_samples, &mut direction)?;
        iterates.push(Iterate {
            version,
            loss,
            gradient_square,
            variance,
            smoothness,
            smoothness_error,
            converged,
        });
    }
    Ok((places.map(|(_, w)| w).collect(), iterates))
}

/// E||g - grad F||^2 of one sample, from minibatches drawn as those of the run: of m different samples
/// among N, whose mean varies by (N - m) / (N - 1) less than that of independent ones.
fn variance(
    objective: &mut Objective<'_>,
    w: &[f32],
    gradient: &[f64],
    settings: &Settings,
    rng: &mut ChaCha8Rng,
) -> Result<Estimate> {
    let all = objective.samples();
    // A minibatch of all samples does not vary.
    let m = settings.minibatch.min(all.div_ceil(2));
    if m == all {
        return Ok(Estimate::with_error(0.0, 0.0));
    }
    let scale = m as f64 * (all - 1) as f64 / (all - m) as f64;
    objective.load(w)?;
    let mut values = Vec::with_capacity(settings.draws);
    for _ in 0..settings.draws {
        let (_, drawn) = objective.minibatch(&index::sample(rng, all, m).into_vec())?;
        values.push(
            scale * squared(drawn.iter().zip(gradient).map(|(g, mean)| f64::from(*g) - mean)),
        );
    }
    let mean = statistics::mean(&values).expect("there are draws");
    let error = statistics::standard_error(&values).expect("there are several");
    Ok(Estimate::with_error(mean, error))
}

fn measured(iterate: &Iterate) -> Measured {
    let Estimate { value, .. } = iterate.variance;
    let standard_error = iterate.variance.standard_error().unwrap_or(0.0);
    Measured { x: iterate.gradient_square, y: value, standard_error }
}

/// The lowest loss on the way down from w: accelerated gradient descent by steps of 1/L (Nesterov
/// 1983), begun again where it rises.
fn descend(objective: &mut Objective<'_>, w: &[f32], steps: usize, smoothness: f64) -> Result<f64> {
    let (mut w, mut ahead) = (w.to_vec(), w.to_vec());
    let (mut lowest, mut before, mut age) = (f64::INFINITY, f64::INFINITY, 0.0);
    for _ in 0..if smoothness > 0.0 { steps } else { 0 } {
        let Point { loss, gradient } = objective.full(&ahead)?;
        if !loss.is_finite() {
            break;
        }
        lowest = lowest.min(loss);
        age = if loss > before { 0.0 } else { age + 1.0 };
        before = loss;
        let momentum = age / (age + 3.0);
        for ((w, ahead), g) in w.iter_mut().zip(&mut ahead).zip(gradient) {
            let next = f64::from(*ahead) - g / smoothness;
            *ahead = (next + momentum * (next - f64::from(*w))) as f32;
            *w = next as f32;
        }
    }
    Ok(lowest)
}

/// Part of the largest F(w_k) - F* below which an iterate is too close to F* to tell c.
const TOO_CLOSE: f64 = 1e-4;

/// c for F* and for both ends of its range.
fn convexity(iterates: &[Iterate], f_star: &Estimate, settings: &Settings) -> Estimate {
    let (low, high) = f_star.range();
    let [low, high] =
        [low, high].map(|f_star| least_ratio(iterates, f_star).max(settings.least_convexity));
    Estimate::between(high, low, high)
}

/// The least ||grad F(w_k)||^2 / 2 (F(w_k) - F*); infinite if no iterate is above F*.
fn least_ratio(iterates: &[Iterate], f_star: f64) -> f64 {
    let above = |iterate: &Iterate| iterate.loss - f_star;
    let least = TOO_CLOSE * iterates.iter().map(above).fold(0.0, f64::max);
    let told = iterates.iter().filter(|iterate| above(iterate) > least);
    let ratios = told.map(|iterate| iterate.gradient_square / (2.0 * above(iterate)));
    ratios.fold(f64::INFINITY, f64::min)
}

/// Where an assumption fails, or an estimate is worth little.
fn warnings(estimates: &Estimates) -> Vec<String> {
    let Estimates { smoothness, convexity, gamma, iterates, f_star, settings, .. } = estimates;
    let mut warnings = Vec::new();
    if settings.shards {
        warnings.push(
            "assumption violated: the gradients of a learner are unbiased for its own shard of the samples, and \
             not for all: the bounds do not hold"
                .to_owned(),
        );
    }
    let largest =
        estimates.gamma_windows.iter().max_by(|a, b| a.gamma.value.total_cmp(&b.gamma.value));
    if let Some(window) = largest.filter(|window| window.gamma.value > 1.0 || gamma.value > 1.0) {
        let (from, to, part) = (window.from, window.to, window.gamma);
        warnings.push(format!(
            "assumption violated: gamma must be at most 1 (assumption 5) and is {gamma} over the run, \
             {part} between the updates {from} and {to}: stale gradients are further off than they are \
             long, and no bound holds for them; lower the learning rate, or raise K"
        ));
    }
    if !gamma.value.is_finite() {
        warnings
            .push("gamma cannot be told: no gradient is large enough to compare with".to_owned());
    }
    let most = estimates.largest_learning_rate();
    if settings.learning_rate > most {
        warnings.push(format!(
            "assumption violated: the bounds hold up to a learning rate of 1/(2 L (M_G/(K m) + 1)) = {1:.3}, \
             and it is {0}",
            Shown(settings.learning_rate),
            Shown(most)
        ));
    }
    // The line is a mean; assumption 4 asks that nothing lies above it, whatever chance may do.
    let line = |iterate: &Iterate| {
        estimates.variance.value + estimates.gradient_variance.value * iterate.gradient_square
    };
    let excess = |iterate: &Iterate| iterate.variance.range().0 / line(iterate) - 1.0;
    let worst = iterates.iter().max_by(|a, b| excess(a).total_cmp(&excess(b)));
    if let Some(worst) = worst.filter(|worst| excess(worst) > 0.0) {
        warnings.push(format!(
            "assumption 4 does not hold: after {} updates the variance of gradients is {:.0} % above \
             sigma^2 + M_G |grad F|^2, which should be above every variance and is their mean line",
            worst.version,
            100.0 * (worst.variance.value / line(worst) - 1.0)
        ));
    }
    if estimates.gradient_variance.standard_error().is_none_or(f64::is_infinite) {
        warnings
            .push("M_G cannot be told: the gradients of all iterates are equally long".to_owned());
    }
    if let Some(iterate) = iterates.iter().find(|iterate| !iterate.converged) {
        warnings.push(format!(
            "L is too small: after {} updates its iteration has not converged",
            iterate.version
        ));
    }
    if !smoothness.value.is_finite() || smoothness.value == 0.0 {
        warnings
            .push("L cannot be told: the gradient is the same wherever it was taken".to_owned());
    }
    if !convexity.value.is_finite() {
        warnings.push("c cannot be told: no iterate lies above F*".to_owned());
    } else if convexity.range().0 < 0.5 * convexity.value {
        warnings.push(format!(
            "c is {convexity}: it depends on F*, which is only known to be from {:.4} to {:.4}: what was \
             found is the lowest loss seen, and for this model nothing says how far it is from the lowest \
             there is; use the lower c to be safe",
            f_star.range().0,
            f_star.range().1
        ));
    }
    // By more than what f32 makes of it.
    if f_star.value < settings.least_loss - 1e-6 * estimates.initial_loss.abs() {
        warnings.push(format!(
            "the loss is {:.4} somewhere, below the {} that no loss should be below",
            f_star.value, settings.least_loss
        ));
    }
    warnings.extend(estimates.delay.warnings.iter().cloned());
    warnings
}

impl Estimates {
    /// The [largest rate](crate::theory::error::Constants::largest_rate) that the bounds allow.
    pub fn largest_learning_rate(&self) -> f64 {
        self.constants().largest_rate(self.settings.k, self.settings.minibatch)
    }
}
