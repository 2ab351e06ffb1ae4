//! Colours and marks of a terminal: an entrant has those of the pictures in the report.

use std::env;

use ratatui::style::{Color, Modifier, Style};

use crate::report::{
    Name,
    style::{self, styles},
};

/// What colours the terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// None are wanted.
    None,
    /// The 256 of xterm.
    Indexed,
    /// All.
    True,
}

/// Full and hollow marks: circle, square, triangle, diamond, triangle on its tip, plus.
const MARKS: [[&str; 2]; 6] =
    [["●", "○"], ["■", "□"], ["▲", "△"], ["◆", "◇"], ["▼", "▽"], ["✚", "+"]];

/// The look of an entrant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntrantStyle {
    pub(super) colour: Color,
    pub(super) mark: &'static str,
}

impl EntrantStyle {
    pub(super) fn style(self) -> Style {
        Style::new().fg(self.colour)
    }
}

/// The looks of everything.
#[derive(Debug, Clone)]
pub(super) struct Palette {
    depth: Depth,
    pub(super) entrants: Vec<EntrantStyle>,
}

impl Depth {
    /// What the environment says of the terminal.
    pub(super) fn of_environment() -> Self {
        if env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
            return Self::None;
        }
        match env::var("COLORTERM").as_deref() {
            Ok("truecolor" | "24bit") => Self::True,
            _ => Self::Indexed,
        }
    }
}

impl Palette {
    pub(super) fn new<'a>(depth: Depth, names: impl Iterator<Item = &'a str>) -> Self {
        let names: Vec<Name> = names.map(Name::from).collect();
        let look = |style: style::Style| EntrantStyle {
            colour: colour(depth, style.rgb),
            mark: MARKS[style.marker % MARKS.len()][usize::from(style.hollow)],
        };
        Self { depth, entrants: styles(names.iter()).into_iter().map(look).collect() }
    }

    /// The look of the entrant at this place.
    pub(super) fn entrant(&self, place: usize) -> EntrantStyle {
        let plain = EntrantStyle { colour: Color::Reset, mark: MARKS[0][0] };
        self.entrants.get(place).copied().unwrap_or(plain)
    }

    /// What is not to catch the eye.
    pub(super) fn faint(&self) -> Style {
        match self.depth {
            Depth::None => Style::new().add_modifier(Modifier::DIM),
            _ => Style::new().fg(self.grey()),
        }
    }

    /// The colour of what is not to catch the eye.
    pub(super) fn grey(&self) -> Color {
        if self.depth == Depth::None { Color::Reset } else { Color::Indexed(244) }
    }

    /// What went wrong.
    pub(super) fn alarm(&self) -> Style {
        let style = Style::new().add_modifier(Modifier::BOLD);
        if self.depth == Depth::None { style } else { style.fg(Color::Red) }
    }

    /// Work that came to nothing.
    pub(super) fn waste(&self) -> Style {
        if self.depth == Depth::None { Style::new() } else { Style::new().fg(Color::Indexed(137)) }
    }
}

/// A colour of the pictures, which are on white. Black is what the terminal writes in.
fn colour(depth: Depth, rgb: [u8; 3]) -> Color {
    let [r, g, b] = rgb;
    match depth {
        Depth::None => Color::Reset,
        _ if rgb == [0; 3] => Color::Reset,
        Depth::True => Color::Rgb(r, g, b),
        Depth::Indexed => Color::Indexed(nearest(rgb)),
    }
}

/// The nearest colour of the cube of 6 x 6 x 6 in xterm's 256.
fn nearest(rgb: [u8; 3]) -> u8 {
    const LEVELS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let [r, g, b] = rgb.map(|channel| {
        let distance = |level: &u8| LEVELS[usize::from(*level)].abs_diff(channel);
        (0..6).min_by_key(distance).expect("there are six levels")
    });
    16 + 36 * r + 6 * g + b
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIX: [&str; 6] =
        ["sync", "k-sync:4", "k-batch-sync:4", "async", "k-async:4", "k-batch-async:4"];

    fn looks(depth: Depth, names: &[&'static str]) -> Vec<EntrantStyle> {
        Palette::new(depth, names.iter().copied()).entrants
    }

    #[test]
    fn an_entrant_has_the_colour_of_the_report() {
        let [sync, k_sync, ..] = looks(Depth::True, &SIX)[..] else { panic!("six names") };
        assert_eq!((sync.colour, sync.mark), (Color::Reset, "●"));
        assert_eq!((k_sync.colour, k_sync.mark), (Color::Rgb(0x00, 0x72, 0xb2), "■"));
        let indexed: Vec<Color> = looks(Depth::Indexed, &SIX).iter().map(|l| l.colour).collect();
        assert_eq!(indexed[1], Color::Indexed(16 + 6 + 3));
        assert!((1..6).all(|at| !indexed[..at].contains(&indexed[at])), "{indexed:?}");
    }

    #[test]
    fn without_colours_entrants_differ_by_their_marks() {
        let looks = looks(Depth::None, &[&SIX[..], &["k-sync:2"]].concat());
        assert!(looks.iter().all(|look| look.colour == Color::Reset));
        assert!((1..7).all(|at| looks[..at].iter().all(|look| look.mark != looks[at].mark)));
    }
}
