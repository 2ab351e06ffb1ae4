//! A timeline as a picture, drawn as talks that explain these variants draw it (Dutta et al. 2018,
//! figures 3 and 4): lanes in which every minibatch has the colour of the version it was computed at,
//! pushes that go up to the parameter server, and parameters that come down.
//!
//! What does not fit is left out: labels first, then arrows.

mod lanes;
mod legend;
mod server;

use std::{fmt::Write as _, time::Duration};

use maud::{Markup, html};

use self::{lanes::lanes, legend::legend, server::server};
use super::{Timeline, ticks};
use crate::{
    raster,
    svg::{Px, Set, document, text},
};

/// Text size, in logical pixels.
const SIZE: f64 = 12.0;
const LEFT: f64 = 66.0;
const RIGHT: f64 = 14.0;
/// From the top of a lane to the top of the next.
const PITCH: f64 = 36.0;
/// Height of a minibatch.
const BAR: f64 = 20.0;
/// Learners that are drawn at most.
const MOST_LANES: usize = 64;
/// What the minibatches of a version are filled with, in turn: light enough for dark text, and told
/// apart by colour-blind people (after Okabe and Ito 2008).
const COLOURS: [&str; 7] =
    ["#86c5ea", "#f4b860", "#7fcfae", "#e5a3c4", "#f0e07a", "#a3b4e8", "#ef9d7e"];
/// What is written on them, in the light and in the dark.
const ON_COLOUR: &str = "#1b1b1b";

/// The colours of a picture but those of the versions: whatever SVG takes for a paint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Palette {
    /// Text and marks.
    pub ink: &'static str,
    /// Arrows, and the lines of learners that wait.
    pub muted: &'static str,
    /// Lines at round moments.
    pub grid: &'static str,
    /// What is behind all.
    pub paper: &'static str,
    /// What says that work came to nothing.
    pub alarm: &'static str,
}

impl Palette {
    /// On white.
    pub const LIGHT: Self =
        Self { ink: "#222", muted: "#8a8a8a", grid: "#e8e8e8", paper: "#fff", alarm: "#c0392b" };
    /// As the CSS variables `--ink`, `--muted`, `--grid`, `--paper` and `--alarm` of the page say, and
    /// on white where it says nothing. Only browsers know such paints.
    pub const OF_PAGE: Self = Self {
        ink: "var(--ink, #222)",
        muted: "var(--muted, #8a8a8a)",
        grid: "var(--grid, #e8e8e8)",
        paper: "var(--paper, #fff)",
        alarm: "var(--alarm, #c0392b)",
    };
}

/// How a picture is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Stands above; nothing if it is empty.
    pub title: String,
    /// In logical pixels; the height comes of the learners.
    pub width: f64,
    /// Its colours.
    pub palette: Palette,
    /// Whether it brings its own background.
    pub background: bool,
    /// What its ids begin with, so that several pictures can be on one page.
    pub prefix: String,
}

impl Look {
    /// A picture in a file of its own, on white.
    pub fn picture() -> Self {
        Self {
            title: String::new(),
            width: 560.0,
            palette: Palette::LIGHT,
            background: true,
            prefix: "timeline".to_owned(),
        }
    }

    /// A picture within an HTML page, in the colours of the page and on its background. Each picture
    /// of the page needs another `prefix`.
    pub fn of_page(prefix: &str) -> Self {
        Self {
            width: 860.0,
            palette: Palette::OF_PAGE,
            background: false,
            prefix: prefix.to_owned(),
            ..Self::picture()
        }
    }
}

