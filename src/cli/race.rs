//! `tortoise race` and `tortoise train`: runs on equal terms, recorded and summed up.

use clap::Args;

use super::{
    Context, Exit,
    options::{Output, RaceFlags},
    print,
    report::{of_command, tell},
    settings, to_json,
};
use crate::{Result, race::runner::Runner, record::RunDirectory, sgd::Entrant};

#[derive(Debug, Args)]
#[command(mut_args(settings::of_a_race))]
pub(super) struct RaceArgs {
    /// {entrants}; @rate=0.1 behind one is its own learning rate [default: the first six and
    /// k-sync:1, tuned]
    ///
    /// Without :K, K = P/2, rounded up. In place of K, adasync or adasync(K0): K grows as the training
    /// loss falls; or adaptive: K is measured. Where none is named, in virtual time, this holds too:
    /// --model mlp:32 --seeds 3 --budget 100 --evaluate-every 10, and --tune
    /// 0.05,0.1,0.2,0.4,0.8,1.6 unless --learning-rate is given. What is given comes first.
    entrants: Vec<Entrant>,
    #[command(flatten)]
    flags: RaceFlags,
    #[command(flatten)]
    output: Output,
}

#[derive(Debug, Args)]
#[command(mut_args(settings::of_a_race))]
pub(super) struct TrainArgs {
    /// {entrants}; @rate=0.1 behind one is its own learning rate
    ///
    /// Without :K, K = P/2, rounded up. In place of K, adasync or adasync(K0): K grows as the training
    /// loss falls; or adaptive: K is measured.
    entrant: Entrant,
    #[command(flatten)]
    flags: RaceFlags,
    #[command(flatten)]
    output: Output,
}

pub(super) fn race(args: &RaceArgs, context: &Context<'_>) -> Result<Exit> {
    run("race", &args.entrants, &args.flags, &args.output, context)
}

pub(super) fn train(args: &TrainArgs, context: &Context<'_>) -> Result<Exit> {
    run("train", &[args.entrant], &args.flags, &args.output, context)
}

fn run(
    name: &str,
    entrants: &[Entrant],
    flags: &RaceFlags,
    output: &Output,
    context: &Context<'_>,
) -> Result<Exit> {
    let config = settings::config(entrants, flags, output)?;
    let runner = Runner::open(config, None, context.progress(&output.show), context.program())?;
    let directory = RunDirectory::create(output.out.as_deref(), name)?;
    carry_on(runner, &directory, context, output.show.json)
}

/// Runs what is not over yet, and tells what came of all.
pub(super) fn carry_on(
    mut runner: Runner,
    directory: &RunDirectory,
    context: &Context<'_>,
    json: bool,
) -> Result<Exit> {
    let summary = runner.run(directory, context.interrupt.flag())?;
    let interrupted = summary.interrupted;
    // All is written before anything is printed: there may be nobody left to print for.
    let printed = if json { Some(to_json(&summary)?) } else { None };
    tell(vec![(directory.path(), of_command(summary))], directory.path(), json)?;
    printed.map_or(Ok(()), |json| print(&json))?;
    Ok(if interrupted { Exit::Interrupted } else { Exit::Done })
}
