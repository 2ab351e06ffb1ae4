//! Speed-ups: the end points of figure 5 of Dutta et al. 2018, the sums behind them, and simulation.

use crate::distributions::DISTRIBUTIONS;
use tortoise::{
    cluster::delay::{Delays, Distribution, Slow},
    sgd::{
        Cancellation, Entrant, Variant,
        simulate::{default_warm_up, simulate},
    },
    theory::{
        runtime::{UpdateTime, update_time},
        speed_up::{sync_over_async, waiting_over_minibatches},
    },
};

fn distribution(text: &str) -> Distribution {
    text.parse().unwrap()
}

/// The ratio of two update times.
#[derive(Debug)]
struct SpeedUp {
    /// The ratio, where both times are known.
    value: Option<f64>,
    /// Whether both times are exact.
    exact: bool,
    /// It is not below this; a ratio, without a unit.
    lower: Option<f64>,
    /// It is not above this; a ratio, without a unit.
    upper: Option<f64>,
}

/// How many updates `fast` makes in the time of one of `slow`, as far as theory knows them.
fn speed_up(slow: &UpdateTime, fast: &UpdateTime) -> SpeedUp {
    let over = |slow: Option<f64>, fast: Option<f64>| {
        let (slow, fast) = (slow?, fast.filter(|fast| *fast > 0.0 && fast.is_finite())?);
        Some(slow / fast)
    };
    let value = over(slow.mean_update_time, fast.mean_update_time);
    SpeedUp {
        value,
        exact: value.is_some() && slow.exact && fast.exact,
        lower: over(slow.lower, fast.upper),
        upper: over(slow.upper, fast.lower),
    }
}

#[test]
fn sync_over_async_ends_where_figure_5_does() {
    for (name, of_20, of_8) in [
        ("exponential:mean=1", 71.95, 21.7),
        ("shifted-exponential:shift=1,mean=1", 45.98, 14.9),
        ("pareto:shape=2,scale=1", 79.76, 20.4),
    ] {
        let ratio = |p| sync_over_async(&distribution(name), p).unwrap();
        assert!((ratio(20) - of_20).abs() < 0.005, "{name}: {}", ratio(20));
        assert!((ratio(8) - of_8).abs() < 0.05, "{name}: {}", ratio(8));
        assert!((ratio(1) - 1.0).abs() < 1e-12, "{name}");
    }
}

#[test]
fn exponential_speed_ups_are_harmonic_sums_of_any_mean() {
    let harmonic = |n: usize| (1..=n).map(|i| 1.0 / i as f64).sum::<f64>();
    for name in ["exponential:mean=1", "exponential:mean=0.02"] {
        for p in [1, 2, 8, 20, 1000] {
            let sync = sync_over_async(&distribution(name), p).unwrap();
            assert!((sync / (p as f64 * harmonic(p)) - 1.0).abs() < 1e-12, "{name} P={p}");
            for k in [1, p.div_ceil(2), p] {
                let waiting = waiting_over_minibatches(&distribution(name), p, k).unwrap();
                let sum = p as f64 / k as f64 * (harmonic(p) - harmonic(p - k));
                assert!((waiting / sum - 1.0).abs() < 1e-10, "{name} P={p} K={k}");
            }
        }
    }
}

#[test]
fn theorems_are_ratios_of_update_times() {
    for distribution in DISTRIBUTIONS.map(distribution) {
        for (p, k) in [(8, 1), (8, 4), (8, 8), (20, 7)] {
            let time = |variant, k| update_time(variant, &distribution, p, k);
            let sync = speed_up(&time(Variant::KSync, p), &time(Variant::KAsync, 1));
            let waiting = speed_up(&time(Variant::KSync, k), &time(Variant::KBatchAsync, k));
            for (ratio, theorem) in [
                (sync, sync_over_async(&distribution, p)),
                (waiting, waiting_over_minibatches(&distribution, p, k)),
            ] {
                let off = ratio.value.unwrap() / theorem.unwrap() - 1.0;
                assert!(ratio.exact && off.abs() < 1e-12, "{distribution} P={p} K={k}: {ratio:?}");
                assert_eq!((ratio.lower, ratio.upper), (ratio.value, ratio.value));
            }
        }
    }
}

#[test]
fn measured_speed_ups_lie_within_what_is_known() {
    let (p, k) = (8, 4);
    for name in DISTRIBUTIONS {
        let measure = |variant, seed| {
            let delays = Delays::new(distribution(name), &Slow::default(), p, seed).unwrap();
            let entrant = Entrant::with_k(variant, k);
            let warm_up = default_warm_up(p, k);
            let times =
                simulate(&entrant, Cancellation::Preempt, p, delays, warm_up, 40_000).unwrap();
            times.mean_update_time
        };
        for (slow, fast) in [
            (Variant::KSync, Variant::KBatchAsync),
            (Variant::KSync, Variant::KBatchSync),
            (Variant::KAsync, Variant::KBatchAsync),
            (Variant::KSync, Variant::KAsync),
        ] {
            let time = |variant| update_time(variant, &distribution(name), p, k);
            let known = speed_up(&time(slow), &time(fast));
            let ratio = measure(slow, 1) / measure(fast, 2);
            let case = format!("{slow:?} {fast:?} {name}: {ratio} {known:?}");
            assert!(known.value.is_none_or(|value| (ratio / value - 1.0).abs() < 0.03), "{case}");
            assert!(known.lower.is_none_or(|lower| ratio > lower * 0.97), "{case}");
            assert!(known.upper.is_none_or(|upper| ratio < upper * 1.03), "{case}");
            assert!(known.lower.is_some() || known.upper.is_some(), "{case}");
        }
    }
}

#[test]
fn times_without_a_mean_have_no_speed_up() {
    let heavy = distribution("pareto:shape=1,scale=1");
    assert_eq!(sync_over_async(&heavy, 8), None);
    assert_eq!(waiting_over_minibatches(&heavy, 8, 4), None);
    let time = |variant, k| update_time(variant, &heavy, 8, k);
    let ratio = speed_up(&time(Variant::KSync, 4), &time(Variant::KBatchAsync, 4));
    assert!(ratio.value.is_none() && !ratio.exact, "{ratio:?}");
}
