//! The numbers that the charts of the page are drawn from. What is not finite is null, as JSON has it.

use serde::Serialize;

use super::super::{
    entrant::Entrant,
    figures::{
        race::{Series, ceiling},
        staleness,
    },
    plot::axis::{far_apart, span},
    style::{Style, styles},
};
use crate::{
    record::{EvaluationRow, RunSummary},
    statistics,
};

/// Evaluations of a run that are drawn at most.
const MOST_POINTS: usize = 400;

/// All of it.
#[derive(Serialize)]
pub(super) struct Data {
    entrants: Vec<Drawn>,
    /// The columns that the horizontal axis of the curves can show.
    across: Vec<Choice>,
    /// The columns that the vertical axis of the curves can show.
    up: Vec<Choice>,
    /// Whether the time per update has a logarithmic axis on the frontier.
    frontier_log: bool,
}

/// A column of the evaluations, and how it is shown at first.
#[derive(Serialize)]
struct Choice {
    column: &'static str,
    /// The text of its button.
    name: &'static str,
    /// The title of the axis.
    label: &'static str,
    /// Whether its axis is logarithmic.
    log: bool,
    /// Whether it is shown as a percentage.
    percent: bool,
    /// The end of the axis, so that an entrant that goes beyond it does not flatten the others.
    top: Option<f64>,
}

/// An entrant, as the charts draw it.
#[derive(Serialize)]
struct Drawn {
    name: String,
    dash: Vec<f64>,
    /// Over the seeds, evaluation by evaluation, as far as all of them came.
    mean: Curve,
    seeds: Vec<Curve>,
    /// Whether its loss at the end is too high, or no number.
    diverged: bool,
    /// Seconds, and the standard error.
    update_time: Stated,
    staleness: Option<Shares>,
}

/// Columns of evaluations.
#[derive(Default, Serialize)]
struct Curve {
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    time: Vec<f64>,
    updates: Vec<f64>,
    gradients: Vec<f64>,
    train_loss: Column,
    test_loss: Column,
    test_accuracy: Column,
    /// Gradients per update since the evaluation before: K, where it moves.
    per_update: Column,
    /// What theory says the loss does not exceed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bound: Vec<f64>,
}

/// Values, and their standard errors where there are several seeds.
#[derive(Default, Serialize)]
struct Column {
    values: Vec<f64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<f64>,
}

#[derive(Serialize)]
struct Stated {
    value: Option<f64>,
    error: Option<f64>,
}

/// Share of the gradients with s = 0, 1, 2, ...: measured, and by theory.
#[derive(Serialize)]
struct Shares {
    measured: Vec<f64>,
    distribution: Option<Vec<f64>>,
}

