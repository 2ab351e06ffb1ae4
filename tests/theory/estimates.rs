//! The constants of theory from runs whose constants are known: a quadratic, where every one has a
//! closed form and gamma near the floor follows from second moments, and a logistic model, whose
//! Hessian is written out in f64.

use std::sync::Arc;

use tortoise::{
    Result,
    cluster::{
        delay::{Delays, Slow},
        engine_pool::EnginePool,
        simulated::Simulated,
    },
    dataset::{Minibatch, Split, minibatches::Minibatches},
    engine::{Engine, Evaluation, Part, host::Host, model::Model},
    estimate::{
        Estimates, Seen, Settings, Watch, estimate,
        minimum::{SoftmaxRegression, minimum},
        of_one_objective,
    },
    ids::Version,
    sgd::{
        Cancellation, Entrant, Limits, Observer, ParameterServer, Run, Scheduler,
        k_schedule::FixedK, learning_rate::Constant,
    },
};

const LAMBDA: f64 = 2.0;
const INPUTS: usize = 12;
const SAMPLES: usize = 300;
const LEARNERS: usize = 8;
const MINIBATCH: usize = 5;

/// f(w, x) = (lambda/2) (|w - x|^2 - v), v such that F is 0 at its lowest: L = c = lambda, sigma^2 =
/// lambda^2 v, M_G = 0.
struct Quadratic {
    train: Arc<Split>,
    params: Vec<f32>,
    variance: f64,
}

/// The mean sample, and the summed variance of its pixels.
fn moments(split: &Split) -> (Vec<f64>, f64) {
    let mut all = Minibatch::default();
    split.gather(0..split.len(), &mut all);
    let n = split.len() as f64;
    let mean =
        |i| all.features.iter().skip(i).step_by(INPUTS).map(|x| f64::from(*x)).sum::<f64>() / n;
    let mean: Vec<f64> = (0..INPUTS).map(mean).collect();
    let squares = all.features.iter().zip(mean.iter().cycle());
    let variance = squares.map(|(x, mean)| (f64::from(*x) - mean).powi(2)).sum::<f64>() / n;
    (mean, variance)
}

impl Engine for Quadratic {
    fn samples(&self) -> usize {
        self.train.len()
    }

    fn params(&self) -> usize {
        INPUTS
    }

    fn load(&mut self, params: &[f32]) -> Result<()> {
        self.params = params.to_vec();
        Ok(())
    }

    fn gradient(&mut self, samples: &[usize], gradient: &mut [f32]) -> Result<f32> {
        let mut batch = Minibatch::default();
        self.train.gather(samples.iter().copied(), &mut batch);
        let m = batch.len() as f64;
        let (mut sums, mut squares) = (vec![0.0; INPUTS], 0.0);
        for image in batch.features.chunks(INPUTS) {
            for ((sum, x), w) in sums.iter_mut().zip(image).zip(&self.params) {
                let off = f64::from(*w) - f64::from(*x);
                *sum += off / m;
                squares += off * off / m;
            }
        }
        gradient.iter_mut().zip(sums).for_each(|(g, sum)| *g = (LAMBDA * sum) as f32);
        Ok((LAMBDA / 2.0 * (squares - self.variance)) as f32)
    }
}

/// Images without pattern.
fn split(samples: usize, inputs: usize, classes: usize) -> Arc<Split> {
    let mut state = samples as u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 24
    };
    let pixels = (0..samples * inputs).map(|_| noise() as u8).collect();
    let labels = (0..samples).map(|_| (noise() as usize % classes) as u8).collect();
    Arc::new(Split::images(pixels, labels, inputs, classes).unwrap())
}

