//! Measured update times and staleness beside what theory says, within three standard errors: the
//! semantics of the six variants, checked by formulas that know nothing of the scheduler.

use crate::distributions::DISTRIBUTIONS;
use tortoise::{
    cluster::delay::{Delays, Distribution, Slow},
    sgd::{
        Cancellation, Entrant, Variant,
        simulate::{Times, default_warm_up, simulate},
    },
    theory::{
        learners::Learners,
        order_statistics,
        runtime::{Ageing, UpdateTime, ageing, update_time, update_time_of},
        staleness::expected_of,
    },
};

fn measure(
    variant: Variant,
    k: usize,
    p: usize,
    distribution: &str,
    cancel: Cancellation,
) -> Times {
    let distribution: Distribution = distribution.parse().unwrap();
    let entrant = Entrant::with_k(variant, k);
    // Every case on chance of its own, so that their deviations are independent.
    let seed = (p * 1000 + k * 10 + variant as usize) as u64;
    let delays = Delays::new(distribution, &Slow::default(), p, seed).unwrap();
    simulate(&entrant, cancel, p, delays, default_warm_up(p, k), 20_000).unwrap()
}

fn predict(variant: Variant, k: usize, p: usize, distribution: &str) -> UpdateTime {
    update_time(variant, &distribution.parse().unwrap(), p, k)
}

/// How many standard errors lie between measurement and `expected`.
fn z(distribution: &str, times: &Times, expected: f64) -> f64 {
    let standard_error = times.mean_update_time_se.unwrap().max(resolution(distribution));
    (times.mean_update_time - expected) / standard_error
}

/// Where stragglers that come a handful of times in a run decide, the error is not normal and its
/// estimate may be zero: a run cannot tell one such straggler in a few thousand updates. Else, the
/// resolution is that of the clock.
fn resolution(distribution: &str) -> f64 {
    if distribution.starts_with("bimodal") { 0.002 } else { 1e-6 }
}

#[test]
fn update_times_match_every_value_and_respect_every_bound() {
    let (mut squares, mut compared) = (0.0, 0.0);
    for distribution in DISTRIBUTIONS {
        for p in [1_usize, 4, 8, 20, 64] {
            for k in [1, p.div_ceil(2), p] {
                for variant in Variant::ALL {
                    let theory = predict(variant, k, p, distribution);
                    let times = measure(variant, k, p, distribution, Cancellation::Preempt);
                    let case =
                        format!("{variant:?} K={k} P={p} {distribution}: {times:?} {theory:?}");
                    if let Some(expected) = theory.mean_update_time {
                        // Some 400 comparisons: a rare one is past three standard errors by chance.
                        assert!(z(distribution, &times, expected).abs() < 4.0, "{case}");
                        if times.mean_update_time_se > Some(resolution(distribution)) {
                            squares += z(distribution, &times, expected).powi(2);
                            compared += 1.0;
                        }
                    }
                    assert!(
                        theory.lower.is_none_or(|lower| z(distribution, &times, lower) > -3.0),
                        "{case}"
                    );
                    assert!(
                        theory.upper.is_none_or(|upper| z(distribution, &times, upper) < 3.0),
                        "{case}"
                    );
                }
            }
        }
    }
    // The deviations are chance: neither a bias nor a standard error that hides one.
    let rms = f64::sqrt(squares / compared);
    assert!(compared > 300.0 && (0.9..1.1).contains(&rms), "RMS z = {rms} of {compared}");
}

