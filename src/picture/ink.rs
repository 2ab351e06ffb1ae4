//! How much ink there is on the paper, whatever the colours of both.

use image::{Rgb, Rgb32FImage, imageops};

use super::Plane;

/// The least contrast between ink and paper, of 1 for black on white.
pub const FAINTEST: f32 = 0.06;
/// Pixels of the longest side to which a stroke's width is one.
const FINENESS: f32 = 300.0;

/// How far each pixel is from the paper towards the colour of the ink, where 1 is from white to black:
/// in the picture as it is, and without what is finer than strokes. None where nothing differs from the
/// paper.
pub fn ink(picture: &Rgb32FImage, paper: &Rgb32FImage) -> Option<[Plane; 2]> {
    let (width, height) = picture.dimensions();
    let grain = grain(width, height);
    let smoothed = if grain < 0.3 { picture.clone() } else { imageops::blur(picture, grain) };
    // The ink is what differs most, and its colour that of the half that differs more.
    let most = differences(&smoothed, paper).map(length).fold(0.0, f32::max);
    if most < FAINTEST {
        return None;
    }
    let mut colour = [0.0; 3];
    for difference in differences(&smoothed, paper).filter(|one| length(*one) > most / 2.0) {
        colour.iter_mut().zip(difference).for_each(|(sum, value)| *sum += value);
    }
    let whole = length(colour);
    if whole == 0.0 {
        return None;
    }
    let towards = |of: [f32; 3]| of.iter().zip(colour).map(|(a, b)| a * b / whole).sum::<f32>();
    let plane = |picture| {
        let ink = differences(picture, paper).map(|one| towards(one).clamp(0.0, 1.0));
        Plane::from_raw(width, height, ink.collect()).expect("there is a number a pixel")
    };
    Some([picture, &smoothed].map(plane))
}

/// How far each pixel is from the paper, by colour.
fn differences(picture: &Rgb32FImage, paper: &Rgb32FImage) -> impl Iterator<Item = [f32; 3]> {
    let pairs = picture.pixels().zip(paper.pixels());
    pairs.map(|(Rgb(picture), Rgb(paper))| {
        [0, 1, 2].map(|channel| (picture[channel] - paper[channel]) / 3_f32.sqrt())
    })
}

fn length(of: [f32; 3]) -> f32 {
    of.iter().map(|value| value * value).sum::<f32>().sqrt()
}

/// The standard deviation of the blur that takes grain and noise away, but no strokes, in pixels.
pub(super) fn grain(width: u32, height: u32) -> f32 {
    width.max(height) as f32 / FINENESS
}

/// The level of the ink: its mean, where more of it counts more.
pub(super) fn level(ink: impl Iterator<Item = f32>) -> f32 {
    let (cubes, squares) = ink.fold((0.0, 0.0), |(cubes, squares), ink| {
        let ink = f64::from(ink);
        (cubes + ink.powi(3), squares + ink.powi(2))
    });
    if squares > 0.0 { (cubes / squares) as f32 } else { 0.0 }
}
