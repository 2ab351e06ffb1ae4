//! `origin.json`: what the runs of a race depend on besides their seeds, so that nobody goes on with
//! them under anything else without a word of it.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::files::{read_json, write_json};
use crate::{
    Result,
    dataset::{Digests, sha256},
    engine::backend::Computer,
    ids::Version,
};

/// The name of the file.
const FILE: &str = "origin.json";
/// The most bytes of it.
const MOST_BYTES: u64 = 1 << 24;

/// What the runs of a race depend on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Origin<C> {
    /// The configuration that it is recorded under.
    pub configuration: C,
    /// The data set; none of an engine that has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
    /// The trace that gives the delays, if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<CopyOrigin>,
    /// Shaders that were edited, by the names of their kernels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub shaders: BTreeMap<String, CopyOrigin>,
    /// What computed it: from the start, and from each run on with which that changed.
    pub computed: Vec<Computed>,
    /// How it became longer than it was, each time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extended: Vec<Extension>,
}

/// Which data set it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// Where it lay; none where that is no text.
    pub folder: Option<PathBuf>,
    /// What was in it.
    #[serde(flatten)]
    pub digests: Digests,
}

/// Which file it was that the run directory has a copy of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyOrigin {
    /// The file that it was copied from.
    pub file: String,
    /// SHA-256 of the file, in lower-case hexadecimal.
    pub sha256: String,
}

impl CopyOrigin {
    /// Of a copy of the file at `path`, which has this text.
    pub fn of(path: &Path, text: &str) -> Self {
        Self { file: path.display().to_string(), sha256: sha256(text.as_bytes()) }
    }
}

/// What computed, from some run on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Computed {
    /// The first run of it.
    pub from: String,
    /// Version of this crate.
    pub tortoise: String,
    /// The gradients; learners are spread over them where there are several.
    pub gradients: Vec<Computer>,
    /// The evaluations.
    pub evaluations: Computer,
}

impl Computed {
    /// What the bits depend on, if the version is the same.
    pub fn computers(&self) -> (&[Computer], &Computer) {
        (&self.gradients, &self.evaluations)
    }

    /// What computed the gradients, in words.
    pub fn gradients(&self) -> String {
        let all: Vec<_> = self.gradients.iter().map(ToString::to_string).collect();
        all.join("; ")
    }
}

impl fmt::Display for Computed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.gradients())?;
        match &*self.gradients {
            [one] if *one == self.evaluations => Ok(()),
            _ => write!(f, ", and evaluated on {}", self.evaluations),
        }
    }
}

/// A race was made longer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Extension {
    /// As long as it was.
    pub from: Length,
    /// As long as it is.
    pub to: Length,
}

/// How long each run of a race is: what is reached first ends it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Length {
    /// Run time, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<f64>,
    /// Updates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updates: Option<Version>,
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self { budget: Some(budget), updates: Some(updates) } => {
                write!(f, "{budget} s and {updates} updates")
            }
            Self { budget: Some(budget), .. } => write!(f, "{budget} s"),
            Self { updates: Some(updates), .. } => write!(f, "{updates} updates"),
            Self { .. } => f.write_str("no end"),
        }
    }
}

impl fmt::Display for Extension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "extended from {} to {}", self.from, self.to)
    }
}

/// The origin of the race in the run directory `race`; none where it has none.
///
/// # Errors
/// [`crate::Error::Config`] where it is not as it was written, [`crate::Error::Io`] where it cannot be
/// read.
pub fn read_origin<C: DeserializeOwned>(race: &Path) -> Result<Option<Origin<C>>> {
    read_json(&race.join(FILE), MOST_BYTES)
}

/// Writes it into the run directory `race`; whatever happens there is the old one or the new.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn write_origin(race: &Path, origin: &Origin<impl Serialize>) -> Result<()> {
    write_json(&race.join(FILE), origin)
}
