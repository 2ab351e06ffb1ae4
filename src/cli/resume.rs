//! `tortoise resume`: a race goes on where it stopped.

use std::path::PathBuf;

use clap::Args;

use super::{
    Context, Exit,
    progress::Show,
    race::carry_on,
    values::{number, whole},
};
use crate::{
    Result,
    engine::adapter::DeviceChoices,
    race::{Changes, resume},
    record::RunDirectory,
};

#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    /// Run directory of a race that was interrupted, or that something brought to an end
    directory: PathBuf,
    /// Extend the race, in virtual time: run time of each run
    ///
    /// Runs that are over start over, so that each has the bits of a run of that length. What else is
    /// set stays as it is, the time between evaluations as well.
    #[arg(long, value_name = "SECONDS", value_parser = number("seconds above 0"))]
    budget: Option<f64>,
    /// Extend the race, in virtual time: updates of each run
    ///
    /// As with --budget.
    #[arg(long, value_name = "N", value_parser = whole::<u64>("from 1 on"))]
    updates: Option<u64>,
    /// Folder with the IDX files, if it has moved [default: $TORTOISE_DATA, or where it was]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Go on with another device, which is recorded [default: the one before]
    ///
    /// auto, host, an adapter's index or part of its name; in real time several, with a comma between.
    #[arg(long)]
    device: Option<DeviceChoices>,
    #[command(flatten)]
    show: Show,
}

pub(super) fn run(args: &ResumeArgs, context: &Context<'_>) -> Result<Exit> {
    let ResumeArgs { directory, budget, updates, data, device, show } = args;
    let directory = RunDirectory::open(directory)?;
    let changes =
        Changes { budget: *budget, updates: *updates, data: data.clone(), device: device.clone() };
    let progress = context.progress(show);
    let runner = resume::open(&directory, &changes, None, progress, context.set_variable)?;
    carry_on(runner, &directory, context, show.json)
}
