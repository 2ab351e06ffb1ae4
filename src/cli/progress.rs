//! What happens in a race, told to whoever shows it while it lasts: a dashboard or a bar on a
//! terminal, a line a finished run elsewhere; all of it on standard error.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{dashboard::Dashboard, experiment::Experiment, interrupt::Interrupt};
use crate::{
    ids::Version,
    record::{EvaluationRow, RunSummary},
    report,
    sgd::{Tally, event::Event},
};

/// What happens in a race.
#[derive(Debug, Clone, Copy)]
pub(super) enum News<'a> {
    /// Something that the reader should know before the results come.
    Note(&'a str),
    /// The race starts; `interrupt` ends it.
    Start { race: &'a Experiment, interrupt: &'a Interrupt },
    /// A run of `entrant` starts, or goes on from `time`, and what was counted and evaluated so far.
    Run {
        entrant: &'a str,
        seed: u64,
        time: Duration,
        tally: &'a Tally,
        evaluations: &'a [EvaluationRow],
    },
    /// Something happens in the run.
    Event { time: Duration, event: &'a Event },
    /// The parameters are looked at; what training loss they have, if that is known already.
    Evaluation { time: Duration, version: Version, loss: Option<f64> },
    /// A run of `entrant` is over.
    Over { entrant: &'a str, run: &'a RunSummary },
    /// All runs are over.
    End,
}

/// Shows what happens in a race. What it does takes no run time.
pub(super) trait Progress {
    /// Takes the news in.
    fn tell(&mut self, news: News<'_>);
}

/// What is shown of a race, and how.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// Print summary.json in place of the table
    #[arg(long)]
    pub(super) json: bool,
    /// No progress
    #[arg(long)]
    quiet: bool,
    /// A bar in place of the dashboard
    #[arg(long, conflicts_with = "quiet")]
    pub(super) plain: bool,
}

impl Show {
    /// How the progress of a race is shown.
    pub(super) fn progress(&self) -> Box<dyn Progress> {
        let terminal = io::stderr().is_terminal() && !dumb();
        match (self.quiet, terminal) {
            (true, _) => Box::new(Lines { quiet: true }),
            (false, false) => Box::new(Lines { quiet: false }),
            (false, true) if self.plain || !Dashboard::has_keys() => Box::<Bar>::default(),
            (false, true) => Box::<Dashboard>::default(),
        }
    }
}

/// Whether the terminal can move no cursor.
fn dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

impl Experiment {
    /// Which part of a run is over at run time `time` and after so many updates, from 0 to 1.
    pub(super) fn share(&self, time: Duration, updates: Version) -> f64 {
        let of_time = self.budget.map(|budget| time.as_secs_f64() / budget);
        let of_updates = self.updates.map(|all| updates as f64 / all as f64);
        of_time.into_iter().chain(of_updates).fold(0.0, f64::max).min(1.0)
    }
}

/// A line a finished run; `quiet`, notes alone.
#[derive(Debug)]
struct Lines {
    quiet: bool,
}

impl Progress for Lines {
    fn tell(&mut self, news: News<'_>) {
        match news {
            News::Note(note) => say(note),
            News::Over { entrant, run } if !self.quiet => say(&report::line(entrant, run)),
            _ => {}
        }
    }
}

/// One bar for all runs.
#[derive(Debug, Default)]
struct Bar {
    bar: Option<ProgressBar>,
    /// How far each run has come when it is over, in steps; and the runs that are.
    race: Option<Experiment>,
    over: u64,
}

/// Steps of the bar a run.
const STEPS: u64 = 1000;

impl Progress for Bar {
    fn tell(&mut self, news: News<'_>) {
        match (news, &self.bar) {
            (News::Start { race, .. }, _) => {
                let style = "{msg:24} {wide_bar} {percent:>3} % {elapsed:>4} (eta {eta:>4})";
                let style = ProgressStyle::with_template(style).expect("the template is right");
                let runs = race.entrants.len() as u64 * race.seeds;
                self.bar = Some(ProgressBar::new(runs * STEPS).with_style(style));
                self.race = Some(race.clone());
            }
            (News::Note(note), Some(bar)) => bar.suspend(|| say(note)),
            (News::Note(note), None) => say(note),
            (News::Run { entrant, .. }, Some(bar)) => bar.set_message(entrant.to_owned()),
            (News::Event { time, event: Event::Update { version, .. } }, Some(bar)) => {
                let share = self.race.as_ref().map_or(0.0, |race| race.share(time, *version));
                bar.set_position(self.over * STEPS + (share * STEPS as f64) as u64);
            }
            (News::Over { .. }, Some(bar)) => {
                self.over += 1;
                bar.set_position(self.over * STEPS);
            }
            (News::End, Some(bar)) => bar.finish_and_clear(),
            _ => {}
        }
    }
}

/// A race that fails leaves no bar behind.
impl Drop for Bar {
    fn drop(&mut self) {
        self.tell(News::End);
    }
}

/// A line on standard error, if there is anybody left to read it.
pub(super) fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}
