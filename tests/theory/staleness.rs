//! Staleness of the scheduler itself beside its distributions: over all gradients, by their place in an
//! update, and of all learners together. Distributions, chain and scheduler know nothing of each other.

use std::{collections::BTreeMap, time::Duration};

use crate::distributions::DISTRIBUTIONS;
use tortoise::{
    Result,
    cluster::delay::{Delays, Distribution, Slow},
    sgd::{
        Cancellation, Entrant, Event, Limits, Observer, Variant,
        simulate::{Times, default_warm_up, simulate, times_only},
    },
    statistics,
    theory::{
        capped, lead,
        learners::Learners,
        momentum::HeavyBall,
        runtime,
        staleness::{
            self, Expected, Staleness,
            chain::{Chain, State},
        },
    },
};

const EXPONENTIAL: &str = "exponential:mean=1";
fn delays(distribution: &str, slow: &str, p: usize, seed: u64) -> Delays {
    let distribution: Distribution = distribution.parse().unwrap();
    Delays::new(distribution, &slow.parse().unwrap(), p, seed).unwrap()
}

#[track_caller]
fn measure(
    (variant, p, k): (Variant, usize, usize),
    distribution: &str,
    slow: &str,
    seed: u64,
    updates: u64,
) -> Times {
    let delays = delays(distribution, slow, p, seed);
    let entrant = Entrant::with_k(variant, k);
    let warm_up = default_warm_up(p, k);
    simulate(&entrant, Cancellation::Preempt, p, delays, warm_up, updates).unwrap()
}

/// Every variant, P up to 20 and K = 1, P/2, P, with more minibatches than learners too.
fn cases() -> Vec<(Variant, usize, usize)> {
    let mut cases = Vec::new();
    for variant in Variant::ALL {
        for p in [1_usize, 2, 5, 8, 20] {
            let mut ks = vec![1, p.div_ceil(2), p];
            ks.dedup();
            if !variant.waits() {
                ks.push(p + 3);
            }
            cases.extend(ks.into_iter().map(|k| (variant, p, k)));
        }
    }
    cases
}

/// Shares of s = 0, 1, ... in independent runs, in standard errors from the distribution. Those so rare
/// that they are not normal in a run count together.
#[test]
fn every_variant_follows_its_law_under_exponential_times() {
    const RUNS: u64 = 60;
    let (mut squares, mut compared) = (0.0, 0.0);
    for (variant, p, k) in cases() {
        let distribution = Staleness::memoryless(variant, p, k);
        let updates = 6000_u64.div_ceil(k as u64);
        let runs: Vec<_> = (0..RUNS)
            .map(|run| {
                let seed = run + 1000 * (p * 100 + k * 4 + variant as usize) as u64;
                measure((variant, p, k), EXPONENTIAL, "", seed, updates)
            })
            .collect();
        let rare = (0..).find(|&s| distribution.at_least(s) < 0.01).unwrap() as usize;
        let share = |times: &Times, from: usize, to: usize| {
            let counts = times.staleness_histogram.iter();
            counts.skip(from).take(to - from).sum::<u64>() as f64 / times.used as f64
        };
        for s in 0..=rare {
            let (to, expected) = match s {
                _ if s == rare => (usize::MAX, distribution.at_least(s as u64)),
                _ => (s + 1, distribution.probability(s as u64)),
            };
            let shares: Vec<_> = runs.iter().map(|times| share(times, s, to)).collect();
            let off = statistics::mean(&shares).unwrap() - expected;
            let standard_error = statistics::standard_error(&shares).unwrap();
            let case = format!("{variant:?} P={p} K={k} s={s}: {off} ± {standard_error}");
            if standard_error < 1e-12 {
                assert!(off.abs() < 1e-12, "{case}");
                continue;
            }
            let z = off / standard_error;
            assert!(z.abs() < 4.0, "{case}");
            squares += z * z;
            compared += 1.0;
        }
    }
    let rms = f64::sqrt(squares / compared);
    assert!(compared > 200.0 && (0.85..1.15).contains(&rms), "RMS z = {rms} of {compared}");
}

