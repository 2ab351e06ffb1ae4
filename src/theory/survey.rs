//! All variants side by side under one distribution: update times by K and by P, and how error falls
//! with time.

use serde::Serialize;

use super::{
    error::{Bound, Constants, GammaPrime, NoBound, Step},
    learners::Learners,
    runtime::{self, Ageing, UpdateTime, ageing},
    speed_up, staleness,
};
use crate::{
    cluster::delay::{Distribution, Slow},
    sgd::{
        Entrant,
        scheduler::{Rules, Variant},
    },
};

/// What theory says of every variant under a distribution.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Survey {
    /// The distribution of the time a minibatch takes.
    pub delay: Distribution,
    /// How a fresh minibatch compares with what is left of another.
    pub class: Ageing,
    /// E\[X\] in seconds; none where it is infinite.
    pub mean: Option<f64>,
    /// P, the number of learners.
    pub learners: usize,
    /// Updates of async in the time of one of sync (Dutta et al. 2018, theorem 1).
    pub speed_up: Option<f64>,
    /// One a K.
    pub rows: Vec<Row>,
    /// Entrants with a bound on the staleness or the lead, those of which something is known.
    pub bounded: Vec<Bounded>,
}

/// An entrant with a bound on the staleness or the lead.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bounded {
    /// Who is meant.
    pub entrant: Entrant,
    /// Its update time.
    #[serde(flatten)]
    pub time: UpdateTime,
    /// Its mean staleness, in updates.
    pub mean_staleness: Option<f64>,
}

/// Entrants with a bound, worth looking at among P = `learners`: Ringmaster with R = 2, P/2 and P, and stale
/// synchronous parallel with S = 1 and 4. None for a lone learner.
pub fn bounded(learners: usize) -> Vec<Entrant> {
    let mut bounds = vec![2, learners / 2, learners];
    bounds.retain(|bound| *bound > 1);
    bounds.sort_unstable();
    bounds.dedup();
    let ringmaster = bounds.into_iter().map(Entrant::ringmaster);
    let all = ringmaster.chain([1, 4].map(Entrant::stale_synchronous));
    if learners > 1 { all.collect() } else { Vec::new() }
}

/// Update times with one K.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// K, the gradients an update.
    pub k: usize,
    /// By [`Variant::ALL`]; nothing where the time has no mean.
    pub times: [UpdateTime; 4],
}

/// The values of K that a table of P = `learners` has: all up to 16, and from there on 1, 2, 3, 4,
/// 6, 8, 12, ... and P.
pub fn ks(learners: usize) -> impl Iterator<Item = usize> {
    let shown = move |k: &usize| {
        let odd = k >> k.trailing_zeros();
        learners <= 16 || *k == learners || odd == 1 || odd == 3
    };
    (1..=learners).filter(shown)
}

impl Survey {
    /// Of P = `learners`.
    ///
    /// # Panics
    /// If there is no learner, or for a trace that is replayed.
    pub fn new(distribution: &Distribution, learners: usize) -> Self {
        let mean = distribution.mean();
        Self {
            delay: distribution.clone(),
            class: ageing(distribution),
            mean: mean.is_finite().then_some(mean),
            learners,
            speed_up: speed_up::sync_over_async(distribution, learners)
                .filter(|ratio| ratio.is_finite()),
            rows: ks(learners)
                .map(|k| Row { k, times: times(distribution, learners, k) })
                .collect(),
            bounded: bounded(learners)
                .into_iter()
                .filter_map(|entrant| Bounded::of(entrant, distribution, learners))
                .collect(),
        }
    }
}

impl Bounded {
    /// What is known of it; none if nothing is.
    fn of(entrant: Entrant, distribution: &Distribution, p: usize) -> Option<Self> {
        let (rules, learners) = (entrant.rules(), Learners::alike(p, distribution.clone()));
        let time = runtime::update_time_of(rules, &learners, 1);
        let expected = staleness::expected_of(rules, &learners, 1)?;
        time.mean_update_time?;
        Some(Self { entrant, time, mean_staleness: expected.mean })
    }
}

/// The update times of the four base variants.
///
/// # Panics
/// As [`runtime::update_time`] has it.
pub fn times(distribution: &Distribution, p: usize, k: usize) -> [UpdateTime; 4] {
    Variant::ALL.map(|variant| time(variant.into(), distribution, p, k))
}

/// The update time, where it has a mean.
fn time(rules: Rules, distribution: &Distribution, p: usize, k: usize) -> UpdateTime {
    match runtime::has_mean(rules, true, distribution, p, k) {
        true => runtime::update_time(rules, distribution, p, k),
        false => UpdateTime::default(),
    }
}

/// The bound on the error of an entrant, per update and per second.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ErrorRuntime {
    /// Who is meant.
    pub entrant: Entrant,
    /// gamma' = 1 - gamma + p0/2.
    pub gamma_prime: Option<f64>,
    /// The bound; none where there is none.
    pub bound: Option<Bound>,
    /// Why there is none.
    pub reason: Option<String>,
    /// Seconds per update that it is drawn with: where theory has bounds alone, the upper one, or
    /// else the lower one.
    pub mean_update_time: Option<f64>,
}

impl ErrorRuntime {
    /// Of `entrant` among P = `p` learners with updates as `rate` and `minibatch` make them, if its
    /// stale gradients are as far off as `gamma` says (Dutta et al. 2018, theorem 3); where there are
    /// some and it says nothing, there is no bound.
    ///
    /// # Errors
    /// [`crate::Error::Config`] where the entrant does not fit the learners.
    ///
    /// # Panics
    /// If the constants do not pass [`Constants::check`], or gamma is negative.
    pub fn new(
        entrant: Entrant,
        distribution: &Distribution,
        p: usize,
        constants: &Constants,
        (rate, minibatch): (f64, usize),
        gamma: Option<f64>,
    ) -> crate::Result<Self> {
        let (rules, k) = (entrant.rules(), entrant.fixed_k(p)?);
        let gamma_prime = staleness::expected(rules, distribution, &Slow::default(), p, k)
            .ok_or(NoBound::Unknown)
            .and_then(|staleness| GammaPrime::of(&staleness, gamma));
        let step = Step { rate, k, minibatch };
        let bound = gamma_prime.and_then(|gamma| Bound::strongly_convex(constants, step, gamma));
        let time = time(rules, distribution, p, k);
        Ok(Self {
            entrant,
            gamma_prime: gamma_prime.ok().map(GammaPrime::value),
            bound: bound.ok(),
            reason: bound.err().map(|reason| reason.to_string()),
            mean_update_time: time.mean_update_time.or(time.upper).or(time.lower),
        })
    }
}
