//! Which strokes make which digit, where there may be several in a row.

use super::{
    Obstacle,
    grid::{Around, gap_between, height, union, width},
    parts::Part,
};

/// Parts that are lower than this, by the height of all, are bits of a digit or nothing.
const LOW: f32 = 0.35;
/// Strokes that are both this high, by the height of both together, are not of one digit.
const TALL: f32 = 0.75;
/// How far, in widths of the stroke, a broken stroke goes on.
const BROKEN: f32 = 0.75;
/// How far, likewise, bits of a digit are from it.
const BITS: f32 = 2.5;
/// How far, by the height of all, a bar is above or below what it belongs to.
const BAR: f32 = 0.2;
/// What is wider than this, by its height, is more than a digit.
const WIDEST: f32 = 1.45;
/// Digits that touch are at least this wide together, are this high each, and touch along no more
/// than this, by the height of both.
const NARROWEST_PAIR: f32 = 0.8;
const AS_HIGH: f32 = 0.75;
const CONTACT: f32 = 0.4;
/// And, across, along no more than this, by their width.
const LONGEST_CONTACT: f32 = 0.2;
/// The most digits in a row.
const MOST: usize = 10;

/// The digits that `parts` are, from left to right; the strokes are as wide as `pen`.
///
/// # Errors
/// What keeps them from being told apart.
pub(super) fn digits(parts: &[&Part], pen: f32) -> Result<Vec<Vec<Part>>, Obstacle> {
    let Some(whole) = parts.iter().map(|part| part.around).reduce(union) else {
        return Ok(Vec::new());
    };
    let edges: Vec<_> = parts.iter().map(|part| edge(part)).collect();
    let mut group: Vec<usize> = (0..parts.len()).collect();
    for a in 0..parts.len() {
        for b in a + 1..parts.len() {
            if group[a] != group[b] {
                let far = apart(&edges[a], &edges[b]);
                if belong(parts[a].around, parts[b].around, far / pen, height(whole))? {
                    let (from, to) = (group[b], group[a]);
                    group.iter_mut().filter(|one| **one == from).for_each(|one| *one = to);
                }
            }
        }
    }
    let mut digits: Vec<(Around, Vec<Part>)> = Vec::new();
    for name in 0..parts.len() {
        let members = parts.iter().zip(&group).filter(|(_, one)| **one == name);
        let members: Vec<Part> = members.map(|(part, _)| (*part).clone()).collect();
        if let Some(around) = members.iter().map(|part| part.around).reduce(union) {
            digits.push((around, members));
        }
    }
    let tallest = digits.iter().map(|(around, _)| height(*around)).fold(0.0, f32::max);
    digits.retain(|(around, _)| height(*around) > 0.4 * tallest);
    digits.sort_by_key(|(around, _)| around[0] + around[2]);
    if digits.len() > MOST {
        return Err(Obstacle::Many);
    }
    for pair in digits.windows(2) {
        let [a, b] = [pair[0].0, pair[1].0];
        let down = overlap((a[1], a[3]), (b[1], b[3]));
        if down < 0.3 * height(a).min(height(b)) {
            return Err(Obstacle::Lines);
        }
    }
    let wide = |around: Around| width(around) > WIDEST * height(around);
    if digits.iter().any(|(around, parts)| wide(*around) || touch(*around, parts)) {
        return Err(Obstacle::Wide);
    }
    Ok(digits.into_iter().map(|(_, parts)| parts).collect())
}

/// Whether parts that are taken for one digit look like two that touch: somewhere in the middle there
/// is one stroke alone, and what is on either side of it is as high as the whole.
fn touch(around: Around, parts: &[Part]) -> bool {
    let ([left, top, right, _], high) = (around, height(around));
    if width(around) < NARROWEST_PAIR * high {
        return false;
    }
    let mut columns = vec![Vec::new(); (right - left + 1) as usize];
    let places = parts.iter().flat_map(|part| &part.places);
    places.for_each(|(x, y)| columns[(x - left) as usize].push(y - top));
    columns.iter_mut().for_each(|column| column.sort_unstable());
    let ends = |columns: &[Vec<u32>]| {
        let all = columns.iter().flatten();
        let [first, last] = [all.clone().min(), all.max()].map(|end| end.copied().unwrap_or(0));
        (last - first) as f32
    };
    let alone = |column: &Vec<u32>| {
        let one = !column.is_empty() && column.windows(2).all(|pair| pair[1] == pair[0] + 1);
        one && (column.len() as f32) < CONTACT * high
    };
    // A stroke that goes on is the bar of a 4.
    let most = (LONGEST_CONTACT * columns.len() as f32) as usize;
    (3 * columns.len() / 10..7 * columns.len() / 10).any(|at| {
        let before = columns[..at].iter().rev().take_while(|column| alone(column)).count();
        let after = columns[at..].iter().take_while(|column| alone(column)).count();
        after > 0
            && before + after <= most
            && ends(&columns[..at]) > AS_HIGH * high
            && ends(&columns[at + 1..]) > AS_HIGH * high
    })
}

/// Whether two parts, so many widths of the pen apart, are of one digit, in a row that is so high.
fn belong(a: Around, b: Around, far: f32, whole: f32) -> Result<bool, Obstacle> {
    let across = overlap((a[0], a[2]), (b[0], b[2])) / width(a).min(width(b));
    let down = overlap((a[1], a[3]), (b[1], b[3]));
    let both = union(a, b);
    let low = height(a).min(height(b)) < LOW * whole;
    let tall = height(a).min(height(b)) > TALL * height(both);
    if low {
        let gap = gap_between((a[1], a[3]), (b[1], b[3]));
        return Ok(far < BITS || across > 0.5 && gap < BAR * whole);
    }
    if tall {
        // Two digits, or one in two halves.
        let doubtful = far < BROKEN && width(both) < height(both);
        return if doubtful { Err(Obstacle::Halves) } else { Ok(false) };
    }
    Ok(far < 2.0 * BROKEN || across > 0.3 && down > 0.0)
}

/// How much two ranges have in common.
fn overlap(a: (u32, u32), b: (u32, u32)) -> f32 {
    (a.1.min(b.1) + 1).saturating_sub(a.0.max(b.0)) as f32
}

/// The ends of each row of a part.
fn edge(part: &Part) -> Vec<(f32, f32)> {
    let mut places = part.places.clone();
    places.sort_by_key(|(x, y)| (*y, *x));
    let mut edge = Vec::new();
    for at in 0..places.len() {
        let (x, y) = places[at];
        let inside = at > 0 && places[at - 1] == (x.wrapping_sub(1), y);
        let inside = inside && places.get(at + 1) == Some(&(x + 1, y));
        let above = |y: u32| places.binary_search_by_key(&(y, x), |(x, y)| (*y, *x)).is_ok();
        if !inside || y == 0 || !above(y - 1) || !above(y + 1) {
            edge.push((x as f32, y as f32));
        }
    }
    edge
}

/// How many pixels are between two edges.
fn apart(a: &[(f32, f32)], b: &[(f32, f32)]) -> f32 {
    let pairs = a.iter().flat_map(|p| b.iter().map(move |q| (p, q)));
    let squares = pairs.map(|(p, q)| (p.0 - q.0).powi(2) + (p.1 - q.1).powi(2));
    (squares.fold(f32::MAX, f32::min).sqrt() - 1.0).max(0.0)
}
