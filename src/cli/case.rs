//! A variant, its learners and their delays, of which `simulate` and `theory` tell update times.

use serde::Serialize;

use super::say;
use crate::{
    Error, Result,
    cluster::delay::{Delays, Distribution, Slow},
    numbers::Shown,
    race::config::check::NOTHING_CANCELLED,
    sgd::{Cancellation, Entrant},
    theory::{
        learners::Learners,
        runtime::{self, UpdateTime},
        staleness::{self, Expected},
    },
};

#[derive(Debug, Serialize)]
pub(super) struct Case {
    pub(super) entrant: Entrant,
    pub(super) learners: usize,
    pub(super) k: usize,
    pub(super) delay: Distribution,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<Distribution>,
    #[serde(skip)]
    pub(super) slow: Slow,
    pub(super) cancel: Cancellation,
}

/// Why a minibatch is refused where nothing is trained.
pub(super) const MINIBATCH_ALONE: &str =
    "--minibatch (m) says how long a minibatch takes, which it does with --per-sample only";

/// The time of a minibatch of so many samples, each of which adds `per_sample` seconds to `delay`.
pub(super) fn with_samples(
    delay: Distribution,
    per_sample: f64,
    minibatch: usize,
) -> Result<Distribution> {
    if !(0.0..=1e9).contains(&per_sample) {
        return Err(Error::config("--per-sample must be from 0 to 1e9 seconds"));
    }
    if minibatch == 0 {
        return Err(Error::config("--minibatch (m) must be at least 1"));
    }
    Ok(delay.later(per_sample * minibatch as f64))
}

impl Case {
    /// With a K that is a number, where the learners fit the variant and its update time has a mean.
    pub(super) fn new(
        entrant: Entrant,
        learners: usize,
        delay: Distribution,
        link: Option<Distribution>,
        slow: Slow,
        cancel: Cancellation,
    ) -> Result<Self> {
        let entrant = entrant.among(learners);
        if !(1..=1 << 20).contains(&learners) {
            return Err(Error::config("--learners (P) must be from 1 to 1048576"));
        }
        let k = entrant.fixed_k(learners)?;
        let cancel = entrant.cancellation(cancel);
        let preempts = cancel == Cancellation::Preempt;
        if !runtime::has_mean(entrant.rules(), preempts, &delay, learners, k) {
            return Err(Error::config(format!(
                "under {delay} the update time of {entrant} has no finite mean; choose a larger \
                 shape"
            )));
        }
        let case = Self { entrant, learners, k, delay, link, slow, cancel };
        case.delays(0)?;
        Ok(case)
    }

    /// The entrant, its learners and their times.
    pub(super) fn in_words(&self) -> String {
        let Self { entrant, learners, k, delay, link, .. } = self;
        let link = link.as_ref().map_or(String::new(), |link| format!(", link {link}"));
        format!("{entrant}, P={learners}, K={k}, {delay}{link}")
    }

    /// The time of every minibatch.
    pub(super) fn delays(&self, seed: u64) -> Result<Delays> {
        Delays::new(self.delay.clone(), &self.slow, self.learners, seed)?
            .with_link(self.link.as_ref(), seed)
    }

    /// Says it where --cancel was `given` and makes no difference.
    pub(super) fn note_idle(&self, given: Option<Cancellation>) {
        if given.is_some() && !self.entrant.cancels(self.learners) {
            say(NOTHING_CANCELLED);
        }
    }

    /// What theory says of its update time.
    pub(super) fn update_time(&self) -> UpdateTime {
        runtime::update_time_of(self.entrant.rules(), &self.as_learners(), self.k)
    }

    /// What theory says of the staleness of its gradients.
    pub(super) fn staleness(&self) -> Option<Expected> {
        staleness::expected_of(self.entrant.rules(), &self.as_learners(), self.k)
    }

    fn as_learners(&self) -> Learners {
        Learners {
            count: self.learners,
            distribution: self.delay.clone(),
            link: self.link.clone(),
            slow: self.slow.clone(),
            cancellation: self.cancel,
        }
    }
}

/// What theory says of an update time: a value, bounds, or that there is nothing.
pub(super) fn in_words(theory: &UpdateTime) -> String {
    let UpdateTime { mean_update_time, exact, error, lower, upper } = theory;
    let seconds = |value: f64| format!("{:.6} s", Shown(value));
    let bound =
        |name: &str, value: &Option<f64>| value.map(|value| format!("{name} {}", seconds(value)));
    let value = mean_update_time.map(seconds);
    if *exact && let Some(value) = value {
        return value;
    }
    let error = error.map_or(String::new(), |error| format!(" ± {error:.0e}"));
    let value = value.map(|value| format!("about {value}{error}"));
    let parts = [value, bound("at least", lower), bound("at most", upper)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "nothing known".to_owned() } else { parts.join(", ") }
}
