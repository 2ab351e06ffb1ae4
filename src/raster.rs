//! SVG to PNG, in the font that comes with the crate.

use std::{
    io::Cursor,
    path::{Path, PathBuf},
    sync::Arc,
};

use image::{ImageFormat, RgbImage};
use resvg::{
    tiny_skia::{Color, Pixmap, Transform},
    usvg::{Options, Tree, fontdb::Database},
};

use crate::{Result, record::write_whole};

/// What the text of every picture is set in.
pub(crate) const FONT_FAMILY: &str = "Open Sans";
const FONT: &[u8] = include_bytes!("../data/fonts/OpenSans-Regular.ttf");
/// Pixels a logical pixel.
const SCALE: f32 = 2.0;
/// The most pixels of a picture; a larger one is drawn with fewer a logical pixel.
const MOST_PIXELS: f32 = (1 << 26) as f32;

/// The picture `svg` as a PNG on white.
///
/// # Panics
/// If `svg` is no SVG of a size.
pub(crate) fn png(svg: &str) -> Vec<u8> {
    let mut fonts = Database::new();
    fonts.load_font_data(FONT.to_vec());
    let options = Options {
        fontdb: Arc::new(fonts),
        font_family: FONT_FAMILY.to_owned(),
        ..Options::default()
    };
    let tree = Tree::from_str(svg, &options).expect("pictures are written as SVG");
    let area = tree.size().width() * tree.size().height();
    let scale = SCALE.min((MOST_PIXELS / area).sqrt());
    let size = tree.size().to_int_size().scale_by(scale).expect("pictures have a size");
    let mut pixels = Pixmap::new(size.width(), size.height()).expect("pictures have a size");
    pixels.fill(Color::WHITE);
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    let (rgba, _) = pixels.data().as_chunks::<4>();
    let opaque = rgba.iter().flat_map(|&[red, green, blue, _]| [red, green, blue]).collect();
    let image = RgbImage::from_raw(size.width(), size.height(), opaque);
    let mut bytes = Cursor::new(Vec::new());
    image
        .expect("there are three bytes a pixel")
        .write_to(&mut bytes, ImageFormat::Png)
        .expect("memory takes what is written");
    bytes.into_inner()
}

/// Writes the picture `svg` into `stem.svg` and, as a PNG, into `stem.png`, and returns these files.
///
/// # Errors
/// [`crate::Error::Io`].
pub(crate) fn write_both(stem: &Path, svg: &str) -> Result<[PathBuf; 2]> {
    let [vector, pixels] = ["svg", "png"].map(|ending| stem.with_extension(ending));
    write_whole(&vector, svg.as_bytes())?;
    write_whole(&pixels, &png(svg))?;
    Ok([vector, pixels])
}
