//! `tortoise theory`: what theory says of update times and errors, without running anything.

mod tables;

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{
    Exit,
    case::{self, Case, MINIBATCH_ALONE, with_samples},
    print, print_json,
    report::said,
    values::{UNTRAINED, entrant_alone, number, whole},
};
use crate::{
    Error, Result,
    cluster::delay::{Distribution, Slow},
    numbers::Shown,
    record::RunDirectory,
    report::{align, figures},
    sgd::{Cancellation, Entrant, Variant},
    theory::{
        momentum::HeavyBall,
        runtime::{self, Ageing, UpdateTime},
        staleness::{
            Expected,
            chain::{Chain, State},
        },
    },
};

/// Learners whose staleness is told state by state, at most.
const FEW: usize = 3;
/// States that are told.
const STATES: usize = 8;

#[derive(Debug, Args)]
pub(super) struct TheoryArgs {
    /// {entrants}, without :K with K = P/2; if
    /// none is named, tables of all of them
    #[arg(value_parser = entrant_alone(UNTRAINED))]
    entrant: Option<Entrant>,
    /// P, the number of learners
    #[arg(long, value_name = "P", short = 'p', default_value_t = 8)]
    #[arg(value_parser = whole::<usize>("from 1 to 1048576, for tables to 4096"))]
    learners: usize,
    /// Distribution of the time a minibatch takes, in seconds; `tortoise race --help` lists them.
    /// Tables take several [default: exponential:mean=1; for tables one of each kind]
    #[arg(long)]
    delay: Vec<Distribution>,
    /// Seconds that each sample of a minibatch (--minibatch) adds to its time
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, hide_default_value = true)]
    #[arg(value_parser = number("0 seconds or more"))]
    per_sample: f64,
    /// Distribution of the time that a pull and a push take on the way; not for tables [default: they
    /// take none]
    #[arg(long, value_name = "DISTRIBUTION")]
    link: Option<Distribution>,
    /// LEARNER=FACTOR[,...]: learners that are slower than the distribution says; not for tables
    #[arg(long, default_value = "", hide_default_value = true)]
    slow: Slow,
    /// Whether cancelled work stops at once or is dropped when it arrives; not for tables [default:
    /// preempt]
    #[arg(long)]
    cancel: Option<Cancellation>,
    #[command(flatten)]
    bounds: tables::BoundArgs,
    /// Draw the tables as well, or how the staleness of two learners changes from update to update (async
    /// -p 2), and write the pictures to this folder, new or empty
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Theory<'a> {
    #[serde(flatten)]
    case: &'a Case,
    class: Ageing,
    #[serde(flatten)]
    time: UpdateTime,
    /// None where nothing is known of it.
    staleness: Option<Expected>,
    /// What the staleness is to the mean of the parameters, where times are memoryless.
    momentum: Option<HeavyBall>,
    /// How stale the parameters of the learners are, at the most likely of all updates.
    states: Vec<Probable>,
}

/// A state of the learners, and its probability in the long run.
#[derive(Serialize)]
struct Probable {
    state: State,
    probability: f64,
}

