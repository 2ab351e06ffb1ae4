//! The parts of what is on the paper: pixels of ink that hang together.

use super::{Plane, grid::union};

/// Pixels that hang together.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// Of each pixel.
    pub places: Vec<(u32, u32)>,
    /// Of all of them.
    pub ink: f64,
    /// Left, top, right and bottom; all are inside.
    pub around: [u32; 4],
}

/// What hangs together, in eight directions, of the pixels above `threshold`.
pub fn parts(ink: &Plane, threshold: f32) -> Vec<Part> {
    let (width, height) = ink.dimensions();
    let mut seen = vec![false; (width * height) as usize];
    let mut parts = Vec::new();
    for (x, y, _) in ink.enumerate_pixels() {
        let mut waiting = Vec::new();
        let mut part = Part { places: Vec::new(), ink: 0.0, around: [x, y, x, y] };
        let mut meet = |x: u32, y: u32, waiting: &mut Vec<(u32, u32)>| {
            let seen = &mut seen[(y * width + x) as usize];
            if !*seen && ink.get_pixel(x, y).0[0] > threshold {
                *seen = true;
                waiting.push((x, y));
            }
        };
        meet(x, y, &mut waiting);
        while let Some((x, y)) = waiting.pop() {
            part.ink += f64::from(ink.get_pixel(x, y).0[0]);
            part.around = union(part.around, [x, y, x, y]);
            part.places.push((x, y));
            for y in y.saturating_sub(1)..=(y + 1).min(height - 1) {
                for x in x.saturating_sub(1)..=(x + 1).min(width - 1) {
                    meet(x, y, &mut waiting);
                }
            }
        }
        if !part.places.is_empty() {
            parts.push(part);
        }
    }
    parts
}
