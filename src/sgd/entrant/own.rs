//! What an entrant has of its own, where the others have what the race says: `rate=0.1`.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use crate::{Error, Result, numbers::Shown, suggest};

/// Settings of one entrant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Own {
    rate: Option<Rate>,
}

/// A learning rate, finite and above 0, so that it equals itself.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Rate(f64);

impl Eq for Rate {}

impl Hash for Rate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_bits().hash(state);
    }
}

/// The key of the learning rate.
const RATE: &str = "rate";

impl Own {
    pub(super) const NOTHING: Self = Self { rate: None };

    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::NOTHING
    }

    pub(super) fn rate(&self) -> Option<f64> {
        self.rate.map(|rate| rate.0)
    }

    pub(super) fn with_rate(self, rate: f64) -> Result<Self> {
        match rate.is_finite() && rate > 0.0 {
            true => Ok(Self { rate: Some(Rate(rate)) }),
            false => Err(Error::config(format!("{RATE}={rate}: must be a number above 0"))),
        }
    }

    /// What stands behind the `@` of the entrant `text`: settings, with a comma between.
    pub(super) fn read(text: &str, settings: &str) -> Result<Self> {
        let mut own = Self::NOTHING;
        for setting in settings.split(',') {
            let problem = |what: &str| Error::config(format!("{text}: {what}"));
            let Some((key, value)) = setting.split_once('=') else {
                return Err(problem(&format!("\"{setting}\" is not KEY=VALUE, as in @{RATE}=0.1")));
            };
            if key != RATE {
                let hint = suggest::nearest(key, [RATE]);
                return Err(problem(&format!("unknown setting \"{key}\"{hint}")));
            }
            if own.rate.is_some() {
                return Err(problem(&format!("{key} is set twice")));
            }
            let rate = value.parse().unwrap_or(f64::NAN);
            own = own
                .with_rate(rate)
                .map_err(|_| problem(&format!("{RATE}=\"{value}\" must be a number above 0")))?;
        }
        Ok(own)
    }
}

impl fmt::Display for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.rate {
            Some(Rate(rate)) => write!(f, "{RATE}={}", Shown(rate)),
            None => Ok(()),
        }
    }
}
