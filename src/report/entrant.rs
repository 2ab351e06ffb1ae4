//! An entrant of a report: its results, and how it is called.

use std::fmt;

use maud::Render;

use crate::record::EntrantSummary;

/// What an entrant is called, or any line of a chart: by itself, or with its race where there are
/// several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    entrant: String,
    race: Option<String>,
}

impl Name {
    /// The variant of an entrant, by which its colour is chosen: the first word, up to a colon or an @.
    pub(super) fn variant(&self) -> &str {
        self.entrant.split([':', '@', ' ']).next().unwrap_or(&self.entrant)
    }
}

impl<N: Into<String>> From<N> for Name {
    fn from(entrant: N) -> Self {
        Self { entrant: entrant.into(), race: None }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.race {
            Some(race) => write!(f, "{} ({race})", self.entrant),
            None => f.write_str(&self.entrant),
        }
    }
}

impl Render for Name {
    fn render_to(&self, buffer: &mut String) {
        maud::display(self).render_to(buffer);
    }
}

/// An entrant of one of the races of a report.
#[derive(Debug)]
pub(super) struct Entrant<'a> {
    pub(super) name: Name,
    /// What came of it.
    pub(super) results: &'a EntrantSummary,
    /// How its first run began, as SVG for the page; may be empty.
    pub(super) timeline: &'a str,
}

impl<'a> Entrant<'a> {
    /// An entrant of the only race, or of the one of this name.
    pub(super) fn new(results: &'a EntrantSummary, race: Option<&str>, timeline: &'a str) -> Self {
        let name = Name { entrant: results.entrant.clone(), race: race.map(str::to_owned) };
        Self { name, results, timeline }
    }

    /// The entrants of the only race.
    pub(super) fn all(results: &'a [EntrantSummary]) -> Vec<Self> {
        results.iter().map(|one| Self::new(one, None, "")).collect()
    }
}
