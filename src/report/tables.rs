//! The results of a race and the work of its learners, as tables of text.

pub(super) mod learners;
pub(super) mod results;
pub(super) mod tuning;

use crate::record::{EntrantSummary, RunSummary};

/// Rows of cells in columns: the first to the left, the others to the right.
pub fn align(cells: &[Vec<String>]) -> String {
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..cells[0].len()).filter_map(width).collect();
    let mut text = String::new();
    for row in cells {
        let mut padded = format!("{:<1$}", row[0], widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            padded += &format!("  {cell:>width$}");
        }
        text += padded.trim_end();
        text.push('\n');
    }
    text
}

/// A mean and its standard error, as far as there are any, with so many decimals.
fn stated((mean, error): (Option<f64>, Option<f64>), decimals: usize) -> String {
    let Some(mean) = mean else { return "-".to_owned() };
    let number = |value: f64| match value {
        value if value.abs() < 1e7 => format!("{value:.decimals$}"),
        value => format!("{value:.1e}"),
    };
    error.map_or_else(|| number(mean), |error| format!("{} ± {}", number(mean), number(error)))
}

/// The mean over the seeds of what `of` picks.
fn cell(
    entrant: &EntrantSummary,
    decimals: usize,
    of: impl Fn(&RunSummary) -> Option<f64>,
) -> String {
    stated(entrant.mean(of), decimals)
}
