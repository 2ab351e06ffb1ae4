//! What a command line that cannot be read is told: clap's words, with a remedy that goes by meaning
//! where clap's would go by spelling.

use std::ffi::OsString;

use clap::{
    Arg, Command, CommandFactory, Error, Parser,
    builder::StyledStr,
    error::{ContextKind, ContextValue, ErrorKind},
};

use super::Cli;
use crate::{error::shortened, numbers::listed, sgd::entrant, suggest};

/// Why a command does not take an option that others take, or not together with another, and what to do.
const REASONS: &[(&str, &[&str], &str)] = &[
    ("estimate", &["seeds"], "estimate makes one run; `tortoise race --estimate` takes --seeds"),
    ("estimate", &["targets"], "`tortoise race` and `train` tell when a loss was reached"),
    ("estimate", &["estimate"], "that is what this command does: leave it out"),
    (
        "advise",
        &["updates"],
        "the goal of advise is a --target or a --budget; the length of its pilot runs is --pilot",
    ),
    ("advise", &["evaluate-every", "adasync-every"], "advise chooses when to evaluate"),
    ("advise", &["estimate"], "advise goes by pilot runs, or by --constants"),
    (
        "advise",
        &["isolate", "on-loss", "restarts", "quorum", "patience", "non-finite", "chaos"],
        "advise assumes that nothing fails: give this option to `tortoise race` with the advised entrant",
    ),
    ("advise", &["budget", "target"], "give one goal: a loss or a run time"),
    ("advise", &["constants"], "with --constants nothing runs: advice goes by the bounds alone"),
    (
        "theory",
        &[
            "smoothness",
            "convexity",
            "variance",
            "gradient-variance",
            "initial-gap",
            "gamma",
            "learning-rate",
            "minibatch",
            "out",
        ],
        "this option is for the tables of all variants: leave the entrant out",
    ),
];

impl Cli {
    /// The command line of this process.
    ///
    /// # Errors
    /// What is to be said in place of carrying it out: help, or what is wrong with it and what to do.
    pub fn read() -> Result<Self, Error> {
        let words: Vec<OsString> = std::env::args_os().collect();
        Self::try_parse_from(&words).map_err(|error| explained(error, &words))
    }
}

/// For all commands: the help of entrants has the names of all of them, and a number that begins with a
/// minus is a value, so that what is said of it names the option.
pub(super) fn completed(command: Command) -> Command {
    let values = |arg: Arg| match arg.is_positional() || !arg.get_action().takes_values() {
        true => with_entrants(arg),
        false => arg.allow_negative_numbers(true),
    };
    command.mut_args(values).mut_subcommands(completed)
}

/// With the names of all entrants where the help has a place for them.
fn with_entrants(arg: Arg) -> Arg {
    reworded(arg, |help| help.to_string().replace("{entrants}", &entrant::grammar()))
}

/// The option with other words in its help, short and long.
pub(super) fn reworded(arg: Arg, words: impl Fn(&StyledStr) -> String) -> Arg {
    let (short, long) = (arg.get_help().map(&words), arg.get_long_help().map(&words));
    let arg = arg.help(short.unwrap_or_default());
    match long {
        Some(long) => arg.long_help(long),
        None => arg,
    }
}

fn explained(mut error: Error, words: &[OsString]) -> Error {
    let mut whole = Cli::command();
    whole.build();
    let command = called(&whole, words);
    match error.kind() {
        ErrorKind::UnknownArgument => unknown_option(&mut error, &whole, command, words),
        ErrorKind::InvalidSubcommand => unknown_subcommand(&mut error, command),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => wrong_value(&mut error, command),
        ErrorKind::ArgumentConflict => conflict(&mut error, command),
        _ => {}
    }
    error
}

/// The command that these words call.
fn called<'a>(whole: &'a Command, words: &[OsString]) -> &'a Command {
    let mut command = whole;
    for word in words.iter().skip(1) {
        let Some(inner) = command.find_subcommand(word) else { break };
        command = inner;
    }
    command
}

