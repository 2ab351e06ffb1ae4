//! Advice: its model gives back what it was made of, and whoever follows it does about as well as
//! the best of all entrants.

use std::sync::Arc;

use tortoise::{
    Error, Result,
    advise::{
        Advice, Goal, advise, among, entrants,
        model::{Model, PilotRun, Updates},
        pilot::PilotBudget,
        times::UpdateTimes,
    },
    cluster::engine_pool::EnginePool,
    engine::quadratic::{Quadratic, coins},
    sgd::{Entrant, Objective, RunConfig, scheduler::Variant, trajectory::Point},
    statistics::mean,
    theory::order_statistics,
};

/// A course that falls as `loss` of the updates says.
fn course(k: usize, mean_staleness: f64, loss: impl Fn(f64) -> f64) -> PilotRun {
    let point = |n: u32| {
        let updates = 10.0 * f64::from(n);
        Point { time: updates, updates, loss: loss(updates), loss_se: None }
    };
    PilotRun { k, mean_staleness, points: (0..=100).map(point).collect() }
}

/// With K gradients, `stale` as they are, a loss takes (40 + 60/K) e^{s/10 + s^2/50} times what it
/// takes alone.
fn falling(k: usize, s: f64) -> PilotRun {
    let slower = (0.4 + 0.6 / k as f64) * (0.1 * s + 0.02 * s * s).exp();
    course(k, s, move |updates| (1.0 + updates / slower / 50.0).powf(-0.5))
}

#[test]
fn the_model_gives_back_what_it_was_made_of() {
    let pilots = vec![falling(1, 0.0), falling(8, 0.0), falling(1, 7.0), falling(2, 3.5)];
    let model = Model::new(pilots).unwrap();
    for (k, s) in [(1, 0.0), (3, 0.0), (8, 0.0), (16, 0.0), (1, 7.0), (2, 3.0), (5, 0.6)] {
        let expected = falling(k, s);
        for loss in [0.9, 0.7, 0.5] {
            let exact = expected.updates_to(loss).unwrap().count;
            let updates = model.updates_to(loss, k, s).unwrap();
            assert!(
                (updates.count / exact - 1.0).abs() < 0.02,
                "{k} {s} {loss}: {updates:?} {exact}"
            );
            let after = model.loss_after(exact, k, s).unwrap();
            assert!((after / loss - 1.0).abs() < 0.02, "{k} {s}: {after} for {loss}");
        }
    }
}

#[test]
fn a_course_goes_on_as_the_power_it_ends_with() {
    let power = course(1, 0.0, |updates| (updates + 1e-9).powf(-0.3).min(2.0));
    let Updates { count: updates, within } = power.updates_to(0.08).unwrap();
    assert!(!within && (updates / 0.08_f64.powf(-1.0 / 0.3) - 1.0).abs() < 0.02, "{updates}");
    assert_eq!(power.updates_to(0.01), None, "more than ten times as far as it went");
    let floor = course(1, 0.0, |updates| 0.5 + 1e-3 * updates);
    assert_eq!(floor.updates_to(0.4), None, "it rises");
}

#[test]
fn what_stales_more_than_a_run_that_fails_fails_too() {
    let stuck = course(1, 7.0, |_| 1.0);
    let model = Model::new(vec![falling(1, 0.0), falling(8, 0.0), stuck, falling(2, 3.5)]).unwrap();
    assert_eq!(model.updates_to(0.5, 1, 7.0), None);
    assert!(model.updates_to(0.5, 2, 3.5).is_some());
    assert!(model.updates_to(0.5, 4, 1.0).is_some());
    assert!(matches!(Model::new(vec![course(1, 0.0, |_| 1.0)]), Err(Error::Config(_))));
}

#[test]
fn a_smoothed_course_never_rises_and_keeps_its_mean() {
    let noisy = course(1, 0.0, |updates| (-updates / 500.0 + (updates / 7.0).sin()).exp());
    let smooth = noisy.smoothed();
    assert!(smooth.points.windows(2).all(|pair| pair[1].loss <= pair[0].loss));
    let sum = |course: &PilotRun| course.points.iter().map(|point| point.loss.ln()).sum::<f64>();
    assert!((sum(&noisy) - sum(&smooth)).abs() < 1e-9);
}

#[test]
fn times_of_updates_are_those_of_theory() {
    let mut run_config = RunConfig::new(8, 0.1);
    run_config.delay = Some("uniform:low=0,high=2".parse().unwrap());
    let times = UpdateTimes::of(&Entrant::with_k(Variant::KSync, 4), &run_config).unwrap();
    let each = order_statistics::expected(&run_config.distribution().unwrap(), 4, 8);
    for n in [1.0, 100.0, 1000.0, 5000.0] {
        let off = times.of_update(n) - n * each;
        assert!(off.abs() < 4.0 * times.deviation_of(n * each).max(0.1), "{n}: {off}");
        assert!((times.updates_within(n * each) / n - 1.0).abs() < 0.05 || n == 1.0, "{n}");
    }
}

