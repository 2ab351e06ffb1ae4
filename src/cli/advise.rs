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
        self, Advice, Forecast, Goal, LeftOut,
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
    #[arg(value_parser = entrant_alone("all are weighed with the same --learning-rate, --momentum and --clip"))]
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
    /// Minibatches to choose from as well, in place of --minibatch
    ///
    /// A minibatch takes longer the larger it is where --per-sample says so.
    #[arg(long, value_name = "M", value_delimiter = ',', conflicts_with = "minibatch")]
    #[arg(value_parser = whole::<usize>("from 1 to the samples of the training set"))]
    minibatches: Vec<usize>,
    /// Learning rates to choose from as well, in place of --learning-rate
    #[arg(long, value_name = "RATE", value_delimiter = ',', conflicts_with = "learning_rate")]
    #[arg(value_parser = number("rates above 0"))]
    rates: Vec<f64>,
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
    if config.shards.is_some() {
        return Err(Error::config(
            "advise takes it that all learners draw from the same data: leave --shards out",
        ));
    }
    let entrants = match args.entrants.is_empty() {
        true => advise::entrants(config.learners)
            .into_iter()
            .map(|entrant| config.stale.map_or(entrant, |bound| entrant.capped(bound)))
            .collect(),
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
    let choices = choices(args, &mut config)?;
    if !args.follow {
        without_follow(args)?;
    }
    if let Some(constants) = &args.constants {
        let given = |run_config: &_| advise_given(constants, run_config, &entrants, goal);
        let advice = advise::among(&config.run_config(), &choices, given)?;
        choose(&mut config, &advice);
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
    let advice = advise::among(&run_config, &choices, |run_config| {
        advise::advise(run_config, &objective, &initial, &entrants, goal, &budget)
    })?;
    drop(objective);
    choose(&mut race.config, &advice);
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

/// The m and rates to choose from; the configuration gets the largest m, for which engines have to be made.
fn choices(args: &AdviseArgs, config: &mut Config) -> Result<Vec<(usize, f64)>> {
    let wrong = args.minibatches.contains(&0);
    let rates = args.rates.iter().all(|rate| rate.is_finite() && *rate > 0.0);
    if wrong || !rates {
        return Err(Error::config("--minibatches must be 1 or more, and --rates numbers above 0"));
    }
    let mut minibatches = args.minibatches.clone();
    let mut rates = args.rates.clone();
    minibatches.sort_unstable();
    rates.sort_by(f64::total_cmp);
    minibatches.dedup();
    rates.dedup();
    if minibatches.is_empty() {
        minibatches.push(config.minibatch);
    }
    if rates.is_empty() {
        rates.push(config.learning_rate);
    }
    config.minibatch = minibatches[minibatches.len() - 1];
    config.learning_rate = rates[rates.len() - 1];
    let with_each = |m: &usize| rates.iter().map(|rate| (*m, *rate)).collect::<Vec<_>>();
    Ok(minibatches.iter().flat_map(with_each).collect())
}

/// Gives the race the m and the rate that are advised.
fn choose(config: &mut Config, advice: &Advice) {
    if let Some(best) = advice.forecasts.first() {
        config.minibatch = best.minibatch;
        config.learning_rate = best.learning_rate;
    }
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
    let (several_m, several_rates) = choice(advice);
    let mut head = vec!["entrant"];
    head.extend(several_m.then_some("m"));
    head.extend(several_rates.then_some("rate"));
    head.extend(["s/update", "staleness", "updates", &what]);
    let mut cells = vec![head.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for forecast in advice.forecasts.iter().take(SHOWN) {
        let value = match advice.goal {
            Goal::Target(_) => with_deviation(forecast.time, forecast.time_deviation, 1),
            Goal::Budget(_) => with_deviation(forecast.loss, forecast.loss_deviation, 4),
        };
        let beyond = if forecast.within_pilots { "" } else { " *" };
        let mut row = vec![forecast.entrant.to_string()];
        row.extend(several_m.then(|| forecast.minibatch.to_string()));
        row.extend(several_rates.then(|| Shown(forecast.learning_rate).to_string()));
        row.extend([
            format!("{:.4}", Shown(forecast.mean_update_time)),
            format!("{:.2}", forecast.mean_staleness),
            forecast.updates.map_or("-".to_owned(), |updates| format!("{:.0}", Shown(updates))),
            format!("{value}{beyond}"),
        ]);
        cells.push(row);
    }
    let mut text = format!("goal: {goal}\n\n{}", report::align(&cells));
    let more = advice.forecasts.len().saturating_sub(SHOWN);
    if more > 0 {
        let what = if several_m || several_rates { "choices" } else { "entrants" };
        let _ = writeln!(text, "... and {more} more {what}");
    }
    if advice.forecasts.iter().take(SHOWN).any(|forecast| !forecast.within_pilots) {
        text.push_str("* extrapolated: the pilot runs were shorter\n");
    }
    for LeftOut { minibatch, learning_rate, reason } in &advice.left_out {
        let rate = Shown(*learning_rate);
        let _ = writeln!(text, "m={minibatch}, rate {rate}: left out: {reason}");
    }
    let mut pilots: Vec<String> = Vec::new();
    for name in advice.pilots.iter().map(|pilot| pilot.entrant.to_string()) {
        if !pilots.contains(&name) {
            pilots.push(name);
        }
    }
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
    let (several_m, several_rates) = choice(advice);
    let name = |forecast: &Forecast| {
        let m = several_m.then(|| format!(" with m={}", forecast.minibatch));
        let rate = several_rates.then(|| format!(" at rate {}", Shown(forecast.learning_rate)));
        format!("{}{}{}", forecast.entrant, m.unwrap_or_default(), rate.unwrap_or_default())
    };
    let close: Vec<String> = close.map(name).collect();
    match &close[..] {
        [] => format!("advice: {}\n", name(best)),
        few if few.len() <= SHOWN => {
            format!("advice: {} (no clear difference to {})\n", name(best), close.join(", "))
        }
        many => format!("advice: {} (no clear difference to {} others)\n", name(best), many.len()),
    }
}

/// Whether several m were weighed, and several rates.
fn choice(advice: &Advice) -> (bool, bool) {
    let all = || {
        let forecast = |one: &Forecast| (one.minibatch, one.learning_rate);
        let left_out = |one: &LeftOut| (one.minibatch, one.learning_rate);
        advice.forecasts.iter().map(forecast).chain(advice.left_out.iter().map(left_out))
    };
    let Some((minibatch, rate)) = all().next() else { return (false, false) };
    (all().any(|(m, _)| m != minibatch), all().any(|(_, other)| other != rate))
}
