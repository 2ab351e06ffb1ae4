//! The frame of a chart: its place on the sheet, two axes with their ticks and titles, and a grid.

use maud::{Markup, html};

use super::axis::Axis;
use crate::svg::{Px, Set, text};

/// Where a chart lies on the sheet, in logical pixels, and its axes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    /// Left and top.
    pub(super) at: (f64, f64),
    /// Width and height.
    pub(super) size: (f64, f64),
    pub(super) across: Axis,
    pub(super) up: Axis,
}

impl Frame {
    /// Where a pair of values lies on the sheet.
    pub(super) fn place(&self, x: f64, y: f64) -> (f64, f64) {
        let ((left, top), (width, height)) = (self.at, self.size);
        let x = left + width * self.across.place(x);
        (x, top + height * (1.0 - self.up.place(y)))
    }

    /// `content`, cut off where it leaves the frame that has been drawn.
    pub(super) fn clipped(&self, content: &Markup) -> Markup {
        html! { g clip-path={ "url(#" (self.id()) ")" } { (content) } }
    }

    fn id(&self) -> String {
        format!("frame{:.0}-{:.0}", self.at.0, self.at.1)
    }

    /// The titles of the axes and the frame itself; with `values`, grid and ticks.
    pub(super) fn svg(&self, across: &str, up: &str, values: bool) -> Markup {
        let ((left, top), (width, height)) = (self.at, self.size);
        let (right, bottom) = (left + width, top + height);
        let (middle, centre) = (left + width / 2.0, top + height / 2.0);
        let ticks = |axis: &Axis| if values { axis.ticks() } else { Vec::new() };
        html! {
            clipPath id=(self.id()) {
                rect x=(Px(left)) y=(Px(top)) width=(Px(width)) height=(Px(height)) {}
            }
            @for (value, label) in ticks(&self.across) {
                @let x = left + width * self.across.place(value);
                path d={ "M" (Px(x)) " " (Px(top)) "V" (Px(bottom)) } stroke="#e4e4e4" {}
                (text((x, bottom + 18.0), label, Set::MIDDLE))
            }
            @for (value, label) in ticks(&self.up) {
                @let y = top + height * (1.0 - self.up.place(value));
                path d={ "M" (Px(left)) " " (Px(y)) "H" (Px(right)) } stroke="#e4e4e4" {}
                (text((left - 7.0, y + 4.5), label, Set::END))
            }
            rect x=(Px(left)) y=(Px(top)) width=(Px(width)) height=(Px(height)) fill="none"
                stroke="#888" {}
            (text((middle, bottom + 36.0), across, Set::MIDDLE))
            (text((left - 52.0, centre), up, Set::UPRIGHT))
        }
    }
}
