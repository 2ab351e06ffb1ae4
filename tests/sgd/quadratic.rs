//! The real loop on an objective of which everything is known: scheduler, server and learners give
//! the losses that theory computes without them.
//!
//! The data are fair coins and a gradient is of one sample, so that its noise has the variance of a
//! pixel; data, minimum and noise are those of the finite data set, so that the oracle is exact.

mod recursion;

use std::time::Duration;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tortoise::{
    Error, Result,
    cluster::{
        Snapshot,
        delay::{Delays, Slow},
        engine_pool::EnginePool,
        simulated::Simulated,
    },
    dataset::{Features, Labels, Split, minibatches::Minibatches},
    engine::{
        Engine, Part,
        quadratic::{Quadratic, coins},
    },
    sgd::{
        Cancellation, Ended, Event, Limits, Observer, ParameterServer, Run, Scheduler, Variant,
        k_schedule::FixedK, learning_rate::Constant,
    },
    statistics::{mean, standard_error},
};

use self::recursion::{Moments, Recursion, stability_limit};

const LEARNERS: usize = 8;
const DIMENSIONS: usize = 400;
const SEVEN: [(Variant, usize); 7] = [
    (Variant::KSync, 8),
    (Variant::KSync, 4),
    (Variant::KBatchSync, 4),
    (Variant::KAsync, 1),
    (Variant::KAsync, 4),
    (Variant::KBatchAsync, 4),
    (Variant::KBatchAsync, 8),
];

/// Notes F(w_j) when somebody first reads w_j.
struct Watched<'a> {
    objective: &'a Quadratic,
    losses: Vec<f64>,
}

impl Observer for Watched<'_> {
    fn event(&mut self, _: Duration, _: &Event) -> Result<()> {
        Ok(())
    }

    fn read(&mut self, _: usize, version: u64, params: &Snapshot) -> Result<()> {
        if version == self.losses.len() as u64 {
            self.losses.push(self.objective.loss(params));
        }
        Ok(())
    }
}

struct Bench {
    objective: Quadratic,
}

impl Bench {
    fn new(curvature: impl Fn(usize) -> f64) -> Self {
        let train = coins(1000, DIMENSIONS, 0).unwrap();
        let objective = Quadratic::new(train, (0..DIMENSIONS).map(curvature).collect());
        Self { objective }
    }

    /// How a run of the real loop from w_0 = 0 ends, and F(w_j) on the way.
    fn run(
        &self,
        variant: Variant,
        k: usize,
        rate: f64,
        updates: u64,
        seed: u64,
    ) -> (Ended, Vec<f64>) {
        let queues = EnginePool::here(self.objective.clone());
        let minibatches = Minibatches::new(seed, queues.samples(), 1);
        let distribution = "exponential:mean=1".parse().unwrap();
        let delays = Delays::new(distribution, &Slow::default(), LEARNERS, seed).unwrap();
        let cluster = Simulated::with_gradients(LEARNERS, delays, &queues, minibatches);
        let scheduler = Scheduler::new(variant, Cancellation::Preempt, LEARNERS, k);
        let server = ParameterServer::new(&[0.0; DIMENSIONS]);
        let mut run = Run::new(scheduler, server, cluster, FixedK(k), Constant(rate as f32));
        let limits = Limits { updates: Some(updates), ..Limits::default() };
        let mut watched = Watched { objective: &self.objective, losses: Vec::new() };
        let ended = run.train(&limits, &mut watched).unwrap();
        (ended, watched.losses)
    }

    /// A recursion for each dimension, and how far from its minimum it starts.
    fn theory(&self, variant: Variant, k: usize, rate: f64) -> Vec<(Recursion, f64)> {
        let dimensions = self.objective.curvature().iter().zip(self.objective.noise(1));
        let recursions = dimensions.map(|(&curvature, variance)| Recursion {
            variant,
            k,
            learners: LEARNERS,
            rate,
            curvature,
            variance,
        });
        recursions.zip(self.objective.minimum().iter().copied()).collect()
    }
}

/// The sum over dimensions of E[F(w_j)].
fn expected_losses(theory: &[(Recursion, f64)], updates: usize) -> Vec<f64> {
    let mut sums = vec![0.0; updates];
    for (recursion, start) in theory {
        sums.iter_mut().zip(recursion.losses(*start)).for_each(|(sum, loss)| *sum += loss);
    }
    sums
}

