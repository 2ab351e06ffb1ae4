//! Digits drawn here, with a round pen along lines and arcs: nothing of them comes from MNIST.

use std::f32::consts::TAU;

use image::{Rgb, RgbImage};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

type Point = (f32, f32);

/// How a digit is drawn.
#[derive(Debug, Clone)]
pub(crate) struct Drawing {
    pub(crate) digit: usize,
    /// Width and height of the picture, in pixels.
    pub(crate) size: (u32, u32),
    /// The middle of the digit, as a share of the picture.
    pub(crate) at: Point,
    /// Height of the digit, as a share of that of the picture.
    pub(crate) tall: f32,
    /// Width of the digit by its height.
    pub(crate) wide: f32,
    /// Width of the pen by the height of the digit.
    pub(crate) pen: f32,
    /// How far the digit leans to the right, by its height, and is turned, in degrees.
    pub(crate) slant: f32,
    pub(crate) turn: f32,
    pub(crate) ink: [u8; 3],
    pub(crate) paper: [u8; 3],
    /// How much darker it gets from left to right, and from top to bottom, from 0 to 1.
    pub(crate) shade: Point,
    /// Standard deviation of the noise, of 255.
    pub(crate) noise: f32,
    /// How unsteady the hand is, by the height of the digit; and which hand.
    pub(crate) wobble: f32,
    pub(crate) seed: u64,
}

impl Drawing {
    /// Black on white, 200 by 200 pixels, in the middle.
    pub(crate) fn plain(digit: usize) -> Self {
        Self {
            digit,
            size: (200, 200),
            at: (0.5, 0.5),
            tall: 0.6,
            wide: 0.62,
            pen: 0.1,
            slant: 0.0,
            turn: 0.0,
            ink: [0; 3],
            paper: [255; 3],
            shade: (0.0, 0.0),
            noise: 0.0,
            wobble: 0.0,
            seed: 0,
        }
    }

    /// The picture.
    pub(crate) fn draw(&self) -> RgbImage {
        let (width, height) = (self.size.0 as f32, self.size.1 as f32);
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let wobbles: [f32; 4] = [0.0; 4].map(|_: f32| TAU * rng.random::<f32>());
        let tall = self.tall * height;
        let (sin, cos) = self.turn.to_radians().sin_cos();
        let place = |(x, y): Point| {
            // From the middle, y upwards from here on.
            let (x, y) = (x - 0.5, 0.5 - y);
            let waves = |at: f32, phase: usize| {
                (4.0 * at + wobbles[phase]).sin() + 0.5 * (7.0 * at + wobbles[phase + 1]).sin()
            };
            let (x, y) = (x + self.wobble * waves(y, 0), y + self.wobble * waves(x, 2));
            let x = self.wide * x + self.slant * y;
            let (x, y) = (cos * x + sin * y, cos * y - sin * x);
            (self.at.0 * width + tall * x, self.at.1 * height - tall * y)
        };
        let strokes: Vec<Vec<Point>> =
            strokes(self.digit).iter().map(|s| s.iter().copied().map(place).collect()).collect();
        let radius = self.pen * tall / 2.0;
        RgbImage::from_fn(self.size.0, self.size.1, |x, y| {
            let at = (x as f32 + 0.5, y as f32 + 0.5);
            let pairs = strokes.iter().flat_map(|stroke| stroke.windows(2));
            let away = pairs.map(|pair| distance(at, pair[0], pair[1])).fold(f32::MAX, f32::min);
            let ink = (radius - away + 0.5).clamp(0.0, 1.0);
            let light = 1.0 - self.shade.0 * at.0 / width - self.shade.1 * at.1 / height;
            let mut pixel = [0; 3];
            for (channel, value) in pixel.iter_mut().enumerate() {
                let (ink_colour, paper) = (self.ink[channel], self.paper[channel]);
                let colour = ink * f32::from(ink_colour) + (1.0 - ink) * f32::from(paper);
                // The sum of three numbers from -1 to 1 has variance 1.
                let mut one = || 2.0 * rng.random::<f32>() - 1.0;
                let noise = if self.noise > 0.0 { one() + one() + one() } else { 0.0 };
                *value = (light * colour + self.noise * noise).round().clamp(0.0, 255.0) as u8;
            }
            Rgb(pixel)
        })
    }
}

/// How far `at` is from the line between two points.
fn distance(at: Point, from: Point, to: Point) -> f32 {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let square = dx * dx + dy * dy;
    let along = ((at.0 - from.0) * dx + (at.1 - from.1) * dy) / square.max(1e-9);
    let along = along.clamp(0.0, 1.0);
    (at.0 - from.0 - along * dx).hypot(at.1 - from.1 - along * dy)
}

/// An arc around `centre` with two radii, from one angle to another, in degrees clockwise from the
/// right.
fn arc(centre: Point, radii: Point, from: f32, to: f32) -> Vec<Point> {
    let angle = |step: u8| (from + (to - from) * f32::from(step) / 24.0).to_radians();
    let place = |angle: f32| (centre.0 + radii.0 * angle.cos(), centre.1 + radii.1 * angle.sin());
    (0..=24).map(|step| place(angle(step))).collect()
}

/// The strokes of a digit in a box from 0 to 1, y downwards.
fn strokes(digit: usize) -> Vec<Vec<Point>> {
    let join = |parts: &[Vec<Point>]| vec![parts.concat()];
    match digit {
        0 => vec![arc((0.5, 0.5), (0.5, 0.5), 0.0, 360.0)],
        1 => vec![vec![(0.3, 0.22), (0.52, 0.0), (0.52, 1.0)]],
        2 => join(&[arc((0.5, 0.28), (0.44, 0.28), 190.0, 390.0), vec![(0.04, 1.0), (1.0, 1.0)]]),
        3 => join(&[
            arc((0.45, 0.25), (0.42, 0.25), 200.0, 450.0),
            arc((0.45, 0.74), (0.5, 0.26), 270.0, 510.0),
        ]),
        4 => vec![vec![(0.62, 0.0), (0.0, 0.66), (1.0, 0.66)], vec![(0.72, 0.3), (0.72, 1.0)]],
        5 => vec![
            [vec![(0.2, 0.0), (0.14, 0.44)], arc((0.44, 0.69), (0.48, 0.31), 232.0, 510.0)]
                .concat(),
            vec![(0.2, 0.0), (0.9, 0.0)],
        ],
        6 => join(&[
            vec![(0.72, 0.0), (0.32, 0.28), (0.08, 0.6)],
            arc((0.5, 0.71), (0.44, 0.29), 180.0, -190.0),
        ]),
        7 => vec![vec![(0.0, 0.02), (0.96, 0.0), (0.36, 1.0)]],
        8 => vec![
            arc((0.5, 0.25), (0.38, 0.25), 0.0, 360.0),
            arc((0.5, 0.75), (0.47, 0.25), 0.0, 360.0),
        ],
        9 => join(&[
            arc((0.48, 0.29), (0.42, 0.29), 0.0, -360.0),
            vec![(0.9, 0.29), (0.86, 0.6), (0.7, 1.0)],
        ]),
        _ => panic!("{digit} is no digit"),
    }
}
