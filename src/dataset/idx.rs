//! Reads the IDX format, in which MNIST is distributed, plain or gzipped. Damaged files are errors.
//!
//! Memory is allocated only once it is known that the file can hold what its header announces.

use std::{
    fs::File,
    io::{self, BufRead, Read},
    path::Path,
};

use flate2::bufread::GzDecoder;
use sha2::{Digest, Sha256};

use crate::{Error, Result, file};

/// The most elements a file may hold: twenty times MNIST.
pub const MOST_ELEMENTS: u64 = 1 << 30;
/// Bytes that one byte of a deflate stream can become at most.
const MOST_EXPANSION: u64 = 1032;
/// What a gzip file begins with.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// What is said of a file before the system's reason.
const UNREADABLE: &str = "cannot be read";

/// The content of an IDX file of unsigned bytes with `D` dimensions: 3 for images, 1 for labels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idx<const D: usize> {
    /// The dimensions, the number of samples first; none is zero.
    pub sizes: [usize; D],
    /// As many as the product of the dimensions, the last dimension fastest.
    pub elements: Vec<u8>,
}

impl<const D: usize> Idx<D> {
    /// Reads `path`, unpacking it if it begins as gzip does.
    ///
    /// # Errors
    /// [`Error::Dataset`] if it is no regular file, cannot be read, is damaged or cut off, is not
    /// an IDX file of bytes with `D` dimensions, or does not hold exactly what its header says or
    /// more than [`MOST_ELEMENTS`].
    pub fn read(path: &Path) -> Result<Self> {
        Self::open(path, Self::unpack)
    }

    /// The dimensions in the header of `path`, the number of samples first; nothing else is read.
    ///
    /// # Errors
    /// As [`Idx::read`] has them, as far as the header shows it.
    pub fn dimensions(path: &Path) -> Result<[usize; D]> {
        let header = |file, length| Ok(Unpacked::new(file, length)?.header::<D>()?);
        Self::open(path, header).map(|(sizes, _)| sizes.map(|size| size as usize))
    }

    /// What `read` makes of the file at `path` and its length.
    fn open<T>(
        path: &Path,
        read: impl FnOnce(File, u64) -> std::result::Result<T, Failure>,
    ) -> Result<T> {
        let opened = file::open(path).map_err(|error| format!("{UNREADABLE}: {error}").into());
        let content = opened.and_then(|(file, length)| read(file, length));
        content.map_err(|failure| failure.at(path))
    }

    /// What [`Idx::read`] makes of a file at `path` with these bytes.
    ///
    /// # Errors
    /// As [`Idx::read`].
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let read = Self::unpack(bytes, bytes.len() as u64);
        read.map_err(|failure| failure.at(path))
    }

    /// Reads from `source`, packed or not, which holds at most `length` bytes.
    fn unpack(source: impl Read, length: u64) -> std::result::Result<Self, Failure> {
        let mut unpacked = Unpacked::new(source, length)?;
        let (sizes, needed) = unpacked.header::<D>()?;
        let mut elements = Vec::new();
        elements.try_reserve_exact(needed as usize).map_err(|_| Failure::NoRoom(needed))?;
        // One more, so that the end is seen: a longer file has it, and gzip checks its sum there.
        let read = unpacked.source.take(needed + 1).read_to_end(&mut elements);
        read.map_err(|error| format!("{}: {error}", unpacked.failed))?;
        if (elements.len() as u64) < needed {
            return Err(cut(sizes, needed).into());
        }
        if elements.len() as u64 > needed {
            let problem =
                format!("goes on after the {needed} elements of its dimensions {sizes:?}");
            return Err(problem.into());
        }
        Ok(Self { sizes: sizes.map(|size| size as usize), elements })
    }

    /// SHA-256 of the file, unpacked, in lower-case hexadecimal.
    pub fn sha256(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(magic::<D>());
        for &size in &self.sizes {
            hash.update((size as u32).to_be_bytes());
        }
        hash.update(&self.elements);
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Why there is nothing of a file.
enum Failure {
    /// What is wrong with it.
    Problem(String),
    /// The system has no room for so many bytes.
    NoRoom(u64),
}

impl Failure {
    fn at(self, path: &Path) -> Error {
        match self {
            Self::Problem(problem) => Error::Dataset { path: path.into(), problem },
            Self::NoRoom(bytes) => {
                Error::NoRoom(format!("the {bytes} bytes of {}, unpacked", path.display()))
            }
        }
    }
}

impl From<String> for Failure {
    fn from(problem: String) -> Self {
        Self::Problem(problem)
    }
}

/// The bytes of a file, unpacked.
struct Unpacked<'a> {
    source: Box<dyn Read + 'a>,
    /// It holds at most this many bytes.
    most: u64,
    /// What is said where it cannot be read.
    failed: &'static str,
}