/// Measured over expected floor, and the standard error of that from the means of 40 parts.
fn floor_ratio(bench: &Bench, variant: Variant, k: usize, rate: f64, updates: u64) -> (f64, f64) {
    let theory = bench.theory(variant, k, rate);
    let floor: f64 =
        theory.iter().map(|(recursion, _)| recursion.floor()).sum::<Option<_>>().unwrap();
    let slowest = theory.iter().map(|(recursion, _)| recursion.spectral_radius());
    let memory = 1.0 / (1.0 - slowest.fold(0.0, f64::max));
    let (ended, losses) = bench.run(variant, k, rate, updates, 1);
    assert_eq!(ended, Ended::Done);
    let settled = &losses[(20.0 * memory) as usize..];
    let part = settled.len() / 40;
    assert!(part as f64 > 10.0 * memory, "parts are independent, nearly");
    let means: Vec<f64> =
        settled.chunks_exact(part).map(|part| mean(part).unwrap() / floor).collect();
    (mean(&means).unwrap(), standard_error(&means).unwrap())
}

#[test]
fn measured_floors_are_those_of_theory() {
    let bench = Bench::new(|_| 1.0);
    let mut cases = Vec::new();
    for (variant, k) in SEVEN {
        for rate in [0.05, 0.25] {
            // Near its limit of 0.566, async has rare and large excursions.
            let updates = if k == 1 && rate > 0.2 { 100_000 } else { 20_000 };
            cases.push((&bench, variant, k, rate, updates));
        }
    }
    let spectrum = Bench::new(|d| 0.1 + 0.9 * d as f64 / DIMENSIONS as f64);
    cases.push((&spectrum, Variant::KAsync, 4, 0.25, 20_000));
    cases.push((&spectrum, Variant::KBatchAsync, 4, 0.25, 20_000));
    for (bench, variant, k, rate, updates) in cases {
        let (ratio, error) = floor_ratio(bench, variant, k, rate, updates);
        let case = format!("{variant:?} K={k} rate={rate}: {ratio} +- {error}");
        assert!(error < 0.01 && (ratio - 1.0).abs() < 0.03, "{case}");
        assert!(((ratio - 1.0) / error).abs() < 4.0, "{case}");
    }
}

#[test]
fn the_way_to_the_floor_is_that_of_theory() {
    const UPDATES: u64 = 60;
    let flat = Bench::new(|_| 1.0);
    let spectrum = Bench::new(|d| 0.1 + 0.9 * d as f64 / DIMENSIONS as f64);
    let (mut squares, mut compared) = (0.0, 0.0);
    for (bench, rate) in [(&flat, 0.05), (&flat, 0.25), (&spectrum, 0.25)] {
        for (variant, k) in SEVEN {
            let runs: Vec<_> = (0..800 / k as u64)
                .map(|seed| bench.run(variant, k, rate, UPDATES, seed).1)
                .collect();
            let theory = bench.theory(variant, k, rate);
            for (j, expected) in expected_losses(&theory, UPDATES as usize).into_iter().enumerate()
            {
                let losses: Vec<f64> = runs.iter().map(|losses| losses[j] / expected).collect();
                let (ratio, error) = (mean(&losses).unwrap(), standard_error(&losses).unwrap());
                let case = format!("{variant:?} K={k} rate={rate} j={j}: {ratio} +- {error}");
                if j == 0 {
                    assert!((ratio - 1.0).abs() < 1e-12, "{case}");
                    continue;
                }
                let z = (ratio - 1.0) / error;
                assert!(error < 0.04 && z.abs() < 4.5, "{case}");
                squares += z * z;
                compared += 1.0;
            }
        }
    }
    // The deviations are chance: neither a bias nor a standard error that hides one.
    let rms = f64::sqrt(squares / compared);
    assert!((0.8..1.2).contains(&rms), "RMS z = {rms} of {compared}");
}

/// Above its limit E[F] grows without bound. Where staleness is drawn anew in each run it may be rare
/// runs that make it grow; at twice the limit all do.
#[test]
fn runs_diverge_above_the_limit_of_theory_and_not_below() {
    let bench = Bench::new(|_| 1.0);
    for (variant, k) in SEVEN {
        let limit = stability_limit(variant, LEARNERS, k);
        let above = if variant.cancels() { 1.1 } else { 2.0 };
        let (ended, losses) = bench.run(variant, k, 0.9 * limit, 3_000, 2);
        assert_eq!(ended, Ended::Done);
        let floor: f64 =
            bench.theory(variant, k, 0.9 * limit).iter().map(|(r, _)| r.floor().unwrap()).sum();
        let most = losses[100..].iter().copied().fold(0.0, f64::max);
        assert!(most < 1e3 * floor, "{variant:?} K={k}: {most} {floor}");
        let (ended, losses) = bench.run(variant, k, above * limit, 3_000, 2);
        assert_eq!(ended, Ended::Diverged, "{variant:?} K={k}: {:?}", losses.last());
    }
}

