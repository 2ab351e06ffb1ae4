//! The table of a race, as plain text.

use super::{
    super::{Race, entrant::Entrant},
    cell, stated,
};
use crate::{
    estimate::ErrorBound,
    numbers::Shown,
    record::{RunSummary, Summary},
    sgd::Ended,
    theory::runtime::UpdateTime,
};

/// What came of one run, in a line.
pub fn line(entrant: &str, run: &RunSummary) -> String {
    let RunSummary { seed, tally, train_loss, test_accuracy, computing_time, .. } = run;
    let updates = tally.updates;
    // Of an objective that classifies nothing there is none.
    let accuracy = match 100.0 * test_accuracy {
        accuracy if accuracy.is_nan() => String::new(),
        accuracy => format!("test accuracy {accuracy:.2} %, "),
    };
    let ended = match run.ended {
        Ended::Done => "",
        Ended::Interrupted => ", interrupted",
        Ended::Diverged => ", diverged",
    };
    format!(
        "{entrant} (seed {seed}): {updates} updates, train loss {:.4}, {accuracy}computed in \
         {computing_time:.1} s{ended}",
        Shown(*train_loss)
    )
}

/// The cells: a head, and a row an entrant.
pub(in crate::report) fn cells(entrants: &[Entrant<'_>]) -> Vec<Vec<String>> {
    let first = entrants.first().map(|entrant| &entrant.results.runs[0]);
    let targets = first.into_iter().flat_map(|run| &run.time_to_loss);
    let targets: Vec<f64> = targets.map(|target| target.loss).collect();
    let head = [
        "entrant",
        "updates",
        "used",
        "wasted",
        "s/update",
        "theory",
        "staleness",
        "theory",
        "train loss",
        "test acc. %",
    ];
    let targeted = targets.iter().map(|loss| format!("s to {}", Shown(*loss)));
    let head = head.map(str::to_owned).into_iter().chain(targeted).collect();
    let rows = entrants.iter().map(|entrant| row(entrant, &targets));
    [head].into_iter().chain(rows).collect()
}

fn row(entrant: &Entrant<'_>, targets: &[f64]) -> Vec<String> {
    let Entrant { name, results, .. } = entrant;
    let diverged = results.runs.iter().any(|run| run.ended == Ended::Diverged);
    let staleness = results.staleness_theory.and_then(|expected| expected.mean);
    let mut cells = vec![
        format!("{name}{}", if diverged { " (diverged)" } else { "" }),
        cell(results, 0, |run| Some(run.tally.updates as f64)),
        cell(results, 0, |run| Some(run.tally.used as f64)),
        cell(results, 0, |run| Some(run.tally.wasted() as f64)),
        cell(results, 4, |run| run.mean_update_time),
        update_time(&results.theory),
        cell(results, 2, |run| Some(run.mean_staleness)),
        staleness.map_or_else(|| "-".to_owned(), |mean| format!("{mean:.2}")),
        cell(results, 4, |run| Some(run.train_loss)),
        cell(results, 2, |run| Some(100.0 * run.test_accuracy).filter(|share| !share.is_nan())),
    ];
    // Two or three digits of the run time say enough.
    let longest = results.runs.iter().map(|run| run.run_time).fold(0.0, f64::max);
    let decimals = if longest < 100.0 { 2 } else { 0 };
    cells.extend(targets.iter().map(|&loss| stated(results.time_to(loss), decimals)));
    cells
}

/// What theory says of the update time.
fn update_time(theory: &UpdateTime) -> String {
    let four = |sign: &str, value: f64| format!("{sign}{:.4}", Shown(value));
    match theory {
        UpdateTime { mean_update_time: Some(mean), exact: true, .. } => four("", *mean),
        UpdateTime { mean_update_time: Some(mean), .. } => four("~ ", *mean),
        UpdateTime { upper: Some(upper), .. } => four("<= ", *upper),
        UpdateTime { lower: Some(lower), .. } => four(">= ", *lower),
        _ => "-".to_owned(),
    }
}

/// What the reader of the table should know, line by line.
pub(in crate::report) fn notes(entrants: &[Entrant<'_>], races: &[Race]) -> Vec<String> {
    let several = races.len() > 1;
    let mut notes: Vec<String> = races.iter().map(|race| computed_on(race, several)).collect();
    notes.push(
        "used and wasted count gradients. s/update is the mean time of an update in this run, and theory \
         its expected value in the long run. s to 0.5 is the run time of the first evaluation with a \
         training loss of 0.5 or less."
            .to_owned(),
    );
    if entrants.iter().any(|entrant| update_time(&entrant.results.theory) == "-") {
        notes.push(
            "- in the column theory: no value is known. That is so where delays are measured, K grows, \
             some learners are slower, cancelled work runs to its end, a rule drops gradients, the time on \
             the way varies, or there is no theorem for the variant."
                .to_owned(),
        );
    }
    for Entrant { name, results, .. } in entrants {
        let Some(ErrorBound { f_star, bound, reason, gradient }) = &results.error_bound else {
            continue;
        };
        let above = match (bound, reason) {
            (Some(bound), _) => format!("loss <= {f_star:.4} + {bound}"),
            (None, reason) => reason.clone().unwrap_or_default(),
        };
        notes.push(format!("{name}: bound on the training loss after J updates: {above}"));
        if let Some(gradient) = gradient {
            notes.push(format!(
                "{name}: bound on the mean of |grad F|^2 over the first n updates, which asks for no \
                 convexity: {gradient}"
            ));
        }
    }
    if races.iter().any(|race| race.summary.interrupted) {
        notes.push(
            "interrupted: the last entrant above was cut short, and those after it did not start; \
             `tortoise resume` goes on"
                .to_owned(),
        );
    }
    notes
}

/// What computed a race.
fn computed_on(race: &Race, several: bool) -> String {
    let Summary { gradients_on, evaluations_on, queues, .. } = &race.summary;
    let plural = if *queues == 1 { "" } else { "s" };
    let whose = if several { format!("{}: ", race.name) } else { String::new() };
    format!(
        "{whose}gradients on {gradients_on}, {queues} queue{plural}; evaluated on \
         {evaluations_on}, which takes no run time"
    )
}
