//! `tortoise theory`: what theory says of update times and errors, without running anything.

mod tables;

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{
    Exit,
    case::{self, Case},
    print, print_json,
    values::{UNTRAINED, entrant_alone, whole},
};
use crate::{
    Error, Result,
    cluster::delay::{Distribution, Slow},
    numbers::Shown,
    sgd::{Cancellation, Entrant},
    theory::{
        runtime::{self, Ageing, UpdateTime},
        staleness::{self, Expected},
    },
};

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
    /// LEARNER=FACTOR[,...]: learners that are slower than the distribution says; not for tables
    #[arg(long, default_value = "", hide_default_value = true)]
    slow: Slow,
    /// Whether cancelled work stops at once or is dropped when it arrives; not for tables [default:
    /// preempt]
    #[arg(long)]
    cancel: Option<Cancellation>,
    #[command(flatten)]
    bounds: tables::BoundArgs,
    /// Draw the tables as well, and write the pictures to this folder, new or empty
    #[arg(long, value_name = "DIR", conflicts_with = "entrant")]
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
    let case = Case::new(entrant, args.learners, delay, args.slow.clone(), cancel)?;
    case.note_idle(args.cancel);
    let Case { entrant, learners, k, delay, slow, .. } = &case;
    let theory = Theory {
        class: runtime::ageing(delay),
        time: case.update_time(),
        staleness: staleness::expected(entrant.rules(), delay, slow, *learners, *k),
        case: &case,
    };
    if args.json {
        print_json(&theory)?;
    } else {
        print(&text(&theory))?;
    }
    Ok(Exit::Done)
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
    let Theory { case: Case { entrant, learners, k, delay, .. }, time, staleness, .. } = theory;
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
    format!(
        "{entrant}, P={learners}, K={k}, {delay}\n\
         mean update time  {time}\n\
         distribution      {class}\n\
         mean staleness    {mean}\n\
         fresh gradients   {fresh}\n",
        time = case::in_words(time),
        class = class(theory.class),
    )
}
