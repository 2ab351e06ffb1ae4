//! `tortoise report`: what came of races, drawn from their run directories.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Exit, experiment::Experiment, print};
use crate::{
    Result,
    record::{RunDirectory, Summary, read_summary},
    report::Report,
};

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// Run directories of races that are over; with several, one report shows them side by side
    #[arg(required = true, value_name = "DIR")]
    directories: Vec<PathBuf>,
    /// Folder to write to, new or empty [default: the run directory, or with several the next free
    /// runs/report-N]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &ReportArgs) -> Result<Exit> {
    let mut races = Vec::new();
    for directory in &args.directories {
        races.push((&**directory, read_summary::<Experiment>(directory)?));
    }
    match (&*args.directories, &args.out) {
        ([directory], None) => tell(races, directory, false)?,
        (_, out) => {
            let directory = RunDirectory::create(out.as_deref(), "report")?;
            tell(races, directory.path(), false)?;
        }
    }
    Ok(Exit::Done)
}

/// Draws the report of `races`, each with its run directory, into `into`; and unless `silent` prints
/// what came of them.
pub(super) fn tell(
    races: Vec<(&Path, Summary<Experiment>)>,
    into: &Path,
    silent: bool,
) -> Result<()> {
    let mut report = Report::default();
    for (directory, summary) in races {
        let experiment = &summary.configuration;
        let (caption, configuration) = (experiment.caption(), experiment.to_toml());
        report.add(&name(directory), summary, &caption, &configuration);
    }
    let files = report.draw(into)?;
    if silent {
        return Ok(());
    }
    print(&report.table())?;
    let learners = report.learners();
    if !learners.is_empty() {
        print(&format!("\n{learners}"))?;
    }
    print(&said(into, &files))
}

/// Where the pictures are.
pub(super) fn said(directory: &Path, files: &[PathBuf]) -> String {
    let names: Vec<_> = files.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    format!("\n{}: {}\n", directory.display(), names.join(" "))
}

/// What a race is called: as its folder.
fn name(directory: &Path) -> String {
    let whole = std::path::absolute(directory).unwrap_or_else(|_| directory.into());
    whole.file_name().unwrap_or(directory.as_os_str()).to_string_lossy().into_owned()
}
