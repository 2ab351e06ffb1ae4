//! The numbers that the charts of the page are drawn from. What is not finite is null, as JSON has it.

use serde::Serialize;

use super::super::{figures::staleness, style::Style};
use crate::{
    record::{EntrantSummary, EvaluationRow, RunSummary},
    statistics,
};

/// Evaluations of a run that are drawn at most.
const MOST_POINTS: usize = 400;

/// All of it.
#[derive(Serialize)]
pub(super) struct Data<'a> {
    entrants: Vec<Entrant<'a>>,
    /// A loss above which an entrant is cut off, so that it does not flatten the others.
    ceiling: Option<f64>,
}

#[derive(Serialize)]
struct Entrant<'a> {
    name: &'a str,
    dash: Vec<f64>,
    /// Over the seeds, evaluation by evaluation, as far as all of them came.
    mean: Course,
    seeds: Vec<Course>,
    /// Seconds, and the standard error.
    update_time: Stated,
    staleness: Option<Shares>,
}

/// Columns of evaluations.
#[derive(Default, Serialize)]
struct Course {
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
    law: Option<Vec<f64>>,
}

impl<'a> Data<'a> {
    pub(super) fn new(entrants: &'a [EntrantSummary], looks: &'a [Style]) -> Self {
        let first =
            |entrant: &EntrantSummary| Some(entrant.runs[0].evaluations.first()?.train_loss);
        let start = entrants.iter().filter_map(first).filter(|loss| loss.is_finite());
        let entrants = entrants.iter().zip(looks).map(|(one, look)| entrant(one, look)).collect();
        Self { entrants, ceiling: start.reduce(f64::max).map(|loss| 3.0 * loss) }
    }
}

fn entrant<'a>(summary: &'a EntrantSummary, look: &'a Style) -> Entrant<'a> {
    let EntrantSummary { entrant: name, runs, .. } = summary;
    let all: Vec<&[EvaluationRow]> = runs.iter().map(|run| &*run.evaluations).collect();
    let mut mean = course(&all);
    if let Some(error) = &summary.error_bound
        && let Some(bound) = error.bound
    {
        mean.bound = mean.updates.iter().map(|j| figures(error.f_star + bound.after(*j))).collect();
    }
    let seed = |run: &RunSummary| Course { seed: Some(run.seed), ..course(&[&run.evaluations]) };
    let seeds = if runs.len() > 1 { runs.iter().map(seed).collect() } else { Vec::new() };
    let (value, error) = summary.mean(|run| run.mean_update_time);
    let shares = staleness::shares(summary).map(|(measured, law)| Shares {
        measured: measured.into_iter().map(figures).collect(),
        law: law.map(|law| law.into_iter().map(figures).collect()),
    });
    Entrant {
        name,
        dash: look.dash.split_whitespace().filter_map(|length| length.parse().ok()).collect(),
        mean,
        seeds,
        update_time: Stated { value, error },
        staleness: shares,
    }
}

/// The mean of several runs, or one.
fn course(runs: &[&[EvaluationRow]]) -> Course {
    let evaluations = runs.iter().map(|rows| rows.len()).min().unwrap_or(0);
    // The first and the last are always among them.
    let every = evaluations.div_ceil(MOST_POINTS).max(1);
    let shown: Vec<usize> =
        (0..evaluations).filter(|at| at % every == 0 || at + 1 == evaluations).collect();
    let column_of = |of: &dyn Fn(&[EvaluationRow], usize) -> f64| {
        let at = |&at: &usize| runs.iter().map(|rows| of(rows, at)).collect::<Vec<f64>>();
        let all: Vec<Vec<f64>> = shown.iter().map(at).collect();
        let mean = |values: &Vec<f64>| statistics::mean(values).map_or(f64::NAN, figures);
        let error = |values: &Vec<f64>| statistics::standard_error(values).map(figures);
        Column {
            values: all.iter().map(mean).collect(),
            errors: all.iter().filter_map(error).collect(),
        }
    };
    let column = |of: fn(&EvaluationRow) -> f64| column_of(&|rows, at| of(&rows[at]));
    Course {
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

/// Gradients per update from the evaluation before to this one; not a number where there was none.
fn per_update(rows: &[EvaluationRow], at: usize) -> f64 {
    let Some(before) = at.checked_sub(1).map(|before| &rows[before]) else { return f64::NAN };
    (rows[at].gradients - before.gradients) as f64 / (rows[at].update - before.update) as f64
}

/// In six figures, which is more than a picture shows.
fn figures(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(f64::NAN)
}
