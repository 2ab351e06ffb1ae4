//! Expected time per update of each variant.

use serde::Serialize;

pub use super::update_time::UpdateTime;
use super::{arrival, capped, lead, learners::Learners, order_statistics, renewals, unequal};
use crate::{
    cluster::delay::Distribution,
    sgd::{
        Cancellation,
        scheduler::{Rules, Variant},
    },
};

/// How a fresh minibatch compares with what is left of one that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ageing {
    /// Neither longer nor shorter: memoryless.
    Memoryless,
    /// New better than used, the paper's "new-longer-than-used": a fresh one takes longer.
    NewLonger,
    /// New worse than used: a fresh one takes less.
    NewShorter,
    /// Now one, now the other.
    Neither,
}

/// The class of a distribution (Dutta et al. 2018, definition 3; Barlow and Proschan 1975).
pub fn ageing(distribution: &Distribution) -> Ageing {
    match *distribution {
        _ if distribution.is_memoryless() => Ageing::Memoryless,
        Distribution::Constant(_)
        | Distribution::ShiftedExponential { .. }
        | Distribution::Uniform { .. } => Ageing::NewLonger,
        // A shift keeps what is new longer than used so, and makes it of what is memoryless.
        Distribution::Shifted { ref of, .. } => match ageing(of) {
            Ageing::NewLonger | Ageing::Memoryless => Ageing::NewLonger,
            Ageing::NewShorter | Ageing::Neither => Ageing::Neither,
        },
        Distribution::Weibull { shape, .. } if shape > 1.0 => Ageing::NewLonger,
        // The exponential distribution is memoryless, and does not come here.
        Distribution::Exponential { .. }
        | Distribution::Weibull { .. }
        | Distribution::Hyperexponential { .. } => Ageing::NewShorter,
        Distribution::Pareto { .. } | Distribution::Bimodal { .. } | Distribution::Trace(_) => {
            Ageing::Neither
        }
    }
}

/// The long-run mean time per update among P = `p` independent learners with the distribution
/// `distribution`: lemmas 3 to 5 of Dutta et al. 2018, and the elementary renewal theorem; for
/// K-batch-sync, which has a closed form for a few distributions only, a numeric value. Nothing is
/// known of other rules than those of the four base variants.
///
/// ```
/// use tortoise::{cluster::delay::Distribution, sgd::Variant, theory::runtime::update_time};
///
/// # fn main() -> tortoise::Result<()> {
/// let distribution: Distribution = "exponential:mean=1".parse()?;
/// let sync = update_time(Variant::KSync, &distribution, 4, 4);
/// assert!((sync.mean_update_time.unwrap() - (1.0 + 1.0 / 2.0 + 1.0 / 3.0 + 1.0 / 4.0)).abs() < 1e-9);
/// assert!(sync.exact);
///
/// let distribution: Distribution = "uniform:low=0,high=2".parse()?;
/// let k_async = update_time(Variant::KAsync, &distribution, 4, 2);
/// assert_eq!(k_async.mean_update_time, None);
/// // 2 E[X] / 4, and E of the second of four.
/// assert_eq!(k_async.lower, Some(0.5));
/// assert!((k_async.upper.unwrap() - 0.8).abs() < 1e-9);
/// # Ok(())
/// # }
/// ```
///
/// # Panics
/// If K is zero, or above P where it counts learners, or for a trace that is replayed.
pub fn update_time(
    rules: impl Into<Rules>,
    distribution: &Distribution,
    p: usize,
    k: usize,
) -> UpdateTime {
    let Some(variant) = Variant::of(rules.into()) else { return UpdateTime::default() };
    let order = |k| order_statistics::expected(distribution, k, p);
    let renewal = k as f64 * distribution.mean() / p as f64;
    let ageing = ageing(distribution);
    let shorter = matches!(ageing, Ageing::NewShorter | Ageing::Memoryless);
    let longer = matches!(ageing, Ageing::NewLonger | Ageing::Memoryless);
    match variant {
        Variant::KBatchAsync => UpdateTime::exactly(renewal),
        // An infinite renewal is as good as exact: it is a lower bound.
        Variant::KAsync if k == 1 || renewal.is_infinite() => UpdateTime::exactly(renewal),
        Variant::KSync => UpdateTime::exactly(order(k)),
        Variant::KAsync if k == p || ageing == Ageing::Memoryless => UpdateTime::exactly(order(k)),
        Variant::KAsync => UpdateTime {
            lower: Some(if shorter { order(k).max(renewal) } else { renewal }),
            upper: longer.then(|| order(k)),
            ..UpdateTime::default()
        },
        Variant::KBatchSync => match *distribution {
            Distribution::Constant(seconds) => UpdateTime::exactly(k.div_ceil(p) as f64 * seconds),
            // A lone learner has nobody whose push would cancel its work.
            _ if p == 1 || ageing == Ageing::Memoryless => UpdateTime::exactly(renewal),
            _ if k == 1 => UpdateTime::exactly(order(1)),
            _ => {
                let numeric = renewals::time_of(distribution, &[(1.0, p)], k);
                let lower = [longer.then_some(renewal), numeric.map(|numeric| numeric.lower)];
                let lower = lower.into_iter().flatten().reduce(f64::max);
                let renewals = match ageing {
                    Ageing::NewLonger => Some((k + p - 1) as f64 * distribution.mean() / p as f64),
                    Ageing::NewShorter => Some(renewal),
                    _ => None,
                };
                let waiting = (k <= p).then(|| order(k));
                let upper = [waiting, renewals, numeric.map(|numeric| numeric.upper)];
                let upper = upper.into_iter().flatten().reduce(f64::min);
                match numeric.zip(lower.zip(upper)) {
                    Some((numeric, (lower, upper))) => {
                        UpdateTime::numerically(&numeric, lower, upper)
                    }
                    None => UpdateTime { lower, upper, ..UpdateTime::default() },
                }
            }
        },
    }
}

