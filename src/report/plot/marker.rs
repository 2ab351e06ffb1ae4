//! The markers of entrants on their lines.

use maud::{Markup, html};

use super::super::style::Style;
use crate::svg::Px;

/// A marker in the entrant's colour, about `2 r` wide.
pub(super) fn marker(style: &Style, x: f64, y: f64, r: f64) -> Markup {
    let (d, e, t) = (2.0 * r, 1.2 * r, 0.8 * r);
    let at = |x: f64, y: f64| format!("M{} {}", Px(x), Px(y));
    let path = match style.marker {
        0 => format!("{}a{r} {r} 0 1 0 {d} 0a{r} {r} 0 1 0 -{d} 0z", at(x - r, y)),
        1 => format!("{}h{d}v{d}h-{d}z", at(x - r, y - r)),
        2 => format!("{}l{e} {d}h-{w}z", at(x, y - e), w = 2.0 * e),
        3 => format!("{}l{e} {e}l-{e} {e}l-{e} -{e}z", at(x, y - e)),
        4 => format!("{}l{e} -{d}h-{w}z", at(x, y + e), w = 2.0 * e),
        _ => format!(
            "{}h{t}v{t}h{t}v{t}h-{t}v{t}h-{t}v-{t}h-{t}v-{t}h{t}z",
            at(x - 0.5 * t, y - 1.5 * t)
        ),
    };
    let colour = &*style.colour();
    let (fill, edge, width) =
        if style.hollow { ("#fff", colour, 1.5) } else { (colour, "#fff", 0.8) };
    html! { path d=(path) fill=(fill) stroke=(edge) stroke-width=(width) {} }
}
