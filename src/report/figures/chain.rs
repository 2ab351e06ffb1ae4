//! How the staleness of two learners changes from update to update under async: the states that slide 87
//! of the talk on Dutta et al. 2018 lists, and the ways between them.

use std::path::{Path, PathBuf};

use maud::{Markup, html};

use super::super::style::hex;
use crate::{
    Result, raster,
    svg::{self, Px, Set, text},
    theory::staleness::chain::{Chain, State},
};

const SIZE: (f64, f64) = (800.0, 384.0);
const FONT_SIZE: f64 = 14.0;
/// Where the start is, and how far the others are from each other.
const START: (f64, f64) = (70.0, 158.0);
const ACROSS: f64 = 160.0;
const DOWN: f64 = 104.0;
const RADIUS: f64 = 27.0;
/// Colours of an update that the first learner makes, and of one that the second does (Okabe and Ito 2008).
const PUSHES: [[u8; 3]; 2] = [[0x00, 0x72, 0xb2], [0xd5, 0x5e, 0x00]];
/// The largest staleness that is drawn.
const MOST: u64 = 4;

/// Draws `staleness-chain` into `directory`.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn draw(directory: &Path) -> Result<Vec<PathBuf>> {
    Ok(raster::write_both(&directory.join("staleness-chain"), &picture())?.into())
}

fn picture() -> String {
    let chain = Chain::new(2, 1);
    let of = |a, b| State(vec![a, b]);
    let states: Vec<State> =
        [of(0, 0)].into_iter().chain((1..=MOST).flat_map(|s| [of(0, s), of(s, 0)])).collect();
    let content = html! {
        @for (learner, colour) in PUSHES.iter().enumerate() {
            marker id={ "arrow" (learner) } viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7"
                markerHeight="7" orient="auto" { path d="M0 0L10 5L0 10z" fill=(hex(*colour)) {} }
        }
        @for state in &states {
            @for (next, _) in chain.successors(state) { (arrow(state, &next)) }
        }
        @for state in &states { (circle(state, &chain)) }
        (legend())
    };
    svg::picture(SIZE, FONT_SIZE, &content)
}

/// Where a state is: above where the first learner made the last update, below where the second did.
fn place(state: &State) -> (f64, f64) {
    let (x, y) = START;
    match state.0[..] {
        [0, 0] => (x, y),
        [0, s] => (x + ACROSS * s as f64, y - DOWN),
        _ => (x + ACROSS * state.0[0] as f64, y + DOWN),
    }
}

/// An update: the learner that makes it is at 0 afterwards.
fn arrow(from: &State, to: &State) -> Markup {
    let learner = usize::from(to.0[0] != 0);
    let ((x, y), (to_x, to_y)) = (place(from), place(to));
    let length = (to_x - x).hypot(to_y - y);
    let (along, up) = ((to_x - x) / length, (to_y - y) / length);
    // A way there and back is two arrows side by side, to the left of where they go.
    let aside = if x == to_x { 9.0 } else { 0.0 };
    let (dx, dy) = (up * aside, -along * aside);
    let from = (x + RADIUS * along + dx, y + RADIUS * up + dy);
    let until = (to_x - (RADIUS + 3.0) * along + dx, to_y - (RADIUS + 3.0) * up + dy);
    let beyond = to_x > START.0 + ACROSS * MOST as f64;
    html! {
        line x1=(Px(from.0)) y1=(Px(from.1)) x2=(Px(until.0.min(SIZE.0 - 6.0))) y2=(Px(until.1))
            stroke=(hex(PUSHES[learner])) stroke-width="1.8" stroke-dasharray=[beyond.then_some("3 4")]
            marker-end=[(!beyond).then(|| format!("url(#arrow{learner})"))] {}
    }
}

/// A state, with its probability in the long run.
fn circle(state: &State, chain: &Chain) -> Markup {
    let (x, y) = place(state);
    let probability = chain.stationary(state);
    let (share, above) = match probability {
        0.0 => ("start".to_owned(), y < START.1),
        _ => (format!("{} %", 100.0 * probability), y < START.1),
    };
    let label = if above { y - RADIUS - 8.0 } else { y + RADIUS + 18.0 };
    html! {
        circle cx=(Px(x)) cy=(Px(y)) r=(Px(RADIUS)) fill="#fff" stroke="#222" stroke-width="1.5" {}
        (text((x, y + 5.0), state, Set::MIDDLE))
        (text((x, label), share, Set::MIDDLE.size(FONT_SIZE - 2.0).fill("#555")))
    }
}

fn legend() -> Markup {
    let y = SIZE.1 - 38.0;
    html! {
        @for (learner, (colour, name)) in PUSHES.iter().zip(["first", "second"]).enumerate() {
            @let x = 30.0 + 300.0 * learner as f64;
            line x1=(Px(x)) y1=(Px(y - 5.0)) x2=(Px(x + 34.0)) y2=(Px(y - 5.0)) stroke=(hex(*colour))
                stroke-width="1.8" marker-end={ "url(#arrow" (learner) ")" } {}
            (text((x + 44.0, y), format!("the {name} learner pushes (1/2)"), Set::START))
        }
        (text(
            (30.0, SIZE.1 - 12.0),
            "(a,b): how stale the parameters of the two learners are. Percentages: share of the updates in \
             the long run.",
            Set::START.size(FONT_SIZE - 2.0).fill("#555"),
        ))
    }
}
