//! The run directory, and files that are whole whatever happens.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use crate::{Error, Result, file};

/// What a process that writes to a run directory holds.
const LOCK: &str = "lock";

/// A folder that belongs to one race or one run, and to one process at a time.
///
/// Until it is dropped, whoever else [makes](Self::create) or [opens](Self::open) it is refused; where
/// the file system has no locks, nobody is.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    _lock: File,
}

impl RunDirectory {
    /// Makes the folder `out`, or the next free `runs/NAME-1`, `runs/NAME-2`, ...
    ///
    /// # Errors
    /// [`Error::Config`] if `out` holds anything already or is in use, [`Error::Io`] if it cannot be
    /// made.
    pub fn create(out: Option<&Path>, name: &str) -> Result<Self> {
        if let Some(out) = out {
            fs::create_dir_all(out).map_err(Error::io(out))?;
            // Nothing is left in a folder of somebody else's; and only who has the lock can tell that
            // the folder is free.
            empty(out)?;
            let directory = Self::lock(out.into())?;
            empty(out)?;
            return Ok(directory);
        }
        fs::create_dir_all("runs").map_err(Error::io("runs"))?;
        for number in 1_u64.. {
            let path = Path::new("runs").join(format!("{name}-{number}"));
            match fs::create_dir(&path) {
                Ok(()) => return Self::lock(path),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(Error::io(path)(error)),
            }
        }
        unreachable!("some number is free")
    }

    /// Opens a run directory that is there already.
    ///
    /// # Errors
    /// [`Error::Config`] if `path` has no `config.toml` or is in use, [`Error::Io`].
    pub fn open(path: &Path) -> Result<Self> {
        let config = path.join("config.toml");
        match fs::metadata(&config) {
            Ok(file) if file.is_file() => Self::lock(path.into()),
            Err(error)
                if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                Err(Error::io(config)(error))
            }
            _ => Err(Error::config(format!(
                "{} is not a run directory, such as runs/race-1: it has no config.toml",
                path.display()
            ))),
        }
    }

    fn lock(path: PathBuf) -> Result<Self> {
        let name = path.join(LOCK);
        // It stays when the directory is done with: who removed it could remove that of another.
        let options = OpenOptions::new().write(true).create(true).truncate(false).open(&name);
        let file = options.map_err(Error::io(&name))?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => Err(Error::config(format!(
                "{} is in use by another tortoise process",
                path.display()
            ))),
            Err(TryLockError::Error(error)) if error.kind() != ErrorKind::Unsupported => {
                Err(Error::io(name)(error))
            }
            _ => Ok(Self { path, _lock: file }),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// [`run_folder`] in this directory.
    pub fn folder(&self, entrant: &str, seed: u64) -> PathBuf {
        run_folder(&self.path, entrant, seed)
    }

    /// Makes the [folder](Self::folder) of one run, if it is not there.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn run(&self, entrant: &str, seed: u64) -> Result<PathBuf> {
        let path = self.folder(entrant, seed);
        fs::create_dir_all(&path).map_err(Error::io(&path))?;
        for above in path.ancestors().skip(1).take(2) {
            sync_folder(above).map_err(Error::io(above))?;
        }
        Ok(path)
    }
}

/// The folder of one run of `entrant` in the run directory `race`: `k-sync-4/seed-0`, with nothing in
/// its name that a shell takes for its own.
pub fn run_folder(race: &Path, entrant: &str, seed: u64) -> PathBuf {
    let entrant = entrant.replace([':', '('], "-").replace(')', "");
    race.join(entrant).join(format!("seed-{seed}"))
}

/// That `folder` holds nothing but a lock.
fn empty(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder).map_err(Error::io(folder))? {
        if entry.map_err(Error::io(folder))?.file_name() != LOCK {
            return Err(Error::config(format!(
                "{} is not empty; choose another folder with --out",
                folder.display()
            )));
        }
    }
    Ok(())
}

/// Writes `bytes` beside `path` and renames: `path` is never half written, and it is on the disk, name
/// and all, before this returns.
///
/// # Errors
/// [`Error::Io`]; then `path` is as it was, unless its folder alone could not be brought to the disk.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    fill_whole(path, |file| file.write_all(bytes)).map_err(Error::io(path))
}

/// [`write_whole`] of `value` as JSON.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let json = serde_json::to_vec_pretty(value).map_err(|error| Error::io(path)(error.into()))?;
    write_whole(path, &json)
}

/// What [`write_json`] has written, of which there may be `most` bytes; none where nothing has.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path, most: u64) -> Result<Option<T>> {
    let bytes = match file::bytes(path, most) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.map_err(Error::io(path))?,
    };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        Error::config(format!("{}, line {}: {error}", path.display(), error.line()))
    })
}

/// [`write_whole`] of what `fill` writes.
pub(super) fn fill_whole(
    path: &Path,
    fill: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let partial = partial(path);
    let write = || {
        let mut file = File::create(&partial)?;
        fill(&mut file)?;
        file.sync_all()?;
        fs::rename(&partial, path)
    };
    write().inspect_err(|_| {
        let _ = fs::remove_file(&partial);
    })?;
    sync_folder(path.parent().unwrap_or(path))
}

/// What [`write_whole`] has written of the file at `path` so far; a process that is killed leaves it.
pub(super) fn partial(path: &Path) -> PathBuf {
    beside(path, ".partial")
}

/// `path` with `ending` after its name.
pub(super) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(ending);
    path.with_file_name(name)
}

/// Brings the names in `folder` to the disk; where the file system does not do that for folders, it
/// is left to it.
#[cfg(unix)]
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    match File::open(folder)?.sync_all() {
        Err(error) if matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => {
            Ok(())
        }
        done => done,
    }
}

/// There is no such thing for folders here.
#[cfg(not(unix))]
pub(super) fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}
