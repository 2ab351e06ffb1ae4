//! What came of a race, in a sentence or two.

mod rates;

use super::{
    Race,
    entrant::{Entrant, Name},
};
use crate::{
    numbers::{Shown, listed, significant},
    record::{EntrantSummary, RunSummary},
    sgd::Ended,
};

/// Standard errors of a difference within which nobody is said to be the first.
const ERRORS: f64 = 2.0;
/// The most entrants that a sentence names of those who did not get there.
const FEW: usize = 3;
/// A ratio of times that is not worth a word.
const ALIKE: f64 = 1.05;

/// Who reached the lowest loss that anybody reached, when, and how much sooner than the reference:
/// `sync`, or `async`, or the slowest; and who had the lowest loss at the end. Losses are those that a
/// race looks for. A sentence each.
pub fn verdict(entrants: &[EntrantSummary]) -> Vec<String> {
    of(&Entrant::all(entrants), &[])
}

/// The verdict on the entrants of these races. One that was cut short had no chance, and is not compared.
pub(super) fn of(entrants: &[Entrant<'_>], races: &[Race]) -> Vec<String> {
    let (whole, cut): (Vec<_>, Vec<_>) = entrants.iter().partition(|one| !is_cut_short(one));
    let mut sentences = of_whole(&whole);
    let names: Vec<&Name> = cut.iter().map(|one| &one.name).collect();
    if !names.is_empty() {
        let was = if names.len() == 1 { "was" } else { "were" };
        sentences.push(format!("{} {was} cut short and not compared.", list(&names)));
    }
    // Races side by side can have been tuned or not, each by itself.
    if let [race] = races {
        sentences.extend(rates::of(&whole, race.summary.tuning.as_ref()));
    }
    sentences
}

fn of_whole(entrants: &[&Entrant<'_>]) -> Vec<String> {
    let Some(first) = entrants.first() else { return Vec::new() };
    let mut targets: Vec<f64> =
        first.results.runs[0].time_to_loss.iter().map(|target| target.loss).collect();
    targets.sort_by(f64::total_cmp);
    let mut sentences =
        targets.iter().find_map(|&loss| soonest(entrants, loss)).unwrap_or_default();
    if let (true, Some(highest)) = (sentences.is_empty(), targets.last()) {
        sentences.push(format!("No entrant reached a training loss of {}.", Shown(*highest)));
    }
    sentences.extend(lowest(entrants));
    sentences.extend(diverged(entrants));
    sentences
}

/// When an entrant reached a loss.
struct Reached<'a> {
    name: &'a Name,
    time: f64,
    error: f64,
}

/// Who was first at a loss, and by how much; then who followed, and how sure that order is.
fn soonest(entrants: &[&Entrant<'_>], loss: f64) -> Option<Vec<String>> {
    let times = entrants.iter().map(|one| (&one.name, one.results.time_to(loss)));
    let reached = times.filter_map(|(name, (time, error))| {
        Some(Reached { name, time: time?, error: error.unwrap_or(0.0) })
    });
    let mut reached: Vec<_> = reached.collect();
    reached.sort_by(|a, b| a.time.total_cmp(&b.time));
    let best = reached.first()?;
    let close =
        |other: &&Reached<'_>| other.time - best.time <= ERRORS * best.error.hypot(other.error);
    let (first, later): (Vec<_>, Vec<_>) = reached.iter().partition(close);
    let names: Vec<&Name> = first.iter().map(|one| one.name).collect();
    let what = match &*first {
        [one] => format!(
            "{} reached a training loss of {} in {}",
            one.name,
            Shown(loss),
            seconds(one.time)
        ),
        several => {
            let timed = |one: &&Reached<'_>| format!("{} (in {})", one.name, seconds(one.time));
            let who = listed(&several.iter().map(timed).collect::<Vec<_>>());
            format!("{who} reached a training loss of {} first", Shown(loss))
        }
    };
    // Who stopped before that is not compared.
    let (stopped, entrants): (Vec<_>, Vec<_>) = entrants.iter().copied().partition(|one| {
        one.results.time_to(loss).0.is_none() && longest(one) < best.time && !has_diverged(one)
    });
    let entrants = &*entrants;
    let others: Vec<&Entrant<'_>> =
        entrants.iter().copied().filter(|one| !names.contains(&&one.name)).collect();
    let known = |variant: &str| others.iter().find(|other| other.name.variant() == variant);
    let slowest = || others.iter().find(|other| Some(&other.name) == later.last().map(|l| l.name));
    let reference = known("sync").or_else(|| known("async")).or_else(slowest).or(others.last());
    let compared = reference.map_or(String::new(), |reference| {
        let name = &reference.name;
        match later.iter().find(|other| other.name == name) {
            Some(other) if best.time > 0.0 && other.time / best.time >= ALIKE => {
                format!(", {} times as fast as {name}", significant(other.time / best.time, 2))
            }
            Some(other) => format!(", {name} in {}", seconds(other.time)),
            None => {
                let is_later = |name: &Name| later.iter().any(|other| other.name == name);
                let names = others.iter().map(|other| &other.name);
                let never: Vec<&Name> = names.filter(|name| !is_later(name)).collect();
                let who = match never.len() {
                    ..=FEW => list(&never),
                    many => format!("{many} others"),
                };
                format!(", which {who} did not reach in {}", seconds(longest(reference)))
            }
        }
    });
    let mut sentences = vec![format!("{what}{compared}.")];
    if let Some(next) = later.first() {
        let near = |other: &&&Reached<'_>| {
            other.time - next.time <= ERRORS * next.error.hypot(other.error)
        };
        let timed = |one: &&Reached<'_>| format!("{} in {}", one.name, seconds(one.time));
        let names: Vec<String> = later.iter().filter(near).map(timed).collect();
        let were = if names.len() == 1 { "was" } else { "were" };
        sentences.push(format!("Next {were} {}.", listed(&names)));
        sentences.extend(caution(entrants, Some(next.time - best.time)));
    } else if entrants.len() > 1 {
        sentences.extend(caution(entrants, None));
    }
    for one in stopped {
        sentences.push(format!(
            "{} ended before that, after {}, and cannot be compared: a --budget gives all the same time.",
            one.name,
            seconds(longest(one))
        ));
    }
    Some(sentences)
}

/// Why a lead of so many seconds, or one over nobody, may be chance, if it may.
fn caution(entrants: &[&Entrant<'_>], lead: Option<f64>) -> Option<String> {
    let runs = || entrants.iter().flat_map(|one| &one.results.runs);
    let gaps = runs().flat_map(|run| run.evaluations.windows(2).map(|pair| pair[1].t - pair[0].t));
    // Rounding aside, evaluations are equally far apart.
    let apart = gaps.fold(0.0, f64::max);
    let short = lead.is_some_and(|lead| lead <= apart * 1.001);
    let alone = entrants.iter().all(|one| one.results.runs.len() == 1);
    let lead = "That lead is no longer than the time between two evaluations";
    match (short, alone) {
        (true, true) => Some(format!("{lead}, and there is one seed: it may be chance.")),
        (true, false) => Some(format!("{lead}.")),
        (false, true) => Some("There is one seed; with another, the order may differ.".to_owned()),
        (false, false) => None,
    }
}

fn lowest(entrants: &[&Entrant<'_>]) -> Option<String> {
    let end = |entrant: &Entrant<'_>| entrant.results.mean(|run| Some(run.train_loss)).0;
    let ends = entrants.iter().filter(|one| !has_diverged(one));
    let ends: Vec<_> = ends.filter_map(|entrant| Some((&entrant.name, end(entrant)?))).collect();
    let least = ends.iter().map(|(_, loss)| *loss).min_by(f64::total_cmp)?;
    let shown = format!("{:.4}", Shown(least));
    let names: Vec<&Name> = ends
        .iter()
        .filter(|(_, loss)| format!("{:.4}", Shown(*loss)) == shown)
        .map(|(name, _)| *name)
        .collect();
    let what = if entrants.len() > 1 { "Lowest at the end" } else { "At the end" };
    Some(format!("{what}: {} with a training loss of {shown}.", list(&names)))
}

fn diverged(entrants: &[&Entrant<'_>]) -> Option<String> {
    let names: Vec<&Name> =
        entrants.iter().filter(|one| has_diverged(one)).map(|one| &one.name).collect();
    (!names.is_empty()).then(|| format!("{} diverged.", list(&names)))
}

fn is_cut_short(entrant: &Entrant<'_>) -> bool {
    entrant.results.runs.iter().any(|run| run.ended == Ended::Interrupted)
}

fn has_diverged(entrant: &Entrant<'_>) -> bool {
    let over = |run: &RunSummary| run.ended == Ended::Diverged || !run.train_loss.is_finite();
    entrant.results.runs.iter().any(over)
}

fn longest(entrant: &Entrant<'_>) -> f64 {
    entrant.results.runs.iter().map(|run| run.run_time).fold(0.0, f64::max)
}

fn seconds(time: f64) -> String {
    format!("{} s", significant(time, 2))
}

fn list(names: &[&Name]) -> String {
    listed(&names.iter().map(|name| name.to_string()).collect::<Vec<_>>())
}
