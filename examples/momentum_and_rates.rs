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
const RATES: [f64; 8] = [0.0125, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6];

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
/// The loss that stands for runs that diverged, that of guessing: ln 10.
const GUESSING: f64 = std::f64::consts::LN_10;

fn main() -> Result<()> {
    let args = common::Args::parse();
    let seeds = args.size(5, 2);
    let (objective, _) = args.mnist_in_part("mlp:32", 0.0, MINIBATCH, args.size(10_000, 1_000))?;
    let part = |learners: usize, rate| RunConfig {
        minibatch: MINIBATCH,
        updates: Some(args.size(UPDATES, 30)),
        ..RunConfig::new(learners, rate)
    };
    let mut rows = Vec::new();

    let mut by_beta = Vec::new();
    let betas = &BETAS[..args.size(BETAS.len(), 2)];
    let rates = &RATES[args.size(0, 4)..args.size(RATES.len(), 6)];
    for &learners in &LEARNERS[..args.size(LEARNERS.len(), 2)] {
        let mut points = Vec::new();
        for &beta in betas {
            let mut best = (f64::NAN, f64::INFINITY, f64::NAN);
            for &rate in rates {
                let run_config = RunConfig { momentum: beta, ..part(learners, rate) };
                let (loss, se) = last_loss(&objective, &run_config, &Entrant::ASYNC, seeds)?;
                if loss < best.1 {
                    best = (rate, loss, se);
                }
            }
            let (rate, loss, se) = best;
            rows.push(format!("momentum,P={learners},{beta},{rate},{loss:.5},{se:.5}"));
            points.push(Dot { x: beta, y: loss, error: Some(se) });
        }
        by_beta.push(Line::new(&*format!("P={learners}"), Look::Points, points));
    }

    let mut by_rate = Vec::new();
    let high = [0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2];
    for (name, entrant) in REMEDIES.iter().take(args.size(REMEDIES.len(), 2)) {
        let mut points = Vec::new();
        for &rate in &high[args.size(0, 4)..args.size(high.len(), 6)] {
            let entrant = entrant.parse()?;
            let (loss, se) = last_loss(&objective, &part(8, rate), &entrant, seeds)?;
            rows.push(format!("rates,{name},,{rate},{loss:.5},{se:.5}"));
            points.push(Dot { x: rate, y: loss, error: Some(se) });
        }
        by_rate.push(Line::new(*name, Look::Points, points));
    }

    let loss = || Scale::log("training loss");
    let caption = |what: &str| {
        format!(
            "async, mlp:32 on MNIST, m = {MINIBATCH}, exponential times, after {UPDATES} updates, {what}; bars: \
             one standard error over five seeds"
        )
    };
    let rates = Chart::new(Scale::log("learning rate"), loss(), by_rate);
    Sheet::new(vec![rates], caption("P = 8")).draw(&args.out.join("rates"))?;
    let momentum = Chart::new(Scale::linear("momentum"), loss(), by_beta);
    let sheet = Sheet::new(vec![momentum], caption("at the best of eight rates"));
    let head = "question,of,momentum,rate,loss,loss_se";
    args.write("momentum-and-rates", &sheet, head, &rows)
}

/// The loss after the last update, and its standard error over seeds.
fn last_loss(
    objective: &Objective,
    run_config: &RunConfig,
    entrant: &Entrant,
    seeds: u64,
) -> Result<(f64, f64)> {
    let last = |seed| -> Result<f64> {
        let run = objective.trajectory(run_config, entrant, seed, &objective.initial(seed))?;
        let loss = run.points[run.points.len() - 1].loss;
        Ok(if run.ended == Ended::Done && loss < GUESSING { loss } else { GUESSING })
    };
    let losses: Vec<f64> = (1..=seeds).map(last).collect::<Result<_>>()?;
    let mean = statistics::mean(&losses).expect("there are seeds");
    Ok((mean, statistics::standard_error(&losses).unwrap_or(f64::NAN)))
}
