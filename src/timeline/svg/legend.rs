//! What there is to be seen in a picture, and what it means.

use std::fmt::Write as _;

use super::{LEFT, Palette, Place, RIGHT, colour, cross, n, width};
use crate::timeline::{End, Timeline};

/// Text size.
const SIZE: f64 = 11.0;
/// Room for the sign before the words.
const SIGN: f64 = 30.0;
const LINE: f64 = 18.0;

/// The legend from `top` on, in as many lines as it needs, and where the picture ends.
pub(super) fn legend(
    timeline: &Timeline,
    place: &Place,
    palette: &Palette,
    prefix: &str,
    top: f64,
) -> (String, f64) {
    let Palette { ink, muted, alarm, .. } = palette;
    let spans = || timeline.lanes.iter().flat_map(|lane| &lane.spans).map(|span| span.end);
    let pauses = || timeline.lanes.iter().flat_map(|lane| &lane.pauses).map(|pause| pause.away);
    let late = timeline.lanes.iter().any(|lane| !lane.late.is_empty());
    let bar = |y: f64| {
        let fill = colour(0);
        format!("<rect y=\"{}\" width=\"24\" height=\"12\" rx=\"2\" fill=\"{fill}\"/>", n(y - 10.0))
    };
    let hatched = |y: f64| {
        let hatch = format!("fill=\"url(#{prefix}-hatch)\"");
        format!("{}<rect y=\"{}\" width=\"24\" height=\"12\" {hatch}/>", bar(y), n(y - 10.0))
    };
    let path = |d: String, stroke: &str| {
        format!("<path d=\"{d}\" fill=\"none\" stroke=\"{stroke}\" stroke-width=\"2\"/>")
    };
    let crossed = |y: f64| hatched(y) + &path(cross(17.0, y - 4.0, 3.5), alarm);
    let circled = |y: f64| {
        let d = format!("M13.5 {}a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0 -7 0", n(y - 4.0));
        hatched(y) + &path(d, alarm)
    };
    let arrow = |y: f64, stroke: &str, up: bool| {
        let (from, tip, head) = if up { (y + 1.0, y - 11.0, 6) } else { (y - 11.0, y + 1.0, -6) };
        format!(
            "<path d=\"M18 {}V{}\" stroke=\"{stroke}\"/>\
             <path d=\"M18 {}l-2.8 {head}h5.6z\" fill=\"{stroke}\"/>",
            n(from),
            n(tip),
            n(tip)
        )
    };
    let line = |y: f64, stroke: &str, dash: &str| {
        format!("<path d=\"M0 {}h24\" stroke=\"{stroke}\"{dash}/>", n(y - 4.0))
    };
    let accepted = |end: End| matches!(end, End::Accepted { .. });
    let stale = |end: End| matches!(end, End::Accepted { staleness: 1.., .. });
    let dropped = |end: End| matches!(end, End::Discarded | End::Rejected);
    let pushes = spans().filter(|end| accepted(*end)).count();
    let dash = " stroke-dasharray=\"3 3\"";
    type Sign<'a> = Box<dyn Fn(f64) -> String + 'a>;
    let entries: [(bool, &str, Sign<'_>); 9] = [
        (true, "computes", Box::new(&bar)),
        (pushes > 0 && place.has_room(pushes), "push", Box::new(|y| arrow(y, ink, true))),
        (true, "read", Box::new(|y| arrow(y, muted, false))),
        (pauses().any(|away| !away), "waits", Box::new(|y| line(y, muted, ""))),
        (spans().any(|end| end == End::Cancelled), "cancelled", Box::new(crossed)),
        (spans().any(dropped) || late, "dropped", Box::new(circled)),
        (spans().any(|end| end == End::Lost), "lost", Box::new(crossed)),
        (pauses().any(|away| away), "away", Box::new(|y| line(y, alarm, dash))),
        (spans().any(stale), "staleness", Box::new(|y| format!("<text y=\"{}\">s=1</text>", n(y)))),
    ];
    let (mut svg, mut x, mut y) = (String::new(), LEFT, top);
    for (_, words, sign) in entries.iter().filter(|(there, ..)| *there) {
        let sign = sign(y);
        let wide = SIGN + width(words, SIZE) + 14.0;
        if x > LEFT && x + wide > LEFT + place.width + RIGHT {
            (x, y) = (LEFT, y + LINE);
        }
        let _ = write!(
            svg,
            "<g transform=\"translate({})\">{sign}<text x=\"{SIGN}\" y=\"{}\">{words}</text></g>",
            n(x),
            n(y)
        );
        x += wide;
    }
    (format!("<g font-size=\"{SIZE}\">{svg}</g>\n"), y + 12.0)
}