/// Trains on `engine` from `initial`; returns the parameters at the end.
fn train(
    entrant: &str,
    engine: impl Engine + 'static,
    initial: &[f32],
    settings: &Settings,
    updates: Version,
    observer: &mut impl Observer,
) -> Vec<f32> {
    let entrant: Entrant = entrant.parse().unwrap();
    let k = entrant.fixed_k(LEARNERS).unwrap();
    let distribution = "exponential:mean=1".parse().unwrap();
    let delays = Delays::new(distribution, &Slow::default(), LEARNERS, settings.seed).unwrap();
    let minibatches = Minibatches::new(settings.seed, engine.samples(), settings.minibatch);
    let queues = EnginePool::here(engine);
    let scheduler = Scheduler::new(entrant.rules(), Cancellation::Preempt, LEARNERS, k);
    let server = ParameterServer::new(initial);
    let cluster = Simulated::with_gradients(LEARNERS, delays, &queues, minibatches);
    let rate = Constant(settings.learning_rate as f32);
    let mut run = Run::new(scheduler, server, cluster, FixedK(k), rate);
    let limits = Limits { updates: Some(updates), ..Limits::default() };
    run.train(&limits, observer).unwrap();
    run.server.params().to_vec()
}

/// Trains and keeps what the settings want.
fn watch(
    entrant: &str,
    engine: impl Engine + 'static,
    initial: &[f32],
    settings: &Settings,
    updates: Version,
) -> Seen {
    let mut watch = Watch::new((), settings);
    train(entrant, engine, initial, settings, updates, &mut watch);
    watch.finish().1
}

fn quadratic(train: &Arc<Split>) -> Quadratic {
    Quadratic { train: Arc::clone(train), params: Vec::new(), variance: moments(train).1 }
}

/// What a run of the quadratic says, with eta lambda = `rate`.
fn of_quadratic(entrant: &str, rate: f64, updates: Version) -> Estimates {
    let train = split(SAMPLES, INPUTS, 2);
    let k = entrant.parse::<Entrant>().unwrap().fixed_k(LEARNERS).unwrap();
    let settings = Settings { moments: 2000, ..Settings::new(rate / LAMBDA, k, MINIBATCH, 7) };
    let seen = watch(entrant, quadratic(&train), &[3.0; INPUTS], &settings, updates);
    estimate(&seen, &mut quadratic(&train), &settings).unwrap()
}

#[track_caller]
fn assert_within(estimate: tortoise::estimate::Estimate, expected: f64, errors: f64) {
    let error = estimate.standard_error().unwrap();
    let off = (estimate.value - expected).abs();
    assert!(off < errors * error && error < 0.2 * expected.max(0.1), "{estimate}, not {expected}");
}

#[test]
fn the_constants_of_a_quadratic_are_found() {
    let train = split(SAMPLES, INPUTS, 2);
    let (mean, variance) = moments(&train);
    let estimates = of_quadratic("async", 0.05, 4000);
    assert!(estimates.warnings.is_empty(), "{:?}", estimates.warnings);

    let (low, high) = estimates.smoothness.range();
    assert!((low - LAMBDA).abs() < 1e-3 && (high - LAMBDA).abs() < 1e-3, "{low}, {high}");
    assert!((estimates.convexity.value / LAMBDA - 1.0).abs() < 1e-3, "{}", estimates.convexity);
    assert_within(estimates.variance, LAMBDA * LAMBDA * variance, 3.0);
    let slope = estimates.gradient_variance;
    assert!(slope.value < 3.0 * slope.standard_error().unwrap() && slope.value < 0.01, "{slope}");
    assert!(estimates.f_star.value.abs() < 1e-5, "{}", estimates.f_star);
    let initial: f64 = mean.iter().map(|mean| (3.0 - mean).powi(2)).sum();
    assert!((estimates.initial_loss / (LAMBDA / 2.0 * initial) - 1.0).abs() < 1e-5);
    assert_within(estimates.p0, 1.0 / 8.0, 3.0);
    assert_within(estimates.delay.best().parameters[0].estimate, 1.0, 3.0);
    let limit = estimates.largest_learning_rate();
    assert!((limit - 1.0 / (2.0 * LAMBDA)).abs() < 1e-2, "{limit}");
}