#[test]
fn entrants_to_weigh_are_all_different() {
    assert_eq!(entrants(1), [Entrant::SYNC]);
    for learners in [2, 8, 64] {
        let all = entrants(learners);
        assert!(all.iter().all(|entrant| entrant.fixed_k(learners).is_ok()));
        let mut seen: Vec<_> =
            all.iter().map(|e| (Variant::of(e.rules()).unwrap(), e.k(learners).unwrap())).collect();
        let doubles = |(variant, k): &(Variant, usize)| {
            matches!((variant, *k), (Variant::KBatchSync | Variant::KBatchAsync, 1))
                || *variant == Variant::KAsync && *k == learners
        };
        assert!(!seen.iter().any(doubles));
        seen.sort_by_key(|(variant, k)| (*variant as usize, *k));
        seen.dedup();
        assert_eq!(seen.len(), all.len());
    }
}

/// Minimises over fair coins from 0 on.
struct Coins {
    objective: Objective,
    dimensions: usize,
}

impl Coins {
    fn new() -> Self {
        let dimensions = 100;
        let split = Arc::new(coins(2000, dimensions, 1).unwrap());
        let engine = || Quadratic::new(&split, vec![1.0; dimensions]);
        let queues = EnginePool::here(engine());
        Self { objective: Objective::new(queues, engine()), dimensions }
    }

    fn advise(&self, run_config: &RunConfig, goal: Goal) -> Result<Advice> {
        let budget = PilotBudget { updates: 200, repetitions: 2, seed: 100 };
        let initial = |_| vec![0.0; self.dimensions];
        let all = entrants(run_config.learners);
        advise(run_config, &self.objective, &initial, &all, goal, &budget)
    }

    /// Mean run time to `target`, of at most `budget`.
    fn time(&self, run_config: &RunConfig, entrant: &Entrant, target: f64, budget: f64) -> f64 {
        let run_config = RunConfig {
            budget: Some(budget),
            evaluate_every: Some(budget / 200.0),
            ..run_config.clone()
        };
        let time = |seed| {
            let initial = vec![0.0; self.dimensions];
            let course = self.objective.trajectory(&run_config, entrant, seed, &initial).unwrap();
            let reached = course.points.iter().find(|point| point.loss <= target);
            reached.map_or(budget, |point| point.time)
        };
        mean(&(0..8).map(time).collect::<Vec<_>>()).unwrap()
    }
}

#[test]
fn losses_over_a_part_of_the_samples_become_those_over_all() {
    let (dimensions, m) = (20, 4);
    let split = Arc::new(coins(2000, dimensions, 1).unwrap());
    let part = Arc::new(split.first(400));
    let engine = |of| Quadratic::new(of, vec![1.0; dimensions]);
    let queues = || EnginePool::here(engine(&split));
    let run_config = RunConfig {
        minibatch: m,
        budget: Some(60.0),
        evaluate_every: Some(2.0),
        ..RunConfig::new(4, 0.02)
    };
    let losses = |objective: &Objective| -> Vec<f64> {
        let run = objective.trajectory(&run_config, &Entrant::ASYNC, 1, &[0.0; 20]).unwrap();
        run.points.iter().map(|point| point.loss).collect()
    };
    let exact = losses(&Objective::new(queues(), engine(&split)));
    let small = losses(&Objective::new(queues(), engine(&part)));
    let mended = losses(&Objective::sampled(queues(), engine(&part), engine(&split)));
    assert_eq!(exact.len(), 31);
    let errors = |losses: &[f64]| -> Vec<f64> {
        losses.iter().zip(&exact).map(|(loss, exact)| (loss / exact - 1.0).abs()).collect()
    };
    let (unmended, mended) = (errors(&small), errors(&mended));
    for compared in [0, 1, 4, 16, 30] {
        assert!(mended[compared] < 1e-12, "{compared}: {mended:?}");
    }
    let largest = |errors: &[f64]| errors.iter().copied().fold(0.0, f64::max);
    assert!(largest(&mended) < largest(&unmended) / 3.0, "{mended:?}, {unmended:?}");
}

#[test]
fn nobody_is_a_fifth_faster_than_who_is_advised() {
    let coins = Coins::new();
    for distribution in [
        "exponential:mean=1",
        "shifted-exponential:shift=1,mean=1",
        "weibull:shape=0.5,scale=1",
        "bimodal:fast=1,slow=10,p=0.1",
    ] {
        let run_config = RunConfig { delay: distribution.parse().ok(), ..RunConfig::new(8, 0.05) };
        // A twenty-fifth of the loss at the start; one fresh gradient an update goes down to 2.6 %
        // of it, a stale one under exponential times to 3.4 %.
        let target = 0.04 * 100.0 / 8.0;
        let advice = coins.advise(&run_config, Goal::Target(target)).unwrap();
        let best = advice.best().unwrap();
        let advised = coins.time(&run_config, &best.entrant, target, 3.0 * best.time.unwrap());
        let expected = best.time.unwrap();
        assert!((advised / expected - 1.0).abs() < 0.35, "{distribution}: {advised} for {best:?}");
        for entrant in entrants(run_config.learners) {
            let time = coins.time(&run_config, &entrant, target, 1.5 * advised);
            assert!(
                advised < 1.2 * time,
                "{distribution}: {} {advised}, {entrant} {time}",
                best.entrant
            );
        }
    }
}

