//! What there is to be seen in a picture, and what it means.

use maud::{Markup, html};

use super::{LEFT, Palette, Place, RIGHT, circle, colour, cross, width};
use crate::{
    svg::{Px, Set, text},
    timeline::{End, Timeline},
};

/// Text size.
const SIZE: f64 = 11.0;
/// Room for the sign before the words.
const SIGN: f64 = 30.0;
/// From the top of a sign to its base line.
const BASE: f64 = 10.0;
const LINE: f64 = 18.0;

/// The legend from `top` on, in as many lines as it needs, and where the picture ends.
pub(super) fn legend(
    timeline: &Timeline,
    place: &Place,
    palette: &Palette,
    prefix: &str,
    top: f64,
) -> (Markup, f64) {
    let (mut groups, mut x, mut y) = (Vec::new(), LEFT, top);
    for (words, sign) in entries(timeline, place, palette, prefix) {
        let wide = SIGN + width(words, SIZE) + 14.0;
        if x > LEFT && x + wide > LEFT + place.width + RIGHT {
            (x, y) = (LEFT, y + LINE);
        }
        groups.push(html! {
            g transform={ "translate(" (Px(x)) " " (Px(y - BASE)) ")" } {
                (sign)
                (text((SIGN, BASE), words, Set::START))
            }
        });
        x += wide;
    }
    (html! { g font-size=(SIZE) { @for group in groups { (group) } } }, y + 12.0)
}

/// What is seen, and its signs, each with its top at 0.
fn entries(
    timeline: &Timeline,
    place: &Place,
    palette: &Palette,
    prefix: &str,
) -> Vec<(&'static str, Markup)> {
    let Palette { ink, muted, alarm, paper, .. } = palette;
    let travels =
        timeline.lanes.iter().flat_map(|lane| &lane.spans).any(|span| span.computes.is_some());
    let spans = || timeline.lanes.iter().flat_map(|lane| &lane.spans).map(|span| span.end);
    let pauses = || timeline.lanes.iter().flat_map(|lane| &lane.pauses).map(|pause| pause.away);
    let late = timeline.lanes.iter().any(|lane| !lane.late.is_empty());
    let stale = |end: End| matches!(end, End::Accepted { staleness: 1.. });
    let dropped = |end: End| matches!(end, End::Discarded | End::Rejected);
    let pushes = spans().filter(|end| matches!(end, End::Accepted { .. })).count();

    let bar = html! { rect y="0" width="24" height="12" rx="2" fill=(colour(0)) {} };
    let wasted = |mark: String| {
        html! {
            (bar)
            rect y="0" width="24" height="12" fill={ "url(#" (prefix) "-hatch)" } {}
            path d=(mark) fill="none" stroke=(alarm) stroke-width="2" {}
        }
    };
    let arrow = |line: &str, head: &str, colour: &str| {
        html! { path d=(line) stroke=(colour) {} path d=(head) fill=(colour) {} }
    };
    let line = |colour: &str, dash: Option<&str>| {
        html! { path d="M0 6h24" stroke=(colour) stroke-dasharray=[dash] {} }
    };
    let crossed = wasted(cross(17.0, 6.0, 3.5));
    let entries = [
        (true, "computes", bar.clone()),
        (
            travels,
            "on the way",
            html! {
                (bar)
                rect x="0" y="2" width="24" height="8" fill=(paper) opacity=".7" {}
            },
        ),
        (
            pushes > 0 && place.has_room(pushes),
            "push",
            arrow("M18 11V-1", "M18 -1l-2.8 6h5.6z", ink),
        ),
        (true, "read", arrow("M18 -1V11", "M18 11l-2.8 -6h5.6z", muted)),
        (pauses().any(|away| !away), "waits", line(muted, None)),
        (spans().any(|end| end == End::Cancelled), "cancelled", crossed.clone()),
        (spans().any(dropped) || late, "dropped", wasted(circle(17.0, 6.0))),
        (spans().any(|end| end == End::Lost), "lost", crossed),
        (pauses().any(|away| away), "away", line(alarm, Some("3 3"))),
        (spans().any(stale), "staleness", text((0.0, BASE), "s=1", Set::START)),
    ];
    let seen = entries.into_iter().filter(|(seen, ..)| *seen);
    seen.map(|(_, words, sign)| (words, sign)).collect()
}