/// gamma near the floor of async with exponential times, where any of the P learners is next: by the
/// second moments of w, of h, what a learner holds, and of m, the mean of these. Noise has variance 1.
fn gamma_near_the_floor(rate: f64, learners: f64) -> f64 {
    let r = 1.0 / learners;
    let [mut ww, mut wm, mut hh, mut mm] = [1.0; 4];
    for _ in 0..10_000 {
        // w' = w - rate h + noise, and w' takes the place of h.
        let next = ww - 2.0 * rate * wm + rate * rate * hh + 1.0;
        let (with_mean, with_held) = (wm - rate * mm, wm - rate * hh);
        mm += 2.0 * r * (with_mean - mm) + r * r * (next - 2.0 * with_held + hh);
        wm = with_mean + r * (next - with_held);
        hh += r * (next - hh);
        ww = next;
    }
    (ww - 2.0 * wm + hh) / ww
}

#[test]
fn gamma_is_that_of_second_moments_and_above_one_it_is_remarked() {
    for (rate, expected) in [(0.05, 0.50), (0.25, 1.16)] {
        let exact = gamma_near_the_floor(rate, LEARNERS as f64);
        assert!((exact - expected).abs() < 0.01, "{exact}");
        let estimates = of_quadratic("async", rate, 20_000);
        let last = estimates.gamma_windows.last().unwrap();
        assert_within(last.gamma, exact, 3.0);
        let violated = |w: &String| w.contains("assumption violated: gamma");
        assert_eq!(estimates.warnings.iter().any(violated), exact > 1.0);
        // Far from the floor the gradients are long, and the whole run has more of that.
        assert!(estimates.gamma.value < last.gamma.value, "{}", estimates.gamma);
    }
}

#[test]
fn fresh_gradients_have_not_turned() {
    for entrant in ["sync", "k-sync:4", "k-batch-sync:4"] {
        let estimates = of_quadratic(entrant, 0.1, 300);
        assert_eq!((estimates.gamma.value, estimates.p0.value), (0.0, 1.0), "{entrant}");
        assert_within(estimates.delay.best().parameters[0].estimate, 1.0, 3.0);
    }
}

#[test]
fn too_large_a_learning_rate_is_remarked() {
    let remarked = |rate: f64| {
        let estimates = of_quadratic("sync", rate, 100);
        estimates.warnings.iter().any(|w| w.contains("up to a learning rate"))
    };
    assert!(!remarked(0.45) && remarked(0.55));
}

#[test]
fn a_part_of_the_samples_tells_gamma_without_bias() {
    let train = split(SAMPLES, INPUTS, 2);
    let whole = Settings { moments: 500, ..Settings::new(0.05, 1, MINIBATCH, 7) };
    let seen = watch("async", quadratic(&train), &[3.0; INPUTS], &whole, 4000);
    let gamma = |settings: &Settings| {
        let estimates = estimate(&seen, &mut quadratic(&train), settings).unwrap();
        estimates.gamma_windows[3].gamma.value
    };
    let exact = gamma(&whole);
    // Each seed takes 100 of the 300 samples: gradients of them alone are too long by what chance adds.
    let parts = (0..40).map(|seed| {
        gamma(&Settings {
            seed,
            staleness_samples: 100,
            chunk: 5,
            iterates: 1,
            descent: 0,
            ..whole
        })
    });
    let parts: Vec<f64> = parts.collect();
    let mean = tortoise::statistics::mean(&parts).unwrap();
    let error = tortoise::statistics::standard_error(&parts).unwrap();
    assert!((mean - exact).abs() < 3.0 * error && error < 0.2 * exact, "{mean} ± {error}, {exact}");
}

const CLASSES: usize = 3;
const L2: f32 = 0.05;

