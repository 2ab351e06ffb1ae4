//! The lane of the parameter server: the versions where they are made.

use maud::{Markup, html};

use super::{LEFT, Palette, Place, colour, name, name_width};
use crate::{svg::Px, timeline::Timeline};

/// Its line, with a point for each version and a name for those that have room.
pub(super) fn server(timeline: &Timeline, place: &Place, palette: &Palette) -> Markup {
    let Palette { ink, .. } = palette;
    let y = Px(place.server);
    let versions = timeline.versions().map(|(at, version)| (place.x(at), version));
    let versions: Vec<_> = versions.collect();
    let crowded = !place.has_room(timeline.updates.len());
    let (radius, edge) = if crowded { (2.0, 0.5) } else { (4.5, 1.2) };
    let (mut named, mut free) = (Vec::new(), 0.0);
    for &(x, version) in &versions {
        let half = name_width(version) / 2.0;
        if x - half >= free {
            free = x + half + 2.0;
            named.push((x, version));
        }
    }
    html! {
        path d={ "M" (LEFT) " " (y) "h" (Px(place.width)) } stroke=(ink) stroke-width="1.2" {}
        g stroke=(ink) stroke-width=(edge) {
            @for &(x, version) in &versions {
                circle cx=(Px(x)) cy=(y) r=(radius) fill=(colour(version)) {}
            }
        }
        g text-anchor="middle" {
            @for (x, version) in named { (name((x, place.server - 9.0), version)) }
        }
    }
}
