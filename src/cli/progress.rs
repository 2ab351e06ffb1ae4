//! What is shown of a race while it lasts: a dashboard or a bar on a terminal, a line a finished run
//! elsewhere; all of it on standard error.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::{dashboard::Dashboard, interrupt::Interrupt, say};
use crate::{
    race::{Config, News, Progress},
    report,
    sgd::Event,
};

/// How long a race may take to come to its end once that is wished. What takes longer, an evaluation of
/// a large model say, is cut off: nothing is lost by that but what `resume` computes again.
const STOPPING: Duration = Duration::from_millis(1500);
/// How long it may take from that wish until all is written and drawn.
const FINISHING: Duration = Duration::from_secs(10);

/// What is shown of a race, and how.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// Print the results as JSON in place of the table
    #[arg(long)]
    pub(super) json: bool,
    /// Show no progress
    #[arg(long)]
    quiet: bool,
    /// Show a progress bar in place of the dashboard
    #[arg(long, conflicts_with = "quiet")]
    pub(super) plain: bool,
}

impl Show {
    /// How the progress of a race is shown that `interrupt` ends.
    pub(super) fn progress(&self, interrupt: &Interrupt) -> Box<dyn Progress> {
        let shown = self.shown(interrupt);
        Box::new(Interruptible { shown, interrupt: interrupt.clone() })
    }

    fn shown(&self, interrupt: &Interrupt) -> Box<dyn Progress> {
        let terminal = io::stderr().is_terminal() && !dumb();
        match (self.quiet, terminal) {
            (true, _) => Box::new(Lines { quiet: true }),
            (false, false) => Box::new(Lines { quiet: false }),
            (false, true) if self.plain || !Dashboard::has_keys() => Box::<Bar>::default(),
            (false, true) => Box::new(Dashboard::new(interrupt)),
        }
    }
}

/// Whether the terminal can move no cursor.
fn dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Gives a race that runs the time to come to its end by itself.
struct Interruptible {
    shown: Box<dyn Progress>,
    interrupt: Interrupt,
}

impl Progress for Interruptible {
    fn tell(&mut self, news: News<'_>) {
        match news {
            News::Start(_) => self.interrupt.give(STOPPING),
            News::End => self.interrupt.give(FINISHING),
            _ => {}
        }
        self.shown.tell(news);
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
            News::Tuned { rates, tuned } if !self.quiet => say(&report::tuned(rates, tuned)),
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
    race: Option<Config>,
    over: u64,
}

/// Steps of the bar a run.
const STEPS: u64 = 1000;

impl Progress for Bar {
    fn tell(&mut self, news: News<'_>) {
        match (news, &self.bar) {
            (News::Start(race), _) => {
                let style = "{msg:24} {wide_bar} {percent:>3} % {elapsed:>4} (eta {eta:>4})";
                let style = ProgressStyle::with_template(style).expect("the template is right");
                let runs = race.entrants.len() as u64 * race.seeds;
                self.bar = Some(ProgressBar::new(runs * STEPS).with_style(style));
                self.race = Some(race.clone());
            }
            (News::Note(note), Some(bar)) => bar.suspend(|| say(note)),
            (News::Note(note), None) => say(note),
            (News::Tuned { rates, tuned }, _) => say(&report::tuned(rates, tuned)),
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
