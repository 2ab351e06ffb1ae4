//! The pictures of a race: training loss against run time, against updates, and at the end against
//! the time per update; as SVG and as PNG.

use std::path::{Path, PathBuf};

use super::super::plot::{Chart, Dot, Line, Look, Scale, Sheet, drawable};
pub use crate::sgd::course::Point;
use crate::{Result, share::each};

/// The course of an entrant.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// As the entrant was named.
    pub name: String,
    /// Evaluations, in the order of time.
    pub points: Vec<Point>,
    /// Seconds of run time per update.
    pub time_per_update: f64,
    /// What theory says is not exceeded, at the same evaluations; may be empty.
    pub bound: Vec<Point>,
}

/// Draws `loss-time`, `loss-updates`, `frontier` and, side by side, `race` into `directory`.
/// `caption` stands below each.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn draw(series: &[Series], caption: &str, directory: &Path) -> Result<Vec<PathBuf>> {
    let loss = loss_range(series);
    let charts = [
        ("loss-time", curves(series, loss, "run time (s)", |point| point.time)),
        ("loss-updates", curves(series, loss, "updates", |point| point.updates)),
        ("frontier", frontier(series, loss)),
    ];
    let all = charts.iter().map(|(_, chart)| chart.clone()).collect();
    let alone = charts.into_iter().map(|(name, chart)| (name, vec![chart]));
    let sheets = alone.chain([("race", all)]).map(|(name, charts)| {
        let (thin, caption) = ("bound".to_owned(), caption.to_owned());
        let sheet = Sheet { charts, thin, caption };
        (directory.join(name), sheet)
    });
    let sheets: Vec<_> = sheets.collect();
    let drawn = each(&sheets, |(stem, sheet)| sheet.draw(stem));
    let files: Vec<_> = drawn.into_iter().collect::<Result<_>>()?;
    Ok(files.into_iter().flatten().collect())
}

/// One range for all charts. An entrant that diverges is cut off at three times the loss at the
/// start, so that it does not flatten the others.
fn loss_range(series: &[Series]) -> (f64, f64) {
    let losses = || series.iter().flat_map(|s| &s.points).map(|p| p.loss).filter(|l| drawable(*l));
    let start = series.iter().filter_map(|s| s.points.first()).map(|p| p.loss);
    let ceiling = start.filter(|loss| drawable(*loss)).fold(f64::NAN, f64::max) * 3.0;
    let high = losses().fold(f64::NAN, f64::max).min(ceiling);
    (losses().fold(f64::NAN, f64::min), high)
}

/// Loss against what `of` gives.
fn curves(series: &[Series], loss: (f64, f64), title: &str, of: impl Fn(&Point) -> f64) -> Chart {
    let ends = || series.iter().filter_map(|s| s.points.last()).map(&of).filter(|x| drawable(*x));
    let (low, high) = (ends().fold(f64::NAN, f64::min), ends().fold(0.0, f64::max));
    // Where the ends lie apart by more than a factor of ten, from 1 on a logarithmic axis.
    let across = match low > 0.0 && high > 10.0 * low {
        true => Scale { range: Some((1.0, high.max(2.0))), ..Scale::log(title) },
        false => Scale { range: Some((0.0, high)), ..Scale::linear(title) },
    };
    let dot = |point: &Point| Dot { x: of(point), y: point.loss, error: point.loss_se };
    let line = |name: &str, look: Look, points: &[Point]| Line {
        name: name.to_owned(),
        look,
        points: points.iter().map(dot).collect(),
    };
    let bounds = series.iter().filter(|series| !series.bound.is_empty());
    let bounds = bounds.map(|series| line(&series.name, Look::Thin, &series.bound));
    let courses = series.iter().map(|series| line(&series.name, Look::Curve, &series.points));
    let up = Scale { range: Some(loss), ..Scale::log("training loss") };
    Chart { title: String::new(), across, up, lines: courses.chain(bounds).collect() }
}

/// The last loss of each entrant against its time per update. What is above all axes has diverged as
/// much as what is no number.
fn frontier(series: &[Series], loss: (f64, f64)) -> Chart {
    let place = |Series { name, points, time_per_update, .. }: &Series| {
        let end = |end: &Point| if end.loss <= loss.1 { end.loss } else { f64::NAN };
        let points = points.last().map(|point| Dot::from((*time_per_update, end(point))));
        Line { name: name.clone(), look: Look::Place, points: points.into_iter().collect() }
    };
    let lines: Vec<Line> = series.iter().map(place).collect();
    // Ends are close together where starts and ends are far apart.
    let ends = || {
        let dots = lines.iter().flat_map(|line| &line.points).filter(|dot| dot.x.is_finite());
        dots.map(|dot| dot.y).filter(|end| drawable(*end))
    };
    let range = Some((ends().fold(f64::NAN, f64::min), ends().fold(f64::NAN, f64::max)));
    let up = Scale { range, ..Scale::log("training loss at the end") };
    Chart { title: String::new(), across: Scale::fitting("time per update (s)"), up, lines }
}
