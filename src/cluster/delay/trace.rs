//! Durations read from a file.
//!
//! A line is `SECONDS`, and durations are drawn from the file with replacement; or every line is
//! `LEARNER,SECONDS`, and each learner replays its own durations in order, from the start again when
//! they are used up. Then every learner of a run has a line, and nobody else has. A duration is from
//! 1e-9 to 1e9 seconds, with a decimal point. Empty lines and lines that start with `#` are left out.

use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{Error, Result, file, ids::LearnerId, statistics};

/// Measured durations.
#[derive(Debug, Clone)]
pub struct Trace {
    path: PathBuf,
    text: Arc<str>,
    times: Times,
}

/// The same durations, however they were written down.
impl PartialEq for Trace {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path && self.times == other.times
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Times {
    Distribution(Arc<[f64]>),
    Replay(Arc<[Own]>),
}

/// The durations of one learner.
#[derive(Debug, Clone, Default, PartialEq)]
struct Own {
    /// The first line that names it, from 1 on.
    line: usize,
    seconds: Vec<f64>,
}

/// More learners than any run has: a guard against a column that is no learner.
const MOST_LEARNERS: usize = 1 << 20;
/// The most bytes of a file: ten million durations.
const MOST_BYTES: u64 = 1 << 28;
/// From the least that the clock counts to 30 years, as for a budget.
const SECONDS: RangeInclusive<f64> = 1e-9..=1e9;
/// Characters of a line that a message shows.
const SHOWN: usize = 40;

impl Trace {
    /// Reads `path`, which may be a pipe, or `-` for standard input.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be read, is no file or pipe or has more than 2^28 bytes;
    /// [`Error::Config`] naming the line that is wrong.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(path, &file::named_text(path, MOST_BYTES).map_err(Error::io(path))?)
    }

