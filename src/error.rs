//! The errors of the library, told apart by what the reader can do about them.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::file;

/// What the library's fallible functions return.
pub type Result<T> = std::result::Result<T, Error>;

/// Why something could not be done; the message names the thing and, where there is one, the remedy.
///
/// Serialised, it goes from one process to another and keeps its kind and its message.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Error {
    /// A setting is outside what it may be: change the setting.
    #[error("{0}")]
    Config(String),
    /// No adapter answers to what was asked for: install a driver or choose another.
    #[error("{0}")]
    NoAdapter(String),
    /// The data are missing or are not what they should be.
    #[error("{}: {problem}", path.display())]
    Dataset {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A device was lost, ran out of memory, did not answer in time or refused a kernel.
    #[error("adapter \"{adapter}\": {problem}")]
    Device {
        /// Name of the adapter.
        adapter: String,
        /// What the driver said.
        problem: String,
    },
    /// The system has no memory or threads for it.
    #[error("not enough memory or threads for {0}")]
    NoRoom(String),
    /// The process that computes for a learner ended, or what it says cannot be understood.
    #[error("learner process {0}")]
    Process(String),
    /// A learner can give no more gradients.
    #[error("learner {learner} is lost: {source}")]
    LearnerLost {
        /// Which learner.
        learner: usize,
        /// What ended it.
        source: Box<Self>,
    },
    /// A learner has ended, does not answer, or answers what is no answer.
    #[error("{0}")]
    Fault(String),
    /// Too few learners are left to go on with.
    #[error(
        "learner {learner} was lost ({cause}), which leaves {live} of the {quorum} that --quorum asks for"
    )]
    NoQuorum {
        /// Learners that are left.
        live: usize,
        /// The fewest to go on with.
        quorum: usize,
        /// Who was lost last.
        learner: usize,
        /// What ended it.
        cause: Box<Self>,
    },
    /// Somebody wished that it ends before it was done.
    #[error("interrupted")]
    Interrupted,
    /// Parameters are no longer finite: the learning rate is too large for the staleness.
    #[error("{0}")]
    Diverged(String),
    /// A file could not be read or written.
    #[error("{}: {source}", file::name(path))]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[serde(with = "words")]
        source: std::io::Error,
    },
}

impl Error {
    /// An [`Error::Config`] with this message, in which a word that was given is cut short where it
    /// is longer than anybody reads.
    pub fn config(message: impl Into<String>) -> Self {
        Self::Config(shortened(&message.into()))
    }

    /// For `map_err`: an [`Error::Io`] that names `path`.
    pub fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, source }
    }
}

/// Characters from which on a word is cut short, and how many of it are left.
const LONG: usize = 100;
const LEFT: usize = 20;

/// A text without words of hundreds of characters; paths stay whole, since they are to be found again.
pub(crate) fn shortened(text: &str) -> String {
    let ends = |c: char| c.is_whitespace() || ['"', '\'', '`'].contains(&c);
    let mut short = String::with_capacity(text.len().min(1000));
    for part in text.split_inclusive(ends) {
        let word = part.trim_end_matches(ends).trim_end_matches([':', ';', ',']);
        let characters = word.chars().count();
        if characters <= LONG || word.contains(['/', '\\']) {
            short.push_str(part);
            continue;
        }
        short.extend(word.chars().take(LEFT));
        short += &format!("... ({characters} characters)");
        short.push_str(&part[word.len()..]);
    }
    short
}

/// What the system said, in words.
mod words {
    use std::io;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(said: &io::Error, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(said)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<io::Error, D::Error> {
        String::deserialize(from).map(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_to_read_is_cut_short_and_paths_are_not() {
        let (nines, path) = ("9".repeat(400), format!("/a/{}", "b".repeat(200)));
        let error = Error::config(format!("K=\"{nines}\" is too much for {path}"));
        let short = "K=\"99999999999999999999... (400 characters)\" is too much for";
        assert_eq!(error.to_string(), format!("{short} {path}"));
        assert_eq!(shortened(" as it  is\n"), " as it  is\n");
    }
}
