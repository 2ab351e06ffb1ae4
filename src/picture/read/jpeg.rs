//! JPEG, scaled down while it is decoded where it is large.

use std::io::{self, BufRead, BufReader};

use image::metadata::Orientation;
use jpeg_decoder::{Decoder, Error, PixelFormat};

use super::{Picture, Reduced, Trouble, reduced::LONGEST, segments::Whole};

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(error) => error.into(),
            Error::Unsupported(feature) => {
                Self::Other(format!("a JPEG of a kind that is not read: {feature:?}"))
            }
            error => {
                Self::Other(format!("a JPEG that is damaged, or cut off and closed again: {error}"))
            }
        }
    }
}

pub(super) fn read(from: impl BufRead) -> Result<Picture, Trouble> {
    let mut whole = Whole::new(from);
    let mut decoder = Decoder::new(BufReader::new(&mut whole));
    let (width, height) = decoder.scale(LONGEST as u16, LONGEST as u16)?;
    let bytes = decoder.decode()?;
    let format = decoder.info().map(|info| info.pixel_format);
    let mut reduced = Reduced::new(width.into(), height.into()).ok_or(Trouble::NoMemory)?;
    let samples = format.map_or(1, |format| format.pixel_bytes());
    let rows = bytes.chunks_exact(samples * usize::from(width));
    for (y, row) in (0..).zip(rows) {
        reduced.add(y, (0, 1), row.chunks_exact(samples).map(|pixel| colour(pixel, format)));
    }
    let orientation = decoder.exif_data().and_then(Orientation::from_exif_chunk);
    drop(decoder);
    // The decoder stops at the last block, and takes anything for what is behind it.
    io::copy(&mut whole, &mut io::sink())?;
    if !whole.has_ended() {
        return Err(Trouble::Cut);
    }
    Ok(Picture { pixels: reduced.upon_paper(), orientation })
}

/// Red, green, blue and how far it covers the paper, from 0 to 1.
fn colour(pixel: &[u8], format: Option<PixelFormat>) -> [f32; 4] {
    let sample = |at: usize| f32::from(pixel[at]) / f32::from(u8::MAX);
    match format {
        Some(PixelFormat::RGB24) => [sample(0), sample(1), sample(2), 1.0],
        Some(PixelFormat::CMYK32) => {
            let of = |at: usize| (1.0 - sample(at)) * (1.0 - sample(3));
            [of(0), of(1), of(2), 1.0]
        }
        _ => [sample(0), sample(0), sample(0), 1.0],
    }
}
