//! Pictures of theory: update times by K, the speed-up of async over sync, error against time.

use std::path::{Path, PathBuf};

use super::super::plot::{Chart, Dot, Line, Look, Scale, Sheet};
use crate::{
    Result,
    cluster::delay::Distribution,
    sgd::{entrant::name, scheduler::Variant},
    theory::{
        runtime::UpdateTime,
        speed_up,
        survey::{ErrorRuntime, Row, Survey, ks, times},
    },
};

/// Draws `update-times-by-k`, `update-times-by-p`, `speed-up` and `error-runtime` into `directory`.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn draw(
    surveys: &[Survey],
    bounds: &[Vec<ErrorRuntime>],
    caption: &str,
    directory: &Path,
) -> Result<Vec<PathBuf>> {
    let thin = "where there is no value: from the lower to the upper bound";
    let sheet = |charts, caption: String| Sheet::new(charts, caption).with_thin(thin);
    let p = surveys.first().map_or(0, |survey| survey.learners);
    let by_k = surveys.iter().map(|survey| {
        let rows = survey.rows.iter().map(|Row { k, times }| (*k as f64, *times));
        by(&survey.delay, Scale::linear("K"), rows.collect())
    });
    let by_p = surveys.iter().map(|survey| {
        // Half of the learners, as many as there are.
        let half = |p: usize| (p as f64, times(&survey.delay, p, p.div_ceil(2)));
        by(&survey.delay, Scale::log("P"), ks(p.max(64)).map(half).collect())
    });
    let ratio = |survey: &Survey| {
        let at = |p| Some(Dot::from((p as f64, speed_up::sync_over_async(&survey.delay, p)?)));
        Line::new(survey.delay.to_string(), Look::Points, ks(p.max(20)).filter_map(at))
    };
    let (across, up) = (Scale::log("P"), Scale::log("E[T] of sync / E[T] of async"));
    let speed_up = Chart::new(across, up, surveys.iter().map(ratio).collect());
    let errors = surveys.iter().zip(bounds).map(|(survey, bounds)| error_runtime(survey, bounds));
    let sheets = [
        ("update-times-by-k", sheet(by_k.collect(), format!("E[T] with P = {p}"))),
        ("update-times-by-p", sheet(by_p.collect(), "E[T] with K = P/2".to_owned())),
        ("speed-up", sheet(vec![speed_up], "Dutta et al. 2018, theorem 1".to_owned())),
        ("error-runtime", sheet(errors.collect(), format!("P = {p}. {caption}"))),
    ];
    let mut files = Vec::new();
    for (name, sheet) in sheets {
        files.extend(sheet.draw(&directory.join(name))?);
    }
    Ok(files)
}

/// The four variants: lines where there is a value, thin ones for bounds where there is none.
fn by(distribution: &Distribution, across: Scale, rows: Vec<(f64, [UpdateTime; 4])>) -> Chart {
    let mut lines = Vec::new();
    for variant in Variant::ALL {
        let mut line = |look, of: &dyn Fn(&UpdateTime) -> Option<f64>| {
            let y = |times: &[UpdateTime; 4]| of(&times[variant as usize]).unwrap_or(f64::NAN);
            let points = rows.iter().map(|(x, times)| Dot::from((*x, y(times))));
            lines.push(Line::new(name(variant), look, points));
        };
        line(Look::Points, &|time| time.mean_update_time);
        if rows.iter().any(|(_, times)| times[variant as usize].mean_update_time.is_none()) {
            line(Look::Thin, &|time| time.lower);
            line(Look::Thin, &|time| time.upper);
        }
    }
    Chart::new(across, Scale::log("E[T] (s)"), lines).titled(distribution.to_string())
}

fn error_runtime(survey: &Survey, bounds: &[ErrorRuntime]) -> Chart {
    const POINTS: i32 = 120;
    // Until the slowest is within a hundredth of its floor.
    let settled = |error: &ErrorRuntime| {
        let (bound, time) = (error.bound?, error.mean_update_time?);
        bound.time_to(1.01 * bound.floor + 1e-3 * bound.initial_gap, time)
    };
    let end = bounds.iter().filter_map(settled).fold(0.0, f64::max);
    let line = |error: &ErrorRuntime| {
        let (bound, update_time) = (error.bound?, error.mean_update_time?);
        let dot = |n: i32| {
            let time = end * f64::from(n) / f64::from(POINTS);
            Dot::from((time, bound.at(time, update_time)))
        };
        Some(Line::new(error.entrant.to_string(), Look::Curve, (0..=POINTS).map(dot)))
    };
    let (across, up) = (Scale::linear("run time (s)"), Scale::log("bound on E[F(w)] - F*"));
    let lines = bounds.iter().filter_map(line).collect();
    Chart::new(across, up, lines).titled(survey.delay.to_string())
}
