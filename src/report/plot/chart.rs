//! A chart: lines and places between two axes, as SVG.

use std::fmt::Write as _;

use super::{
    super::style::Style,
    axis::Axis,
    frame::{Panel, Rectangle, marker},
};
use crate::svg::text;

/// Between the markers of a line, in logical pixels.
const MARKER_EVERY: f64 = 72.0;
/// Text size of the labels of places.
const LABEL: f64 = 12.0;

/// What is drawn between two axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// Stands above the chart; may be empty.
    pub title: String,
    /// The horizontal axis.
    pub across: Scale,
    /// The vertical axis.
    pub up: Scale,
    /// Lines of one name look alike, in all charts of a sheet.
    pub lines: Vec<Line>,
}

/// What an axis shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    /// What stands beside it, with its unit.
    pub title: String,
    /// Whether it is logarithmic; if nothing is said, where the values span more than a factor of
    /// ten. What is not logarithmic starts at zero.
    pub log: Option<bool>,
    /// From where to where, if not as far as the values go.
    pub range: Option<(f64, f64)>,
}

impl Scale {
    /// Linear from zero, or logarithmic where the values span more than a factor of ten.
    pub fn fitting(title: &str) -> Self {
        Self { title: title.to_owned(), log: None, range: None }
    }

    /// A linear axis from zero, with this title.
    pub fn linear(title: &str) -> Self {
        Self { log: Some(false), ..Self::fitting(title) }
    }

    /// A logarithmic axis, with this title.
    pub fn log(title: &str) -> Self {
        Self { log: Some(true), ..Self::fitting(title) }
    }

    fn axis(&self, values: impl Iterator<Item = f64>) -> Axis {
        let ends = values.filter(|value| drawable(*value));
        let (low, high) = self.range.unwrap_or_else(|| {
            ends.fold((f64::NAN, f64::NAN), |(low, high), value| (value.min(low), value.max(high)))
        });
        match self.log {
            Some(true) => Axis::log(low, high),
            Some(false) => Axis::from_zero(high),
            None => Axis::fitting(low, high),
        }
    }
}

/// A named line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What it is in the legend; what stands before a colon decides its colour.
    pub name: String,
    /// How it is drawn, with a line or with markers.
    pub look: Look,
    /// In the order of the line. What is no number, or has no place on the axes, breaks it.
    pub points: Vec<Dot>,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// A curve, with a marker now and then and a band of one standard error.
    Curve,
    /// Thin and dotted, as what is predicted stands beside what is measured.
    Thin,
    /// A line with a marker and a bar of one standard error at every point.
    Points,
    /// Markers and bars as those of points, without a line: what is measured on a thin line.
    Dots,
    /// One labelled marker. One above the axis, or with no number, stands at the upper edge and is
    /// said to have diverged.
    Place,
}

/// A point of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dot {
    /// Its value on the horizontal axis.
    pub x: f64,
    /// Its value on the vertical axis.
    pub y: f64,
    /// One standard error of `y`, if it is known.
    pub error: Option<f64>,
}

impl From<(f64, f64)> for Dot {
    fn from((x, y): (f64, f64)) -> Self {
        Self { x, y, error: None }
    }
}

