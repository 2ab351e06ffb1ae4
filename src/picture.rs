//! Turns any picture of a digit into what the models are trained on: 28 by 28 pixels, prepared as
//! MNIST was.
//!
//! MNIST's digits were "size normalized to fit in a 20x20 pixel box while preserving their aspect
//! ratio", with grey levels from anti-aliasing, and "centered in a 28x28 image by computing the center
//! of mass of the pixels, and translating the image so as to position this point at the center"
//! (LeCun, Cortes and Burges, The MNIST database of handwritten digits, 1998). [`prepare`] does the
//! same with any picture, in separate steps. It finds out what the [paper] would look like without
//! ink, how much [ink] is on it, and which [strokes] are the digit, and then puts the digit into
//! its [field].
//!
//! Several digits in a row are read one by one, and a frame around them is removed. The module
//! knows no model and no data set.

pub mod field;
mod frame;
mod grid;
pub mod ink;
pub mod paper;
pub mod parts;
mod read;
mod row;
pub mod strokes;

use image::{ImageBuffer, Luma, Rgb32FImage, imageops};

pub use self::read::{parse, read};
use self::{
    field::SIDE,
    grid::Around,
    parts::{Part, parts},
    strokes::Strokes,
};

/// One number a pixel, from 0 to 1.
pub type Plane = ImageBuffer<Luma<f32>, Vec<f32>>;

/// The longest side of a picture that is looked at in full.
const LONGEST: u32 = 500;
/// What is wider than this, by the digit's longer side, is no stroke of a pen.
const WIDEST: f32 = 0.22;
/// Frames within each other that are taken off.
const FRAMES: usize = 3;
/// What is beside a frame matters if it is this high, by the height of the digits.
const BESIDE: f32 = 0.5;
/// Shares of the level of the ink that the line of a frame has: it may be thinner than a stroke.
const FAINT: [f32; 2] = [0.12, 0.35];

/// A digit as the models know it: white on black, row after row, from 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Digit(pub [f32; SIDE * SIDE]);

/// What keeps digits from being found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// There is nothing but paper, or nothing more than noise.
    #[error("no digit found: nothing on it stands out from its background")]
    Nothing,
    /// Not all is in one line.
    #[error("it has more than one line of digits: cut it into single lines")]
    Lines,
    /// Something is as wide as several digits.
    #[error("it has a shape that is wider than a digit: digits that touch, or no digit at all")]
    Wide,
    /// Strokes are so near each other that they may be of one digit or of two.
    #[error(
        "two strokes are so near that they may be one digit or two: leave more space between digits"
    )]
    Halves,
    /// There are too many.
    #[error("it has more than ten digits: cut it into smaller pictures")]
    Many,
    /// There is something in a frame, and something else.
    #[error("it has a digit in a frame and something beside the frame: cut out what is to be read")]
    Beside,
}

/// The digit of a picture that is taken to show one, without the frame that it is in; none where there
/// is nothing on the paper. A picture that has been prepared already comes back as it is.
pub fn prepare(picture: &Rgb32FImage) -> Option<Digit> {
    let one: Finder = |planes| Ok(vec![strokes::digit(planes).ok_or(Obstacle::Nothing)?]);
    all(picture, one).ok().filter(|digits| digits.len() == 1)?.pop()
}

/// The digits that `picture` shows, from left to right, without the frames that they are in. A picture
/// of a digit that has been prepared already comes back as it is.
///
/// # Errors
/// What stands in the way.
pub fn digits(picture: &Rgb32FImage) -> Result<Vec<Digit>, Obstacle> {
    all(picture, strokes::digits)
}

/// Finds what is on the paper in its ink.
type Finder = fn(&[Plane; 2]) -> Result<Vec<Strokes>, Obstacle>;

fn all(picture: &Rgb32FImage, finder: Finder) -> Result<Vec<Digit>, Obstacle> {
    if let Some(digit) = field::prepared(picture) {
        return Ok(vec![digit]);
    }
    let found = find(&within(picture, LONGEST), FRAMES, finder)?;
    found.iter().map(|strokes| field::place(&strokes.ink).ok_or(Obstacle::Nothing)).collect()
}

/// The digits within so many frames.
fn find(picture: &Rgb32FImage, frames: usize, finder: Finder) -> Result<Vec<Strokes>, Obstacle> {
    let found = upon(picture, &paper::surface(picture), frames, finder)?;
    let [wide] = &found[..] else { return Ok(found) };
    if wide.width <= WIDEST {
        return Ok(found);
    }
    let other = if wide.at_edge {
        // A shadow with an edge, maybe.
        upon(picture, &paper::local(picture), frames, finder)
    } else {
        // A sheet of paper on a table, maybe.
        let sheet = inside(picture, wide.around);
        upon(&sheet, &paper::surface(&sheet), frames, finder)
    };
    let thin = |digits: &Vec<Strokes>| digits.iter().all(|digit| digit.width <= WIDEST);
    Ok(other.ok().filter(thin).unwrap_or(found))
}

/// The digits on `paper`.
fn upon(
    picture: &Rgb32FImage,
    paper: &Rgb32FImage,
    frames: usize,
    finder: Finder,
) -> Result<Vec<Strokes>, Obstacle> {
    let planes = ink::ink(picture, paper).ok_or(Obstacle::Nothing)?;
    if frames > 0
        && let Some(digits) = framed(picture, paper, &planes[1], frames - 1, finder)?
    {
        return Ok(digits);
    }
    finder(&planes)
}

/// The digits in frames; none where there is no frame with something in it.
fn framed(
    picture: &Rgb32FImage,
    paper: &Rgb32FImage,
    ink: &Plane,
    more: usize,
    finder: Finder,
) -> Result<Option<Vec<Strokes>>, Obstacle> {
    for share in FAINT {
        let Some(threshold) = strokes::above(ink, share) else { continue };
        let parts = parts(ink, threshold);
        let (mut places, frames) = frame::inside(&parts);
        places.sort_by_key(|place| place.around[0] + place.around[2]);
        let mut digits = Vec::new();
        for place in &places {
            match find(&alone(picture, paper, place), more, finder) {
                Ok(found) => digits.extend(found),
                // There may be an empty box among others.
                Err(Obstacle::Nothing) => {}
                Err(obstacle) => return Err(obstacle),
            }
        }
        if !digits.is_empty() {
            let tallest = digits.iter().map(|digit| grid::height(digit.around)).fold(0.0, f32::max);
            let beside = |part: &Part| {
                let within = |frame: &Around| grid::union(*frame, part.around) == *frame;
                grid::height(part.around) > BESIDE * tallest
                    && !strokes::at_edge(part.around, ink.dimensions())
                    && !frames.iter().any(within)
            };
            if parts.iter().any(beside) {
                return Err(Obstacle::Beside);
            }
            return Ok(Some(digits));
        }
    }
    Ok(None)
}

/// What is in a frame, and paper where the frame was.
fn alone(picture: &Rgb32FImage, paper: &Rgb32FImage, place: &frame::Inside) -> Rgb32FImage {
    let [left, top, ..] = place.around;
    Rgb32FImage::from_fn(place.free.width as u32, place.free.height as u32, |x, y| {
        let from = if place.free.at(x as usize, y as usize) { picture } else { paper };
        *from.get_pixel(left + x, top + y)
    })
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
