//! A sheet: charts side by side, one legend for all of them, and a caption; as SVG and as PNG.

use std::path::{Path, PathBuf};

use maud::{Markup, html};

use super::{
    super::{
        entrant::Name,
        style::{Style, styles},
    },
    chart::Chart,
    line::{Line, Look},
    marker::marker,
};
use crate::{
    Result, raster,
    svg::{self, Px, Set, text},
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
    /// Charts with this caption, and nothing to say of thin lines.
    pub fn new(charts: Vec<Chart>, caption: impl Into<String>) -> Self {
        Self { charts, thin: String::new(), caption: caption.into() }
    }

    /// The same, with what thin lines are.
    #[must_use]
    pub fn with_thin(self, thin: &str) -> Self {
        Self { thin: thin.to_owned(), ..self }
    }

    /// Draws the sheet into `stem.svg` and `stem.png` and returns these files.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn draw(&self, stem: &Path) -> Result<[PathBuf; 2]> {
        raster::write_both(stem, &self.svg())
    }

    fn svg(&self) -> String {
        let mut names: Vec<&Name> = Vec::new();
        for line in self.lines() {
            if !names.contains(&&line.name) {
                names.push(&line.name);
            }
        }
        let looks = styles(names.iter().copied());
        let style = |line: &Line| -> Style {
            let at = names.iter().position(|known| **known == line.name);
            looks[at.expect("every line has its name among the names")].clone()
        };
        let across = match self.charts.len() {
            4 => 2,
            n => n.clamp(1, ACROSS),
        };
        let rows = self.charts.len().div_ceil(across).max(1);
        let width = LEFT + PANEL.0 * across as f64 + GAP * (across - 1) as f64 + 24.0;
        let below = (PANEL.1 + BELOW + TOP) * rows as f64;
        let (legend, below) = entries(&self.legend(&names, &looks), width, below);
        let most = ((width - LEFT) / (0.53 * (SIZE - 2.0))) as usize;
        let (caption, height) = svg::caption((LEFT, below), &self.caption, most, SIZE - 2.0);
        let content = html! {
            @for (n, chart) in self.charts.iter().enumerate() {
                @let x = LEFT + (PANEL.0 + GAP) * (n % across) as f64;
                @let y = TOP + (PANEL.1 + BELOW + TOP) * (n / across) as f64;
                @let styles: Vec<_> = chart.lines.iter().map(style).collect();
                (chart.svg((x, y), PANEL, &styles))
            }
            (legend)
            (caption)
        };
        svg::picture((width, height + CAPTION - 16.0), SIZE, &content)
    }

    fn lines(&self) -> impl Iterator<Item = &Line> {
        self.charts.iter().flat_map(|chart| &chart.lines)
    }

    /// What stands in the legend: all but places, which are named where they stand.
    fn legend(&self, names: &[&Name], looks: &[Style]) -> Vec<(String, Style, Key)> {
        let mut legend = Vec::new();
        for (&name, style) in names.iter().zip(looks) {
            let all: Vec<Look> =
                self.lines().filter(|line| line.name == *name).map(|line| line.look).collect();
            if all.iter().any(|look| *look != Look::Place) {
                legend.push((name.to_string(), style.clone(), Key::of(&all)));
            }
        }
        if !self.thin.is_empty() && self.lines().any(|line| line.look == Look::Thin) {
            let grey = Style { rgb: [0x55; 3], dash: "", marker: 0, hollow: false };
            legend.push((self.thin.clone(), grey, Key::Thin));
        }
        legend
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
fn entries(legend: &[(String, Style, Key)], width: f64, top: f64) -> (Markup, f64) {
    let longest = legend.iter().map(|(name, ..)| name.chars().count()).max().unwrap_or(0);
    let column = 60.0 + 0.56 * SIZE * longest as f64;
    let columns = (((width - LEFT) / column) as usize).clamp(1, legend.len().max(1));
    let drawn = html! {
        @for (at, (name, style, key)) in legend.iter().enumerate() {
            @let x = LEFT + column * (at % columns) as f64;
            @let y = top + LEGEND_LINE * (at / columns) as f64;
            @let middle = Px(y - 4.5);
            @let (dash, stroke) = match key {
                Key::Line => (style.dash, 2.5),
                Key::Thin => ("1.5 3", 1.5),
                Key::Dot => ("", 0.0),
            };
            line x1=(Px(x)) x2=(Px(x + 34.0)) y1=(middle) y2=(middle) stroke=(style.colour())
                stroke-width=(stroke) stroke-dasharray=(dash) {}
            @if *key != Key::Thin { (marker(style, x + 17.0, y - 4.5, 3.5)) }
            (text((x + 42.0, y), name, Set::START))
        }
    };
    (drawn, top + LEGEND_LINE * legend.len().div_ceil(columns) as f64 + 4.0)
}
