//! Parameters that are evaluated when the run is over, so that evaluation takes no time of it: a file
//! of records, each run time, updates, gradients and parameters.

use std::{
    fs::{File, OpenOptions},
    io::{BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use bytemuck::Zeroable;

use crate::{Error, Result, ids::Version};

/// The name of the file, which is there as long as the run may have to go on.
pub(super) const FILE: &str = "deferred";

/// What is to be evaluated.
#[derive(Debug, Clone, Copy, PartialEq, bytemuck::Pod, bytemuck::Zeroable)]
#[repr(C)]
pub(super) struct Moment {
    /// Run time, in seconds.
    pub(super) t: f64,
    /// Updates made.
    pub(super) update: Version,
    /// Gradients that went into them.
    pub(super) gradients: u64,
}

/// Parameters to be evaluated later.
#[derive(Debug)]
pub(super) struct Deferred {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Deferred {
    /// In the folder of a run; goes on after `length` bytes.
    pub(super) fn open(folder: &Path, length: u64) -> Result<Self> {
        let path = folder.join(FILE);
        let mut options = OpenOptions::new();
        let open = options.read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.map_err(Error::io(&path))?;
        let actual = file.metadata().map_err(Error::io(&path))?.len();
        if actual < length {
            return Err(Error::config(format!(
                "{} is {actual} bytes long, shorter than the {length} that it should go on from",
                path.display()
            )));
        }
        let cut = file.set_len(length).and_then(|()| file.seek(SeekFrom::End(0)));
        cut.map_err(Error::io(&path))?;
        Ok(Self { path, file, length })
    }

    pub(super) fn push(&mut self, moment: Moment, params: &[f32]) -> Result<()> {
        let bytes = [bytemuck::bytes_of(&moment), bytemuck::cast_slice(params)].concat();
        self.file.write_all(&bytes).map_err(Error::io(&self.path))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Bytes so far, all of them on the disk.
    pub(super) fn sync(&mut self) -> Result<u64> {
        self.file.sync_data().map_err(Error::io(&self.path))?;
        Ok(self.length)
    }

    /// Hands out everything, with `params` parameters each, and whether it is the last.
    pub(super) fn each(
        &mut self,
        params: usize,
        mut evaluate: impl FnMut(Moment, &[f32], bool) -> Result<()>,
    ) -> Result<()> {
        self.file.rewind().map_err(Error::io(&self.path))?;
        let mut reader = BufReader::new(&self.file);
        let (mut moment, mut numbers) = (Moment::zeroed(), vec![0.0; params]);
        loop {
            match reader.read_exact(bytemuck::bytes_of_mut(&mut moment)) {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
                read => read.map_err(Error::io(&self.path))?,
            }
            let read = reader.read_exact(bytemuck::cast_slice_mut(&mut numbers));
            read.map_err(Error::io(&self.path))?;
            let last = reader.fill_buf().map_err(Error::io(&self.path))?.is_empty();
            evaluate(moment, &numbers, last)?;
        }
    }
}
