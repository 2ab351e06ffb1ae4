//! Labelled markers: each label stands where it covers nothing.

use maud::{Markup, html};

use super::{
    super::style::Style,
    axis::drawable,
    frame::Frame,
    line::{Line, Look},
    marker::marker,
};
use crate::svg::{Px, Set, text};

/// Text size of the labels.
const SIZE: f64 = 12.0;

/// Those of `lines` that are places, in the styles of the lines.
pub(super) fn places(frame: &Frame, lines: &[Line], styles: &[Style]) -> Markup {
    let places: Vec<_> = lines
        .iter()
        .zip(styles)
        .filter(|(line, _)| line.look == Look::Place)
        .filter_map(|(line, style)| {
            let dot = line.points.last().filter(|dot| dot.x.is_finite())?;
            let (left, top) = frame.at;
            let (x, y) = frame.place(dot.x.max(f64::MIN_POSITIVE), dot.y);
            let on_axis = drawable(dot.y) && y >= top;
            let diverged = if on_axis { "" } else { " (diverged)" };
            let label = format!("{}{diverged}", line.name);
            Some((label, style, x.max(left), if on_axis { y } else { top }))
        })
        .collect();
    let mut taken: Vec<Rectangle> =
        places.iter().map(|&(.., x, y)| Rectangle::around(x, y, 6.0)).collect();
    for (label, _, x, y) in &places {
        taken.push(free_box(frame, label, (*x, *y), &taken));
    }
    let labels = &taken[places.len()..];
    html! {
        @for ((.., x, y), label) in places.iter().zip(labels) { (label.leader(*x, *y)) }
        @for (_, style, x, y) in &places { (marker(style, *x, *y, 5.0)) }
        @for ((name, ..), label) in places.iter().zip(labels) {
            (text((label.left, label.bottom - 0.27 * SIZE), name, Set::START.size(SIZE)))
        }
    }
}

/// A place for `text` near a point that covers none of `taken`, within the frame if there is one.
fn free_box(frame: &Frame, text: &str, at: (f64, f64), taken: &[Rectangle]) -> Rectangle {
    let ((left, top), (width, height)) = (frame.at, frame.size);
    let (wide, high) = (0.56 * SIZE * text.chars().count() as f64, 1.2 * SIZE);
    let room = Rectangle { left, top, right: left + width, bottom: top + height };
    let (half, left_of) = (-wide / 2.0, -9.0 - wide);
    let candidates = (0..40).flat_map(|ring| {
        let away = 9.0 + 0.5 * SIZE * f64::from(ring);
        let straight = [(away, 0.0), (-away - wide, 0.0), (half, -away), (half, away)];
        let aslant = [(9.0, -away), (9.0, away), (left_of, -away), (left_of, away)];
        straight.into_iter().chain(aslant)
    });
    let mut boxes = candidates.map(|(dx, dy)| {
        let (x, y) = (at.0 + dx, at.1 + dy);
        Rectangle { left: x, top: y - high / 2.0, right: x + wide, bottom: y + high / 2.0 }
    });
    let first = boxes.clone().next().expect("there are candidates");
    boxes
        .find(|label| label.within(&room) && taken.iter().all(|other| !label.overlaps(other)))
        .unwrap_or(first)
}

/// A rectangle on the sheet.
#[derive(Debug, Clone, Copy)]
struct Rectangle {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Rectangle {
    fn around(x: f64, y: f64, radius: f64) -> Self {
        Self { left: x - radius, top: y - radius, right: x + radius, bottom: y + radius }
    }

    /// A line to the nearest point of this label from a marker at `x`, `y`, where it is not beside it.
    fn leader(&self, x: f64, y: f64) -> Markup {
        let (near_x, near_y) = (x.clamp(self.left, self.right), y.clamp(self.top, self.bottom));
        html! {
            @if (near_x - x).hypot(near_y - y) >= 14.0 {
                path d={ "M" (Px(x)) " " (Px(y)) "L" (Px(near_x)) " " (Px(near_y)) } stroke="#aaa" {}
            }
        }
    }

    fn overlaps(&self, other: &Self) -> bool {
        self.left < other.right
            && other.left < self.right
            && self.top < other.bottom
            && other.top < self.bottom
    }

    fn within(&self, room: &Self) -> bool {
        self.left >= room.left
            && self.right <= room.right
            && self.top >= room.top
            && self.bottom <= room.bottom
    }
}