/// Watches who holds which version, and what is pushed.
#[derive(Default)]
struct Watch {
    held: Vec<u64>,
    version: u64,
    /// The state of all learners, before each update.
    states: Vec<State>,
    /// The staleness of each gradient of the update in progress, and of all that were made.
    gathered: Vec<u64>,
    updates: Vec<Vec<u64>>,
}

impl Observer for Watch {
    fn event(&mut self, _: Duration, event: &Event) -> Result<()> {
        match *event {
            Event::Assign { learner, version, .. } => self.held[learner] = version,
            Event::Push { version, .. } => self.gathered.push(self.version - version),
            Event::Update { version, .. } => {
                let stale = self.held.iter().map(|held| self.version - held);
                self.states.push(State(stale.collect()));
                self.updates.push(std::mem::take(&mut self.gathered));
                self.version = version;
            }
            _ => unreachable!("asynchronous variants cancel nothing, and nobody is lost"),
        }
        Ok(())
    }
}

fn watch(variant: Variant, p: usize, k: usize, seed: u64, updates: u64) -> Watch {
    let entrant = Entrant::with_k(variant, k);
    let mut run =
        times_only(&entrant, Cancellation::Preempt, p, delays(EXPONENTIAL, "", p, seed)).unwrap();
    let mut watch = Watch { held: vec![0; p], ..Watch::default() };
    run.train(&Limits { updates: Some(updates), ..Limits::default() }, &mut watch).unwrap();
    watch
}

/// Pearson's statistic over independent draws, in its own standard deviations from its mean: outcomes
/// that are expected fewer than ten times count together.
fn chi_square<T: Ord>(
    drawn: impl IntoIterator<Item = T>,
    distribution: impl Fn(&T) -> f64,
) -> (f64, usize) {
    let (mut counts, mut draws) = (BTreeMap::new(), 0.0);
    for outcome in drawn {
        *counts.entry(outcome).or_insert(0.0) += 1.0;
        draws += 1.0;
    }
    let (mut statistic, mut cells) = (0.0, 0);
    let (mut other, mut other_expected) = (draws, draws);
    for (outcome, count) in &counts {
        let expected = draws * distribution(outcome);
        assert!(expected > 0.0, "what cannot be was drawn");
        if expected >= 10.0 {
            statistic += (count - expected).powi(2) / expected;
            cells += 1;
            other -= count;
            other_expected -= expected;
        }
    }
    if other_expected > 1.0 {
        statistic += (other - other_expected).powi(2) / other_expected;
        cells += 1;
    }
    let freedom = (cells - 1) as f64;
    ((statistic - freedom) / (2.0 * freedom).sqrt(), cells)
}

#[test]
fn each_gradient_of_an_update_follows_its_own_law() {
    for (variant, p, k) in [
        (Variant::KBatchAsync, 8, 4),
        (Variant::KBatchAsync, 2, 3),
        (Variant::KBatchAsync, 20, 10),
        (Variant::KAsync, 8, 4),
        (Variant::KAsync, 5, 2),
    ] {
        let made = watch(variant, p, k, 11, 300_000).updates;
        // So far apart that all learners have pushed since, but for one time in 10,000.
        let apart = (p * 10).div_ceil(k);
        for l in 1..=k {
            let distribution = Staleness::memoryless_of(variant, p, k, l);
            let drawn = made.iter().skip(100).step_by(apart).map(|update| update[l - 1]);
            let (z, cells) = chi_square(drawn, |&s| distribution.probability(s));
            assert!(cells > 2 && z.abs() < 4.0, "{variant:?} P={p} K={k} l={l}: {z} of {cells}");
        }
    }
}

