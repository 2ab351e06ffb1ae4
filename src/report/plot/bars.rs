//! What parts a time is made of, one bar a time.

use std::path::Path;

use maud::html;

use crate::{
    Result, raster,
    record::write_whole,
    svg::{self, Px, Set, text},
};

/// Of the Okabe and Ito palette, and far enough apart in lightness to be told apart in grey.
const COLOURS: [&str; 6] = ["#56b4e9", "#0072b2", "#e69f00", "#d55e00", "#009e73", "#999999"];
const WIDTH: f64 = 760.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 96.0;
const BAR: f64 = 26.0;
const STEP: f64 = 40.0;
const TOP: f64 = 58.0;
/// Letters of a line of the caption.
const CAPTION: usize = 100;

/// A time and its parts, which add up to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// What stands to its left.
    pub label: String,
    /// Seconds of each part, in the order of the names.
    pub parts: Vec<f64>,
}

/// Draws `bars` into `path`: as PNG where its name ends so, else as SVG.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn draw(names: &[&str], bars: &[Bar], caption: &str, path: &Path) -> Result<()> {
    let svg = svg(names, bars, caption);
    if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("png")) {
        return write_whole(path, &raster::png(&svg));
    }
    write_whole(path, svg.as_bytes())
}

fn svg(names: &[&str], bars: &[Bar], caption: &str) -> String {
    let below = TOP + STEP * bars.len() as f64 + 10.0;
    let (caption, height) = svg::caption((LEFT, below), caption, CAPTION, 12.0);
    let wide = |name: &&str| 38.0 + 7.6 * name.chars().count() as f64;
    let content = html! {
        @for (at, (name, colour)) in names.iter().zip(COLOURS).enumerate() {
            @let x = LEFT + names[..at].iter().map(wide).sum::<f64>();
            rect x=(Px(x)) y="18" width="13" height="13" fill=(colour) {}
            (text((x + 18.0, 29.0), name, Set::START))
        }
        @for (at, bar) in bars.iter().enumerate() {
            @let top = TOP + STEP * at as f64;
            @let base = top + BAR / 2.0 + 5.0;
            @let total: f64 = bar.parts.iter().sum();
            @let width = |part: f64| {
                part / total.max(f64::MIN_POSITIVE) * (WIDTH - LEFT - RIGHT)
            };
            (text((LEFT - 10.0, base), &bar.label, Set::END))
            (text((WIDTH - RIGHT + 10.0, base), format!("{:.2} ms", total * 1e3), Set::START))
            @for (at, (&part, colour)) in bar.parts.iter().zip(COLOURS).enumerate() {
                @let x = LEFT + width(bar.parts[..at].iter().sum());
                rect x=(Px(x)) y=(Px(top)) width=(Px(width(part))) height=(BAR) fill=(colour)
                    stroke="#fff" {}
                @if width(part) > 44.0 {
                    @let percent = format!("{:.0} %", 100.0 * part / total);
                    (text((x + width(part) / 2.0, base), percent, Set::MIDDLE.fill("#fff")))
                }
            }
        }
        (caption)
    };
    svg::picture((WIDTH, height), 14.0, &content)
}
