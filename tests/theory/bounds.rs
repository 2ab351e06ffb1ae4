//! Bounds on the error beside the error itself, with fresh gradients: on quadratics its expectation
//! has an exact recursion that knows nothing of the theorems.

use crate::domination::{dominates, means};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tortoise::theory::error::{
    Bound, Compensated, Constants, GammaPrime, NoBound, NonConvex, Step, p0_of_gamma,
};

const CONSTANTS: Constants = Constants {
    smoothness: 2.0,
    convexity: 0.1,
    variance: 3.0,
    gradient_variance: 1.5,
    initial_gap: 5.0,
};
const KS: [usize; 5] = [1, 2, 5, 8, 20];
/// Of the largest rate.
const RATES: [f64; 4] = [1.0, 0.5, 0.1, 0.01];
const UPDATES: usize = 2000;

fn step(constants: &Constants, of_largest: f64, k: usize, minibatch: usize) -> Step {
    Step { rate: of_largest * constants.largest_rate(k, minibatch), k, minibatch }
}

/// E(F(w_j) - F*) and E||grad F(w_j)||^2 from w_0 on, for the sum of L x^2 / 2 and c y^2 / 2 and
/// fresh gradients. `start` is the part of the initial gap in x, `noise` the part of the variance.
fn fresh(constants: &Constants, step: Step, start: f64, noise: f64) -> Vec<(f64, f64)> {
    let Constants { smoothness, convexity, variance, gradient_variance, initial_gap } = *constants;
    let Step { rate, k, minibatch } = step;
    let mut x = 2.0 * initial_gap * start / smoothness;
    let mut y = 2.0 * initial_gap * (1.0 - start) / convexity;
    let samples = (k * minibatch) as f64;
    let mut moments = Vec::new();
    for _ in 0..=UPDATES {
        let gradient = smoothness.powi(2) * x + convexity.powi(2) * y;
        moments.push((smoothness * x / 2.0 + convexity * y / 2.0, gradient));
        let variance = rate.powi(2) * (variance + gradient_variance * gradient) / samples;
        x = (1.0 - rate * smoothness).powi(2) * x + variance * noise;
        y = (1.0 - rate * convexity).powi(2) * y + variance * (1.0 - noise);
    }
    moments
}

fn everywhere(check: impl Fn(Step, f64, f64)) {
    for k in KS {
        for minibatch in [1, 3] {
            for of_largest in RATES {
                for (start, noise) in [(0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.5)] {
                    check(step(&CONSTANTS, of_largest, k, minibatch), start, noise);
                }
            }
        }
    }
}

#[test]
fn no_update_is_above_the_bounds_for_fresh_gradients() {
    everywhere(|step, start, noise| {
        let tight = Bound::strongly_convex(&CONSTANTS, step, GammaPrime::FRESH).unwrap();
        let loose = Bound::strongly_convex(&CONSTANTS, step, GammaPrime::LEMMA_2).unwrap();
        let errors = fresh(&CONSTANTS, step, start, noise);
        let case = format!("{step:?} {start} {noise}");
        dominates(|j| tight.after(j), errors.iter().map(|(gap, _)| *gap), &case);
        dominates(|j| loose.after(j), (0..=UPDATES).map(|j| tight.after(j as f64)), &case);
        assert!(tight.floor < loose.floor && tight.decay() < loose.decay());
    });
}

/// Nothing in theorem 3, with its condition put right, can be better: with the same curvature all
/// around and the largest rate, the bound is the error.
#[test]
fn the_bound_for_fresh_gradients_is_attained() {
    let constants = Constants { convexity: CONSTANTS.smoothness, ..CONSTANTS };
    for k in KS {
        let step = step(&constants, 1.0, k, 3);
        let bound = Bound::strongly_convex(&constants, step, GammaPrime::FRESH).unwrap();
        for (j, (gap, _)) in fresh(&constants, step, 0.5, 0.5).into_iter().enumerate() {
            let bound = bound.after(j as f64);
            assert!((gap / bound - 1.0).abs() < 1e-9, "K={k} j={j}: {gap}, {bound}");
        }
    }
}

