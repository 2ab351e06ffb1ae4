//! The lanes of the learners, and the arrows between them and the parameter server.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use super::{
    BAR, MOST_LANES, ON_COLOUR, Palette, Place, colour, cross, n, name, name_width, width,
};
use crate::timeline::{End, Lane, Span, Timeline};

/// Text size of a staleness.
const SMALL: f64 = 10.0;

/// What lies on top of the minibatches, gathered for all lanes.
#[derive(Default)]
struct Marks {
    bars: String,
    labels: String,
    above: String,
    crosses: String,
    circles: String,
}

/// All lanes.
pub(super) fn lanes(timeline: &Timeline, place: &Place, palette: &Palette, prefix: &str) -> String {
    let Palette { muted, alarm, .. } = palette;
    let mut marks = Marks::default();
    let (mut waits, mut aways) = (String::new(), String::new());
    for (learner, lane) in timeline.lanes.iter().enumerate().take(MOST_LANES) {
        let top = place.lane(learner);
        for pause in &lane.pauses {
            let lines = if pause.away { &mut aways } else { &mut waits };
            let (x, to, y) = (place.x(pause.from), place.x(pause.to), n(top + BAR / 2.0));
            let _ = write!(lines, "M{} {y}H{}", n(x), n(to));
        }
        for &(at, _) in &lane.late {
            let _ = write!(marks.circles, "{}", circle(place.x(at), top + BAR / 2.0));
        }
        draw(learner, lane, place, (palette.paper, prefix), &mut marks);
    }
    let Marks { bars, labels, above, crosses, circles } = marks;
    // Arrows go behind minibatches, so that one that crosses a lane does not cross out what is in it.
    format!(
        "<g fill=\"none\" stroke=\"{muted}\"><path d=\"{waits}\"/>\
         <path d=\"{aways}\" stroke=\"{alarm}\" stroke-dasharray=\"3 3\"/></g>\n\
         {arrows}{bars}\
         <g pointer-events=\"none\"><g fill=\"{ON_COLOUR}\">{labels}</g>{above}</g>\n\
         <g pointer-events=\"none\" fill=\"none\" stroke=\"{alarm}\" stroke-width=\"2\"><path d=\"{crosses}\"/>\
         <path d=\"{circles}\"/></g>\n",
        arrows = arrows(timeline, place, palette),
    )
}

/// Left and right of a minibatch: a little apart from its neighbours, unless it reaches beyond the
/// picture or would vanish.
fn sides(span: &Span, place: &Place) -> (f64, f64) {
    let (left, right) = (place.x(span.from), place.x(span.to));
    let inset = (0.15 * (right - left)).min(1.5);
    let left = if span.from < place.from { left } else { left + inset };
    let right =
        if span.to > place.until || span.end == End::InHand { right } else { right - inset };
    (left, right.max(left + 0.5))
}

