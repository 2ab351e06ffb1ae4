//! How stale the gradients of a race were, beside their distribution where theory has one.

use super::super::{
    entrant::Entrant,
    plot::{Chart, Dot, Line, Look, Scale, Sheet},
};
use crate::record::EntrantSummary;

/// What is rarer is not drawn.
const RAREST: f64 = 1e-4;

/// The shares of the gradients with s = 0, 1, 2, ... over all seeds, as far as they are worth drawing,
/// and by theory where it has a distribution. None where no gradient was stale.
pub(in crate::report) fn shares(entrant: &EntrantSummary) -> Option<(Vec<f64>, Option<Vec<f64>>)> {
    let EntrantSummary { staleness_theory, runs, .. } = entrant;
    let longest = runs.iter().map(|run| run.tally.staleness.len()).max().unwrap_or(0);
    let count =
        |s: usize| -> u64 { runs.iter().filter_map(|run| run.tally.staleness.get(s)).sum() };
    let all: u64 = (0..longest).map(count).sum();
    let mut measured: Vec<f64> = (0..longest).map(|s| count(s) as f64 / all as f64).collect();
    let distribution = staleness_theory.and_then(|expected| expected.distribution);
    let distribution = distribution.map(|distribution| {
        (0..longest as u64).map(|s| distribution.probability(s)).collect::<Vec<_>>()
    });
    if longest < 2 {
        return None;
    }
    let drawn =
        |shares: &[f64]| shares.iter().rposition(|share| *share >= RAREST).map_or(0, |s| s + 1);
    let end = drawn(&measured).max(distribution.as_deref().map_or(0, drawn));
    measured.truncate(end);
    Some((measured, distribution.map(|distribution| distribution[..end].to_vec())))
}

/// A line an entrant that has stale gradients.
pub(in crate::report) fn sheet(entrants: &[Entrant<'_>], caption: &str) -> Sheet {
    let mut lines = Vec::new();
    for entrant in entrants {
        let Some((measured, distribution)) = shares(entrant.results) else { continue };
        let mut line = |look, shares: &[f64]| {
            let points = shares.iter().enumerate().map(|(s, share)| Dot::from((s as f64, *share)));
            let points = points.filter(|dot| dot.y >= RAREST);
            lines.push(Line::new(entrant.name.clone(), look, points));
        };
        line(Look::Dots, &measured);
        if let Some(distribution) = distribution {
            line(Look::Thin, &distribution);
        }
    }
    let (across, up) = (Scale::linear("staleness s"), Scale::log("share of the gradients"));
    Sheet::new(vec![Chart::new(across, up, lines)], caption).with_thin("theory")
}
