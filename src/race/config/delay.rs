//! Clock that measures run time, and how long minibatches take.

use std::{fmt, path::PathBuf, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_with::{DeserializeFromStr, SerializeDisplay};

use crate::{Error, Result, cluster::delay::Distribution};

/// Which clock a run has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// Delays are drawn from a distribution and added up; nobody waits for them.
    Virtual,
    /// The wall clock: each learner has a thread, a device and a queue of its own.
    Real,
}

/// How long minibatches take. Written `measured` or as the distribution is.
#[derive(Debug, Clone, PartialEq, SerializeDisplay, DeserializeFromStr)]
pub enum Delay {
    /// As long as it takes.
    Measured,
    /// What is drawn from a distribution.
    Distribution(Distribution),
    /// What this file says, which has not been read.
    Trace(PathBuf),
}

impl fmt::Display for Delay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Measured => f.write_str("measured"),
            Self::Distribution(distribution) => distribution.fmt(f),
            Self::Trace(path) => write!(f, "trace:{}", path.display()),
        }
    }
}

impl FromStr for Delay {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        // A record is read without what is outside of it: a file only where delays are drawn.
        match text.strip_prefix("trace:").filter(|path| !path.is_empty()) {
            Some(path) => Ok(Self::Trace(path.into())),
            None if text == "measured" => Ok(Self::Measured),
            None => text.parse().map(Self::Distribution),
        }
    }
}
