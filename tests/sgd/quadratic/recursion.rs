//! SGD on a quadratic, exactly: what E\[F(w_j)\] is after j updates, where it ends, and which rates
//! are stable, for every variant.
//!
//! F(w) = (lambda/2) w^2 with independent noise on each gradient is the one objective on which the
//! second moments of w_j and of what the learners hold close among themselves. With more dimensions
//! and a diagonal Hessian, each dimension is a [`Recursion`] of its own and E\[F\] their sum.
//!
//! Where gradients are stale this holds for exponential times: memoryless, they make every learner
//! the next to push with the same probability, whatever has happened. Where none are, times do not
//! matter. The mean of w_j under K-async is then that of SGD with momentum 1 - K/P (Mitliagkas, Zhang,
//! Hadjis and Ré 2016); the second moments are derived here, push by push.

mod moments;

use std::iter::successors;

use tortoise::sgd::Variant;

use self::moments::Gathering;
pub(crate) use self::moments::Moments;

/// A variant at a constant rate, on one dimension of a quadratic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Recursion {
    /// Which gradients make an update.
    pub(crate) variant: Variant,
    /// K, the gradients an update.
    pub(crate) k: usize,
    /// P, the number of learners.
    pub(crate) learners: usize,
    /// eta, the learning rate.
    pub(crate) rate: f64,
    /// lambda, the second derivative of F.
    pub(crate) curvature: f64,
    /// sigma^2, the variance of a minibatch's gradient.
    pub(crate) variance: f64,
}

impl Recursion {
    /// The moments one update later.
    ///
    /// # Panics
    /// If P or K is zero, or K is above P where it counts learners.
    pub(crate) fn step(&self, moments: &Moments) -> Moments {
        let Self { variant, k, learners, rate, curvature, variance } = *self;
        assert!(learners > 0 && k > 0, "P and K are at least 1");
        assert!(!variant.waits() || k <= learners, "K learners are at most all P");
        // None of a lone learner's gradients is stale, nor any where all learners are waited for; there
        // rounding would grow in the moments that no longer matter.
        if variant.cancels() || learners == 1 || variant.waits() && k == learners {
            let kept = 1.0 - rate * curvature;
            let noise = rate * rate * variance / k as f64;
            Moments::all_read(kept * kept * moments.current + noise)
        } else if variant.waits() {
            moments.after_k_of_p(self)
        } else {
            let mut gathering = Gathering::new(*moments);
            for _ in 1..k {
                gathering.push(self, 0.0);
            }
            gathering.push(self, rate);
            gathering.moments
        }
    }

    /// E\[F(w_j)\] for j = 0, 1, 2, ... from w_0 on, `start` away from the minimum.
    ///
    /// # Panics
    /// As [`step`](Self::step).
    pub(crate) fn losses(self, start: f64) -> impl Iterator<Item = f64> {
        let moments = successors(Some(Moments::at(start)), move |moments| Some(self.step(moments)));
        moments.map(move |moments| 0.5 * self.curvature * moments.current)
    }

    /// The moments after many updates; none where they grow without bound.
    ///
    /// # Panics
    /// As [`step`](Self::step).
    pub(crate) fn stationary(&self) -> Option<Moments> {
        if self.spectral_radius() >= 1.0 {
            return None;
        }
        // x = b + M b + M^2 b + ..., twice as many terms at a time.
        let (mut power, mut sum) = (self.matrix(), self.step(&Moments::at(0.0)).to_array());
        for _ in 0..64 {
            let before = sum;
            sum.iter_mut().zip(apply(&power, &before)).for_each(|(sum, more)| *sum += more);
            if sum == before {
                return Some(Moments::from_array(sum));
            }
            power = squared(&power);
        }
        // No number, or so near the limit that rounding decides.
        None
    }

    /// E\[F(w_j)\] after many updates, the error floor; none where it grows without bound. For
    /// K-sync and K-batch-sync it is eta sigma^2 / (2 K (2 - eta lambda)).
    ///
    /// # Panics
    /// As [`step`](Self::step).
    pub(crate) fn floor(&self) -> Option<f64> {
        self.stationary().map(|moments| 0.5 * self.curvature * moments.current)
    }

    /// gamma near the floor: E\[(F'(w_j) - F'(w_tau))^2\] / E\[F'(w_j)^2\], in the mean over the K
    /// gradients of an update (Dutta et al. 2018, assumption 5, which the convergence theorems want
    /// at most 1); none where there is no floor, or no noise.
    ///
    /// # Panics
    /// As [`step`](Self::step).
    pub(crate) fn gamma(&self) -> Option<f64> {
        let stationary = self.stationary()?;
        let mut gathering = Gathering::new(stationary);
        // Without waiting, those who have pushed are up to date when they push again.
        let pushes = if self.variant == Variant::KBatchAsync { self.k } else { 1 };
        let mut apart = 0.0;
        for _ in 0..pushes {
            let Moments { current, cross, held, .. } = gathering.moments;
            apart += (current - 2.0 * cross + held) / pushes as f64;
            gathering.push(self, 0.0);
        }
        (stationary.current > 0.0).then(|| apart / stationary.current)
    }

