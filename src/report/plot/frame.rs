//! A frame with two axes, and what is drawn into it, as SVG.

use std::fmt::Write as _;

use super::{super::style::Style, axis::Axis};
use crate::svg::text;

/// Where a chart lies on the sheet, in logical pixels, and its axes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Panel {
    /// Left and top.
    pub(super) at: (f64, f64),
    /// Width and height.
    pub(super) size: (f64, f64),
    pub(super) across: Axis,
    pub(super) up: Axis,
}

impl Panel {
    /// Where a pair of values lies on the sheet.
    pub(super) fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let ((left, top), (width, height)) = (self.at, self.size);
        let x = left + width * self.across.place(x);
        (x, top + height * (1.0 - self.up.place(y)))
    }

    /// Reference to the clip path that [`frame`](Self::frame) makes.
    pub(super) fn clip(&self) -> String {
        format!("url(#{})", self.id())
    }

    fn id(&self) -> String {
        format!("panel{:.0}-{:.0}", self.at.0, self.at.1)
    }

    /// Titles and the frame itself; with `values`, grid and ticks.
    pub(super) fn frame(&self, across: &str, up: &str, values: bool) -> String {
        let ((left, top), (width, height)) = (self.at, self.size);
        let (right, bottom, id) = (left + width, top + height, self.id());
        let mut svg = format!(
            "<clipPath id=\"{id}\"><rect x=\"{left}\" y=\"{top}\" width=\"{width}\" \
             height=\"{height}\"/></clipPath>\n"
        );
        let ticks = |axis: &Axis| if values { axis.ticks() } else { Vec::new() };
        for (value, label) in ticks(&self.across) {
            let x = left + width * self.across.place(value);
            let y = bottom + 18.0;
            let _ = write!(svg, "<path d=\"M{x:.1} {top}V{bottom}\" stroke=\"#e4e4e4\"/>");
            svg += &text(&format!("x=\"{x:.1}\" y=\"{y}\" text-anchor=\"middle\""), label);
        }
        for (value, label) in ticks(&self.up) {
            let y = top + height * (1.0 - self.up.place(value));
            let (x, base) = (left - 7.0, y + 4.5);
            let _ = write!(svg, "<path d=\"M{left} {y:.1}H{right}\" stroke=\"#e4e4e4\"/>");
            svg += &text(&format!("x=\"{x}\" y=\"{base:.1}\" text-anchor=\"end\""), label);
        }
        let (middle, centre) = (left + width / 2.0, top + height / 2.0);
        let (below, beside) = (bottom + 36.0, left - 52.0);
        let _ = write!(
            svg,
            "<rect x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{height}\" fill=\"none\" \
             stroke=\"#888\"/>"
        );
        svg += &text(&format!("x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\""), across);
        let turned = format!("transform=\"translate({beside} {centre}) rotate(-90)\"");
        svg + &text(&format!("{turned} text-anchor=\"middle\""), up) + "\n"
    }

    /// A place for `text` near a point that covers none of `taken`, within the panel if there is one.
    pub(super) fn free_box(
        &self,
        text: &str,
        size: f64,
        at: (f64, f64),
        taken: &[Rectangle],
    ) -> Rectangle {
        let ((left, top), (width, height)) = (self.at, self.size);
        let (wide, high) = (0.56 * size * text.chars().count() as f64, 1.2 * size);
        let room = Rectangle { left, top, right: left + width, bottom: top + height };
        let candidates =
            (0..40).flat_map(|ring| {
                let away = 9.0 + 0.5 * size * f64::from(ring);
                let half = wide / 2.0;
                [(away, 0.0), (-away - wide, 0.0), (-half, -away), (-half, away)]
                    .into_iter()
                    .chain([(9.0, -away), (9.0, away), (-9.0 - wide, -away), (-9.0 - wide, away)])
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
}

/// A rectangle on the sheet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rectangle {
    pub(super) left: f64,
    top: f64,
    right: f64,
    pub(super) bottom: f64,
}

impl Rectangle {
    pub(super) fn around(x: f64, y: f64, radius: f64) -> Self {
        Self { left: x - radius, top: y - radius, right: x + radius, bottom: y + radius }
    }

    /// A line to the nearest point of this label from a marker at `x`, `y`, where it is not beside it.
    pub(super) fn leader(&self, x: f64, y: f64) -> String {
        let (near_x, near_y) = (x.clamp(self.left, self.right), y.clamp(self.top, self.bottom));
        if (near_x - x).hypot(near_y - y) < 14.0 {
            return String::new();
        }
        format!("<path d=\"M{x:.1} {y:.1}L{near_x:.1} {near_y:.1}\" stroke=\"#aaa\"/>")
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

/// A marker in the entrant's colour, about `2 r` wide.
pub(super) fn marker(style: &Style, x: f64, y: f64, r: f64) -> String {
    let (d, e, t) = (2.0 * r, 1.2 * r, 0.8 * r);
    let path = match style.marker {
        0 => format!("M{:.1} {y:.1}a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0 -{d} 0z", x - r),
        1 => format!("M{:.1} {:.1}h{d}v{d}h-{d}z", x - r, y - r),
        2 => format!("M{x:.1} {:.1}l{e} {d}h-{w}z", y - e, w = 2.0 * e),
        3 => format!("M{x:.1} {:.1}l{e} {e}l-{e} {e}l-{e} -{e}z", y - e),
        4 => format!("M{x:.1} {:.1}l{e} -{d}h-{w}z", y + e, w = 2.0 * e),
        _ => format!(
            "M{:.1} {:.1}h{t}v{t}h{t}v{t}h-{t}v{t}h-{t}v-{t}h-{t}v-{t}h{t}z",
            x - 0.5 * t,
            y - 1.5 * t
        ),
    };
    let colour = &*style.colour();
    let (fill, edge, width) =
        if style.hollow { ("#fff", colour, 1.5) } else { (colour, "#fff", 0.8) };
    format!("<path d=\"{path}\" fill=\"{fill}\" stroke=\"{edge}\" stroke-width=\"{width}\"/>")
}