/// w^2, w mean h, mean h^2 and (mean h)^2 after each update of learners that are simulated one by one:
/// no scheduler, and no use of exponential times being memoryless.
fn one_by_one(
    (variant, k, p): (Variant, usize, usize),
    recursion: &Recursion,
    start: f64,
    updates: usize,
    rng: &mut ChaCha8Rng,
) -> Vec<[f64; 4]> {
    let (mut w, mut held) = (start, vec![start; p]);
    let mut finish: Vec<f64> = (0..p).map(|_| -rng.random::<f64>().ln()).collect();
    let (mut gathered, mut count, mut moments) = (0.0, 0, Vec::new());
    while moments.len() < updates {
        let next = (0..p).min_by(|&a, &b| finish[a].total_cmp(&finish[b])).unwrap();
        let now = finish[next];
        let noise = recursion.variance.sqrt();
        let noise = if rng.random() { noise } else { -noise };
        gathered += recursion.curvature * held[next] + noise;
        count += 1;
        if count == k {
            w -= recursion.rate * gathered / k as f64;
        }
        finish[next] = f64::INFINITY;
        for i in 0..p {
            let starts = match variant {
                _ if count < k => i == next && !variant.waits(),
                Variant::KSync | Variant::KBatchSync => true,
                Variant::KAsync | Variant::KBatchAsync => finish[i].is_infinite(),
            };
            if starts {
                (held[i], finish[i]) = (w, now - rng.random::<f64>().ln());
            }
        }
        if count == k {
            (gathered, count) = (0.0, 0);
            let mean = held.iter().sum::<f64>() / p as f64;
            let squares = held.iter().map(|h| h * h).sum::<f64>() / p as f64;
            moments.push([w * w, w * mean, squares, mean * mean]);
        }
    }
    moments
}

#[test]
fn the_recursion_is_what_learners_do_one_by_one() {
    const RUNS: usize = 40_000;
    const UPDATES: usize = 12;
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for case in [
        (Variant::KSync, 2, 3),
        (Variant::KBatchSync, 5, 3),
        (Variant::KAsync, 1, 1),
        (Variant::KAsync, 1, 8),
        (Variant::KAsync, 2, 3),
        (Variant::KAsync, 3, 3),
        (Variant::KAsync, 4, 8),
        (Variant::KBatchAsync, 3, 1),
        (Variant::KBatchAsync, 1, 4),
        (Variant::KBatchAsync, 5, 3),
        (Variant::KBatchAsync, 4, 8),
        (Variant::KBatchAsync, 8, 8),
    ] {
        let (variant, k, p) = case;
        let recursion =
            Recursion { variant, k, learners: p, rate: 0.2, curvature: 2.0, variance: 3.0 };
        let mut sums = [[(0.0, 0.0); 4]; UPDATES];
        for _ in 0..RUNS {
            let moments = one_by_one(case, &recursion, 1.5, UPDATES, &mut rng);
            for ((sum, squares), x) in
                sums.as_flattened_mut().iter_mut().zip(moments.as_flattened())
            {
                (*sum, *squares) = (*sum + x, *squares + x * x);
            }
        }
        let mut expected = Moments::at(1.5);
        for (j, sums) in sums.iter().enumerate() {
            expected = recursion.step(&expected);
            let Moments { current, cross, held, mean_held } = expected;
            for (&(sum, squares), expected) in sums.iter().zip([current, cross, held, mean_held]) {
                let runs = RUNS as f64;
                let mean = sum / runs;
                let error = ((squares / runs - mean * mean) / runs).sqrt();
                let z = (mean - expected) / error;
                assert!(z.abs() < 4.5, "{case:?} j={j}: {mean} +- {error}, not {expected}");
            }
        }
    }
}

#[test]
fn features_and_labels_may_be_of_any_kind() {
    let bytes = coins(30, DIMENSIONS, 3).unwrap();
    let mut features = Vec::new();
    bytes.gather_features(&(0..30).collect::<Vec<_>>(), &mut features);
    let numbers = Labels::numbers((0..30).map(|at| 0.1 * at as f32).collect());
    let floats = Split::new(Features::floats(features), numbers, DIMENSIONS).unwrap();
    let [bytes, floats] = [bytes, floats].map(|data| {
        let mut engine = Quadratic::new(data, vec![2.0; DIMENSIONS]);
        let mut gradient = vec![0.0; DIMENSIONS];
        engine.load(&vec![0.3; DIMENSIONS]).unwrap();
        let loss = engine.gradient(&[7, 0, 29], &mut gradient).unwrap();
        for refused in [&[][..], &[30]] {
            let error = engine.gradient(refused, &mut vec![0.0; DIMENSIONS]).unwrap_err();
            assert!(matches!(error, Error::Config(_)), "{error}");
        }
        (loss, gradient, engine.evaluate(&vec![0.3; DIMENSIONS], Part::Train).unwrap().loss)
    });
    assert_eq!(bytes, floats);
}
