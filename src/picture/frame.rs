//! Lines drawn around digits, as on forms: boxes, circles and whatever else is closed and has
//! something in it.

use std::f32::consts::TAU;

use super::{
    grid::{Around, Grid, height, union, width},
    parts::Part,
};

/// A side of a frame has at least so many pixels.
const SMALLEST: f32 = 16.0;
/// The least share of what is inside its outline that is empty.
const HOLLOW: f32 = 0.4;
/// A hole that is smaller than this, by what the outline holds, is no place for a digit.
const HOLE: f32 = 0.02;
/// What is in a frame is at least this high, by the height of the place that it has there.
const CONTENT: f32 = 0.3;
/// Of a frame that is touched, what is in it is at least this high, and reaches this far in.
const TOUCHING: [f32; 2] = [0.4, 0.5];
/// Of the directions from what is in a frame with gaps, the share in which the frame is.
const CLOSED: f32 = 0.75;
/// Share of the outline that is as thick as the line.
const EVEN: f32 = 0.7;

/// The inside of a frame.
#[derive(Debug, Clone)]
pub(super) struct Inside {
    /// Left, top, right and bottom in the picture; all are inside.
    pub(super) around: Around,
    /// What of it is not the frame.
    pub(super) free: Grid,
}

/// The places inside of the frames among `parts`, and the frames; one in another is left to the next
/// look.
pub(super) fn inside(parts: &[Part]) -> (Vec<Inside>, Vec<Around>) {
    let (mut found, mut taken) = (Vec::new(), Vec::<Around>::new());
    let mut frames: Vec<&Part> = parts.iter().collect();
    frames.sort_by(|a, b| area(b.around).total_cmp(&area(a.around)));
    for frame in frames {
        if taken.iter().any(|taken| union(*taken, frame.around) == *taken) {
            continue;
        }
        let places = of(frame, parts);
        if !places.is_empty() {
            taken.push(frame.around);
        }
        found.extend(places);
    }
    (found, taken)
}

fn area(around: Around) -> f32 {
    width(around) * height(around)
}

/// The places inside of one frame; none if it is none.
fn of(frame: &Part, parts: &[Part]) -> Vec<Inside> {
    if width(frame.around) < SMALLEST || height(frame.around) < SMALLEST {
        return Vec::new();
    }
    let outline = Outline::new(frame);
    if (outline.filled - outline.inked) as f32 <= HOLLOW * outline.filled as f32 {
        return outline.open(parts).into_iter().collect();
    }
    let apart = outline.holes_with(parts);
    if apart.is_empty() { outline.touched().into_iter().collect() } else { apart }
}

/// A part, and what is outside of its outline.
#[derive(Debug)]
struct Outline {
    /// The left upper corner of the grids in the picture: one pixel of margin is around the part.
    corner: [i64; 2],
    ink: Grid,
    outside: Grid,
    filled: usize,
    inked: usize,
}

impl Outline {
    fn new(part: &Part) -> Self {
        let [left, top, ..] = part.around;
        let mut ink = Grid::new(width(part.around) as usize + 2, height(part.around) as usize + 2);
        part.places
            .iter()
            .for_each(|(x, y)| ink.mark((x - left + 1) as usize, (y - top + 1) as usize));
        let outside = ink.reached(0);
        let filled = ink.marks.len() - outside.count();
        let inked = ink.count();
        Self { corner: [i64::from(left) - 1, i64::from(top) - 1], ink, outside, filled, inked }
    }

    /// The holes that something is in.
    fn holes_with(&self, parts: &[Part]) -> Vec<Inside> {
        let mut content = Grid::new(self.ink.width, self.ink.height);
        let mut found = Vec::new();
        let mut seen = Grid::new(self.ink.width, self.ink.height);
        for part in parts {
            let places: Vec<_> = part.places.iter().filter_map(|place| self.own(*place)).collect();
            if places.len() < part.places.len() || places.iter().any(|at| self.ink.marks[*at]) {
                continue;
            }
            places.iter().for_each(|at| content.marks[*at] = true);
            let first = places[0];
            if self.outside.marks[first] {
                continue;
            }
            let hole = self.ink.reached(first);
            let Some(around) = hole.around() else { continue };
            let large = hole.count() as f32 > HOLE * self.filled as f32;
            let high = height(part.around) > CONTENT * height(around);
            if large && high && !seen.marks[first] {
                hole.marks.iter().zip(&mut seen.marks).for_each(|(hole, seen)| *seen |= hole);
                found.push(self.inside(hole.clone(), 2));
            }
        }
        found.into_iter().flatten().collect()
    }

