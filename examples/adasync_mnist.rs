//! `AdaSync` (Dutta, Wang and Joshi 2020) against the K that it moves between, on MNIST: its loss by
//! the lowest of the fixed K, at every run time.

mod common;

use clap::Parser;
use tortoise::{
    Result,
    report::plot::{Chart, Dot, Line, Look, Scale, Sheet},
    sgd::{
        RunConfig,
        trajectory::{Point, mean},
    },
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
            let run =
                |seed| objective.trajectory(&run_config, &entrant, seed, &model.initial(seed));
            let runs: Vec<_> = (1..=args.size(6, 2)).map(run).collect::<Result<_>>()?;
            Ok(mean(runs.iter().map(|run| &*run.points)))
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
        let dot = |point: &Point| Dot { x: point.time, y: point.loss, error: point.loss_se };
        let line = |name: String, points: &[Point]| Line {
            name: name.into(),
            look: Look::Curve,
            points: points.iter().map(dot).collect(),
        };
        let names = FIXED.iter().map(|k| format!("K = {k}"));
        let mut lines: Vec<_> =
            names.zip(&fixed).map(|(name, points)| line(name, points)).collect();
        lines.push(line("AdaSync".to_owned(), &adasync));
        charts.push(Chart {
            title: variant.to_owned(),
            across: Scale::log("run time (s)"),
            up: Scale::log("training loss"),
            lines,
        });
    }
    let caption = "Logistic regression on MNIST, P = 8, m = 1, eta = 0.03, exponential times";
    let sheet = Sheet { charts, thin: String::new(), caption: caption.to_owned() };
    let head = "variant,time,k1,k2,k4,k8,adasync,se,ratio";
    args.write("adasync-mnist", &sheet, head, &rows)
}
