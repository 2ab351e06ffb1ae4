//! Which ink is the digit: strokes that hang together or are near each other, without the noise of
//! the paper, specks, and what comes in from the edge.

use std::slice;

use image::{Luma, imageops};

use super::{
    Obstacle, Plane,
    field::stroke_width,
    grid::{Around, gap, union},
    ink::{FAINTEST, grain, level},
    parts::{Part, parts},
    row,
};

/// So many times the noise of the paper is ink.
const ABOVE_NOISE: f32 = 5.0;
/// Of the level of the ink, what is still a stroke.
const STROKE: f32 = 0.35;
/// What reaches the edge counts this much.
const AT_EDGE: f64 = 0.2;
/// A part has at least this share of the ink of the largest.
const SMALLEST_PART: f64 = 0.02;
/// A part is within this share of the size of the largest.
const NEAR: f32 = 0.35;
/// A digit has at least this share of all ink that does not come in from the edge; noise has none
/// that stands out.
const STANDS_OUT: f64 = 0.3;
/// The least height or width of a digit, in pixels.
const SMALLEST: u32 = 5;
/// Digits in a row have at least this share of the ink.
const ROW_STANDS_OUT: f64 = 0.6;
/// What is wider than this, by its longer side, is no digit of a row but a dot.
const DOT: f32 = 0.35;
/// More parts than this are no row of digits.
const MOST_PARTS: usize = 60;

/// The digit on the paper.
#[derive(Debug, Clone, PartialEq)]
pub struct Strokes {
    /// Its ink alone, with a margin around it.
    pub ink: Plane,
    /// How wide its strokes are, by its longer side.
    pub width: f32,
    /// Left, top, right and bottom in the picture; all are inside.
    pub around: [u32; 4],
    /// Whether it reaches the edge of the picture.
    pub at_edge: bool,
}

/// The digit, from the ink as it is and without what is finer than strokes; none where there is no
/// stroke.
pub fn digit(planes: &[Plane; 2]) -> Option<Strokes> {
    let size = planes[1].dimensions();
    let parts = parts(&planes[1], threshold(&planes[1])?);
    let within = parts.iter().filter(|part| !at_edge(part.around, size));
    let (all, digit) = (ink_of(within), together(parts.clone(), size));
    if ink_of(&digit) < STANDS_OUT * all { None } else { cut(planes, &digit) }
}

/// The digits, from left to right, as [`digit()`] finds one.
///
/// # Errors
/// What stands in the way, if only that there is no stroke.
pub fn digits(planes: &[Plane; 2]) -> Result<Vec<Strokes>, Obstacle> {
    let size = planes[1].dimensions();
    let one = || digit(planes).map(|digit| vec![digit]).ok_or(Obstacle::Nothing);
    let parts = parts(&planes[1], threshold(&planes[1]).ok_or(Obstacle::Nothing)?);
    let Some(main) = main(&parts, size) else { return one() };
    let edge = at_edge(main.around, size);
    let counts = |part: &&Part| {
        part.ink >= SMALLEST_PART * main.ink && (edge || !at_edge(part.around, size))
    };
    let counting: Vec<&Part> = parts.iter().filter(counts).collect();
    if counting.len() > MOST_PARTS {
        return one();
    }
    let pen = stroke_width(&mask(slice::from_ref(main), main.around)).max(1.0);
    let row = row::digits(&counting, pen)?;
    if row.len() < 2 {
        return one();
    }
    let all = ink_of(parts.iter().filter(|part| edge || !at_edge(part.around, size)));
    if ink_of(row.iter().flatten()) < ROW_STANDS_OUT * all {
        return Err(Obstacle::Nothing);
    }
    let cut = row.iter().map(|parts| cut(planes, parts).filter(|digit| digit.width < DOT));
    cut.collect::<Option<_>>().ok_or(Obstacle::Nothing)
}

