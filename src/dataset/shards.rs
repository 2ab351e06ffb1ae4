//! Training sets in shards: each learner draws its minibatches from a part of its own, as where data stay
//! where they were gathered.
//!
//! A split is a function of the seed, so that all entrants of a race have the same.

use std::{fmt, str::FromStr, sync::Arc};

use rand::{Rng, RngExt, seq::SliceRandom};
use serde_with::{DeserializeFromStr, SerializeDisplay};

use crate::{
    Error, Result,
    numbers::Shown,
    rng::{self, Purpose},
    spec,
};

/// How the training set is split among the learners. Written `iid`, `dirichlet:alpha=0.1`.
#[derive(Debug, Clone, Copy, PartialEq, SerializeDisplay, DeserializeFromStr)]
pub enum Sharding {
    /// At random: parts of the same size, as alike as chance has it.
    Iid,
    /// By label: of each class, the shares of the learners are drawn from a Dirichlet distribution with all
    /// parameters `alpha` (Hsu, Qi and Brown 2019). The smaller it is, the fewer classes a learner has.
    Dirichlet {
        /// From 0.001 to 1e6.
        alpha: f64,
    },
}

/// What a split is made of, but for the learners and the seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Shards {
    sharding: Sharding,
    /// The class of each sample; empty where the sharding does not ask.
    labels: Arc<[u32]>,
    /// The fewest samples that a learner may have.
    fewest: usize,
}

/// The samples of each learner, in ascending order.
pub type Parts = Arc<[Vec<usize>]>;

/// Splits that are tried until each learner has enough samples.
const TRIES: u64 = 100;

impl Shards {
    /// Shards by `sharding` of samples with these `labels`, in which each learner has `fewest` samples at least: as
    /// many as a minibatch.
    ///
    /// # Errors
    /// [`Error::Config`] where the sharding goes by labels, and there are none.
    pub fn new(sharding: Sharding, labels: Option<&[u32]>, fewest: usize) -> Result<Self> {
        let labels = match (sharding, labels) {
            (Sharding::Iid, _) => [].into(),
            (Sharding::Dirichlet { .. }, Some(labels)) => labels.into(),
            (Sharding::Dirichlet { .. }, None) => {
                return Err(Error::config(format!(
                    "{sharding} splits by class, and these data have none: use iid"
                )));
            }
        };
        Ok(Self { sharding, labels, fewest })
    }

    /// The parts of P = `learners` out of `samples`.
    ///
    /// # Errors
    /// [`Error::Config`] where some learner has too few samples.
    ///
    /// # Panics
    /// If there are labels, and not as many as samples.
    pub fn split(&self, samples: usize, learners: usize, seed: u64) -> Result<Parts> {
        let few = |parts: &[Vec<usize>]| parts.iter().map(Vec::len).min();
        let enough = |parts: &Vec<Vec<usize>>| few(parts) >= Some(self.fewest);
        let split = |at: u64| {
            let mut rng = rng::stream(seed, Purpose::Shards, at, 0);
            let mut parts = match self.sharding {
                Sharding::Iid => deal(&mut rng, samples, learners),
                Sharding::Dirichlet { alpha } => self.by_class(&mut rng, samples, learners, alpha),
            };
            parts.iter_mut().for_each(|part| part.sort_unstable());
            parts
        };
        let tries = if samples / learners < self.fewest { 0 } else { TRIES };
        (0..tries).map(split).find(enough).map(Into::into).ok_or_else(|| {
            let remedy = match self.sharding {
                Sharding::Iid => "",
                Sharding::Dirichlet { .. } => ", or a larger alpha",
            };
            Error::config(format!(
                "--shards {} of {samples} samples leaves some of {learners} learners without the {} that a \
                 minibatch takes: use fewer learners, a smaller --minibatch{remedy}",
                self.sharding, self.fewest
            ))
        })
    }

