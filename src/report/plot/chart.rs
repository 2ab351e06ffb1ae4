//! A chart: lines and places between two axes, as SVG.

use maud::{Markup, html};

use super::{
    super::style::Style,
    axis::{Axis, drawable, span},
    frame::Frame,
    labels::places,
    line::{Dot, Line, Look},
    marker::marker,
};
use crate::svg::{Px, Set, text};

/// Between the markers of a line, in logical pixels.
const MARKER_EVERY: f64 = 72.0;

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

impl Chart {
    /// A chart without a title.
    pub fn new(across: Scale, up: Scale, lines: Vec<Line>) -> Self {
        Self { title: String::new(), across, up, lines }
    }

    /// The same with a title.
    #[must_use]
    pub fn titled(self, title: impl Into<String>) -> Self {
        Self { title: title.into(), ..self }
    }
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
        let (low, high) = self.range.unwrap_or_else(|| span(values));
        match self.log {
            Some(true) => Axis::log(low, high),
            Some(false) => Axis::from_zero(high),
            None => Axis::fitting(low, high),
        }
    }
}

/// The layers of a chart: all bands lie below all lines, and all lines below all markers.
#[derive(Default)]
struct Layers {
    bands: Vec<Markup>,
    lines: Vec<Markup>,
    markers: Vec<Markup>,
}

impl Chart {
    /// This chart with its left upper corner at `at`, and a style for each of its lines.
    pub(super) fn svg(&self, at: (f64, f64), size: (f64, f64), styles: &[Style]) -> Markup {
        let Self { title, across, up, lines } = self;
        let dots = || lines.iter().flat_map(|line| &line.points);
        let across_axis = across.axis(dots().map(|dot| dot.x));
        let up_axis = up.axis(dots().map(|dot| dot.y));
        let frame = Frame { at, size, across: across_axis, up: up_axis };
        let has_place = |dot: &Dot| {
            dot.x.is_finite() && if up_axis.is_log() { drawable(dot.y) } else { dot.y.is_finite() }
        };
        // Without a value an axis would be made up.
        let empty = !dots().any(has_place);
        let middle = at.0 + size.0 / 2.0;
        html! {
            (frame.svg(&across.title, &up.title, !empty))
            @if !title.is_empty() { (text((middle, at.1 - 9.0), title, Set::MIDDLE)) }
            @if empty {
                (text((middle, at.1 + size.1 / 2.0), self.why_empty(), Set::MIDDLE))
            } @else {
                (frame.clipped(&self.curves(&frame, styles)))
                (places(&frame, lines, styles))
            }
        }
    }

    /// What stands in place of values where there are none.
    fn why_empty(&self) -> &'static str {
        let place = |line: &Line| {
            line.look == Look::Place && line.points.iter().any(|dot| dot.x.is_finite())
        };
        if self.lines.iter().any(place) { "all diverged" } else { "nothing to draw" }
    }

    /// All lines but the labelled markers.
    fn curves(&self, frame: &Frame, styles: &[Style]) -> Markup {
        let lines = self.lines.iter().zip(styles);
        let curves: Vec<_> = lines.filter(|(line, _)| line.look != Look::Place).collect();
        let mut layers = Layers::default();
        for (n, (line, style)) in curves.iter().enumerate() {
            let first_marker = frame.at.0 + MARKER_EVERY * (n as f64 + 0.5) / curves.len() as f64;
            layers.add(frame, line, style, first_marker);
        }
        html! {
            @for layer in [&layers.bands, &layers.lines, &layers.markers] {
                @for part in layer { (part) }
            }
        }
    }
}

impl Layers {
    fn add(&mut self, frame: &Frame, line: &Line, style: &Style, first_marker: f64) {
        let Frame { across, up, .. } = frame;
        // Where a curve starts at nothing, a logarithmic axis has it start at its edge.
        let x = |dot: &Dot| if across.is_log() { dot.x.max(across.low()) } else { dot.x };
        let gap =
            |dot: &Dot| !(dot.x.is_finite() && dot.y.is_finite()) || up.is_log() && dot.y <= 0.0;
        let colour = style.colour();
        for part in line.points.split(gap).filter(|part| !part.is_empty()) {
            let places: Vec<_> = part.iter().map(|dot| frame.place(x(dot), dot.y)).collect();
            let edge = |sign: f64| {
                let y = move |dot: &Dot| {
                    let y = dot.y + sign * dot.error.unwrap_or(0.0);
                    if up.is_log() { y.max(1e-12) } else { y }
                };
                part.iter().map(move |dot| frame.place(x(dot), y(dot)))
            };
            if part.iter().any(|dot| dot.error.is_some_and(|error| error > 0.0)) {
                if matches!(line.look, Look::Points | Look::Dots) {
                    self.lines.extend(edge(1.0).zip(edge(-1.0)).map(|((x, top), (_, bottom))| {
                        let bar = format!("M{} {}V{}", Px(x), Px(top), Px(bottom));
                        html! { path d=(bar) stroke=(colour) {} }
                    }));
                } else {
                    let band = points(edge(1.0).chain(edge(-1.0).rev()));
                    self.bands.push(html! {
                        polygon points=(band) fill=(colour) fill-opacity="0.16" {}
                    });
                }
            }
            let thin = line.look == Look::Thin;
            let (dash, width) = if thin { ("1.5 3", 1.5) } else { (style.dash, 2.0) };
            if line.look != Look::Dots {
                self.lines.push(html! {
                    polyline points=(points(places.iter().copied())) fill="none" stroke=(colour)
                        stroke-width=(width) stroke-linejoin="round" stroke-dasharray=(dash) {}
                });
            }
            match (line.look, &*places) {
                (Look::Thin, _) => {}
                (Look::Points | Look::Dots, places) | (_, places @ [_]) => {
                    self.markers.extend(places.iter().map(|&(x, y)| marker(style, x, y, 3.5)));
                }
                (_, places) => self.markers.extend(markers_along(places, first_marker, style)),
            }
        }
    }
}

/// Places as the points of a line.
fn points(places: impl Iterator<Item = (f64, f64)>) -> String {
    places.map(|(x, y)| format!("{},{}", Px(x), Px(y))).collect::<Vec<_>>().join(" ")
}

/// Markers on a line, at `first` and from there on at even distances across.
fn markers_along(line: &[(f64, f64)], first: f64, style: &Style) -> Vec<Markup> {
    let mut next = first;
    let mut markers = Vec::new();
    for pair in line.windows(2) {
        let [(x0, y0), (x1, y1)] = [pair[0], pair[1]];
        if next < x0 {
            next += MARKER_EVERY * ((x0 - next) / MARKER_EVERY).ceil();
        }
        while next < x1 {
            markers.push(marker(style, next, y0 + (y1 - y0) * (next - x0) / (x1 - x0), 3.5));
            next += MARKER_EVERY;
        }
    }
    markers
}
