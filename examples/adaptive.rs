//! K that is measured (`adaptive`) and K by the loss alone (`adasync`) against the best of the fixed K
//! at every run time, on settings that were chosen before the rule was.

mod common;

use clap::Parser;
use tortoise::{
    Result,
    report::plot::{Chart, Scale, Sheet},
    sgd::{RunConfig, trajectory::Point},
};

const FIXED: [&str; 4] = ["1", "2", "4", "8"];
const POLICIES: [&str; 2] = ["adaptive", "adasync"];
/// Training samples that losses are over.
const EVALUATED: usize = 10_000;
const LOOKED_AT: usize = 4096;

const EXPONENTIAL: &str = "exponential:mean=1";
const SHIFTED: &str = "shifted-exponential:shift=0.5,mean=0.5";
const PARETO: &str = "pareto:shape=2,scale=0.5";

/// Variant, model, samples in a minibatch, learning rate and delays.
const SETTINGS: [(&str, &str, usize, f64, &str); 12] = [
    ("k-sync", "logistic", 1, 0.02, EXPONENTIAL),
    ("k-async", "logistic", 1, 0.1, EXPONENTIAL),
    ("k-async", "logistic", 2, 0.05, SHIFTED),
    ("k-batch-async", "logistic", 4, 0.2, PARETO),
    ("k-batch-async", "logistic", 8, 1.0, EXPONENTIAL),
    ("k-sync", "logistic", 16, 0.5, SHIFTED),
    ("k-batch-async", "mlp:32", 1, 0.05, EXPONENTIAL),
    ("k-sync", "mlp:32", 4, 0.02, SHIFTED),
    ("k-async", "mlp:32", 4, 0.2, PARETO),
    ("k-async", "mlp:32", 8, 0.8, SHIFTED),
    ("k-batch-async", "mlp:32", 16, 0.1, PARETO),
    ("k-sync", "mlp:32", 16, 0.4, EXPONENTIAL),
];

fn main() -> Result<()> {
    let args = common::Args::parse();
    let (mut rows, mut charts) = (Vec::new(), Vec::new());
    for (variant, shape, minibatch, rate, delay) in SETTINGS.into_iter().take(args.size(12, 2)) {
        let (objective, model) =
            args.mnist_with_sample(shape, minibatch, [EVALUATED, LOOKED_AT])?;
        let run_config = RunConfig {
            minibatch,
            delay: Some(delay.parse()?),
            budget: Some(args.size(400.0, 30.0)),
            evaluate_every: Some(10.0),
            ..RunConfig::new(8, rate)
        };
        let trajectory = |k: &&str| -> Result<Vec<Point>> {
            let entrant = format!("{variant}:{k}").parse()?;
            let seeds = 1..=args.size(6, 2);
            let initial = |seed| model.initial(seed);
            Ok(common::mean(&common::runs(&objective, &run_config, &entrant, seeds, initial)?))
        };
        let fixed: Vec<_> = FIXED.iter().map(trajectory).collect::<Result<_>>()?;
        let mut lines = Vec::new();
        for (k, points) in FIXED.iter().zip(&fixed) {
            lines.push(common::curve(&format!("K = {k}"), points, |point| point.time));
        }
        let mut row = format!("{variant},{shape},{minibatch},{rate},{}", delay.replace(',', " "));
        for policy in POLICIES {
            let points = trajectory(&policy)?;
            let (ratio, error, time) = worst(&points, &fixed);
            row += &format!(",{ratio:.3},{error:.3},{time}");
            lines.push(common::curve(policy, &points, |point| point.time));
        }
        rows.push(row);
        let (across, up) = (Scale::log("run time (s)"), Scale::log("training loss"));
        let title = format!("{variant}, {shape}, m = {minibatch}, eta = {rate}");
        charts.push(Chart::new(across, up, lines).titled(&title));
    }
    let sheet = Sheet::new(charts, "MNIST, P = 8, six seeds");
    let head = "variant,model,m,rate,delay,adaptive,adaptive_se,at,adasync,adasync_se,adasync_at";
    args.write("adaptive", &sheet, head, &rows)
}

/// The largest ratio of the loss to the lowest of the fixed K at the same time, its standard error, and
/// that time.
fn worst(points: &[Point], fixed: &[Vec<Point>]) -> (f64, f64, f64) {
    let part = |point: &Point| point.loss_se.unwrap_or(f64::NAN) / point.loss;
    let ratio = |(at, point): (usize, &Point)| {
        let here = fixed.iter().map(|points| &points[at]);
        let lowest = here.min_by(|a, b| a.loss.total_cmp(&b.loss)).expect("some K is fixed");
        let ratio = point.loss / lowest.loss;
        (ratio, ratio * part(point).hypot(part(lowest)), point.time)
    };
    let ratios = points.iter().enumerate().skip(1).map(ratio);
    ratios.max_by(|a, b| a.0.total_cmp(&b.0)).expect("there are evaluations")
}