/// Draws the timeline: the same bytes for the same timeline and look.
pub fn svg(timeline: &Timeline, look: &Look) -> String {
    let lanes_drawn = timeline.lanes.len().min(MOST_LANES);
    let top = if look.title.is_empty() { 30.0 } else { 54.0 };
    let place = Place {
        from: timeline.from,
        until: timeline.until,
        width: (look.width - LEFT - RIGHT).max(50.0),
        server: top,
        lanes: top + 30.0,
        bottom: top + 30.0 + PITCH * lanes_drawn as f64 - PITCH + BAR + 10.0,
    };
    let Look { title, palette, prefix, .. } = look;
    let below = place.bottom + 20.0;
    let (legend, height) = legend(timeline, &place, palette, prefix, below + 24.0);
    let (width, height) = (Px(place.width + LEFT + RIGHT), Px(height));
    document(&html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(width) height=(height)
            viewBox={ "0 0 " (width) " " (height) } style="max-width:100%;height:auto" role="img"
            aria-label={ "timeline " (title) }
            font-family={ (raster::FONT_FAMILY) ", sans-serif" } font-size=(SIZE)
            fill=(palette.ink)
        {
            defs {
                pattern id={ (prefix) "-hatch" } width="6" height="6" patternUnits="userSpaceOnUse"
                    patternTransform="rotate(45)"
                {
                    path d="M0 0V6" stroke=(palette.paper) stroke-width="6" {}
                }
            }
            @if look.background { rect width=(width) height=(height) fill=(palette.paper) {} }
            @if !title.is_empty() { (text((LEFT - 56.0, 22.0), title, Set::START.size(15.0))) }
            (axis(timeline, &place, palette, below))
            (lanes(timeline, &place, palette, prefix))
            (server(timeline, &place, palette))
            (legend)
        }
    })
}

/// Where everything lies, in logical pixels.
struct Place {
    from: Duration,
    until: Duration,
    /// Of the lanes.
    width: f64,
    /// The line of the parameter server.
    server: f64,
    /// The top of the first lane.
    lanes: f64,
    /// Where the lines of the axis end.
    bottom: f64,
}

impl Place {
    /// Where a moment is.
    fn x(&self, at: Duration) -> f64 {
        let whole = self.until.saturating_sub(self.from).as_secs_f64().max(1e-9);
        let share = at.saturating_sub(self.from).as_secs_f64() / whole;
        LEFT + self.width * share.min(1.0)
    }

    /// The top of a learner's lane.
    fn lane(&self, learner: usize) -> f64 {
        self.lanes + PITCH * learner as f64
    }

    /// Whether there is room for so many arrows.
    fn has_room(&self, arrows: usize) -> bool {
        arrows as f64 * 7.0 <= self.width
    }
}

/// Lines at round moments, the names of the lanes, and run time.
fn axis(timeline: &Timeline, place: &Place, palette: &Palette, below: f64) -> Markup {
    let Palette { muted, grid, .. } = palette;
    let (server, bottom) = (Px(place.server), Px(place.bottom));
    let x = |seconds: f64| place.x(Duration::from_secs_f64(seconds));
    let ticks = ticks(place.from, place.until, (place.width / 60.0) as usize);
    let mut lines = String::new();
    for (value, _) in &ticks {
        let _ = write!(lines, "M{} {server}V{bottom}", Px(x(*value)));
    }
    let name = |y: f64, name: &str| text((LEFT - 10.0, y), name, Set::START);
    html! {
        path d=(lines) stroke=(grid) {}
        g fill=(muted) font-size="11" text-anchor="middle" {
            @for (value, label) in &ticks {
                (text((x(*value), below), format_args!("{label} s"), Set::START))
            }
        }
        g text-anchor="end" {
            (name(place.server + 4.0, "server"))
            @for learner in 0..timeline.lanes.len().min(MOST_LANES) {
                (name(place.lane(learner) + BAR / 2.0 + 4.0, &format!("learner {learner}")))
            }
        }
    }
}

/// The colour of a version.
fn colour(version: u64) -> &'static str {
    COLOURS[(version % COLOURS.len() as u64) as usize]
}

/// w_j at a place, as it is written.
fn name((x, y): (f64, f64), version: u64) -> Markup {
    html! { text x=(Px(x)) y=(Px(y)) { "w" tspan dy="3" font-size="9" { (version) } } }
}

/// About how wide that is, in the size of most text.
fn name_width(version: u64) -> f64 {
    0.78 * SIZE + 5.2 * version.to_string().len() as f64
}

/// About how wide a text is.
fn width(text: &str, size: f64) -> f64 {
    0.56 * size * text.chars().count() as f64
}

/// A cross.
fn cross(x: f64, y: f64, half: f64) -> String {
    let (left, up, d) = (Px(x - half), Px(y - half), Px(2.0 * half));
    format!("M{left} {up}l{d} {d}m-{d} 0l{d} -{d}")
}

/// A circle.
fn circle(x: f64, y: f64) -> String {
    format!("M{} {}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0", Px(x - 3.5), Px(y))
}
