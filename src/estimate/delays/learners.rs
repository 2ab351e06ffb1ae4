//! Who is slower than the others, whatever the distribution.

use super::{
    Factor, Observed,
    sample::{Sample, log_rank},
};
use crate::{estimate::Estimate, ids::LearnerId, statistics::bisect};

/// The chance of finding a slow learner where there is none.
const FALSE_ALARM: f64 = 0.01;
/// The largest factor that is looked for, and one by the smallest.
const LARGEST: f64 = 1e4;

/// Finished durations without which a distribution, or a comparison, is worth nothing.
const LEAST: usize = 20;

/// The factors by which some learners' durations differ from those of the others: the clearest first
/// until no other is clear, each compared with those that have none.
pub(super) fn factors(observed: &[Observed]) -> Vec<Factor> {
    let mut learners: Vec<LearnerId> = observed.iter().map(|observed| observed.learner).collect();
    learners.sort_unstable();
    learners.dedup();
    // Not crossed by any of so many normal deviates, but for a chance below that of a false alarm.
    let clear = (2.0 * (learners.len() as f64 / FALSE_ALARM).ln()).sqrt();
    let mut odd: Vec<LearnerId> = Vec::new();
    loop {
        let rest = learners.iter().copied().filter(|learner| !odd.contains(learner));
        let scores = rest.filter_map(|learner| {
            let (own, others) = split(observed, &odd, learner);
            let score = (others.finished.len() >= LEAST).then(|| log_rank(&own, &others, 1.0))?;
            // Of two that differ as much, the slower one is the odd one.
            (score.abs() > clear).then_some((learner, score.abs() - 1e-6 * score))
        });
        let Some((clearest, _)) = scores.max_by(|a, b| a.1.total_cmp(&b.1)) else { break };
        odd.push(clearest);
    }
    odd.sort_unstable();
    let factor = |&learner| Factor { learner, factor: factor(observed, &odd, learner) };
    odd.iter().map(factor).collect()
}

/// The learner's durations, and those of the others but for the odd ones.
fn split(observed: &[Observed], odd: &[LearnerId], learner: LearnerId) -> (Sample, Sample) {
    let own = Sample::new(observed.iter().filter(|observed| observed.learner == learner));
    let others = observed.iter().filter(|o| o.learner != learner && !odd.contains(&o.learner));
    (own, Sample::new(others))
}

/// By what the learner's durations must be divided to be like those of the others; a standard error is
/// how far it goes until they differ by one standard deviation (Louis 1981). Of a learner that finished
/// nothing, one only knows what it is at least.
fn factor(observed: &[Observed], odd: &[LearnerId], learner: LearnerId) -> Estimate {
    let (own, others) = split(observed, odd, learner);
    let reaches = |score: f64| {
        let reached = |ln: f64| log_rank(&own, &others, ln.exp()) >= score;
        match reached(LARGEST.ln()) {
            true => bisect(-LARGEST.ln(), LARGEST.ln(), 50, reached).exp(),
            false => f64::INFINITY,
        }
    };
    match own.finished.is_empty() {
        true => Estimate::between(reaches(-1.0), reaches(-2.0), f64::INFINITY),
        false => Estimate::with_error(reaches(0.0), (reaches(1.0) - reaches(-1.0)) / 2.0),
    }
}
