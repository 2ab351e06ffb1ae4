//! Figure 9 of Dutta et al. 2018, on MNIST: async at fixed rates and at ones that fall with drift.

mod common;

use clap::Parser;
use tortoise::{
    Result,
    report::plot::{Chart, Scale, Sheet},
    sgd::{Entrant, RunConfig, Trajectory, trajectory::Point},
};

/// Eta and its rule. C is 0.005 eta, as theirs is, and ten times that.
const RATES: [(f64, &str); 5] = [
    (0.01, "constant"),
    (0.1, "constant"),
    (0.3, "constant"),
    (0.3, "compensated:c=0.0015"),
    (0.3, "compensated:c=0.015"),
];

fn main() -> Result<()> {
    let args = common::Args::parse();
    let minibatch = args.size(250, 50);
    let (objective, model) = args.mnist("logistic", 0.0, minibatch)?;
    let (mut rows, mut one, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for (rate, rule) in RATES {
        let run_config = RunConfig {
            minibatch,
            rate_rule: rule.parse()?,
            updates: Some(args.size(2000, 200)),
            evaluate_every: Some(args.size(0.5, 1.0)),
            ..RunConfig::new(40, rate)
        };
        let (seeds, initial) = (1..=args.size(5, 2), |seed| model.initial(seed));
        let trajectories = common::runs(&objective, &run_config, &Entrant::ASYNC, seeds, initial)?;
        let highest = common::estimate(&trajectories, highest_loss_after_a_quarter);
        let last = common::estimate(&trajectories, |trajectory| end(trajectory).loss);
        rows.push(format!("{rate},{rule},{highest},{last}"));
        let name = format!("{rule}, eta={rate}");
        one.push(common::curve(&name, &trajectories[0].points, |point| point.time));
        all.push(common::curve(&name, &common::mean(&trajectories), |point| point.time));
    }
    let chart = |title: &str, lines| {
        let (across, up) = (Scale::linear("run time (s)"), Scale::log("training loss"));
        Chart::new(across, up, lines).titled(title)
    };
    let charts = vec![chart("one run", one), chart("mean and standard error over seeds", all)];
    let caption = format!("After figure 9 of Dutta et al. 2018: async, P = 40, m = {minibatch}");
    let head = "eta,rule,highest_loss_after_a_quarter,highest_se,last_loss,last_se";
    args.write("fig9-variable-rate", &Sheet::new(charts, caption), head, &rows)
}

/// The last evaluation.
fn end(trajectory: &Trajectory) -> &Point {
    trajectory.points.last().expect("the end is evaluated")
}

/// The highest loss once a quarter of the updates is made: how far the loss goes astray.
fn highest_loss_after_a_quarter(trajectory: &Trajectory) -> f64 {
    let from = end(trajectory).updates / 4.0;
    let late = trajectory.points.iter().filter(|point| point.updates >= from);
    late.map(|point| point.loss).fold(f64::NAN, f64::max)
}