#[test]
fn the_law_of_all_gradients_is_the_mean_of_their_laws() {
    for variant in Variant::ALL {
        for (p, k) in [(1, 1), (2, 1), (8, 4), (8, 8), (20, 7), (1000, 3)] {
            let all = Staleness::memoryless(variant, p, k);
            let each: Vec<_> =
                (1..=k).map(|l| Staleness::memoryless_of(variant, p, k, l)).collect();
            let mean = |of: &dyn Fn(&Staleness) -> f64| {
                each.iter().map(of).sum::<f64>() / each.len() as f64
            };
            for s in 0..30 {
                let case = format!("{variant:?} P={p} K={k} s={s}");
                let (whole, parts) =
                    (all.probability(s), mean(&|distribution| distribution.probability(s)));
                assert!((whole - parts).abs() < 1e-12, "{case}: {whole} {parts}");
                let rest = all.at_least(s) - all.at_least(s + 1);
                assert!((whole - rest).abs() < 1e-12, "{case}: {whole} {rest}");
            }
            assert!((all.mean() - mean(&Staleness::mean)).abs() < 1e-9, "{variant:?} P={p} K={k}");
            let counted = staleness::mean(variant, p, k).unwrap();
            assert!((all.mean() - counted).abs() < 1e-9 * (1.0 + counted), "{variant:?} P={p}");
        }
    }
    // P = 8, K = 4: Lemma 8 of Dutta et al. 2018 has 1/8 for all of them.
    let fresh = |variant| Staleness::memoryless(variant, 8, 4).fresh();
    assert!((fresh(Variant::KAsync) - 0.5).abs() < 1e-12);
    assert!((fresh(Variant::KBatchAsync) - 0.2758).abs() < 5e-5);
    for (l, expected) in [(1, 0.125), (2, 0.2344), (3, 0.3301), (4, 0.4138)] {
        let fresh = Staleness::memoryless_of(Variant::KBatchAsync, 8, 4, l).fresh();
        assert!((fresh - expected).abs() < 5e-5, "l={l}: {fresh}");
    }
}

#[test]
fn means_hold_for_any_times_and_for_slow_learners() {
    for distribution in DISTRIBUTIONS {
        for (p, k) in [(2, 1), (8, 3), (8, 8), (20, 7)] {
            for slow in ["", "0=3,1=1.7"] {
                for variant in Variant::ALL {
                    let times = measure((variant, p, k), distribution, slow, 3, 8000);
                    let expected = staleness::mean(variant, p, k).unwrap();
                    let case = format!("{variant:?} P={p} K={k} {distribution} {slow}: {times:?}");
                    // What is under way at the ends of the run is all that is not counted.
                    assert!((times.mean_staleness - expected).abs() < 0.02, "{case}");
                }
            }
        }
    }
}

#[test]
fn fresh_gradients_are_as_many_as_the_class_of_the_law_allows() {
    let (mut below, mut above) = (0, 0);
    for distribution in DISTRIBUTIONS {
        for (variant, p, k) in cases() {
            let parsed = distribution.parse().unwrap();
            let known = staleness::expected(variant, &parsed, &Slow::default(), p, k).unwrap();
            let times =
                measure((variant, p, k), distribution, "", 5, 30_000_u64.div_ceil(k as u64));
            let Expected { distribution: exact, fresh_at_least, fresh_at_most, .. } = known;
            let case = format!("{variant:?} P={p} K={k} {distribution}: {known:?} {times:?}");
            let fresh = times.fresh_fraction;
            assert!(fresh_at_least - 0.015 < fresh && fresh < fresh_at_most + 0.015, "{case}");
            assert!(
                exact.is_none_or(|distribution| (distribution.fresh() - fresh).abs() < 0.015),
                "{case}"
            );
            assert!(exact.is_some() == (fresh_at_least == fresh_at_most), "{case}");
            // Where a class of distributions decides, it is well away from K/P.
            let share = k as f64 / p as f64;
            below += usize::from(exact.is_none() && fresh_at_most == share && fresh < share - 0.05);
            above +=
                usize::from(exact.is_none() && fresh_at_least == share && fresh > share + 0.05);
        }
    }
    assert!(below > 10 && above > 8, "{below} below K/P, {above} above");
}

