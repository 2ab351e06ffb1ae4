//! Settings laid over each other: defaults, then a TOML file, then flags.

use std::{
    fmt::Display,
    path::{self, Path, PathBuf},
};

use clap::{Arg, Args, builder::StyledStr};
use serde::{Serialize, de::DeserializeOwned};
use toml::{Table, Value};

use super::{Delay, Flags};
use crate::{
    Error, Result,
    cli::race::Output,
    cluster::delay::{Distribution, Trace},
    file, suggest,
};

/// The most bytes of a file of settings.
const MOST_BYTES: u64 = 1 << 20;

/// A file of settings: its path and its text.
pub(in crate::cli) type Source<'a> = Option<(&'a Path, &'a str)>;

/// The text of the file at `path`, if one is named; `-` is standard input.
///
/// # Errors
/// [`Error::Config`] that names it.
pub(in crate::cli) fn text(path: Option<&Path>) -> Result<Option<String>> {
    path.map(|path| file::named_text(path, MOST_BYTES).map_err(in_config(path))).transpose()
}

/// Lays `flags` over the file over `defaults`. The file may hold any setting of a run, so that one
/// file serves every command, and besides them those of the command itself, `own`; what is no option
/// of the command is passed over.
///
/// # Errors
/// [`Error::Config`] that names the setting.
pub(in crate::cli) fn layers<F: Args + Serialize>(
    defaults: &str,
    source: Source<'_>,
    flags: &F,
    own: &[&str],
) -> Result<Table> {
    let mut table: Table = defaults.parse().expect("the defaults are TOML");
    if let Some((path, text)) = source {
        let used = names::<F>();
        let mut settings = settings(path, text, own)?;
        settings.retain(|key, _| key == "entrants" || used.iter().any(|name| name == key));
        table.extend(settings);
    }
    table.extend(given(flags)?);
    Ok(table)
}

/// The options that were given, under their names.
pub(in crate::cli) fn given(flags: &impl Serialize) -> Result<Table> {
    Table::try_from(flags).map_err(|error| Error::config(error.to_string()))
}

/// Names the file with what is wrong with a setting, unless that is of an option that was `given` or
/// of an entrant that was `named` on the command line.
pub(in crate::cli) fn of_file(
    error: Error,
    source: Source<'_>,
    given: &Table,
    named: bool,
) -> Error {
    let message = error.to_string();
    let option = message.strip_prefix("--").and_then(|rest| rest.split(' ').next());
    let of_flags = option.map_or(named, |option| given.contains_key(option));
    match source {
        Some((path, _)) if !of_flags => in_config(path)(message),
        _ => error,
    }
}

/// [`say_default`] for an option of which `defaults` know the value, unless that is none.
pub(in crate::cli) fn with_default(arg: Arg, defaults: &str) -> Arg {
    let defaults: Table = defaults.parse().expect("the defaults are TOML");
    let default = defaults.get(&setting(&arg)).and_then(words);
    match default {
        Some(default) => say_default(arg, &default),
        None => arg,
    }
}

/// Says at the end of the first paragraph of its help what holds where an option is not given.
pub(in crate::cli) fn say_default(arg: Arg, default: &str) -> Arg {
    let said = |help: &StyledStr| {
        let help = help.to_string();
        let (first, rest) = help.split_once("\n\n").map_or((&*help, None), |(a, b)| (a, Some(b)));
        let rest = rest.map_or(String::new(), |rest| format!("\n\n{rest}"));
        format!("{first} [default: {default}]{rest}")
    };
    let (short, long) = (arg.get_help().map(said), arg.get_long_help().map(said));
    let arg = arg.help(short.unwrap_or_default());
    match long {
        Some(long) => arg.long_help(long),
        None => arg,
    }
}

/// A default as it is given on the command line; none for what is only said, or is nothing.
fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()).filter(|text| !text.is_empty()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Array(values) => {
            let values: Option<Vec<String>> = values.iter().map(words).collect();
            values.filter(|values| !values.is_empty()).map(|values| values.join(","))
        }
        _ => None,
    }
}