/// The ink of some parts alone; none where they are too small.
fn cut([ink, _]: &[Plane; 2], digit: &[Part]) -> Option<Strokes> {
    let (width, height) = ink.dimensions();
    let around = digit.iter().map(|part| part.around).reduce(union)?;
    let longest = (around[2] - around[0]).max(around[3] - around[1]) + 1;
    if longest < SMALLEST {
        return None;
    }
    let [left, top, right, bottom] = around;
    let stroke_width = stroke_width(&mask(digit, around)) / longest as f32;
    // The ink of the digit ends a little outside of where the smoothed ink falls below the threshold.
    let margin = 1 + (2.0 * grain(width, height)).ceil() as u32;
    let mut own = vec![false; (width * height) as usize];
    for &(x, y) in digit.iter().flat_map(|part| &part.places) {
        for y in y.saturating_sub(margin)..=(y + margin).min(height - 1) {
            let row = (y * width) as usize;
            let (from, to) = (x.saturating_sub(margin), (x + margin).min(width - 1));
            own[row + from as usize..=row + to as usize].fill(true);
        }
    }
    let alone = Plane::from_fn(width, height, |x, y| {
        let own = own[(y * width + x) as usize];
        if own { *ink.get_pixel(x, y) } else { Luma([0.0]) }
    });
    // At the edge there is none, so that a margin has to be made.
    let mut whole = Plane::new(right - left + 1 + 2 * margin, bottom - top + 1 + 2 * margin);
    let offset = |start: u32| i64::from(margin) - i64::from(start);
    imageops::replace(&mut whole, &alone, offset(left), offset(top));
    let at_edge = at_edge(around, (width, height));
    Some(Strokes { ink: whole, width: stroke_width, around, at_edge })
}

/// Some parts that lie in a box, as a plane of their own.
fn mask(parts: &[Part], [left, top, right, bottom]: Around) -> Plane {
    let mut mask = Plane::new(right - left + 1, bottom - top + 1);
    let places = parts.iter().flat_map(|part| &part.places);
    places.for_each(|&(x, y)| mask.put_pixel(x - left, y - top, Luma([1.0])));
    mask
}

/// What is ink, and not noise of the paper; none where there is none.
pub fn threshold(ink: &Plane) -> Option<f32> {
    above(ink, STROKE)
}

/// What is ink, as [`threshold`] has it, even where there is only this share of its level.
pub(super) fn above(ink: &Plane, share: f32) -> Option<f32> {
    let mut values: Vec<f32> = ink.pixels().map(|pixel| pixel.0[0]).collect();
    let paper = level(values.iter().copied()) / 2.0;
    // Ink is nowhere less than nothing, so that half of the paper has none: of noise with a normal
    // distribution the third quartile is what the median of its magnitude is.
    let mut noise: Vec<f32> = values.iter().copied().filter(|value| *value <= paper).collect();
    if noise.is_empty() {
        return None;
    }
    let quartile = 3 * noise.len() / 4;
    let noise = *noise.select_nth_unstable_by(quartile, f32::total_cmp).1 / 0.6745;
    let least = (ABOVE_NOISE * noise).max(FAINTEST / 2.0);
    values.retain(|value| *value > least);
    let level = level(values.into_iter());
    (level > FAINTEST).then(|| least.max(share * level))
}

/// The part with most ink, where the edge makes doubtful, and those that belong to it.
pub fn together(parts: Vec<Part>, size: (u32, u32)) -> Vec<Part> {
    let at_edge = |part: &Part| at_edge(part.around, size);
    let main = main(&parts, size);
    let edge = main.is_some_and(at_edge);
    let Some(Part { ink, around, .. }) = main.cloned() else { return parts };
    let reach = NEAR * (around[2] - around[0]).max(around[3] - around[1]) as f32;
    let belongs = |part: &Part| {
        part.ink >= SMALLEST_PART * ink
            && gap(part.around, around) <= reach
            && (edge || !at_edge(part))
    };
    parts.into_iter().filter(belongs).collect()
}

/// The part with most ink, where the edge makes doubtful.
fn main(parts: &[Part], size: (u32, u32)) -> Option<&Part> {
    let weight = |part: &Part| part.ink * if at_edge(part.around, size) { AT_EDGE } else { 1.0 };
    parts.iter().max_by(|a, b| weight(a).total_cmp(&weight(b)))
}

fn ink_of<'a>(parts: impl IntoIterator<Item = &'a Part>) -> f64 {
    parts.into_iter().map(|part| part.ink).sum()
}

pub(super) fn at_edge([left, top, right, bottom]: [u32; 4], (width, height): (u32, u32)) -> bool {
    left == 0 || top == 0 || right + 1 == width || bottom + 1 == height
}