    /// By which factor the second moments' distance from the stationary ones falls, an update, in the
    /// long run; from 1 on they grow without bound.
    ///
    /// # Panics
    /// As [`step`](Self::step).
    pub(crate) fn spectral_radius(&self) -> f64 {
        // ||M^n||^(1/n) for n = 2^50 (Gelfand), as a logarithm: powers leave the range of f64.
        let (mut power, mut logarithm, mut share) = (self.matrix(), 0.0, 1.0);
        for _ in 0..=50 {
            let norm: f64 = power.as_flattened().iter().map(|x| x.abs()).sum();
            if norm == 0.0 || !norm.is_finite() {
                return norm;
            }
            logarithm += share * norm.ln();
            power.as_flattened_mut().iter_mut().for_each(|x| *x /= norm);
            power = squared(&power);
            share *= 0.5;
        }
        logarithm.exp()
    }

    /// M, where the moments one update later are M times the moments + b; column by column.
    fn matrix(&self) -> [[f64; 4]; 4] {
        let quiet = Self { variance: 0.0, ..*self };
        let basis = |i| std::array::from_fn(|j| f64::from(u8::from(i == j)));
        std::array::from_fn(|i| quiet.step(&Moments::from_array(basis(i))).to_array())
    }
}

/// The largest eta lambda below which E\[F(w_j)\] stays bounded; 2 for K-sync and K-batch-sync.
///
/// It is a limit of the mean. Which gradients are stale is chance: above the limit it may be rare runs
/// that make the mean grow, while most come back from every excursion up to a higher limit of their
/// own.
///
/// # Panics
/// As [`Recursion::step`].
pub(crate) fn stability_limit(variant: Variant, learners: usize, k: usize) -> f64 {
    let stable = |rate| {
        let recursion = Recursion { variant, k, learners, rate, curvature: 1.0, variance: 0.0 };
        recursion.spectral_radius() < 1.0
    };
    let (mut low, mut high) = (0.0, 1.0);
    while stable(high) {
        (low, high) = (high, 2.0 * high);
    }
    loop {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            return low;
        }
        if stable(middle) { low = middle } else { high = middle }
    }
}

/// A matrix, column by column, times a vector.
fn apply(columns: &[[f64; 4]; 4], vector: &[f64; 4]) -> [f64; 4] {
    std::array::from_fn(|row| columns.iter().zip(vector).map(|(column, x)| column[row] * x).sum())
}

fn squared(columns: &[[f64; 4]; 4]) -> [[f64; 4]; 4] {
    columns.map(|column| apply(columns, &column))
}

const RATES: [f64; 5] = [0.01, 0.05, 0.1, 0.25, 0.5];
const ASYNC: (Variant, usize) = (Variant::KAsync, 1);

fn recursion((variant, k): (Variant, usize), learners: usize, rate: f64) -> Recursion {
    Recursion { variant, k, learners, rate, curvature: 1.0, variance: 1.0 }
}

/// To the digits that are printed: figures of an independent implementation, P = 8.
#[test]
fn floors_are_those_of_the_table() {
    for (entrant, floors) in [
        ((Variant::KSync, 8), [0.000314, 0.001603, 0.003289, 0.008929, 0.020833]),
        ((Variant::KSync, 4), [0.000628, 0.003205, 0.006579, 0.017857, 0.041667]),
        ((Variant::KBatchSync, 4), [0.000628, 0.003205, 0.006579, 0.017857, 0.041667]),
        ((Variant::KAsync, 4), [0.000634, 0.003361, 0.007205, 0.021802, 0.057927]),
        ((Variant::KBatchAsync, 4), [0.000639, 0.003483, 0.007713, 0.025439, 0.076985]),
        ((Variant::KBatchAsync, 8), [0.000317, 0.001672, 0.003573, 0.010806, 0.029193]),
        (ASYNC, [0.002688, 0.017241, 0.044554, 0.214286, 2.5]),
    ] {
        for (rate, expected) in RATES.into_iter().zip(floors) {
            let floor = recursion(entrant, 8, rate).floor().unwrap();
            assert!((floor - expected).abs() < 0.51e-6, "{entrant:?} {rate}: {floor}");
        }
    }
}

