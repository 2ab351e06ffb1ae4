//! `tortoise timeline`: what learners and parameter server do, drawn.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use clap::Args;

use super::{
    Exit,
    case::{MINIBATCH_ALONE, with_samples},
    print, print_styled, say,
    values::{UNTRAINED, ending, entrant_alone, number, whole},
};
use crate::{
    Error, Result,
    cluster::{
        Cluster,
        delay::{Delays, Distribution, Slow},
    },
    numbers::Shown,
    race::config::check::NOTHING_CANCELLED,
    raster,
    record::write_whole,
    sgd::{Cancellation, Entrant, Event, Limits, Observer, simulate::times_only},
    timeline::{self, Collector, Look, Timeline},
};

/// What a file with a timeline can be.
const ENDINGS: [&str; 3] = ["svg", "png", "json"];
/// The most events of a timeline that is drawn.
const MOST_EVENTS: usize = 100_000;
/// Updates of the first entrant, if nothing is said.
const UPDATES: u64 = 4;
/// Samples in a minibatch, if nothing is said.
const MINIBATCH: usize = 32;
/// Columns of text where there is no terminal.
const COLUMNS: usize = 100;
/// What a moment may be.
const SECONDS: &str = "0 seconds or more";
/// From the narrowest picture to the widest, in logical pixels.
const PIXELS: std::ops::RangeInclusive<usize> = 200..=20_000;

#[derive(Debug, Args)]
pub(super) struct TimelineArgs {
    /// {entrants}, without :K with K = P/2;
    /// several are drawn over the same run time, with the same delays [default: the first six]
    #[arg(value_parser = entrant_alone(UNTRAINED))]
    entrants: Vec<Entrant>,
    /// P, the number of learners
    #[arg(long, value_name = "P", short = 'p', default_value_t = 4)]
    #[arg(value_parser = whole::<usize>("from 1 to 1048576"))]
    learners: usize,
    /// Distribution of the time a minibatch takes, in seconds; `tortoise race --help` lists them.
    /// trace:FILE with lines LEARNER,SECONDS gives each learner the times you choose
    #[arg(long, default_value = "exponential:mean=1")]
    delay: Distribution,
    /// Seconds that each sample of a minibatch adds to its time
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, hide_default_value = true)]
    #[arg(value_parser = number(SECONDS))]
    per_sample: f64,
    /// Samples in a minibatch, m, for --per-sample [default: 32]
    #[arg(long, value_name = "M", short = 'm', value_parser = whole::<usize>("of 1 or more"))]
    minibatch: Option<usize>,
    /// Distribution of the time that a pull and a push take on the way [default: they take none]
    #[arg(long, value_name = "DISTRIBUTION")]
    link: Option<Distribution>,
    /// LEARNER=FACTOR[,...]: learners that are slower than the distribution says
    #[arg(long, default_value = "", hide_default_value = true)]
    slow: Slow,
    /// Whether cancelled work stops at once or is dropped when it arrives
    #[arg(long, default_value = "preempt")]
    cancel: Cancellation,
    /// Seed of the delays
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = whole::<u64>("of 0 or more"))]
    seed: u64,
    /// Updates of the first entrant to draw [default: 4]
    #[arg(long, value_name = "N", value_parser = whole::<u64>("of 1 or more"))]
    updates: Option<u64>,
    /// Draw what a run has recorded instead: its timeline.jsonl or events.jsonl
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = [
            "entrants", "learners", "delay", "per_sample", "minibatch", "link", "slow", "cancel", "seed",
            "updates"
        ]
    )]
    events: Option<PathBuf>,
    /// Run time to draw from, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0.0, value_parser = number(SECONDS))]
    from: f64,
    /// Run time to draw up to, in seconds
    #[arg(long, value_name = "SECONDS", value_parser = number(SECONDS))]
    until: Option<f64>,
    /// Write a file instead, .svg, .png or .json (for ui.perfetto.dev); can be given several times
    #[arg(long, value_name = "FILE")]
    out: Vec<PathBuf>,
    /// Columns of the text [default: those of the terminal], or pixels of a picture [default: 560]
    #[arg(long, value_name = "N", value_parser = whole::<usize>("from 24 on"))]
    width: Option<usize>,
}

pub(super) fn run(args: &TimelineArgs) -> Result<Exit> {
    let (from, until) = (seconds("--from", args.from)?, args.until);
    let until = until.map(|until| seconds("--until", until)).transpose()?;
    if until.is_some_and(|until| until <= from) {
        return Err(Error::config("--until must be later than --from"));
    }
    let endings =
        args.out.iter().map(|out| ending("--out", out, &ENDINGS)).collect::<Result<Vec<_>>>()?;
    if args.width.is_some() && !endings.is_empty() && endings.iter().all(|one| *one == "json") {
        return Err(Error::config("a .json file has no --width: leave it out"));
    }
    let drawn = match &args.events {
        Some(path) => {
            let timeline = timeline::read_events(path, until.unwrap_or(Duration::MAX))?;
            vec![(path.display().to_string(), timeline)]
        }
        None => simulated(args, until)?,
    };
    let mut drawn: Vec<(String, Timeline)> = drawn
        .into_iter()
        .map(|(title, whole)| (title, whole.between(from, until.unwrap_or(Duration::MAX))))
        .collect();
    if let Some((title, timeline)) = drawn.iter().find(|(_, timeline)| timeline.until <= from) {
        let end = timeline.until.as_secs_f64();
        return Err(Error::config(format!(
            "{title}: the timeline ends at {} s; choose an earlier --from",
            Shown(end)
        )));
    }
    if args.out.is_empty() {
        text(args, &drawn)?;
        return Ok(Exit::Done);
    }
    let (title, timeline) = drawn.pop().filter(|_| drawn.is_empty()).ok_or_else(|| {
        Error::config(
            "--out draws one entrant: name it, as in `tortoise timeline k-async:2 --out FILE`",
        )
    })?;
    for path in &args.out {
        write(path, &title, &timeline, args.width)?;
        print(&format!("{}\n", path.display()))?;
    }
    Ok(Exit::Done)
}

