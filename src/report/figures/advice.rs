//! What was expected of an entrant and what came out, in one picture.

use std::path::{Path, PathBuf};

use super::{
    super::plot::{Chart, Dot, Line, Look, Scale, Sheet},
    race,
};
use crate::{
    Result,
    advise::{Advice, Goal},
    record::Summary,
};

/// Draws `advice`, the course of what was run beside the one that was expected, into `directory`.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn draw<C>(
    summary: &Summary<C>,
    advice: &Advice,
    caption: &str,
    directory: &Path,
) -> Result<[PathBuf; 2]> {
    let mut lines = Vec::new();
    for (entrant, forecast) in summary.entrants.iter().zip(advice.best()) {
        let measured = race::mean(entrant);
        let measured = measured.iter().map(|p| Dot { x: p.time, y: p.loss, error: p.loss_se });
        let expected = advice.course(forecast);
        let expected = expected.iter().map(|point| Dot::from((point.time, point.loss)));
        lines.push(Line::new(&*entrant.entrant, Look::Curve, measured));
        lines.push(Line::new(&*entrant.entrant, Look::Thin, expected));
    }
    let chart = Chart::new(Scale::linear("run time (s)"), Scale::log("training loss"), lines);
    Sheet::new(vec![chart], caption).with_thin("expected").draw(&directory.join("advice"))
}

/// What was expected and what came out, in a line.
pub fn text<C>(summary: &Summary<C>, advice: &Advice) -> String {
    let Some((entrant, best)) = summary.entrants.first().zip(advice.best()) else {
        return String::new();
    };
    let (what, digits, expected, came) = match advice.goal {
        Goal::Target(_) => {
            let came = entrant.mean(|run| run.time_to_loss.first()?.time);
            ("s to the target", 1, (best.time, best.time_deviation), came)
        }
        Goal::Budget(_) => {
            let came = entrant.mean(|run| Some(run.train_loss));
            ("the loss at the end", 4, (best.loss, best.loss_deviation), came)
        }
    };
    let stated = |(value, error): (Option<f64>, Option<f64>)| {
        let value = value.map_or("nothing".to_owned(), |value| format!("{value:.digits$}"));
        value + &error.map_or(String::new(), |error| format!(" ± {error:.digits$}"))
    };
    let (expected, came) = (stated(expected), stated(came));
    format!("{}: {what}: forecast {expected}, measured {came}\n", best.entrant)
}