/// Lemma 5 of Dutta et al. 2018 and its reverse. Distributions of neither class are free to do either.
#[test]
fn k_async_lies_where_the_class_of_the_law_says() {
    for distribution in DISTRIBUTIONS {
        let parsed: Distribution = distribution.parse().unwrap();
        let fresh = order_statistics::expected(&parsed, 4, 8);
        let times = measure(Variant::KAsync, 4, 8, distribution, Cancellation::Preempt);
        let z = z(distribution, &times, fresh);
        let UpdateTime { lower, upper, .. } = predict(Variant::KAsync, 4, 8, distribution);
        match ageing(&parsed) {
            Ageing::Memoryless => {
                assert!(
                    z.abs() < 4.0 && lower == Some(fresh) && upper == Some(fresh),
                    "{distribution}: {z}"
                );
            }
            Ageing::NewLonger => assert!(z < -4.0 && upper == Some(fresh), "{distribution}: {z}"),
            Ageing::NewShorter => assert!(z > 4.0 && lower >= Some(fresh), "{distribution}: {z}"),
            Ageing::Neither => assert!(upper.is_none(), "{distribution}"),
        }
    }
}

/// Distributions that are as good as exponential have K/P without being told apart from others; two
/// times and two learners can be counted through by hand.
#[test]
fn k_batch_sync_is_numeric_where_no_closed_form_is_known() {
    let q: f64 = 0.4;
    let by_hand =
        (1.0 - q).powi(2) + 2.0 * q * (1.0 - q) * ((1.0 - q) * 2.0 + q * 10.0) + q.powi(2) * 10.0;
    let almost = "weibull:shape=1.000000001,scale=1";
    for (distribution, k, p, expected, tolerance) in [
        (almost, 4, 8, 0.5, 1e-4),
        (almost, 20, 8, 2.5, 1e-4),
        (almost, 50, 100, 0.5, 1e-4),
        ("hyperexponential:p=0.3,mean1=2,mean2=2", 7, 20, 0.7, 1e-4),
        ("bimodal:fast=1,slow=10,p=0.4", 2, 2, by_hand, 1e-9),
    ] {
        let theory = predict(Variant::KBatchSync, k, p, distribution);
        let value = theory.mean_update_time.unwrap();
        assert!(
            (value / expected - 1.0).abs() < tolerance,
            "K={k} P={p} {distribution}: {theory:?}"
        );
        assert!(!theory.exact && theory.lower <= Some(value) && Some(value) <= theory.upper);
    }
    // A tail too long for a lattice leaves bounds.
    let theory = predict(Variant::KBatchSync, 4, 8, "pareto:shape=0.2,scale=1");
    assert!(theory.mean_update_time.is_none() && theory.upper.is_some(), "{theory:?}");
}

/// Exact figures for P = 8, K = 4: (H_8 - H_4) = 0.6345, K/P, H_8 = 2.7179, 1/P.
#[test]
fn anchors_hold_within_three_standard_errors() {
    let exponential = "exponential:mean=1";
    let shifted = "shifted-exponential:shift=1,mean=1";
    for (variant, k, distribution, expected) in [
        (Variant::KSync, 4, exponential, 0.634_523_8),
        (Variant::KBatchSync, 4, exponential, 0.5),
        (Variant::KAsync, 4, exponential, 0.634_523_8),
        (Variant::KBatchAsync, 4, exponential, 0.5),
        (Variant::KSync, 8, exponential, 2.717_857_1),
        (Variant::KAsync, 1, exponential, 0.125),
        (Variant::KSync, 4, shifted, 1.634_523_8),
        (Variant::KBatchAsync, 4, shifted, 1.0),
    ] {
        let times = measure(variant, k, 8, distribution, Cancellation::Preempt);
        assert!(
            z(distribution, &times, expected).abs() < 3.0,
            "{variant:?} K={k} {distribution}: {times:?}"
        );
        let theory = predict(variant, k, 8, distribution).mean_update_time.unwrap();
        assert!((theory - expected).abs() < 1e-6, "{variant:?} K={k} {distribution}: {theory}");
    }
    // No closed form, but simulated independently: 1.239.
    let times = measure(Variant::KAsync, 4, 8, shifted, Cancellation::Preempt);
    assert!((times.mean_update_time - 1.239).abs() < 0.01, "{times:?}");
}

