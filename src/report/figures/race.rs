//! The pictures of a race: training loss against run time, against updates, and at the end against
//! the time per update; as SVG and as PNG.

use std::path::{Path, PathBuf};

use super::super::{
    entrant::{Entrant, Name},
    plot::{
        Chart, Dot, Line, Look, Scale, Sheet,
        axis::{drawable, far_apart, span},
    },
};
pub use crate::sgd::trajectory::Point;
use crate::{
    Result,
    record::{EntrantSummary, EvaluationRow},
    sgd::trajectory,
    share::each,
};

/// An entrant has diverged when its loss is this many times the highest loss at the start.
const DIVERGED: f64 = 3.0;

/// The course of an entrant.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// As the entrant was named.
    pub name: Name,
    /// Evaluations, in the order of time.
    pub points: Vec<Point>,
    /// Seconds of run time per update.
    pub time_per_update: f64,
    /// What theory says is not exceeded, at the same evaluations; may be empty.
    pub bound: Vec<Point>,
}

impl Series {
    /// The mean over the seeds of an entrant.
    pub(in crate::report) fn of(entrant: &Entrant<'_>) -> Self {
        let results = entrant.results;
        let points = mean(results);
        let (time, _) = results.mean(|run| run.mean_update_time);
        let bound = results.error_bound.as_ref();
        let bound = bound.and_then(|error| error.bound.zip(Some(error.f_star)));
        let bound = bound.map_or(Vec::new(), |(bound, f_star)| {
            let after = |point: &Point| f_star + bound.after(point.updates);
            points.iter().map(|p| Point { loss: after(p), loss_se: None, ..*p }).collect()
        });
        let (name, time_per_update) = (entrant.name.clone(), time.unwrap_or(f64::NAN));
        Self { name, points, time_per_update, bound }
    }

    /// Whether its last loss is no number, or is above the [`ceiling`].
    pub(in crate::report) fn diverged(&self, ceiling: Option<f64>) -> bool {
        let above = |loss: f64| ceiling.is_some_and(|ceiling| loss > ceiling);
        self.points.last().is_none_or(|end| !end.loss.is_finite() || above(end.loss))
    }
}

/// The mean over the seeds of an entrant, evaluation by evaluation, as far as all of them came.
pub(super) fn mean(results: &EntrantSummary) -> Vec<Point> {
    let point = |row: &EvaluationRow| Point {
        time: row.t,
        updates: row.update as f64,
        loss: row.train_loss,
        loss_se: None,
    };
    let courses = results.runs.iter().map(|run| run.evaluations.iter().map(point).collect());
    let courses: Vec<Vec<Point>> = courses.collect();
    trajectory::mean(courses.iter().map(Vec::as_slice))
}

/// The loss above which an entrant has diverged. It is cut off there, so that it does not flatten the
/// others. None without a loss at the start.
pub(in crate::report) fn ceiling(series: &[Series]) -> Option<f64> {
    let starts = series.iter().filter_map(|s| s.points.first()).map(|point| point.loss);
    starts.filter(|loss| drawable(*loss)).reduce(f64::max).map(|loss| DIVERGED * loss)
}

/// Draws `loss-time`, `loss-updates`, `frontier` and, side by side, `race` into `directory`.
/// `caption` stands below each.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn draw(series: &[Series], caption: &str, directory: &Path) -> Result<Vec<PathBuf>> {
    let ceiling = ceiling(series);
    let (low, high) = span(series.iter().flat_map(|s| &s.points).map(|point| point.loss));
    let loss = (low, ceiling.map_or(high, |ceiling| high.min(ceiling)));
    let charts = [
        ("loss-time", curves(series, loss, "run time (s)", |point| point.time)),
        ("loss-updates", curves(series, loss, "updates", |point| point.updates)),
        ("frontier", frontier(series, ceiling)),
    ];
    let all = charts.iter().map(|(_, chart)| chart.clone()).collect();
    let alone = charts.into_iter().map(|(name, chart)| (name, vec![chart]));
    let sheets = alone.chain([("race", all)]).map(|(name, charts)| {
        (directory.join(name), Sheet::new(charts, caption).with_thin("bound"))
    });
    let sheets: Vec<_> = sheets.collect();
    let drawn = each(&sheets, |(stem, sheet)| sheet.draw(stem));
    let files: Vec<_> = drawn.into_iter().collect::<Result<_>>()?;
    Ok(files.into_iter().flatten().collect())
}

/// Loss against what `of` gives.
fn curves(series: &[Series], loss: (f64, f64), title: &str, of: impl Fn(&Point) -> f64) -> Chart {
    let (low, high) = span(series.iter().filter_map(|s| s.points.last()).map(&of));
    let logarithmic = far_apart((low, high));
    let across = match logarithmic {
        true => Scale { range: Some((1.0, high.max(2.0))), ..Scale::log(title) },
        false => Scale { range: Some((0.0, high.max(0.0))), ..Scale::linear(title) },
    };
    let dot = |point: &Point| Dot { x: of(point), y: point.loss, error: point.loss_se };
    let line = |name: &Name, look: Look, points: &[Point]| {
        // Zero has no place on a logarithmic axis.
        Line::new(
            name.clone(),
            look,
            points.iter().map(dot).filter(|dot| !logarithmic || dot.x > 0.0),
        )
    };
    let bounds = series.iter().filter(|series| !series.bound.is_empty());
    let bounds = bounds.map(|series| line(&series.name, Look::Thin, &series.bound));
    let courses = series.iter().map(|series| line(&series.name, Look::Curve, &series.points));
    let up = Scale { range: Some(loss), ..Scale::log("training loss") };
    Chart::new(across, up, courses.chain(bounds).collect())
}

/// The last loss of each entrant against its time per update.
fn frontier(series: &[Series], ceiling: Option<f64>) -> Chart {
    let place = |one: &Series| {
        let end = |end: &Point| if one.diverged(ceiling) { f64::NAN } else { end.loss };
        let dot = |last: &Point| Dot::from((one.time_per_update, end(last)));
        Line::new(one.name.clone(), Look::Place, one.points.last().map(dot))
    };
    let lines: Vec<Line> = series.iter().map(place).collect();
    // Ends are close together where starts and ends are far apart.
    let dots = lines.iter().flat_map(|line| &line.points).filter(|dot| dot.x.is_finite());
    let range = Some(span(dots.map(|dot| dot.y)));
    let up = Scale { range, ..Scale::log("training loss at the end") };
    Chart::new(Scale::fitting("time per update (s)"), up, lines)
}