impl<'a> Unpacked<'a> {
    /// Reads from `source`, packed or not, which holds at most `length` bytes.
    fn new(mut source: impl Read + 'a, length: u64) -> std::result::Result<Self, String> {
        let mut start = Vec::with_capacity(GZIP.len());
        let two = source.by_ref().take(GZIP.len() as u64).read_to_end(&mut start);
        two.map_err(|error| format!("{UNREADABLE}: {error}"))?;
        let packed = start == GZIP;
        let source = io::Cursor::new(start).chain(source);
        if !packed {
            return Ok(Self { source: Box::new(source), most: length, failed: UNREADABLE });
        }
        let source = Box::new(Members::new(io::BufReader::new(source)));
        let most = length.saturating_mul(MOST_EXPANSION);
        Ok(Self { source, most, failed: "is damaged or cut off" })
    }

    /// The dimensions, with which it begins, and how many elements they need.
    fn header<const D: usize>(&mut self) -> std::result::Result<([u32; D], u64), String> {
        let mut header = Vec::new();
        let read = self.source.by_ref().take(start::<D>()).read_to_end(&mut header);
        read.map_err(|error| format!("{}: {error}", self.failed))?;
        let sizes = sizes::<D>(&header)?;
        let needed = sizes.iter().try_fold(1_u64, |n, &size| n.checked_mul(size.into()));
        let needed = needed.filter(|&n| n <= MOST_ELEMENTS).ok_or_else(|| {
            format!("has dimensions {sizes:?}, more than {MOST_ELEMENTS} elements")
        })?;
        if needed + start::<D>() > self.most {
            return Err(cut(sizes, needed));
        }
        Ok((sizes, needed))
    }
}

/// What the members of a gzip file hold, one after the other. Zeros behind the last one fill a block
/// of a tape or an archive, and mean nothing.
struct Members<R>(Option<GzDecoder<R>>);

impl<R: BufRead> Members<R> {
    fn new(packed: R) -> Self {
        Self(Some(GzDecoder::new(packed)))
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(member) = &mut self.0 {
            let read = member.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            let mut packed = self.0.take().expect("it was there to read from").into_inner();
            match packed.fill_buf()?.first() {
                None => {}
                Some(0) => only_zeros(packed)?,
                Some(_) => self.0 = Some(GzDecoder::new(packed)),
            }
        }
        Ok(0)
    }
}

fn only_zeros(mut padding: impl BufRead) -> io::Result<()> {
    loop {
        let zeros = padding.fill_buf()?;
        if zeros.iter().any(|&byte| byte != 0) {
            let what = "behind its end there is more than zeros";
            return Err(io::Error::new(io::ErrorKind::InvalidData, what));
        }
        let length = zeros.len();
        if length == 0 {
            return Ok(());
        }
        padding.consume(length);
    }
}

fn cut<const D: usize>(sizes: [u32; D], needed: u64) -> String {
    format!("is cut off: its dimensions {sizes:?} need {needed} elements")
}

/// Two zeros, the type (8: unsigned bytes) and the number of dimensions.
fn magic<const D: usize>() -> [u8; 4] {
    [0, 0, 8, D as u8]
}

/// Bytes before the first element.
fn start<const D: usize>() -> u64 {
    4 * (1 + D as u64)
}

/// The magic number, then each dimension as a big-endian u32.
fn sizes<const D: usize>(header: &[u8]) -> std::result::Result<[u32; D], String> {
    if header.is_empty() {
        return Err("is empty".to_owned());
    }
    let (words, _) = header.as_chunks::<4>();
    if let Some(found) = words.first().filter(|&&found| found != magic::<D>()) {
        let [found, expected] = [*found, magic::<D>()].map(u32::from_be_bytes);
        return Err(format!(
            "is not the IDX file that its name says: it begins with {found:#010x}, not {expected:#010x}"
        ));
    }
    let sizes = words.get(1..).and_then(|sizes| <&[[u8; 4]; D]>::try_from(sizes).ok());
    let sizes = sizes.map(|sizes| sizes.map(u32::from_be_bytes)).ok_or_else(|| {
        format!("is no IDX file, or cut off: it has {} bytes, less than a header", header.len())
    })?;
    if sizes.contains(&0) {
        return Err(format!("holds nothing: its dimensions are {sizes:?}"));
    }
    Ok(sizes)
}