    /// The inside of a frame with gaps: whatever goes out from what is in it meets the line almost
    /// everywhere.
    fn open(&self, parts: &[Part]) -> Option<Inside> {
        if self.inked as f32 > (1.0 - HOLLOW) * self.ink.marks.len() as f32 {
            return None;
        }
        let within = |part: &&Part| {
            let free = |place| self.own(place).is_some_and(|at| !self.ink.marks[at]);
            height(part.around) > CONTENT * self.ink.height as f32
                && part.places.iter().all(|place| free(*place))
        };
        let content = parts.iter().filter(within).max_by(|a, b| a.ink.total_cmp(&b.ink))?;
        let [left, top, right, bottom] = content.around.map(|at| at as f32);
        let rays = 180;
        let met = (0..rays).filter(|ray| {
            let (sin, cos) = (*ray as f32 * TAU / rays as f32).sin_cos();
            (0..)
                .map(|far| {
                    (
                        (left + right) / 2.0 + far as f32 * cos,
                        (top + bottom) / 2.0 + far as f32 * sin,
                    )
                })
                .map_while(|(x, y)| {
                    self.own((x.round().max(0.0) as u32, y.round().max(0.0) as u32))
                        .filter(|_| x >= 0.0 && y >= 0.0)
                })
                .any(|at| self.ink.marks[at])
        });
        let free = Grid { marks: self.ink.marks.iter().map(|ink| !ink).collect(), ..self.ink };
        if met.count() as f32 >= CLOSED * rays as f32 { self.inside(free, 2) } else { None }
    }

    /// The inside of a frame that touches what is in it: what is deeper than the line is thick.
    fn touched(&self) -> Option<Inside> {
        let depth = self.outside.steps();
        let line = self.line(&depth)?;
        let beyond = (1.5 * line + 2.0).ceil() as u32;
        let free = Grid { marks: depth.iter().map(|depth| *depth > beyond).collect(), ..self.ink };
        let rest = free.and(|at| self.ink.marks[at]);
        let around = rest.around()?;
        let deepest = *depth.iter().max()?;
        let reaches = (0..depth.len()).filter(|at| rest.marks[*at]).map(|at| depth[at]).max()?;
        let [high, deep] = TOUCHING;
        let enough = height(around) > high * self.ink.height as f32
            && reaches as f32 > deep * deepest as f32;
        if enough { self.inside(free, 0) } else { None }
    }

    /// How thick the line is that the outline is drawn with; none if it is not even.
    fn line(&self, depth: &[u32]) -> Option<f32> {
        let mut runs: Vec<u32> = Vec::new();
        let (width, height) = (self.ink.width as i64, self.ink.height as i64);
        for at in (0..depth.len()).filter(|at| depth[*at] == 1 && self.ink.marks[*at]) {
            let (x, y) = (at as i64 % width, at as i64 / width);
            // Inwards along rows and columns: the shorter way through is the thickness.
            let ways = [(1, 0), (-1, 0), (0, 1), (0, -1)].into_iter().filter_map(|(dx, dy)| {
                let mut run = 0;
                loop {
                    let (x, y) = (x + dx * run, y + dy * run);
                    if !(0..width).contains(&x) || !(0..height).contains(&y) {
                        return None;
                    }
                    let at = (y * width + x) as usize;
                    if !self.ink.marks[at] {
                        return (run > 0 && !self.outside.marks[at]).then_some(run as u32);
                    }
                    run += 1;
                }
            });
            runs.push(ways.min().unwrap_or(u32::MAX));
        }
        runs.sort_unstable();
        let line = *runs.get(runs.len() / 2).filter(|run| **run < u32::MAX)? as f32;
        let even = runs.iter().filter(|run| **run as f32 <= 1.6 * line + 1.0).count();
        (even as f32 > EVEN * runs.len() as f32).then_some(line)
    }

    /// Where a pixel of the picture is in the grids.
    fn own(&self, (x, y): (u32, u32)) -> Option<usize> {
        let [x, y] = [i64::from(x) - self.corner[0], i64::from(y) - self.corner[1]];
        let within =
            (0..self.ink.width as i64).contains(&x) && (0..self.ink.height as i64).contains(&y);
        within.then(|| y as usize * self.ink.width + x as usize)
    }

    /// Of the marks what is so many steps from what is not marked.
    fn inside(&self, marks: Grid, margin: u32) -> Option<Inside> {
        let not = Grid { marks: marks.marks.iter().map(|mark| !mark).collect(), ..marks };
        let steps = not.steps();
        let free = marks.and(|at| steps[at] > margin);
        let [left, top, right, bottom] = free.around()?;
        let mut cut = Grid::new((right - left + 1) as usize, (bottom - top + 1) as usize);
        for y in 0..cut.height {
            for x in 0..cut.width {
                let at = (y + top as usize) * free.width + x + left as usize;
                cut.marks[y * cut.width + x] = free.marks[at];
            }
        }
        let [x, y] = self.corner;
        let place = |at: u32, corner: i64| (i64::from(at) + corner) as u32;
        let around = [place(left, x), place(top, y), place(right, x), place(bottom, y)];
        Some(Inside { around, free: cut })
    }
}
