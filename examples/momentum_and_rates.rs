//! What stale gradients do to the momentum and to the rates that are best: async with momentum among more and
//! more learners, and clipping and rules for the rate where async alone diverges.

mod common;

use clap::Parser;
use tortoise::{
    Result,
    report::plot::{Chart, Dot, Line, Look, Scale, Sheet},
    sgd::{Ended, Entrant, Objective, RunConfig},
    statistics,
};

const UPDATES: u64 = 800;
const MINIBATCH: usize = 32;
const LEARNERS: [usize; 5] = [1, 2, 4, 8, 16];
const BETAS: [f64; 7] = [0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95];
/// Rates that are tried at each momentum.
const RATES: [f64; 11] =
    [0.0015625, 0.003125, 0.00625, 0.0125, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6];
/// Seeds of the runs that are shown, and of those by which the rates are chosen.
const SHOWN: [u64; 5] = [1, 2, 3, 4, 5];
const CHOOSING: [u64; 2] = [101, 102];

/// What async does at a rate that is too high for it.
const REMEDIES: [(&str, &str); 7] = [
    ("plain", "async"),
    ("clip", "async@clip=1"),
    ("adaptive", "async@rate-rule=adaptive:threshold=8"),
    ("adaptive-inverse", "async@rate-rule=adaptive:threshold=8,tail=inverse"),
    ("adaptive-dropped", "async@rate-rule=adaptive:threshold=8,tail=dropped"),
    ("picky", "async@rate-rule=picky:distance=0.5"),
    ("inverse-staleness", "async@rate-rule=inverse-staleness"),
];
const HIGH: [f64; 6] = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6];
/// Distributions of the delays, and learners that are slower.
const DELAYS: [(&str, &str, &str, &str); 2] = [
    ("alike", "exponential times, learners alike", "exponential:mean=1", ""),
    (
        "heavy",
        "Pareto times of shape 1.5, two of eight ten times as slow",
        "pareto:shape=1.5,scale=1",
        "0=10,1=10",
    ),
];
/// The loss that stands for runs that diverged, that of guessing: ln 10.
const GUESSING: f64 = std::f64::consts::LN_10;

fn main() -> Result<()> {
    let args = common::Args::parse();
    let (objective, _) =
        args.mnist_in_part("mlp:32", 0.0, MINIBATCH, args.size(usize::MAX, 1_000))?;
    let shown = &SHOWN[..args.size(5, 2)];
    let run_config = |learners: usize, rate| RunConfig {
        minibatch: MINIBATCH,
        updates: Some(args.size(UPDATES, 30)),
        ..RunConfig::new(learners, rate)
    };
    let mut rows = Vec::new();

    let mut by_beta = Vec::new();
    let betas = &BETAS[..args.size(BETAS.len(), 2)];
    let rates = &RATES[args.size(0, 7)..args.size(RATES.len(), 9)];
    for &learners in &LEARNERS[..args.size(LEARNERS.len(), 2)] {
        let mut points = Vec::new();
        for &momentum in betas {
            let with = |rate| RunConfig { momentum, ..run_config(learners, rate) };
            let mut best = (f64::NAN, f64::INFINITY);
            for &rate in rates {
                let (loss, _) = last_loss(&objective, &with(rate), &Entrant::ASYNC, &CHOOSING)?;
                best = if loss < best.1 { (rate, loss) } else { best };
            }
            let (loss, se) = last_loss(&objective, &with(best.0), &Entrant::ASYNC, shown)?;
            rows.push(format!("momentum,P={learners},{momentum},{},{loss:.5},{se:.5}", best.0));
            points.push(Dot { x: momentum, y: loss, error: Some(se) });
        }
        by_beta.push(Line::new(&*format!("P={learners}"), Look::Points, points));
    }

    let mut charts = Vec::new();
    for (question, title, delay, slow) in DELAYS {
        let mut by_rate = Vec::new();
        for (name, entrant) in REMEDIES.iter().take(args.size(REMEDIES.len(), 2)) {
            let (entrant, mut points) = (entrant.parse()?, Vec::new());
            for &rate in &HIGH[args.size(0, 3)..args.size(HIGH.len(), 5)] {
                let run_config = RunConfig {
                    delay: Some(delay.parse()?),
                    slow: slow.parse()?,
                    ..run_config(8, rate)
                };
                let (loss, se) = last_loss(&objective, &run_config, &entrant, shown)?;
                rows.push(format!("{question},{name},,{rate},{loss:.5},{se:.5}"));
                points.push(Dot { x: rate, y: loss, error: Some(se) });
            }
            by_rate.push(Line::new(*name, Look::Points, points));
        }
        let (across, up) = (Scale::log("learning rate"), Scale::log("training loss"));
        charts.push(Chart::new(across, up, by_rate).titled(title));
    }
    let caption = |what: &str| {
        format!(
            "async, mlp:32 on MNIST, m = {MINIBATCH}, after {UPDATES} updates, {what}; bars: one standard error \
             over five seeds"
        )
    };
    args.draw("rates", &Sheet::new(charts, caption("P = 8")))?;
    let up = Scale::log("training loss");
    let momentum = Chart::new(Scale::linear("momentum"), up, by_beta);
    let of_each = "exponential times, each at the best of eleven rates, chosen by other seeds";
    let sheet = Sheet::new(vec![momentum], caption(of_each));
    let head = "question,of,momentum,rate,loss,loss_se";
    args.write("momentum-and-rates", &sheet, head, &rows)
}

/// The mean loss after the last update, and its standard error over the seeds.
fn last_loss(
    objective: &Objective,
    run_config: &RunConfig,
    entrant: &Entrant,
    seeds: &[u64],
) -> Result<(f64, f64)> {
    let last = |seed: &u64| -> Result<f64> {
        let run = objective.trajectory(run_config, entrant, *seed, &objective.initial(*seed))?;
        let loss = run.points[run.points.len() - 1].loss;
        Ok(if run.ended == Ended::Done && loss < GUESSING { loss } else { GUESSING })
    };
    let losses: Vec<f64> = seeds.iter().map(last).collect::<Result<_>>()?;
    let mean = statistics::mean(&losses).expect("there are seeds");
    Ok((mean, statistics::standard_error(&losses).unwrap_or(f64::NAN)))
}
