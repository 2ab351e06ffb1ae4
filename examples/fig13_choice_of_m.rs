//! The question of figures 13 and 14 of Dutta et al. 2018, on MNIST: how large a minibatch should be where
//! each of its samples takes time.

mod common;

use clap::Parser;
use tortoise::{
    Result,
    report::plot::{Chart, Scale, Sheet},
    sgd::{Entrant, RunConfig, Variant},
    theory::runtime::update_time,
};

/// P, as theirs is.
const LEARNERS: usize = 4;
const MINIBATCHES: [usize; 4] = [2, 16, 128, 512];
const RATE: f64 = 0.5;
/// Seconds a sample adds.
const PER_SAMPLE: f64 = 0.02;

fn main() -> Result<()> {
    let args = common::Args::parse();
    let minibatches = &MINIBATCHES[..args.size(4, 3)];
    let largest = minibatches[minibatches.len() - 1];
    let (samples, seeds) = (args.size(10_000, 1_000), args.size(5, 2));
    let setting = args.mnist_in_part("mlp:32", 0.0, largest, samples)?;
    let (mut rows, mut by_updates, mut by_time) = (Vec::new(), Vec::new(), Vec::new());
    for &minibatch in minibatches {
        let run_config = RunConfig {
            minibatch,
            per_sample: PER_SAMPLE,
            budget: Some(args.size(600.0, 60.0)),
            evaluate_every: Some(args.size(10.0, 10.0)),
            ..RunConfig::new(LEARNERS, RATE)
        };
        let runs = common::trajectories(&setting, &run_config, &Entrant::SYNC, seeds)?;
        let time = update_time(Variant::KSync, &run_config.distribution()?, LEARNERS, LEARNERS);
        let theory = time.mean_update_time.unwrap_or(f64::NAN);
        let per_update =
            common::estimate(&runs, |run| run.tally.mean_update_time().unwrap_or(f64::NAN));
        let shares = [0.1, 0.3, 1.0].map(|share| {
            common::estimate(&runs, |run| {
                let at = (share * (run.points.len() - 1) as f64).round() as usize;
                run.points[at].loss
            })
        });
        rows.push(format!("{minibatch},{per_update},{theory:.4},{}", shares.join(",")));
        let (mean, name) = (common::mean(&runs), format!("m={minibatch}"));
        by_updates.push(common::curve(&name, &mean, |point| point.updates));
        by_time.push(common::curve(&name, &mean, |point| point.time));
    }
    let chart =
        |title: &str, lines| Chart::new(Scale::linear(title), Scale::log("training loss"), lines);
    let mut of_updates = chart("updates", by_updates);
    of_updates.across.range = Some((0.0, args.size(48.0, 10.0)));
    let charts = vec![of_updates, chart("run time (s)", by_time)];
    let caption = format!(
        "After figures 13 and 14 of Dutta et al. 2018: sync, P = {LEARNERS}, mlp:32, rate {RATE}; \
         exponential times and {PER_SAMPLE} s a sample"
    );
    let head = "minibatch,s_per_update,s_se,theory,loss_at_tenth,tenth_se,loss_at_third,third_se,loss,loss_se";
    args.write("fig13-choice-of-m", &Sheet::new(charts, caption), head, &rows)
}