/// The entrants over the same run time: so long, or as the first needs for its updates.
fn simulated(args: &TimelineArgs, until: Option<Duration>) -> Result<Vec<(String, Timeline)>> {
    let TimelineArgs { learners, delay, slow, cancel, seed, updates, .. } = args;
    if !(1..=1 << 20).contains(learners) {
        return Err(Error::config("--learners (P) must be from 1 to 1048576"));
    }
    if args.minibatch.is_some() && args.per_sample == 0.0 {
        return Err(Error::config(MINIBATCH_ALONE));
    }
    let delay = with_samples(delay.clone(), args.per_sample, args.minibatch.unwrap_or(MINIBATCH))?;
    if *updates == Some(0) {
        return Err(Error::config("--updates must be at least 1"));
    }
    let entrants =
        if args.entrants.is_empty() { Entrant::six(*learners) } else { args.entrants.clone() };
    let entrants: Vec<Entrant> = entrants.iter().map(|entrant| entrant.among(*learners)).collect();
    if *cancel != Cancellation::default() && !entrants.iter().any(|e| e.cancels(*learners)) {
        say(NOTHING_CANCELLED);
    }
    let mut drawn: Vec<(String, Timeline)> = Vec::new();
    for entrant in &entrants {
        // The first may be limited by its updates; all others end when it does.
        let first = drawn.first().map(|(_, first)| first.until);
        let limits = Limits {
            time: first.or(until),
            updates: match (first, until) {
                (Some(_), _) => None,
                (None, Some(_)) => *updates,
                (None, None) => Some(updates.unwrap_or(UPDATES)),
            },
            ..Limits::default()
        };
        let delays = Delays::new(delay.clone(), slow, *learners, *seed)?
            .with_link(args.link.as_ref(), *seed)?;
        let mut run = times_only(entrant, *cancel, *learners, delays)?;
        let mut drawing = Drawing(Collector::new(MOST_EVENTS));
        run.train(&limits, &mut drawing)?;
        let timeline = drawing.0.finish_at(run.cluster.now());
        let cancel = match cancel {
            Cancellation::OnArrival
                if entrant.cancellation(*cancel) == *cancel && entrant.rules().cancels() =>
            {
                ", cancel on-arrival"
            }
            _ => "",
        };
        drawn.push((format!("{entrant}, P={learners}{cancel}"), timeline));
    }
    Ok(drawn)
}

/// Takes no more than can be drawn.
struct Drawing(Collector);

impl Observer for Drawing {
    fn event(&mut self, time: Duration, event: &Event) -> Result<()> {
        if self.0.is_full() {
            return Err(Error::config(format!(
                "a timeline shows at most {MOST_EVENTS} events; choose an earlier --until or fewer --updates"
            )));
        }
        self.0.event(time, event)
    }
}

fn write(path: &Path, title: &str, timeline: &Timeline, width: Option<usize>) -> Result<()> {
    if width.is_some_and(|width| !PIXELS.contains(&width)) {
        return Err(Error::config("the --width of a picture must be from 200 to 20000 pixels"));
    }
    let mut look = Look { title: title.to_owned(), ..Look::picture() };
    look.width = width.map_or(look.width, |width| width as f64);
    let bytes = match ending("--out", path, &ENDINGS)? {
        "svg" => timeline::svg(timeline, &look).into_bytes(),
        "png" => raster::png(&timeline::svg(timeline, &look)),
        _ => timeline::perfetto(timeline, title).into_bytes(),
    };
    write_whole(path, &bytes)
}

fn text(args: &TimelineArgs, drawn: &[(String, Timeline)]) -> Result<()> {
    let terminal = || console::Term::stdout().size_checked().map(|(_, columns)| columns.into());
    let width = args.width.or_else(terminal).unwrap_or(COLUMNS);
    if !(24..=10_000).contains(&width) {
        return Err(Error::config("--width must be from 24 to 10000 columns"));
    }
    let parts: Vec<String> = drawn
        .iter()
        .map(|(title, timeline)| format!("{title}\n{}", timeline::text(timeline, width)))
        .collect();
    print_styled(&parts.join("\n"))
}

fn seconds(option: &str, value: f64) -> Result<Duration> {
    match value {
        0.0..=1e9 => Ok(Duration::from_secs_f64(value)),
        _ => Err(Error::config(format!("{option} must be from 0 to 1e9 seconds"))),
    }
}
