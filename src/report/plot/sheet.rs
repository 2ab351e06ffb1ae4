//! A sheet: charts side by side, one legend for all of them, and a caption; as SVG and as PNG.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use super::{
    super::style::{Style, styles},
    chart::{Chart, Look},
    frame::marker,
};
use crate::{
    Result, raster,
    record::write_whole,
    svg::{text, wrap},
};

const PANEL: (f64, f64) = (430.0, 330.0);
const LEFT: f64 = 68.0;
const TOP: f64 = 24.0;
const BELOW: f64 = 68.0;
const GAP: f64 = 84.0;
const LEGEND_LINE: f64 = 21.0;
const CAPTION: f64 = 26.0;
/// Text size, in logical pixels.
const SIZE: f64 = 13.0;
/// Charts in a row at most.
const ACROSS: usize = 3;

/// Charts that belong together.
#[derive(Debug, Clone, PartialEq)]
pub struct Sheet {
    /// Up to three in a row.
    pub charts: Vec<Chart>,
    /// What thin lines are, for the legend: what theory says, say.
    pub thin: String,
    /// Stands below.
    pub caption: String,
}

impl Sheet {
    /// Draws the sheet into `stem.svg` and `stem.png` and returns these files.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn draw(&self, stem: &Path) -> Result<[PathBuf; 2]> {
        let svg = self.svg();
        let [vector, pixels] = ["svg", "png"].map(|ending| stem.with_extension(ending));
        write_whole(&vector, svg.as_bytes())?;
        write_whole(&pixels, &raster::png(&svg))?;
        Ok([vector, pixels])
    }

    fn svg(&self) -> String {
        let lines = || self.charts.iter().flat_map(|chart| &chart.lines);
        let mut names: Vec<&str> = Vec::new();
        for line in lines() {
            if !names.contains(&&*line.name) {
                names.push(&line.name);
            }
        }
        let looks = styles(names.iter().copied());
        let style = |name: &str| -> Style {
            let at = names.iter().position(|known| *known == name);
            looks[at.expect("every line has its name among the names")].clone()
        };
        let across = match self.charts.len() {
            4 => 2,
            n => n.clamp(1, ACROSS),
        };
        let rows = self.charts.len().div_ceil(across).max(1);
        let mut panels = String::new();
        for (n, chart) in self.charts.iter().enumerate() {
            let x = LEFT + (PANEL.0 + GAP) * (n % across) as f64;
            let y = TOP + (PANEL.1 + BELOW + TOP) * (n / across) as f64;
            panels += &chart.svg((x, y), PANEL, &style);
        }
        let width = LEFT + PANEL.0 * across as f64 + GAP * (across - 1) as f64 + 24.0;
        let below = (PANEL.1 + BELOW + TOP) * rows as f64;

        // Places are named where they stand.
        let mut legend: Vec<(&str, Style, Key)> = Vec::new();
        for (&name, style) in names.iter().zip(&looks) {
            let all: Vec<Look> =
                lines().filter(|line| line.name == name).map(|line| line.look).collect();
            if all.iter().any(|look| *look != Look::Place) {
                legend.push((name, style.clone(), Key::of(&all)));
            }
        }
        if !self.thin.is_empty() && lines().any(|line| line.look == Look::Thin) {
            let grey = Style { rgb: [0x55; 3], dash: "", marker: 0, hollow: false };
            legend.push((&self.thin, grey, Key::Thin));
        }
        let (entries, height) = entries(&legend, width, below);
        let (caption, height) = caption(&self.caption, width, height);
        let family = raster::FONT_FAMILY;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"{family}, sans-serif\" \
             font-size=\"{SIZE}\" fill=\"#222\">\n\
             <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n\
             {panels}{entries}{caption}</svg>\n"
        )
    }
}

/// How a name shows in the legend.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Key {
    Line,
    Thin,
    Dot,
}

impl Key {
    fn of(looks: &[Look]) -> Self {
        match looks {
            _ if looks.iter().any(|look| matches!(look, Look::Curve | Look::Points)) => Self::Line,
            _ if looks.contains(&Look::Dots) => Self::Dot,
            _ => Self::Thin,
        }
    }
}

/// The legend in as many columns as fit, and where it ends.
fn entries(legend: &[(&str, Style, Key)], width: f64, top: f64) -> (String, f64) {
    let longest = legend.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0);
    let column = 60.0 + 0.56 * SIZE * longest as f64;
    let columns = (((width - LEFT) / column) as usize).clamp(1, legend.len().max(1));
    let mut svg = String::new();
    for (at, (name, style, key)) in legend.iter().enumerate() {
        let x = LEFT + column * (at % columns) as f64;
        let y = top + LEGEND_LINE * (at / columns) as f64;
        let (colour, dash) = (style.colour(), style.dash);
        let (end, middle) = (x + 34.0, y - 4.5);
        let (dash, stroke) = match key {
            Key::Line => (dash, 2.5),
            Key::Thin => ("1.5 3", 1.5),
            Key::Dot => ("", 0.0),
        };
        let mark = match key {
            Key::Thin => String::new(),
            _ => marker(style, x + 17.0, middle, 3.5),
        };
        let _ = writeln!(
            svg,
            "<line x1=\"{x}\" x2=\"{end}\" y1=\"{middle}\" y2=\"{middle}\" stroke=\"{colour}\" \
             stroke-width=\"{stroke}\" stroke-dasharray=\"{dash}\"/>\
             {mark}{}",
            text(&format!("x=\"{}\" y=\"{y}\"", x + 42.0), name)
        );
    }
    (svg, top + LEGEND_LINE * legend.len().div_ceil(columns) as f64 + 4.0)
}

/// The caption in as many lines as it needs, and where it ends.
fn caption(whole: &str, width: f64, top: f64) -> (String, f64) {
    let (mut svg, mut height) = (String::new(), top);
    for line in wrap(whole, ((width - LEFT) / (0.53 * (SIZE - 2.0))) as usize) {
        let size = SIZE - 2.0;
        let place = format!("x=\"{LEFT}\" y=\"{height}\" font-size=\"{size}\" fill=\"#555\"");
        svg += &(text(&place, line) + "\n");
        height += 16.0;
    }
    (svg, height + CAPTION - 16.0)
}