    /// What [`Trace::read`] makes of a file at `path` with this text.
    ///
    /// # Errors
    /// [`Error::Config`] naming the line that is wrong.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let (mut distribution, mut replay) = (Vec::new(), Vec::<Own>::new());
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let wrong = |what: &str| {
                let shown: String = line.chars().take(SHOWN).collect();
                let more = if shown.len() < line.len() { "..." } else { "" };
                let path = file::name(path);
                Error::config(format!("{path}, line {number}: {what}, and not {shown:?}{more}"))
            };
            let (learner, seconds) = match line.split_once(',') {
                Some((learner, seconds)) => (Some(learner.trim()), seconds.trim()),
                None => (None, line),
            };
            let seconds = seconds_of(seconds).ok_or_else(|| {
                wrong(
                    "a duration is a number of seconds from 1e-9 to 1e9 with a decimal point, alone \
                     or as LEARNER,SECONDS",
                )
            })?;
            if learner.is_some() && !distribution.is_empty()
                || learner.is_none() && !replay.is_empty()
            {
                return Err(wrong(
                    "either every line names its learner or none does (a comma is no decimal point), \
                     so a line here is like those before it",
                ));
            }
            match learner.map(str::parse::<usize>) {
                None => distribution.push(seconds),
                Some(Ok(learner)) if learner < MOST_LEARNERS => {
                    if learner >= replay.len() {
                        replay.resize(learner + 1, Own::default());
                    }
                    let own = &mut replay[learner];
                    if own.seconds.is_empty() {
                        own.line = number;
                    }
                    own.seconds.push(seconds);
                }
                Some(_) => {
                    return Err(wrong(
                        "a learner is a number of 0 or more, below 2^20, as in LEARNER,SECONDS",
                    ));
                }
            }
        }
        let times = match (distribution.is_empty(), replay.is_empty()) {
            (false, _) => Times::Distribution(distribution.into()),
            (true, false) => Times::Replay(replay.into()),
            (true, true) => {
                let path = file::name(path);
                return Err(Error::config(format!("{path}: there is no duration in the file")));
            }
        };
        Ok(Self { path: path.into(), text: text.into(), times })
    }

    /// The same durations, from a copy of the file at `path`.
    #[must_use]
    pub fn copied_to(&self, path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), ..self.clone() }
    }

    /// The durations of the file with `more` seconds added to each.
    #[must_use]
    pub(super) fn later(&self, more: f64) -> Self {
        let times = match &self.times {
            Times::Distribution(all) => {
                Times::Distribution(all.iter().map(|seconds| seconds + more).collect())
            }
            Times::Replay(all) => {
                let later = |own: &Own| Own {
                    seconds: own.seconds.iter().map(|seconds| seconds + more).collect(),
                    ..*own
                };
                Times::Replay(all.iter().map(later).collect())
            }
        };
        Self { times, ..self.clone() }
    }

    /// What the file holds.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The file it was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether each learner replays durations of its own, so that there is no common distribution.
    pub fn is_replay(&self) -> bool {
        matches!(self.times, Times::Replay(_))
    }

    /// The durations that are drawn from, each as likely as the others; none of a replay.
    pub fn distribution(&self) -> Option<&[f64]> {
        match &self.times {
            Times::Distribution(distribution) => Some(distribution),
            Times::Replay(_) => None,
        }
    }

    /// Whether a replay has durations for each of P = `learners` learners, and for nobody else. Where
    /// it has others, commas may be decimal ones, and what they part is misread.
    pub(super) fn fits(&self, learners: usize) -> Result<()> {
        let Times::Replay(replay) = &self.times else { return Ok(()) };
        let path = file::name(&self.path);
        let others = replay.iter().zip(0..).skip(learners);
        if let Some((own, other)) = others.min_by_key(|(own, _)| match own.line {
            0 => usize::MAX,
            line => line,
        }) {
            return Err(Error::config(format!(
                "{path}, line {}: is of learner {other}, but the {learners} learners count from 0: \
                 leave such lines out, or give -p {}; if the comma is a decimal one, write a point",
                own.line,
                replay.len()
            )));
        }
        let nobody =
            |learner: &usize| replay.get(*learner).is_none_or(|own| own.seconds.is_empty());
        match (0..learners).find(nobody) {
            Some(learner) => Err(Error::config(format!(
                "{path} has no duration for learner {learner} of {learners}: as its lines are \
                 LEARNER,SECONDS, each learner needs one; if the comma is a decimal one, write a point"
            ))),
            None => Ok(()),
        }
    }

    pub(super) fn replay(&self, learner: LearnerId, task: usize) -> f64 {
        match &self.times {
            Times::Replay(replay) => {
                let seconds = &replay[learner].seconds;
                seconds[task % seconds.len()]
            }
            Times::Distribution(_) => unreachable!("only a trace that names learners is replayed"),
        }
    }

    pub(super) fn draw(&self, u: f64) -> f64 {
        match &self.times {
            Times::Distribution(distribution) => {
                distribution[(u * distribution.len() as f64) as usize]
            }
            Times::Replay(_) => unreachable!("a trace that names learners is replayed"),
        }
    }

    pub(super) fn mean(&self) -> f64 {
        statistics::mean(&self.all()).expect("a trace has a duration")
    }

    pub(super) fn median(&self) -> f64 {
        statistics::median(self.all()).expect("a trace has a duration")
    }

    fn all(&self) -> Vec<f64> {
        match &self.times {
            Times::Distribution(distribution) => distribution.to_vec(),
            Times::Replay(replay) => replay.iter().flat_map(|own| &own.seconds).copied().collect(),
        }
    }
}

/// A duration. Nobody writes 05 seconds: that is what a decimal comma leaves of 0,05.
fn seconds_of(text: &str) -> Option<f64> {
    let digit = |at: usize| text.as_bytes().get(at).is_some_and(u8::is_ascii_digit);
    let padded = text.starts_with('0') && digit(1) && !text.contains('.');
    text.parse().ok().filter(|seconds| !padded && SECONDS.contains(seconds))
}
