//! `AdaSync` (Dutta, Wang and Joshi 2020) against the K that it moves between, on MNIST: its loss by
//! the lowest of the fixed K, at every run time.

mod common;

use clap::Parser;
use tortoise::{
    Result,
    report::plot::{Chart, Scale, Sheet},
    sgd::{RunConfig, trajectory::Point},
};

const VARIANTS: [&str; 3] = ["k-sync", "k-async", "k-batch-async"];
const FIXED: [&str; 4] = ["1", "2", "4", "8"];

fn main() -> Result<()> {
    let args = common::Args::parse();
    let (objective, model) = args.mnist("logistic", 0.0, 1)?;
    // At this rate K = 1 is best at first, which is what the rules take K_0 for.
    let run_config = RunConfig {
        budget: Some(args.size(1000.0, 60.0)),
        evaluate_every: Some(20.0),
        ..RunConfig::new(8, 0.03)
    };
    let (mut rows, mut charts) = (Vec::new(), Vec::new());
    for variant in VARIANTS {
        let trajectory = |k: &str| -> Result<Vec<Point>> {
            let entrant = format!("{variant}:{k}").parse()?;
            let seeds = 1..=args.size(6, 2);
            let initial = |seed| model.initial(seed);
            Ok(common::mean(&common::runs(&objective, &run_config, &entrant, seeds, initial)?))
        };
        let fixed: Vec<_> = FIXED.into_iter().map(trajectory).collect::<Result<_>>()?;
        let adasync = trajectory("adasync")?;
        for (at, Point { time, loss, loss_se, .. }) in adasync.iter().enumerate() {
            let losses: Vec<f64> = fixed.iter().map(|points| points[at].loss).collect();
            let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
            let losses: String = losses.iter().map(|loss| format!("{loss:.4},")).collect();
            let (error, ratio) = (loss_se.unwrap_or(f64::NAN), loss / lowest);
            rows.push(format!("{variant},{time},{losses}{loss:.4},{error:.4},{ratio:.3}"));
        }
        // The fixed K as lines to compare with, and AdaSync among them.
        let mut lines = Vec::new();
        for (k, points) in FIXED.iter().zip(&fixed) {
            lines.push(common::curve(&format!("K = {k}"), points, |point| point.time));
        }
        lines.push(common::curve("AdaSync", &adasync, |point| point.time));
        let (across, up) = (Scale::log("run time (s)"), Scale::log("training loss"));
        charts.push(Chart::new(across, up, lines).titled(variant));
    }
    let caption = "Logistic regression on MNIST, P = 8, m = 1, eta = 0.03, exponential times";
    let sheet = Sheet::new(charts, caption);
    let head = "variant,time,k1,k2,k4,k8,adasync,se,ratio";
    args.write("adasync-mnist", &sheet, head, &rows)
}
