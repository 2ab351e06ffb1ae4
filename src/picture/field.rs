//! The digit in its field, as MNIST has it: fitted into 20 by 20 pixels, with strokes as wide as those
//! of pens are there, and its centre of mass in the middle of 28 by 28.

use image::{
    Luma, Rgb32FImage,
    imageops::{self, FilterType},
};

use super::{
    Digit, Plane,
    grid::{Around, union},
    ink::level,
    smooth,
};

/// Pixels of a side of the field.
pub const SIDE: usize = 28;
/// Pixels of a side of the box that a digit is fitted into.
const BOX: u32 = 20;
/// Pixels of the working size a pixel of the field.
const FINE: u32 = 6;
/// The longest side of what is enlarged, in working sizes: of a line so faint that a speck on it is
/// all that counts, no more is made than this.
const LARGEST: u32 = 4;
/// How wide the strokes of MNIST are, in pixels of the field: all but a few, and half of them.
const WIDTHS: [f32; 2] = [1.7, 4.4];
const USUAL_WIDTH: f32 = 2.3;
/// Where the centre of mass goes, in pixels from the left upper corner: in MNIST it is pixel 14, as
/// counted from 0.
const CENTRE: f32 = 14.5;
/// Where ink begins, and where there is all of it, as a share of its level.
const GREYS: [f32; 2] = [0.2, 0.85];

/// A picture that is a prepared digit already: 28 by 28, grey on black, in the middle.
pub fn prepared(picture: &Rgb32FImage) -> Option<Digit> {
    let side = SIDE as u32;
    if picture.dimensions() != (side, side) {
        return None;
    }
    let grey = picture.pixels().all(|pixel| pixel.0.iter().all(|value| *value == pixel.0[0]));
    let plane = Plane::from_fn(side, side, |x, y| Luma([picture.get_pixel(x, y).0[0]]));
    let [left, top, right, bottom] = around(&plane, 0.0)?;
    let fits = right - left < BOX && bottom - top < BOX;
    let fills = (right - left).max(bottom - top) + 3 > BOX;
    let centred = centre(&plane).iter().all(|at| (at - CENTRE).abs() <= 1.0);
    (grey && fits && fills && centred).then(|| digit(&plane))
}

/// Places the ink of a digit; none if there is none.
pub fn place(ink: &Plane) -> Option<Digit> {
    let fine = pen(&levelled(&enlarged(ink)?));
    let [left, top, right, bottom] = around(&fine, 0.3)?;
    let (width, height) = (right - left + 1, bottom - top + 1);
    let cut = imageops::crop_imm(&fine, left, top, width, height).to_image();
    let longest = width.max(height) as f32;
    let fit = |length: u32| ((BOX * length) as f32 / longest).round().max(1.0) as u32;
    let small = imageops::resize(&cut, fit(width), fit(height), FilterType::Triangle);
    let [x, y] = centre(&small);
    let side = SIDE as i64;
    let shift = |centre: f32, length: u32| {
        ((CENTRE - centre).round() as i64).clamp(0, side - i64::from(length))
    };
    let mut field = Plane::new(SIDE as u32, SIDE as u32);
    imageops::replace(&mut field, &small, shift(x, small.width()), shift(y, small.height()));
    Some(digit(&field))
}

/// The digit with its longer side at the working size, and room around it for wider strokes.
fn enlarged(ink: &Plane) -> Option<Plane> {
    let [left, top, right, bottom] = around(ink, 0.3 * level(ink.pixels().map(|p| p.0[0])))?;
    let longest = (right - left).max(bottom - top) + 1;
    let whole = ink.width().max(ink.height()).div_ceil(LARGEST);
    let factor = (BOX * FINE) as f32 / longest.max(whole) as f32;
    let fit = |length: u32| ((length as f32 * factor).round() as u32).max(1);
    let (width, height) = (fit(ink.width()), fit(ink.height()));
    let filter = if factor > 1.0 { FilterType::CatmullRom } else { FilterType::Triangle };
    let digit = imageops::resize(ink, width, height, filter);
    let room = 2 * FINE;
    let mut whole = Plane::new(width + 2 * room, height + 2 * room);
    imageops::replace(&mut whole, &digit, room.into(), room.into());
    Some(smooth(&whole, 1.0))
}

/// Ink from 0 to 1.
fn levelled(ink: &Plane) -> Plane {
    let level = level(ink.pixels().map(|pixel| pixel.0[0]));
    let [none, all] = GREYS.map(|share| share * level);
    mapped(ink, |ink| ((ink - none) / (all - none)).clamp(0.0, 1.0))
}

