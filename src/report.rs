//! What a person looks at: the table of a race, its pictures, and the page that has it all.

mod entrant;
pub mod figures;
pub mod model;
mod page;
pub mod plot;
pub(crate) mod style;
mod tables;
mod verdict;

use std::{
    fmt, iter,
    path::{Path, PathBuf},
};

use self::{entrant::Entrant, figures::race::Series, tables::results};
pub use self::{
    entrant::Name,
    tables::{align, results::line, tuning::line as tuned},
    verdict::verdict,
};
use crate::{
    Result,
    race::Config,
    record::{Summary, write_whole},
};

/// A race, or several side by side, as a person is shown them. Entrants of several races are told apart
/// by the names of the races.
#[derive(Debug, Default)]
pub struct Report {
    /// One or more.
    pub races: Vec<Race>,
}

/// A race of a report, and what it takes to run it again.
#[derive(Debug, Default)]
pub struct Race {
    /// What it is called: its folder, say.
    pub name: String,
    /// What was run, in a line.
    pub caption: String,
    /// The configuration that gives it again, as a TOML file; of a race that is no command's what its
    /// program recorded of it, which may be nothing.
    pub configuration: String,
    /// Whether `tortoise race` gives it again.
    pub by_command: bool,
    /// What came of it.
    pub summary: Summary<()>,
    /// How each entrant began, as [SVG of a page](crate::timeline::Look::of_page), or empty; as many as
    /// entrants, or none.
    pub timelines: Vec<String>,
}

impl Report {
    /// What came of it: a line an entrant, what was run above it, what ran it below, and the verdict.
    pub fn table(&self) -> String {
        let entrants = self.entrants();
        let (caption, cells) = (self.caption(), align(&results::cells(&entrants)));
        let notes = results::notes(&entrants, &self.races).join("\n");
        let verdict = verdict::of(&entrants, &self.races).join(" ");
        format!("{caption}\n\n{cells}\n{notes}\n\n{verdict}\n")
    }

    /// What the learners did, as a table; empty where nothing is measured and nobody was lost.
    pub fn learners(&self) -> String {
        tables::learners::table(&self.entrants())
    }

    /// Writes the pictures and the page, `report.html`, into `directory` and returns their files.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn draw(&self, directory: &Path) -> Result<Vec<PathBuf>> {
        let (entrants, caption) = (self.entrants(), self.caption());
        let series: Vec<Series> = entrants.iter().map(Series::of).collect();
        let mut files = figures::race::draw(&series, &caption, directory)?;
        let stale =
            |entrant: &Entrant<'_>| entrant.results.runs.iter().any(|run| run.mean_staleness > 0.0);
        if entrants.iter().any(stale) {
            let staleness = figures::staleness::sheet(&entrants, &caption);
            files.extend(staleness.draw(&directory.join("staleness"))?);
        }
        let page = directory.join("report.html");
        write_whole(&page, self.page().as_bytes())?;
        files.push(page);
        Ok(files)
    }

    /// All in one HTML page, which needs no other file and no network.
    pub fn page(&self) -> String {
        page::page(&self.entrants(), &self.races)
    }

    /// The entrants of all races.
    fn entrants(&self) -> Vec<Entrant<'_>> {
        let several = self.races.len() > 1;
        self.races.iter().flat_map(|race| race.entrants(several)).collect()
    }

    /// What was run, in a line each.
    fn caption(&self) -> String {
        let line = |race: &Race| match self.races.len() {
            1 => race.caption.clone(),
            _ => format!("{}: {}", race.name, race.caption),
        };
        self.races.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// What came of a race, as the command prints it.
impl fmt::Display for Summary<Config> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (caption, summary) =
            (self.configuration.caption(), self.clone().with_configuration(()));
        let race = Race { caption, summary, ..Race::default() };
        f.write_str(Report { races: vec![race] }.table().trim_end())
    }
}

impl Race {
    /// Its entrants; where it is one of `several`, they are called by its name as well.
    fn entrants(&self, several: bool) -> impl Iterator<Item = Entrant<'_>> {
        let name = several.then_some(&*self.name);
        let timelines = self.timelines.iter().map(String::as_str).chain(iter::repeat(""));
        let entrants = self.summary.entrants.iter().zip(timelines);
        entrants.map(move |(results, timeline)| Entrant::new(results, name, timeline))
    }
}
