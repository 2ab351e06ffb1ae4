//! The lanes of the learners, and the arrows between them and the parameter server.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use maud::{Markup, html};

use super::{
    BAR, MOST_LANES, ON_COLOUR, Palette, Place, circle, colour, cross, name, name_width, width,
};
use crate::{
    svg::{Px, Set, text},
    timeline::{End, Span, Timeline},
};

/// Text size of a staleness.
const SMALL: f64 = 10.0;

/// The minibatches of all lanes, and what lies on top of them.
#[derive(Default)]
struct Marks {
    bars: Vec<Markup>,
    labels: Vec<Markup>,
    above: Vec<Markup>,
    crosses: String,
    circles: String,
}

/// All lanes.
pub(super) fn lanes(timeline: &Timeline, place: &Place, palette: &Palette, prefix: &str) -> Markup {
    let Palette { muted, alarm, .. } = palette;
    let mut marks = Marks::default();
    let (mut waits, mut aways) = (String::new(), String::new());
    for (learner, lane) in timeline.lanes.iter().enumerate().take(MOST_LANES) {
        let middle = place.lane(learner) + BAR / 2.0;
        for pause in &lane.pauses {
            let lines = if pause.away { &mut aways } else { &mut waits };
            let (from, to) = (Px(place.x(pause.from)), Px(place.x(pause.to)));
            let _ = write!(lines, "M{from} {}H{to}", Px(middle));
        }
        for &(at, _) in &lane.late {
            marks.circles += &circle(place.x(at), middle);
        }
        draw(timeline, learner, place, palette.paper, prefix, &mut marks);
    }
    let Marks { bars, labels, above, crosses, circles } = marks;
    // Arrows go behind minibatches, so that one that crosses a lane does not cross out what is in it.
    html! {
        g fill="none" stroke=(muted) {
            path d=(waits) {}
            path d=(aways) stroke=(alarm) stroke-dasharray="3 3" {}
        }
        (arrows(timeline, place, palette))
        @for bar in bars { (bar) }
        g pointer-events="none" {
            g fill=(ON_COLOUR) { @for label in labels { (label) } }
            @for label in above { (label) }
        }
        g pointer-events="none" fill="none" stroke=(alarm) stroke-width="2" {
            path d=(crosses) {}
            path d=(circles) {}
        }
    }
}

/// Left and right of a minibatch: a little apart from its neighbours, unless it reaches beyond the
/// picture or would vanish.
fn sides(span: &Span, place: &Place) -> (f64, f64) {
    let (left, right) = (place.x(span.from), place.x(span.to));
    let inset = (0.15 * (right - left)).min(1.5);
    let left = if span.from < place.from { left } else { left + inset };
    let right =
        if span.to > place.until || span.end == End::InFlight { right } else { right - inset };
    (left, right.max(left + 0.5))
}

/// The minibatches of a learner.
fn draw(
    timeline: &Timeline,
    learner: usize,
    place: &Place,
    paper: &str,
    prefix: &str,
    marks: &mut Marks,
) {
    let (top, mut free) = (place.lane(learner), 0.0);
    for span in &timeline.lanes[learner].spans {
        let (left, right) = sides(span, place);
        let (wide, middle) = (right - left, top + BAR / 2.0);
        let wasted = span.end.is_wasted();
        // The mark at the end would lie on the name.
        let (long, mark) = (name_width(span.version) + 7.0, if wasted { 9.0 } else { 0.0 });
        let named = if long + mark <= wide { long } else { 0.0 };
        if named > 0.0 {
            marks.labels.push(name((left + 4.0, middle + 4.0), span.version));
        }
        let hatched = wasted.then_some(named);
        marks.bars.push(minibatch(timeline, span, (left, top, wide), hatched, paper, prefix));
        if span.computes.is_some() {
            let [began, ended] = span.computing().map(|at| place.x(at).clamp(left, right));
            for (from, to) in [(left, began), (ended, right)] {
                marks.bars.push(on_the_way((from, top), to - from, paper));
            }
        }
        if span.to > place.until {
            continue;
        }
        let x = (right - 6.0).max((left + right) / 2.0);
        match span.end {
            End::Cancelled | End::Lost if wide >= 3.0 => {
                marks.crosses += &cross(x, middle, (wide / 3.0).min(4.0));
            }
            End::Discarded | End::Rejected if wide >= 5.0 => marks.circles += &circle(x, middle),
            End::Accepted { staleness: stale @ 1.. } => {
                let stale = format!("s={stale}");
                let needs = width(&stale, SMALL) + 4.0;
                if named + needs <= wide {
                    let at = (right - 3.0, middle + 3.5);
                    marks.labels.push(text(at, stale, Set::END.size(SMALL)));
                } else if right - 2.0 - needs >= free {
                    // Above, where nothing stands yet.
                    let at = (right - 2.0, top - 2.5);
                    marks.above.push(text(at, stale, Set::END.size(SMALL)));
                    free = right;
                }
            }
            _ => {}
        }
    }
}

