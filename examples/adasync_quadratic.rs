//! `AdaSync` against the lower envelope of all fixed K, on a quadratic whose floors are known: the
//! biases of 400 coins, from noisy gradients.

mod common;

use std::sync::Arc;

use clap::Parser;
use tortoise::{
    Result,
    cluster::engine_pool::EnginePool,
    engine::quadratic::{Quadratic, coins},
    report::plot::{Chart, Scale, Sheet},
    sgd::{Entrant, Objective, RunConfig},
};

const DIMENSIONS: usize = 400;
const ENTRANTS: [[&str; 5]; 3] = [
    ["k-sync:1", "k-sync:2", "k-sync:4", "sync", "k-sync:adasync"],
    ["async", "k-async:2", "k-async:4", "sync", "k-async:adasync"],
    ["async", "k-batch-async:2", "k-batch-async:4", "k-batch-async:8", "k-batch-async:adasync"],
];

fn main() -> Result<()> {
    let args = common::Args::parse();
    let split = Arc::new(coins(20_000, DIMENSIONS, 0)?);
    let engine = || Quadratic::new(&split, vec![1.0; DIMENSIONS]);
    let objective = Objective::new(EnginePool::here(engine()), engine());
    let budget = Some(args.size(240.0, 60.0));
    let run_config = RunConfig { budget, evaluate_every: Some(4.0), ..RunConfig::new(8, 0.05) };
    let (mut rows, mut charts) = (Vec::new(), Vec::new());
    for group in ENTRANTS {
        let mut lines = Vec::new();
        for name in group {
            let entrant: Entrant = name.parse()?;
            let initial = |_| vec![0.0; DIMENSIONS];
            let seeds = 0..args.size(6, 2);
            let runs = common::runs(&objective, &run_config, &entrant, seeds, initial)?;
            lines.push(common::curve(name, &common::mean(&runs), |point| point.time));
        }
        // The last of a group is AdaSync; at each time the lowest of the others is the envelope.
        let (fixed, adasync) = lines.split_at(4);
        let ratio = |at: usize| {
            let lowest = fixed.iter().map(|line| line.points[at].y).fold(f64::INFINITY, f64::min);
            adasync[0].points[at].y / lowest
        };
        let times = 1..adasync[0].points.len();
        let worst = times.clone().map(ratio).fold(0.0, f64::max);
        for at in times {
            let losses = lines.iter().map(|line| format!(",{:.6}", line.points[at].y));
            let (time, losses) = (lines[0].points[at].x, losses.collect::<String>());
            rows.push(format!("{},{time}{losses},{:.4}", group[4], ratio(at)));
        }
        let title = format!("{}: at most {worst:.2} times the envelope", group[4]);
        let (across, up) = (Scale::linear("run time (s)"), Scale::log("F(w) - F*"));
        charts.push(Chart::new(across, up, lines).titled(title));
    }
    let caption = "400 coins: curvature 1, rate 0.05, m=1, P=8, exponential times of mean 1, K_0=1";
    let sheet = Sheet::new(charts, caption);
    args.write("adasync-quadratic", &sheet, "adasync,time,k1,k2,k4,k8,ada,ratio", &rows)
}
