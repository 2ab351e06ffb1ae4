//! The report as one HTML page: what a race came to, to look at, to send on and to print. It needs no
//! other file and no network.
//!
//! The text of the page is made here, and is there without scripts; its charts are drawn by
//! `page/charts.js` with [uPlot](https://github.com/leeoniya/uPlot) from the numbers that [`data`]
//! hands over.

mod data;
mod sections;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Race, entrant::Entrant, style::styles, verdict};
use crate::svg;

/// What the page is made of beside its text. Nothing in it ends the element that it stands in.
const CSS: PreEscaped<&str> = PreEscaped(include_str!("page/page.css"));
const UPLOT_CSS: PreEscaped<&str> = PreEscaped(include_str!("page/uplot/uPlot.min.css"));
const UPLOT: PreEscaped<&str> = PreEscaped(include_str!("page/uplot/uPlot.iife.min.js"));
const CHARTS: PreEscaped<&str> = PreEscaped(include_str!("page/charts.js"));
const SCRIPT: PreEscaped<&str> = PreEscaped(include_str!("page/page.js"));

/// The page of these entrants, of these races.
pub(super) fn page(entrants: &[Entrant<'_>], races: &[Race]) -> String {
    let names: Vec<&str> = races.iter().map(|race| &*race.name).collect();
    let title = names.join(", ");
    let verdict = verdict::of(entrants, races);
    let (first, rest) = match &verdict[..] {
        [first, rest @ ..] => (first.as_str(), rest),
        [] => ("This race has no results.", &[][..]),
    };
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · Tortoise" }
                link rel="icon" href="data:,";
                style { (UPLOT_CSS) }
                style { (CSS) }
            }
            body {
                header {
                    p.name { (title) button type="button" id="theme" title="Switch between light and dark" { "◐" } }
                    h1 { (first) }
                    @for sentence in rest { p { (sentence) } }
                    div.caption { (sections::captions(races)) }
                }
                (body(entrants, races))
                footer {
                    "Made with Tortoise " (env!("CARGO_PKG_VERSION"))
                    ". What the variants are, and what theory says of them: "
                    a href="https://arxiv.org/abs/1803.01113" {
                        "Dutta et al., Slow and stale gradients can win the race"
                    }
                    "."
                }
                script type="application/json" id="data" { (numbers(entrants)) }
                script { (UPLOT) }
                script { (CHARTS) }
                script { (SCRIPT) }
            }
        }
    };
    svg::document(&page)
}

/// The numbers of the charts, as JSON.
fn numbers(entrants: &[Entrant<'_>]) -> Markup {
    let json = serde_json::to_string(&data::Data::new(entrants));
    let json = json.expect("numbers and text are JSON");
    // Nothing in it ends the script that it stands in.
    PreEscaped(json.replace('<', "\\u003c"))
}

/// The legend and the sections.
fn body(entrants: &[Entrant<'_>], races: &[Race]) -> Markup {
    let looks = styles(entrants.iter().map(|entrant| &entrant.name));
    let several_seeds = entrants.iter().any(|entrant| entrant.results.runs.len() > 1);
    html! {
        nav aria-label="entrants" { (sections::legend(entrants, &looks)) }
        main {
            section id="curves" {
                h2 { "Loss against time" }
                div.controls id="controls" {}
                div.chart id="course" {}
                p.note {
                    @if several_seeds { "The band is one standard error over the seeds. " }
                    "Point at a curve for its values; drag to look closer, double-click to go back."
                }
            }
            section id="terms" {
                h2 { "What is compared" }
                (sections::terms(entrants))
            }
            div.pair {
                section id="frontier" {
                    h2 { "The frontier" }
                    div.chart id="places" {}
                    p.note {
                        "The loss at the end against the time per update. Down and to the left is \
                         better."
                    }
                }
                section id="staleness" {
                    h2 { "Staleness" }
                    div.chart id="shares" {}
                    p.note {
                        "How many updates were made between the reading of the parameters and the use of \
                         the gradient. Dots are measured; lines are theory, where there is one."
                    }
                }
            }
            section id="utilisation" {
                h2 { "What the learners' time went into" }
                (sections::utilisation(entrants, &looks))
                p.note.parts {
                    span.used {} " computing gradients that were used "
                    span.wasted {} " computing what was wasted "
                    span.waiting {} " waiting for an update "
                    span.away {} " failed, and not yet replaced"
                }
                div.wide { (sections::activity(entrants)) }
            }
            section id="timelines" {
                h2 { "How each run began" }
                p.note {
                    "A bar is a minibatch; its colour is the version of the parameters that it was computed \
                     at. Arrows up are pushes, circles are updates, and arrows down are learners that read \
                     new parameters. Point at a bar for what became of it."
                }
                (sections::timelines(entrants))
            }
            section id="results" {
                h2 { "Results" }
                div.wide { (sections::results(entrants, races)) }
            }
            @if races.iter().any(|race| race.summary.tuning.is_some()) {
                section id="tuning" {
                    h2 { "Learning rates" }
                    div.wide { (sections::tuning(races)) }
                }
            }
            section id="repeat" {
                h2 { "To run it again" }
                @for race in races { (sections::repeat(race)) }
            }
        }
    }
}
