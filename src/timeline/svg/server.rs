//! The lane of the parameter server: the versions where they are made.

use std::fmt::Write as _;

use super::{LEFT, Palette, Place, colour, n, name, name_width};
use crate::timeline::Timeline;

/// Its line, with a point for each version and a name for those that have room.
pub(super) fn server(timeline: &Timeline, place: &Place, palette: &Palette) -> String {
    let Palette { ink, .. } = palette;
    let y = n(place.server);
    let versions = [(timeline.from, timeline.version)].into_iter();
    let versions = versions.chain(timeline.updates.iter().map(|made| (made.at, made.version)));
    let crowded = !place.has_room(timeline.updates.len());
    let (radius, edge) = if crowded { (2.0, 0.5) } else { (4.5, 1.2) };
    let (mut points, mut names, mut free) = (String::new(), String::new(), 0.0);
    for (at, version) in versions {
        let x = place.x(at);
        let _ = write!(
            points,
            "<circle cx=\"{}\" cy=\"{y}\" r=\"{radius}\" fill=\"{}\"/>",
            n(x),
            colour(version)
        );
        let half = name_width(version) / 2.0;
        if x - half >= free {
            free = x + half + 2.0;
            let (x, y, name) = (n(x), n(place.server - 9.0), name(version));
            let _ = write!(names, "<text x=\"{x}\" y=\"{y}\">{name}</text>");
        }
    }
    format!(
        "<path d=\"M{LEFT} {y}h{}\" stroke=\"{ink}\" stroke-width=\"1.2\"/>\
         <g stroke=\"{ink}\" stroke-width=\"{edge}\">{points}</g>\n\
         <g text-anchor=\"middle\">{names}</g>\n",
        n(place.width),
    )
}
