//! Digits in frames, as on forms, and several in a row.

use image::{Rgb, RgbImage, imageops};

/// A frame around a digit.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// 0 for a box, 1 for one with round corners, 2 for a circle or an ellipse.
    pub(crate) shape: usize,
    /// Half of its height, by that of the digit.
    pub(crate) room: f32,
    /// Its width, by its height.
    pub(crate) wide: f32,
    /// How thick its line is, by half of its height.
    pub(crate) thick: f32,
    /// How far it is turned, and half of the gap in it, in degrees.
    pub(crate) turn: f32,
    pub(crate) gap: f32,
    /// Whether it is light on dark.
    pub(crate) light: bool,
    /// Whether it touches the edge of the picture.
    pub(crate) at_edge: bool,
}

impl Frame {
    pub(crate) const PLAIN: Self = Self {
        shape: 0,
        room: 1.5,
        wide: 1.0,
        thick: 0.03,
        turn: 0.0,
        gap: 0.0,
        light: false,
        at_edge: false,
    };

    /// `digit`, black on white and 120 pixels high in the middle, with this frame.
    pub(crate) fn around(&self, digit: &RgbImage) -> RgbImage {
        let (half, thick) = (60.0 * self.room, 60.0 * self.room * self.thick);
        let (across, down) = (half * self.wide, half);
        let room = if self.at_edge { thick / 2.0 } else { 12.0 + thick + 0.15 * half };
        let size = [across, down].map(|side| (2.0 * (side + room)) as u32);
        let (sin, cos) = self.turn.to_radians().sin_cos();
        RgbImage::from_fn(size[0], size[1], |px, py| {
            let x = px as f32 + 0.5 - size[0] as f32 / 2.0;
            let y = py as f32 + 0.5 - size[1] as f32 / 2.0;
            let [dx, dy] = [x, y].map(|at| (at + 100.0) as u32);
            let ink = match digit.get_pixel_checked(dx, dy) {
                Some(pixel) if x > -100.0 && y > -100.0 => 255 - pixel.0[0],
                _ => 0,
            };
            let (x, y) = (cos * x + sin * y, cos * y - sin * x);
            let line = (thick / 2.0 - self.away(x, y, across, down).abs() + 0.5).clamp(0.0, 1.0);
            let open = (y.atan2(x).to_degrees() - 40.0).abs() < self.gap;
            let all = ink.max(if open { 0 } else { (255.0 * line) as u8 });
            Rgb([if self.light { all } else { 255 - all }; 3])
        })
    }

    /// How far a place is from the line.
    fn away(&self, x: f32, y: f32, across: f32, down: f32) -> f32 {
        let corner = if self.shape == 1 { 0.3 * across.min(down) } else { 0.0 };
        let (dx, dy) = (x.abs() - across + corner, y.abs() - down + corner);
        if self.shape < 2 {
            return dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - corner;
        }
        let far = (x / across).hypot(y / down);
        let slope = (x / across.powi(2)).hypot(y / down.powi(2)).max(1e-9);
        (far - 1.0) * far / slope
    }
}

/// Drawn digits, black on white, with so much room between them, by their height.
pub(crate) fn in_a_row(digits: &[RgbImage], room: f32) -> RgbImage {
    let cut = |digit: &RgbImage| {
        let inked = |x: &u32| (0..digit.height()).any(|y| digit.get_pixel(*x, y).0[0] < 128);
        let (left, right) =
            ((0..digit.width()).find(inked).unwrap(), (0..digit.width()).rfind(inked).unwrap());
        imageops::crop_imm(digit, left, 0, right + 1 - left, digit.height()).to_image()
    };
    let cut: Vec<RgbImage> = digits.iter().map(cut).collect();
    let room = (120.0 * room) as u32;
    let width = 80 + cut.iter().map(|digit| digit.width() + room).sum::<u32>();
    let mut picture = RgbImage::from_pixel(width, 200, Rgb([255; 3]));
    let mut left = 40;
    for digit in &cut {
        imageops::replace(&mut picture, digit, left, 0);
        left += i64::from(digit.width() + room);
    }
    picture
}
