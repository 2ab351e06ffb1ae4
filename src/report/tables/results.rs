//! The table of a race, as plain text.

use std::fmt::Write as _;

use super::super::Source;
use crate::{
    estimate::ErrorBound,
    numbers::Shown,
    record::{EntrantSummary, RunSummary},
    sgd::Ended,
};

/// What came of one run, in a line.
pub fn line(entrant: &str, run: &RunSummary) -> String {
    let RunSummary { seed, updates, train_loss, test_accuracy, computing_time, .. } = run;
    let accuracy = 100.0 * test_accuracy;
    let ended = match run.ended {
        Ended::Done => "",
        Ended::Interrupted => ", interrupted",
        Ended::Diverged => ", diverged",
    };
    format!(
        "{entrant} (seed {seed}): {updates} updates, train loss {:.4}, test accuracy {accuracy:.2} %, \
         computed in {computing_time:.1} s{ended}",
        Shown(*train_loss)
    )
}

/// The cells: a head, and a row an entrant.
pub(in crate::report) fn cells(entrants: &[EntrantSummary]) -> Vec<Vec<String>> {
    let targets: Vec<f64> = entrants
        .first()
        .map(|entrant| entrant.runs[0].time_to_loss.iter().map(|target| target.loss).collect())
        .unwrap_or_default();
    let mut head = vec![
        "entrant".to_owned(),
        "updates".to_owned(),
        "used".to_owned(),
        "wasted".to_owned(),
        "s/update".to_owned(),
        "theory".to_owned(),
        "staleness".to_owned(),
        "theory".to_owned(),
        "train loss".to_owned(),
        "test acc. %".to_owned(),
    ];
    head.extend(targets.iter().map(|loss| format!("s to {}", Shown(*loss))));
    let rows = entrants.iter().map(|entrant| row(entrant, &targets));
    [head].into_iter().chain(rows).collect()
}

fn row(entrant: &EntrantSummary, targets: &[f64]) -> Vec<String> {
    let show = |digits: usize, scale: f64, (mean, error): (Option<f64>, Option<f64>)| {
        let Some(mean) = mean else { return "-".to_owned() };
        let number = |value: f64| match scale * value {
            value if value.abs() < 1e7 => format!("{value:.digits$}"),
            value => format!("{value:.1e}"),
        };
        error.map_or_else(|| number(mean), |error| format!("{} ± {}", number(mean), number(error)))
    };
    let cell = |digits: usize, scale: f64, of: &dyn Fn(&RunSummary) -> Option<f64>| {
        show(digits, scale, entrant.mean(of))
    };
    let diverged = entrant.runs.iter().any(|run| run.ended == Ended::Diverged);
    let theory = &entrant.theory;
    let staleness = entrant.staleness_theory.and_then(|expected| expected.mean);
    let bound =
        |sign: &str, value: Option<f64>| value.map(|value| format!("{sign} {:.4}", Shown(value)));
    let theory = match theory.mean_update_time {
        Some(value) if theory.exact => format!("{:.4}", Shown(value)),
        Some(value) => format!("~ {:.4}", Shown(value)),
        None => bound("<=", theory.upper)
            .or(bound(">=", theory.lower))
            .unwrap_or_else(|| "-".to_owned()),
    };
    let mut cells = vec![
        format!("{}{}", entrant.entrant, if diverged { " (diverged)" } else { "" }),
        cell(0, 1.0, &|run| Some(run.updates as f64)),
        cell(0, 1.0, &|run| Some(run.used as f64)),
        cell(0, 1.0, &|run| Some(run.wasted() as f64)),
        cell(4, 1.0, &|run| run.mean_update_time),
        theory,
        cell(2, 1.0, &|run| Some(run.mean_staleness)),
        staleness.map_or_else(|| "-".to_owned(), |mean| format!("{mean:.2}")),
        cell(4, 1.0, &|run| Some(run.train_loss)),
        cell(2, 100.0, &|run| Some(run.test_accuracy)),
    ];
    // Two or three digits of the run time say enough.
    let longest = entrant.runs.iter().map(|run| run.run_time).fold(0.0, f64::max);
    let digits = if longest < 100.0 { 2 } else { 0 };
    cells.extend(targets.iter().map(|&loss| show(digits, 1.0, entrant.time_to(loss))));
    cells
}

/// What the reader of the table should know.
pub(in crate::report) fn notes(entrants: &[EntrantSummary], sources: &[Source]) -> String {
    let mut text = String::new();
    for source in sources {
        let queues = match source.queues {
            1 => "1 queue".to_owned(),
            queues => format!("{queues} queues"),
        };
        let whose = if sources.len() > 1 { format!("{}: ", source.name) } else { String::new() };
        let Source { gradients_on, evaluations_on, .. } = source;
        let _ = writeln!(
            text,
            "{whose}gradients on {gradients_on}, {queues}; evaluated on {evaluations_on}, off the \
             clock"
        );
    }
    text.push_str(
        "s/update counts from the start; theory is the long run. s to a loss is the first \
         evaluation at or below it.\n",
    );
    for entrant in entrants {
        let Some(ErrorBound { f_star, bound, reason }) = &entrant.error_bound else { continue };
        let above = match (bound, reason) {
            (Some(bound), _) => format!("loss <= {f_star:.4} + {bound}"),
            (None, reason) => reason.clone().unwrap_or_default(),
        };
        let _ = writeln!(text, "{}: bound after J updates: {above}", entrant.entrant);
    }
    if sources.iter().any(|source| source.interrupted) {
        text.push_str("interrupted: the entrants above are those that had begun\n");
    }
    text
}
