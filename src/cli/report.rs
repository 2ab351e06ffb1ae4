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
    race::{Config, config::TRACE},
    record::{EntrantSummary, RunDirectory, Summary, read_summary, run_folder},
    report::Report,
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
        races.push((&**directory, read_summary::<Value>(directory)?));
    }
    match (&*args.directories, &args.out) {
        ([directory], None) => tell(races, of_any, directory, false)?,
        (_, out) => {
            let directory = RunDirectory::create(out.as_deref(), "report")?;
            tell(races, of_any, directory.path(), false)?;
        }
    }
    Ok(Exit::Done)
}

/// What was run: in a line, and the configuration in full.
pub(super) struct Described {
    caption: String,
    configuration: String,
    by_command: bool,
}

/// What the command has run.
pub(super) fn of_command(config: &Config) -> Described {
    let toml = config.to_toml();
    let configuration = match config.has_own_trace() {
        true => {
            format!("# {TRACE} is in the run directory: copy it to where this file is.\n{toml}")
        }
        false => toml,
    };
    Described { caption: config.caption(), configuration, by_command: true }
}

/// What the command or any program has run, which records what it likes.
fn of_any(configuration: &Value) -> Described {
    if let Ok(config) = Config::deserialize(configuration) {
        return of_command(&config);
    }
    let (caption, configuration) = match configuration {
        Value::Null => ("run by a program, which recorded no configuration", String::new()),
        value => ("run by a program, with a configuration of its own", format!("{value:#}")),
    };
    Described { caption: caption.to_owned(), configuration, by_command: false }
}

/// Draws the report of `races`, each with its run directory and `describe`d, into `into`; and unless `silent` prints
/// what came of them.
pub(super) fn tell<C>(
    races: Vec<(&Path, Summary<C>)>,
    describe: impl Fn(&C) -> Described,
    into: &Path,
    silent: bool,
) -> Result<()> {
    let mut report = Report::default();
    let names = names(races.iter().map(|(directory, _)| *directory));
    for (at, (name, (directory, summary))) in names.iter().zip(races).enumerate() {
        let Described { caption, configuration, by_command } = describe(&summary.configuration);
        let timelines = timelines(directory, &summary, at)?;
        let add = if by_command { Report::add } else { Report::add_of_program };
        add(&mut report, name, summary, &caption, &configuration, timelines);
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
fn timelines<C>(directory: &Path, summary: &Summary<C>, at: usize) -> Result<Vec<String>> {
    let read = |entrant: &EntrantSummary| {
        let first = entrant.runs.first().map_or(0, |run| run.seed);
        timeline::read(&run_folder(directory, &entrant.entrant, first))
    };
    let all: Vec<_> = summary.entrants.iter().map(read).collect::<Result<_>>()?;
    let ends = all.iter().flatten().map(|timeline| timeline.beginning(SHOWN).until);
    let Some(end) = ends.min() else { return Ok(Vec::new()) };
    let draw = |(n, timeline): (usize, &Option<Timeline>)| {
        let look = Look::of_page(&format!("t{at}-{n}-"));
        timeline
            .as_ref()
            .map_or_else(String::new, |whole| svg(&whole.between(Duration::ZERO, end), &look))
    };
    Ok(all.iter().enumerate().map(draw).collect())
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
    match distinct.len() == names.len() {
        true => names,
        false => directories.map(|directory| directory.display().to_string()).collect(),
    }
}
