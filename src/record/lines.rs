//! Files that grow by whole lines, and that go on where an earlier process left off.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    appender::Appender,
    files::{beside, fill_whole},
};
use crate::{Error, Result};

/// What becomes of that part of a file that comes after where it goes on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// Its whole lines go to the next free `NAME.after-1`, `NAME.after-2`, ... beside it.
    Keep,
    /// It is gone.
    Drop,
}

/// A file that grows by whole lines.
#[derive(Debug)]
pub struct Lines(pub(super) Appender);

impl Lines {
    /// Makes the file.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(path: PathBuf) -> Result<Self> {
        Appender::create(path).map(Self)
    }

    /// Opens the file to go on after its first `length` bytes, and cuts off what comes after them.
    /// What is kept of it is on the disk before it is cut off.
    ///
    /// # Errors
    /// [`Error::Config`] where the file is shorter or `length` is inside a line, [`Error::Io`]. Then
    /// the file is as it was.
    pub fn resume(path: PathBuf, length: u64, tail: Tail) -> Result<Self> {
        let mut lines = Self::open(path, length)?;
        lines.cut(tail)?;
        Ok(lines)
    }

    /// The first half of [`resume`](Self::resume), which changes nothing.
    pub(super) fn open(path: PathBuf, length: u64) -> Result<Self> {
        let mut appender = Appender::open(path, length)?;
        let Appender { path, file, .. } = &mut appender;
        if !ends_line(file, length).map_err(Error::io(&*path))? {
            return Err(Error::config(format!(
                "{} cannot go on from {length} bytes, which is inside a line",
                path.display()
            )));
        }
        Ok(Self(appender))
    }

    /// The second half.
    pub(super) fn cut(&mut self, tail: Tail) -> Result<()> {
        let Appender { path, file, written, .. } = &mut self.0;
        if tail == Tail::Keep {
            keep(file, path, *written).map_err(Error::io(&*path))?;
        }
        self.0.cut()
    }

    /// Bytes of the file as of the last [`flush`](Self::flush).
    pub fn length(&self) -> u64 {
        self.0.written
    }

    /// Adds `value` as a line of JSON.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn json(&mut self, value: &impl Serialize) -> Result<()> {
        self.0.record(|buffer| {
            serde_json::to_writer(&mut *buffer, value)?;
            writeln!(buffer)
        })
    }

    /// Adds a line.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn text(&mut self, line: &str) -> Result<()> {
        self.0.record(|buffer| writeln!(buffer, "{line}"))
    }

    /// Writes what is gathered; on failure the file is cut back to the last whole line.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn flush(&mut self) -> Result<()> {
        self.0.flush()
    }

    /// [Writes](Self::flush) what is gathered, and waits until it is on the disk.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn sync(&mut self) -> Result<()> {
        self.0.sync()
    }
}

/// Whether a line ends at `length`, where the next bytes are then read from.
fn ends_line(file: &mut File, length: u64) -> io::Result<bool> {
    let mut last = *b"\n";
    if length > 0 {
        file.seek(SeekFrom::Start(length - 1))?;
        file.read_exact(&mut last)?;
    }
    Ok(last == *b"\n")
}

/// Where the last whole line ends that comes after `from`.
fn whole_lines(file: &mut File, from: u64) -> io::Result<u64> {
    file.seek(SeekFrom::Start(from))?;
    let (mut reader, mut line, mut end) = (BufReader::new(file), Vec::new(), from);
    while reader.read_until(b'\n', &mut line)? > 0 {
        if line.ends_with(b"\n") {
            end += line.len() as u64;
        }
        line.clear();
    }
    Ok(end)
}

/// Copies the whole lines of `file` after `from`, if there are any, to where lines that are cut off go.
fn keep(file: &mut File, path: &Path, from: u64) -> io::Result<()> {
    let end = whole_lines(file, from)?;
    if end == from {
        return Ok(());
    }
    let mut free = None;
    for number in 1_u64.. {
        let path = beside(path, &format!(".after-{number}"));
        if !fs::exists(&path)? {
            free = Some(path);
            break;
        }
    }
    let free = free.expect("some number is free");
    file.seek(SeekFrom::Start(from))?;
    fill_whole(&free, |kept| io::copy(&mut file.take(end - from), kept).map(drop))
}
