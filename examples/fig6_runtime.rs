//! Figure 6 of Dutta et al. 2018: the run time of 2000 updates of twenty learners against K, as theory
//! has it (lemmas 3 to 5) and as the same loop takes it, for two distributions of the time a minibatch
//! takes.

mod common;

use clap::Parser;
use tortoise::{
    Result,
    cluster::delay::{Delays, Distribution, Slow},
    report::plot::{Chart, Dot, Line, Look, Scale, Sheet},
    sgd::{Cancellation, Entrant, Variant, simulate::simulate},
    statistics,
    theory::runtime::update_time,
};

const DISTRIBUTIONS: [&str; 2] = ["pareto:shape=2,scale=1", "shifted-exponential:shift=1,mean=1"];
const VARIANTS: [(&str, Variant); 3] = [
    ("k-sync", Variant::KSync),
    ("k-async", Variant::KAsync),
    ("k-batch-async", Variant::KBatchAsync),
];
const LEARNERS: usize = 20;
const UPDATES: u64 = 2000;

/// Run time from the start to the last update, under this seed.
fn run_time(distribution: &Distribution, variant: Variant, k: usize, seed: u64) -> Result<f64> {
    let delays = Delays::new(distribution.clone(), &Slow::default(), LEARNERS, seed)?;
    let entrant = Entrant::with_k(variant, k);
    let times = simulate(&entrant, Cancellation::Preempt, LEARNERS, delays, 0, UPDATES)?;
    Ok(times.mean_update_time * UPDATES as f64)
}

fn main() -> Result<()> {
    let args = common::Args::parse();
    let (mut charts, mut rows) = (Vec::new(), Vec::new());
    for title in DISTRIBUTIONS {
        let distribution: Distribution = title.parse()?;
        let mut lines = Vec::new();
        for (name, variant) in VARIANTS {
            let mut theory = Line::new(name, Look::Thin, []);
            let mut measured = Line::new(name, Look::Dots, []);
            for k in 1..=LEARNERS {
                // Where theory knows no exact value, NaN leaves a gap in the line.
                let exact = update_time(variant, &distribution, LEARNERS, k).mean_update_time;
                let exact = exact.map_or(f64::NAN, |time| time * UPDATES as f64);
                let times: Vec<f64> = (0..args.size(100, 3))
                    .map(|seed| run_time(&distribution, variant, k, seed))
                    .collect::<Result<_>>()?;
                let (x, error) = (k as f64, statistics::standard_error(&times));
                let y = statistics::mean(&times).unwrap_or(f64::NAN);
                theory.points.push(Dot::from((x, exact)));
                measured.points.push(Dot { x, y, error });
                let (kind, error) = (distribution.name(), error.unwrap_or(f64::NAN));
                rows.push(format!("{kind},{name},{k},{exact:.1},{y:.1},{error:.1}"));
            }
            lines.extend([theory, measured]);
        }
        let (across, up) = (Scale::linear("K"), Scale::linear("run time of 2000 updates"));
        charts.push(Chart::new(across, up, lines).titled(title));
    }
    let caption = "After figure 6 of Dutta et al. 2018. P = 20; theory where it is exact; bars: one \
                   standard error";
    let sheet = Sheet::new(charts, caption).with_thin("theory");
    let head = "distribution,variant,k,theory,measured,standard_error";
    args.write("fig6-runtime", &sheet, head, &rows)
}
