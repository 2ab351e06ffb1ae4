//! What the learners did in all, as a table.

use super::{super::entrant::Entrant, align, cell};
use crate::{
    estimate::delays::Fit, numbers::significant, record::RunSummary, sgd::activity::Activity,
};

/// The table: a line an entrant, and below it what one should know. Empty where nothing is measured
/// and nobody was lost.
pub(in crate::report) fn table(entrants: &[Entrant<'_>]) -> String {
    cells(entrants).map_or(String::new(), |cells| {
        format!("{}\n{}\n", align(&cells), notes(entrants).join("\n"))
    })
}

/// The cells of the table; none where nothing is measured and nobody was lost.
pub(in crate::report) fn cells(entrants: &[Entrant<'_>]) -> Option<Vec<Vec<String>>> {
    let runs = entrants.iter().flat_map(|entrant| &entrant.results.runs);
    let mut all = runs.flat_map(|run| &run.learners);
    all.any(|one| one.computing > 0.0 || one.losses > 0).then(|| {
        let head = [
            "entrant",
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
pub(in crate::report) fn notes(entrants: &[Entrant<'_>]) -> Vec<String> {
    let late = "busy: has a minibatch in hand. computing: its engine works on it. waiting: has none. late: \
                arrived after it was cancelled or lost. discarded: too stale. rejected: not finite. lost: \
                the learner failed";
    let distribution = |entrant: &Entrant<'_>| {
        let fit = entrant.results.runs.first()?.delays.as_ref()?;
        let fits =
            if fit.fits { "fits" } else { "comes nearest, but no parametric distribution fits" };
        Some(format!("{}: measured delays: {} {fits}", entrant.name, distribution(fit)))
    };
    [late.to_owned()].into_iter().chain(entrants.iter().filter_map(distribution)).collect()
}

/// The distribution of delays that fits best, in a few digits, and the learners that are slower.
fn distribution(fit: &Fit) -> String {
    let best = fit.best();
    let parameters = best.parameters.iter();
    let parameters = parameters.map(|p| format!("{}={}", p.name, significant(p.estimate.value, 3)));
    let parameters = parameters.collect::<Vec<_>>().join(",");
    let slow = fit.slow.iter();
    let slow = slow.map(|one| format!("{}={}", one.learner, significant(one.factor.value, 3)));
    let slow = match slow.collect::<Vec<_>>().join(",") {
        none if none.is_empty() => none,
        learners => format!(" slow {learners}"),
    };
    format!("{}:{parameters}{slow}", best.distribution.name())
}

fn row(entrant: &Entrant<'_>) -> Vec<String> {
    let results = entrant.results;
    let number = |decimals: usize, of: &dyn Fn(&RunSummary) -> f64| {
        cell(results, decimals, |run| Some(of(run)).filter(|value| value.is_finite()))
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
        entrant.name.to_string(),
        number(0, &arrived),
        number(1, &|run| run.tally.updates as f64 / run.run_time),
        number(1, &share(|_, one| one.computing)),
        number(1, &share(|_, one| one.busy.as_secs_f64())),
        number(1, &share(RunSummary::waiting)),
        number(0, &|run| run.tally.cancelled as f64),
        number(0, &|run| run.tally.late as f64),
        number(0, &|run| run.tally.discarded as f64),
        number(0, &|run| run.tally.rejected as f64),
        number(0, &|run| run.tally.lost as f64),
    ]
}