#[test]
fn a_budget_is_forecast_by_the_loss_at_its_end() {
    let coins = Coins::new();
    let run_config = RunConfig::new(8, 0.1);
    let advice = coins.advise(&run_config, Goal::Budget(20.0)).unwrap();
    let best = advice.best().unwrap();
    let run_config = RunConfig { budget: Some(20.0), ..run_config };
    let loss = |seed| {
        let course =
            coins.objective.trajectory(&run_config, &best.entrant, seed, &vec![0.0; 100]).unwrap();
        course.points[course.points.len() - 1].loss
    };
    let loss = mean(&(0..8).map(loss).collect::<Vec<_>>()).unwrap();
    assert!((loss / best.loss.unwrap() - 1.0).abs() < 0.3, "{loss} for {best:?}");
    let course = advice.course(best);
    assert!(course.windows(2).all(|pair| pair[0].time <= pair[1].time));
    let (first, last) = (course[0], course[course.len() - 1]);
    assert_eq!((first.time, last.time, Some(last.loss)), (0.0, 20.0, best.loss));
}

#[test]
fn a_goal_that_is_none_is_refused() {
    let coins = Coins::new();
    for goal in [Goal::Target(f64::NAN), Goal::Target(0.0), Goal::Budget(-1.0)] {
        assert!(matches!(coins.advise(&RunConfig::new(8, 0.1), goal), Err(Error::Config(_))));
    }
    let unreachable = coins.advise(&RunConfig::new(8, 0.1), Goal::Target(1e-9)).unwrap();
    assert!(unreachable.best().is_none());
}

/// A part of the time that grows with m, against the same shift written out, and against simulation.
#[test]
fn each_sample_adds_to_the_time_of_a_minibatch() {
    let of = |delay: &str, per_sample: f64, minibatch: usize| RunConfig {
        delay: delay.parse().ok(),
        per_sample,
        minibatch,
        ..RunConfig::new(8, 0.1)
    };
    for (delay, total) in [
        ("exponential:mean=1", "shifted-exponential:shift=0.5,mean=1"),
        ("shifted-exponential:shift=1,mean=1", "shifted-exponential:shift=1.5,mean=1"),
        ("uniform:low=0,high=2", "uniform:low=0.5,high=2.5"),
        ("constant:1", "constant:1.5"),
        ("bimodal:fast=1,slow=10,p=0.1", "bimodal:fast=1.5,slow=10.5,p=0.1"),
        ("pareto:shape=2,scale=1", "pareto:shape=2,scale=1,shift=0.5"),
        ("weibull:shape=0.5,scale=1,shift=1", "weibull:shape=0.5,scale=1,shift=1.5"),
    ] {
        let later = of(delay, 0.125, 4).distribution().unwrap();
        assert_eq!(later.to_string(), total);
        assert_eq!(later, total.parse().unwrap());
        assert_eq!(of(delay, 0.0, 4).distribution().unwrap(), delay.parse().unwrap());
    }
    // 1 + m / 4 s a minibatch: 8 s of run time are 4 updates of sync with m = 4, and 2 with m = 12.
    for (minibatch, updates) in [(4, 4), (12, 2)] {
        let times = UpdateTimes::of(&Entrant::SYNC, &of("constant:1", 0.25, minibatch)).unwrap();
        assert_eq!(times.updates_within(8.0), f64::from(updates));
    }
}

#[test]
fn the_best_minibatch_and_rate_are_chosen_with_the_entrant() {
    let coins = Coins::new();
    let run_config = RunConfig { per_sample: 0.05, ..RunConfig::new(8, 0.1) };
    let goal = Goal::Target(0.04 * 100.0 / 8.0);
    let choices = [(1, 0.05), (16, 0.05), (16, 0.4), (256, 0.4), (16, 4.0)];
    let mut alone = Vec::new();
    let advice = among(&run_config, &choices, |run_config| {
        let advice = coins.advise(run_config, goal)?;
        alone.extend(advice.forecasts.clone());
        Ok(advice)
    });
    let advice = advice.unwrap();
    let best = advice.best().unwrap();
    assert_eq!((best.minibatch, best.learning_rate), (16, 0.4), "{best:?}");
    assert_eq!(advice.forecasts.len(), alone.len());
    let times: Vec<f64> = advice.forecasts.iter().filter_map(|one| one.time).collect();
    assert!(
        times.is_sorted() && alone.iter().all(|one| one.time.is_none_or(|time| time >= times[0]))
    );
    // At a rate of 4 over a curvature of 1 nothing converges.
    assert_eq!(advice.left_out.len(), 1);
    assert_eq!((advice.left_out[0].minibatch, advice.left_out[0].learning_rate), (16, 4.0));
    assert!(advice.left_out[0].reason.contains("no pilot run lowers the loss"));
    assert!(!advice.course(best).is_empty());
    let none = among(&run_config, &[(16, 4.0)], |run_config| coins.advise(run_config, goal));
    assert!(matches!(none, Err(Error::Config(_))));
}
