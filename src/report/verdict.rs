//! What came of a race, in a sentence or two.

use super::style::variant;
use crate::{numbers::Shown, record::EntrantSummary, sgd::Ended};

/// Standard errors of a difference within which nobody is said to be the first.
const ERRORS: f64 = 2.0;
/// A ratio of times that is not worth a word.
const ALIKE: f64 = 1.05;

/// Who reached the lowest loss that anybody reached, when, and how much sooner than the reference:
/// `sync`, or `async`, or the slowest; and who had the lowest loss at the end. Losses are those that a
/// race looks for. A sentence each.
pub fn verdict(entrants: &[EntrantSummary]) -> Vec<String> {
    let Some(first) = entrants.first() else { return Vec::new() };
    let mut targets: Vec<f64> =
        first.runs[0].time_to_loss.iter().map(|target| target.loss).collect();
    targets.sort_by(f64::total_cmp);
    let reached = targets.iter().find_map(|&loss| soonest(entrants, loss)).or_else(|| {
        Some(format!("No entrant reached a training loss of {}.", Shown(*targets.last()?)))
    });
    reached.into_iter().chain(lowest(entrants)).chain(diverged(entrants)).collect()
}

/// When an entrant reached a loss.
struct Reached<'a> {
    name: &'a str,
    time: f64,
    error: f64,
}

fn soonest(entrants: &[EntrantSummary], loss: f64) -> Option<String> {
    let mut reached: Vec<Reached<'_>> = entrants
        .iter()
        .filter_map(|entrant| {
            let (time, error) = entrant.time_to(loss);
            Some(Reached { name: &entrant.entrant, time: time?, error: error.unwrap_or(0.0) })
        })
        .collect();
    reached.sort_by(|a, b| a.time.total_cmp(&b.time));
    let best = reached.first()?;
    let close =
        |other: &&Reached<'_>| other.time - best.time <= ERRORS * best.error.hypot(other.error);
    let (first, later): (Vec<_>, Vec<_>) = reached.iter().partition(close);
    let names: Vec<&str> = first.iter().map(|one| one.name).collect();
    let what = format!(
        "{} reached a training loss of {} in {}",
        list(&names),
        Shown(loss),
        seconds(best.time)
    );
    let others: Vec<&str> =
        entrants.iter().map(|one| &*one.entrant).filter(|name| !names.contains(name)).collect();
    let known = |name: &str| others.iter().find(|other| variant(other) == name);
    let reference = known("sync").or_else(|| known("async")).copied();
    let reference = reference.or_else(|| later.last().map(|slowest| slowest.name));
    let compared = match reference.or(others.last().copied()) {
        None => String::new(),
        Some(name) => match later.iter().find(|other| other.name == name) {
            Some(other) if best.time > 0.0 && other.time / best.time >= ALIKE => {
                format!(", {} times sooner than {name}", figures(other.time / best.time))
            }
            Some(other) => format!(", {name} in {}", seconds(other.time)),
            None => format!(", which {name} did not reach in {}", seconds(longest(entrants, name))),
        },
    };
    Some(format!("{what}{compared}."))
}

fn lowest(entrants: &[EntrantSummary]) -> Option<String> {
    let end = |entrant: &EntrantSummary| entrant.mean(|run| Some(run.train_loss)).0;
    let ends = entrants.iter().filter(|one| !has_diverged(one));
    let ends = ends.filter_map(|entrant| Some((&entrant.entrant, end(entrant)?)));
    let (name, loss) = ends.min_by(|a, b| a.1.total_cmp(&b.1))?;
    let what = if entrants.len() > 1 { "Lowest at the end" } else { "At the end" };
    Some(format!("{what}: {name} with a training loss of {:.4}.", Shown(loss)))
}

fn diverged(entrants: &[EntrantSummary]) -> Option<String> {
    let names: Vec<&str> =
        entrants.iter().filter(|one| has_diverged(one)).map(|one| &*one.entrant).collect();
    (!names.is_empty()).then(|| format!("{} diverged.", list(&names)))
}

fn has_diverged(entrant: &EntrantSummary) -> bool {
    entrant.runs.iter().any(|run| run.ended == Ended::Diverged || !run.train_loss.is_finite())
}

fn longest(entrants: &[EntrantSummary], name: &str) -> f64 {
    let runs = entrants.iter().filter(|entrant| entrant.entrant == name).flat_map(|one| &one.runs);
    runs.map(|run| run.run_time).fold(0.0, f64::max)
}

fn seconds(time: f64) -> String {
    format!("{} s", figures(time))
}

/// In two or three digits.
fn figures(value: f64) -> String {
    match value {
        value if value >= 10.0 => format!("{value:.0}"),
        value if value >= 1.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// `a`, `a and b`, `a, b and c`.
fn list(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
