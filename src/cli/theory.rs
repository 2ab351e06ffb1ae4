//! `tortoise theory`: what theory says of a variant's update time, without running anything.

use clap::Args;
use serde::Serialize;

use super::{
    Exit,
    case::{self, CaseArgs},
    print, print_json,
};
use crate::{
    Result,
    cluster::delay::Distribution,
    sgd::{Cancellation, Entrant},
    theory::runtime::{self, Ageing, UpdateTime},
};

#[derive(Debug, Args)]
pub(super) struct TheoryArgs {
    #[command(flatten)]
    case: CaseArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Theory<'a> {
    entrant: &'a Entrant,
    learners: usize,
    k: usize,
    delay: &'a Distribution,
    cancel: Cancellation,
    class: Ageing,
    #[serde(flatten)]
    time: UpdateTime,
}

pub(super) fn run(args: &TheoryArgs) -> Result<Exit> {
    let CaseArgs { entrant, learners, delay, slow, cancel } = &args.case;
    let k = args.case.k()?;
    let theory = Theory {
        entrant,
        learners: *learners,
        k,
        delay,
        cancel: *cancel,
        class: runtime::ageing(delay),
        time: runtime::update_time_of(entrant.variant(), delay, slow, *cancel, *learners, k),
    };
    if args.json {
        print_json(&theory)?;
    } else {
        print(&text(&theory))?;
    }
    Ok(Exit::Done)
}

fn text(theory: &Theory<'_>) -> String {
    let Theory { entrant, learners, k, delay, class, time, .. } = theory;
    let class = match class {
        Ageing::Memoryless => "a fresh minibatch takes as long as what is left of another",
        Ageing::NewLonger => "a fresh minibatch takes longer than what is left of another",
        Ageing::NewShorter => "a fresh minibatch takes less than what is left of another",
        Ageing::Neither => {
            "a fresh minibatch takes now more, now less than what is left of another"
        }
    };
    format!(
        "{entrant}, P={learners}, K={k}, {delay}\n\
         mean update time  {time}\n\
         law               {class}\n",
        time = case::in_words(time),
    )
}
