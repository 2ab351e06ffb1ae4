//! Tiles and text on a sheet, as SVG and as PNG: for pictures that have no axes.

use std::{
    fmt::Write as _,
    io::Cursor,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image::{ImageFormat, RgbImage};

use crate::{
    Result, raster,
    record::write_whole,
    svg::{self, wrap},
};

/// Around everything, in logical pixels.
pub(super) const MARGIN: f64 = 24.0;
/// Text size of what is not said otherwise.
const SIZE: f64 = 13.0;
/// Text size of the caption.
const CAPTION: f64 = 11.0;

/// What is drawn, in logical pixels from the left upper corner.
#[derive(Debug, Default)]
pub(super) struct Tiles(String);

/// How text is set.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text {
    pub(super) size: f64,
    pub(super) colour: &'static str,
    /// `start`, `middle` or `end`.
    pub(super) anchor: &'static str,
}

impl Text {
    pub(super) const PLAIN: Self = Self { size: SIZE, colour: "#222", anchor: "middle" };
    pub(super) const SMALL: Self = Self { size: CAPTION, colour: "#555", anchor: "middle" };
}

impl Tiles {
    /// A filled rectangle.
    pub(super) fn rectangle(&mut self, at: (f64, f64), size: (f64, f64), fill: &str) {
        let ((x, y), (width, height)) = (at, size);
        let _ = writeln!(
            self.0,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             fill=\"{fill}\"/>"
        );
    }

    /// Text on its base line.
    pub(super) fn text(&mut self, at: (f64, f64), text: &str, set: Text) {
        let ((x, y), Text { size, colour, anchor }) = (at, set);
        let look = format!("font-size=\"{size}\" fill=\"{colour}\" text-anchor=\"{anchor}\"");
        self.0 += &(svg::text(&format!("x=\"{x:.1}\" y=\"{y:.1}\" {look}"), text) + "\n");
    }

    /// Text that reads upwards.
    pub(super) fn upright(&mut self, at: (f64, f64), text: &str) {
        let turned = format!("transform=\"translate({:.1} {:.1}) rotate(-90)\"", at.0, at.1);
        self.0 += &(svg::text(&format!("{turned} text-anchor=\"middle\""), text) + "\n");
    }

    /// A picture whose pixels stay sharp.
    pub(super) fn picture(&mut self, at: (f64, f64), size: (f64, f64), picture: &RgbImage) {
        let mut png = Cursor::new(Vec::new());
        picture.write_to(&mut png, ImageFormat::Png).expect("memory takes what is written");
        let ((x, y), (width, height)) = (at, size);
        let data = STANDARD.encode(png.into_inner());
        let _ = writeln!(
            self.0,
            "<image x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" \
             preserveAspectRatio=\"none\" image-rendering=\"optimizeSpeed\" style=\"image-rendering:pixelated\" \
             href=\"data:image/png;base64,{data}\"/>"
        );
    }

    /// Writes the sheet, with `caption` below, into `stem.svg` and `stem.png` and returns these files.
    pub(super) fn draw(
        self,
        (width, bottom): (f64, f64),
        caption: &str,
        stem: &Path,
    ) -> Result<[PathBuf; 2]> {
        let mut page = self;
        let mut height = bottom + MARGIN;
        for line in wrap(caption, ((width - 2.0 * MARGIN) / (0.53 * CAPTION)) as usize) {
            page.text((MARGIN, height), &line, Text { anchor: "start", ..Text::SMALL });
            height += 16.0;
        }
        let (height, family, drawn) = (height.ceil(), raster::FONT_FAMILY, page.0);
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"{family}, sans-serif\" \
             font-size=\"{SIZE}\" fill=\"#222\">\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n{drawn}</svg>\n"
        );
        let [vector, pixels] = ["svg", "png"].map(|ending| stem.with_extension(ending));
        write_whole(&vector, svg.as_bytes())?;
        write_whole(&pixels, &raster::png(&svg))?;
        Ok([vector, pixels])
    }
}

/// A colour between two.
pub(super) fn between(from: [u8; 3], to: [u8; 3], part: f64) -> [u8; 3] {
    let part = part.clamp(0.0, 1.0);
    let of =
        |at: usize| (f64::from(from[at]) * (1.0 - part) + f64::from(to[at]) * part).round() as u8;
    [of(0), of(1), of(2)]
}