/// Numbers as the reader of a message knows them.
const EXPECTED: [(&str, &str); 4] = [
    ("expected usize", "expected a whole number from 0 on"),
    ("expected u64", "expected a whole number from 0 on"),
    ("expected u32", "expected a whole number from 0 to 4294967295"),
    ("expected f64", "expected a number"),
];

/// This delay, with its trace read if it is one.
///
/// # Errors
/// [`Error::Config`] that names the file.
pub(in crate::cli) fn with_trace(
    delay: Delay,
    flags: &impl Serialize,
    source: Source<'_>,
) -> Result<Delay> {
    let Delay::Trace(path) = delay else { return Ok(delay) };
    let named_in = source.filter(|_| !is_given("delay", flags));
    let trace = Trace::read(&place(&path, named_in)).map_err(|error| match named_in {
        Some((config, _)) => in_config(config)(format!("{error} in `delay`")),
        None => Error::config(format!("--delay: {error}")),
    })?;
    Ok(Delay::Law(Distribution::Trace(trace)))
}

/// The folder of the data set, wherever the command runs next.
pub(in crate::cli) fn data_folder(
    folder: &Path,
    flags: &impl Serialize,
    source: Source<'_>,
) -> PathBuf {
    absolute(&place(folder, source.filter(|_| !is_given("data", flags))))
}

/// The same folder as seen from everywhere, where that is text, as a setting has to be.
pub(in crate::cli) fn absolute(folder: &Path) -> PathBuf {
    let absolute = path::absolute(folder).ok().filter(|absolute| absolute.to_str().is_some());
    absolute.unwrap_or_else(|| folder.to_owned())
}

/// Whether `flags` have the setting `key`.
pub(in crate::cli) fn is_given(key: &str, flags: &impl Serialize) -> bool {
    Table::try_from(flags).is_ok_and(|flags| flags.contains_key(key))
}

/// Where `path` is: beside the file that names it, or, if it is not there, as seen from here.
fn place(path: &Path, named_in: Source<'_>) -> PathBuf {
    let beside = named_in.and_then(|(config, _)| Some(config.parent()?.join(path)));
    beside.filter(|beside| beside.exists()).unwrap_or_else(|| path.to_owned())
}

/// What the settings are of.
///
/// # Errors
/// [`Error::Config`] that names the setting.
pub(in crate::cli) fn checked<T: DeserializeOwned>(table: Table, source: Source<'_>) -> Result<T> {
    table.try_into().map_err(|error: toml::de::Error| {
        // The message, then the key that it is about.
        let mut message = error.to_string().trim_end().replace('\n', " ");
        for (type_name, in_words) in EXPECTED {
            message = message.replace(type_name, in_words);
        }
        match source {
            Some((path, _)) => in_config(path)(message),
            None => Error::config(message),
        }
    })
}

/// The settings in the text of the TOML file at `path`, all known.
fn settings(path: &Path, text: &str, own: &[&str]) -> Result<Table> {
    let table: Table = text.parse().map_err(in_config::<toml::de::Error>(path))?;
    let mut known = names::<Flags>();
    known.extend(["entrants"].iter().chain(own).map(|&name| name.to_owned()));
    let Some(key) = table.keys().find(|key| !known.contains(key)) else { return Ok(table) };
    // A file says what a run is, and goes into the run directory; where that is and what is shown of
    // it is said anew each time.
    let problem = if names::<Output>().contains(key) {
        format!("\"{key}\" is not part of a run: give it as --{key}")
    } else {
        let hint = suggest::nearest(key, known.iter().map(String::as_str));
        format!("unknown setting \"{key}\"{hint}")
    };
    Err(in_config(path)(problem))
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

/// For `map_err`: what is wrong with the file at `path`.
fn in_config<E: Display>(path: &Path) -> impl FnOnce(E) -> Error {
    move |error| Error::config(format!("{}: {error}", file::name(path)))
}
