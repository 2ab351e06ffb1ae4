//! A variant, its learners and their delays, as `simulate` and `theory` take them.

use clap::Args;

use crate::{
    Error, Result,
    cluster::delay::{Delays, Distribution, Slow},
    sgd::{Cancellation, Entrant},
    theory::runtime::{self, UpdateTime},
};

#[derive(Debug, Args)]
pub(super) struct CaseArgs {
    /// sync, async, k-sync:K, k-batch-sync:K, k-async:K or k-batch-async:K
    pub(super) entrant: Entrant,
    /// P, the number of learners
    #[arg(long, short = 'p', default_value_t = 8)]
    pub(super) learners: usize,
    /// Law of the time a minibatch takes, in seconds; `tortoise race --help` lists them
    #[arg(long, default_value = "exponential:mean=1")]
    pub(super) delay: Distribution,
    /// LEARNER=FACTOR[,...]: learners that are slower than the law says
    #[arg(long, default_value = "", hide_default_value = true)]
    pub(super) slow: Slow,
    /// Whether cancelled work stops at once or is dropped when it arrives
    #[arg(long, default_value = "preempt")]
    pub(super) cancel: Cancellation,
}

impl CaseArgs {
    /// K, where the learners fit the variant and its update time has a mean.
    pub(super) fn k(&self) -> Result<usize> {
        let Self { entrant, learners, delay, slow, cancel } = self;
        if !(1..=1 << 20).contains(learners) {
            return Err(Error::config("--learners (P) must be from 1 to 1048576"));
        }
        let k = entrant.fixed_k(*learners)?;
        let preempts = *cancel == Cancellation::Preempt;
        if !runtime::has_mean(entrant.variant(), preempts, delay, *learners, k) {
            return Err(Error::config(format!(
                "under {delay} the update time of {entrant} has no finite mean; choose a larger \
                 shape"
            )));
        }
        Delays::new(delay.clone(), slow, *learners, 0)?;
        Ok(k)
    }
}

/// What theory says of an update time: a value, bounds, or that there is nothing.
pub(super) fn in_words(theory: &UpdateTime) -> String {
    let UpdateTime { mean_update_time, exact, error, lower, upper } = theory;
    let bound = |name: &str, value: &Option<f64>| value.map(|value| format!("{name} {value:.6} s"));
    let value = mean_update_time.map(|value| format!("{value:.6} s"));
    if *exact && let Some(value) = value {
        return value;
    }
    let error = error.map_or(String::new(), |error| format!(" ± {error:.0e}"));
    let value = value.map(|value| format!("about {value}{error}"));
    let parts = [value, bound("at least", lower), bound("at most", upper)];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    if parts.is_empty() { "nothing known".to_owned() } else { parts.join(", ") }
}
