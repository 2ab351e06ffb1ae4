//! The command: its arguments, and what each subcommand does with the library.

mod advise;
mod case;
mod completions;
mod dashboard;
mod devices;
mod estimate;
mod examples;
mod interrupt;
mod kernels;
mod learner;
mod options;
mod predict;
mod progress;
mod race;
mod report;
mod resume;
mod settings;
mod show;
mod simulate;
mod theory;
mod timeline;
mod trained;
mod usage;
mod values;

use std::{
    io::{ErrorKind, Write},
    path::Path,
};

use clap::{Parser, Subcommand};

pub use self::interrupt::Interrupt;
#[cfg(unix)]
pub use self::interrupt::is_ignored;
use self::progress::Show;
pub use crate::race::SetVariable;
use crate::{
    Error, Result,
    race::{Config, Program, Progress},
};

/// Should distributed SGD wait for its slowest learners? Trains a model under several variants, and
/// compares them.
///
/// The variants are of synchronous and asynchronous SGD with a parameter server. Gradients are real,
/// and you choose the delays. A report shows loss against run time, next to what theory predicts.
#[derive(Debug, Parser)]
#[command(name = "tortoise", version, propagate_version = true, after_long_help = examples::ALL)]
#[command(mut_subcommands(usage::completed))]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Race several variants on equal terms; ends with a table, pictures and a run directory
    #[command(after_long_help = examples::RACE)]
    Race(race::RaceArgs),
    /// Train under one variant
    #[command(after_long_help = examples::TRAIN)]
    Train(race::TrainArgs),
    /// Go on with a race that was interrupted, from its checkpoints
    #[command(after_long_help = examples::RESUME)]
    Resume(resume::ResumeArgs),
    /// Draw the report of a race again, or one of several races side by side
    #[command(after_long_help = examples::REPORT)]
    Report(report::ReportArgs),
    /// Measure update times, staleness and waste of a variant, without gradients
    #[command(after_long_help = examples::SIMULATE)]
    Simulate(simulate::SimulateArgs),
    /// Draw what learners and parameter server do, in virtual time or as it was recorded
    #[command(after_long_help = examples::TIMELINE)]
    Timeline(timeline::TimelineArgs),
    /// Say what theory knows of a variant's update time: exact, numeric or bounds
    #[command(after_long_help = examples::THEORY)]
    Theory(theory::TheoryArgs),
    /// Say which variant and K to choose, from the distribution of the delays and a few short runs
    #[command(after_long_help = examples::ADVISE)]
    Advise(advise::AdviseArgs),
    /// Train, and estimate the constants of theory and the distribution of the delays from the run
    #[command(after_long_help = examples::ESTIMATE)]
    Estimate(estimate::EstimateArgs),
    /// Classify pictures of digits with a trained model
    #[command(after_long_help = examples::PREDICT)]
    Predict(predict::PredictArgs),
    /// Show a trained model: its weights, its confusions and its worst mistakes, as pictures
    #[command(after_long_help = examples::SHOW)]
    Show(show::ShowArgs),
    /// List the adapters (GPUs and software drivers), and check that a race can run here
    #[command(after_long_help = examples::DEVICES)]
    Devices(devices::DevicesArgs),
    /// List or check the WGSL kernels
    #[command(after_long_help = examples::KERNELS)]
    Kernels(kernels::KernelsArgs),
    /// Print a script that lets a shell complete commands and options
    #[command(after_long_help = examples::COMPLETIONS)]
    Completions(completions::CompletionsArgs),
    /// Compute for another process, which starts this one and talks to it
    #[command(hide = true)]
    Learner,
}

/// What a command gets from the process that it is.
struct Context<'a> {
    /// Tells drivers something before they are loaded.
    set_variable: SetVariable<'a>,
    interrupt: &'a Interrupt,
}

impl Context<'_> {
    /// How the progress of a race is shown.
    fn progress(&self, show: &Show) -> Box<dyn Progress> {
        show.progress(self.interrupt)
    }

    /// What a race gets from this program.
    fn program(&self) -> Program<'_> {
        Program { set_variable: self.set_variable, try_shaders: &kernels::try_edited }
    }
}

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All was done.
    Done,
    /// It found something wrong, and has said so.
    Failed,
    /// It was interrupted; what was recorded is whole.
    Interrupted,
}

impl Exit {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Interrupted => 130,
        }
    }
}

/// The exit code of a command that failed with `error`.
pub fn code(error: &Error) -> u8 {
    match error {
        Error::Config(_) => 2,
        Error::NoAdapter(_) => 3,
        Error::Dataset { .. } => 4,
        Error::Interrupted => Exit::Interrupted.code(),
        _ => 1,
    }
}

impl Cli {
    /// Carries the command out. What drivers should find in the environment it hands to
    /// `set_variable`, before it starts a thread; `interrupt` ends it.
    ///
    /// # Errors
    /// Whatever keeps it from being done; [`code`] has its exit code.
    pub fn run(self, set_variable: SetVariable<'_>, interrupt: &Interrupt) -> Result<Exit> {
        let context = Context { set_variable, interrupt };
        match self.command {
            Command::Race(args) => race::race(&args, &context),
            Command::Train(args) => race::train(&args, &context),
            Command::Resume(args) => resume::run(&args, &context),
            Command::Report(args) => report::run(&args),
            Command::Simulate(args) => simulate::run(&args),
            Command::Timeline(args) => timeline::run(&args),
            Command::Theory(args) => theory::run(&args),
            Command::Advise(args) => advise::run(&args, &context),
            Command::Estimate(args) => estimate::run(&args, &context),
            Command::Predict(args) => predict::run(&args),
            Command::Show(args) => show::run(&args),
            Command::Devices(args) => devices::run(&args),
            Command::Kernels(args) => kernels::run(&args),
            Command::Completions(args) => completions::run(&args),
            Command::Learner => learner::run(interrupt),
        }
    }
}

/// The whole configuration that `text` makes as the file that `--config` names, with `path` for its
/// name: TOML, as a run directory has it. A distribution that is a trace reads its file, and edited
/// shaders their folder.
///
/// # Errors
/// [`Error::Config`] that names the file or the setting that is wrong.
pub fn check_config(path: &Path, text: &str) -> Result<String> {
    let scope = settings::scope::<options::RaceFlags>(&[]);
    Config::parse(&[], &Default::default(), Some((path, text)), &scope).map(|whole| whole.to_toml())
}

/// Writes a result to standard output. A reader that has gone away, as `head` does, wants no more.
fn print(text: &str) -> Result<()> {
    write_to(std::io::stdout().lock(), text)
}

/// [`print()`] of what has ANSI styles, which only a terminal gets, and none that asks for none.
fn print_styled(text: &str) -> Result<()> {
    write_to(anstream::stdout().lock(), text)
}

fn write_to(mut stdout: impl Write, text: &str) -> Result<()> {
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::io("stdout")(error)),
        _ => Ok(()),
    }
}

/// Prints `value` as JSON.
fn print_json(value: &impl serde::Serialize) -> Result<()> {
    print(&to_json(value)?)
}

/// `value` as JSON, for people and programs.
fn to_json(value: &impl serde::Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(value);
    text.map(|text| text + "\n").map_err(|error| Error::io("stdout")(error.into()))
}

/// A line on standard error, if there is anybody left to read it.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
