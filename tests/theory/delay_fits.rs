//! The distribution of the delays from durations drawn of a known one: the right family, parameters as
//! far off as their errors say, what was cancelled counted as what it is, and learners that are slower.

use std::fs;

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use tempfile::tempdir;
use tortoise::{
    cluster::delay::{DelayModel, Delays, Distribution, Slow},
    estimate::{
        Settings, Watch,
        delays::{Fit, Observed, fit, read_events},
    },
    sgd::{Cancellation, Entrant, Limits, simulate::times_only},
};

const DISTRIBUTIONS: [&str; 8] = [
    "constant:1",
    "exponential:mean=2",
    "shifted-exponential:shift=1,mean=0.5",
    "uniform:low=0.5,high=2",
    "pareto:shape=2.5,scale=1",
    "weibull:shape=0.6,scale=1",
    "hyperexponential:p=0.8,mean1=0.5,mean2=5.5",
    "bimodal:fast=1,slow=10,p=0.1",
];
const DRAWS: usize = 5000;
const SEEDS: u64 = 8;

/// The distribution's name and its parameters in the order in which they are written.
fn parts(distribution: &str) -> (&str, Vec<f64>) {
    let (name, rest) = distribution.split_once(':').unwrap();
    let value = |pair: &str| pair.rsplit('=').next().unwrap().parse().unwrap();
    (name, rest.split(',').map(value).collect())
}

fn draws(distribution: &str, slow: &str, learners: usize, seed: u64) -> Vec<Observed> {
    let (distribution, slow): (Distribution, Slow) =
        (distribution.parse().unwrap(), slow.parse().unwrap());
    let mut delays = Delays::new(distribution, &slow, learners, seed).unwrap();
    let draw = |n| {
        let learner = n % learners;
        Observed { learner, seconds: delays.sample(learner).as_secs_f64(), finished: true }
    };
    (0..DRAWS).map(draw).collect()
}

/// How many standard errors each parameter of the best distribution is off, if it is of the right
/// family.
#[track_caller]
fn deviations(distribution: &str, fit: &Fit) -> Vec<f64> {
    let best = fit.best();
    let (name, expected) = parts(distribution);
    assert_eq!(parts(&best.distribution.to_string()).0, name, "{distribution}: {fit:?}");
    let reported = parts(&best.distribution.to_string()).1;
    assert_eq!(reported, best.parameters.iter().map(|p| p.estimate.value).collect::<Vec<_>>());
    let off = |(parameter, expected): (&tortoise::estimate::delays::Parameter, f64)| {
        let error = parameter.estimate.standard_error().unwrap();
        let off = parameter.estimate.value - expected;
        if off == 0.0 { 0.0 } else { off / error }
    };
    best.parameters.iter().zip(expected).map(off).collect()
}

/// What a run of `updates` shows of its durations.
fn run(
    entrant: &str,
    cancel: Cancellation,
    distribution: &str,
    slow: &str,
    updates: u64,
) -> Vec<Observed> {
    let (entrant, distribution): (Entrant, Distribution) =
        (entrant.parse().unwrap(), distribution.parse().unwrap());
    let delays = Delays::new(distribution, &slow.parse().unwrap(), 8, 3).unwrap();
    let mut watch = Watch::new((), &Settings::new(1.0, 1, 1, 3));
    let limits = Limits { updates: Some(updates), ..Limits::default() };
    times_only(&entrant, cancel, 8, delays).unwrap().train(&limits, &mut watch).unwrap();
    watch.finish().1.observed
}

#[test]
fn the_right_law_is_found_and_its_errors_are_what_they_say() {
    let mut all = Vec::new();
    for distribution in DISTRIBUTIONS {
        for seed in 0..SEEDS {
            let fit = fit(&draws(distribution, "", 1, seed)).unwrap();
            assert!(fit.fits && fit.warnings.is_empty(), "{distribution}: {:?}", fit.warnings);
            assert_eq!((fit.finished, fit.unfinished), (DRAWS, 0));
            let off = deviations(distribution, &fit);
            assert!(off.iter().all(|z| z.abs() < 4.0), "{distribution}, seed {seed}: {off:?}");
            let values = parts(distribution).1.len();
            all.extend(off.into_iter().filter(|z| *z != 0.0));
            assert_eq!(fit.best().parameters.len(), values);
        }
    }
    // Atoms are exact: 13 parameters are left.
    assert_eq!(all.len(), 13 * SEEDS as usize);
    let n = all.len() as f64;
    let inside = |z: f64| all.iter().filter(|off| off.abs() < z).count() as f64 / n;
    let (mean, squares) = (all.iter().sum::<f64>() / n, all.iter().map(|z| z * z).sum::<f64>() / n);
    assert!((0.58..0.87).contains(&inside(1.0)) && inside(2.0) > 0.9, "{all:?}");
    assert!(mean.abs() < 0.35 && (0.65..1.5).contains(&squares), "{mean}, {squares}");
}

