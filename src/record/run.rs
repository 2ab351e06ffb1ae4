//! The files of one run: made, gone on with, brought to an end and read back.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use super::{
    EvaluationRow, Layout, Lengths, Lines, RunSummary, Tail,
    appender::Appender,
    checkpoint, deferred,
    evaluations::HEAD,
    files::{partial, read_json, sync_folder, write_json, write_whole},
    read_evaluations,
    summary::FILE as SUMMARY,
    tensorboard::{self, TensorBoard},
    write_params,
};
use crate::{
    Error, Result,
    sgd::{Ended, Tally},
};

/// What a run leaves when it is over.
const END: &str = "run.json";
/// The most bytes of it.
const MOST_BYTES: u64 = 1 << 30;
/// What its evaluations are in.
const EVALUATIONS: &str = "evaluations.csv";
/// What its first events are in.
pub const TIMELINE: &str = "timeline.jsonl";

/// The files of one run.
#[derive(Debug)]
pub struct RunFiles {
    folder: PathBuf,
    pub(super) updates: Lines,
    pub(super) evaluations: Lines,
    pub(super) timeline: Lines,
    pub(super) events: Option<Lines>,
    pub(super) tensorboard: Option<TensorBoard>,
}

impl RunFiles {
    /// Makes the files in `folder`, `events.jsonl` only if asked for.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(folder: PathBuf, events: bool) -> Result<Self> {
        let lines = |name: &str| Lines::create(folder.join(name));
        let (updates, mut evaluations) = (lines("updates.jsonl")?, lines(EVALUATIONS)?);
        let timeline = lines(TIMELINE)?;
        let events = if events { Some(lines("events.jsonl")?) } else { None };
        evaluations.text(HEAD)?;
        Ok(Self { folder, updates, evaluations, timeline, events, tensorboard: None })
    }

    /// Also writes what `TensorBoard` reads.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn with_tensorboard(mut self) -> Result<Self> {
        self.tensorboard = Some(TensorBoard::create(self.folder.join(tensorboard::FILE))?);
        Ok(self)
    }

    /// Goes on with the files in `folder` from `lengths`; what comes after is cut off, and becomes
    /// what `tail` says. The run is not over then: its `run.json` is removed, if it has one.
    ///
    /// # Errors
    /// [`Error::Config`] where a file is shorter, or its length is inside a line: then nothing has
    /// changed. [`Error::Io`]: then it can be done again.
    pub fn resume(folder: PathBuf, lengths: &Lengths, tail: Tail) -> Result<Self> {
        let Lengths { updates, evaluations, timeline, events, tensorboard } = *lengths;
        let lines = |name: &str, length| Lines::open(folder.join(name), length);
        let updates = lines("updates.jsonl", updates)?;
        let evaluations = lines(EVALUATIONS, evaluations)?;
        let timeline = lines(TIMELINE, timeline)?;
        let events = events.map(|length| lines("events.jsonl", length)).transpose()?;
        let board = |length| TensorBoard::open(folder.join(tensorboard::FILE), length);
        let tensorboard = tensorboard.map(board).transpose()?;
        remove(&folder.join(END))?;
        sync_folder(&folder).map_err(Error::io(&folder))?;
        let mut files = Self { folder, updates, evaluations, timeline, events, tensorboard };
        files.lines().try_for_each(|lines| lines.cut(tail))?;
        files.tensorboard.iter_mut().try_for_each(|board| board.0.cut())?;
        Ok(files)
    }

    /// Writes `initial.safetensors` or `final.safetensors`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn params<'a>(
        &self,
        name: &str,
        layout: impl Into<Layout<'a>>,
        params: &[f32],
    ) -> Result<()> {
        write_params(&self.folder.join(name).with_extension("safetensors"), layout, params)
    }

    /// Writes `shards.jsonl`: of each learner, in a line, the samples that it draws from.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn shards(&self, parts: &[Vec<usize>]) -> Result<()> {
        let line = |(learner, samples): (usize, &Vec<usize>)| {
            format!("{}\n", serde_json::json!({ "learner": learner, "samples": samples }))
        };
        let text: String = parts.iter().enumerate().map(line).collect();
        write_whole(&self.folder.join("shards.jsonl"), text.as_bytes())
    }

    /// How long the files are, as of the last [`sync`](Self::sync).
    pub fn lengths(&self) -> Lengths {
        Lengths {
            updates: self.updates.length(),
            evaluations: self.evaluations.length(),
            timeline: self.timeline.length(),
            events: self.events.as_ref().map(Lines::length),
            tensorboard: self.tensorboard.as_ref().map(|board| board.0.written),
        }
    }

    /// Writes what is gathered, and waits until it is on the disk.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn sync(&mut self) -> Result<()> {
        self.appenders().try_for_each(Appender::sync)
    }

    /// Writes `run.json`, which says that the run is over and what came of it, once all else of it is
    /// on the disk.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(mut self, summary: &RunSummary) -> Result<()> {
        self.sync()?;
        write_run(&self.folder, summary)?;
        // From here on nobody goes on with it.
        if summary.ended == Ended::Interrupted {
            return Ok(());
        }
        let checkpoint = self.folder.join(checkpoint::FILE);
        remove(&partial(&checkpoint))?;
        remove(&checkpoint)?;
        remove(&self.folder.join(deferred::FILE))
    }

    /// Where they are.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The evaluations so far.
    pub(super) fn rows(&self) -> Result<Vec<EvaluationRow>> {
        read_evaluations(&self.folder.join(EVALUATIONS))
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        self.appenders().try_for_each(Appender::flush)
    }

    fn lines(&mut self) -> impl Iterator<Item = &mut Lines> {
        let Self { updates, evaluations, timeline, events, .. } = self;
        [updates, evaluations, timeline].into_iter().chain(events)
    }

    fn appenders(&mut self) -> impl Iterator<Item = &mut Appender> {
        let Self { updates, evaluations, timeline, events, tensorboard, .. } = self;
        let lines = [updates, evaluations, timeline].into_iter().chain(events);
        let boards = tensorboard.iter_mut().map(|board| &mut board.0);
        boards.chain(lines.map(|lines| &mut lines.0))
    }
}

