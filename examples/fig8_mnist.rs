//! Figure 8 of Dutta et al. 2018: K-batch-async between async and sync, on MNIST. 500 updates each of
//! a softmax regression by eight learners with exponential times, one sample a gradient. The loss is
//! that on the first test images, where it is the paper's.

mod common;

use clap::Parser;
use tortoise::{
    Result,
    dataset::Dataset,
    report::plot::{Chart, Scale, Sheet},
    sgd::{Entrant, RunConfig, Trajectory, trajectory::Point},
    theory::runtime::update_time,
};

const ENTRANTS: [&str; 3] = ["sync", "k-batch-async:4", "async"];
const LEARNERS: usize = 8;
/// So many of the test images.
const EVALUATED: usize = 1000;
/// A loss that all of them reach.
const TARGET: f64 = 1.25;

fn last(trajectory: &Trajectory) -> &Point {
    trajectory.points.last().expect("the end is evaluated")
}

/// When a trajectory is first seen at or below the target.
fn reached(trajectory: &Trajectory) -> f64 {
    trajectory.points.iter().find(|point| point.loss <= TARGET).map_or(f64::NAN, |point| point.time)
}

fn main() -> Result<()> {
    let args = common::Args::parse();
    let evaluated = |data: &Dataset| data.test.first(EVALUATED);
    let task = args.mnist_evaluated_on("logistic", 0.01, 1, evaluated)?;
    let updates = args.size(500, 40);
    let (mut means, mut rows) = (Vec::new(), Vec::new());
    for name in ENTRANTS {
        let entrant: Entrant = name.parse()?;
        let mut run_config = RunConfig { updates: Some(updates), ..RunConfig::new(LEARNERS, 0.01) };
        // Evaluated at even distances up to the time that theory expects 500 updates to take.
        let (variant, k) = (entrant.rules(), entrant.k(LEARNERS)?);
        let time = update_time(variant, &run_config.distribution()?, LEARNERS, k).mean_update_time;
        let end = time.expect("it is known for exponential times") * updates as f64;
        run_config.evaluate_every = Some(end / args.size(100.0, 5.0));
        let trajectories = common::trajectories(&task, &run_config, &entrant, args.size(5, 2))?;
        let measured = common::estimate(&trajectories, |trajectory| last(trajectory).time);
        let ln_loss = common::estimate(&trajectories, |trajectory| last(trajectory).loss.ln());
        let reached = common::estimate(&trajectories, reached);
        rows.push(format!("{name},{end:.1},{measured},{ln_loss},{reached}"));
        means.push((name.to_owned(), common::mean(&trajectories)));
    }
    args.write_courses("fig8-mnist", &means)?;
    let chart = |across: Scale, of: fn(&Point) -> f64| {
        let lines = means.iter().map(|(name, points)| common::curve(name, points, of)).collect();
        Chart::new(across, Scale::log("loss on test images"), lines)
    };
    let charts = vec![
        chart(Scale::linear("run time"), |point| point.time),
        chart(Scale::linear("updates"), |point| point.updates),
    ];
    let caption = "After figure 8 of Dutta et al. 2018. P = 8, rate 0.01, m = 1; bands: one standard \
                   error over seeds";
    let sheet = Sheet::new(charts, caption);
    let head = "entrant,expected_time,time,time_se,ln_loss,ln_loss_se,time_to_1.25,time_to_1.25_se";
    args.write("fig8-mnist", &sheet, head, &rows)
}
