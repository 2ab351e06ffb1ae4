//! Expected order statistics beside closed forms, beside identities that hold for every distribution,
//! and beside sums over everything that can happen, for up to 4096 learners.

use tortoise::{cluster::delay::Distribution, theory::order_statistics::expected};

const DISTRIBUTIONS: [&str; 9] = [
    "exponential:mean=1",
    "shifted-exponential:shift=1,mean=1",
    "uniform:low=0,high=2",
    "pareto:shape=3,scale=1",
    "weibull:shape=2,scale=1",
    "weibull:shape=0.5,scale=1",
    "hyperexponential:p=0.9,mean1=0.5,mean2=5.5",
    "hyperexponential:p=0.001,mean1=1000,mean2=0.001",
    "bimodal:fast=1,slow=10,p=0.1",
];

fn distribution(text: &str) -> Distribution {
    text.parse().unwrap()
}

/// The distribution of times drawn from a list, by way of a file as users have it.
fn trace(times: &[f64]) -> Distribution {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("delays.csv");
    let lines: Vec<String> = times.iter().map(f64::to_string).collect();
    std::fs::write(&path, lines.join("\n")).unwrap();
    distribution(&format!("trace:{}", path.display()))
}

#[track_caller]
fn agree(actual: f64, wanted: f64, tolerance: f64, case: &str) {
    assert!((actual / wanted - 1.0).abs() < tolerance, "{case}: {actual} is not {wanted}");
}

#[test]
fn thousands_of_exponential_learners_have_harmonic_sums() {
    for (k, p) in [(1, 1), (1, 4096), (2048, 4096), (4095, 4096), (4096, 4096), (30, 32)] {
        let sum: f64 = (p - k + 1..=p).map(|i| 3.0 / i as f64).sum();
        for name in [
            "exponential:mean=3",
            "weibull:shape=1,scale=3",
            "hyperexponential:p=0.4,mean1=3,mean2=3",
        ] {
            agree(expected(&distribution(name), k, p), sum, 1e-10, &format!("{name} K={k} P={p}"));
        }
    }
}

/// The least of P Weibull times is a Weibull time; the others are an alternating sum.
#[test]
fn weibull_times_have_their_closed_forms() {
    for shape in [0.3, 0.5, 1.5, 2.0, 8.0] {
        let weibull = distribution(&format!("weibull:shape={shape},scale=2"));
        let gamma = 2.0 * libm::tgamma(1.0 + 1.0 / shape);
        for p in [1, 20, 4096] {
            let least = gamma * f64::from(p).powf(-1.0 / shape);
            agree(expected(&weibull, 1, p as usize), least, 1e-10, &format!("{shape} P={p}"));
        }
        let choose =
            |n: u32, k: u32| (0..k).map(|i| f64::from(n - i) / f64::from(k - i)).product::<f64>();
        for k in 1..=8_u32 {
            let front = f64::from(k) * choose(10, k);
            let run_config = (0..k).map(|i| {
                let power = f64::from(10 - k + 1 + i).powf(-1.0 - 1.0 / shape);
                f64::from(1 - 2 * (i as i32 % 2)) * choose(k - 1, i) * power
            });
            let sum = gamma * front * run_config.sum::<f64>();
            agree(expected(&weibull, k as usize, 10), sum, 1e-8, &format!("{shape} K={k}"));
        }
    }
}

#[test]
fn order_statistics_add_up_to_p_means() {
    let drawn = trace(&[3.0, 1.0, 1.0, 0.25, 7.5]);
    for distribution in DISTRIBUTIONS.map(distribution).iter().chain([&drawn]) {
        for p in [1, 2, 7, 200] {
            let sum: f64 = (1..=p).map(|k| expected(distribution, k, p)).sum();
            agree(sum, p as f64 * distribution.mean(), 1e-9, &format!("{distribution} P={p}"));
        }
    }
}

/// (P - K) E[X_{K:P}] + K E[X_{K+1:P}] = P E[X_{K:P-1}]: David and Nagaraja 2003, section 3.4.
#[test]
fn one_learner_less_is_a_mean_of_neighbours() {
    let drawn = trace(&[3.0, 1.0, 1.0, 0.25, 7.5]);
    for distribution in DISTRIBUTIONS.map(distribution).iter().chain([&drawn]) {
        for (k, p) in [(1, 2), (3, 9), (1, 4096), (1000, 4096), (3686, 4096), (4095, 4096)] {
            let pair = (p - k) as f64 * expected(distribution, k, p)
                + k as f64 * expected(distribution, k + 1, p);
            let less = p as f64 * expected(distribution, k, p - 1);
            agree(pair, less, 1e-9, &format!("{distribution} K={k} P={p}"));
        }
    }
}

/// The integral of Pr(fewer than K of P have finished by t), with nothing clever: learners are
/// added to the count one by one, and t = x^4 takes small steps where distributions begin.
#[test]
fn smooth_laws_match_the_integral_of_their_survival() {
    const P: usize = 8;
    const STEPS: usize = 100_000;
    for name in &DISTRIBUTIONS[..7] {
        let distribution = distribution(name);
        let end: f64 = if name.starts_with("pareto") { 30.0 } else { 7.0 };
        let mut integrals = [0.0; P];
        for step in 0..STEPS {
            let x = end * (step as f64 + 0.5) / STEPS as f64;
            let left = distribution.survival(x.powi(4));
            let mut finished = [0.0; P + 1];
            finished[0] = 1.0;
            for _ in 0..P {
                for count in (0..=P).rev() {
                    let before = if count > 0 { finished[count - 1] } else { 0.0 };
                    finished[count] = finished[count] * left + before * (1.0 - left);
                }
            }
            let width = 4.0 * x.powi(3) * end / STEPS as f64;
            let mut fewer = 0.0;
            for (integral, probability) in integrals.iter_mut().zip(finished) {
                fewer += probability;
                *integral += fewer * width;
            }
        }
        for (k, integral) in (1..).zip(integrals) {
            agree(expected(&distribution, k, P), integral, 1e-6, &format!("{name} K={k}"));
        }
    }
}

#[test]
fn drawn_times_match_a_sum_over_everything_that_can_happen() {
    let times = [2.0, 0.5, 0.5, 9.0];
    let drawn = trace(&times);
    let bimodal = distribution("bimodal:fast=0.5,slow=9,p=0.25");
    for (distribution, times) in [(drawn, times), (bimodal, [0.5, 9.0, 0.5, 0.5])] {
        let mut sums = [0.0; 5];
        for outcome in 0..4_usize.pow(5) {
            let mut drawn = [4, 3, 2, 1, 0].map(|digit| times[outcome / 4_usize.pow(digit) % 4]);
            drawn.sort_by(f64::total_cmp);
            for (sum, time) in sums.iter_mut().zip(drawn) {
                *sum += time / 1024.0;
            }
        }
        for (k, sum) in (1..).zip(sums) {
            agree(expected(&distribution, k, 5), sum, 1e-12, &format!("{distribution} K={k}"));
        }
    }
}

#[test]
fn pareto_times_have_a_mean_while_enough_learners_are_left() {
    let heavy = distribution("pareto:shape=0.5,scale=1");
    assert!(expected(&heavy, 4, 4).is_infinite() && expected(&heavy, 3, 4).is_infinite());
    agree(expected(&heavy, 1, 4), 2.0, 1e-12, "the least of four is Pareto with shape 2");
}