/// What is counted holds in every run and for learners of any speed, without a margin.
#[test]
fn some_gradients_are_fresh_whatever_the_times() {
    for distribution in DISTRIBUTIONS {
        for (variant, p, k) in cases() {
            let slow: Slow = "0=4".parse().unwrap();
            let known =
                staleness::expected(variant, &distribution.parse().unwrap(), &slow, p, k).unwrap();
            let times = measure((variant, p, k), distribution, "0=4", 9, 500);
            let case = format!("{variant:?} P={p} K={k} {distribution}: {known:?} {times:?}");
            assert!(times.fresh_fraction >= known.fresh_at_least - 1e-12, "{case}");
            assert!(known.distribution.is_some() == (known.fresh_at_least == 1.0), "{case}");
        }
    }
    // With constant times K-async has no more than that, and where there is no mean there is none.
    let times = measure((Variant::KAsync, 8, 6), "constant:1", "", 0, 1000);
    assert!((times.fresh_fraction - 4.0 / 6.0).abs() < 1e-12);
    let heavy: Distribution = "pareto:shape=1,scale=1".parse().unwrap();
    let mean = |variant| staleness::expected(variant, &heavy, &Slow::default(), 8, 4).unwrap().mean;
    assert_eq!((mean(Variant::KAsync), mean(Variant::KSync)), (None, Some(0.0)));
}

/// Slide 87 of the talk on Dutta et al. 2018: (0,0), (0,1), (0,2), (1,0), (2,0).
#[test]
fn two_asynchronous_learners_walk_through_the_states_of_the_slide() {
    let chain = Chain::new(2, 1);
    let mut seen: Vec<String> = (0..=2)
        .flat_map(|updates| chain.after(updates).into_keys())
        .map(|state| state.to_string())
        .collect();
    seen.sort();
    seen.dedup();
    assert_eq!(seen, ["(0,0)", "(0,1)", "(0,2)", "(1,0)", "(2,0)"]);
    let state = |a, b| State(vec![a, b]);
    assert_eq!(chain.successors(&state(0, 0)), [(state(0, 1), 0.5), (state(1, 0), 0.5)]);
    assert_eq!(chain.successors(&state(0, 2)), [(state(0, 3), 0.5), (state(1, 0), 0.5)]);
    for n in 1..40 {
        let expected = 0.5_f64.powi(n + 1);
        let n = n as u64;
        assert_eq!(chain.stationary(&state(0, n)), expected);
        assert_eq!(chain.stationary(&state(n, 0)), expected);
    }
    assert_eq!((chain.stationary(&state(0, 0)), chain.stationary(&state(1, 1))), (0.0, 0.0));
}

#[test]
fn a_chain_that_is_walked_comes_to_its_long_run() {
    for (p, k, updates) in [(1, 1, 3), (2, 1, 40), (2, 2, 5), (3, 1, 30), (3, 2, 30), (4, 2, 15)] {
        let chain = Chain::new(p, k);
        let states = chain.after(updates);
        assert!((states.values().sum::<f64>() - 1.0).abs() < 1e-12, "P={p} K={k}");
        let mut missing = 1.0;
        for (state, probability) in &states {
            if state.0.iter().all(|s| *s < updates) {
                let expected = chain.stationary(state);
                assert!((probability / expected - 1.0).abs() < 1e-12, "P={p} K={k} {state}");
                missing -= expected;
            }
        }
        let some_learner =
            p as f64 * Staleness::memoryless(Variant::KAsync, p, k).at_least(updates);
        assert!(missing <= some_learner + 1e-12, "P={p} K={k}: {missing}");
        let distribution = Staleness::memoryless(Variant::KAsync, p, k);
        let marginal = Chain::marginal(&states);
        for (s, probability) in marginal.iter().enumerate().take(updates as usize) {
            let expected = distribution.probability(s as u64);
            assert!((probability - expected).abs() < 1e-12, "P={p} K={k} s={s}: {probability}");
        }
    }
}

