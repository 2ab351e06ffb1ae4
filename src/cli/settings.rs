//! Options as the settings that they are: their names, what was given, and in the help what holds where
//! nothing is given.

use clap::{Arg, Args, builder::StyledStr};
use serde::Serialize;
use toml::{Table, Value};

use super::{options::Output, usage::reworded};
use crate::{
    Error, Result,
    race::config::{self, Config, Scope},
    sgd::Entrant,
};

/// For the help of an option of a race: with the value that holds where nobody says otherwise.
pub(super) fn of_a_race(arg: Arg) -> Arg {
    let [simulated, measured] = config::DEFAULT_BUDGETS;
    match arg.get_id().as_str() {
        "budget" => say_default(arg, &format!("{simulated}, in real time {measured}")),
        "delay" => say_default(arg, config::DEFAULT_DELAYS[0]),
        _ => with_default(arg, config::DEFAULTS),
    }
}

/// The configuration that these options and the file make, of these entrants if some are named.
pub(super) fn config<F: Args + Serialize>(
    entrants: &[Entrant],
    flags: &F,
    output: &Output,
) -> Result<Config> {
    Config::new(entrants, &given(flags)?, output.config.as_deref(), &scope::<F>(&[]))
}

/// What a file may hold for a command with these options, and what of it counts.
pub(super) fn scope<F: Args>(own: &[&str]) -> Scope {
    Scope {
        counts: Some(names::<F>()),
        own: own.iter().map(|&name| name.to_owned()).collect(),
        never: names::<Output>(),
    }
}

/// [`say_default`] for an option of which `defaults` know the value, unless that is none.
pub(super) fn with_default(arg: Arg, defaults: &str) -> Arg {
    let defaults: Table = defaults.parse().expect("the defaults are TOML");
    let default = defaults.get(&setting(&arg)).and_then(words);
    match default {
        Some(default) => say_default(arg, &default),
        None => arg,
    }
}

/// Says at the end of the first paragraph of its help what holds where an option is not given.
fn say_default(arg: Arg, default: &str) -> Arg {
    let said = |help: &StyledStr| {
        let help = help.to_string();
        let (first, rest) = help.split_at(help.find("\n\n").unwrap_or(help.len()));
        format!("{first} [default: {default}]{rest}")
    };
    reworded(arg, said)
}

/// A default as it is given on the command line; none for what is only said, or is nothing.
fn words(value: &Value) -> Option<String> {
    let words = match value {
        Value::String(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Array(values) => values.iter().filter_map(words).collect::<Vec<_>>().join(","),
        _ => return None,
    };
    Some(words).filter(|words| !words.is_empty())
}

/// The options that were given, under their names.
pub(super) fn given(flags: &impl Serialize) -> Result<Table> {
    Table::try_from(flags).map_err(|error| Error::config(error.to_string()))
}

/// The names of these options.
fn names<A: Args>() -> Vec<String> {
    let command = A::augment_args(clap::Command::new("settings"));
    command.get_arguments().map(setting).collect()
}

/// The name of an option as a setting.
fn setting(option: &Arg) -> String {
    option.get_id().as_str().replace('_', "-")
}