/// Whether the mean time per update is finite at all: for a Pareto distribution, whether enough
/// learners are drawn from at each update. Where nothing is known of the rules, it may be.
pub fn has_mean(
    rules: impl Into<Rules>,
    preempts: bool,
    distribution: &Distribution,
    p: usize,
    k: usize,
) -> bool {
    let power = distribution.tail_power();
    let Some(variant) = Variant::of(rules.into()) else { return true };
    let fresh = match variant {
        Variant::KSync if preempts => p - k + 1,
        Variant::KBatchSync if preempts => p,
        _ => 1,
    };
    fresh as f64 * power > 1.0
}

/// [`update_time`] of learners as they are configured. Where some are slower than others, K-async has a
/// bound only; where cancelled work runs to its end, something is known for exponential delays only, and
/// nothing where both is so. Of async with a bound on the staleness (Ringmaster) it is known where times are
/// exponential and what is too stale stops at once: all that arrives counts then, and whoever starts again
/// is as far from its end as before, so that an update takes E\[X\] / P. Where nobody may be far ahead of
/// the slowest (stale synchronous parallel) and times are exponential, it takes E\[X\] over the mean number
/// of learners that are [at work](lead::at_work).
///
/// With times on the way that vary, or with slow learners and any times on the way, only async and
/// K-batch-async are known, in which nobody waits: an update takes K pushes.
pub fn update_time_of(rules: impl Into<Rules>, learners: &Learners, k: usize) -> UpdateTime {
    let rules = rules.into();
    let variant = Variant::of(rules).filter(|_| !learners.replay());
    let Some(learners) = learners.without_link() else {
        let never_waits =
            variant == Some(Variant::KBatchAsync) || variant == Some(Variant::KAsync) && k == 1;
        return match never_waits {
            true => UpdateTime::exactly(k as f64 / learners.pushes_a_second()),
            false => UpdateTime::default(),
        };
    };
    let Learners { count: p, ref distribution, ref slow, cancellation, .. } = learners;
    // Sync leaves nothing unfinished.
    let leaves_none = rules.waits && k >= p;
    let lazy = cancellation == Cancellation::OnArrival && rules.cancels() && !leaves_none;
    let Some(variant) = variant else {
        let capped = capped::shares(rules, &learners, k).map(|_| p as f64);
        let at_work =
            capped.or_else(|| lead::at_work(rules, &learners, k).map(|at_work| at_work.mean));
        return at_work.map_or(UpdateTime::default(), |at_work| {
            UpdateTime::exactly(distribution.mean() / at_work)
        });
    };
    match (slow.is_none(), lazy) {
        (true, false) => update_time(variant, distribution, p, k),
        (false, false) => unequal::update_time(variant, distribution, &unequal::groups(slow, p), k),
        (true, true) if distribution.is_memoryless() => {
            let value = arrival::update_time(variant, distribution.mean(), p, k);
            value.map_or(UpdateTime::default(), UpdateTime::exactly)
        }
        (_, true) => UpdateTime::default(),
    }
}