/// Theorem 3 of Dutta et al. 2018 allows 1 / (2 L (M_G / (K m) + 1 / K)), also to K-async that waits
/// for all: gradient descent, without noise.
#[test]
fn gradient_descent_diverges_at_the_printed_limit_and_not_at_the_one_put_right() {
    let constants = Constants {
        smoothness: 1.0,
        convexity: 0.01,
        variance: 0.0,
        gradient_variance: 0.0,
        initial_gap: 0.505,
    };
    let descend = |rate: f64| {
        let mut w = [1.0_f64, 1.0];
        let mut gaps = Vec::new();
        for _ in 0..=50 {
            gaps.push(w[0].powi(2) / 2.0 + 0.01 * w[1].powi(2) / 2.0);
            w = [w[0] - rate * w[0], w[1] - rate * 0.01 * w[1]];
        }
        gaps
    };
    for k in [5, 8, 20] {
        let printed = 1.0 / (2.0 / k as f64);
        let diverging = descend(printed);
        assert!(diverging[50] > 1e17, "K={k}: {diverging:?}");
        let right = step(&constants, 1.0, k, 1);
        let falling = descend(right.rate);
        assert!(falling.windows(2).all(|pair| pair[1] < pair[0]), "K={k}: {falling:?}");
        let bound = Bound::strongly_convex(&constants, right, GammaPrime::FRESH).unwrap();
        dominates(|j| bound.after(j), falling, &format!("K={k}"));
        let refused =
            Bound::strongly_convex(&constants, Step { rate: printed, ..right }, GammaPrime::FRESH);
        assert_eq!(refused, Err(NoBound::RateTooLarge { rate: printed, largest: 0.5 }));
    }
}

#[test]
fn where_nothing_is_stale_there_is_nothing_to_compensate() {
    let step = step(&CONSTANTS, 0.7, 4, 3);
    let bound = Bound::strongly_convex(&CONSTANTS, step, GammaPrime::FRESH).unwrap();
    let compensated = Compensated { c: 0.0, p0: 1.0, k: 4, minibatch: 3 };
    let gaps = compensated.gaps(&CONSTANTS, [step.rate; 200]).unwrap();
    for (j, gap) in gaps.into_iter().enumerate() {
        assert!((gap / bound.after(j as f64) - 1.0).abs() < 1e-12, "j={j}");
    }
}

/// x^2 / (1 + x^2) has curvatures from -1/2 to 2 and flat ends, where no c is above 0.
#[test]
fn gradients_keep_within_their_bound_where_nothing_is_convex() {
    let slope = |x: f64| 2.0 * x / (1.0 + x * x).powi(2);
    let start: f64 = 3.0;
    for deviation in [0.0_f64, 0.5] {
        for k in [1, 8] {
            let constants = Constants {
                smoothness: 2.0,
                convexity: 0.0,
                variance: deviation.powi(2),
                gradient_variance: 0.0,
                initial_gap: start.powi(2) / (1.0 + start.powi(2)),
            };
            let step = step(&constants, 1.0, k, 1);
            let mut rng = ChaCha8Rng::seed_from_u64(7);
            let runs = 200;
            let mut squares = vec![0.0; 300];
            for _ in 0..runs {
                let mut x = start;
                for square in &mut squares {
                    *square += slope(x).powi(2) / f64::from(runs);
                    let noise = (0..k).map(|_| if rng.random() { deviation } else { -deviation });
                    x -= step.rate * (slope(x) + noise.sum::<f64>() / k as f64);
                }
            }
            let bound = NonConvex::new(&constants, step, GammaPrime::FRESH).unwrap();
            let case = format!("K={k} {deviation}");
            dominates(|n| bound.after(n + 1.0), means(squares), &case);
            let refused = Bound::strongly_convex(&constants, step, GammaPrime::FRESH);
            assert_eq!(refused, Err(NoBound::NotConvex));
        }
    }
}

#[test]
fn more_gradients_an_update_lower_every_bound() {
    let rate = CONSTANTS.largest_rate(1, 1);
    let bound = |k| {
        let step = Step { rate, k, minibatch: 1 };
        let gamma_prime = GammaPrime::new(0.5, 0.25).unwrap();
        let average = NonConvex::new(&CONSTANTS, step, gamma_prime).unwrap();
        let bound = Bound::strongly_convex(&CONSTANTS, step, gamma_prime).unwrap();
        (bound, average, CONSTANTS.largest_rate(k, 1))
    };
    for k in 1..20 {
        let ((few, few_average, few_rate), (more, more_average, more_rate)) =
            (bound(k), bound(k + 1));
        let by = k as f64 / (k + 1) as f64;
        assert!((more.floor / few.floor - by).abs() < 1e-12 && more.decay() == few.decay());
        assert!((more_average.floor / few_average.floor - by).abs() < 1e-12);
        assert!(more_rate > few_rate, "K={k}");
        for updates in [1.0, 10.0, 1e3, 1e6] {
            assert!(more.after(updates) < few.after(updates), "K={k} J={updates}");
            assert!(more_average.after(updates) < few_average.after(updates));
        }
    }
}

