//! Advice without a run: the constants of theory are given, and the bounds on the error are
//! compared.

use std::str::FromStr;

use super::{Advice, Forecast, Goal, check, sort, times::UpdateTimes};
use crate::{
    Error, Result,
    numbers::{Shown, listed},
    sgd::{Entrant, RunConfig, learning_rate::RateRule},
    spec,
    theory::{
        error::{Bound, Constants, GammaPrime, NoBound, Step},
        staleness,
    },
};

/// The constants of theory. Written `L=6,c=0.1,sigma2=25,mg=50,gap=1.9,gamma=0.1`; M_G and gamma
/// are 0 if they are not named.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Given {
    /// Those of the objective.
    pub constants: Constants,
    /// gamma, of all entrants whose gradients may be stale.
    pub gamma: f64,
}

impl FromStr for Given {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        const KEYS: [&str; 6] = ["L", "c", "sigma2", "mg", "gap", "gamma"];
        let mut values = [f64::NAN, f64::NAN, f64::NAN, 0.0, f64::NAN, 0.0];
        let given = spec::values("constants", text, &KEYS)?;
        for ((value, key), given) in values.iter_mut().zip(KEYS).zip(given) {
            if let Some(given) = given {
                *value = spec::number("constants", key, given)?;
            }
        }
        let missing: Vec<_> = KEYS
            .iter()
            .zip(values)
            .filter(|(_, value)| value.is_nan())
            .map(|(key, _)| key.to_string())
            .collect();
        if !missing.is_empty() {
            return Err(Error::config(format!(
                "constants: missing are {}; needed are L, c, sigma2 and gap, as in \
                 L=6,c=0.1,sigma2=25,gap=1.9",
                listed(&missing)
            )));
        }
        let [smoothness, convexity, variance, gradient_variance, initial_gap, gamma] = values;
        let constants =
            Constants { smoothness, convexity, variance, gradient_variance, initial_gap };
        constants.check()?;
        if !(gamma.is_finite() && gamma >= 0.0) {
            return Err(Error::config(format!(
                "gamma is {}, and must be 0 or above",
                Shown(gamma)
            )));
        }
        Ok(Self { constants, gamma })
    }
}

/// Advice by the bounds that these constants give (Dutta et al. 2018, theorem 3). The losses of the
/// goal and of the forecasts are F - F*. Bounds are loose, and looser the staler the gradients; what
/// has none is not expected to get anywhere.
///
/// # Errors
/// [`Error::Config`] where a goal is no number above 0, an entrant or the delays do not fit the
/// learners, or the learning rate changes.
pub fn advise_given(
    given: &Given,
    run_config: &RunConfig,
    entrants: &[Entrant],
    goal: Goal,
) -> Result<Advice> {
    check(goal)?;
    if run_config.rate_rule != RateRule::Constant {
        return Err(Error::config("the bounds are of a constant rate, without a --rate-rule"));
    }
    if run_config.momentum > 0.0 || run_config.clip.is_some() {
        return Err(Error::config("the bounds are of plain SGD, without --momentum and --clip"));
    }
    let RunConfig { learners: p, learning_rate: rate, minibatch, ref slow, .. } = *run_config;
    let (Given { constants, gamma }, delay) = (given, run_config.distribution()?);
    let mut forecasts = Vec::new();
    for entrant in entrants {
        let times = UpdateTimes::of(entrant, run_config)?;
        let step = Step { rate, k: times.k, minibatch };
        let bound = staleness::expected(entrant.rules(), &delay, slow, p, times.k)
            .ok_or(NoBound::Unknown)
            .and_then(|staleness| GammaPrime::of(&staleness, Some(*gamma)))
            .and_then(|gamma_prime| Bound::strongly_convex(constants, step, gamma_prime))
            .ok();
        let updates = match goal {
            Goal::Target(gap) => bound.and_then(|bound| bound.updates_to(gap)),
            Goal::Budget(time) => bound.map(|_| times.updates_within(time)),
        };
        let time = updates.map(|updates| match goal {
            Goal::Target(_) => times.of_update(updates),
            Goal::Budget(time) => time,
        });
        forecasts.push(Forecast {
            updates,
            time,
            time_deviation: time.map(|time| times.deviation_of(time)),
            loss: bound.zip(updates).map(|(bound, updates)| bound.after(updates)),
            ..Forecast::unknown(entrant, run_config, &times)
        });
    }
    sort(&mut forecasts, goal);
    let (pilots, left_out, weighed) = (Vec::new(), Vec::new(), Vec::new());
    Ok(Advice { goal, forecasts, pilots, left_out, weighed })
}
