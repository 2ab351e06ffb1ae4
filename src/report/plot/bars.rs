//! What parts a time is made of, one bar a time.

use std::{fmt::Write as _, path::Path};

use crate::{
    Result, raster,
    record::write_whole,
    svg::{text, wrap},
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
    let lines = wrap(caption, CAPTION);
    let height = below + 16.0 * lines.len() as f64;
    let mut body = String::new();
    let mut x = LEFT;
    for (name, colour) in names.iter().zip(COLOURS) {
        let beside = x + 18.0;
        let _ = write!(
            body,
            "<rect x=\"{x}\" y=\"18\" width=\"13\" height=\"13\" fill=\"{colour}\"/>{}",
            text(&format!("x=\"{beside}\" y=\"29\""), name)
        );
        x = beside + 20.0 + 7.6 * name.chars().count() as f64;
    }
    for (at, bar) in bars.iter().enumerate() {
        let top = TOP + STEP * at as f64;
        let (base, label) = (top + BAR / 2.0 + 5.0, LEFT - 10.0);
        let total: f64 = bar.parts.iter().sum();
        let end = WIDTH - RIGHT + 10.0;
        body += &text(&format!("x=\"{label}\" y=\"{base}\" text-anchor=\"end\""), &bar.label);
        body += &text(&format!("x=\"{end}\" y=\"{base}\""), format!("{:.2} ms", total * 1e3));
        let mut x = LEFT;
        for (part, colour) in bar.parts.iter().zip(COLOURS) {
            let share = part / total.max(f64::MIN_POSITIVE);
            let width = share * (WIDTH - LEFT - RIGHT);
            let _ = write!(
                body,
                "<rect x=\"{x:.1}\" y=\"{top}\" width=\"{width:.1}\" height=\"{BAR}\" \
                 fill=\"{colour}\" stroke=\"#fff\"/>"
            );
            if width > 44.0 {
                let (middle, per_cent) = (x + width / 2.0, share * 100.0);
                let place = format!("x=\"{middle:.1}\" y=\"{base}\" text-anchor=\"middle\"");
                body += &text(&format!("{place} fill=\"#fff\""), format!("{per_cent:.0} %"));
            }
            x += width;
        }
        body.push('\n');
    }
    for (y, line) in (0_u8..).zip(&lines).map(|(at, line)| (below + 16.0 * f64::from(at), line)) {
        let place = format!("x=\"{LEFT}\" y=\"{y}\" font-size=\"12\" fill=\"#555\"");
        body += &(text(&place, line) + "\n");
    }
    let family = raster::FONT_FAMILY;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
         viewBox=\"0 0 {WIDTH} {height}\" font-family=\"{family}, sans-serif\" font-size=\"14\" \
         fill=\"#222\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n{body}</svg>\n"
    )
}
