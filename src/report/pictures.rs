//! The pictures of a race: training loss against run time, against updates, and at the end against
//! the time per update; as SVG and as PNG.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    thread,
};

use super::{
    axis::Axis,
    panel::{Panel, Rectangle, escape, marker, wrap},
    raster,
    style::{Style, styles},
};
use crate::{Result, record::write_whole};

/// The course of an entrant.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// As the entrant was named.
    pub name: String,
    /// Evaluations, in the order of time.
    pub points: Vec<Point>,
    /// Seconds of run time.
    pub time_per_update: f64,
}

/// An evaluation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Run time in seconds.
    pub time: f64,
    /// Updates made.
    pub updates: f64,
    /// Training loss, the mean over seeds.
    pub loss: f64,
    /// Its standard error over seeds, where there are several.
    pub loss_se: Option<f64>,
}

const PANEL: (f64, f64) = (430.0, 330.0);
const LEFT: f64 = 68.0;
const TOP: f64 = 24.0;
const BELOW: f64 = 68.0;
const GAP: f64 = 84.0;
const LEGEND_LINE: f64 = 21.0;
const CAPTION: f64 = 26.0;
/// Between the markers of a line.
const MARKER_EVERY: f64 = 72.0;
/// Text size, in logical pixels.
const SIZE: f64 = 13.0;

/// Draws a panel with its left upper corner there.
type Draw<'a> = &'a dyn Fn((f64, f64)) -> String;

