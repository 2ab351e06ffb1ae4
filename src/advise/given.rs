//! Advice from constants that are given, without a run: by the bounds on the error.

use std::str::FromStr;

use super::{Advice, Forecast, Goal, check, sort, times::UpdateTimes};
use crate::{
    Error, Result,
    numbers::Shown,
    sgd::{Entrant, Terms, learning_rate::RateRule},
    theory::{
        error::{Bound, Constants, GammaPrime, Step},
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
        let names = ["L", "c", "sigma2", "mg", "gap", "gamma"];
        let mut values = [f64::NAN, f64::NAN, f64::NAN, 0.0, f64::NAN, 0.0];
        for part in text.split(',') {
            let wrong = || {
                Error::config(format!(
                    "\"{part}\" is not one of {} with a number",
                    names.join("=, ")
                ))
            };
            let (name, value) = part.split_once('=').ok_or_else(wrong)?;
            let at = names.iter().position(|known| *known == name.trim()).ok_or_else(wrong)?;
            values[at] = value.trim().parse().map_err(|_| wrong())?;
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
    terms: &Terms,
    entrants: &[Entrant],
    goal: Goal,
) -> Result<Advice> {
    check(goal)?;
    if terms.rate_rule != RateRule::Constant {
        return Err(Error::config("the bounds are of a constant rate, without a --rate-rule"));
    }
    let Terms { learners: p, learning_rate: rate, minibatch, ref slow, .. } = *terms;
    let (Given { constants, gamma }, delay) = (given, terms.law()?);
    let mut forecasts = Vec::new();
    for entrant in entrants {
        let (variant, k) = (entrant.variant(), entrant.fixed_k(p)?);
        let times = UpdateTimes::of(entrant, terms)?;
        let step = Step { rate, k, minibatch };
        let bound = GammaPrime::of(&staleness::expected(variant, delay, slow, p, k), *gamma)
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
            entrant: *entrant,
            mean_staleness: staleness::mean(variant, p, k),
            mean_update_time: times.mean_update_time(),
            updates,
            time,
            time_deviation: time.map(|time| times.deviation_of(time)),
            loss: bound.zip(updates).map(|(bound, updates)| bound.after(updates)),
            loss_deviation: None,
            within_pilots: true,
        });
    }
    sort(&mut forecasts, goal);
    Ok(Advice { goal, forecasts, pilots: Vec::new(), models: Vec::new(), times: Vec::new() })
}