/// With strokes that are no wider than those of MNIST, and as usual there where they are thinner.
fn pen(ink: &Plane) -> Plane {
    let width = stroke_width(ink) / FINE as f32;
    let [least, most] = WIDTHS;
    if width < least {
        widened(ink, (USUAL_WIDTH - width) / 2.0 * FINE as f32)
    } else if width > most {
        let paper = mapped(ink, |ink| 1.0 - ink);
        mapped(&widened(&paper, (width - most) / 2.0 * FINE as f32), |paper| 1.0 - paper)
    } else {
        ink.clone()
    }
}

/// The mean width of the strokes, in pixels: four times the mean distance from their edge.
pub fn stroke_width(ink: &Plane) -> f32 {
    let (width, height) = ink.dimensions();
    let at = |x: u32, y: u32| (y * width + x) as usize;
    // The distances by chamfers of 3 and 4 (Borgefors 1986), there and back.
    let mut distance: Vec<u32> =
        ink.pixels().map(|pixel| if pixel.0[0] > 0.5 { u32::MAX / 2 } else { 0 }).collect();
    let mut pass = |x: u32, y: u32, from: [(i64, i64, u32); 4]| {
        let near = from.iter().map(|&(dx, dy, step)| {
            let (x, y) = (i64::from(x) + dx, i64::from(y) + dy);
            let inside = (0..width.into()).contains(&x) && (0..height.into()).contains(&y);
            if inside { distance[at(x as u32, y as u32)] + step } else { step }
        });
        let near = near.min().unwrap_or(0);
        let own = &mut distance[at(x, y)];
        *own = near.min(*own);
    };
    for y in 0..height {
        for x in 0..width {
            pass(x, y, [(-1, 0, 3), (-1, -1, 4), (0, -1, 3), (1, -1, 4)]);
        }
    }
    for y in (0..height).rev() {
        for x in (0..width).rev() {
            pass(x, y, [(1, 0, 3), (1, 1, 4), (0, 1, 3), (-1, 1, 4)]);
        }
    }
    let inside: Vec<f32> =
        distance.into_iter().filter(|far| *far > 0).map(|far| far as f32 / 3.0).collect();
    // From the middle of a pixel to that of the first outside is half a pixel too far.
    let mean = inside.iter().sum::<f32>() / inside.len().max(1) as f32;
    (4.0 * mean - 2.0).max(0.0)
}

/// Wider by `radius` pixels on each side.
pub fn widened(ink: &Plane, radius: f32) -> Plane {
    let (width, height) = ink.dimensions();
    let reach = radius.floor() as i64;
    let disc: Vec<(i64, i64)> = (-reach..=reach)
        .flat_map(|dy| (-reach..=reach).map(move |dx| (dx, dy)))
        .filter(|(dx, dy)| ((dx * dx + dy * dy) as f32) <= radius * radius)
        .collect();
    Plane::from_fn(width, height, |x, y| {
        let near = disc.iter().filter_map(|(dx, dy)| {
            let (x, y) = (i64::from(x) + dx, i64::from(y) + dy);
            ink.get_pixel_checked(x.try_into().ok()?, y.try_into().ok()?)
        });
        Luma([near.map(|pixel| pixel.0[0]).fold(0.0, f32::max)])
    })
}

/// Left, top, right and bottom of what is above `threshold`; all are inside.
fn around(ink: &Plane, threshold: f32) -> Option<Around> {
    let places = ink.enumerate_pixels().filter(|(.., pixel)| pixel.0[0] > threshold);
    places.map(|(x, y, _)| [x, y, x, y]).reduce(union)
}

/// The field as the models know it.
fn digit(field: &Plane) -> Digit {
    Digit(field.as_raw()[..].try_into().expect("a field has 28 by 28 pixels"))
}

/// `plane` with another value for each.
fn mapped(plane: &Plane, of: impl Fn(f32) -> f32) -> Plane {
    Plane::from_fn(plane.width(), plane.height(), |x, y| Luma([of(plane.get_pixel(x, y).0[0])]))
}

/// The centre of mass, in pixels from the left upper corner.
fn centre(ink: &Plane) -> [f32; 2] {
    let [mut mass, mut across, mut down] = [0.0_f64; 3];
    for (x, y, pixel) in ink.enumerate_pixels() {
        let ink = f64::from(pixel.0[0]);
        mass += ink;
        across += ink * (f64::from(x) + 0.5);
        down += ink * (f64::from(y) + 0.5);
    }
    [across, down].map(|moment| if mass > 0.0 { (moment / mass) as f32 } else { 0.0 })
}