/// Doomed work that runs to its end costs K-sync and K-batch-sync up to a factor of two.
#[test]
fn dropping_on_arrival_is_slower_than_preempting() {
    for (variant, distribution, expected) in [
        (Variant::KSync, "exponential:mean=1", 1.036),
        (Variant::KBatchSync, "exponential:mean=1", 1.078),
        (Variant::KSync, "uniform:low=0,high=2", 1.139),
        (Variant::KBatchSync, "uniform:low=0,high=2", 1.255),
    ] {
        let times = measure(variant, 4, 8, distribution, Cancellation::OnArrival);
        let deviation = (times.mean_update_time - expected).abs();
        assert!(
            deviation < 0.006 + 3.0 * times.mean_update_time_se.unwrap(),
            "{distribution}: {times:?}"
        );
    }
}

#[test]
fn mean_staleness_does_not_depend_on_the_law() {
    for distribution in DISTRIBUTIONS {
        for (p, k) in [(8, 1), (8, 3), (8, 4), (8, 8), (20, 7)] {
            for (variant, expected) in [
                (Variant::KAsync, (p - k) as f64 / k as f64),
                (Variant::KBatchAsync, (p - 1) as f64 / k as f64),
            ] {
                // With constant times all learners stay in step, and K that does not divide P
                // leaves some of them waiting in turn; the mean holds all the same.
                let times = measure(variant, k, p, distribution, Cancellation::Preempt);
                let deviation = (times.mean_staleness - expected).abs();
                assert!(deviation < 0.01, "{variant:?} K={k} P={p} {distribution}: {times:?}");
            }
        }
    }
}

/// Exponential times: s is geometric with K/P for K-async (Dutta et al. 2018, lemma 8, corrected
/// from 1/P to K/P); K-batch-async has its own distribution of fresh gradients.
#[test]
fn staleness_follows_its_law_under_exponential_times() {
    let (p, k) = (8, 4);
    let distribution = "exponential:mean=1";
    let times = measure(Variant::KAsync, k, p, distribution, Cancellation::Preempt);
    for (s, &count) in times.staleness_histogram.iter().take(5).enumerate() {
        let share = count as f64 / times.used as f64;
        assert!((share - 0.5_f64.powi(s as i32 + 1)).abs() < 0.01, "s={s}: {times:?}");
    }
    let times = measure(Variant::KBatchAsync, k, p, distribution, Cancellation::Preempt);
    let q: f64 = 7.0 / 8.0;
    let fresh = 1.0 - 7.0 / 4.0 * (1.0 - q.powi(4));
    assert!((times.fresh_fraction - fresh).abs() < 0.01, "{times:?}");
}

#[test]
fn waste_is_what_each_variant_cancels() {
    for (variant, wasted) in [
        (Variant::KSync, 4),
        (Variant::KBatchSync, 7),
        (Variant::KAsync, 0),
        (Variant::KBatchAsync, 0),
    ] {
        let times = measure(variant, 4, 8, "exponential:mean=1", Cancellation::Preempt);
        assert_eq!((times.wasted, times.used), (wasted * times.updates, 4 * times.updates));
    }
}

fn expected(
    variant: Variant,
    distribution: &str,
    slow: &str,
    cancel: Cancellation,
    p: usize,
    k: usize,
) -> UpdateTime {
    let (distribution, slow) = (distribution.parse().unwrap(), slow.parse().unwrap());
    let learners = Learners { slow, cancellation: cancel, ..Learners::alike(p, distribution) };
    update_time_of(variant, &learners, k)
}