/// Writes `run.json` into the folder of a run, also again.
///
/// # Errors
/// [`Error::Io`].
pub fn write_run(folder: &Path, summary: &RunSummary) -> Result<()> {
    write_json(&folder.join(END), summary)
}

/// Removes a file, if it is there.
fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(path)(error)),
        _ => Ok(()),
    }
}

/// Takes back that the race in the run directory `race` is over, and that the runs in `folders` are:
/// they go on from their checkpoints, or start over where they have none.
///
/// # Errors
/// [`Error::Io`].
pub fn reopen(race: &Path, folders: &[PathBuf]) -> Result<()> {
    remove(&race.join(SUMMARY))?;
    sync_folder(race).map_err(Error::io(race))?;
    for folder in folders.iter().filter(|folder| folder.exists()) {
        remove(&folder.join(END))?;
        sync_folder(folder).map_err(Error::io(folder))?;
    }
    Ok(())
}

/// What came of the run in `folder`, with its evaluations; none where it is not over. A run that was
/// interrupted is over: its [`ended`](RunSummary::ended) says so.
///
/// # Errors
/// [`Error::Io`] where a file cannot be read, [`Error::Config`] naming file and line where one is not
/// as it was written, or the two do not belong together.
pub fn read_run(folder: &Path) -> Result<Option<RunSummary>> {
    let Some(mut summary) = read_json::<RunSummary>(&folder.join(END), MOST_BYTES)? else {
        return Ok(None);
    };
    let path = folder.join(EVALUATIONS);
    summary.evaluations = read_evaluations(&path)?;
    let RunSummary { run_time, tally: Tally { updates, .. }, ref evaluations, .. } = summary;
    let at_end = |last: &EvaluationRow| last.t == run_time && last.update == updates;
    if !evaluations.last().is_some_and(at_end) {
        return Err(Error::config(format!(
            "{}, line {}: is not at the end of the run, {updates} updates in {run_time} s as {END} says",
            path.display(),
            evaluations.len() + 1
        )));
    }
    Ok(Some(summary))
}
