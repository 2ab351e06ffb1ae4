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

/// Run time from the start to the last update, under each of `seeds` seeds.
fn run_times(
    distribution: &Distribution,
    variant: Variant,
    k: usize,
    seeds: u64,
) -> Result<Vec<f64>> {
    let run_time = |seed| {
        let delays = Delays::new(distribution.clone(), &Slow::default(), LEARNERS, seed)?;
        let entrant = Entrant::with_k(variant, k);
        let times = simulate(&entrant, Cancellation::Preempt, LEARNERS, delays, 0, UPDATES)?;
        Ok(times.mean_update_time * UPDATES as f64)
    };
    (0..seeds).map(run_time).collect()
}

fn main() -> Result<()> {
    let args = common::Args::parse();
    let (mut charts, mut rows) = (Vec::new(), Vec::new());
    for distribution in DISTRIBUTIONS {
        let (title, distribution, mut lines) =
            (distribution.to_owned(), distribution.parse()?, Vec::new());
        for (name, variant) in VARIANTS {
            let line = |look| Line { name: name.into(), look, points: Vec::new() };
            let [mut theory, mut measured] = [Look::Thin, Look::Dots].map(line);
            for k in 1..=LEARNERS {
                let exact = update_time(variant, &distribution, LEARNERS, k).mean_update_time;
                let exact = exact.map_or(f64::NAN, |time| time * UPDATES as f64);
                let times = run_times(&distribution, variant, k, args.size(100, 3))?;
                let (x, error) = (k as f64, statistics::standard_error(&times));
                let y = statistics::mean(&times).unwrap_or(f64::NAN);
                theory.points.push(Dot::from((x, exact)));
                measured.points.push(Dot { x, y, error });
                let error = error.unwrap_or(f64::NAN);
                let distribution = distribution.name();
                rows.push(format!("{distribution},{name},{k},{exact:.1},{y:.1},{error:.1}"));
            }
            lines.extend([theory, measured]);
        }
        let across = Scale::linear("K");
        charts.push(Chart { title, across, up: Scale::linear("run time of 2000 updates"), lines });
    }
    let thin = "theory".to_owned();
    let caption = "After figure 6 of Dutta et al. 2018. P = 20; theory where it is exact; bars: one \
                   standard error";
    let sheet = Sheet { charts, thin, caption: caption.to_owned() };
    args.write(
        "fig6-runtime",
        &sheet,
        "distribution,variant,k,theory,measured,standard_error",
        &rows,
    )
}
