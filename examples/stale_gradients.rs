//! What staleness does, on quadratics where it is known: it acts as momentum (slide 76 of the talk on
//! Dutta et al. 2018), and rates that fall with drift bound what it costs (theorem 4).

mod common;

use std::{sync::Arc, time::Duration};

use clap::Parser;
use tortoise::{
    Result,
    cluster::{Snapshot, engine_pool::EnginePool},
    engine::quadratic::{Quadratic, coins},
    ids::{LearnerId, Version},
    report::plot::{Chart, Dot, Line, Look, Scale, Sheet},
    sgd::{Entrant, Event, Observer, RunConfig, Verdict, learning_rate::RateRule},
    statistics,
    theory::{
        error::{Compensated, Constants},
        momentum::HeavyBall,
    },
};

/// P of the runs whose mean is that of a heavy ball.
const LEARNERS: [usize; 3] = [2, 8, 24];
const STEP: f64 = 0.1;
/// Theorem 4: P, eta and C, from none to much of the drift that there is without it.
const P: usize = 8;
const ETA: f64 = 0.2;
const CS: [f64; 3] = [0.01, 0.1, 1.0];
const CURVATURES: [f64; 2] = [1.0, 0.5];

fn main() -> Result<()> {
    let args = common::Args::parse();
    let (mut rows, mut lines) = (Vec::new(), Vec::new());
    for p in LEARNERS {
        momentum(&args, p, &mut rows, &mut lines)?;
    }
    let across = Scale::linear("updates");
    let up = Scale::linear("w, mean over runs; the minimum is at 1");
    let ball =
        Chart::new(across.clone(), up, lines).titled("async without noise, and a heavy ball");
    let mut lines = Vec::new();
    for c in CS {
        compensated(&args, c, &mut rows, &mut lines)?;
    }
    let bound =
        Chart::new(across, Scale::log("F(w) - F*"), lines).titled("compensated rates, P = 8");
    let caption = format!(
        "Left: curvature times rate {STEP}. Right: two coins, curvatures 1 and 0.5, eta = {ETA}, m = 1. \
         Exponential times"
    );
    let sheet = Sheet::new(vec![ball, bound], caption).with_thin("theory: heavy ball; theorem 4");
    args.write("stale-gradients", &sheet, "what,updates,measured,se,theory", &rows)
}

/// The mean of async over many runs on a quadratic without noise, beside the heavy ball.
fn momentum(
    args: &common::Args,
    p: usize,
    rows: &mut Vec<String>,
    lines: &mut Vec<Line>,
) -> Result<()> {
    let updates = args.size(200, 40);
    // One throw of one coin: all samples are alike, and the minimum is where the coin lies.
    let throw = Arc::new(coins(1, 1, 0)?);
    let engine = Quadratic::new(&throw, vec![1.0]);
    let minimum = engine.minimum()[0];
    let queues = EnginePool::here(engine);
    let run_config = RunConfig { updates: Some(updates), ..RunConfig::new(p, STEP) };
    let start = minimum as f32 + 1.0;
    let runs = (0..args.size(4000, 100)).map(|seed| -> Result<Vec<f64>> {
        let mut course = Course::default();
        run_config.run(&Entrant::ASYNC, seed, &[start][..], &queues, None, &mut course)?;
        Ok(course.params.iter().map(|params| f64::from(params[0]) - minimum + 1.0).collect())
    });
    let runs: Vec<Vec<f64>> = runs.collect::<Result<_>>()?;
    let ball = HeavyBall::of_stale(p, 1).course(STEP, 1.0);
    let theory: Vec<f64> = ball.map(|off| 1.0 + off).take(updates as usize).collect();
    let dots = tell(&format!("momentum P={p}"), &runs, &theory, rows);
    let name = format!("async, P={p}");
    lines.push(Line::new(&*name, Look::Curve, dots));
    lines.push(Line::new(&*name, Look::Thin, course(&theory)));
    Ok(())
}