/// By simulation, which knows no formula: learners that are slower, and work that runs to its end.
#[test]
fn update_times_of_slow_learners_and_of_late_cancellation_match() {
    let slow_ones = [(4_usize, "1=3,2=0.5"), (8, "0=2,1=2,7=5"), (20, "3=5,4=1.5")];
    let with_slow = DISTRIBUTIONS.iter().flat_map(|distribution| {
        slow_ones.iter().map(move |(p, slow)| (*distribution, *p, *slow, Cancellation::Preempt))
    });
    let on_arrival = [2_usize, 3, 5, 8, 13, 20].into_iter().flat_map(|p| {
        ["exponential:mean=1", "weibull:shape=1,scale=2"]
            .map(|distribution| (distribution, p, "", Cancellation::OnArrival))
    });
    let (mut squares, mut compared) = (0.0, 0.0);
    let cells = with_slow.chain(on_arrival).enumerate();
    for (number, (distribution, p, slow, cancel)) in cells {
        for k in [1, p.div_ceil(2), p] {
            for variant in Variant::ALL {
                let theory = expected(variant, distribution, slow, cancel, p, k);
                let seed = (number * 1000 + k * 10 + variant as usize) as u64;
                let factors: Slow = slow.parse().unwrap();
                let delays = Delays::new(distribution.parse().unwrap(), &factors, p, seed).unwrap();
                let entrant = Entrant::with_k(variant, k);
                let warm_up = 5 * default_warm_up(p, k);
                let times = simulate(&entrant, cancel, p, delays, warm_up, 10_000).unwrap();
                let case =
                    format!("{variant:?} K={k} P={p} {distribution} {slow}: {times:?} {theory:?}");
                if let Some(value) = theory.mean_update_time {
                    if distribution.starts_with("constant") {
                        // Without chance all that is left is where in a period the run ends.
                        assert!((times.mean_update_time / value - 1.0).abs() < 1e-3, "{case}");
                        continue;
                    }
                    let z = z(distribution, &times, value);
                    assert!(z.abs() < 4.5, "{z}: {case}");
                    if times.mean_update_time_se > Some(resolution(distribution)) {
                        squares += z * z;
                        compared += 1.0;
                    }
                } else {
                    assert!(
                        variant == Variant::KAsync && k > 1 || theory.lower.is_none(),
                        "{case}"
                    );
                }
                // What is known exactly is its own bound, and may be as far off by chance.
                let above = theory.lower.is_none_or(|lower| z(distribution, &times, lower) > -4.5);
                assert!(above, "{case}");
            }
        }
    }
    let rms = f64::sqrt(squares / compared);
    println!("RMS z = {rms} of {compared}");
    assert!(compared > 200.0 && (0.9..1.1).contains(&rms), "RMS z = {rms} of {compared}");
}

/// Values that were computed elsewhere from the same recursions, and by two simulations.
#[test]
fn late_cancellation_has_its_anchors() {
    let value = |variant, distribution, p, k| {
        expected(variant, distribution, "", Cancellation::OnArrival, p, k).mean_update_time.unwrap()
    };
    let of_sync = value(Variant::KSync, "exponential:mean=1", 8, 4);
    assert!((of_sync - 1.0343).abs() < 5e-5, "{of_sync}");
    let of_batch = value(Variant::KBatchSync, "exponential:mean=1.7", 9, 7);
    assert!((of_batch - 2.4868).abs() < 5e-5, "{of_batch}");
    // A lone learner has nothing cancelled; the first of two waits for nobody.
    assert!((value(Variant::KBatchSync, "exponential:mean=2", 1, 3) - 6.0).abs() < 1e-12);
    let unknown =
        expected(Variant::KSync, "uniform:low=0,high=1", "", Cancellation::OnArrival, 4, 2);
    assert_eq!(unknown, UpdateTime::default());
}

