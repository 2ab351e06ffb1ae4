//! `tortoise report`: what came of races, drawn from their run directories.

use std::{
    collections::HashSet,
    path::{self, Path, PathBuf},
    time::Duration,
};

use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::{Exit, print};
use crate::{
    Error, Result,
    race::{
        Config,
        config::{SHADERS, TRACE},
    },
    record::{EntrantSummary, RunDirectory, Summary, read_summary, run_folder},
    report::{Race, Report},
    timeline::{self, Look, Timeline, svg},
};

/// Minibatches of a run whose timeline is drawn.
const SHOWN: usize = 80;

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
    for (at, directory) in args.directories.iter().enumerate() {
        if args.directories[..at].contains(directory) {
            return Err(Error::config(format!("{} is named twice", directory.display())));
        }
        races.push((&**directory, of_any(read_summary::<Value>(directory)?)));
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

/// A race that the command has run, without its name and its timelines.
pub(super) fn of_command(summary: Summary<Config>) -> Race {
    let config = &summary.configuration;
    let mut configuration = config.to_toml();
    let copies = [(config.has_own_shaders(), SHADERS), (config.has_own_trace(), TRACE)];
    for (_, name) in copies.into_iter().filter(|(has_it, _)| *has_it) {
        let copy = format!("# {name} is in the run directory: copy it to where this file is.\n");
        configuration.insert_str(0, &copy);
    }
    let caption = config.caption();
    let summary = summary.with_configuration(());
    Race { caption, configuration, by_command: true, summary, ..Race::default() }
}

/// One that the command or any program has run, which records what it likes.
fn of_any(summary: Summary<Value>) -> Race {
    if let Ok(config) = Config::deserialize(&summary.configuration) {
        return of_command(summary.with_configuration(config));
    }
    let (caption, configuration) = match &summary.configuration {
        Value::Null => ("run by a program, which recorded no configuration", String::new()),
        value => ("run by a program, with a configuration of its own", format!("{value:#}")),
    };
    let (caption, summary) = (caption.to_owned(), summary.with_configuration(()));
    Race { caption, configuration, summary, ..Race::default() }
}

/// Draws the report of `races`, each with its run directory, into `into`; and unless `silent` prints what
/// came of them.
pub(super) fn tell(races: Vec<(&Path, Race)>, into: &Path, silent: bool) -> Result<()> {
    let mut report = Report::default();
    let names = names(races.iter().map(|(directory, _)| *directory));
    for (at, (name, (directory, race))) in names.into_iter().zip(races).enumerate() {
        let timelines = timelines(directory, &race.summary, at)?;
        report.races.push(Race { name, timelines, ..race });
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

/// How the first run of each entrant began, all over the same run time; the race is the `at`-th of the
/// page.
fn timelines(directory: &Path, summary: &Summary<()>, at: usize) -> Result<Vec<String>> {
    let read = |entrant: &EntrantSummary| {
        let first = entrant.runs.first().map_or(0, |run| run.seed);
        timeline::read(&run_folder(directory, &entrant.entrant, first))
    };
    let all: Vec<_> = summary.entrants.iter().map(read).collect::<Result<_>>()?;
    let ends = all.iter().flatten().map(|timeline| timeline.beginning(SHOWN).until);
    let Some(end) = ends.min() else { return Ok(Vec::new()) };
    let draw = |(n, whole): (usize, Option<Timeline>)| {
        let look = Look::of_page(&format!("t{at}-{n}-"));
        whole.map_or_else(String::new, |whole| svg(&whole.between(Duration::ZERO, end), &look))
    };
    Ok(all.into_iter().enumerate().map(draw).collect())
}

/// Where the pictures are.
pub(super) fn said(directory: &Path, files: &[PathBuf]) -> String {
    let names: Vec<_> = files.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    format!("\n{}: {}\n", directory.display(), names.join(" "))
}

/// What races are called: as their folders, and where two have the same name, as their paths.
fn names<'a>(directories: impl Iterator<Item = &'a Path> + Clone) -> Vec<String> {
    let name = |directory: &Path| {
        let whole = path::absolute(directory).unwrap_or_else(|_| directory.into());
        whole.file_name().unwrap_or(directory.as_os_str()).to_string_lossy().into_owned()
    };
    let names: Vec<String> = directories.clone().map(name).collect();
    let distinct: HashSet<&String> = names.iter().collect();
    if distinct.len() == names.len() {
        return names;
    }
    directories.map(|directory| directory.display().to_string()).collect()
}
