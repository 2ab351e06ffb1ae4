//! `tortoise advise`: which variant and K reach a loss soonest, or the lowest loss within a budget.

use std::fmt::Write as _;

use clap::Args;

use super::{
    Context, Exit,
    options::{AdviseFlags, Output},
    print, print_json,
    report::said,
    settings,
    values::{entrant_alone, number, whole},
};
use crate::{
    Error, Result,
    advise::{
        self, Advice, Forecast, Goal,
        given::{Given, advise_given},
        pilot::PilotBudget,
    },
    numbers::Shown,
    race::{Clock, Config, runner::Runner},
    record::RunDirectory,
    report::{self, figures},
    sgd::Entrant,
};

/// What only pilot runs have use for.
const OF_PILOTS: [&str; 10] = [
    "pilot",
    "repetitions",
    "model",
    "l2",
    "seed",
    "device",
    "kernels",
    "shaders",
    "queues",
    "data",
];

#[derive(Debug, Args)]
#[command(mut_args(settings::of_a_race))]
pub(super) struct AdviseArgs {
    /// Entrants to weigh [default: every variant with every K up to P]
    ///
    /// Among more than 16 learners K is 1, 2, 3, 4, 6, 8, 12, ... and P. Without :K, K = P/2.
    #[arg(value_parser = entrant_alone("all are weighed at one --learning-rate"))]
    entrants: Vec<Entrant>,
    /// Goal: reach this training loss as soon as possible
    #[arg(long, value_name = "LOSS", value_parser = number("a number above 0"))]
    target: Option<f64>,
    /// Constants of theory, to forecast from bounds in place of pilot runs
    ///
    /// As `tortoise estimate` prints them: L=6,c=0.1,sigma2=25,mg=50,gap=1.9,gamma=0.1; mg and gamma are 0
    /// if left out. Losses then are F - F*, the distance to the lowest loss.
    #[arg(long, conflicts_with = "follow", conflicts_with_all = OF_PILOTS)]
    constants: Option<Given>,
    /// Updates of each pilot run
    #[arg(long, value_name = "UPDATES", default_value_t = 600)]
    #[arg(value_parser = whole::<u64>("from 10 to 1000000"))]
    pilot: u64,
    /// Repetitions of each pilot run
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = whole::<u64>("from 1 to 1000"))]
    repetitions: u64,
    /// Then run the advised entrant, and draw the forecast beside the result
    ///
    /// --seeds, --out, --events, --tensorboard, --checkpoint-every and --plain are for this run.
    #[arg(long)]
    follow: bool,
    #[command(flatten)]
    flags: AdviseFlags,
    #[command(flatten)]
    output: Output,
}

/// Lines of the table.
const SHOWN: usize = 10;
/// Evaluations up to the expected time to the target.
const EVALUATIONS: f64 = 40.0;
/// The longest run that follows, in seconds.
const LONGEST: f64 = 1e9;
/// How much longer than expected a run may take to the target, before it is given up.
const OVERTIME: f64 = 2.0;

/// Refuses what only the run that follows the advice has use for.
fn without_follow(args: &AdviseArgs) -> Result<()> {
    let AdviseArgs { flags, output, .. } = args;
    let given = settings::given(flags)?;
    let kept = ["seeds", "checkpoint-every", "events", "tensorboard"];
    let option = match kept.into_iter().find(|option| given.contains_key(*option)) {
        Some(option) => option,
        None if output.out.is_some() => "out",
        None if output.show.plain => "plain",
        None => return Ok(()),
    };
    Err(Error::config(format!(
        "--{option} is only used with --follow, which runs the advised entrant: give --follow too, or \
         remove --{option}"
    )))
}

pub(super) fn run(args: &AdviseArgs, context: &Context<'_>) -> Result<Exit> {
    let AdviseArgs { target, flags, output, .. } = args;
    // Those of a file were chosen for a race; here all are weighed that are not left out by name.
    let any = [Entrant::SYNC];
    let named = if args.entrants.is_empty() { &any[..] } else { &args.entrants };
    let mut config = settings::config(named, flags, output)?;
    if config.clock == Clock::Real {
        return Err(Error::config(
            "advise works in virtual time only: remove --clock real, and give with --delay the distribution \
             that a race in real time prints",
        ));
    }
    let entrants = match args.entrants.is_empty() {
        true => advise::entrants(config.learners),
        false => config.entrants.clone(),
    };
    if target.is_some_and(|loss| !(loss.is_finite() && loss > 0.0)) {
        return Err(Error::config("--target must be a number above 0"));
    }
    let goal = match (*target, config.budget) {
        (Some(loss), _) => Goal::Target(loss),
        (None, Some(budget)) => Goal::Budget(budget),
        (None, None) => return Err(Error::config("advise needs a --target or a --budget")),
    };
    if !(10..=1_000_000).contains(&args.pilot) || !(1..=1000).contains(&args.repetitions) {
        return Err(Error::config(
            "--pilot must be at least 10 and --repetitions at least 1; at most they are 1000000 and \
             1000",
        ));
    }
    for entrant in &entrants {
        entrant.fixed_k(config.learners)?;
    }
    if !args.follow {
        without_follow(args)?;
    }
    if let Some(constants) = &args.constants {
        let advice = advise_given(constants, &config.run_config(), &entrants, goal)?;
        let caption = config.caption();
        return tell(&advice, &caption, output.show.json).map(|()| Exit::Done);
    }
    // The pilots see other delays and minibatches than the run that is advised.
    let budget = PilotBudget {
        updates: args.pilot,
        repetitions: args.repetitions,
        seed: config.seed + config.seeds,
    };
    config.entrants.clear();
    let mut race = Runner::open(config, None, context.progress(&output.show), context.program())?;
    let run_config = race.config.run_config();
    let objective = race.pilot_objective()?;
    let initial = |seed| objective.initial(seed);
    let advice = advise::advise(&run_config, &objective, &initial, &entrants, goal, &budget)?;
    drop(objective);
    let caption = race.config.caption();
    let followed = match (args.follow, advice.best()) {
        (true, Some(best)) => {
            follow(&mut race.config, best, goal);
            let directory = RunDirectory::create(output.out.as_deref(), "advise")?;
            Some((race.run(&directory, context.interrupt.flag())?, directory))
        }
        _ => None,
    };
    tell(&advice, &caption, output.show.json)?;
    let Some((summary, directory)) = followed else { return Ok(Exit::Done) };
    let pictures = figures::advice::draw(&summary, &advice, &caption, directory.path())?;
    if !output.show.json {
        print(&figures::advice::text(&summary, &advice))?;
        print(&said(directory.path(), &pictures))?;
    }
    Ok(if summary.interrupted { Exit::Interrupted } else { Exit::Done })
}

