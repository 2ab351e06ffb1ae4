//! A variant with its K, as one names it: `sync`, `async`, `k-sync:4`, `k-batch-async:4`.

use std::{fmt, str::FromStr};

use super::scheduler::Variant;
use crate::{Error, Result, suggest};

/// Who takes part in a race.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Entrant {
    /// K-sync with K = P.
    Sync,
    /// K-async with K = 1.
    Async,
    /// A base variant with a K of its own.
    Fixed(Variant, usize),
}

/// The base variants by name.
const VARIANTS: [(&str, Variant); 4] = [
    ("k-sync", Variant::KSync),
    ("k-batch-sync", Variant::KBatchSync),
    ("k-async", Variant::KAsync),
    ("k-batch-async", Variant::KBatchAsync),
];

impl Entrant {
    /// The six variants, with K = P/2 rounded up where there is a choice.
    pub fn six(learners: usize) -> Vec<Self> {
        let half = learners.div_ceil(2);
        vec![
            Self::Sync,
            Self::Fixed(Variant::KSync, half),
            Self::Fixed(Variant::KBatchSync, half),
            Self::Async,
            Self::Fixed(Variant::KAsync, half),
            Self::Fixed(Variant::KBatchAsync, half),
        ]
    }

    /// The base variant it is.
    pub fn variant(&self) -> Variant {
        match *self {
            Self::Sync => Variant::KSync,
            Self::Async => Variant::KAsync,
            Self::Fixed(variant, _) => variant,
        }
    }

    /// K among P = `learners`.
    ///
    /// # Errors
    /// [`Error::Config`] if K counts learners and there are fewer.
    pub fn k(&self, learners: usize) -> Result<usize> {
        match *self {
            Self::Sync => Ok(learners),
            Self::Async => Ok(1),
            Self::Fixed(variant, k) if variant.waits() && k > learners => {
                Err(Error::config(format!(
                    "{self} waits for {k} of {learners} learners: K must be at most P = {learners}"
                )))
            }
            Self::Fixed(_, k) => Ok(k),
        }
    }
}

impl fmt::Display for Entrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Sync => f.write_str("sync"),
            Self::Async => f.write_str("async"),
            Self::Fixed(variant, k) => {
                let named = VARIANTS.iter().find(|(_, known)| *known == variant);
                let (name, _) = named.expect("every base variant has a name");
                write!(f, "{name}:{k}")
            }
        }
    }
}

impl FromStr for Entrant {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, k) = match text.split_once(':') {
            Some((name, k)) => (name, Some(k)),
            None => (text, None),
        };
        let plain = match name {
            "sync" => Some(Self::Sync),
            "async" => Some(Self::Async),
            _ => None,
        };
        if let Some(entrant) = plain {
            return match k {
                None => Ok(entrant),
                Some(k) => {
                    Err(Error::config(format!("{name} has no K; did you mean \"k-{name}:{k}\"?")))
                }
            };
        }
        let Some(&(_, variant)) = VARIANTS.iter().find(|(known, _)| *known == name) else {
            let names = ["sync", "async"].into_iter().chain(VARIANTS.iter().map(|(name, _)| *name));
            let hint = suggest::nearest(name, names);
            return Err(Error::config(format!("unknown variant \"{name}\"{hint}")));
        };
        let k = k.ok_or_else(|| Error::config(format!("{name} needs its K, as in {name}:4")))?;
        match k.parse() {
            Ok(0) => Err(Error::config(format!("{text}: K must be at least 1"))),
            Ok(k) => Ok(Self::Fixed(variant, k)),
            Err(_) => Err(Error::config(format!("{text}: K=\"{k}\" is not a whole number"))),
        }
    }
}