#[test]
fn minibatches_that_were_cancelled_count_as_longer_than_they_were_waited_for() {
    let distributions = [
        "exponential:mean=2",
        "shifted-exponential:shift=1,mean=0.5",
        "uniform:low=0.5,high=2",
        "pareto:shape=2.5,scale=1",
        "weibull:shape=0.6,scale=1",
        "hyperexponential:p=0.6,mean1=0.2,mean2=5.5",
        "bimodal:fast=1,slow=10,p=0.4",
    ];
    for distribution in distributions {
        for entrant in ["k-sync:4", "k-batch-sync:5"] {
            let observed = run(entrant, Cancellation::Preempt, distribution, "", 1500);
            let fitted = fit(&observed).unwrap();
            assert!(fitted.unfinished > 1500, "{entrant} cancels");
            let off = deviations(distribution, &fitted);
            assert!(
                fitted.fits && off.iter().all(|z| z.abs() < 3.0),
                "{distribution}, {entrant}: {off:?}"
            );

            let finished: Vec<_> = observed.into_iter().filter(|o| o.finished).collect();
            let naive = fit(&finished).unwrap();
            let expected = distribution.parse::<Distribution>().unwrap().mean();
            let mean = |fit: &Fit| fit.best().distribution.mean();
            assert!(mean(&naive) < 0.88 * expected, "{distribution}, {entrant}: {}", mean(&naive));
        }
    }
}

#[test]
fn work_that_runs_to_its_end_is_seen_whole() {
    for entrant in ["k-sync:4", "k-async:4", "async"] {
        let observed = run(entrant, Cancellation::OnArrival, "exponential:mean=2", "", 1500);
        let fit = fit(&observed).unwrap();
        assert!(fit.unfinished <= 8, "only at the end something is in flight");
        assert!(deviations("exponential:mean=2", &fit).iter().all(|z| z.abs() < 3.0));
    }
}

#[test]
fn slow_learners_are_found_with_their_factors() {
    for (distribution, slow, expected) in [
        ("exponential:mean=1", "0=3,5=1.5", vec![(0, 3.0), (5, 1.5)]),
        ("pareto:shape=2.5,scale=1", "2=0.5", vec![(2, 0.5)]),
        ("constant:1", "7=3", vec![(7, 3.0)]),
        ("weibull:shape=0.6,scale=1", "", vec![]),
        ("bimodal:fast=1,slow=10,p=0.1", "", vec![]),
    ] {
        let observed = [
            draws(distribution, slow, 8, 1),
            run("k-async:4", Cancellation::Preempt, distribution, slow, 1250),
            run("k-sync:6", Cancellation::Preempt, distribution, slow, 850),
        ];
        for observed in observed {
            let fit = fit(&observed).unwrap();
            // Of constant times, K-sync never waits to see how long the last two take.
            let unseen = distribution == "constant:1" && fit.unfinished > 800;
            let expected = if unseen { &[][..] } else { &expected };
            let found: Vec<_> = fit.slow.iter().map(|factor| factor.learner).collect();
            assert_eq!(
                found,
                expected.iter().map(|e| e.0).collect::<Vec<_>>(),
                "{distribution}, {slow}"
            );
            for (found, (_, factor)) in fit.slow.iter().zip(expected) {
                let error = found.factor.standard_error().unwrap() + 1e-9;
                let off = (found.factor.value - factor).abs() / error;
                assert!(off < 3.0, "{distribution}: {found:?}");
                assert!(
                    fit.warnings.iter().any(|w| w.contains(&format!("learner {}", found.learner)))
                );
            }
            assert!(
                deviations(distribution, &fit).iter().all(|z| z.abs() < 3.5),
                "{distribution}: {:?}",
                fit.best()
            );
        }
    }
}

#[test]
fn a_law_of_no_family_is_told_from_all_of_them() {
    // Two bumps and a gap.
    let seconds: Vec<f64> = draws("uniform:low=1,high=2", "", 1, 0)
        .iter()
        .enumerate()
        .map(|(n, o)| if n % 3 == 0 { o.seconds + 4.0 } else { o.seconds })
        .collect();
    let fit = fit(&Observed::finished(&seconds)).unwrap();
    assert!(!fit.fits && fit.distance > 0.05);
    assert!(fit.warnings[0].contains("trace:FILE"), "{:?}", fit.warnings);
}

