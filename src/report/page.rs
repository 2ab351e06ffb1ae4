//! The report as one HTML page: what a race came to, to look at, to send on and to print. It needs no
//! other file and no network.
//!
//! The text of the page is made here, and is there without scripts; its charts are drawn by
//! `page/charts.js` with [uPlot](https://github.com/leeoniya/uPlot) from the numbers that [`data`]
//! hands over.

mod data;
mod sections;

use super::{Source, style::styles, verdict::verdict};
use crate::{record::EntrantSummary, svg::escape};

/// What is said of the curves where there are several seeds.
const BAND: &str = "The band is one standard error over the seeds. ";

/// The page of these entrants, each with its timeline as SVG, or an empty one.
pub(super) fn page(
    entrants: &[EntrantSummary],
    timelines: &[String],
    sources: &[Source],
) -> String {
    let looks = styles(entrants.iter().map(|entrant| &*entrant.entrant));
    let names: Vec<&str> = sources.iter().map(|source| &*source.name).collect();
    let (verdict, line) = (verdict(entrants), |text: &String| format!("<p>{}</p>\n", escape(text)));
    let data = serde_json::to_string(&data::Data::new(entrants, &looks))
        .expect("numbers and text are JSON")
        // Nothing in it ends the script that it stands in.
        .replace('<', "\\u003c");
    format!(
        include_str!("page/page.html"),
        title = escape(&names.join(", ")),
        verdict = escape(verdict.first().map_or("Nothing came of it.", |first| first)),
        rest = verdict.iter().skip(1).map(line).collect::<String>(),
        version = env!("CARGO_PKG_VERSION"),
        captions = sections::captions(sources),
        band = if entrants.iter().any(|entrant| entrant.runs.len() > 1) { BAND } else { "" },
        legend = sections::legend(entrants, &looks),
        timelines = sections::timelines(entrants, timelines),
        utilisation = sections::utilisation(entrants, &looks),
        learners = sections::activity(entrants),
        results = sections::results(entrants, sources),
        repeat = sections::repeat(entrants, sources),
        uplot_css = include_str!("page/uplot/uPlot.min.css"),
        css = include_str!("page/page.css"),
        data = data,
        uplot = include_str!("page/uplot/uPlot.iife.min.js"),
        charts = include_str!("page/charts.js"),
        script = include_str!("page/page.js"),
    )
}
