//! Figure 1 of Dutta et al. 2018: the error at convergence against the time per update, for each
//! variant over K, measured on MNIST.

mod common;

use clap::Parser;
use tortoise::{
    Result,
    cluster::delay::{Delays, Slow},
    dataset::mnist,
    engine::host::Host,
    estimate::minimum::{SoftmaxRegression, minimum},
    report::plot::{Chart, Dot, Line, Look, Scale, Sheet},
    sgd::{Cancellation, Entrant, RunConfig, simulate::simulate},
    statistics,
};

const VARIANTS: [&str; 4] = ["k-sync", "k-batch-sync", "k-async", "k-batch-async"];
const P: usize = 8;

fn main() -> Result<()> {
    let args = common::Args::parse();
    let (objective, model) = args.mnist("logistic", 0.01, 1)?;
    let updates = args.size(6000, 200);
    let delay = Some("shifted-exponential:shift=1,mean=1".parse()?);
    let mut run_config = RunConfig { delay, updates: Some(updates), ..RunConfig::new(P, 0.05) };
    let regression = SoftmaxRegression::of(&model).expect("a softmax regression with L2");
    let mut engine = Host::open(model.clone(), &mnist::load(&mnist::locate(None)?)?)?;
    let least = minimum(&mut engine, &regression, 512)?.found;

    let (mut rows, mut lines, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    for variant in VARIANTS {
        let mut points = Vec::new();
        for k in args.size(&[1, 2, 3, 4, 8][..], &[1, 8]) {
            let entrant: Entrant = format!("{variant}:{k}").parse()?;
            let delays = Delays::new(run_config.distribution()?.clone(), &Slow::default(), P, 0)?;
            let times = simulate(&entrant, Cancellation::Preempt, P, delays, 1000, 20_000)?;
            let time = times.mean_update_time;
            run_config.evaluate_every = Some(time * updates as f64 / args.size(40.0, 6.0));
            let error = |seed| -> Result<f64> {
                let run =
                    objective.trajectory(&run_config, &entrant, seed, &model.initial(seed))?;
                // The loss has settled in the second half.
                let late = &run.points[run.points.len() / 2..];
                let losses: Vec<f64> = late.iter().map(|point| point.loss).collect();
                Ok(statistics::mean(&losses).unwrap_or(f64::NAN) - least)
            };
            let errors: Vec<f64> = (1..=args.size(5, 2)).map(error).collect::<Result<_>>()?;
            let mean = statistics::mean(&errors).unwrap_or(f64::NAN);
            let error = statistics::standard_error(&errors);
            points.push(Dot { x: time, y: mean, error });
            let error = error.unwrap_or(f64::NAN);
            rows.push(format!("{variant},{k},{time:.4},{mean:.5},{error:.5},{least:.5}"));
        }
        // The ends of two of the lines are known by names of their own.
        let end = |name: &str, dot: Dot| Line::new(name, Look::Place, [dot]);
        match variant {
            "k-sync" => ends.push(end("sync", points[points.len() - 1])),
            "k-async" => ends.push(end("async", points[0])),
            _ => {}
        }
        lines.push(Line::new(variant, Look::Points, points));
    }
    lines.extend(ends);
    let (across, up) = (Scale::log("time per update (s)"), Scale::log("F - F* at convergence"));
    let caption = "After figure 1 of Dutta et al. 2018: P=8, K = 1, 2, 3, 4, 8 along each line";
    let sheet = Sheet::new(vec![Chart::new(across, up, lines)], caption);
    let head = "variant,k,time_per_update,error,se,least_loss";
    args.write("fig1-frontier", &sheet, head, &rows)
}