/// The Hessian of a logistic model, and its largest eigenvalue by Jacobi's rotations.
fn largest_eigenvalue(w: &[f32], split: &Split) -> f64 {
    let n = w.len();
    let mut all = Minibatch::default();
    split.gather(0..split.len(), &mut all);
    let mut hessian = vec![vec![0.0; n]; n];
    let inputs = split.inputs();
    for image in all.features.chunks(inputs) {
        let x: Vec<f64> = image.iter().map(|x| f64::from(*x)).chain([1.0]).collect();
        let logit = |c| x.iter().enumerate().map(|(i, x)| x * f64::from(w[i * CLASSES + c])).sum();
        let exps: Vec<f64> = (0..CLASSES).map(|c| f64::exp(logit(c))).collect();
        let sum: f64 = exps.iter().sum();
        for (row, column) in (0..n).flat_map(|row| (0..n).map(move |column| (row, column))) {
            let [a, b] = [row, column].map(|at| exps[at % CLASSES] / sum);
            let of_logits = if row % CLASSES == column % CLASSES { a - a * b } else { -a * b };
            hessian[row][column] +=
                of_logits * x[row / CLASSES] * x[column / CLASSES] / split.len() as f64;
        }
    }
    for (at, row) in hessian.iter_mut().enumerate().take(inputs * CLASSES) {
        row[at] += 2.0 * f64::from(L2);
    }
    for _ in 0..30 {
        for (p, q) in (0..n).flat_map(|q| (0..q).map(move |p| (p, q))) {
            let angle = 0.5 * (2.0 * hessian[p][q]).atan2(hessian[q][q] - hessian[p][p]);
            let (sin, cos) = angle.sin_cos();
            for row in &mut hessian {
                (row[p], row[q]) = (cos * row[p] - sin * row[q], sin * row[p] + cos * row[q]);
            }
            let [first, second] = hessian.get_disjoint_mut([p, q]).unwrap();
            for (a, b) in first.iter_mut().zip(second) {
                (*a, *b) = (cos * *a - sin * *b, sin * *a + cos * *b);
            }
        }
    }
    (0..n).map(|i| hessian[i][i]).fold(0.0, f64::max)
}

#[test]
fn the_smoothness_of_a_logistic_model_is_the_largest_eigenvalue_of_its_hessian() {
    let train = split(200, 6, CLASSES);
    let model = Model::new(&"logistic".parse().unwrap(), 6, CLASSES, L2).unwrap();
    let (host, initial) = (|| Host::open(model.clone(), &train).unwrap(), model.initial(2));
    let settings = Settings { chunk: 64, descent: 300, ..Settings::new(0.2, 4, MINIBATCH, 7) };
    let seen = watch("k-async:4", host(), &initial, &settings, 400);
    let estimates = estimate(&seen, &mut host(), &settings).unwrap();
    let mut all = seen.moments.iter().map(|m| (m.version, m.params.to_vec())).collect::<Vec<_>>();
    all.push(seen.last.clone());
    let mut largest: f64 = 0.0;
    for iterate in &estimates.iterates {
        let (_, params) = all.iter().find(|(version, _)| *version == iterate.version).unwrap();
        let exact = largest_eigenvalue(params, &train);
        assert!((iterate.smoothness / exact - 1.0).abs() < 2e-3, "{iterate:?}, exactly {exact}");
        let Evaluation { loss, .. } = host().evaluate(params, Part::Train).unwrap();
        assert!((iterate.loss - loss).abs() < 1e-6, "{iterate:?}, {loss}");
        largest = largest.max(exact);
    }
    assert_eq!(estimates.iterates.len(), 6);
    assert!((estimates.smoothness.value / largest - 1.0).abs() < 2e-3);

    // Strongly convex but for the biases, so that going down finds the lowest loss: where the
    // gradient is nothing.
    let mut plain = (host(), initial.clone(), vec![0.0; initial.len()]);
    let whole: Vec<usize> = (0..train.len()).collect();
    let mut lowest = 0.0;
    for _ in 0..5000 {
        plain.0.load(&plain.1).unwrap();
        lowest = plain.0.gradient(&whole, &mut plain.2).unwrap();
        plain.1.iter_mut().zip(&plain.2).for_each(|(w, g)| *w -= 0.3 * g);
    }
    let f_star = estimates.f_star;
    assert!((f_star.value - f64::from(lowest)).abs() < 1e-5, "{f_star}, {lowest}");
    assert_eq!(f_star.range(), (0.0, f_star.value));
    // As every loss is above F*, c lies below what a larger F* would make it.
    assert!(estimates.convexity.range().0 < estimates.convexity.value);
    assert!(estimates.warnings.iter().any(|w| w.contains("depends on F*")));

    // L-BFGS finds it too, and its certificate says so.
    let regression = SoftmaxRegression::of(&model).unwrap();
    let minimum = minimum(&mut host(), &regression, 64).unwrap();
    assert!((minimum.found - f64::from(lowest)).abs() < 1e-5, "{minimum:?}, {lowest}");
    assert!(minimum.least <= f64::from(lowest) + 1e-6, "{minimum:?}, {lowest}");
    assert!(minimum.found - minimum.least < 5e-5, "{minimum:?}");
    let least_convexity = 2.0 * regression.l2;
    let known = Settings { minimum: Some(minimum), least_convexity, ..settings };
    let estimates = estimate(&seen, &mut host(), &known).unwrap();
    let (low, high) = estimates.convexity.range();
    assert!(low >= least_convexity && high < 1.01 * low, "{}", estimates.convexity);
    assert!(!estimates.warnings.iter().any(|w| w.contains("depends on F*")));
}

