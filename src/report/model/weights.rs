//! The weights of the first layer, as a picture: an image a unit, by what the unit speaks for.

use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};

use super::{
    mistakes::square,
    tiles::{MARGIN, PLAIN, SMALL, TITLE, Tiles, between},
};
use crate::{Result, engine::model::Model};

/// Side of an image, in logical pixels.
const TILE: f64 = 56.0;
/// Between images.
const GAP: f64 = 5.0;
/// Images in a row, and rows of a class, at most.
const ACROSS: usize = 16;
const ROWS: usize = 2;
/// Beside the images, for the class.
const NAME: f64 = 26.0;
/// Side of the image of a class, in logical pixels, and how many are in a row.
const CLASS_TILE: f64 = 112.0;
const CLASSES_ACROSS: usize = 5;
/// Of the weights, this share has less than the full colour.
const WITHIN: f64 = 0.995;
/// Below zero, zero and above.
const COLOURS: [[u8; 3]; 3] = [[0x00, 0x5a, 0x9c], [0xff; 3], [0xc0, 0x3a, 0x00]];

/// A unit of the first layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unit {
    /// Its column in the first layer.
    pub unit: usize,
    /// The class that it speaks for most.
    pub class: usize,
    /// How strongly: the norm of its weights times what it adds to the logit of that class.
    pub strength: f64,
}

/// The units of the first layer, by class and within each the strongest first. What a unit adds to a
/// logit goes through all layers that follow, as if all their units were active.
pub fn units(model: &Model, params: &[f32]) -> Vec<Unit> {
    let (first, rest) = model.layers().split_first().expect("a model has a layer");
    let (count, classes) = (first.outputs, model.classes());
    // [units, width of the layer reached]
    let mut effect = vec![0.0; count * count];
    (0..count).for_each(|unit| effect[unit * count + unit] = 1.0);
    for layer in rest {
        let weight = &params[layer.weight()];
        let mut next = vec![0.0; count * layer.outputs];
        for (from, to) in
            effect.chunks_exact(layer.inputs).zip(next.chunks_exact_mut(layer.outputs))
        {
            for (value, row) in from.iter().zip(weight.chunks_exact(layer.outputs)) {
                to.iter_mut().zip(row).for_each(|(to, w)| *to += value * f64::from(*w));
            }
        }
        effect = next;
    }
    let weight = &params[first.weight()];
    let norm = |unit: usize| {
        let column = weight.iter().skip(unit).step_by(count);
        column.map(|w| f64::from(*w).powi(2)).sum::<f64>().sqrt()
    };
    let unit = |(unit, effect): (usize, &[f64])| {
        let class = (0..classes).max_by(|&a, &b| effect[a].total_cmp(&effect[b])).unwrap_or(0);
        Unit { unit, class, strength: norm(unit) * effect[class] }
    };
    let mut units: Vec<_> = effect.chunks_exact(classes).enumerate().map(unit).collect();
    units.sort_by(|a, b| a.class.cmp(&b.class).then(b.strength.total_cmp(&a.strength)));
    units
}

/// Draws the weights of the first layer into `stem.svg` and `stem.png`.
///
/// # Errors
/// [`crate::Error::Config`] where images are not square, [`crate::Error::Io`].
pub fn draw(model: &Model, params: &[f32], caption: &str, stem: &Path) -> Result<[PathBuf; 2]> {
    let first = model.layers()[0];
    let (side, weight) = (square(first.inputs)?, &params[first.weight()]);
    let most = quantile(weight, WITHIN);
    let image = |unit: &Unit| {
        RgbImage::from_fn(side, side, |x, y| {
            let input = (y * side + x) as usize;
            Rgb(colour(weight[input * first.outputs + unit.unit], most))
        })
    };
    let (units, mut tiles) = (units(model, params), Tiles::default());
    let (title, how, right, bottom) = if model.layers().len() == 1 {
        let (right, bottom) = classes(&mut tiles, &units, &image);
        ("The weights of each class".to_owned(), String::new(), right, bottom)
    } else {
        let (right, bottom, left_out) = hidden(&mut tiles, &units, &image);
        let title = format!("The weights of the {} units of the first layer", units.len());
        let how = " Each stands with the class whose logit it raises most, the strongest first.";
        let left_out = match left_out {
            0 => String::new(),
            weaker => format!(" {weaker} weaker ones are left out."),
        };
        (title, format!("{how}{left_out}"), right, bottom)
    };
    tiles.text((MARGIN, MARGIN + 8.0), &title, TITLE);
    scale(&mut tiles, (MARGIN + NAME, bottom + 12.0), most);
    tiles.draw((right + MARGIN, bottom + 38.0), &format!("{caption}.{how}"), stem)
}