#[test]
fn durations_are_read_from_the_events_of_a_run() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("events.jsonl");
    let events = [
        r#"{"t":0.0,"event":"assign","learner":0,"task":0,"version":0,"batch":[1,2]}"#,
        r#"{"t":0.0,"event":"assign","learner":1,"task":0,"version":0,"batch":[3,4]}"#,
        r#"{"t":1.5,"event":"push","learner":1,"task":0,"version":0,"verdict":"accept","loss":2.3}"#,
        r#"{"t":1.5,"event":"update","version":1,"k":1}"#,
        r#"{"t":1.5,"event":"cancel","learner":0,"task":0,"version":0}"#,
        r#"{"t":1.5,"event":"assign","learner":0,"task":1,"version":1,"batch":[5,6]}"#,
        r#"{"t":2.0,"event":"push","learner":0,"task":1,"version":1,"verdict":"accept","loss":2.2}"#,
        r#"{"t":2.0,"event":"assign","learner":1,"task":1,"version":1,"batch":[5,6]}"#,
        r#"{"t":2.25,"event":"update","version":2,"k":1}"#,
    ];
    fs::write(&file, events.join("\n")).unwrap();
    // Learner 0 would have come before learner 1.
    let expected = [(1, 1.5, true), (0, 1.500000001, false), (0, 0.5, true), (1, 0.25, false)];
    let expected =
        expected.map(|(learner, seconds, finished)| Observed { learner, seconds, finished });
    assert_eq!(read_events(&file).unwrap(), expected);

    let wrong = |text: &str| {
        fs::write(&file, text).unwrap();
        read_events(&file).unwrap_err().to_string()
    };
    assert!(wrong("").contains("--events"));
    assert!(wrong("{\"j\":0,\"t\":1.0,\"k\":1}").contains("line 1: is not an event"));
    assert!(wrong(events[2]).contains("line 1: a minibatch ends"));
    assert!(wrong(&[events[2], events[0]].join("\n")).contains("line 1"));
    assert!(wrong(&[events[3], events[0]].join("\n")).contains("line 2: time runs backwards"));
    let message = wrong(r#"{"t":1,"event":"push"}"#);
    assert!(message.contains("names its learner"), "{message}");
    assert!(wrong(&events[0].replace("0.0", "1e300")).contains("beyond 1e10 seconds"));
    fs::write(&file, [0xff, 0xff]).unwrap();
    assert!(read_events(&file).unwrap_err().to_string().ends_with("it is not UTF-8 text"));
    // Sparse: nobody stores it, and nobody could read it in time.
    fs::File::create(&file).unwrap().set_len(10_000_000_000).unwrap();
    let message = read_events(&file).unwrap_err().to_string();
    assert!(message.ends_with("it has more than 1073741824 bytes"), "{message}");
    let message = read_events(file.parent().unwrap()).unwrap_err().to_string();
    assert!(message.ends_with("it is not a regular file"), "{message}");
}

#[test]
fn too_little_or_no_durations_are_refused() {
    let error = |observed: &[Observed]| fit(observed).unwrap_err().to_string();
    assert!(error(&[]).contains("and 0 did"));
    let cancelled = Observed { learner: 0, seconds: 1.0, finished: false };
    assert!(error(&[cancelled; 5]).contains("and 0 did"));
    assert!(error(&Observed::finished(&[1.0])).contains("and 1 did"));
    assert!(error(&Observed::finished(&[1.0, -1.0])).contains("-1 s of learner 0"));
}

/// The correlation of successive durations, in its standard errors.
fn in_errors(fit: &Fit) -> Option<f64> {
    fit.correlation.map(|one| one.value / one.standard_error().unwrap())
}

#[test]
fn independent_durations_are_not_correlated_whatever_is_cancelled() {
    let mut all = Vec::new();
    for distribution in DISTRIBUTIONS {
        for entrant in ["async", "k-sync:4", "k-batch-sync:5", "k-batch-sync:12", "k-async:3"] {
            let fit = fit(&run(entrant, Cancellation::Preempt, distribution, "2=3", 1500)).unwrap();
            let off = in_errors(&fit);
            // Where all take the same time there is nothing to correlate.
            assert_eq!(
                off.is_none(),
                distribution.starts_with("constant"),
                "{distribution}, {entrant}"
            );
            assert!(off.is_none_or(|z| z.abs() < 3.5), "{distribution}, {entrant}: {off:?}");
            assert!(!fit.warnings.iter().any(|warning| warning.contains("not independent")));
            all.extend(off);
        }
    }
    let n = all.len() as f64;
    let (mean, squares) = (all.iter().sum::<f64>() / n, all.iter().map(|z| z * z).sum::<f64>() / n);
    assert!(n >= 35.0 && mean.abs() < 3.0 / n.sqrt() && (0.5..1.6).contains(&squares), "{all:?}");
}

#[test]
fn a_device_that_slows_down_for_a_while_is_found() {
    let whole = draws("exponential:mean=1", "", 1, 5);
    let third = whole.len() / 3;
    let throttled = |(n, one): (usize, &Observed)| {
        let factor = if (third..2 * third).contains(&n) { 2.0 } else { 1.0 };
        Observed { seconds: factor * one.seconds, ..*one }
    };
    let throttled: Vec<_> = whole.iter().enumerate().map(throttled).collect();
    let slowed = fit(&throttled).unwrap();
    assert!(in_errors(&slowed).unwrap() > 5.0, "{:?}", slowed.correlation);
    let warned = slowed.warnings.iter().any(|warning| {
        warning.starts_with("the times of a learner are not independent, as theory assumes")
    });
    assert!(warned, "{:?}", slowed.warnings);
    // In another order the same durations are independent.
    let mut shuffled = throttled;
    shuffled.shuffle(&mut ChaCha8Rng::seed_from_u64(1));
    let fit = fit(&shuffled).unwrap();
    assert!(in_errors(&fit).unwrap().abs() < 3.0, "{:?}", fit.correlation);
}
