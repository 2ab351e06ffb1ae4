//! What a person looks at: the table of a race and its pictures.

mod axis;
pub mod chart;
pub mod confusion;
mod learners;
pub mod mistakes;
pub mod outcome;
mod page;
mod panel;
pub mod pictures;
mod raster;
pub mod shares;
pub mod sheet;
mod staleness;
mod style;
mod table;
pub mod theory;
pub mod weights;

use std::path::{Path, PathBuf};

use self::pictures::{Point, Series};
pub use self::{
    learners::{csv, learners},
    table::{align, line, table},
};
use crate::{
    Result,
    record::{EntrantSummary, EvaluationRow, RunSummary, Summary},
    sgd::course,
};

/// Draws the pictures of a race into `directory` and returns their files.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn draw<C>(summary: &Summary<C>, caption: &str, directory: &Path) -> Result<Vec<PathBuf>> {
    let series: Vec<Series> = summary.entrants.iter().map(series).collect();
    let mut files = pictures::draw(&series, caption, directory)?;
    if summary.entrants.iter().flat_map(|e| &e.runs).any(|run| run.mean_staleness > 0.0) {
        let staleness = staleness::sheet(&summary.entrants, caption);
        files.extend(staleness.draw(&directory.join("staleness"))?);
    }
    Ok(files)
}

/// The mean over the seeds of an entrant, evaluation by evaluation, as far as all of them came.
fn series(entrant: &EntrantSummary) -> Series {
    let rows = |run: &RunSummary| -> Vec<Point> {
        let point = |row: &EvaluationRow| Point {
            time: row.t,
            updates: row.update as f64,
            loss: row.train_loss,
            loss_se: None,
        };
        run.evaluations.iter().map(point).collect()
    };
    let courses: Vec<Vec<Point>> = entrant.runs.iter().map(rows).collect();
    let (time, _) = entrant.mean(|run| run.mean_update_time);
    let points = course::mean(courses.iter().map(Vec::as_slice));
    let bound = entrant.error_bound.as_ref().and_then(|error| error.bound.zip(Some(error.f_star)));
    let bound = bound.map_or(Vec::new(), |(bound, f_star)| {
        let after = |point: &Point| f_star + bound.after(point.updates);
        points.iter().map(|p| Point { loss: after(p), loss_se: None, ..*p }).collect()
    });
    Series {
        name: entrant.entrant.clone(),
        points,
        time_per_update: time.unwrap_or(f64::NAN),
        bound,
    }
}