/// The minibatches of a learner.
fn draw(
    learner: usize,
    lane: &Lane,
    place: &Place,
    (paper, prefix): (&str, &str),
    marks: &mut Marks,
) {
    let (top, mut free) = (place.lane(learner), 0.0);
    for span in &lane.spans {
        let Span { from, to, task, version, end } = *span;
        let ((left, right), fill) = (sides(span, place), colour(version));
        let (wide, middle) = (right - left, top + BAR / 2.0);
        let title = format!(
            "learner {learner}, task {task}, w{version}, {} to {} s: {}",
            from.as_secs_f64(),
            to.as_secs_f64(),
            fate(end)
        );
        let rounded = if wide > 6.0 { " rx=\"2\"" } else { "" };
        let bar = format!(
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{BAR}\"{rounded} fill",
            n(left),
            n(top),
            n(wide),
        );
        let _ = write!(marks.bars, "<g><title>{title}</title>");
        let faint = if end == End::InHand {
            // Arrows do not shine through.
            let _ = write!(marks.bars, "{bar}=\"{paper}\"/>");
            " opacity=\".6\""
        } else {
            ""
        };
        let _ = write!(marks.bars, "{bar}=\"{fill}\"{faint}/>");
        let wasted = matches!(end, End::Discarded | End::Rejected | End::Cancelled | End::Lost);
        let (long, mut taken) = (name_width(version) + 7.0, 0.0);
        // The mark at the end would lie on it.
        let mark = if wasted { 9.0 } else { 0.0 };
        if long + mark <= wide {
            let (x, y) = (n(left + 4.0), n(middle + 4.0));
            let _ = write!(marks.labels, "<text x=\"{x}\" y=\"{y}\">{}</text>", name(version));
            taken = long;
        }
        if wasted {
            // What is written stays readable.
            let (x, wide) = (n(left + taken), n((wide - taken).max(0.5)));
            let y = n(top);
            let _ = write!(
                marks.bars,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{BAR}\" \
                 fill=\"url(#{prefix}-hatch)\"/>"
            );
        }
        marks.bars.push_str("</g>\n");
        if to > place.until {
            continue;
        }
        let x = (right - 6.0).max((left + right) / 2.0);
        match end {
            End::Cancelled | End::Lost if wide >= 3.0 => {
                marks.crosses += &cross(x, middle, (wide / 3.0).min(4.0));
            }
            End::Discarded | End::Rejected if wide >= 5.0 => marks.circles += &circle(x, middle),
            End::Accepted { staleness: stale @ 1.., .. } => {
                let text = format!("s={stale}");
                let needs = width(&text, SMALL) + 4.0;
                let within = taken + needs <= wide;
                let (x, y) = if within {
                    (right - 3.0, middle + 3.5)
                } else {
                    // Above, where nothing stands yet.
                    (right - 2.0, top - 2.5)
                };
                if within || x - needs >= free {
                    let texts = if within { &mut marks.labels } else { &mut marks.above };
                    let _ = write!(
                        texts,
                        "<text x=\"{}\" y=\"{}\" font-size=\"{SMALL}\" text-anchor=\"end\">{text}</text>",
                        n(x),
                        n(y),
                    );
                    free = if within { free } else { x + 2.0 };
                }
            }
            _ => {}
        }
    }
}

/// What became of a minibatch.
fn fate(end: End) -> String {
    match end {
        End::Accepted { staleness, update: Some(update) } => {
            format!("used in w{update}, staleness {staleness}")
        }
        End::Accepted { staleness, .. } => format!("accepted, staleness {staleness}"),
        other => other.word().to_owned(),
    }
}

fn circle(x: f64, y: f64) -> String {
    format!("M{} {}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0", n(x - 3.5), n(y))
}

/// Up from every push that was accepted, down to every learner that reads other parameters than it had.
fn arrows(timeline: &Timeline, place: &Place, palette: &Palette) -> String {
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
            let (x, tip) = (n(x), n(place.server + 5.5));
            let _ = write!(up, "M{x} {}V{tip}", n(place.lane(learner)));
            let _ = write!(heads, "M{x} {tip}l-2.8 6h5.6z");
        }
    }
    let (mut down, mut feet) = (String::new(), String::new());
    if place.has_room(reads.len()) {
        for group in reads.values() {
            // Whoever is lowest has the longest arrow, and those above have their heads on it.
            for &(x, learner) in group {
                let (x, tip) = (n(x), n(place.lane(learner)));
                let _ = write!(feet, "M{x} {tip}l-2.8 -6h5.6z");
            }
            if let Some(&(x, learner)) = group.last() {
                let _ =
                    write!(down, "M{} {}V{}", n(x), n(place.server), n(place.lane(learner) - 1.0));
            }
        }
    }
    format!(
        "<g fill=\"{muted}\" stroke=\"none\"><path d=\"{down}\" fill=\"none\" stroke=\"{muted}\"/>\
         <path d=\"{feet}\"/></g>\n\
         <g fill=\"{ink}\"><path d=\"{up}\" fill=\"none\" stroke=\"{ink}\"/><path d=\"{heads}\"/></g>\n"
    )
}