#[test]
fn the_learners_of_the_scheduler_walk_like_the_chain() {
    for (p, k) in [(2, 1), (3, 1), (3, 2), (4, 2), (5, 4)] {
        let chain = Chain::new(p, k);
        // So far apart that all learners have pushed since, but for one time in 10^6.
        let apart = (p * 16).div_ceil(k);
        let states = watch(Variant::KAsync, p, k, 23, 600_000).states;
        let drawn = states.iter().skip(200).step_by(apart);
        let (z, cells) = chi_square(drawn, |state| chain.stationary(state));
        assert!(cells > p && z.abs() < 4.0, "P={p} K={k}: {z} of {cells}");
        // And from the common start on, over runs.
        let after = chain.after(3);
        let starts = (0..5000).map(|seed| watch(Variant::KAsync, p, k, seed, 4).states.remove(3));
        let (z, cells) = chi_square(starts, |state| after.get(state).copied().unwrap_or(0.0));
        assert!(cells > p && z.abs() < 4.0, "P={p} K={k}, 3 updates: {z} of {cells}");
    }
}

/// The mean of w over all ways in which learners can push, each as likely as the others: what the
/// momentum is derived from, but walked through one by one.
fn mean_of_all_orders(p: usize, k: usize, step: f64, updates: u32) -> Vec<f64> {
    let mut ways = vec![(1.0, vec![1.0; p])];
    let mut means = vec![1.0];
    for _ in 0..updates {
        let mut next = Vec::new();
        for (w, read) in ways {
            for learners in (0..1_u32 << p).filter(|set| set.count_ones() as usize == k) {
                let pushes = |learner: usize| learners >> learner & 1 == 1;
                let gradients: f64 = (0..p).filter(|i| pushes(*i)).map(|i| step * read[i]).sum();
                let w = w - gradients / k as f64;
                let read = (0..p).map(|i| if pushes(i) { w } else { read[i] }).collect();
                next.push((w, read));
            }
        }
        ways = next;
        means.push(ways.iter().map(|(w, _)| w).sum::<f64>() / ways.len() as f64);
    }
    means
}

/// Slide 76 of the talk; Mitliagkas et al. 2016.
#[test]
fn the_mean_of_stale_updates_is_that_of_a_heavy_ball() {
    for (p, k, updates) in [(1, 1, 5), (2, 1, 12), (3, 1, 9), (3, 2, 9), (4, 2, 6), (2, 2, 5)] {
        for step in [0.1, 0.9] {
            let ball = HeavyBall::of_stale(p, k);
            assert_eq!(
                (ball.beta, ball.rate_ratio),
                (1.0 - k as f64 / p as f64, k as f64 / p as f64)
            );
            let means = mean_of_all_orders(p, k, step, updates);
            for (mean, expected) in means.iter().zip(ball.course(step, 1.0)) {
                assert!((mean - expected).abs() < 1e-12, "P={p} K={k}: {mean}, not {expected}");
            }
        }
    }
}

#[test]
fn the_likeliest_states_come_first() {
    let states = Chain::new(2, 1).likeliest(5);
    let states: Vec<_> = states.iter().map(|(state, p)| (state.to_string(), *p)).collect();
    let expected =
        [("(0,1)", 0.25), ("(1,0)", 0.25), ("(0,2)", 0.125), ("(2,0)", 0.125), ("(0,3)", 0.0625)];
    assert_eq!(states, expected.map(|(state, p)| (state.to_owned(), p)));
    assert_eq!(Chain::new(3, 3).likeliest(4), [(State(vec![0, 0, 0]), 1.0)]);
}

