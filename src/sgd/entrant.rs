//! A variant with its K, as one names it: `sync`, `async`, `k-sync:4`, `k-batch-async:adasync(2)`; `k-sync`
//! alone has half of the learners for its K.

use std::{fmt, str::FromStr, time::Duration};

use serde_with::{DeserializeFromStr, SerializeDisplay};

use super::{
    k_schedule::{AdaSync, FixedK, KSchedule, Rule},
    scheduler::Variant,
};
use crate::{Error, Result, suggest};

/// Who takes part in a race: a variant and its K.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, SerializeDisplay, DeserializeFromStr)]
pub enum Entrant {
    /// K-sync with K = P.
    Sync,
    /// K-async with K = 1.
    Async,
    /// A base variant with K = P/2, rounded up.
    Half(Variant),
    /// A base variant with a K of its own.
    Fixed(Variant, usize),
    /// A base variant whose K follows the training loss, from this K_0 on.
    AdaSync(Variant, usize),
}

/// The base variants by name.
const VARIANTS: [(&str, Variant); 4] = [
    ("k-sync", Variant::KSync),
    ("k-batch-sync", Variant::KBatchSync),
    ("k-async", Variant::KAsync),
    ("k-batch-async", Variant::KBatchAsync),
];

/// What stands in place of K where it follows the loss.
const ADASYNC: &str = "adasync";

impl Entrant {
    /// The six variants, with K = P/2 rounded up where there is a choice.
    pub fn six(learners: usize) -> Vec<Self> {
        let six = [
            Self::Sync,
            Self::Half(Variant::KSync),
            Self::Half(Variant::KBatchSync),
            Self::Async,
            Self::Half(Variant::KAsync),
            Self::Half(Variant::KBatchAsync),
        ];
        six.map(|entrant| entrant.among(learners)).to_vec()
    }

    /// The same among P = `learners`, with a K that is a number where it was P/2.
    #[must_use]
    pub fn among(self, learners: usize) -> Self {
        match self {
            Self::Half(variant) => Self::Fixed(variant, half(learners)),
            _ => self,
        }
    }

    /// The base variant it is.
    pub fn variant(&self) -> Variant {
        match *self {
            Self::Sync => Variant::KSync,
            Self::Async => Variant::KAsync,
            Self::Half(variant) | Self::Fixed(variant, _) | Self::AdaSync(variant, _) => variant,
        }
    }

    /// K among P = `learners`, at the start if it grows.
    ///
    /// # Errors
    /// [`Error::Config`] if K counts learners and there are fewer, or if it may not grow beyond P and
    /// is more.
    pub fn k(&self, learners: usize) -> Result<usize> {
        match *self {
            Self::Sync => Ok(learners),
            Self::Async => Ok(1),
            Self::Half(_) => Ok(half(learners)),
            Self::Fixed(variant, k) if variant.waits() && k > learners => {
                Err(Error::config(format!(
                    "{self} waits for {k} of {learners} learners: K must be at most P = {learners}"
                )))
            }
            Self::AdaSync(_, k) if k > learners => Err(Error::config(format!(
                "{self} starts at K = {k} and grows to P = {learners}: K must be at most P"
            ))),
            Self::Fixed(_, k) | Self::AdaSync(_, k) => Ok(k),
        }
    }

    /// K among P = `learners`, the same throughout.
    ///
    /// # Errors
    /// As [`k`](Self::k) has them, and [`Error::Config`] if K follows the loss.
    pub fn fixed_k(&self, learners: usize) -> Result<usize> {
        match *self {
            Self::AdaSync(variant, k) => Err(Error::config(format!(
                "{self} follows the training loss, and there is none without gradients; name a K, \
                 as in {}",
                Self::Fixed(variant, k)
            ))),
            _ => self.k(learners),
        }
    }