/// Who is slower by nothing to speak of is not slower.
#[test]
fn equal_learners_are_those_of_the_other_formulas() {
    for distribution in DISTRIBUTIONS {
        for (p, k) in [(2, 1), (4, 3), (8, 4), (20, 20)] {
            for variant in Variant::ALL {
                let equal = predict(variant, k, p, distribution);
                let nearly =
                    expected(variant, distribution, "0=1.0000000001", Cancellation::Preempt, p, k);
                let (Some(equal), Some(nearly)) = (equal.mean_update_time, nearly.mean_update_time)
                else {
                    continue;
                };
                let numeric = if variant == Variant::KBatchSync { 1e-3 } else { 1e-8 };
                assert!(
                    (nearly / equal - 1.0).abs() < numeric,
                    "{variant:?} K={k} P={p} {distribution}: {nearly}, {equal}"
                );
            }
        }
    }
    // The slower of two constant times, and the second of their multiples 1, 2, 3, 3.
    let constant = |variant, k| {
        expected(variant, "constant:1", "0=3", Cancellation::Preempt, 2, k).mean_update_time
    };
    assert_eq!(constant(Variant::KSync, 2), Some(3.0));
    assert_eq!(constant(Variant::KBatchSync, 2), Some(2.0));
    assert_eq!(constant(Variant::KBatchSync, 3), Some(3.0));
    assert_eq!(constant(Variant::KAsync, 1), Some(0.75));
}

/// Async and K-batch-async with any way, all variants with one that is always as long.
#[test]
fn update_times_with_a_way_match() {
    let cancel = Cancellation::Preempt;
    let mut scores = Vec::new();
    for (entrant, delay, link, slow) in [
        ("async", "exponential:mean=1", "exponential:mean=0.3", ""),
        ("async", "weibull:shape=0.7,scale=1", "uniform:low=0,high=1", "0=3,2=0.5"),
        ("k-batch-async:4", "exponential:mean=1", "pareto:shape=3,scale=0.1", "1=10"),
        ("k-batch-async:3", "uniform:low=0,high=2", "weibull:shape=2,scale=0.5", ""),
        ("sync", "exponential:mean=1", "constant:0.2", ""),
        ("k-sync:3", "uniform:low=0,high=2", "constant:0.2", ""),
        ("k-batch-sync:3", "exponential:mean=1", "constant:0.2", ""),
        ("async", "exponential:mean=1", "constant:0.2", "0=4"),
    ] {
        let rules = entrant.parse::<Entrant>().unwrap();
        let (delay, slow): (Distribution, Slow) = (delay.parse().unwrap(), slow.parse().unwrap());
        let link: Distribution = link.parse().unwrap();
        let k = rules.k(6).unwrap();
        let learners = |link| {
            let slow = slow.clone();
            Learners { link, slow, ..Learners::alike(6, delay.clone()) }
        };
        let of = |link| update_time_of(rules.rules(), &learners(link), k);
        let known = of(Some(link.clone())).mean_update_time.unwrap();
        assert!(known > of(None).mean_update_time.unwrap());
        let delays = Delays::new(delay.clone(), &slow, 6, 5).unwrap();
        let delays = delays.with_link(Some(&link), 5).unwrap();
        let times = simulate(&rules, cancel, 6, delays, 1000, 50_000).unwrap();
        scores.push((times.mean_update_time - known) / times.mean_update_time_se.unwrap());
        let staleness = expected_of(rules.rules(), &learners(Some(link)), k);
        let mean = staleness.unwrap().mean.unwrap();
        assert!((times.mean_staleness - mean).abs() < 0.01 + 0.01 * mean, "{entrant}");
    }
    assert!(scores.iter().all(|z| z.abs() < 4.0), "{scores:?}");
    let nothing = |entrant: &str, link: &str, slow: &str| {
        let rules = entrant.parse::<Entrant>().unwrap().rules();
        let (delay, link) = ("exponential:mean=1".parse().unwrap(), Some(link.parse().unwrap()));
        let slow = slow.parse().unwrap();
        let learners = Learners { link, slow, ..Learners::alike(6, delay) };
        update_time_of(rules, &learners, 3) == UpdateTime::default()
    };
    assert!(nothing("k-sync:3", "exponential:mean=1", ""));
    assert!(nothing("k-sync:3", "constant:1", "0=2"));
    assert!(nothing("ringmaster:3", "exponential:mean=1", ""));
}