/// Draws `loss-time`, `loss-updates`, `frontier` and, side by side, `race` into `directory`.
/// `caption` stands below each.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn draw(series: &[Series], caption: &str, directory: &Path) -> Result<Vec<PathBuf>> {
    let styles = styles(series.iter().map(|series| series.name.as_str()));
    let loss = loss_axis(series);
    let time = |at: (f64, f64)| curves(at, series, &styles, loss, "run time (s)", |p| p.time);
    let updates = |at: (f64, f64)| curves(at, series, &styles, loss, "updates", |p| p.updates);
    let frontier = |at: (f64, f64)| frontier(at, series, &styles, loss);
    let panels: [(&str, Draw<'_>); 3] =
        [("loss-time", &time), ("loss-updates", &updates), ("frontier", &frontier)];

    let step = PANEL.0 + GAP;
    let side_by_side: String = (0_u8..)
        .zip(&panels)
        .map(|(n, (_, draw))| draw((LEFT + step * f64::from(n), TOP)))
        .collect();
    let mut sheets: Vec<(&str, String)> = panels
        .iter()
        .map(|(name, draw)| {
            let legend = if *name == "frontier" { &[] } else { series };
            (*name, sheet(&draw((LEFT, TOP)), 1, legend, &styles, caption))
        })
        .collect();
    sheets.push(("race", sheet(&side_by_side, 3, series, &styles, caption)));

    let pixels: Vec<_> = thread::scope(|scope| {
        let drawn: Vec<_> =
            sheets.iter().map(|(_, svg)| scope.spawn(|| raster::png(svg))).collect();
        drawn.into_iter().map(|png| png.join().expect("pictures are written as SVG")).collect()
    });
    let mut files = Vec::new();
    for ((name, svg), png) in sheets.iter().zip(&pixels) {
        let (vector, pixels) = (format!("{name}.svg"), format!("{name}.png"));
        for (file, bytes) in [(vector, svg.as_bytes()), (pixels, png)] {
            files.push(directory.join(file));
            write_whole(&files[files.len() - 1], bytes)?;
        }
    }
    Ok(files)
}

/// Whether a value can be drawn on a logarithmic axis.
fn drawable(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

/// One axis for all panels. An entrant that diverges is cut off at three times the loss at the
/// start, so that it does not flatten the others.
fn loss_axis(series: &[Series]) -> Axis {
    let losses = || series.iter().flat_map(|s| &s.points).map(|p| p.loss).filter(|l| drawable(*l));
    let start = series.iter().filter_map(|s| s.points.first()).map(|p| p.loss);
    let ceiling = start.filter(|loss| drawable(*loss)).fold(f64::NAN, f64::max) * 3.0;
    let high = losses().fold(f64::NAN, f64::max).min(ceiling);
    Axis::log(losses().fold(f64::NAN, f64::min), high)
}

/// Loss against what `of` gives, a line and a band of one standard error a series.
fn curves(
    at: (f64, f64),
    series: &[Series],
    styles: &[Style],
    loss: Axis,
    title: &str,
    of: impl Fn(&Point) -> f64,
) -> String {
    let ends = || series.iter().filter_map(|s| s.points.last()).map(&of).filter(|x| drawable(*x));
    let (low, high) = (ends().fold(f64::NAN, f64::min), ends().fold(0.0, f64::max));
    // Where the ends lie apart by more than a factor of ten, from 1 on a logarithmic axis.
    let across = match Axis::fitting(low, high) {
        axis if axis.is_log() => Axis::log(1.0, high.max(2.0)),
        axis => axis,
    };
    let x = |point: &Point| if across.is_log() { of(point).max(1.0) } else { of(point) };
    let panel = Panel { at, size: PANEL, across, up: loss };
    let mut svg = panel.frame(title, "training loss");
    let _ = write!(svg, "<g clip-path=\"{}\">", panel.clip());
    // All bands lie below all lines, and all lines below all markers.
    let (mut bands, mut lines, mut markers) = (String::new(), String::new(), String::new());
    for (n, (entrant, style)) in series.iter().zip(styles).enumerate() {
        let first_marker = at.0 + MARKER_EVERY * (n as f64 + 0.5) / series.len() as f64;
        // What is no number breaks the line.
        let gap = |point: &Point| !drawable(point.loss) || !of(point).is_finite();
        for part in entrant.points.split(gap).filter(|part| !part.is_empty()) {
            let band = |sign: f64| {
                let edge = move |p: &Point| (p.loss + sign * p.loss_se.unwrap_or(0.0)).max(1e-12);
                part.iter().map(move |point| (x(point), edge(point)))
            };
            let place = |(x, y): (f64, f64)| {
                let (x, y) = panel.place(x, y);
                format!("{x:.1},{y:.1}")
            };
            if part.iter().any(|point| point.loss_se.is_some_and(|se| se > 0.0)) {
                let edge: Vec<_> = band(1.0).chain(band(-1.0).rev()).map(place).collect();
                let (points, colour) = (edge.join(" "), &style.colour);
                let _ = write!(
                    bands,
                    "<polygon points=\"{points}\" fill=\"{colour}\" fill-opacity=\"0.16\"/>"
                );
            }
            if let [only] = part {
                let (x, y) = panel.place(x(only), only.loss);
                markers += &marker(style, x, y, 3.5);
            }
            let line: Vec<_> = part.iter().map(|point| place((x(point), point.loss))).collect();
            let (points, Style { colour, dash, .. }) = (line.join(" "), style);
            let _ = write!(
                lines,
                "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" \
                 stroke-width=\"2\" stroke-linejoin=\"round\" stroke-dasharray=\"{dash}\"/>"
            );
            let places: Vec<_> =
                part.iter().map(|point| panel.place(x(point), point.loss)).collect();
            markers += &markers_along(&places, first_marker, style);
        }
    }
    svg + &bands + &lines + &markers + "</g>\n"
}

/// Markers on a line, at `first` and from there on at even distances across.
fn markers_along(line: &[(f64, f64)], first: f64, style: &Style) -> String {
    let mut next = first;
    let mut svg = String::new();
    for pair in line.windows(2) {
        let [(x0, y0), (x1, y1)] = [pair[0], pair[1]];
        if next < x0 {
            next += MARKER_EVERY * ((x0 - next) / MARKER_EVERY).ceil();
        }
        while next < x1 {
            svg += &marker(style, next, y0 + (y1 - y0) * (next - x0) / (x1 - x0), 3.5);
            next += MARKER_EVERY;
        }
    }
    svg
}

/// The last loss of each entrant against its time per update, named beside its marker. What came
/// to no loss or to one off the axis of the curves stands at the upper edge and is said to diverge.
fn frontier(at: (f64, f64), series: &[Series], styles: &[Style], loss: Axis) -> String {
    let ends: Vec<_> = series
        .iter()
        .zip(styles)
        .filter(|(series, _)| series.time_per_update.is_finite())
        .filter_map(|(series, style)| Some((series, style, series.points.last()?.loss)))
        .collect();
    let times = || ends.iter().map(|(series, ..)| series.time_per_update).filter(|t| drawable(*t));
    let across = Axis::fitting(times().fold(f64::NAN, f64::min), times().fold(0.0, f64::max));
    // Ends are close together where starts and ends are far apart.
    let on_axis = |end: f64| drawable(end) && loss.place(end) <= 1.0;
    let losses = || ends.iter().map(|(.., end)| *end).filter(|end| on_axis(*end));
    let up = Axis::log(losses().fold(f64::NAN, f64::min), losses().fold(f64::NAN, f64::max));
    let panel = Panel { at, size: PANEL, across, up };
    let mut svg = panel.frame("time per update (s)", "training loss at the end");
    let places: Vec<_> = ends
        .iter()
        .map(|&(Series { name, time_per_update, .. }, style, end)| {
            let (x, y) = panel.place(time_per_update.max(f64::MIN_POSITIVE), end);
            let (name, y) =
                if on_axis(end) { (name.clone(), y) } else { (format!("{name} (diverged)"), at.1) };
            (name, style, x.max(at.0), y)
        })
        .collect();
    let mut taken: Vec<Rectangle> =
        places.iter().map(|&(.., x, y)| Rectangle::around(x, y, 6.0)).collect();
    let (mut leaders, mut markers, mut labels) = (String::new(), String::new(), String::new());
    for (name, style, x, y) in places {
        let label = panel.free_box(&name, SIZE - 1.0, (x, y), &taken);
        leaders += &label.leader(x, y);
        markers += &marker(style, x, y, 5.0);
        let (text, tx, ty) = (escape(&name), label.left, label.bottom - 0.25 * SIZE);
        let size = SIZE - 1.0;
        let _ =
            write!(labels, "<text x=\"{tx:.1}\" y=\"{ty:.1}\" font-size=\"{size}\">{text}</text>");
        taken.push(label);
    }
    svg += &leaders;
    svg + &markers + &labels + "\n"
}

/// A whole picture: panels, the legend below them, the caption below that.
fn sheet(panels: &str, across: u8, legend: &[Series], styles: &[Style], caption: &str) -> String {
    let n = f64::from(across);
    let width = LEFT + n * PANEL.0 + (n - 1.0) * GAP + 24.0;
    let longest = legend.iter().map(|series| series.name.chars().count()).max().unwrap_or(0);
    let column = 60.0 + 0.56 * SIZE * longest as f64;
    let columns = (((width - LEFT) / column) as usize).clamp(1, legend.len().max(1));
    let rows = legend.len().div_ceil(columns);
    let below = TOP + PANEL.1 + BELOW;
    let mut body = String::new();
    for (at, (series, style)) in legend.iter().zip(styles).enumerate() {
        let x = LEFT + column * (at % columns) as f64;
        let y = below + LEGEND_LINE * (at / columns) as f64;
        let (Style { colour, dash, .. }, name) = (style, escape(&series.name));
        let (end, text, middle) = (x + 34.0, x + 42.0, y - 4.5);
        let mark = marker(style, x + 17.0, middle, 3.5);
        let _ = writeln!(
            body,
            "<line x1=\"{x}\" x2=\"{end}\" y1=\"{middle}\" y2=\"{middle}\" stroke=\"{colour}\" \
             stroke-width=\"2.5\" stroke-dasharray=\"{dash}\"/>\
             {mark}<text x=\"{text}\" y=\"{y}\">{name}</text>"
        );
    }
    let mut height = below + LEGEND_LINE * rows as f64 + 4.0;
    for line in wrap(caption, ((width - LEFT) / (0.53 * (SIZE - 2.0))) as usize) {
        let (text, size) = (escape(&line), SIZE - 2.0);
        let _ = writeln!(
            body,
            "<text x=\"{LEFT}\" y=\"{height}\" font-size=\"{size}\" fill=\"#555\">{text}</text>"
        );
        height += 16.0;
    }
    height += CAPTION - 16.0;
    let family = raster::FONT_FAMILY;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"{family}, sans-serif\" \
         font-size=\"{SIZE}\" fill=\"#222\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n{panels}{body}</svg>\n"
    )
}
