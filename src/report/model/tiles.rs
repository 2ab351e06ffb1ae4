//! Tiles and text on a sheet, as SVG and as PNG: for pictures that have no axes.

use std::{
    io::Cursor,
    path::{Path, PathBuf},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use image::{ImageFormat, RgbImage};
use maud::{Markup, html};

use super::super::style::hex;
use crate::{
    Result, raster,
    svg::{self, Px, Set},
};

/// Around everything, in logical pixels.
pub(super) const MARGIN: f64 = 24.0;
/// Text size of what is not said otherwise.
const SIZE: f64 = 13.0;
/// Text size of the caption.
pub(super) const CAPTION: f64 = 11.0;

/// Text as large as most.
pub(super) const PLAIN: Set = Set::MIDDLE.size(SIZE);
/// Text at the left edge.
pub(super) const TITLE: Set = Set::START.size(SIZE);
/// Text that adds something.
pub(super) const SMALL: Set = Set::MIDDLE.size(CAPTION).fill("#555");

/// What is drawn, in logical pixels from the left upper corner.
#[derive(Debug, Default)]
pub(super) struct Tiles(Vec<Markup>);

impl Tiles {
    /// A filled rectangle.
    pub(super) fn rectangle(&mut self, (x, y): (f64, f64), size: (f64, f64), fill: [u8; 3]) {
        let (width, height) = size;
        self.0.push(html! {
            rect x=(Px(x)) y=(Px(y)) width=(Px(width)) height=(Px(height)) fill=(hex(fill)) {}
        });
    }

    /// Text on its base line.
    pub(super) fn text(&mut self, at: (f64, f64), text: &str, set: Set) {
        self.0.push(svg::text(at, text, set));
    }

    /// A picture whose pixels stay sharp.
    pub(super) fn picture(&mut self, (x, y): (f64, f64), size: (f64, f64), picture: &RgbImage) {
        let mut png = Cursor::new(Vec::new());
        picture.write_to(&mut png, ImageFormat::Png).expect("memory takes what is written");
        let (width, height) = size;
        let data = STANDARD.encode(png.into_inner());
        self.0.push(html! {
            image x=(Px(x)) y=(Px(y)) width=(Px(width)) height=(Px(height))
                preserveAspectRatio="none" image-rendering="optimizeSpeed"
                style="image-rendering:pixelated" href={ "data:image/png;base64," (data) } {}
        });
    }

    /// Writes the sheet, with `caption` below, into `stem.svg` and `stem.png` and returns these files.
    pub(super) fn draw(
        self,
        (width, bottom): (f64, f64),
        caption: &str,
        stem: &Path,
    ) -> Result<[PathBuf; 2]> {
        let most = ((width - 2.0 * MARGIN) / (0.53 * CAPTION)) as usize;
        let (caption, height) = svg::caption((MARGIN, bottom + MARGIN), caption, most, CAPTION);
        let content = html! {
            @for tile in &self.0 { (tile) }
            (caption)
        };
        raster::write_both(stem, &svg::picture((width, height.ceil()), SIZE, &content))
    }
}

/// A colour between two.
pub(super) fn between(from: [u8; 3], to: [u8; 3], part: f64) -> [u8; 3] {
    let part = part.clamp(0.0, 1.0);
    let of =
        |at: usize| (f64::from(from[at]) * (1.0 - part) + f64::from(to[at]) * part).round() as u8;
    [of(0), of(1), of(2)]
}