/// Async at compensated rates, beside the bound of theorem 4 at their mean.
fn compensated(
    args: &common::Args,
    c: f64,
    rows: &mut Vec<String>,
    lines: &mut Vec<Line>,
) -> Result<()> {
    let updates = args.size(400, 60);
    let split = Arc::new(coins(20_000, CURVATURES.len(), 0)?);
    let engine = Quadratic::new(&split, CURVATURES.to_vec());
    let start = vec![3.0; CURVATURES.len()];
    let constants = Constants {
        smoothness: CURVATURES[0],
        convexity: CURVATURES[1],
        variance: engine.noise(1).iter().sum(),
        gradient_variance: 0.0,
        initial_gap: engine.loss(&start),
    };
    let queues = EnginePool::here(engine.clone());
    let rate_rule = RateRule::Compensated { c };
    let run_config = RunConfig { rate_rule, updates: Some(updates), ..RunConfig::new(P, ETA) };
    let courses = (0..args.size(400, 20)).map(|seed| -> Result<Course> {
        let mut course = Course::default();
        run_config.run(&Entrant::ASYNC, seed, &*start, &queues, None, &mut course)?;
        Ok(course)
    });
    let courses: Vec<Course> = courses.collect::<Result<_>>()?;
    let rates = (0..updates as usize - 1).map(|j| {
        let rates: Vec<f64> = courses.iter().map(|course| course.rates[j]).collect();
        statistics::mean(&rates).expect("there is a run")
    });
    let theorem = Compensated { c, p0: 1.0 / P as f64, k: 1, minibatch: 1 };
    let gaps = theorem.gaps(&constants, rates).expect("eta is small enough, and F convex");
    let of = |course: &Course| course.params.iter().map(|params| engine.loss(params)).collect();
    let runs: Vec<Vec<f64>> = courses.iter().map(of).collect();
    let dots = tell(&format!("compensated C={c}"), &runs, &gaps, rows);
    let name = format!("C = {c}");
    lines.push(Line::new(&*name, Look::Curve, dots));
    lines.push(Line::new(&*name, Look::Thin, course(&gaps)));
    Ok(())
}

/// The mean of the runs, update by update; a row for each tenth of them.
fn tell(what: &str, runs: &[Vec<f64>], theory: &[f64], rows: &mut Vec<String>) -> Vec<Dot> {
    let dot = |j: usize| {
        let values: Vec<f64> = runs.iter().map(|run| run[j]).collect();
        let y = statistics::mean(&values).expect("there is a run");
        Dot { x: j as f64, y, error: statistics::standard_error(&values) }
    };
    let dots: Vec<Dot> = (0..theory.len()).map(dot).collect();
    let shown = (0..theory.len()).step_by(theory.len().div_ceil(10)).skip(1);
    rows.extend(shown.chain([theory.len() - 1]).map(|j| {
        let Dot { y, error, .. } = dots[j];
        format!("{what},{j},{y:.5},{:.5},{:.5}", error.unwrap_or(f64::NAN), theory[j])
    }));
    dots
}

fn course(values: &[f64]) -> impl Iterator<Item = Dot> {
    values.iter().enumerate().map(|(j, value)| Dot::from((j as f64, *value)))
}

/// All parameters of a run that an update is made of, and the rate of each gradient.
#[derive(Default)]
struct Course {
    params: Vec<Snapshot>,
    rates: Vec<f64>,
}

impl Observer for Course {
    fn event(&mut self, _: Duration, event: &Event) -> Result<()> {
        if let Event::Push { verdict: Verdict::Accept, rate: Some(rate), .. } = *event {
            self.rates.push(rate.into());
        }
        Ok(())
    }

    fn read(&mut self, _: LearnerId, version: Version, params: &Snapshot) -> Result<()> {
        if version as usize == self.params.len() {
            self.params.push(params.clone());
        }
        Ok(())
    }
}
