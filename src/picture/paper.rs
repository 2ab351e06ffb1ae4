//! What the paper would look like without ink: as a surface of second degree in each colour, so that
//! uneven light is part of the paper and not ink; or as what is around each place, where there is an
//! edge in the paper itself, as that of a shadow or of a sheet on a table.

use image::{
    Rgb, Rgb32FImage,
    imageops::{self, FilterType},
};

use super::within;
use crate::statistics;

/// The longest side that paper is looked for on.
const LONGEST: u32 = 128;
/// 1, x, y, x^2, xy, y^2.
const TERMS: usize = 6;
/// Colours this near are always of the paper, each from 0 to 1.
const NEAR: f64 = 0.04;
/// So many times the median distance from the paper is no paper any more.
const FAR: f64 = 3.0;
/// How often a surface is fitted again to what is near it.
const ROUNDS: usize = 12;
/// Pixels around a place that are asked for its paper, to each side; and every how many.
const AROUND: u32 = 18;
const STEP: usize = 2;

/// The paper under a picture: what its edge shows, and what goes on from it inwards without a step.
pub fn surface(picture: &Rgb32FImage) -> Rgb32FImage {
    let surface = Surface::under(&within(picture, LONGEST));
    let (width, height) = picture.dimensions();
    Rgb32FImage::from_fn(width, height, |x, y| {
        let colour = surface.colour(&terms(place(x, width), place(y, height)));
        Rgb(colour.map(|value| value as f32))
    })
}

/// The paper under a picture: at each place the median of what is around, which is paper as long as
/// that is wider than two strokes, and has a step where the paper has one.
pub fn local(picture: &Rgb32FImage) -> Rgb32FImage {
    let small = within(picture, LONGEST);
    let (width, height) = small.dimensions();
    let near = |at: u32, length: u32| at.saturating_sub(AROUND)..(at + AROUND + 1).min(length);
    let paper = Rgb32FImage::from_fn(width, height, |x, y| {
        Rgb([0, 1, 2].map(|channel| {
            let rows = near(y, height).step_by(STEP);
            let places = rows.flat_map(|y| near(x, width).step_by(STEP).map(move |x| (x, y)));
            let values = places.map(|(x, y)| f64::from(small.get_pixel(x, y).0[channel]));
            median(values.collect()) as f32
        }))
    });
    imageops::resize(&paper, picture.width(), picture.height(), FilterType::Triangle)
}

/// A surface of second degree, for red, green and blue.
#[derive(Debug)]
struct Surface {
    coefficients: [[f64; 3]; TERMS],
}

/// A pixel: the terms at its place, and its colour.
#[derive(Debug, Clone)]
struct Sample {
    terms: [f64; TERMS],
    colour: [f64; 3],
}

impl Surface {
    fn under(picture: &Rgb32FImage) -> Self {
        let (width, height) = picture.dimensions();
        let edge = (width.min(height) / 16).max(1);
        let (mut all, mut border) = (Vec::new(), Vec::new());
        for (x, y, pixel) in picture.enumerate_pixels() {
            let terms = terms(place(x, width), place(y, height));
            let sample = Sample { terms, colour: pixel.0.map(f64::from) };
            if x < edge || y < edge || x >= width - edge || y >= height - edge {
                border.push(sample.clone());
            }
            all.push(sample);
        }
        let mut surface = Self { coefficients: [[0.0; 3]; TERMS] };
        for channel in 0..3 {
            let colours = border.iter().map(|sample| sample.colour[channel]);
            surface.coefficients[0][channel] = median(colours.collect());
        }
        let mut far = f64::INFINITY;
        for (samples, terms) in [(&border, 1), (&border, 3), (&all, TERMS)] {
            for _ in 0..ROUNDS {
                let away = samples.iter().map(|sample| surface.away(sample));
                far = (FAR * median(away.filter(|away| *away < far).collect())).max(NEAR);
                surface = surface.fitted(samples, terms, far);
            }
        }
        surface
    }

    fn colour(&self, terms: &[f64; TERMS]) -> [f64; 3] {
        let mut colour = [0.0; 3];
        for (term, coefficients) in terms.iter().zip(&self.coefficients) {
            for (value, coefficient) in colour.iter_mut().zip(coefficients) {
                *value += term * coefficient;
            }
        }
        colour
    }

    /// How far a pixel's colour is from the paper's.
    fn away(&self, sample: &Sample) -> f64 {
        let paper = self.colour(&sample.terms);
        let squares =
            sample.colour.iter().zip(paper).map(|(colour, paper)| (colour - paper).powi(2));
        squares.sum::<f64>().sqrt()
    }

    /// The surface of so many terms with the least squares over samples that this one is near to;
    /// Tukey's biweight says how much each of them counts.
    fn fitted(&self, samples: &[Sample], terms: usize, far: f64) -> Self {
        // [A^T A | A^T b], a row a term; what is added to the diagonal decides where nothing else does.
        let mut rows = [[0.0; TERMS + 3]; TERMS];
        for (term, row) in rows.iter_mut().enumerate() {
            row[term] = 1e-9 * samples.len() as f64;
        }
        for sample in samples {
            let weight = (1.0 - (self.away(sample) / far).powi(2)).max(0.0).powi(2);
            for (row, term) in rows.iter_mut().zip(&sample.terms[..terms]) {
                let others = sample.terms[..terms].iter().enumerate();
                others.for_each(|(at, other)| row[at] += weight * term * other);
                let colours = sample.colour.iter().enumerate();
                colours.for_each(|(at, colour)| row[TERMS + at] += weight * term * colour);
            }
        }
        // Gauss and Jordan; a sum of squares needs no pivots.
        for pivot in 0..TERMS {
            let scale = 1.0 / rows[pivot][pivot];
            rows[pivot].iter_mut().for_each(|value| *value *= scale);
            let with = rows[pivot];
            for (at, row) in rows.iter_mut().enumerate().filter(|(at, _)| *at != pivot) {
                let factor = if at == pivot { 0.0 } else { row[pivot] };
                row.iter_mut().zip(with).for_each(|(value, with)| *value -= factor * with);
            }
        }
        Self { coefficients: rows.map(|row| [row[TERMS], row[TERMS + 1], row[TERMS + 2]]) }
    }
}

/// From -1 to 1.
fn place(at: u32, length: u32) -> f64 {
    (2.0 * f64::from(at) + 1.0) / f64::from(length) - 1.0
}

fn terms(x: f64, y: f64) -> [f64; TERMS] {
    [1.0, x, y, x * x, x * y, y * y]
}

/// Of none, 0.
fn median(values: Vec<f64>) -> f64 {
    statistics::median(values).unwrap_or(0.0)
}
