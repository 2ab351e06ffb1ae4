//! What the learners did: in all, as a table, and each of them, as a file.

use std::fmt::Write as _;

use super::align;
use crate::{
    estimate::delays::Fit,
    record::{EntrantSummary, RunSummary},
    sgd::activity::Activity,
};

/// The table: a line an entrant, and below it what one should know. Empty where nothing is measured
/// and nobody was lost.
pub fn learners(entrants: &[EntrantSummary]) -> String {
    cells(entrants).map_or(String::new(), |cells| {
        let notes: String = notes(entrants).iter().map(|note| format!("{note}\n")).collect();
        format!("{}\n{notes}", align(&cells))
    })
}

/// The cells of the table; none where nothing is measured and nobody was lost.
pub(in crate::report) fn cells(entrants: &[EntrantSummary]) -> Option<Vec<Vec<String>>> {
    let mut all = entrants.iter().flat_map(|entrant| &entrant.runs).flat_map(|run| &run.learners);
    all.any(|one| one.computing > 0.0 || one.losses > 0).then(|| {
        let head = [
            "learners of",
            "gradients/s",
            "updates/s",
            "computing %",
            "busy %",
            "waiting %",
            "cancelled",
            "late",
            "discarded",
            "rejected",
            "lost",
        ];
        let head = head.map(str::to_owned).to_vec();
        [head].into_iter().chain(entrants.iter().map(row)).collect()
    })
}

/// What the reader of the table should know.
pub(in crate::report) fn notes(entrants: &[EntrantSummary]) -> Vec<String> {
    let late = "a late gradient is one of a minibatch that was cancelled or lost while a device was at \
                work on it";
    let law = |entrant: &EntrantSummary| {
        let fit = entrant.runs.first()?.delays.as_ref()?;
        let fits = if fit.fits { "fits" } else { "is nearest; no closed law fits" };
        Some(format!("{}: delays: {} {fits}", entrant.entrant, law(fit)))
    };
    [late.to_owned()].into_iter().chain(entrants.iter().filter_map(law)).collect()
}

/// All learners of all runs, a line each, as CSV.
pub fn csv(entrants: &[EntrantSummary]) -> String {
    let mut text = String::from(
        "entrant,seed,learner,started,accepted,cancelled,discarded,rejected,lost,late,losses,busy,\
         wasted,waiting,away,computing\n",
    );
    for entrant in entrants {
        for run in &entrant.runs {
            for (learner, one) in run.learners.iter().enumerate() {
                let Activity { started, accepted, cancelled, discarded, .. } = *one;
                let Activity { rejected, lost, late, losses, .. } = *one;
                let Activity { busy, wasted, away, computing, .. } = *one;
                let (name, seed) = (field(&entrant.entrant), run.seed);
                let waiting = waiting(run, one);
                let [busy, wasted, away] = [busy, wasted, away].map(|time| time.as_secs_f64());
                let _ = writeln!(
                    text,
                    "{name},{seed},{learner},{started},{accepted},{cancelled},{discarded},\
                     {rejected},{lost},{late},{losses},{busy},{wasted},{waiting},{away},\
                     {computing}"
                );
            }
        }
    }
    text
}

/// Text as a field of CSV, in quotes where it would end the field.
fn field(text: &str) -> String {
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.to_owned(),
    }
}

/// The best law in a few digits, and who differs from it.
fn law(fit: &Fit) -> String {
    let best = fit.best();
    let kind = best.law.to_string();
    let kind = kind.split(':').next().unwrap_or(&kind);
    let parameters = best.parameters.iter();
    let parameters = parameters.map(|p| format!("{}={}", p.name, short(p.estimate.value)));
    let slow = fit.slow.iter().map(|one| format!("{}={}", one.learner, short(one.factor.value)));
    let slow: Vec<_> = slow.collect();
    let slow = if slow.is_empty() { String::new() } else { format!(" slow {}", slow.join(",")) };
    format!("{kind}:{}{slow}", parameters.collect::<Vec<_>>().join(","))
}

/// A value in three digits.
fn short(value: f64) -> String {
    let digits = 2.0 - value.abs().log10().floor();
    format!("{value:.0$}", digits.clamp(0.0, 12.0) as usize)
}

fn row(entrant: &EntrantSummary) -> Vec<String> {
    let cell = |digits: usize, of: &dyn Fn(&RunSummary) -> f64| {
        let (mean, error) = entrant.mean(|run| Some(of(run)).filter(|value| value.is_finite()));
        let Some(mean) = mean else { return "-".to_owned() };
        let error = error.map_or(String::new(), |error| format!(" ± {error:.digits$}"));
        format!("{mean:.digits$}{error}")
    };
    let share = |of: fn(&RunSummary, &Activity) -> f64| {
        move |run: &RunSummary| {
            let sum: f64 = run.learners.iter().map(|one| of(run, one)).sum();
            100.0 * sum / (run.learners.len() as f64 * run.run_time)
        }
    };
    let arrived = |run: &RunSummary| {
        let one = |one: &Activity| one.accepted + one.discarded + one.rejected + one.late;
        run.learners.iter().map(one).sum::<u64>() as f64 / run.run_time
    };
    vec![
        entrant.entrant.clone(),
        cell(0, &arrived),
        cell(1, &|run| run.updates as f64 / run.run_time),
        cell(1, &share(|_, one| one.computing)),
        cell(1, &share(|_, one| one.busy.as_secs_f64())),
        cell(1, &share(waiting)),
        cell(0, &|run| run.cancelled as f64),
        cell(0, &|run| run.late as f64),
        cell(0, &|run| run.discarded as f64),
        cell(0, &|run| run.rejected as f64),
        cell(0, &|run| run.lost as f64),
    ]
}

/// Run time in which a learner had nothing in hand and was there.
pub(in crate::report) fn waiting(run: &RunSummary, one: &Activity) -> f64 {
    (run.run_time - (one.busy + one.away).as_secs_f64()).max(0.0)
}
