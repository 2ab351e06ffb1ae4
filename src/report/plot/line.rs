//! The lines of a chart, and their points.

use super::super::entrant::Name;

/// A named line.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What it is in the legend; its first word, up to a colon, decides its colour.
    pub name: Name,
    /// How it is drawn, with a line or with markers.
    pub look: Look,
    /// In the order of the line. What is no number, or has no place on the axes, breaks it.
    pub points: Vec<Dot>,
}

impl Line {
    /// A line through these points.
    pub fn new(name: impl Into<Name>, look: Look, points: impl IntoIterator<Item = Dot>) -> Self {
        Self { name: name.into(), look, points: points.into_iter().collect() }
    }
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
