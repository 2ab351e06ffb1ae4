//! The parts of the page that are text.

use maud::{Markup, PreEscaped, html};

use super::super::{
    Race,
    entrant::Entrant,
    style::Style,
    tables::{learners, results, tuning},
};
use crate::{
    record::{EntrantSummary, RunSummary, Summary},
    sgd::{self, activity::Activity},
};

/// What was run, a paragraph a race.
pub(super) fn captions(races: &[Race]) -> Markup {
    html! {
        @for Race { name, caption, .. } in races {
            p {
                @if races.len() > 1 { b { (name) } " " }
                (caption)
            }
        }
    }
}

/// A button an entrant, which shows or hides it.
pub(super) fn legend(entrants: &[Entrant<'_>], looks: &[Style]) -> Markup {
    html! {
        @for (at, (entrant, look)) in entrants.iter().zip(looks).enumerate() {
            button.key type="button" data-toggle=(at) aria-pressed="true" style=(colours(look)) {
                svg width="28" height="10" aria-hidden="true" {
                    path d="M0 5H28" stroke-dasharray=(look.dash) {}
                }
                (entrant.name)
            }
        }
    }
}

/// The words of the page, and what each entrant does, for somebody who sees nothing else.
pub(super) fn terms(entrants: &[Entrant<'_>]) -> Markup {
    let does = |results: &EntrantSummary| {
        let entrant: sgd::Entrant = results.entrant.parse().ok()?;
        entrant.in_words(results.learners).ok()
    };
    html! {
        p {
            "The same model is trained in each of these ways. P learners work together: a learner reads the \
             parameters, computes the gradient of a minibatch of m samples, and pushes it to the parameter \
             server, which makes an update with the mean of K gradients, one or several. The staleness of a \
             gradient is the number of updates made since its learner read the parameters: a stale one was \
             computed for an older model. Cancelled work is thrown away. All start from the same parameters \
             and meet the same minibatches. In virtual time, the time that each minibatch takes is drawn at \
             random, the same for every entrant, and only added up; in real time it is measured."
        }
        p {
            "A loss that goes up and down in place of falling says that the learning rate is too high for \
             this entrant: stale gradients, and means of few gradients, allow smaller steps only. A lower \
             rate is slower at first and gets further, so the order of the entrants can change with it."
        }
        dl.entrants {
            @for (at, Entrant { name, results, .. }) in entrants.iter().enumerate() {
                @if let Some(sentence) = does(results) {
                    div data-entrant=(at) { dt { (name) } dd { (sentence) } }
                }
            }
        }
    }
}

/// The timelines, one below the other.
pub(super) fn timelines(entrants: &[Entrant<'_>]) -> Markup {
    html! {
        @for (at, Entrant { name, timeline, .. }) in entrants.iter().enumerate() {
            @if !timeline.is_empty() {
                figure data-entrant=(at) { figcaption { (name) } (PreEscaped(timeline)) }
            }
        }
    }
}

/// A part of the time of a learner in a run, in seconds.
type Time = fn(&RunSummary, &Activity) -> f64;

/// What the time of a learner can go into.
const PARTS: [(&str, Time); 4] = [
    ("used", |_, one| (one.busy.saturating_sub(one.wasted)).as_secs_f64()),
    ("wasted", |_, one| one.wasted.as_secs_f64()),
    ("waiting", RunSummary::waiting),
    ("away", |_, one| one.away.as_secs_f64()),
];

/// What the learners' time went into, a bar an entrant.
pub(super) fn utilisation(entrants: &[Entrant<'_>], looks: &[Style]) -> Markup {
    html! {
        @for (at, (entrant, look)) in entrants.iter().zip(looks).enumerate() {
            div.row data-entrant=(at) style=(colours(look)) {
                span.name { (entrant.name) }
                span.bar {
                    @for (part, time) in PARTS {
                        @let share = percent(entrant.results, time);
                        @if share >= 0.05 {
                            span class=(part) style={ "flex-grow:" (format!("{share:.2}")) }
                                title=(format!("{part} {share:.1} %"))
                            {
                                @if share >= 6.0 { (format!("{share:.0} %")) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A part of the time of all learners in all runs, of a hundred.
fn percent(entrant: &EntrantSummary, time: Time) -> f64 {
    let sum = |run: &RunSummary| run.learners.iter().map(|one| time(run, one)).sum::<f64>();
    let part: f64 = entrant.runs.iter().map(sum).sum();
    let all: f64 = entrant.runs.iter().map(|run| run.learners.len() as f64 * run.run_time).sum();
    if all > 0.0 { 100.0 * part / all } else { 0.0 }
}

/// The table, and what one should know of it.
pub(super) fn results(entrants: &[Entrant<'_>], races: &[Race]) -> Markup {
    table(&results::cells(entrants), &results::notes(entrants, races), Some)
}

/// What the learners did, as a table; empty where nothing is measured and nobody was lost.
pub(super) fn activity(entrants: &[Entrant<'_>]) -> Markup {
    match learners::cells(entrants) {
        Some(cells) => table(&cells, &learners::notes(entrants), Some),
        None => Markup::default(),
    }
}

/// What came of each learning rate that was tried, a table a race.
pub(super) fn tuning(races: &[Race]) -> Markup {
    html! {
        @for Race { name, summary, .. } in races {
            @if let Some(tried) = &summary.tuning {
                @if races.len() > 1 { h3 { (name) } }
                (table(&tuning::cells(tried), &[tuning::note(tried)], |_| None))
            }
        }
    }
}

/// A table with a head. A row belongs to the entrant that `of_row` tells, if it tells one.
fn table(
    cells: &[Vec<String>],
    notes: &[String],
    of_row: impl Fn(usize) -> Option<usize>,
) -> Markup {
    html! {
        table {
            thead { tr { @for cell in &cells[0] { th { (cell) } } } }
            tbody {
                @for (at, row) in cells[1..].iter().enumerate() {
                    tr data-entrant=[of_row(at)] { @for cell in row { td { (cell) } } }
                }
            }
        }
        @for note in notes { p.note { (note) } }
    }
}

/// What it takes to run a race again.
pub(super) fn repeat(race: &Race) -> Markup {
    let Summary { tortoise, machine, gradients_on, evaluations_on, queues, entrants, .. } =
        &race.summary;
    let runs = entrants.first().map_or(&[][..], |entrant| &entrant.runs);
    let seeds: Vec<String> = runs.iter().map(|run| run.seed.to_string()).collect();
    html! {
        h3 { (race.name) }
        dl {
            dt { "tortoise" } dd { (tortoise) }
            dt { "machine" } dd { (machine) }
            dt { "gradients on" } dd { (gradients_on) " (" (queues) " at a time)" }
            dt { "evaluated on" } dd { (evaluations_on) }
            dt { "seeds" } dd { (seeds.join(", ")) }
        }
        p {
            @if race.by_command {
                "Save this as " code { "config.toml" } " and run "
                code { "tortoise race --config config.toml" } ":"
            } @else if race.configuration.is_empty() {
                "Only the program that recorded this race can run it again; it recorded no configuration."
            } @else {
                "Only the program that recorded this race can run it again. It recorded this configuration:"
            }
        }
        @if !race.configuration.is_empty() { pre { (race.configuration.trim_end()) "\n" } }
    }
}

/// The colours of an entrant, for light and for dark, as variables.
fn colours(look: &Style) -> String {
    format!("--light:{};--dark:{}", look.colour(), look.on_dark())
}