#[test]
fn runs_of_one_objective_have_one_minimum_and_one_c() {
    let train = split(200, 6, CLASSES);
    let model = Model::new(&"mlp:4".parse().unwrap(), 6, CLASSES, L2).unwrap();
    let (host, initial) = (|| Host::open(model.clone(), &train).unwrap(), model.initial(2));
    assert_eq!(SoftmaxRegression::of(&model), None);
    let settings = Settings { chunk: 64, ..Settings::new(0.2, 4, MINIBATCH, 7) };
    let mut all = ["async", "k-sync:4"].map(|entrant| {
        estimate(&watch(entrant, host(), &initial, &settings, 200), &mut host(), &settings).unwrap()
    });
    let alone = all.clone();
    assert_ne!(alone[0].f_star, alone[1].f_star);
    of_one_objective(&mut all.iter_mut().collect::<Vec<_>>());
    let lowest = alone[0].f_star.value.min(alone[1].f_star.value);
    for one in &all {
        assert_eq!((one.f_star.value, one.f_star), (lowest, all[0].f_star));
        assert_eq!(one.convexity, all[0].convexity);
    }
    // Nothing is 2 c (F - F*) above its gradient, wherever either run went.
    let iterates = alone.iter().flat_map(|one| &one.iterates);
    let c = all[0].convexity.value;
    for one in iterates.filter(|one| one.loss > lowest + 1e-3) {
        assert!(one.gradient_square >= 2.0 * c * (one.loss - lowest) * (1.0 - 1e-9), "{one:?}");
    }
}

#[test]
fn a_run_that_is_watched_is_the_same_run() {
    let split = split(SAMPLES, INPUTS, 2);
    let settings = Settings::new(0.05, 1, MINIBATCH, 7);
    for entrant in ["k-sync:4", "async", "k-batch-async:4"] {
        let (engine, initial) = (|| quadratic(&split), [3.0; INPUTS]);
        let alone = train(entrant, engine(), &initial, &settings, 500, &mut ());
        let mut watch = Watch::new((), &settings);
        let watched = train(entrant, engine(), &initial, &settings, 500, &mut watch);
        assert_eq!(alone, watched, "{entrant}");
    }
}

#[test]
fn what_cannot_be_estimated_is_refused() {
    let train = split(SAMPLES, INPUTS, 2);
    let settings = Settings::new(0.05, 1, MINIBATCH, 7);
    let refused = |seen: &Seen, settings: &Settings| {
        estimate(seen, &mut quadratic(&train), settings).unwrap_err().to_string()
    };
    let seen = watch("async", quadratic(&train), &[3.0; INPUTS], &settings, 20);
    assert!(refused(&Seen { moments: Vec::new(), ..seen.clone() }, &settings).contains("update"));
    let large = Settings { minibatch: SAMPLES + 1, ..settings };
    assert!(refused(&seen, &large).contains("301 samples do not fit the 300"));
    assert!(refused(&seen, &Settings { draws: 1, ..settings }).contains("draws"));
    let diverged = Seen { last: (20, vec![f32::NAN; INPUTS]), ..seen };
    assert!(refused(&diverged, &settings).contains("after 20 updates"));
}
