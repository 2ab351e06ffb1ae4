//! From any picture of a digit to what the models know: 28 by 28 pixels, prepared as MNIST was.
//!
//! MNIST's digits were "size normalized to fit in a 20x20 pixel box while preserving their aspect
//! ratio", with grey levels from anti-aliasing, and "centered in a 28x28 image by computing the center
//! of mass of the pixels, and translating the image so as to position this point at the center"
//! (LeCun, Cortes and Burges, The MNIST database of handwritten digits, 1998). [`prepare`] does so with
//! any picture, in steps that know nothing of each other: what the [paper] would be without ink,
//! how much [ink] there is on it, which of its [strokes] are the digit, and the digit in its [field].
//!
//! Knows no model and no data set, and takes a picture to show one digit.

pub mod field;
pub mod ink;
pub mod paper;
mod read;
pub mod strokes;

use image::{ImageBuffer, Luma, Rgb32FImage, imageops};

pub use self::read::{parse, read};
use self::{field::SIDE, strokes::Strokes};

/// One number a pixel, from 0 to 1.
pub type Plane = ImageBuffer<Luma<f32>, Vec<f32>>;

/// The longest side of a picture that is looked at in full.
const LONGEST: u32 = 500;
/// What is wider than this, by the digit's longer side, is no stroke of a pen.
const WIDEST: f32 = 0.22;

/// A digit as the models know it: white on black, row after row, from 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Digit(pub [f32; SIDE * SIDE]);

/// The digit that `picture` shows; none where there is nothing on the paper. A picture that has been
/// prepared already comes back as it is.
pub fn prepare(picture: &Rgb32FImage) -> Option<Digit> {
    if let Some(digit) = field::prepared(picture) {
        return Some(digit);
    }
    let picture = within(picture, LONGEST);
    let mut digit = digit(&picture, &paper::surface(&picture))?;
    if digit.width > WIDEST {
        let other = if digit.at_edge {
            // A shadow with an edge, maybe.
            self::digit(&picture, &paper::local(&picture))
        } else {
            // A sheet of paper on a table, maybe.
            let sheet = inside(&picture, digit.around);
            self::digit(&sheet, &paper::surface(&sheet))
        };
        digit = other.filter(|other| other.width <= WIDEST).unwrap_or(digit);
    }
    field::place(&digit.ink)
}

fn digit(picture: &Rgb32FImage, paper: &Rgb32FImage) -> Option<Strokes> {
    strokes::digit(&ink::ink(picture, paper)?)
}

/// What is well inside a box, which may be a little turned.
fn inside(picture: &Rgb32FImage, [left, top, right, bottom]: [u32; 4]) -> Rgb32FImage {
    let (width, height) = (right - left + 1, bottom - top + 1);
    let (x, y) = (left + width / 8, top + height / 8);
    imageops::crop_imm(picture, x, y, width - width / 4, height - height / 4).to_image()
}

/// `picture`, made smaller where a side is longer than `longest`.
fn within(picture: &Rgb32FImage, longest: u32) -> Rgb32FImage {
    let (width, height) = picture.dimensions();
    let side = width.max(height);
    if side <= longest {
        return picture.clone();
    }
    let scaled = |length: u32| {
        let length = f64::from(length) * f64::from(longest) / f64::from(side);
        (length.round() as u32).max(1)
    };
    imageops::resize(picture, scaled(width), scaled(height), imageops::FilterType::Triangle)
}

/// `plane` without what is finer than `sigma` pixels.
fn smooth(plane: &Plane, sigma: f32) -> Plane {
    if sigma < 0.3 { plane.clone() } else { imageops::blur(plane, sigma) }
}