/// A minibatch at left, top and of this width; hatched if it came to nothing, but for a label that is
/// so wide.
fn minibatch(
    timeline: &Timeline,
    span: &Span,
    (left, top, wide): (f64, f64, f64),
    hatched: Option<f64>,
    paper: &str,
    prefix: &str,
) -> Markup {
    let Span { learner, task, version, from, to, end, .. } = *span;
    let bar = |fill: &str, opacity: Option<&str>| {
        let (x, width) = (Px(left), Px(wide.max(0.5)));
        let radius = (wide > 6.0).then_some("2");
        html! {
            rect x=(x) y=(Px(top)) width=(width) height=(BAR) rx=[radius] fill=(fill)
                opacity=[opacity] {}
        }
    };
    let unfinished = end == End::InFlight;
    html! {
        g {
            title {
                "learner " (learner) ", task " (task) ", w" (version) ", " (from.as_secs_f64())
                " to " (to.as_secs_f64()) " s: " (fate(timeline, span))
            }
            // Arrows do not shine through.
            @if unfinished { (bar(paper, None)) }
            (bar(colour(version), unfinished.then_some(".6")))
            @if let Some(label) = hatched {
                (bar(&format!("url(#{prefix}-hatch)"), None))
                @if label > 0.0 {
                    // What is written stays readable.
                    rect x=(Px(left + 2.0)) y=(Px(top + 2.0)) width=(Px(label - 4.0))
                        height=(BAR - 4.0) rx="2" fill=(colour(version)) {}
                }
            }
        }
    }
}

/// A part of a bar in which nothing is computed.
pub(super) fn on_the_way((left, top): (f64, f64), wide: f64, paper: &str) -> Markup {
    html! {
        @if wide >= 0.5 {
            rect x=(Px(left)) y=(Px(top + 2.0)) width=(Px(wide)) height=(Px(BAR - 4.0)) fill=(paper)
                opacity=".7" pointer-events="none" {}
        }
    }
}

/// What became of a minibatch.
fn fate(timeline: &Timeline, span: &Span) -> String {
    match (span.end, timeline.update(span)) {
        (End::Accepted { staleness }, Some(update)) => {
            format!("used in w{update}, staleness {staleness}")
        }
        (End::Accepted { staleness }, None) => format!("accepted, staleness {staleness}"),
        (end, _) => end.word().to_owned(),
    }
}

/// Up from every push that was accepted, down to every learner that reads other parameters than it had.
fn arrows(timeline: &Timeline, place: &Place, palette: &Palette) -> Markup {
    let Palette { ink, muted, .. } = palette;
    let (mut pushes, mut reads) = (Vec::new(), BTreeMap::<Duration, Vec<(f64, usize)>>::new());
    for (learner, lane) in timeline.lanes.iter().enumerate().take(MOST_LANES) {
        let mut had = None;
        for span in &lane.spans {
            let (left, right) = sides(span, place);
            if matches!(span.end, End::Accepted { .. }) && span.to <= place.until {
                pushes.push((right - 0.5, learner));
            }
            if had != Some(span.version) && span.from >= place.from {
                reads.entry(span.from).or_default().push((left + 0.5, learner));
            }
            had = Some(span.version);
        }
    }
    let (mut up, mut heads) = (String::new(), String::new());
    if place.has_room(pushes.len()) {
        for (x, learner) in pushes {
            let (x, tip) = (Px(x), Px(place.server + 5.5));
            let _ = write!(up, "M{x} {}V{tip}", Px(place.lane(learner)));
            let _ = write!(heads, "M{x} {tip}l-2.8 6h5.6z");
        }
    }
    let (mut down, mut feet) = (String::new(), String::new());
    if place.has_room(reads.len()) {
        for group in reads.values() {
            // Whoever is lowest has the longest arrow, and those above have their heads on it.
            for &(x, learner) in group {
                let _ = write!(feet, "M{} {}l-2.8 -6h5.6z", Px(x), Px(place.lane(learner)));
            }
            if let Some(&(x, learner)) = group.last() {
                let (server, lane) = (Px(place.server), Px(place.lane(learner) - 1.0));
                let _ = write!(down, "M{} {server}V{lane}", Px(x));
            }
        }
    }
    html! {
        g fill=(muted) stroke="none" {
            path d=(down) fill="none" stroke=(muted) {}
            path d=(feet) {}
        }
        g fill=(ink) { path d=(up) fill="none" stroke=(ink) {} path d=(heads) {} }
    }
}
