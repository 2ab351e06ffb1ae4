//! Parameters that are evaluated when the run is over, so that evaluation takes no time of it: a file
//! of records, each run time, updates, gradients and parameters.

use std::{
    io::{BufRead, BufReader, ErrorKind, Read, Seek, Write},
    path::Path,
};

use bytemuck::Zeroable;

use super::appender::Appender;
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
pub(super) struct Deferred(Appender);

impl Deferred {
    /// In the folder of a run; goes on after `length` bytes.
    pub(super) fn open(folder: &Path, length: u64) -> Result<Self> {
        let mut appender = Appender::open_or_create(folder.join(FILE), length)?;
        appender.cut()?;
        Ok(Self(appender))
    }

    pub(super) fn push(&mut self, moment: Moment, params: &[f32]) -> Result<()> {
        self.0.record(|buffer| {
            buffer.write_all(bytemuck::bytes_of(&moment))?;
            buffer.write_all(bytemuck::cast_slice(params))
        })
    }

    /// Bytes so far, all of them on the disk.
    pub(super) fn sync(&mut self) -> Result<u64> {
        self.0.sync()?;
        Ok(self.0.written)
    }

    /// Hands out everything, with `params` parameters each, and whether it is the last.
    pub(super) fn each(
        mut self,
        params: usize,
        mut evaluate: impl FnMut(Moment, &[f32], bool) -> Result<()>,
    ) -> Result<()> {
        self.0.flush()?;
        let Appender { path, file, .. } = &mut self.0;
        file.rewind().map_err(Error::io(&*path))?;
        let mut reader = BufReader::new(file);
        let (mut moment, mut numbers) = (Moment::zeroed(), vec![0.0; params]);
        loop {
            match reader.read_exact(bytemuck::bytes_of_mut(&mut moment)) {
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
                read => read.map_err(Error::io(&*path))?,
            }
            let read = reader.read_exact(bytemuck::cast_slice_mut(&mut numbers));
            read.map_err(Error::io(&*path))?;
            let last = reader.fill_buf().map_err(Error::io(&*path))?.is_empty();
            evaluate(moment, &numbers, last)?;
        }
    }
}
