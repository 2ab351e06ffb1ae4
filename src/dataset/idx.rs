//! The IDX format of LeCun, Cortes and Burges, plain or gzipped, read strictly: nothing is allocated
//! that a header asks for before the file has been seen to hold it.

use std::{
    fs::{self, File},
    io::Read,
    path::Path,
};

use flate2::read::MultiGzDecoder;

use crate::{Error, Result};

/// The most a file may hold, unpacked: twenty times MNIST.
pub const MOST_BYTES: u64 = 1 << 30;
/// Bytes read at a time.
const CHUNK: usize = 1 << 16;

/// Images of one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Images {
    /// `[count, rows * columns]`.
    pub pixels: Vec<u8>,
    /// How many there are.
    pub count: usize,
    /// Pixels down.
    pub rows: usize,
    /// Pixels across.
    pub columns: usize,
}

/// The whole content of `path`, unpacked if it is gzip.
///
/// # Errors
/// [`Error::Dataset`] if it is no regular file, cannot be read, is torn, or holds more than
/// [`MOST_BYTES`] or than its own IDX header says.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let wrong = |problem: String| Error::Dataset { path: path.into(), problem };
    let unreadable = |error: std::io::Error| wrong(error.to_string());
    // Looked at before it is opened, since opening a pipe waits for a writer.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(wrong("is not a regular file".to_owned()));
    }
    let mut file = File::open(path).map_err(unreadable)?;
    let mut magic = Vec::new();
    file.by_ref().take(2).read_to_end(&mut magic).map_err(unreadable)?;
    let packed = magic == [0x1f, 0x8b];
    let whole = magic.as_slice().chain(file);
    let mut source: Box<dyn Read> =
        if packed { Box::new(MultiGzDecoder::new(whole)) } else { Box::new(whole) };
    let (mut bytes, mut chunk, mut limit) = (Vec::new(), vec![0; CHUNK], MOST_BYTES);
    loop {
        let count = source.read(&mut chunk).map_err(|error| match packed {
            true => wrong(format!("is damaged or cut off: {error}")),
            false => unreadable(error),
        })?;
        if count == 0 {
            return Ok(bytes);
        }
        bytes.extend_from_slice(&chunk[..count]);
        if let Ok(header) = Header::parse(&bytes) {
            limit = header.length().unwrap_or(MOST_BYTES).min(MOST_BYTES);
        }
        if bytes.len() as u64 > limit {
            return Err(wrong(format!("holds more than the {limit} bytes it should")));
        }
    }
}

/// Reads images out of the content of a file.
///
/// # Errors
/// What is wrong with it.
pub fn images(bytes: &[u8]) -> std::result::Result<Images, String> {
    let header = Header::parse(bytes)?;
    let &[count, rows, columns] = header.sizes.as_slice() else {
        return Err(format!("holds {} dimensions, not the 3 of images", header.sizes.len()));
    };
    let pixels = header.content(bytes)?.to_vec();
    Ok(Images { pixels, count: count as usize, rows: rows as usize, columns: columns as usize })
}

/// Reads labels out of the content of a file.
///
/// # Errors
/// What is wrong with it.
pub fn labels(bytes: &[u8]) -> std::result::Result<Vec<u8>, String> {
    let header = Header::parse(bytes)?;
    if header.sizes.len() != 1 {
        return Err(format!("holds {} dimensions, not the 1 of labels", header.sizes.len()));
    }
    header.content(bytes).map(<[u8]>::to_vec)
}

/// Two zeros, the type, the number of dimensions, then each dimension as a big-endian u32.
struct Header {
    sizes: Vec<u32>,
}

impl Header {
    fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let cut = || format!("is cut off within its header, after {} bytes", bytes.len());
        let (magic, rest) = bytes.split_first_chunk::<4>().ok_or_else(cut)?;
        let [0, 0, kind, dimensions] = *magic else {
            return Err("is no IDX file: it does not begin with two zeros".to_owned());
        };
        if kind != 0x08 {
            return Err(format!("holds elements of type {kind:#04x}, not bytes (0x08)"));
        }
        let sizes = rest.get(..4 * usize::from(dimensions)).ok_or_else(cut)?;
        let (sizes, _) = sizes.as_chunks::<4>();
        let sizes: Vec<u32> = sizes.iter().map(|size| u32::from_be_bytes(*size)).collect();
        if sizes.is_empty() || sizes.contains(&0) {
            return Err(format!("holds nothing: its dimensions are {sizes:?}"));
        }
        Ok(Self { sizes })
    }

    fn start(&self) -> usize {
        4 + 4 * self.sizes.len()
    }

    /// Bytes of a file with this header; none if no file can be so long.
    fn length(&self) -> Option<u64> {
        let content = self.sizes.iter().try_fold(1_u64, |n, &size| n.checked_mul(size.into()))?;
        content.checked_add(self.start() as u64)
    }

    fn content<'a>(&self, bytes: &'a [u8]) -> std::result::Result<&'a [u8], String> {
        if self.length() != Some(bytes.len() as u64) {
            let expected = self.length().map_or("more than 2^64".to_owned(), |n| n.to_string());
            let (sizes, actual) = (&self.sizes, bytes.len());
            return Err(format!(
                "has {actual} bytes, but its dimensions {sizes:?} need {expected}"
            ));
        }
        Ok(&bytes[self.start()..])
    }
}
