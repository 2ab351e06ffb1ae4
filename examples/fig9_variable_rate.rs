//! Figure 9 of Dutta et al. 2018, on MNIST: async at fixed rates and at ones that fall with drift.

mod common;

use clap::Parser;
use tortoise::{
    Result,
    report::plot::{Chart, Dot, Line, Look, Scale, Sheet},
    sgd::{
        Entrant, RunConfig,
        trajectory::{Point, mean},
    },
    statistics,
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
    let seeds = 1..=args.size(5, 2);
    let (mut rows, mut one, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for (rate, rule) in RATES {
        let run_config = RunConfig {
            minibatch,
            rate_rule: rule.parse()?,
            updates: Some(args.size(2000, 200)),
            evaluate_every: Some(args.size(0.5, 1.0)),
            ..RunConfig::new(40, rate)
        };
        let trajectory =
            |seed| objective.trajectory(&run_config, &Entrant::ASYNC, seed, &model.initial(seed));
        let trajectories = seeds.clone().map(|seed| Ok(trajectory(seed)?.points));
        let trajectories: Vec<Vec<Point>> = trajectories.collect::<Result<_>>()?;
        let end = |points: &Vec<Point>| points[points.len() - 1];
        let highest = |points: &Vec<Point>| {
            let late = points.iter().filter(|point| 4.0 * point.updates >= end(points).updates);
            late.map(|point| point.loss).fold(f64::NAN, f64::max)
        };
        let figure = |of: &dyn Fn(&Vec<Point>) -> f64| {
            let values: Vec<f64> = trajectories.iter().map(of).collect();
            let error = statistics::standard_error(&values).unwrap_or(f64::NAN);
            format!(",{:.4},{error:.4}", statistics::mean(&values).unwrap_or(f64::NAN))
        };
        let (highest, last) = (figure(&highest), figure(&|points| end(points).loss));
        rows.push(format!("{rate},{rule}{highest}{last}"));
        let line = |points: &[Point]| Line {
            name: format!("{rule}, eta={rate}").into(),
            look: Look::Curve,
            points: points.iter().map(dot).collect(),
        };
        one.push(line(&trajectories[0]));
        all.push(line(&mean(trajectories.iter().map(Vec::as_slice))));
    }
    let chart = |title: &str, lines| Chart {
        title: title.to_owned(),
        across: Scale::linear("run time (s)"),
        up: Scale::log("training loss"),
        lines,
    };
    let charts = vec![chart("one run", one), chart("mean and standard error over seeds", all)];
    let caption = format!("After figure 9 of Dutta et al. 2018: async, P = 40, m = {minibatch}");
    let head = "eta,rule,highest_loss_after_a_quarter,highest_se,last_loss,last_se";
    args.write("fig9-variable-rate", &Sheet { charts, thin: String::new(), caption }, head, &rows)
}

fn dot(point: &Point) -> Dot {
    Dot { x: point.time, y: point.loss, error: point.loss_se }
}