/// Whether a value can be drawn on a logarithmic axis.
pub(in crate::report) fn drawable(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

/// The layers of a chart: all bands lie below all lines, and all lines below all markers.
#[derive(Default)]
struct Layers {
    bands: String,
    lines: String,
    markers: String,
}

impl Chart {
    /// This chart with its left upper corner at `at`, its lines in the styles that `style` gives for
    /// their names.
    pub(super) fn svg(
        &self,
        at: (f64, f64),
        size: (f64, f64),
        style: &dyn Fn(&str) -> Style,
    ) -> String {
        let Self { title, across, up, lines } = self;
        let dots = || lines.iter().flat_map(|line| &line.points);
        let across_axis = across.axis(dots().map(|dot| dot.x));
        let up_axis = up.axis(dots().map(|dot| dot.y));
        let panel = Panel { at, size, across: across_axis, up: up_axis };
        let has_place = |dot: &Dot| {
            dot.x.is_finite() && if up_axis.is_log() { drawable(dot.y) } else { dot.y.is_finite() }
        };
        // Without a value an axis would be made up.
        let empty = !dots().any(has_place);
        let mut svg = panel.frame(&across.title, &up.title, !empty);
        if !title.is_empty() {
            let (middle, above) = (at.0 + size.0 / 2.0, at.1 - 9.0);
            let place = format!("x=\"{middle}\" y=\"{above}\" text-anchor=\"middle\"");
            svg += &(text(&place, title) + "\n");
        }
        if empty {
            let place = |line: &Line| {
                line.look == Look::Place && line.points.iter().any(|dot| dot.x.is_finite())
            };
            let why = if lines.iter().any(place) { "all diverged" } else { "nothing to draw" };
            let (middle, centre) = (at.0 + size.0 / 2.0, at.1 + size.1 / 2.0);
            let place = format!("x=\"{middle}\" y=\"{centre}\" text-anchor=\"middle\"");
            return svg + &text(&place, why) + "\n";
        }
        let mut layers = Layers::default();
        let curves: Vec<_> = lines.iter().filter(|line| line.look != Look::Place).collect();
        for (n, line) in curves.iter().enumerate() {
            let first_marker = at.0 + MARKER_EVERY * (n as f64 + 0.5) / curves.len() as f64;
            layers.add(&panel, line, &style(&line.name), first_marker);
        }
        let Layers { bands, lines: strokes, markers } = layers;
        let clip = panel.clip();
        let _ = writeln!(svg, "<g clip-path=\"{clip}\">{bands}{strokes}{markers}</g>");
        svg + &places(&panel, lines, style)
    }
}

impl Layers {
    fn add(&mut self, panel: &Panel, line: &Line, style: &Style, first_marker: f64) {
        let Panel { across, up, .. } = panel;
        // Where a curve starts at nothing, a logarithmic axis has it start at its edge.
        let x = |dot: &Dot| if across.is_log() { dot.x.max(across.low()) } else { dot.x };
        let gap =
            |dot: &Dot| !(dot.x.is_finite() && dot.y.is_finite()) || up.is_log() && dot.y <= 0.0;
        for part in line.points.split(gap).filter(|part| !part.is_empty()) {
            let places: Vec<_> = part.iter().map(|dot| panel.place(x(dot), dot.y)).collect();
            let place = |&(x, y): &(f64, f64)| format!("{x:.1},{y:.1}");
            let edge = |sign: f64| {
                let y = move |dot: &Dot| {
                    let y = dot.y + sign * dot.error.unwrap_or(0.0);
                    if up.is_log() { y.max(1e-12) } else { y }
                };
                part.iter().map(move |dot| panel.place(x(dot), y(dot)))
            };
            let (colour, dash) = (style.colour(), style.dash);
            if part.iter().any(|dot| dot.error.is_some_and(|error| error > 0.0)) {
                if matches!(line.look, Look::Points | Look::Dots) {
                    for ((x, top), (_, bottom)) in edge(1.0).zip(edge(-1.0)) {
                        let bar = format!("M{x:.1} {top:.1}V{bottom:.1}");
                        let _ = write!(self.lines, "<path d=\"{bar}\" stroke=\"{colour}\"/>");
                    }
                } else {
                    let edge: Vec<_> = edge(1.0).chain(edge(-1.0).rev()).collect();
                    let points: Vec<_> = edge.iter().map(place).collect();
                    let points = points.join(" ");
                    let _ = write!(
                        self.bands,
                        "<polygon points=\"{points}\" fill=\"{colour}\" fill-opacity=\"0.16\"/>"
                    );
                }
            }
            let (dash, width) = if line.look == Look::Thin { ("1.5 3", 1.5) } else { (dash, 2.0) };
            let points: Vec<_> = places.iter().map(place).collect();
            let points = points.join(" ");
            if line.look != Look::Dots {
                let _ = write!(
                    self.lines,
                    "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" \
                     stroke-width=\"{width}\" stroke-linejoin=\"round\" stroke-dasharray=\"{dash}\"/>"
                );
            }
            match (line.look, &*places) {
                (Look::Thin, _) => {}
                (Look::Points | Look::Dots, places) | (_, places @ [_]) => {
                    self.markers.extend(places.iter().map(|&(x, y)| marker(style, x, y, 3.5)));
                }
                (_, places) => self.markers += &markers_along(places, first_marker, style),
            }
        }
    }
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

/// The labelled markers, each label where it covers nothing.
fn places(panel: &Panel, lines: &[Line], style: &dyn Fn(&str) -> Style) -> String {
    let places: Vec<_> = lines
        .iter()
        .filter(|line| line.look == Look::Place)
        .filter_map(|line| Some((line, line.points.last().filter(|dot| dot.x.is_finite())?)))
        .map(|(Line { name, .. }, dot)| {
            let (left, top) = panel.at;
            let (x, y) = panel.place(dot.x.max(f64::MIN_POSITIVE), dot.y);
            let on_axis = drawable(dot.y) && y >= top;
            let label = if on_axis { name.clone() } else { format!("{name} (diverged)") };
            (label, style(name), x.max(left), if on_axis { y } else { top })
        })
        .collect();
    let mut taken: Vec<Rectangle> =
        places.iter().map(|&(.., x, y)| Rectangle::around(x, y, 6.0)).collect();
    let (mut leaders, mut markers, mut labels) = (String::new(), String::new(), String::new());
    for (name, style, x, y) in places {
        let label = panel.free_box(&name, LABEL, (x, y), &taken);
        leaders += &label.leader(x, y);
        markers += &marker(&style, x, y, 5.0);
        let (x, y) = (label.left, label.bottom - 0.27 * LABEL);
        labels += &text(&format!("x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{LABEL}\""), name);
        taken.push(label);
    }
    leaders + &markers + &labels + "\n"
}
