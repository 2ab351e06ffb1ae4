//! What a person looks at: the table of a race and its pictures.

mod axis;
mod panel;
pub mod pictures;
mod raster;
pub mod shares;
mod style;
mod table;

use std::path::{Path, PathBuf};

use self::pictures::{Point, Series};
pub use self::table::{line, table};
use crate::{
    Result,
    record::{EntrantSummary, Summary},
    statistics,
};

/// Draws the pictures of a race into `directory` and returns their files.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn draw<C>(summary: &Summary<C>, caption: &str, directory: &Path) -> Result<Vec<PathBuf>> {
    let series: Vec<Series> = summary.entrants.iter().map(series).collect();
    pictures::draw(&series, caption, directory)
}

/// The mean over the seeds of an entrant, evaluation by evaluation, as far as all of them came.
fn series(entrant: &EntrantSummary) -> Series {
    let shortest = entrant.runs.iter().map(|run| run.evaluations.len()).min().unwrap_or(0);
    let points = (0..shortest).map(|at| {
        let rows: Vec<_> = entrant.runs.iter().map(|run| run.evaluations[at]).collect();
        let losses: Vec<f64> = rows.iter().map(|row| row.train_loss).collect();
        let of = |value: fn(&crate::record::EvaluationRow) -> f64| {
            rows.iter().map(value).sum::<f64>() / rows.len() as f64
        };
        Point {
            time: of(|row| row.t),
            updates: of(|row| row.update as f64),
            loss: losses.iter().sum::<f64>() / losses.len() as f64,
            loss_se: statistics::standard_error(&losses),
        }
    });
    let (time, _) = entrant.mean(|run| run.mean_update_time);
    Series {
        name: entrant.entrant.clone(),
        points: points.collect(),
        time_per_update: time.unwrap_or(f64::NAN),
    }
}
