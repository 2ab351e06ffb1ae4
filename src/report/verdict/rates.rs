//! What a verdict owes to the learning rates.

use super::super::entrant::Entrant;
use crate::{
    numbers::{Shown, listed},
    record::{Tuned, Tuning},
    sgd,
};

/// That entrants were tuned, and what would be the order if they were not; or that they were not.
pub(super) fn of(entrants: &[&Entrant<'_>], tuning: Option<&Tuning>) -> Vec<String> {
    let Some(tuning) = tuning else { return untuned(entrants).into_iter().collect() };
    let tried = in_words(&tuning.rates);
    let mut sentences =
        vec![format!("Each entrant raced at the best for it of the learning rates {tried}.")];
    if tuning.entrants.len() > 1 {
        sentences.extend(at_one_rate(tuning));
    }
    sentences.extend(at_the_edge(tuning));
    sentences
}

/// The caution where all share a rate that may suit some better than others.
fn untuned(entrants: &[&Entrant<'_>]) -> Option<String> {
    let has_own = |one: &&Entrant<'_>| {
        let entrant: Option<sgd::Entrant> = one.results.entrant.parse().ok();
        entrant.is_some_and(|entrant| entrant.rate().is_some())
    };
    (entrants.len() > 1 && !entrants.iter().any(has_own)).then(|| {
        "All have the same learning rate; at another, the order may differ: --tune finds one for each."
            .to_owned()
    })
}

/// Who was the first in the short runs where all had the same rate.
fn at_one_rate(tuning: &Tuning) -> Option<String> {
    let Tuning { rates, entrants, .. } = tuning;
    let mut leaders: Vec<(&str, Vec<f64>)> = Vec::new();
    for (at, rate) in rates.iter().enumerate() {
        let finished = entrants.iter().filter_map(|one| Some((&*one.entrant, one.losses[at]?)));
        let Some((first, _)) = finished.min_by(|a, b| a.1.total_cmp(&b.1)) else { continue };
        match leaders.iter_mut().find(|(name, _)| *name == first) {
            Some((_, rates)) => rates.push(*rate),
            None => leaders.push((first, vec![*rate])),
        }
    }
    match &*leaders {
        [] => None,
        [(name, _)] => {
            Some(format!("With any one of these rates for all, {name} leads (by one run each)."))
        }
        several => {
            let leads =
                several.iter().map(|(name, rates)| format!("{name} at {}", in_words(rates)));
            let leads = leads.collect::<Vec<_>>().join("; ");
            Some(format!(
                "With one rate for all, the leader depends on it (by one run each): {leads}."
            ))
        }
    }
}

/// Whose best rate was the lowest or the highest that was tried, so that there may be a better one.
fn at_the_edge(tuning: &Tuning) -> Vec<String> {
    let Tuning { rates, entrants, .. } = tuning;
    let lowest = rates.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = rates.iter().copied().fold(0.0, f64::max);
    let said = |edge: f64, which: &str, more: &str| {
        let there = |one: &&Tuned| one.rate == edge;
        let names: Vec<String> =
            entrants.iter().filter(there).map(|one| one.entrant.clone()).collect();
        (!names.is_empty() && lowest < highest).then(|| {
            let names = listed(&names);
            format!("The best rate of {names} was the {which} one: a {more} one may suit better.")
        })
    };
    let edges = [said(lowest, "lowest", "lower"), said(highest, "highest", "higher")];
    edges.into_iter().flatten().collect()
}

fn in_words(rates: &[f64]) -> String {
    listed(&rates.iter().map(|rate| Shown(*rate).to_string()).collect::<Vec<_>>())
}
