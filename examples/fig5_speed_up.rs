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

fn main() -> Result<()> {
    let args = common::Args::parse();
    let distributions: Vec<Distribution> =
        DISTRIBUTIONS.iter().map(|distribution| distribution.parse()).collect::<Result<_>>()?;
    // K-async with K = P is sync, with K = 1 async.
    let speed_up = |distribution: &Distribution, p: usize| {
        let time = |k| update_time(Variant::KAsync, distribution, p, k).mean_update_time;
        time(p).zip(time(1)).map_or(f64::NAN, |(sync, asynchronous)| sync / asynchronous)
    };
    let row = |p: usize| {
        let values =
            distributions.iter().map(|distribution| format!(",{:.4}", speed_up(distribution, p)));
        format!("{p}{}", values.collect::<String>())
    };
    let rows: Vec<String> = (1..=20).map(row).collect();
    let line = |distribution: &Distribution| Line {
        name: distribution.to_string().into(),
        look: Look::Points,
        points: (1..=20).map(|p| Dot::from((p as f64, speed_up(distribution, p)))).collect(),
    };
    let lines = distributions.iter().map(line).collect();
    let chart = Chart {
        title: String::new(),
        across: Scale::linear("P, learners"),
        up: Scale::log("E[T] of sync / E[T] of async"),
        lines,
    };
    let caption = "After figure 5 of Dutta et al. 2018".to_owned();
    let sheet = Sheet { charts: vec![chart], thin: String::new(), caption };
    args.write("fig5-speed-up", &sheet, "learners,exponential,shifted_exponential,pareto", &rows)
}
