//! Files that grow by whole lines, and that go on where an earlier process left off.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::files::{beside, fill_whole};
use crate::{Error, Result};

/// Bytes gathered before they are written.
const BUFFER: usize = 1 << 16;

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
pub struct Lines {
    path: PathBuf,
    file: File,
    written: u64,
    buffer: Vec<u8>,
}

impl Lines {
    /// Makes the file.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn create(path: PathBuf) -> Result<Self> {
        let file = File::create_new(&path).map_err(Error::io(&path))?;
        Ok(Self::of(path, file, 0))
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
        let mut file =
            OpenOptions::new().read(true).write(true).open(&path).map_err(Error::io(&path))?;
        let actual = file.metadata().map_err(Error::io(&path))?.len();
        let name = path.display();
        if actual < length {
            return Err(Error::config(format!(
                "{name} is {actual} bytes long, shorter than the {length} that it should go on from"
            )));
        }
        if !ends_line(&mut file, length).map_err(Error::io(&path))? {
            return Err(Error::config(format!(
                "{name} cannot go on from {length} bytes, which is inside a line"
            )));
        }
        Ok(Self::of(path, file, length))
    }

    /// The second half.
    pub(super) fn cut(&mut self, tail: Tail) -> Result<()> {
        let cut = |file: &mut File| {
            let end = whole_lines(file, self.written)?;
            if tail == Tail::Keep && end > self.written {
                keep(file, &self.path, self.written, end)?;
            }
            truncate(file, self.written)?;
            file.sync_all()
        };
        cut(&mut self.file).map_err(Error::io(&self.path))
    }

    fn of(path: PathBuf, file: File, written: u64) -> Self {
        Self { path, file, written, buffer: Vec::with_capacity(2 * BUFFER) }
    }

    /// Bytes of the file as of the last [`flush`](Self::flush).
    pub fn length(&self) -> u64 {
        self.written
    }

    /// Adds `value` as a line of JSON.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn json(&mut self, value: &impl Serialize) -> Result<()> {
        let before = self.buffer.len();
        if let Err(error) = serde_json::to_writer(&mut self.buffer, value) {
            self.buffer.truncate(before);
            return Err(Error::io(&self.path)(error.into()));
        }
        self.end_line()
    }

    /// Adds a line.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn text(&mut self, line: &str) -> Result<()> {
        self.buffer.extend_from_slice(line.as_bytes());
        self.end_line()
    }

    /// Writes what is gathered; on failure the file is cut back to the last whole line.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn flush(&mut self) -> Result<()> {
        if let Err(error) = self.file.write_all(&self.buffer) {
            let _ = truncate(&mut self.file, self.written);
            self.buffer.clear();
            return Err(Error::io(&self.path)(error));
        }
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// [Writes](Self::flush) what is gathered, and waits until it is on the disk.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn sync(&mut self) -> Result<()> {
        self.flush()?;
        self.file.sync_all().map_err(Error::io(&self.path))
    }

    fn end_line(&mut self) -> Result<()> {
        self.buffer.push(b'\n');
        if self.buffer.len() < BUFFER { Ok(()) } else { self.flush() }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        // On the way out of an error there is nobody to tell; on the way out of a run the recorder
        // has flushed already.
        let _ = self.flush();
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

/// Copies the bytes of `file` from `from` to `end` to where lines that are cut off go.
fn keep(file: &mut File, path: &Path, from: u64, end: u64) -> io::Result<()> {
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

/// Cuts `file` to `length`, where it grows from then on.
fn truncate(file: &mut File, length: u64) -> io::Result<()> {
    file.set_len(length)?;
    file.seek(SeekFrom::Start(length)).map(drop)
}
