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
    /// Run directory of a race that was interrupted or has crashed
    directory: PathBuf,
    /// Extend each run to this run time, in seconds; virtual time only
    ///
    /// Finished runs start again from the beginning, so that results are those of a run of that length.
    /// Other settings stay as they are, --evaluate-every too.
    #[arg(long, value_name = "SECONDS", value_parser = number("seconds above 0"))]
    budget: Option<f64>,
    /// Extend each run to this number of updates; virtual time only
    ///
    /// As with --budget.
    #[arg(long, value_name = "N", value_parser = whole::<u64>("of 1 or more"))]
    updates: Option<u64>,
    /// Folder with the IDX files, if it has moved [default: $TORTOISE_DATA, or where it was]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Go on with another device [default: the one before]; the change is recorded
    ///
    /// auto, host, an adapter's index or part of its name; in real time several, separated by commas.
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
    let runner = resume::open(&directory, &changes, None, progress, context.program())?;
    carry_on(runner, &directory, context, show.json)
}
