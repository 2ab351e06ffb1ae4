//! How stale gradients are in the long run: s = j - tau, the updates made since the parameters were
//! read.
//!
//! The mean follows from counting alone, and is known for any distribution of the delays. The whole
//! distribution of the staleness is known where delays are exponential, and where every gradient is
//! fresh. Under other delays the staleness of the learners is not a Markov chain, since it also
//! matters how long each learner has been at work. There are bounds on the share of fresh gradients
//! then, and simulation gives the rest.

pub mod chain;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    capped, lead,
    learners::Learners,
    runtime::{Ageing, ageing},
};
use crate::{
    cluster::delay::{Distribution, Slow},
    sgd::scheduler::{Rules, Variant},
};

/// A distribution of s: fresh or not, and geometric from 1 on. All that come up are of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Staleness {
    /// Pr(s >= 1).
    stale: f64,
    /// Pr(s >= n + 1) / Pr(s >= n), for n from 1 on.
    ratio: f64,
}

impl Staleness {
    /// s = 0 always, as where unfinished work is cancelled.
    pub const FRESH: Self = Self { stale: 0.0, ratio: 0.0 };

    /// The distribution over all gradients among P = `p` learners with exponential times.
    ///
    /// K-async: Pr(s) = (K/P) (1 - K/P)^s, as any K learners are equally likely to be the next. With
    /// q = 1 - 1/P, K-batch-async: Pr(s >= n) = ((P - 1) / K) (1 - q^K) q^{(n-1) K} for n >= 1.
    /// Lemma 8 of Dutta et al. 2018 has 1/P fresh gradients, which is right for K = 1, and a lower
    /// bound beyond.
    ///
    /// # Panics
    /// If K or P is zero, or K above P where it counts learners.
    pub fn memoryless(variant: Variant, p: usize, k: usize) -> Self {
        check(variant, p, k);
        let (kf, pf) = (k as f64, p as f64);
        match variant {
            Variant::KSync | Variant::KBatchSync => Self::FRESH,
            Variant::KAsync => Self { stale: 1.0 - kf / pf, ratio: 1.0 - kf / pf },
            Variant::KBatchAsync => {
                let some_of_k = -(kf * (-1.0 / pf).ln_1p()).exp_m1();
                Self { stale: (pf - 1.0) / kf * some_of_k, ratio: 1.0 - some_of_k }
            }
        }
    }

    /// The distribution of the `l`-th gradient of an update, 1 <= l <= K, with exponential times.
    ///
    /// K-async: the same for each. K-batch-async: it is stale if its learner is neither the one that
    /// made the last update nor among the l - 1 before, Pr(s >= n) = q^{l + (n-1) K} for n >= 1.
    ///
    /// # Panics
    /// As [`memoryless`](Self::memoryless), or if l is out of range.
    pub fn memoryless_of(variant: Variant, p: usize, k: usize, l: usize) -> Self {
        assert!((1..=k).contains(&l), "gradients of an update are counted from 1 to K");
        let all = Self::memoryless(variant, p, k);
        match variant {
            Variant::KBatchAsync => {
                Self { stale: (1.0 - 1.0 / p as f64).powf(l as f64), ratio: all.ratio }
            }
            _ => all,
        }
    }

    /// Pr(s = 0), the share of fresh gradients.
    pub fn fresh(&self) -> f64 {
        1.0 - self.stale
    }

    /// Pr(s = `staleness`).
    pub fn probability(&self, staleness: u64) -> f64 {
        match staleness {
            0 => self.fresh(),
            _ => self.at_least(staleness) * (1.0 - self.ratio),
        }
    }

    /// Pr(s >= `staleness`).
    pub fn at_least(&self, staleness: u64) -> f64 {
        match staleness {
            0 => 1.0,
            _ => self.stale * self.ratio.powf((staleness - 1) as f64),
        }
    }

    /// E\[s\], in updates.
    pub fn mean(&self) -> f64 {
        self.stale / (1.0 - self.ratio)
    }
}

impl fmt::Display for Staleness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fresh = 100.0 * self.fresh();
        write!(f, "mean {:.4}, {fresh:.2} % fresh, then times {:.4}", self.mean(), self.ratio)
    }
}

/// E\[s\] under any times of finite mean, alike for all learners or not; none where nothing is known of
/// the rules.
///
/// K-async: (P - K) / K; K-batch-async: (P - 1) / K; else 0. In the end every learner has come past
/// every version, P versions in all for each update and its K gradients. With a gradient of K-async
/// a learner comes past s + 1 of them; of K-batch-async past s, but past s + 1 if it makes the
/// update.
///
/// # Panics
/// If K or P is zero, or K above P where it counts learners.
pub fn mean(rules: impl Into<Rules>, p: usize, k: usize) -> Option<f64> {
    let variant = Variant::of(rules.into())?;
    check(variant, p, k);
    let (kf, pf) = (k as f64, p as f64);
    Some(match variant {
        Variant::KSync | Variant::KBatchSync => 0.0,
        Variant::KAsync => (pf - kf) / kf,
        Variant::KBatchAsync => (pf - 1.0) / kf,
    })
}

