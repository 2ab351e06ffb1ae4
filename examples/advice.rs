//! The entrant that is advised against all others, for four distributions of the delays and two models.

mod common;

use clap::Parser;
use tortoise::{
    Result,
    advise::{Goal, advise, entrants, pilot::PilotBudget},
    report::plot::{Chart, Dot, Line, Look, Scale, Sheet},
    sgd::{Entrant, RunConfig},
    statistics::mean,
};

const DISTRIBUTIONS: [&str; 4] = [
    "exponential:mean=1",
    "shifted-exponential:shift=1,mean=1",
    "pareto:shape=2,scale=1",
    "bimodal:fast=1,slow=10,p=0.1",
];
/// Model, learning rate and target.
const MODELS: [(&str, f64, f64); 2] = [("logistic", 0.3, 0.45), ("mlp:64", 0.3, 0.35)];

fn main() -> Result<()> {
    let args = common::Args::parse();
    let (distributions, seeds) = (&DISTRIBUTIONS[..args.size(4, 2)], args.size(3, 2));
    let (mut rows, mut charts) = (Vec::new(), Vec::new());
    for (shape, rate, target) in &MODELS[..args.size(2, 1)] {
        // Evaluating all samples now and then is most of what a small run would do.
        let (objective, model) = match args.small {
            true => args.mnist_in_part(shape, 0.0, 32, 5_000)?,
            false => args.mnist_sampled(shape, 32)?,
        };
        let initial = |seed| model.initial(seed);
        let mut lines = Vec::new();
        for distribution in distributions {
            let mut run_config = RunConfig {
                minibatch: 32,
                delay: Some(distribution.parse()?),
                ..RunConfig::new(8, *rate)
            };
            let budget = PilotBudget { updates: 600, repetitions: 3, seed: 1000 };
            let all: Vec<_> = entrants(8).into_iter().take(args.size(99, 9)).collect();
            let goal = Goal::Target(*target);
            let advice = advise(&run_config, &objective, &initial, &all, goal, &budget)?;
            let Some(best) = advice.best() else { continue };
            let expected = best.time.unwrap_or(f64::NAN);
            run_config.evaluate_every = Some(expected / 50.0);
            // Mean run time to the target; what takes longer counts with the budget.
            let time = |entrant: &Entrant, budget: f64| -> Result<f64> {
                let run_config = RunConfig { budget: Some(budget), ..run_config.clone() };
                let mut times = Vec::new();
                for seed in 0..seeds {
                    let run = objective.trajectory(&run_config, entrant, seed, &initial(seed))?;
                    let reached = run.points.iter().find(|point| point.loss <= *target);
                    times.push(reached.map_or(budget, |point| point.time));
                }
                Ok(mean(&times).unwrap_or(f64::NAN))
            };
            // Who is slower than the advised entrant does not matter, so that its time is their budget.
            let entrant = best.entrant;
            let advised = time(&entrant, 3.0 * expected)?;
            let (mut other, mut least) = (entrant, advised);
            for forecast in &advice.forecasts {
                let reached = time(&forecast.entrant, advised)?;
                if reached < least {
                    (other, least) = (forecast.entrant, reached);
                }
            }
            let ratio = advised / least;
            let kind = distribution.split(':').next().unwrap_or(distribution);
            rows.push(format!(
                "{shape},{kind},{target},{entrant},{expected:.2},{advised:.2},{other},{least:.2},{ratio:.3}"
            ));
            let place = [Dot::from((expected, advised))];
            lines.push(Line::new(format!("{entrant}: {kind}"), Look::Place, place));
        }
        let axis = |what: &str| Scale::log(&format!("{what} s to {target}"));
        charts.push(Chart::new(axis("expected"), axis("measured"), lines).titled(*shape));
    }
    let caption = format!("MNIST, P=8, m=32, {seeds} seeds: the advised entrant, by distribution");
    let sheet = Sheet::new(charts, caption);
    let head = "model,distribution,target,advised,expected,measured,fastest,its_time,ratio";
    args.write("advice", &sheet, head, &rows)
}