    fn by_class(
        &self,
        rng: &mut impl Rng,
        samples: usize,
        learners: usize,
        alpha: f64,
    ) -> Vec<Vec<usize>> {
        assert_eq!(self.labels.len(), samples, "every sample has a label");
        let classes = self.labels.iter().max().map_or(0, |last| last + 1);
        let mut parts = vec![Vec::new(); learners];
        for class in 0..classes {
            let mut of_class: Vec<usize> =
                (0..samples).filter(|at| self.labels[*at] == class).collect();
            of_class.shuffle(rng);
            let shares = dirichlet(rng, learners, alpha);
            let (mut from, mut sum) = (0, 0.0);
            for (learner, (part, share)) in parts.iter_mut().zip(shares).enumerate() {
                sum += share;
                let to = match learner + 1 == learners {
                    true => of_class.len(),
                    false => ((sum * of_class.len() as f64).round() as usize).min(of_class.len()),
                };
                part.extend_from_slice(&of_class[from..to.max(from)]);
                from = to.max(from);
            }
        }
        parts
    }
}

/// All samples in random order, cut into parts whose sizes differ by one at most.
fn deal(rng: &mut impl Rng, samples: usize, learners: usize) -> Vec<Vec<usize>> {
    let mut all: Vec<usize> = (0..samples).collect();
    all.shuffle(rng);
    let cut = |learner: usize| learner * samples / learners;
    (0..learners).map(|learner| all[cut(learner)..cut(learner + 1)].to_vec()).collect()
}

/// Shares of `n` that add up to 1: gamma variates over their sum. They are kept as logarithms, since those
/// of a small alpha are often below all numbers.
fn dirichlet(rng: &mut impl Rng, n: usize, alpha: f64) -> Vec<f64> {
    let logs: Vec<f64> = (0..n).map(|_| ln_gamma_variate(rng, alpha)).collect();
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logs.iter().map(|log| (log - most).exp()).sum();
    logs.iter().map(|log| (log - most).exp() / sum).collect()
}

/// The logarithm of a gamma variate of this shape and scale 1 (Marsaglia and Tsang 2000); a crate for it
/// would bring a second one with it.
fn ln_gamma_variate(rng: &mut impl Rng, shape: f64) -> f64 {
    // One of shape + 1, times a uniform number to the power of 1 / shape.
    let open = |rng: &mut _| 1.0 - RngExt::random::<f64>(rng);
    if shape < 1.0 {
        let larger = ln_gamma_variate(rng, shape + 1.0);
        return larger + open(rng).ln() / shape;
    }
    let d = shape - 1.0 / 3.0;
    loop {
        // Normal, by Box and Muller.
        let x = (-2.0 * open(rng).ln()).sqrt() * (std::f64::consts::TAU * open(rng)).cos();
        let v = (1.0 + x / (9.0 * d).sqrt()).powi(3);
        if v > 0.0 && open(rng).ln() < 0.5 * x * x + d - d * v + d * v.ln() {
            return (d * v).ln();
        }
    }
}

const GRAMMAR: [(&str, &[&str]); 2] = [("iid", &[]), ("dirichlet", &["alpha"])];

impl FromStr for Sharding {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, keys, rest) = spec::name("split", text, &GRAMMAR)?;
        let values = spec::values(name, rest, keys)?;
        let Some(alpha) = values.first() else { return Ok(Self::Iid) };
        let alpha = alpha.and_then(|alpha| alpha.parse().ok());
        match alpha.filter(|alpha| (1e-3..=1e6).contains(alpha)) {
            Some(alpha) => Ok(Self::Dirichlet { alpha }),
            None => Err(Error::config(
                "dirichlet: alpha is a number from 0.001 to 1e6, as in dirichlet:alpha=0.1",
            )),
        }
    }
}

