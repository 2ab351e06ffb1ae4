//! What a person looks at: the table of a race, its pictures, and the page that has it all.

pub mod figures;
pub mod model;
mod page;
pub mod plot;
mod style;
mod tables;
mod verdict;

use std::path::{Path, PathBuf};

use self::{
    figures::race::{Point, Series},
    tables::results,
};
pub(crate) use self::{
    plot::axis::Axis,
    style::{Style, styles},
};
pub use self::{
    tables::{
        align,
        learners::{csv, learners},
        results::line,
    },
    verdict::verdict,
};
use crate::{
    Result,
    record::{EntrantSummary, EvaluationRow, RunSummary, Summary, write_whole},
    sgd::course,
};

/// A race, or several side by side, as a person is shown them.
#[derive(Debug, Default)]
pub struct Report {
    entrants: Vec<EntrantSummary>,
    /// As many as entrants; empty where there is none.
    timelines: Vec<String>,
    sources: Vec<Source>,
}

/// Where entrants come from, and what it takes to run them again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What the race is called: its folder, say.
    pub name: String,
    /// What was run, in a line.
    pub caption: String,
    /// The configuration that gives it again, as a TOML file; of a race that is no command's what its
    /// program recorded of it, which may be nothing.
    pub configuration: String,
    /// Whether `tortoise race` gives it again.
    pub by_command: bool,
    /// Version of this crate.
    pub tortoise: String,
    /// Operating system, processor and threads.
    pub machine: String,
    /// What computed the gradients.
    pub gradients_on: String,
    /// What evaluated.
    pub evaluations_on: String,
    /// Engines that computed gradients side by side.
    pub queues: usize,
    /// Whether the race was interrupted.
    pub interrupted: bool,
}

impl Report {
    /// Adds a race of this name. `caption` says in a line what was run, and `configuration`, a TOML
    /// file, gives it again. `timelines` are those of its entrants, as [SVG of a
    /// page](crate::timeline::Look::of_page), or empty. Where there are several races, their entrants
    /// are told apart by name.
    pub fn add<C>(
        &mut self,
        name: &str,
        summary: Summary<C>,
        caption: &str,
        configuration: &str,
        timelines: Vec<String>,
    ) {
        self.put(name, summary, caption, (configuration, true), timelines);
    }

    /// [Adds](Self::add) a race that a program has run with this library: `configuration` is what the
    /// program recorded of it, and may be empty.
    pub fn add_of_program<C>(
        &mut self,
        name: &str,
        summary: Summary<C>,
        caption: &str,
        configuration: &str,
        timelines: Vec<String>,
    ) {
        self.put(name, summary, caption, (configuration, false), timelines);
    }

    fn put<C>(
        &mut self,
        name: &str,
        summary: Summary<C>,
        caption: &str,
        (configuration, by_command): (&str, bool),
        timelines: Vec<String>,
    ) {
        if self.sources.len() == 1 {
            let first = self.sources[0].name.clone();
            self.entrants.iter_mut().for_each(|entrant| of_race(entrant, &first));
        }
        let mut entrants = summary.entrants;
        if !self.sources.is_empty() {
            entrants.iter_mut().for_each(|entrant| of_race(entrant, name));
        }
        self.entrants.extend(entrants);
        self.timelines.extend(timelines);
        self.timelines.resize(self.entrants.len(), String::new());
        self.sources.push(Source {
            name: name.to_owned(),
            caption: caption.to_owned(),
            configuration: configuration.to_owned(),
            by_command,
            tortoise: summary.tortoise.into_owned(),
            machine: summary.machine,
            gradients_on: summary.gradients_on,
            evaluations_on: summary.evaluations_on,
            queues: summary.queues,
            interrupted: summary.interrupted,
        });
    }

    /// What came of it: a line an entrant, what was run above it, what ran it below, and the verdict.
    pub fn table(&self) -> String {
        let Self { entrants, sources, .. } = self;
        let (caption, cells) = (self.caption(), align(&results::cells(entrants)));
        let (notes, verdict) = (results::notes(entrants, sources), verdict(entrants).join(" "));
        format!("{caption}\n\n{cells}\n{notes}\n{verdict}\n")
    }

    /// What the learners did, as a table; empty where nothing is measured and nobody was lost.
    pub fn learners(&self) -> String {
        learners(&self.entrants)
    }

    /// Writes the pictures and the page, `report.html`, into `directory` and returns their files.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn draw(&self, directory: &Path) -> Result<Vec<PathBuf>> {
        let (entrants, caption) = (&self.entrants, self.caption());
        let series: Vec<Series> = entrants.iter().map(series).collect();
        let mut files = figures::race::draw(&series, &caption, directory)?;
        if entrants.iter().flat_map(|e| &e.runs).any(|run| run.mean_staleness > 0.0) {
            let staleness = figures::staleness::sheet(entrants, &caption);
            files.extend(staleness.draw(&directory.join("staleness"))?);
        }
        let page = directory.join("report.html");
        write_whole(&page, self.page().as_bytes())?;
        files.push(page);
        Ok(files)
    }

    /// All in one HTML page, which needs no other file and no network.
    pub fn page(&self) -> String {
        page::page(&self.entrants, &self.timelines, &self.sources)
    }

    /// What was run, in a line each.
    fn caption(&self) -> String {
        let line = |source: &Source| match self.sources.len() {
            1 => source.caption.clone(),
            _ => format!("{}: {}", source.name, source.caption),
        };
        self.sources.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

fn of_race(entrant: &mut EntrantSummary, race: &str) {
    entrant.entrant = format!("{} ({race})", entrant.entrant);
}

/// The mean over the seeds of an entrant, evaluation by evaluation, as far as all of them came.
fn series(entrant: &EntrantSummary) -> Series {
    let rows = |run: &RunSummary| -> Vec<Point> {
        let point = |row: &EvaluationRow| Point {
            time: row.t,
            updates: row.update as f64,
            loss: row.train_loss,
            loss_se: None,
        };
        run.evaluations.iter().map(point).collect()
    };
    let courses: Vec<Vec<Point>> = entrant.runs.iter().map(rows).collect();
    let (time, _) = entrant.mean(|run| run.mean_update_time);
    let points = course::mean(courses.iter().map(Vec::as_slice));
    let bound = entrant.error_bound.as_ref().and_then(|error| error.bound.zip(Some(error.f_star)));
    let bound = bound.map_or(Vec::new(), |(bound, f_star)| {
        let after = |point: &Point| f_star + bound.after(point.updates);
        points.iter().map(|p| Point { loss: after(p), loss_se: None, ..*p }).collect()
    });
    Series {
        name: entrant.entrant.clone(),
        points,
        time_per_update: time.unwrap_or(f64::NAN),
        bound,
    }
}
