//! Files that are read. What a user names may be anything: a folder, a pipe that nobody writes to, a
//! device without end, text as an editor elsewhere has saved it.

use std::{
    fmt,
    fs::{self, File, FileType},
    io::{self, ErrorKind, Read},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

/// What stands for standard input where a file is named.
const STDIN: &str = "-";

/// Opens a regular file; also its length in bytes.
pub(crate) fn open(path: &Path) -> io::Result<(File, u64)> {
    let metadata = fs::metadata(path)?;
    // Looked at before it is opened, since opening a pipe waits for a writer.
    if !metadata.is_file() {
        return Err(irregular("it is not a regular file"));
    }
    Ok((File::open(path)?, metadata.len()))
}

/// The bytes of a regular file, of which there may be `most`.
pub(crate) fn bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let (file, length) = open(path)?;
    up_to(file, length, most)
}

/// The text of a regular file, of which there may be `most` bytes.
pub(crate) fn text(path: &Path, most: u64) -> io::Result<String> {
    decode(bytes(path, most)?)
}

/// Whether it can only be read once, from its beginning to its end: a pipe, or standard input as `-`.
pub(crate) fn is_stream(path: &Path) -> bool {
    is_stdin(path) || fs::metadata(path).is_ok_and(|metadata| is_pipe(metadata.file_type()))
}

/// The bytes of what a user names, of which there may be `most`: a regular file, a pipe, or
/// standard input as `-`. A pipe is waited for.
pub(crate) fn named_bytes(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    match is_stream(path) {
        true if is_stdin(path) => up_to(stdin()?, 0, most),
        true => up_to(File::open(path)?, 0, most),
        false => bytes(path, most),
    }
}

/// The text of what a user names, as [`named_bytes`].
pub(crate) fn named_text(path: &Path, most: u64) -> io::Result<String> {
    decode(named_bytes(path, most)?)
}

/// What a message calls the file at `path`.
pub(crate) fn name(path: &Path) -> impl fmt::Display {
    fmt::from_fn(move |f| {
        if is_stdin(path) { f.write_str("standard input") } else { write!(f, "{}", path.display()) }
    })
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == STDIN
}

fn irregular(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, what)
}

/// Standard input, which is there only once.
fn stdin() -> io::Result<impl Read> {
    static READ: AtomicBool = AtomicBool::new(false);
    if READ.swap(true, Ordering::Relaxed) {
        return Err(irregular("it was read already: only one file can be standard input"));
    }
    Ok(io::stdin().lock())
}

#[cfg(unix)]
fn is_pipe(kind: FileType) -> bool {
    std::os::unix::fs::FileTypeExt::is_fifo(&kind)
}

#[cfg(not(unix))]
fn is_pipe(_: FileType) -> bool {
    false
}

/// What is left in `source`, of which there may be `most` bytes, and `length` are expected.
fn up_to(source: impl Read, length: u64, most: u64) -> io::Result<Vec<u8>> {
    if length <= most {
        let mut bytes = Vec::with_capacity(length as usize);
        // The length is not to be relied on: /proc says 0, and a file may grow.
        source.take(most + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 <= most {
            return Ok(bytes);
        }
    }
    Err(io::Error::new(ErrorKind::FileTooLarge, format!("it has more than {most} bytes")))
}

/// Text in UTF-8. The mark that some editors put before it is no part of it.
fn decode(mut bytes: Vec<u8>) -> io::Result<String> {
    let invalid = |what| io::Error::new(ErrorKind::InvalidData, what);
    if bytes.starts_with(b"\xef\xbb\xbf") {
        bytes.drain(..3);
    } else if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(invalid("it is UTF-16 text, not UTF-8: save it as UTF-8"));
    }
    String::from_utf8(bytes).map_err(|_| invalid("it is not UTF-8 text"))
}