fn unknown_option(error: &mut Error, whole: &Command, command: &Command, words: &[OsString]) {
    let Some(given) = text(error, ContextKind::InvalidArg) else { return };
    if !given.starts_with('-') {
        error.insert(ContextKind::InvalidArg, ContextValue::String(shortened(&given)));
        return;
    }
    // Of -lr clap tells -l alone.
    let whole_word = words.iter().filter_map(|word| word.to_str()).find(|word| {
        !given.starts_with("--") && !word.starts_with("--") && word.starts_with(&*given)
    });
    let whole_word = whole_word.unwrap_or(&given);
    let whole_word = whole_word.split_once('=').map_or(whole_word, |(name, _)| name);
    let bare = whole_word.trim_start_matches('-');
    let names = [if bare.chars().count() == 1 { whole_word } else { bare }, &*given];
    let options: Vec<&str> = command.get_arguments().filter_map(Arg::get_long).collect();
    let meant = || names.iter().find_map(|name| suggest::by_meaning(name, &options));
    // What clap says of values that look like an option is no help here.
    let by_spelling = error.remove(ContextKind::SuggestedArg);
    error.remove(ContextKind::Suggested);
    if let Some(reason) = reason(command, bare) {
        add_tip(error, reason.to_owned());
    } else if let Some(meant) = meant() {
        error.insert(ContextKind::SuggestedArg, ContextValue::String(format!("--{meant}")));
    } else if let Some(note) = names.iter().find_map(|name| suggest::absent(name)) {
        add_tip(error, note.to_owned());
    } else if let Some(elsewhere) = elsewhere(whole, bare) {
        add_tip(error, format!("'--{bare}' is an option of {elsewhere}"));
    } else {
        if let Some(argument) = by_spelling {
            error.insert(ContextKind::SuggestedArg, argument);
        }
        return;
    }
    // Clap's shows the option that it took this one for.
    let usage = command.clone().render_usage();
    error.insert(ContextKind::Usage, ContextValue::StyledStr(usage));
}

fn unknown_subcommand(error: &mut Error, command: &Command) {
    let Some(given) = text(error, ContextKind::InvalidSubcommand) else { return };
    error.insert(ContextKind::InvalidSubcommand, ContextValue::String(shortened(&given)));
    let seen = || command.get_subcommands().filter(|inner| !inner.is_hide_set());
    let inner = seen().flat_map(|outer| {
        let names = outer.get_subcommands().map(Command::get_name).filter(|name| *name != "help");
        names.map(|name| format!("{} {name}", outer.get_name()))
    });
    let names: Vec<String> = seen().map(|c| c.get_name().to_owned()).chain(inner).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    if let Some(meant) = suggest::by_meaning(&given, &names) {
        let meant = ContextValue::Strings(vec![meant.to_owned()]);
        error.insert(ContextKind::SuggestedSubcommand, meant);
    }
}

fn wrong_value(error: &mut Error, command: &Command) {
    if let Some(value) = text(error, ContextKind::InvalidValue) {
        if let Some(ContextValue::Strings(valid)) = error.get(ContextKind::ValidValue) {
            let valid: Vec<&str> = valid.iter().map(String::as_str).collect();
            if let Some(meant) = suggest::by_meaning(&value, &valid) {
                let meant = ContextValue::String(meant.to_owned());
                error.insert(ContextKind::SuggestedValue, meant);
            }
        }
        error.insert(ContextKind::InvalidValue, ContextValue::String(shortened(&value)));
    }
    // The option is known by its short name as well.
    let Some(given) = text(error, ContextKind::InvalidArg) else { return };
    let long = given.split_whitespace().next().and_then(|name| name.strip_prefix("--"));
    let option = command.get_arguments().find(|arg| long.is_some() && arg.get_long() == long);
    if let Some(short) = option.and_then(Arg::get_short) {
        let both = ContextValue::String(format!("-{short}, {given}"));
        error.insert(ContextKind::InvalidArg, both);
    }
}

fn conflict(error: &mut Error, command: &Command) {
    let mut named = vec![text(error, ContextKind::InvalidArg).unwrap_or_default()];
    match error.get(ContextKind::PriorArg) {
        Some(ContextValue::String(prior)) => named.push(prior.clone()),
        Some(ContextValue::Strings(prior)) => named.extend(prior.iter().cloned()),
        _ => {}
    }
    // One that is given twice is in conflict with itself.
    if named.len() > 1 && named[0] == named[1] {
        return;
    }
    let options = named.iter().filter_map(|name| name.split_whitespace().next());
    let mut options = options.map(|name| name.trim_start_matches('-').to_owned());
    if let Some(reason) = options.find_map(|option| reason(command, &option)) {
        add_tip(error, reason.to_owned());
    }
}

/// Why this command does not take an option, if there is more to say than that.
fn reason(command: &Command, option: &str) -> Option<&'static str> {
    let of = |(name, options, _): &&(&str, &[&str], _)| {
        *name == command.get_name() && options.contains(&option)
    };
    REASONS.iter().find(of).map(|(_, _, reason)| *reason)
}

/// The commands that have an option, in words.
fn elsewhere(whole: &Command, option: &str) -> Option<String> {
    let has = |command: &&Command| {
        !command.is_hide_set() && command.get_arguments().any(|arg| arg.get_long() == Some(option))
    };
    let names = whole.get_subcommands().filter(has).map(|command| command.get_name().to_owned());
    let names: Vec<String> = names.collect();
    (!names.is_empty()).then(|| listed(&names))
}

fn text(error: &Error, kind: ContextKind) -> Option<String> {
    match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    }
}

fn add_tip(error: &mut Error, tip: String) {
    let tip = ContextValue::StyledStrs(vec![StyledStr::from(tip)]);
    error.insert(ContextKind::Suggested, tip);
}