#[test]
fn ringmaster_that_stops_what_is_too_stale_has_a_law_under_exponential_times() {
    for (p, bound) in [(1, 4), (4, 1), (4, 3), (8, 8), (8, 30), (20, 5)] {
        let entrant: Entrant = format!("ringmaster:{bound}").parse().unwrap();
        let (rules, cancellation) = (entrant.rules(), Cancellation::Preempt);
        let learners = Learners::alike(p, EXPONENTIAL.parse().unwrap());
        let law = capped::shares(rules, &learners, 1).unwrap();
        assert!((law.iter().sum::<f64>() - 1.0).abs() < 1e-12 && law.len() <= bound);
        let delays = delays(EXPONENTIAL, "", p, bound as u64);
        let (warm_up, updates) = (default_warm_up(p, 1), 200_000);
        let times = simulate(&entrant, cancellation, p, delays, warm_up, updates).unwrap();
        let error = times.mean_update_time_se.unwrap();
        let z = (times.mean_update_time - 1.0 / p as f64) / error;
        assert!(z.abs() < 4.0, "P={p} R={bound}: {z}");
        let expected = staleness::expected_of(rules, &learners, 1);
        let mean = expected.unwrap().mean.unwrap();
        assert!((times.mean_staleness - mean).abs() < 0.02 * mean.max(0.1), "P={p} R={bound}");
        for (s, share) in law.iter().enumerate() {
            let seen = times.staleness_histogram.get(s).copied().unwrap_or(0) as f64;
            // Successive gradients are alike, so that there are fewer than it seems.
            let error = (share / updates as f64 * 4.0 * p as f64).sqrt();
            assert!((seen / updates as f64 - share).abs() <= 4.0 * error, "P={p} R={bound} s={s}");
        }
    }
    let of = |entrant: &str, delay: &str, slow: &str, cancellation| {
        let rules = entrant.parse::<Entrant>().unwrap().rules();
        let (delay, slow) = (delay.parse().unwrap(), slow.parse().unwrap());
        let learners = Learners { slow, cancellation, ..Learners::alike(8, delay) };
        capped::shares(rules, &learners, 1)
    };
    assert!(of("ringmaster:4", EXPONENTIAL, "", Cancellation::OnArrival).is_none());
    let same = of("async@stale=4", EXPONENTIAL, "", Cancellation::Preempt);
    assert_eq!(same, of("ringmaster:4", EXPONENTIAL, "", Cancellation::Preempt));
    assert!(same.is_some());
    assert!(of("ringmaster:4", EXPONENTIAL, "1=2", Cancellation::Preempt).is_none());
    assert!(of("ringmaster:4", "constant:1", "", Cancellation::Preempt).is_none());
    assert!(of("ssp:4", EXPONENTIAL, "", Cancellation::Preempt).is_none());
}

#[test]
fn a_bounded_lead_has_times_and_a_mean_staleness_under_exponential_times() {
    let cancellation = Cancellation::Preempt;
    for (p, lead) in [(1, 2), (2, 0), (2, 3), (4, 1), (8, 0), (8, 1), (8, 4), (12, 2)] {
        let entrant: Entrant = format!("ssp:{lead}").parse().unwrap();
        let learners = Learners::alike(p, EXPONENTIAL.parse().unwrap());
        let rules = entrant.rules();
        let known = runtime::update_time_of(rules, &learners, 1);
        let time = known.mean_update_time.unwrap();
        let expected = staleness::expected_of(rules, &learners, 1);
        let mean = expected.unwrap().mean.unwrap();
        let delays = delays(EXPONENTIAL, "", p, lead);
        let (warm_up, updates) = (5000, 200_000);
        let times = simulate(&entrant, cancellation, p, delays, warm_up, updates).unwrap();
        let z = (times.mean_update_time - time) / times.mean_update_time_se.unwrap();
        assert!(z.abs() < 4.0, "P={p} S={lead}: {z}");
        assert!((times.mean_staleness - mean).abs() < 0.02 * mean.max(0.1), "P={p} S={lead}");
    }
    let of = |entrant: &str, delay: &str, slow: &str, p| {
        let rules = entrant.parse::<Entrant>().unwrap().rules();
        let slow = slow.parse().unwrap();
        lead::at_work(rules, &Learners { slow, ..Learners::alike(p, delay.parse().unwrap()) }, 1)
    };
    assert!(of("ssp:4", EXPONENTIAL, "", 8).is_some());
    assert!(of("ssp:4", EXPONENTIAL, "1=2", 8).is_none());
    assert!(of("ssp:4", "constant:1", "", 8).is_none());
    assert!(of("ssp:40", EXPONENTIAL, "", 80).is_none());
    assert!(of("async", EXPONENTIAL, "", 8).is_none());
    assert!(of("ringmaster:4", EXPONENTIAL, "", 8).is_none());
}