fn check(variant: Variant, p: usize, k: usize) {
    assert!(p > 0 && k > 0, "P and K are at least 1");
    assert!(!variant.waits() || k <= p, "K learners are at most all P");
}

/// What theory says of staleness in the long run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Expected {
    /// E\[s\]; none where times have no finite mean.
    pub mean: Option<f64>,
    /// The distribution, where it is known.
    #[serde(rename = "law")]
    pub distribution: Option<Staleness>,
    /// The share of fresh gradients in an update is at least this in expectation, whatever came
    /// before: p0, as the bounds on the error need it.
    pub fresh_at_least: f64,
    /// Share of fresh gradients, at most.
    pub fresh_at_most: f64,
}

/// What is known of P = `p` learners with the distribution `distribution`, some of them slower; none
/// where nothing is known of the rules.
///
/// Fresh gradients, by counting: K learners read w_j in K-async, so that P - K gradients of its
/// update are stale at most; in K-batch-async the first of each of the P - 1 others may be. So at
/// least (2 K - P) / K and (K - P + 1) / K are fresh. In K-async the K fresh learners race with what
/// the others have left: of the gradients K/P are fresh, or more where a fresh minibatch takes less
/// than what is left of another, or fewer where it takes longer (Dutta et al. 2018, lemma 8, for
/// K = 1). Where it takes longer there is no more to p0 than the count: the others may all be about
/// to finish.
///
/// # Panics
/// If K or P is zero, or K above P where it counts learners.
pub fn expected(
    rules: impl Into<Rules>,
    distribution: &Distribution,
    slow: &Slow,
    p: usize,
    k: usize,
) -> Option<Expected> {
    let rules = rules.into();
    let variant = Variant::of(rules)?;
    let mut expected = counted(rules, distribution.mean().is_finite(), p, k)?;
    let alike = slow.is_none();
    let class = ageing(distribution);
    if expected.distribution.is_some() {
        return Some(expected);
    }
    if alike && class == Ageing::Memoryless {
        let distribution = Staleness::memoryless(variant, p, k);
        let fresh = distribution.fresh();
        expected = Expected {
            distribution: Some(distribution),
            fresh_at_least: fresh,
            fresh_at_most: fresh,
            ..expected
        };
    } else if alike && (variant == Variant::KAsync || k == 1) {
        let share = k as f64 / p as f64;
        match class {
            Ageing::NewShorter => expected.fresh_at_least = share,
            Ageing::NewLonger => expected.fresh_at_most = share,
            Ageing::Memoryless | Ageing::Neither => {}
        }
    }
    Some(expected)
}

/// What follows from counting alone, under any times, of a `finite` mean or not.
fn counted(rules: Rules, finite: bool, p: usize, k: usize) -> Option<Expected> {
    let variant = Variant::of(rules)?;
    let mean = mean(variant, p, k)?;
    let fresh = match variant {
        Variant::KSync | Variant::KBatchSync => k,
        Variant::KAsync => (2 * k).saturating_sub(p),
        Variant::KBatchAsync => (k + 1).saturating_sub(p),
    };
    Some(Expected {
        mean: (variant.cancels() || finite).then_some(mean),
        distribution: (fresh == k).then_some(Staleness::FRESH),
        fresh_at_least: fresh as f64 / k as f64,
        fresh_at_most: 1.0,
    })
}

/// [`expected`], and what is known of [capped](capped::shares) staleness and of a bounded
/// [lead](lead::at_work), of learners as they are configured. With times on the way that vary, or with slow
/// learners and any times on the way, it is what follows from counting.
pub fn expected_of(rules: impl Into<Rules>, learners: &Learners, k: usize) -> Option<Expected> {
    let (rules, p) = (rules.into(), learners.count);
    let Some(learners) = learners.without_link() else {
        return counted(rules, learners.mean_is_finite(), p, k);
    };
    let of_lead = || {
        let mean = Some(lead::at_work(rules, &learners, k)?.others);
        // Who waits at the front is fresh in none.
        Some(Expected { mean, distribution: None, fresh_at_least: 0.0, fresh_at_most: 1.0 })
    };
    let of_cap = || {
        let shares = capped::shares(rules, &learners, k)?;
        let mean = shares.iter().zip(0..).map(|(share, s)| share * f64::from(s)).sum();
        // Whoever pushed last is fresh, and more may be that were stopped.
        let fresh_at_least = 1.0 / p as f64;
        let (mean, fresh_at_most) = (Some(mean), shares[0]);
        Some(Expected { mean, distribution: None, fresh_at_least, fresh_at_most })
    };
    let Learners { distribution, slow, .. } = &learners;
    expected(rules, distribution, slow, p, k).or_else(of_cap).or_else(of_lead)
}
