//! Pictures from files: PNG and JPEG, upright, on paper where they are transparent. However large one
//! is, little memory is taken: it is made smaller while it is read.

mod format;
mod jpeg;
mod png;
mod reduced;
mod segments;

use std::{
    io::{self, BufRead, BufReader, Cursor, ErrorKind, Read, Seek},
    path::Path,
};

use image::{DynamicImage, Rgb32FImage, metadata::Orientation};

use self::{format::Format, reduced::Reduced};
use crate::{Error, Result, file};

/// The most bytes of a file.
const MOST_BYTES: u64 = 1 << 30;
/// The longest side of a picture, in pixels.
const LONGEST: u32 = 1 << 14;

/// A picture as its file has it.
#[derive(Debug)]
struct Picture {
    pixels: Rgb32FImage,
    orientation: Option<Orientation>,
}

/// What keeps a picture from being read.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("it is cut off: the end of the picture is missing")]
    Cut,
    #[error("there is not enough memory for it")]
    NoMemory,
    #[error(transparent)]
    Io(io::Error),
    #[error("{0}")]
    Other(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::UnexpectedEof => Self::Cut,
            ErrorKind::OutOfMemory => Self::NoMemory,
            _ if error.raw_os_error().is_some() => Self::Io(error),
            _ => Self::Other(error.to_string()),
        }
    }
}

/// Reads the picture at `path`, as [`parse`] does.
///
/// # Errors
/// [`Error::Io`] where the file cannot be read, and those of [`parse`].
pub fn read(path: &Path) -> Result<Rgb32FImage> {
    if file::is_stream(path) {
        return parse(path, &file::named_bytes(path, MOST_BYTES).map_err(Error::io(path))?);
    }
    let (file, length) = file::open(path).map_err(Error::io(path))?;
    if length > MOST_BYTES {
        let problem = format!("it has {length} bytes, and may have {MOST_BYTES}");
        return Err(Error::config(format!("{}: {problem}", path.display())));
    }
    decode(path, BufReader::new(file))
}

/// A picture from the bytes of the file at `path`, PNG or JPEG whatever its name says: turned as its
/// EXIF orientation says, in sRGB from 0 to 1, of 1024 pixels a side at most. Where it is transparent
/// there is white paper, or black if what is to be seen is bright.
///
/// # Errors
/// [`Error::Config`] naming the file where it is no picture, one that is damaged or of which the end is
/// missing, or one of more than 16384 pixels a side.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Rgb32FImage> {
    decode(path, Cursor::new(bytes))
}

fn decode(path: &Path, from: impl BufRead + Seek) -> Result<Rgb32FImage> {
    let picture = match pixels(from) {
        Ok(picture) => picture,
        Err(Trouble::Io(error)) => return Err(Error::io(path)(error)),
        Err(trouble) => return Err(Error::config(format!("{}: {trouble}", file::name(path)))),
    };
    let mut pixels = DynamicImage::ImageRgb32F(picture.pixels);
    pixels.apply_orientation(picture.orientation.unwrap_or(Orientation::NoTransforms));
    Ok(pixels.into_rgb32f())
}

fn pixels(mut from: impl BufRead + Seek) -> std::result::Result<Picture, Trouble> {
    let mut head = Vec::with_capacity(format::HEAD);
    from.by_ref().take(format::HEAD as u64).read_to_end(&mut head)?;
    from.rewind()?;
    match format::of(&head) {
        Format::Png => png::read(from),
        Format::Jpeg => jpeg::read(from),
        Format::Cut => Err(Trouble::Cut),
        Format::Empty => Err(Trouble::Other("the file is empty".to_owned())),
        Format::Other(name) => Err(Trouble::Other(format!(
            "it is {name}, and only PNG and JPEG are read: save it as one of them"
        ))),
        Format::Unknown => Err(Trouble::Other(
            "it is not a picture in a known format; only PNG and JPEG are read".to_owned(),
        )),
    }
}

/// Whether a picture of so many pixels is read.
fn check_size(width: u32, height: u32) -> std::result::Result<(), Trouble> {
    if width.max(height) <= LONGEST {
        return Ok(());
    }
    Err(Trouble::Other(format!(
        "it has {width} x {height} pixels, and a side may have {LONGEST}: make it smaller"
    )))
}
