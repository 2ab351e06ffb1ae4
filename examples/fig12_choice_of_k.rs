//! Figures 11 and 12 of Dutta et al. 2018: how K-sync depends on K, on MNIST. Against updates a larger
//! K is better; against run time neither the smallest nor the largest is.

mod common;

use clap::Parser;
use tortoise::{
    Result,
    cluster::delay::Distribution,
    dataset::Dataset,
    report::plot::{Chart, Scale, Sheet},
    sgd::{Entrant, RunConfig, Trajectory, Variant, trajectory::Point},
    statistics,
    theory::runtime::update_time,
};

const LEARNERS: usize = 8;
const RUN_TIME: f64 = 500.0;
const UPDATES: u64 = 2000;
/// Update times in the paper's figure are those of this distribution.
const DISTRIBUTION: &str = "exponential:mean=1";

/// Mean of ln loss over the evaluations of the last `share` of a trajectory.
fn ln_loss(trajectory: &Trajectory, share: f64) -> f64 {
    let from = (trajectory.points.len() as f64 * (1.0 - share)) as usize;
    let logs: Vec<f64> = trajectory.points[from..].iter().map(|point| point.loss.ln()).collect();
    statistics::mean(&logs).unwrap_or(f64::NAN)
}

fn main() -> Result<()> {
    let args = common::Args::parse();
    let evaluated = |data: &Dataset| data.test.first(usize::MAX);
    let task = args.mnist_evaluated_on("logistic", 0.01, 1, evaluated)?;
    let (looks, part) = (args.size(100.0, 5.0), args.size(1.0, 0.02));
    let distribution: Distribution = DISTRIBUTION.parse()?;
    let (mut charts, mut rows, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for (figure, timed) in [("11", false), ("12", true)] {
        let mut lines = Vec::new();
        for k in [2, 4, 8] {
            let mut run_config =
                RunConfig { delay: Some(distribution.clone()), ..RunConfig::new(LEARNERS, 0.05) };
            let time = update_time(Variant::KSync, &distribution, LEARNERS, k).mean_update_time;
            let time = time.expect("K-sync's is always known");
            let end = part * if timed { RUN_TIME } else { time * UPDATES as f64 };
            run_config.evaluate_every = Some(end / looks);
            if timed {
                run_config.budget = Some(end);
            } else {
                run_config.updates = Some((part * UPDATES as f64) as u64);
            }
            let entrant = Entrant::with_k(Variant::KSync, k);
            let trajectories = common::trajectories(&task, &run_config, &entrant, args.size(5, 2))?;
            let updates =
                common::estimate(&trajectories, |trajectory| trajectory.tally.updates as f64);
            let whole = common::estimate(&trajectories, |trajectory| ln_loss(trajectory, 1.0));
            let end = common::estimate(&trajectories, |trajectory| ln_loss(trajectory, 0.1));
            rows.push(format!("{figure},{k},{updates},{whole},{end}"));
            let points = common::mean(&trajectories);
            let of = if timed { |p: &Point| p.time } else { |p: &Point| p.updates };
            lines.push(common::curve(&entrant.to_string(), &points, of));
            all.push((format!("{entrant} {figure}"), points));
        }
        let across = Scale::linear(if timed { "run time" } else { "updates" });
        let chart = Chart::new(across, Scale::log("loss on the test set"), lines);
        charts.push(chart.titled(format!("figure {figure}")));
    }
    args.write_courses("fig12-choice-of-k", &all)?;
    let caption = "After figures 11 and 12 of Dutta et al. 2018. P = 8, rate 0.05, m = 1; bands: one \
                   standard error over seeds";
    let sheet = Sheet::new(charts, caption);
    let head =
        "figure,k,updates,updates_se,mean_ln_loss,mean_ln_loss_se,end_ln_loss,end_ln_loss_se";
    args.write("fig12-choice-of-k", &sheet, head, &rows)
}