    /// K over time; where it follows the loss, with a `window` of run time between two looks.
    ///
    /// Where K counts learners it follows the [quadratic](Rule::Quadratic) rule, where it counts
    /// minibatches the [square root](Rule::SquareRoot). K-async has no closed update time of its own;
    /// with exponential times it is that of K-sync.
    ///
    /// # Errors
    /// As [`k`](Self::k) has them.
    ///
    /// # Panics
    /// If K follows the loss and the window is no time at all.
    pub fn k_schedule(&self, learners: usize, window: Duration) -> Result<Box<dyn KSchedule>> {
        let k = self.k(learners)?;
        Ok(match *self {
            Self::AdaSync(variant, _) => {
                let rule = if variant.waits() { Rule::Quadratic } else { Rule::SquareRoot };
                Box::new(AdaSync::new(rule, k, learners, window))
            }
            _ => Box::new(FixedK(k)),
        })
    }

    /// Whether work of P = `learners` may be cancelled: an update finds some unfinished, and does not
    /// let it go on.
    pub fn cancels(&self, learners: usize) -> bool {
        let all = self.variant().waits() && self.k(learners).is_ok_and(|k| k == learners);
        self.variant().cancels() && learners > 1 && !all
    }

    /// Whether K follows the training loss.
    pub fn adapts(&self) -> bool {
        matches!(self, Self::AdaSync(..))
    }
}

impl fmt::Display for Entrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Sync => f.write_str("sync"),
            Self::Async => f.write_str("async"),
            Self::Half(variant) => f.write_str(name(variant)),
            Self::Fixed(variant, k) => write!(f, "{}:{k}", name(variant)),
            Self::AdaSync(variant, 1) => write!(f, "{}:{ADASYNC}", name(variant)),
            Self::AdaSync(variant, k) => write!(f, "{}:{ADASYNC}({k})", name(variant)),
        }
    }
}

/// P/2 rounded up, and at least 1.
fn half(learners: usize) -> usize {
    learners.div_ceil(2).max(1)
}

/// The name of a base variant, as entrants have it.
pub fn name(variant: Variant) -> &'static str {
    let named = VARIANTS.iter().find(|(_, known)| *known == variant);
    named.expect("every base variant has a name").0
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
        let Some(k) = k else { return Ok(Self::Half(variant)) };
        if k.starts_with(|first: char| first.is_alphabetic()) {
            let (policy, initial) = match k.strip_suffix(')').and_then(|k| k.split_once('(')) {
                Some((policy, initial)) => (policy, count(text, "K_0", initial)?),
                None => (k, 1),
            };
            if policy == ADASYNC {
                return Ok(Self::AdaSync(variant, initial));
            }
            let known = [ADASYNC, "adasync(K0)"];
            let hint = suggest::nearest(policy, known);
            return Err(Error::config(format!("{text}: K=\"{k}\" is not a whole number{hint}")));
        }
        Ok(Self::Fixed(variant, count(text, "K", k)?))
    }
}

/// K or K_0 as it is written in `text`.
fn count(text: &str, what: &str, number: &str) -> Result<usize> {
    match number.parse() {
        Ok(0) => Err(Error::config(format!("{text}: {what} must be at least 1"))),
        Ok(k) => Ok(k),
        Err(_) => Err(Error::config(format!("{text}: {what}=\"{number}\" is not a whole number"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entrant_is_written_as_it_is_read() {
        for text in
            ["sync", "async", "k-sync", "k-sync:4", "k-async:adasync", "k-batch-sync:adasync(2)"]
        {
            let entrant: Entrant = text.parse().unwrap();
            assert_eq!(entrant.to_string(), text);
        }
        let plain: Entrant = "k-sync:adasync".parse().unwrap();
        assert_eq!(plain, "k-sync:adasync(1)".parse().unwrap());
        assert_eq!(plain, Entrant::AdaSync(Variant::KSync, 1));
    }

    #[test]
    fn without_a_number_k_is_half_of_the_learners() {
        for (learners, k) in [(1, 1), (2, 1), (3, 2), (8, 4)] {
            for variant in Variant::ALL {
                let named: Entrant = name(variant).parse().unwrap();
                assert_eq!(named.k(learners).unwrap(), k);
                assert_eq!(named.among(learners), Entrant::Fixed(variant, k));
                assert!(Entrant::six(learners).contains(&named.among(learners)));
            }
        }
    }
}
