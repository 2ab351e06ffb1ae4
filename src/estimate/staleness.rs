//! gamma: how much gradients turn while they are on their way.

use serde::{Deserialize, Serialize};

use super::{Estimate, objective::Objective, watch::Moment};
use crate::{Result, ids::Version, statistics::ratio};

/// gamma over a part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// The first update that was looked at.
    pub from: Version,
    /// Its last update.
    pub to: Version,
    /// gamma over it.
    pub gamma: Estimate,
}

/// Parts of a run whose gamma is told apart.
const WINDOWS: usize = 4;
/// Updates in each part at least.
const LEAST: usize = 4;

/// gamma over the run and over each part of it: the sum of ||grad F(w_j) - grad F(w_tau)||^2 by the
/// sum of ||grad F(w_j)||^2 over `samples`.
pub(super) fn gamma(
    objective: &mut Objective<'_>,
    moments: &[Moment],
    samples: &[usize],
) -> Result<(Estimate, Vec<Window>)> {
    let mut pairs = Vec::with_capacity(moments.len());
    for Moment { params, read, .. } in moments {
        pairs.push(objective.drift(params, read, samples)?);
    }
    let gamma = |pairs: &[(f64, f64)]| {
        let (value, error) = ratio(pairs).unwrap_or((f64::NAN, f64::NAN));
        Estimate::with_error(value, error)
    };
    let length = moments.len().div_ceil(WINDOWS).max(LEAST);
    let windows = moments.chunks(length).zip(pairs.chunks(length));
    let windows = windows.map(|(moments, pairs)| Window {
        from: moments[0].version,
        to: moments[moments.len() - 1].version,
        gamma: gamma(pairs),
    });
    Ok((gamma(&pairs), windows.collect()))
}