#[test]
fn time_and_updates_to_a_gap_are_those_after_which_it_is_reached() {
    for of_largest in [1.0, 0.1, 1e-12] {
        let step = step(&CONSTANTS, of_largest, 4, 2);
        let bound = Bound::strongly_convex(&CONSTANTS, step, GammaPrime::FRESH).unwrap();
        for part in [0.9, 0.5, 1e-3] {
            let gap = bound.floor + part * (bound.initial_gap - bound.floor);
            let updates = bound.updates_to(gap).unwrap();
            assert!((bound.after(updates) / gap - 1.0).abs() < 1e-9, "{of_largest} {part}");
            let time = bound.time_to(gap, 0.25).unwrap();
            assert!(updates > 0.0 && (time / updates - 0.25).abs() < 1e-12);
            assert!((bound.at(time, 0.25) / gap - 1.0).abs() < 1e-9);
        }
        assert_eq!(bound.updates_to(bound.floor), None);
        assert_eq!(bound.updates_to(bound.initial_gap), Some(0.0));
        assert_eq!(bound.after(0.0), bound.initial_gap);
    }
    // Without a rate nothing comes nearer; a gap below the floor is reached at once.
    let still = Step { rate: 0.0, k: 1, minibatch: 1 };
    let bound = Bound::strongly_convex(&CONSTANTS, still, GammaPrime::FRESH).unwrap();
    assert_eq!((bound.updates_to(1.0), bound.after(100.0)), (None, CONSTANTS.initial_gap));
    let near = Constants { initial_gap: 0.0, ..CONSTANTS };
    let bound = Bound::strongly_convex(&near, step(&near, 1.0, 1, 1), GammaPrime::FRESH).unwrap();
    assert!(bound.updates_to(bound.floor / 2.0) == Some(0.0) && bound.after(10.0) > 0.0);
}

/// The paper's other condition, eta <= 1 / (c gamma').
#[test]
fn progress_never_steps_over_the_floor() {
    for convexity in [1e-6, 0.5, 2.0] {
        let constants = Constants { convexity, ..CONSTANTS };
        for k in KS {
            let step = step(&constants, 1.0, k, 1);
            let bound = Bound::strongly_convex(&constants, step, GammaPrime::FRESH).unwrap();
            assert!((0.25..1.0).contains(&bound.decay()), "{bound:?}");
        }
    }
}

#[test]
fn what_has_no_bound_is_refused_and_named() {
    assert_eq!(GammaPrime::new(0.0, 1.0), Ok(GammaPrime::FRESH));
    assert_eq!(GammaPrime::new(0.5, 1.0), Ok(GammaPrime::LEMMA_2));
    assert_eq!(GammaPrime::new(1.0, 0.25).unwrap().value(), 0.125);
    assert_eq!(GammaPrime::new(1.0, 0.0), Err(NoBound::TooStale(0.0)));
    assert_eq!((p0_of_gamma(0.0), p0_of_gamma(0.25), p0_of_gamma(1.7)), (1.0, 0.25, 0.0));
    let Step { rate: largest, k, minibatch } = step(&CONSTANTS, 1.0, 4, 2);
    for rate in [largest * 1.000_001, f64::NAN, f64::INFINITY] {
        let step = Step { rate, k, minibatch };
        for refused in [
            Bound::strongly_convex(&CONSTANTS, step, GammaPrime::FRESH).unwrap_err(),
            NonConvex::new(&CONSTANTS, step, GammaPrime::FRESH).unwrap_err(),
            Compensated { c: 0.1, p0: 0.5, k, minibatch }.gaps(&CONSTANTS, [rate]).unwrap_err(),
        ] {
            assert!(matches!(refused, NoBound::RateTooLarge { .. }), "{refused}");
            assert!(refused.to_string().contains(&format!("{largest:.3e}")), "{refused}");
        }
    }
    CONSTANTS.check().unwrap();
    for (wrong, named) in [
        (Constants { smoothness: 0.0, convexity: 0.0, ..CONSTANTS }, "L"),
        (Constants { smoothness: f64::NAN, ..CONSTANTS }, "L"),
        (Constants { convexity: 2.1, ..CONSTANTS }, "c = 2.1"),
        (Constants { convexity: -0.1, ..CONSTANTS }, "c"),
        (Constants { variance: -1.0, ..CONSTANTS }, "sigma^2"),
        (Constants { gradient_variance: f64::INFINITY, ..CONSTANTS }, "M_G"),
        (Constants { initial_gap: -1e-9, ..CONSTANTS }, "F(w_0) - F*"),
    ] {
        let error = wrong.check().unwrap_err();
        assert!(matches!(error, tortoise::Error::Config(_)), "{error}");
        assert!(error.to_string().contains(named), "{error}");
    }
}