fn tell(advice: &Advice, caption: &str, json: bool) -> Result<()> {
    match json {
        true => print_json(advice),
        false => print(&format!("{caption}\n\n{}", text(advice))),
    }
}

/// Makes the race one of the advised entrant alone, with time to get where it should.
fn follow(config: &mut Config, best: &Forecast, goal: Goal) {
    config.entrants = vec![best.entrant];
    let expected = match goal {
        Goal::Budget(budget) => budget,
        Goal::Target(loss) => {
            config.targets = vec![loss];
            let expected = best.time.expect("the best gets to the target");
            config.budget = Some((OVERTIME * expected).min(LONGEST));
            expected
        }
    };
    config.evaluate_every = Some(expected / EVALUATIONS);
}

fn text(advice: &Advice) -> String {
    let (goal, what) = match advice.goal {
        Goal::Target(loss) => (
            format!("a training loss of {} as soon as possible", Shown(loss)),
            format!("s to {}", Shown(loss)),
        ),
        Goal::Budget(time) => {
            (format!("a low training loss within {} s", Shown(time)), "loss".to_owned())
        }
    };
    let head = ["entrant", "s/update", "staleness", "updates", &what].map(str::to_owned);
    let mut cells = vec![head.to_vec()];
    for forecast in advice.forecasts.iter().take(SHOWN) {
        let value = match advice.goal {
            Goal::Target(_) => with_deviation(forecast.time, forecast.time_deviation, 1),
            Goal::Budget(_) => with_deviation(forecast.loss, forecast.loss_deviation, 4),
        };
        let beyond = if forecast.within_pilots { "" } else { " *" };
        cells.push(vec![
            forecast.entrant.to_string(),
            format!("{:.4}", Shown(forecast.mean_update_time)),
            format!("{:.2}", forecast.mean_staleness),
            forecast.updates.map_or("-".to_owned(), |updates| format!("{:.0}", Shown(updates))),
            format!("{value}{beyond}"),
        ]);
    }
    let mut text = format!("goal: {goal}\n\n{}", report::align(&cells));
    let more = advice.forecasts.len().saturating_sub(SHOWN);
    if more > 0 {
        let _ = writeln!(text, "... and {more} more entrants");
    }
    if advice.forecasts.iter().take(SHOWN).any(|forecast| !forecast.within_pilots) {
        text.push_str("* extrapolated: the pilot runs were shorter\n");
    }
    let pilots: Vec<_> = advice.pilots.iter().map(|pilot| pilot.entrant.to_string()).collect();
    let gradients: u64 = advice.pilots.iter().map(|pilot| pilot.gradients).sum();
    let basis = match &*pilots {
        [] => "from the bounds on F - F* that --constants give".to_owned(),
        pilots => format!("pilot runs: {}; {gradients} gradients in all", pilots.join(", ")),
    };
    let _ = writeln!(text, "{basis}");
    text + &verdict(advice)
}

/// A value and the deviation of one run about it.
fn with_deviation(value: Option<f64>, deviation: Option<f64>, digits: usize) -> String {
    let Some(value) = value else { return "-".to_owned() };
    let deviation =
        deviation.map_or(String::new(), |deviation| format!(" ± {:.digits$}", Shown(deviation)));
    format!("{:.digits$}{deviation}", Shown(value))
}

/// The advice in a sentence, and who might as well be better.
fn verdict(advice: &Advice) -> String {
    let Some(best) = advice.best() else {
        return "advice: none: no entrant is expected to reach the goal; try a smaller \
                --learning-rate or another goal\n"
            .to_owned();
    };
    let close = advice.forecasts[1..].iter().filter(|other| advice.too_close(best, other));
    let close: Vec<String> = close.map(|other| other.entrant.to_string()).collect();
    match &close[..] {
        [] => format!("advice: {}\n", best.entrant),
        _ => format!("advice: {} (no clear difference to {})\n", best.entrant, close.join(", ")),
    }
}
