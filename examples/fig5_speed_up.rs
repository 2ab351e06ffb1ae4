//! Figure 5 of Dutta et al. 2018: how much longer an update of sync takes than one of async, against
//! the number of learners, for three distributions of the time a minibatch takes (theorem 1).

mod common;

use clap::Parser;
use tortoise::{
    Result,
    cluster::delay::Distribution,
    report::plot::{Chart, Dot, Line, Look, Scale, Sheet},
    sgd::Variant,
    theory::runtime::update_time,
};

const DISTRIBUTIONS: [&str; 3] =
    ["exponential:mean=1", "shifted-exponential:shift=1,mean=1", "pareto:shape=2,scale=1"];
const MOST_LEARNERS: usize = 20;

/// E[T] of sync over E[T] of async. K-async with K = P is sync, and with K = 1 it is async.
fn speed_up(distribution: &Distribution, p: usize) -> f64 {
    let time = |k| update_time(Variant::KAsync, distribution, p, k).mean_update_time;
    match (time(p), time(1)) {
        (Some(sync), Some(asynchronous)) => sync / asynchronous,
        _ => f64::NAN,
    }
}

fn main() -> Result<()> {
    let args = common::Args::parse();
    let mut rows: Vec<String> = (1..=MOST_LEARNERS).map(|p| p.to_string()).collect();
    let mut lines = Vec::new();
    for name in DISTRIBUTIONS {
        let distribution: Distribution = name.parse()?;
        let mut line = Line::new(distribution.to_string(), Look::Points, []);
        for p in 1..=MOST_LEARNERS {
            let ratio = speed_up(&distribution, p);
            rows[p - 1] += &format!(",{ratio:.4}");
            line.points.push(Dot::from((p as f64, ratio)));
        }
        lines.push(line);
    }
    let (across, up) = (Scale::linear("P, learners"), Scale::log("E[T] of sync / E[T] of async"));
    let sheet =
        Sheet::new(vec![Chart::new(across, up, lines)], "After figure 5 of Dutta et al. 2018");
    args.write("fig5-speed-up", &sheet, "learners,exponential,shifted_exponential,pareto", &rows)
}
