//! How an entrant is drawn: its variant gives the colour, in colours that colour-blind people can
//! tell apart (Okabe and Ito 2008), and the shape of the marker; its place among the entrants of the
//! variant gives the dash, the shade and whether the marker is hollow. So pictures read in grey too.

use super::entrant::Name;

/// Colour by variant; the rest are for other names, in turn. The row's number is the marker's.
const COLOURS: [(&str, [u8; 3]); 11] = [
    ("sync", [0x00, 0x00, 0x00]),
    ("k-sync", [0x00, 0x72, 0xb2]),
    ("k-batch-sync", [0x56, 0xb4, 0xe9]),
    ("async", [0xd5, 0x5e, 0x00]),
    ("k-async", [0xe6, 0x9f, 0x00]),
    ("k-batch-async", [0x00, 0x9e, 0x73]),
    ("ringmaster", [0xcc, 0x79, 0xa7]),
    ("ssp", [0x8a, 0x6d, 0x3b]),
    ("", [0x77, 0x77, 0x77]),
    ("", [0x5b, 0x3b, 0x8a]),
    ("", [0x99, 0x99, 0x33]),
];
/// So many of them have names.
const KNOWN: usize = 8;
const DASHES: [&str; 5] = ["", "7 3", "2 3", "9 3 2 3", "14 4"];
/// Towards black and towards white; with the dashes, fifteen entrants of a variant differ.
const SHADES: [(f64, f64); 3] = [(0.0, 0.0), (0.0, 0.35), (255.0, 0.35)];

/// How the lines and markers of an entrant look.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Style {
    /// Red, green and blue of the colour.
    pub(crate) rgb: [u8; 3],
    pub(in crate::report) dash: &'static str,
    /// 0: circle, 1: square, 2: triangle, 3: diamond, 4: triangle on its tip, 5: plus; then again.
    pub(crate) marker: usize,
    pub(crate) hollow: bool,
}

impl Style {
    /// The colour, as SVG and CSS write it.
    pub(in crate::report) fn colour(&self) -> String {
        hex(self.rgb)
    }

    /// The colour on a dark ground: what is nearly black becomes nearly white, the others are light
    /// enough.
    pub(in crate::report) fn on_dark(&self) -> String {
        match self.rgb.iter().max() {
            Some(0..=0x60) => hex(self.rgb.map(|channel| 0xe8 - channel)),
            _ => self.colour(),
        }
    }
}

/// A colour, as SVG and CSS write it.
pub(in crate::report) fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// A style for each name; what follows its variant tells entrants of one variant apart.
pub(crate) fn styles<'a>(names: impl Iterator<Item = &'a Name> + Clone) -> Vec<Style> {
    let (mut seen, mut others) = (Vec::new(), Vec::new());
    let known = |variant| COLOURS[..KNOWN].iter().position(|(known, _)| *known == variant);
    let variants = names.map(Name::variant);
    // Where nothing is a variant, all colours are free.
    let free = if variants.clone().any(|variant| known(variant).is_some()) { KNOWN } else { 0 };
    variants
        .map(|variant| {
            let known = known(variant);
            if known.is_none() && !others.contains(&variant) {
                others.push(variant);
            }
            let other = others.iter().position(|other| *other == variant).unwrap_or(0);
            let row = known.unwrap_or(free + other % (COLOURS.len() - free));
            let again = seen.iter().filter(|before| **before == variant).count();
            seen.push(variant);
            let (end, part) = SHADES[again % SHADES.len()];
            let shade = |channel: u8| (f64::from(channel) * (1.0 - part) + end * part) as u8;
            Style {
                rgb: COLOURS[row].1.map(shade),
                dash: DASHES[again % DASHES.len()],
                marker: row % 6,
                hollow: again % 2 == 1,
            }
        })
        .collect()
}
