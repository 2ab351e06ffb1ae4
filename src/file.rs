//! Files that are read. What a user names may be anything: a folder, a pipe that nobody writes to, a
//! device without end.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read},
    path::Path,
};

/// Opens a regular file; also its length in bytes.
pub(crate) fn open(path: &Path) -> io::Result<(File, u64)> {
    let metadata = fs::metadata(path)?;
    // Looked at before it is opened, since opening a pipe waits for a writer.
    if !metadata.is_file() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is not a regular file"));
    }
    Ok((File::open(path)?, metadata.len()))
}

/// The bytes of a regular file, of which there may be `most`.
pub(crate) fn bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let (file, length) = open(path)?;
    if length <= most {
        let mut bytes = Vec::with_capacity(length as usize);
        // The length is not to be relied on: /proc says 0, and a file may grow.
        file.take(most + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 <= most {
            return Ok(bytes);
        }
    }
    Err(io::Error::new(ErrorKind::FileTooLarge, format!("it has more than {most} bytes")))
}

/// The text of a regular file, of which there may be `most` bytes.
pub(crate) fn text(path: &Path, most: u64) -> io::Result<String> {
    let utf8 = String::from_utf8(bytes(path, most)?);
    utf8.map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8 text"))
}