/// Large images with their class above; returns where they end.
fn classes(tiles: &mut Tiles, units: &[Unit], image: &dyn Fn(&Unit) -> RgbImage) -> (f64, f64) {
    let step = (CLASS_TILE + 2.0 * GAP, CLASS_TILE + 30.0);
    let (left, top) = (MARGIN, MARGIN + 46.0);
    for (at, unit) in units.iter().enumerate() {
        let x = left + step.0 * (at % CLASSES_ACROSS) as f64;
        let y = top + step.1 * (at / CLASSES_ACROSS) as f64;
        tiles.picture((x, y), (CLASS_TILE, CLASS_TILE), &image(unit));
        tiles.text((x + CLASS_TILE / 2.0, y - 7.0), &unit.class.to_string(), PLAIN);
    }
    let (across, down) = (units.len().min(CLASSES_ACROSS), units.len().div_ceil(CLASSES_ACROSS));
    (left + step.0 * across as f64 - 2.0 * GAP, top + step.1 * down as f64 - 22.0)
}

/// A row or two of small images a class; returns where they end, and how many units are left out.
fn hidden(
    tiles: &mut Tiles,
    units: &[Unit],
    image: &dyn Fn(&Unit) -> RgbImage,
) -> (f64, f64, usize) {
    let (left, mut top, mut left_out) = (MARGIN + NAME, MARGIN + 24.0, 0);
    let groups = || units.chunk_by(|a, b| a.class == b.class);
    let across = groups().map(<[Unit]>::len).max().unwrap_or(1).min(ACROSS);
    for group in groups() {
        let shown = group.len().min(ROWS * across);
        left_out += group.len() - shown;
        let name = PLAIN.size(17.0);
        tiles.text((MARGIN + 8.0, top + TILE / 2.0 + 6.0), &group[0].class.to_string(), name);
        for (at, unit) in group[..shown].iter().enumerate() {
            let x = left + (TILE + GAP) * (at % across) as f64;
            let y = top + (TILE + GAP) * (at / across) as f64;
            tiles.picture((x, y), (TILE, TILE), &image(unit));
        }
        top += (TILE + GAP) * shown.div_ceil(across) as f64 + 6.0;
    }
    // The scale and the caption need some room, too.
    let right = left + ((TILE + GAP) * across as f64 - GAP).max(380.0);
    (right, top, left_out)
}

/// What the colours mean.
fn scale(tiles: &mut Tiles, (x, y): (f64, f64), most: f64) {
    let strip = RgbImage::from_fn(101, 1, |x, _| {
        Rgb(colour(((f64::from(x) - 50.0) / 50.0 * most) as f32, most))
    });
    tiles.picture((x, y), (202.0, 10.0), &strip);
    for (part, value) in [(0.0, -most), (0.5, 0.0), (1.0, most)] {
        tiles.text((x + 202.0 * part, y + 24.0), &format!("{value:.2}"), SMALL);
    }
}

fn colour(weight: f32, most: f64) -> [u8; 3] {
    let [below, zero, above] = COLOURS;
    let part = f64::from(weight) / most;
    between(zero, if part < 0.0 { below } else { above }, part.abs())
}

/// The magnitude that so many weights are within.
fn quantile(weights: &[f32], share: f64) -> f64 {
    let mut sizes: Vec<f32> = weights.iter().map(|weight| weight.abs()).collect();
    let at = ((sizes.len() - 1) as f64 * share) as usize;
    let size = *sizes.select_nth_unstable_by(at, f32::total_cmp).1;
    f64::from(size).max(f64::MIN_POSITIVE)
}
