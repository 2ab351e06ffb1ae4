//! PNG, a row at a time.

use std::io::{BufRead, Seek};

use image::metadata::Orientation;
use png::{BitDepth, ColorType, DecodeOptions, Decoder, DecodingError, Limits, Transformations};

use super::{Picture, Reduced, Trouble, check_size};

pub(super) const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The most bytes that a row or a chunk may take.
const MOST_BYTES: usize = 1 << 26;
/// Where the pixels of each pass of Adam7 are: the first column and every how many, and rows likewise.
const PASSES: [[u32; 4]; 7] = [
    [0, 8, 0, 8],
    [4, 8, 0, 8],
    [0, 4, 4, 8],
    [2, 4, 0, 4],
    [0, 2, 2, 4],
    [1, 2, 0, 2],
    [0, 1, 1, 2],
];

impl From<DecodingError> for Trouble {
    fn from(error: DecodingError) -> Self {
        match error {
            DecodingError::IoError(error) => error.into(),
            DecodingError::LimitsExceeded => Self::Other(format!(
                "a row or a chunk of this PNG takes more than {MOST_BYTES} bytes"
            )),
            error => Self::Other(format!("a damaged PNG: {error}")),
        }
    }
}

/// Reads to the end of the file, since a picture of which the end is missing is none.
pub(super) fn read(from: impl BufRead + Seek) -> Result<Picture, Trouble> {
    let mut options = DecodeOptions::default();
    options.set_ignore_text_chunk(true);
    options.set_ignore_iccp_chunk(true);
    let mut decoder = Decoder::new_with_options(from, options);
    decoder.set_limits(Limits { bytes: MOST_BYTES });
    decoder.set_transformations(Transformations::EXPAND);
    let (width, height) = decoder.read_header_info()?.size();
    check_size(width, height)?;
    let mut reader = decoder.read_info()?;
    let mut reduced = Reduced::new(width, height).ok_or(Trouble::NoMemory)?;
    let (colours, depth) = reader.output_color_type();
    let bytes = if depth == BitDepth::Sixteen { 2 } else { 1 };
    let interlaced = reader.info().interlaced;
    let passes = if interlaced { &PASSES[..] } else { &[[0, 1, 0, 1]] };
    for &[x, across, y, down] in passes.iter().filter(|[x, ..]| *x < width) {
        for y in (y..height).step_by(down as usize) {
            let row = reader.next_interlaced_row()?;
            let row = row.ok_or(Trouble::Other("a damaged PNG: rows are missing".to_owned()))?;
            let pixels = row.data().chunks_exact(bytes * colours.samples());
            reduced.add(y, (x, across), pixels.map(|pixel| colour(pixel, colours, bytes)));
        }
    }
    reader.finish()?;
    let exif = reader.info().exif_metadata.as_deref();
    let orientation = exif.and_then(Orientation::from_exif_chunk);
    Ok(Picture { pixels: reduced.upon_paper(), orientation })
}

/// Red, green, blue and how far it covers the paper, from 0 to 1.
fn colour(pixel: &[u8], colours: ColorType, bytes: usize) -> [f32; 4] {
    let sample = |at: usize| match pixel[bytes * at..][..bytes] {
        [high, low] => f32::from(u16::from_be_bytes([high, low])) / f32::from(u16::MAX),
        _ => f32::from(pixel[at]) / f32::from(u8::MAX),
    };
    match colours {
        ColorType::GrayscaleAlpha => [sample(0), sample(0), sample(0), sample(1)],
        ColorType::Rgb => [sample(0), sample(1), sample(2), 1.0],
        ColorType::Rgba => [sample(0), sample(1), sample(2), sample(3)],
        // What is indexed has been expanded.
        ColorType::Grayscale | ColorType::Indexed => [sample(0), sample(0), sample(0), 1.0],
    }
}
