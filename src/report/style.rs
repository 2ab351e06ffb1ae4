//! How an entrant is drawn: the same colour for the same variant in every picture, in colours that
//! colour-blind people can tell apart (Okabe and Ito 2008), and a dash of its own besides.

/// Colour by variant.
const COLOURS: [(&str, &str); 6] = [
    ("sync", "#000000"),
    ("k-sync", "#0072b2"),
    ("k-batch-sync", "#56b4e9"),
    ("async", "#d55e00"),
    ("k-async", "#e69f00"),
    ("k-batch-async", "#009e73"),
];
const OTHER: &str = "#cc79a7";
const DASHES: [&str; 5] = ["", "7 3", "2 3", "9 3 2 3", "14 4"];

/// How the lines and markers of an entrant look.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Style {
    pub(super) colour: &'static str,
    pub(super) dash: &'static str,
    /// 0: circle, 1: square, 2: diamond, 3: triangle.
    pub(super) marker: usize,
}

/// A style for each name; entrants of one variant differ in dash and marker.
pub(super) fn styles<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Style> {
    let mut seen: Vec<&str> = Vec::new();
    names
        .map(|name| {
            let variant = name.split(':').next().unwrap_or(name);
            let known = COLOURS.iter().find(|(known, _)| *known == variant);
            let again = seen.iter().filter(|before| **before == variant).count();
            seen.push(variant);
            Style {
                colour: known.map_or(OTHER, |(_, colour)| colour),
                dash: DASHES[again % DASHES.len()],
                marker: again % 4,
            }
        })
        .collect()
}