pub(super) fn run(args: &TheoryArgs) -> Result<Exit> {
    let Some(entrant) = args.entrant else {
        return tables::run(args);
    };
    let delay = match &*args.delay {
        [] => "exponential:mean=1".parse()?,
        [delay] => delay.clone(),
        _ => {
            return Err(Error::config(
                "give one --delay with an entrant; only the tables take several",
            ));
        }
    };
    let cancel = args.cancel.unwrap_or_default();
    if args.bounds.minibatch.is_some() && args.per_sample == 0.0 {
        return Err(Error::config(MINIBATCH_ALONE));
    }
    let delay = with_samples(delay, args.per_sample, args.bounds.minibatch.unwrap_or(1))?;
    let (link, slow) = (args.link.clone(), args.slow.clone());
    let case = Case::new(entrant, args.learners, delay, link, slow, cancel)?;
    case.note_idle(args.cancel);
    let Case { entrant, learners, k, delay, slow, .. } = &case;
    // Where any K learners are equally likely to be the next, the staleness of all is a Markov chain.
    let walks = Variant::of(entrant.rules()) == Some(Variant::KAsync)
        && slow.is_none()
        && delay.is_memoryless()
        && case.link.is_none()
        && k < learners;
    let chain = (walks && *learners <= FEW).then(|| Chain::new(*learners, *k));
    let states = chain.map_or(Vec::new(), |chain| chain.likeliest(STATES));
    let theory = Theory {
        class: runtime::ageing(delay),
        time: case.update_time(),
        staleness: case.staleness(),
        momentum: walks.then(|| HeavyBall::of_stale(*learners, *k)),
        states: states
            .into_iter()
            .map(|(state, probability)| Probable { state, probability })
            .collect(),
        case: &case,
    };
    let mut drawn = String::new();
    if let Some(out) = &args.out {
        if !(walks && *learners == 2) {
            return Err(Error::config(
                "with an entrant, --out draws how the staleness of two learners changes: that of async -p 2 \
                 with exponential times. Without an entrant it draws the tables",
            ));
        }
        let directory = RunDirectory::create(Some(out), "theory")?;
        drawn = said(directory.path(), &figures::chain::draw(directory.path())?);
    }
    if args.json {
        print_json(&theory)?;
    } else {
        let chain = chain.map_or(String::new(), |chain| states_of(&chain, &theory.states));
        print(&(text(&theory) + &chain + &drawn))?;
    }
    Ok(Exit::Done)
}

/// The states, and where each goes on to.
fn states_of(chain: &Chain, states: &[Probable]) -> String {
    let start = chain.start();
    let share = 100.0 / chain.successors(&start).len() as f64;
    let row = |state: &State, probability: String| {
        let next = chain.successors(state).into_iter().map(|(next, _)| next.to_string());
        vec![state.to_string(), probability, next.collect::<Vec<_>>().join("  ")]
    };
    let next = format!("after the next update, each {share:.0} %");
    let mut cells = vec![vec!["staleness of the learners".to_owned(), "long run".to_owned(), next]];
    cells.push(row(&start, "at first".to_owned()));
    for Probable { state, probability } in states {
        cells.push(row(state, format!("{:.2} %", 100.0 * probability)));
    }
    format!("\n{}", align(&cells))
}

/// The class of a distribution in words.
fn class(class: Ageing) -> &'static str {
    match class {
        Ageing::Memoryless => "memoryless: a running minibatch still takes as long as a new one",
        Ageing::NewLonger => {
            "new longer than used: a new minibatch takes longer than a running one still does"
        }
        Ageing::NewShorter => {
            "new shorter than used: a new minibatch takes less than a running one still does"
        }
        Ageing::Neither => {
            "neither: a running minibatch takes sometimes longer than a new one, sometimes less"
        }
    }
}

fn text(theory: &Theory<'_>) -> String {
    let Theory { case, time, staleness, .. } = theory;
    let unknown = || "nothing known".to_owned();
    let mean = staleness.map_or_else(unknown, |staleness| {
        let mean = staleness.mean.map(|mean| format!("{:.4}", Shown(mean)));
        mean.unwrap_or_else(|| "no finite mean".to_owned())
    });
    let fresh = staleness.map_or_else(unknown, |staleness| {
        match (staleness.fresh_at_least, staleness.fresh_at_most) {
            (least, most) if least == most => format!("{:.2} %", 100.0 * least),
            (least, most) => format!("from {:.2} to {:.2} %", 100.0 * least, 100.0 * most),
        }
    });
    let momentum = theory.momentum.map_or(String::new(), |HeavyBall { beta, rate_ratio }| {
        format!(
            "on a quadratic    on average like momentum {beta:.4} at {rate_ratio:.4} of the rate\n"
        )
    });
    format!(
        "{case}\n\
         mean update time  {time}\n\
         distribution      {class}\n\
         mean staleness    {mean}\n\
         fresh gradients   {fresh}\n\
         {momentum}",
        case = case.in_words(),
        time = case::in_words(time),
        class = class(theory.class),
    )
}
