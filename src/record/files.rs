//! Files that are whole, or whole lines, whatever happens.

use std::{
    fs::{self, File},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{Error, Result};

/// Bytes gathered before they are written.
const BUFFER: usize = 1 << 16;

/// A folder that belongs to one race or one run.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
}

impl RunDirectory {
    /// Makes the folder `out`, or the next free `runs/NAME-1`, `runs/NAME-2`, ...
    ///
    /// # Errors
    /// [`Error::Config`] if `out` holds anything already, [`Error::Io`] if it cannot be made.
    pub fn create(out: Option<&Path>, name: &str) -> Result<Self> {
        if let Some(out) = out {
            fs::create_dir_all(out).map_err(Error::io(out))?;
            if fs::read_dir(out).map_err(Error::io(out))?.next().is_some() {
                return Err(Error::config(format!(
                    "{} is not empty; choose another folder with --out",
                    out.display()
                )));
            }
            return Ok(Self { path: out.into() });
        }
        fs::create_dir_all("runs").map_err(Error::io("runs"))?;
        for number in 1_u64.. {
            let path = PathBuf::from(format!("runs/{name}-{number}"));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io(path)(error)),
            }
        }
        unreachable!("some number is free")
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the folder for one run of `entrant`: `k-sync-4/seed-0`, with nothing in its name that a
    /// shell takes for its own.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn run(&self, entrant: &str, seed: u64) -> Result<PathBuf> {
        let path = self
            .path
            .join(entrant.replace([':', '('], "-").replace(')', ""))
            .join(format!("seed-{seed}"));
        fs::create_dir_all(&path).map_err(Error::io(&path))?;
        Ok(path)
    }
}

/// Writes `bytes` beside `path` and renames: `path` is never half written.
///
/// # Errors
/// [`Error::Io`]; then `path` is as it was.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = path.with_file_name(name);
    let write = || {
        let mut file = File::create(&partial)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&partial, path)
    };
    write().map_err(|error| {
        let _ = fs::remove_file(&partial);
        Error::io(path)(error)
    })
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
        Ok(Self { path, file, written: 0, buffer: Vec::with_capacity(2 * BUFFER) })
    }

    /// Adds `value` as a line of JSON.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn json(&mut self, value: &impl Serialize) -> Result<()> {
        serde_json::to_writer(&mut self.buffer, value)
            .map_err(|error| Error::io(&self.path)(error.into()))?;
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
            let _ = self.file.set_len(self.written);
            self.buffer.clear();
            return Err(Error::io(&self.path)(error));
        }
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
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
