//! Durations read from a file.
//!
//! A line is `SECONDS`, and durations are drawn from the file with replacement; or every line is
//! `LEARNER,SECONDS`, and each learner replays its own durations in order, from the start again when
//! they are used up. A duration is from 1e-9 to 1e9 seconds. Empty lines and lines that start with `#`
//! are left out.

use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{Error, Result, file, sgd::scheduler::LearnerId};

/// Measured durations.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    path: PathBuf,
    text: Arc<str>,
    times: Times,
}

#[derive(Debug, Clone, PartialEq)]
enum Times {
    Law(Arc<[f64]>),
    Replay(Arc<[Vec<f64>]>),
}

/// More learners than any run has: a guard against a column that is no learner.
const MOST_LEARNERS: usize = 1 << 20;
/// The most bytes of a file: ten million durations.
const MOST_BYTES: u64 = 1 << 28;
/// From the least that the clock counts to 30 years, as for a budget.
const SECONDS: RangeInclusive<f64> = 1e-9..=1e9;

impl Trace {
    /// Reads `path`.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read, is no regular file or has more than 2^28 bytes;
    /// [`Error::Config`] naming the line that is wrong.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(path, &file::text(path, MOST_BYTES).map_err(Error::io(path))?)
    }

    /// What [`Trace::read`] makes of a file at `path` with this text.
    ///
    /// # Errors
    /// [`Error::Config`] naming the line that is wrong.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let wrong = |line: usize, what: &str| {
            Error::config(format!("{}, line {}: {what}", path.display(), line + 1))
        };
        let (mut law, mut replay) = (Vec::new(), Vec::<Vec<f64>>::new());
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let (learner, seconds) = match line.split_once(',') {
                Some((learner, seconds)) => (Some(learner.trim()), seconds.trim()),
                None => (None, line),
            };
            let seconds: f64 =
                seconds.parse().ok().filter(|seconds| SECONDS.contains(seconds)).ok_or_else(
                    || wrong(number, "a duration is a number of seconds from 1e-9 to 1e9"),
                )?;
            match learner.map(str::parse::<usize>) {
                None => law.push(seconds),
                Some(Ok(learner)) if learner < MOST_LEARNERS => {
                    replay.resize(replay.len().max(learner + 1), Vec::new());
                    replay[learner].push(seconds);
                }
                Some(_) => {
                    return Err(wrong(number, "a learner is a number from 0 on, below 2^20"));
                }
            }
        }
        let times = match (law.is_empty(), replay.is_empty()) {
            (false, true) => Times::Law(law.into()),
            (true, false) => Times::Replay(replay.into()),
            (true, true) => return Err(wrong(0, "there is no duration in the file")),
            (false, false) => {
                return Err(wrong(0, "either every line names its learner or none does"));
            }
        };
        Ok(Self { path: path.into(), text: text.into(), times })
    }

    /// The same durations, from a copy of the file at `path`.
    #[must_use]
    pub fn copied_to(&self, path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), ..self.clone() }
    }

    /// What the file holds.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The file it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether each learner replays durations of its own, so that there is no common law.
    pub fn is_replay(&self) -> bool {
        matches!(self.times, Times::Replay(_))
    }

    /// The durations that are drawn from, each as likely as the others; none of a replay.
    pub fn law(&self) -> Option<&[f64]> {
        match &self.times {
            Times::Law(law) => Some(law),
            Times::Replay(_) => None,
        }
    }

    pub(super) fn fits(&self, learners: usize) -> Result<()> {
        let Times::Replay(replay) = &self.times else { return Ok(()) };
        match (0..learners).find(|&learner| replay.get(learner).is_none_or(Vec::is_empty)) {
            Some(learner) => Err(Error::config(format!(
                "{} has no duration for learner {learner} of {learners}",
                self.path.display()
            ))),
            None => Ok(()),
        }
    }

    pub(super) fn replay(&self, learner: LearnerId, task: usize) -> f64 {
        match &self.times {
            Times::Replay(replay) => replay[learner][task % replay[learner].len()],
            Times::Law(_) => unreachable!("only a trace that names learners is replayed"),
        }
    }

    pub(super) fn draw(&self, u: f64) -> f64 {
        match &self.times {
            Times::Law(law) => law[(u * law.len() as f64) as usize],
            Times::Replay(_) => unreachable!("a trace that names learners is replayed"),
        }
    }

    pub(super) fn mean(&self) -> f64 {
        let times = self.all();
        times.iter().sum::<f64>() / times.len() as f64
    }

    pub(super) fn median(&self) -> f64 {
        let mut times = self.all();
        let middle = times.len() / 2;
        *times.select_nth_unstable_by(middle, f64::total_cmp).1
    }

    fn all(&self) -> Vec<f64> {
        match &self.times {
            Times::Law(law) => law.to_vec(),
            Times::Replay(replay) => replay.concat(),
        }
    }
}