impl Data {
    pub(super) fn new(entrants: &[Entrant<'_>]) -> Self {
        let looks = styles(entrants.iter().map(|entrant| &entrant.name));
        let series: Vec<Series> = entrants.iter().map(Series::of).collect();
        let top = ceiling(&series);
        let drawn: Vec<Drawn> = entrants
            .iter()
            .zip(&looks)
            .zip(&series)
            .map(|((entrant, look), series)| Drawn::new(entrant, look, series.diverged(top)))
            .collect();
        let log = |of: fn(&Curve) -> &[f64]| {
            far_apart(span(drawn.iter().filter_map(|one| of(&one.mean).last().copied())))
        };
        let across = vec![
            Choice { label: "run time (s)", ..Choice::new("time", "run time") },
            Choice { log: log(|mean| &mean.updates), ..Choice::new("updates", "updates") },
            Choice { log: log(|mean| &mean.gradients), ..Choice::new("gradients", "gradients") },
        ];
        let loss = |column, label| Choice { log: true, top, ..Choice::new(column, label) };
        let accuracy = Choice::new("test_accuracy", "test accuracy");
        let accuracy = Choice { percent: true, top: Some(1.0), ..accuracy };
        let mut up =
            vec![loss("train_loss", "training loss"), loss("test_loss", "test loss"), accuracy];
        // K is worth a look where it moves.
        if drawn.iter().any(|one| one.mean.k_moves()) {
            up.push(Choice::new("per_update", "gradients per update"));
        }
        let times = drawn.iter().filter_map(|one| one.update_time.value);
        Self { frontier_log: far_apart(span(times)), entrants: drawn, across, up }
    }
}

impl Choice {
    /// On a linear axis.
    fn new(column: &'static str, label: &'static str) -> Self {
        Self { column, name: label, label, log: false, percent: false, top: None }
    }
}

impl Drawn {
    fn new(entrant: &Entrant<'_>, look: &Style, diverged: bool) -> Self {
        let Entrant { name, results, .. } = entrant;
        let all: Vec<&[EvaluationRow]> = results.runs.iter().map(|run| &*run.evaluations).collect();
        let mut mean = Curve::mean(&all);
        if let Some(error) = &results.error_bound
            && let Some(bound) = error.bound
        {
            let after = |j: &f64| rounded(error.f_star + bound.after(*j));
            mean.bound = mean.updates.iter().map(after).collect();
        }
        let seed =
            |run: &RunSummary| Curve { seed: Some(run.seed), ..Curve::mean(&[&run.evaluations]) };
        let several = results.runs.len() > 1;
        let (value, error) = results.mean(|run| run.mean_update_time);
        let all_rounded = |shares: Vec<f64>| shares.into_iter().map(rounded).collect();
        let shares = staleness::shares(results).map(|(measured, distribution)| Shares {
            measured: all_rounded(measured),
            distribution: distribution.map(all_rounded),
        });
        Self {
            name: name.to_string(),
            dash: look.dash.split_whitespace().filter_map(|length| length.parse().ok()).collect(),
            diverged,
            mean,
            seeds: results.runs.iter().filter(|_| several).map(seed).collect(),
            update_time: Stated { value, error },
            staleness: shares,
        }
    }
}

impl Curve {
    /// The mean of several runs, or one.
    fn mean(runs: &[&[EvaluationRow]]) -> Self {
        let evaluations = runs.iter().map(|rows| rows.len()).min().unwrap_or(0);
        // The first and the last are always among them.
        let every = evaluations.div_ceil(MOST_POINTS).max(1);
        let shown: Vec<usize> =
            (0..evaluations).filter(|at| at % every == 0 || at + 1 == evaluations).collect();
        let column_of = |of: &dyn Fn(&[EvaluationRow], usize) -> f64| {
            let at = |&at: &usize| runs.iter().map(|rows| of(rows, at)).collect::<Vec<f64>>();
            let all: Vec<Vec<f64>> = shown.iter().map(at).collect();
            let mean = |values: &Vec<f64>| statistics::mean(values).map_or(f64::NAN, rounded);
            let error = |values: &Vec<f64>| statistics::standard_error(values).map(rounded);
            Column {
                values: all.iter().map(mean).collect(),
                errors: all.iter().filter_map(error).collect(),
            }
        };
        let column = |of: fn(&EvaluationRow) -> f64| column_of(&|rows, at| of(&rows[at]));
        Self {
            seed: None,
            time: column(|row| row.t).values,
            updates: column(|row| row.update as f64).values,
            gradients: column(|row| row.gradients as f64).values,
            train_loss: column(|row| row.train_loss),
            test_loss: column(|row| row.test_loss),
            test_accuracy: column(|row| row.test_accuracy),
            per_update: column_of(&per_update),
            bound: Vec::new(),
        }
    }

    /// Whether the gradients per update change.
    fn k_moves(&self) -> bool {
        let mut values = self.per_update.values.iter().filter(|k| k.is_finite());
        let first = values.next();
        values.any(|k| Some(k) != first)
    }
}

/// Gradients per update from the evaluation before to this one; not a number where there was none.
fn per_update(rows: &[EvaluationRow], at: usize) -> f64 {
    let Some(before) = at.checked_sub(1).map(|before| &rows[before]) else { return f64::NAN };
    (rows[at].gradients - before.gradients) as f64 / (rows[at].update - before.update) as f64
}

/// In six figures, which is more than a picture shows.
fn rounded(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(f64::NAN)
}