#[test]
fn stability_limits_are_those_of_the_table() {
    for ((variant, k), learners, expected) in [
        (ASYNC, 4, 0.843),
        (ASYNC, 8, 0.566),
        (ASYNC, 16, 0.386),
        ((Variant::KAsync, 2), 8, 1.15),
        ((Variant::KAsync, 4), 8, 2.224),
        ((Variant::KAsync, 8), 8, 2.0),
        ((Variant::KAsync, 4), 16, 1.564),
        ((Variant::KAsync, 8), 16, 2.823),
        ((Variant::KBatchAsync, 2), 8, 0.995),
        ((Variant::KBatchAsync, 4), 8, 1.579),
        ((Variant::KBatchAsync, 8), 8, 2.209),
        ((Variant::KBatchSync, 4), 8, 2.0),
    ] {
        let limit = stability_limit(variant, learners, k);
        assert!((limit - expected).abs() < 0.51e-3, "{variant:?} {k} of {learners}: {limit}");
    }
}

/// Measured figures of an independent simulation, good to one per cent.
#[test]
fn gamma_is_that_of_the_table() {
    for (entrant, gammas) in [
        (ASYNC, [0.13, 0.50, 0.78, 1.16, 1.39]),
        ((Variant::KAsync, 4), [0.02, 0.09, 0.17, 0.37, 0.57]),
        ((Variant::KBatchAsync, 4), [0.03, 0.16, 0.29, 0.58, 0.87]),
        ((Variant::KSync, 4), [0.0; 5]),
    ] {
        for (rate, expected) in RATES.into_iter().zip(gammas) {
            let gamma = recursion(entrant, 8, rate).gamma().unwrap();
            assert!(
                (gamma - expected).abs() < 0.005 + 0.01 * expected,
                "{entrant:?} {rate}: {gamma}"
            );
        }
    }
}

#[test]
fn variants_that_are_one_algorithm_have_one_recursion() {
    let start = Moments { current: 1.0, cross: 0.7, held: 1.3, mean_held: 0.8 };
    for (p, rate) in [(1, 0.3), (2, 0.1), (8, 0.25), (8, 1.5)] {
        let [one, same] = [Variant::KAsync, Variant::KBatchAsync]
            .map(|variant| recursion((variant, 1), p, rate).step(&start).to_array());
        assert!(one.iter().zip(same).all(|(a, b)| (a - b).abs() < 1e-14), "async P={p}");
        let [all, sync] = [Variant::KAsync, Variant::KSync].map(|variant| {
            let losses = recursion((variant, p), p, rate).losses(1.0);
            losses.take(20).collect::<Vec<_>>()
        });
        assert!(all.iter().zip(sync).all(|(a, b)| (a / b - 1.0).abs() < 1e-12), "sync P={p}");
    }
}

#[test]
fn waiting_for_all_learners_is_sync_for_as_long_as_one_looks() {
    for rate in RATES {
        let [sync, all] = [Variant::KSync, Variant::KAsync]
            .map(|variant| recursion((variant, 8), 8, rate).losses(1.0).nth(5000).unwrap());
        assert_eq!(sync, all, "{rate}");
    }
}

#[test]
fn below_the_limit_losses_reach_the_floor_and_above_it_they_never_stop() {
    for entrant in [
        ASYNC,
        (Variant::KSync, 4),
        (Variant::KAsync, 4),
        (Variant::KBatchSync, 20),
        (Variant::KBatchAsync, 4),
        (Variant::KBatchAsync, 20),
    ] {
        let limit = stability_limit(entrant.0, 8, entrant.1);
        let mut radius = 1.0;
        for part in [0.001, 0.3, 0.9, 0.999] {
            let stable = recursion(entrant, 8, part * limit);
            assert!(stable.spectral_radius() < 1.0, "{entrant:?} {part}");
            let updates = (40.0 / (1.0 - stable.spectral_radius())) as usize;
            let last = stable.losses(1.0).nth(updates).unwrap();
            let floor = stable.floor().unwrap();
            assert!((last / floor - 1.0).abs() < 1e-9, "{entrant:?} {part}: {last} {floor}");
        }
        for part in [1.001, 1.1, 1.5, 3.0, 10.0] {
            let unstable = recursion(entrant, 8, part * limit);
            assert!(unstable.spectral_radius() > radius, "{entrant:?} {part}");
            radius = unstable.spectral_radius();
            assert_eq!((unstable.floor(), unstable.gamma()), (None, None));
            let growth = (20.0 / radius.ln()) as usize;
            let last = unstable.losses(1.0).nth(growth).unwrap();
            assert!(last > 1e6, "{entrant:?} {part}: {last}");
        }
    }
}

#[test]
fn the_floor_scales_as_units_do() {
    let one = recursion((Variant::KBatchAsync, 4), 8, 0.2);
    let other = Recursion { rate: 0.05, curvature: 4.0, variance: 9.0, ..one };
    let ratio = other.floor().unwrap() / one.floor().unwrap();
    // eta sigma^2 at one eta lambda.
    assert!((ratio - 9.0 / 4.0).abs() < 1e-12, "{ratio}");
}
