//! How stale the gradients of a race were, beside the law where there is one.

use super::{
    chart::{Chart, Dot, Line, Look, Scale},
    sheet::Sheet,
};
use crate::record::EntrantSummary;

/// What is rarer is not drawn.
const RAREST: f64 = 1e-4;

/// Share of the gradients with s = 0, 1, 2, ..., over all seeds; a line an entrant that has stale
/// ones.
pub(super) fn sheet(entrants: &[EntrantSummary], caption: &str) -> Sheet {
    let mut lines = Vec::new();
    for EntrantSummary { entrant, staleness_theory, runs, .. } in entrants {
        let longest = runs.iter().map(|run| run.staleness_histogram.len()).max().unwrap_or(0);
        let count = |s: usize| -> u64 {
            runs.iter().filter_map(|run| run.staleness_histogram.get(s)).sum()
        };
        let all: u64 = (0..longest).map(count).sum();
        if longest < 2 {
            continue;
        }
        let mut line = |look, share: &dyn Fn(usize) -> f64| {
            let points = (0..longest).map(|s| Dot::from((s as f64, share(s))));
            let points = points.filter(|dot| dot.y >= RAREST).collect();
            lines.push(Line { name: entrant.clone(), look, points });
        };
        line(Look::Dots, &|s| count(s) as f64 / all as f64);
        if let Some(law) = staleness_theory.and_then(|expected| expected.law) {
            line(Look::Thin, &|s| law.probability(s as u64));
        }
    }
    let chart = Chart {
        title: String::new(),
        across: Scale::linear("staleness s"),
        up: Scale::log("share of the gradients"),
        lines,
    };
    Sheet { charts: vec![chart], thin: "theory".to_owned(), caption: caption.to_owned() }
}
