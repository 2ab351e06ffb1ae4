//! The parts of the page that are text.

use std::fmt::Write as _;

use super::super::{
    Source,
    style::Style,
    tables::{learners, results},
};
use crate::{
    record::{EntrantSummary, RunSummary},
    sgd::activity::Activity,
    svg::escape,
};

/// What was run, a paragraph a race.
pub(super) fn captions(sources: &[Source]) -> String {
    let several = sources.len() > 1;
    let line = |source: &Source| match several {
        true => format!("<p><b>{}</b> {}</p>", escape(&source.name), escape(&source.caption)),
        false => format!("<p>{}</p>", escape(&source.caption)),
    };
    sources.iter().map(line).collect()
}

/// A button an entrant, which shows or hides it.
pub(super) fn legend(entrants: &[EntrantSummary], looks: &[Style]) -> String {
    let mut html = String::new();
    for (at, (entrant, look)) in entrants.iter().zip(looks).enumerate() {
        let Style { dash, .. } = look;
        let _ = write!(
            html,
            "<button type=\"button\" class=\"key\" data-toggle=\"{at}\" aria-pressed=\"true\" \
             style=\"{}\"><svg width=\"28\" height=\"10\" aria-hidden=\"true\">\
             <path d=\"M0 5H28\" stroke-dasharray=\"{dash}\"/></svg>{}</button>",
            colours(look),
            escape(&entrant.entrant)
        );
    }
    html
}

/// The timelines, one below the other.
pub(super) fn timelines(entrants: &[EntrantSummary], timelines: &[String]) -> String {
    let drawn = entrants.iter().zip(timelines).enumerate().filter(|(_, (_, svg))| !svg.is_empty());
    drawn
        .map(|(at, (entrant, svg))| {
            let name = escape(&entrant.entrant);
            format!("<figure data-entrant=\"{at}\"><figcaption>{name}</figcaption>{svg}</figure>\n")
        })
        .collect()
}

/// A part of the time of a learner in a run, in seconds.
type Time = fn(&RunSummary, &Activity) -> f64;

/// What the learners' time went into, a bar an entrant.
pub(super) fn utilisation(entrants: &[EntrantSummary], looks: &[Style]) -> String {
    let parts: [(&str, Time); 4] = [
        ("used", |_, one| (one.busy.saturating_sub(one.wasted)).as_secs_f64()),
        ("wasted", |_, one| one.wasted.as_secs_f64()),
        ("waiting", learners::waiting),
        ("away", |_, one| one.away.as_secs_f64()),
    ];
    let mut html = String::new();
    for (at, (entrant, look)) in entrants.iter().zip(looks).enumerate() {
        let share = |of: Time| {
            let sum = |run: &RunSummary| run.learners.iter().map(|one| of(run, one)).sum::<f64>();
            let all = |run: &RunSummary| run.learners.len() as f64 * run.run_time;
            let (sum, all): (f64, f64) = entrant
                .runs
                .iter()
                .map(|run| (sum(run), all(run)))
                .fold((0.0, 0.0), |a, b| (a.0 + b.0, a.1 + b.1));
            if all > 0.0 { 100.0 * sum / all } else { 0.0 }
        };
        let mut bar = String::new();
        for (name, of) in parts {
            let share = share(of);
            if share < 0.05 {
                continue;
            }
            let label = if share >= 6.0 { format!("{share:.0} %") } else { String::new() };
            let _ = write!(
                bar,
                "<span class=\"{name}\" style=\"flex-grow:{share:.2}\" title=\"{name} {share:.1} %\">\
                 {label}</span>"
            );
        }
        let _ = writeln!(
            html,
            "<div class=\"row\" data-entrant=\"{at}\" style=\"{}\"><span class=\"name\">{}</span>\
             <span class=\"bar\">{bar}</span></div>",
            colours(look),
            escape(&entrant.entrant)
        );
    }
    html
}

/// The table, and what one should know of it.
pub(super) fn results(entrants: &[EntrantSummary], sources: &[Source]) -> String {
    let notes = results::notes(entrants, sources);
    table_of(&results::cells(entrants)) + &notes.lines().map(note).collect::<String>()
}

/// What the learners did, as a table; empty where nothing is measured and nobody was lost.
pub(super) fn activity(entrants: &[EntrantSummary]) -> String {
    learners::cells(entrants).map_or(String::new(), |cells| {
        let notes: String = learners::notes(entrants).iter().map(|line| note(line)).collect();
        table_of(&cells) + &notes
    })
}

fn table_of(cells: &[Vec<String>]) -> String {
    let row = |cells: &[String], tag: &str| -> String {
        cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escape(cell))).collect()
    };
    let mut html = format!("<table><thead><tr>{}</tr></thead><tbody>\n", row(&cells[0], "th"));
    for (at, cells) in cells[1..].iter().enumerate() {
        let _ = writeln!(html, "<tr data-entrant=\"{at}\">{}</tr>", row(cells, "td"));
    }
    html + "</tbody></table>"
}

fn note(line: &str) -> String {
    format!("<p class=\"note\">{}</p>", escape(line))
}

/// What it takes to run it again.
pub(super) fn repeat(entrants: &[EntrantSummary], sources: &[Source]) -> String {
    let mut html = String::new();
    for source in sources {
        let Source { name, tortoise, machine, gradients_on, .. } = source;
        let Source { evaluations_on, queues, .. } = source;
        let whose = |entrant: &&EntrantSummary| {
            sources.len() == 1 || entrant.entrant.ends_with(&format!("({name})"))
        };
        let seeds = entrants.iter().find(whose).map(|entrant| {
            entrant.runs.iter().map(|run| run.seed.to_string()).collect::<Vec<_>>().join(", ")
        });
        let facts = [
            ("tortoise", tortoise.clone()),
            ("machine", machine.clone()),
            ("gradients on", format!("{gradients_on} ({queues} at a time)")),
            ("evaluated on", evaluations_on.clone()),
            ("seeds", seeds.unwrap_or_default()),
        ];
        let facts: String = facts
            .iter()
            .map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>", escape(value)))
            .collect();
        let _ = write!(html, "<h3>{}</h3><dl>{facts}</dl>{}", escape(name), again(source));
    }
    html
}

/// How a race is run again.
fn again(source: &Source) -> String {
    let Source { configuration, by_command, .. } = source;
    let how = match (by_command, configuration.is_empty()) {
        (true, _) => {
            "Save this as <code>config.toml</code> and run \
             <code>tortoise race --config config.toml</code>:"
        }
        (false, true) => {
            "No configuration was recorded: what runs it again is the program that recorded it."
        }
        (false, false) => {
            "What runs it again is the program that recorded it. It recorded this as its \
             configuration:"
        }
    };
    let lines = text(configuration);
    let pre = if lines.is_empty() { lines } else { format!("<pre>{lines}</pre>") };
    format!("<p>{how}</p>{pre}")
}

/// The colours of an entrant, for light and for dark, as variables.
fn colours(look: &Style) -> String {
    format!("--light:{};--dark:{}", look.colour(), look.on_dark())
}

/// As [`escape`], with its lines.
fn text(lines: &str) -> String {
    lines.lines().map(|line| escape(line) + "\n").collect()
}
