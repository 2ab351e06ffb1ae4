//! The worst mistakes of a model, as a picture.

use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};

use super::{
    confusion::{Mistake, Scores},
    tiles::{MARGIN, PLAIN, SMALL, TITLE, Tiles},
};
use crate::{Error, Result, dataset::Split};

/// Mistakes in a row, and rows.
const GRID: [usize; 2] = [10, 5];
/// Side of an image, in logical pixels.
const TILE: f64 = 70.0;
/// Between images, across and down.
const GAPS: [f64; 2] = [12.0, 46.0];
/// The digits as on paper, and what is no ink.
const PAPER: f32 = 244.0;

/// Draws the mistakes with the highest losses into `stem.svg` and `stem.png`: each of the `images` that
/// were classified, its label, what it was taken for and how surely.
///
/// # Errors
/// [`Error::Config`] where images are not square, [`Error::Io`].
pub fn draw(scores: &Scores, images: &Split, caption: &str, stem: &Path) -> Result<[PathBuf; 2]> {
    let side = square(images.inputs())?;
    let mut pixels = Vec::new();
    let [across, down] = GRID;
    let mut tiles = Tiles::default();
    let worst: Vec<_> = scores.mistakes.iter().take(across * down).collect();
    let count = scores.mistakes.len();
    let what = "by loss: the label, what it was taken for, how surely";
    let said = match count {
        0 => "No mistakes".to_owned(),
        _ if count > worst.len() => {
            format!("The worst {} of {count} mistakes, {what}", worst.len())
        }
        _ => format!("All {count} mistakes, {what}"),
    };
    tiles.text((MARGIN, MARGIN + 8.0), &said, TITLE);
    let top = MARGIN + 24.0;
    let place = |at: usize, gap: f64, start: f64| start + (TILE + gap) * at as f64;
    for (at, mistake) in worst.iter().enumerate() {
        let Mistake { sample, label, prediction, probability, .. } = **mistake;
        let (x, y) = (place(at % across, GAPS[0], MARGIN), place(at / across, GAPS[1], top));
        images.gather_features(&[sample], &mut pixels);
        let image = RgbImage::from_fn(side, side, |x, y| {
            Rgb([(PAPER * (1.0 - pixels[(y * side + x) as usize])).round() as u8; 3])
        });
        tiles.picture((x, y), (TILE, TILE), &image);
        let middle = x + TILE / 2.0;
        tiles.text((middle, y + TILE + 16.0), &format!("{label} as {prediction}"), PLAIN);
        tiles.text((middle, y + TILE + 31.0), &format!("{:.1} %", 100.0 * probability), SMALL);
    }
    let rows = worst.len().div_ceil(across);
    let width = place(across, GAPS[0], MARGIN) - GAPS[0] + MARGIN;
    tiles.draw((width, place(rows, GAPS[1], top) - 8.0), caption, stem)
}

/// The side of a square image.
pub(super) fn square(inputs: usize) -> Result<u32> {
    let side = inputs.isqrt();
    match side * side == inputs {
        true => Ok(side as u32),
        false => Err(Error::config(format!("images of {inputs} pixels are not square"))),
    }
}