impl fmt::Display for Sharding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Iid => f.write_str("iid"),
            Self::Dirichlet { alpha } => write!(f, "dirichlet:alpha={}", Shown(*alpha)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLES: usize = 3000;

    /// Samples 0, 3, 6, ... are of class 0, and so on.
    fn parts(sharding: &str, learners: usize, fewest: usize, seed: u64) -> Result<Parts> {
        let labels: Vec<u32> = (0..SAMPLES as u32).map(|at| at % 3).collect();
        Shards::new(sharding.parse()?, Some(&labels), fewest)?.split(SAMPLES, learners, seed)
    }

    #[test]
    fn every_sample_has_one_learner() {
        for sharding in ["iid", "dirichlet:alpha=0.1", "dirichlet:alpha=100"] {
            for learners in [1, 2, 7] {
                let parts = parts(sharding, learners, 1, 3).unwrap();
                assert_eq!(parts.len(), learners);
                assert!(parts.iter().all(|part| part.is_sorted()));
                let mut all = parts.concat();
                all.sort_unstable();
                assert!(all.into_iter().eq(0..SAMPLES), "{sharding}");
            }
        }
    }

    #[test]
    fn a_split_is_a_function_of_the_seed() {
        for sharding in ["iid", "dirichlet:alpha=0.5"] {
            assert_eq!(parts(sharding, 4, 1, 1).unwrap(), parts(sharding, 4, 1, 1).unwrap());
            assert_ne!(parts(sharding, 4, 1, 1).unwrap(), parts(sharding, 4, 1, 2).unwrap());
        }
        let sizes = |parts: &Parts| parts.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(&parts("iid", 7, 1, 0).unwrap()), [428, 429, 428, 429, 428, 429, 429]);
    }

    /// Of a Dirichlet distribution with all parameters alpha, a share has the mean 1/P and the variance
    /// (P - 1) / (P^2 (P alpha + 1)).
    #[test]
    fn shares_have_the_mean_and_the_variance_of_their_distribution() {
        for alpha in [0.05, 0.1, 1.0, 10.0] {
            let (p, draws) = (5, 20_000);
            let mut rng = rng::stream(1, Purpose::Shards, 0, 0);
            let shares: Vec<_> = (0..draws).map(|_| dirichlet(&mut rng, p, alpha)).collect();
            assert!(shares.iter().all(|all| (all.iter().sum::<f64>() - 1.0).abs() < 1e-12));
            let (pf, n) = (p as f64, f64::from(draws));
            let variance = (pf - 1.0) / (pf * pf * (pf * alpha + 1.0));
            for learner in 0..p {
                let mean = shares.iter().map(|all| all[learner]).sum::<f64>() / n;
                assert!((mean - 1.0 / pf).abs() < 4.0 * (variance / n).sqrt(), "{alpha}: {mean}");
                let spread = shares.iter().map(|all| (all[learner] - 1.0 / pf).powi(2));
                let seen = spread.sum::<f64>() / n;
                assert!((seen / variance - 1.0).abs() < 0.08, "{alpha}: {seen} {variance}");
            }
        }
    }

    #[test]
    fn a_learner_has_enough_for_a_minibatch_or_it_is_said() {
        let parts_of = parts("dirichlet:alpha=0.2", 6, 100, 0).unwrap();
        assert!(parts_of.iter().all(|part| part.len() >= 100));
        for (sharding, why) in [
            ("iid", "leaves some of 6 learners without the 501"),
            ("dirichlet:alpha=1000", "or a larger alpha"),
        ] {
            let error = parts(sharding, 6, 501, 0).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        let flat = Shards::new("dirichlet:alpha=1".parse().unwrap(), None, 1).unwrap_err();
        assert!(flat.to_string().contains("these data have none"));
        assert!(Shards::new(Sharding::Iid, None, 1).unwrap().split(10, 3, 0).is_ok());
    }

    #[test]
    fn a_sharding_is_written_as_it_is_read() {
        for text in ["iid", "dirichlet:alpha=0.1"] {
            assert_eq!(text.parse::<Sharding>().unwrap().to_string(), text);
        }
        for (wrong, why) in [
            ("idd", "did you mean \"iid\""),
            ("dirichlet", "from 0.001 to 1e6"),
            ("dirichlet:alpha=0", "from 0.001 to 1e6"),
            ("dirichlet:a=1", "has no parameter \"a\""),
            ("iid:alpha=1", "iid has no parameter"),
        ] {
            let error = wrong.parse::<Sharding>().unwrap_err().to_string();
            assert!(error.contains(why), "{wrong}: {error}");
        }
    }
}
