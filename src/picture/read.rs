//! Pictures from files: PNG and JPEG, upright, on paper where they are transparent.

use std::{io::Cursor, path::Path};

use image::{DynamicImage, ImageDecoder, ImageReader, Limits, Rgb, Rgb32FImage};

use crate::{Error, Result, file};

/// The most bytes of a file.
const MOST_BYTES: u64 = 1 << 28;
/// The longest side of a picture, in pixels.
const LONGEST: u32 = 1 << 14;

/// Reads the picture at `path`, as [`parse`] does.
///
/// # Errors
/// [`Error::Io`] where the file cannot be read, and those of [`parse`].
pub fn read(path: &Path) -> Result<Rgb32FImage> {
    parse(path, &file::named_bytes(path, MOST_BYTES).map_err(Error::io(path))?)
}

/// A picture from the bytes of the file at `path`, PNG or JPEG whatever its name says: turned as its
/// EXIF orientation says, in sRGB from 0 to 1. Where it is transparent there is white paper, or black
/// if what is to be seen is bright.
///
/// # Errors
/// [`Error::Config`] naming the file where it is no picture, a damaged one, or one of more than 16384
/// pixels a side.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Rgb32FImage> {
    let wrong = |problem: String| Error::config(format!("{}: {problem}", file::name(path)));
    decode(bytes).map(upon_paper).map_err(|error| wrong(error.to_string()))
}

fn decode(bytes: &[u8]) -> image::ImageResult<DynamicImage> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(LONGEST), Some(LONGEST));
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// Laid upon white, or upon black if what is to be seen is bright.
fn upon_paper(picture: DynamicImage) -> Rgb32FImage {
    if !picture.color().has_alpha() {
        return picture.into_rgb32f();
    }
    let picture = picture.into_rgba32f();
    let (mut bright, mut seen) = (0.0, 0.0);
    for [red, green, blue, alpha] in picture.pixels().map(|pixel| pixel.0) {
        bright += f64::from(alpha * (red + green + blue) / 3.0);
        seen += f64::from(alpha);
    }
    let paper = if bright > 0.5 * seen { 0.0 } else { 1.0 };
    Rgb32FImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [red, green, blue, alpha] = picture.get_pixel(x, y).0;
        Rgb([red, green, blue].map(|value| alpha * value + (1.0 - alpha) * paper))
    })
}
