//! Files that grow by whole records, and that go on where an earlier process left off.

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    path::PathBuf,
};

use crate::{Error, Result};

/// Bytes gathered before they are written.
const BUFFER: usize = 1 << 16;

/// A file that grows by whole records.
#[derive(Debug)]
pub(super) struct Appender {
    /// Where it is.
    pub(super) path: PathBuf,
    /// The file itself. Whoever has read in it [cuts](Self::cut) it before it grows again.
    pub(super) file: File,
    /// Its bytes as of the last [`flush`](Self::flush).
    pub(super) written: u64,
    buffer: Vec<u8>,
}

impl Appender {
    /// Makes the file.
    pub(super) fn create(path: PathBuf) -> Result<Self> {
        Self::with(OpenOptions::new().read(true).write(true).create_new(true), path, 0)
    }

    /// Opens the file to go on after its first `length` bytes. Nothing is changed until it is
    /// [cut](Self::cut).
    pub(super) fn open(path: PathBuf, length: u64) -> Result<Self> {
        Self::with(OpenOptions::new().read(true).write(true), path, length)
    }

    /// The same, and makes the file where there is none.
    pub(super) fn open_or_create(path: PathBuf, length: u64) -> Result<Self> {
        let mut options = OpenOptions::new();
        Self::with(options.read(true).write(true).create(true).truncate(false), path, length)
    }

    fn with(options: &OpenOptions, path: PathBuf, length: u64) -> Result<Self> {
        let file = options.open(&path).map_err(Error::io(&path))?;
        let actual = file.metadata().map_err(Error::io(&path))?.len();
        if actual < length {
            return Err(Error::config(format!(
                "{} is {actual} bytes long, shorter than the {length} that it should go on from",
                path.display()
            )));
        }
        Ok(Self { path, file, written: length, buffer: Vec::with_capacity(2 * BUFFER) })
    }

    /// Cuts off what comes after the bytes that it goes on from.
    pub(super) fn cut(&mut self) -> Result<()> {
        let cut = self.truncate().and_then(|()| self.file.sync_all());
        cut.map_err(Error::io(&self.path))
    }

    /// Adds what `write` writes; nothing of it where that fails.
    pub(super) fn record(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>,
    ) -> Result<()> {
        let before = self.buffer.len();
        if let Err(error) = write(&mut self.buffer) {
            self.buffer.truncate(before);
            return Err(Error::io(&self.path)(error));
        }
        if self.buffer.len() < BUFFER { Ok(()) } else { self.flush() }
    }

    /// Writes what is gathered; on failure the file is cut back to the last whole record.
    pub(super) fn flush(&mut self) -> Result<()> {
        if let Err(error) = self.file.write_all(&self.buffer) {
            let _ = self.truncate();
            self.buffer.clear();
            return Err(Error::io(&self.path)(error));
        }
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    /// [Writes](Self::flush) what is gathered, and waits until it is on the disk.
    pub(super) fn sync(&mut self) -> Result<()> {
        self.flush()?;
        self.file.sync_all().map_err(Error::io(&self.path))
    }

    /// Cuts the file to what is written, where it grows from then on.
    fn truncate(&mut self) -> io::Result<()> {
        self.file.set_len(self.written)?;
        self.file.seek(SeekFrom::Start(self.written)).map(drop)
    }
}

impl Drop for Appender {
    fn drop(&mut self) {
        // On the way out of an error there is nobody to tell; on the way out of a run the recorder
        // has flushed already.
        let _ = self.flush();
    }
}
