//! An expected time per update, and how well it is known.

use serde::{Deserialize, Serialize};

use super::renewals::Enclosed;

/// What theory says of the long-run mean time per update, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct UpdateTime {
    /// The value itself, where it is known.
    pub mean_update_time: Option<f64>,
    /// Whether that value is exact but for rounding. Else it is numeric, and the bounds enclose it.
    pub exact: bool,
    /// Of a numeric value, how far it may be off: what halving the step of its lattice changed.
    pub error: Option<f64>,
    /// It is not below this, in seconds.
    pub lower: Option<f64>,
    /// It is not above this, in seconds.
    pub upper: Option<f64>,
}

/// [`UpdateTime`] in JSON, which has null for a value that is infinite.
#[derive(Deserialize)]
struct Written {
    mean_update_time: Option<f64>,
    exact: bool,
    error: Option<f64>,
    lower: Option<f64>,
    upper: Option<f64>,
}

impl From<Written> for UpdateTime {
    fn from(written: Written) -> Self {
        let Written { mean_update_time, exact, error, lower, upper } = written;
        match mean_update_time {
            None if exact => Self::exactly(f64::INFINITY),
            _ => Self { mean_update_time, exact, error, lower, upper },
        }
    }
}

impl UpdateTime {
    pub(super) fn exactly(value: f64) -> Self {
        let value = Some(value);
        Self { mean_update_time: value, exact: true, error: None, lower: value, upper: value }
    }

    /// A value by a lattice, within bounds. Where the tail is so long that the lattice is coarse, bounds
    /// are all there is.
    pub(super) fn numerically(numeric: &Enclosed, lower: f64, upper: f64) -> Self {
        let fine = numeric.error < 0.01 * numeric.value;
        Self {
            mean_update_time: fine.then(|| numeric.value.max(lower).min(upper)),
            exact: false,
            error: fine.then_some(numeric.error),
            lower: Some(lower),
            upper: Some(upper),
        }
    }
}
