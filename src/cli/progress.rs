//! How far a race is: a bar on a terminal, a line a finished run elsewhere, on standard error.

use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressStyle};

/// Steps of the bar a run.
const STEPS: u64 = 1000;

/// The progress of all runs of a race.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
    lines: bool,
}

impl Progress {
    /// For so many runs; silent if `quiet`.
    pub(super) fn new(runs: usize, quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = if terminal && !quiet {
            let style = "{msg:24} {wide_bar} {percent:>3} % {elapsed:>4} (eta {eta:>4})";
            let style = ProgressStyle::with_template(style).expect("the template is right");
            ProgressBar::new(runs as u64 * STEPS).with_style(style)
        } else {
            ProgressBar::hidden()
        };
        Self { bar, lines: !terminal && !quiet }
    }

    /// The `run`-th run, of `name`, has come this far, from 0 to 1.
    pub(super) fn at(&self, run: usize, name: &str, share: f64) {
        self.bar.set_message(name.to_owned());
        self.bar.set_position(run as u64 * STEPS + (share.clamp(0.0, 1.0) * STEPS as f64) as u64);
    }

    /// A run is done, and `line` says what came of it.
    #[expect(clippy::print_stderr, reason = "progress belongs on standard error")]
    pub(super) fn done(&self, line: &str) {
        if self.lines {
            eprintln!("{line}");
        }
    }

    /// Says something that the reader should know before the results come.
    #[expect(clippy::print_stderr, reason = "a note belongs on standard error")]
    pub(super) fn note(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    /// Clears the bar away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
