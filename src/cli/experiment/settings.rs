//! Settings laid over each other: defaults, then a TOML file, then flags.

use std::{
    fmt::Display,
    path::{self, Path, PathBuf},
};

use clap::Args;
use serde::{Serialize, de::DeserializeOwned};
use toml::Table;

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

/// The text of the file at `path`, if one is named.
///
/// # Errors
/// [`Error::Config`] that names it.
pub(in crate::cli) fn text(path: Option<&Path>) -> Result<Option<String>> {
    path.map(|path| file::text(path, MOST_BYTES).map_err(in_config(path))).transpose()
}

/// Lays `flags` over the file over `defaults`. The file may hold any setting of a run, so that one
/// file serves every command, and besides them those of the command itself, `own`.
///
/// # Errors
/// [`Error::Config`] that names the setting.
pub(in crate::cli) fn layers(
    defaults: &str,
    source: Source<'_>,
    flags: &impl Serialize,
    own: &[&str],
) -> Result<Table> {
    let mut table: Table = defaults.parse().expect("the defaults are TOML");
    if let Some((path, text)) = source {
        table.extend(settings(path, text, own)?);
    }
    table.extend(Table::try_from(flags).map_err(|error| Error::config(error.to_string()))?);
    Ok(table)
}

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
fn is_given(key: &str, flags: &impl Serialize) -> bool {
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
        let message = error.to_string().trim_end().replace('\n', " ");
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
    command.get_arguments().map(|flag| flag.get_id().as_str().replace('_', "-")).collect()
}

/// For `map_err`: what is wrong with the file at `path`.
fn in_config<E: Display>(path: &Path) -> impl FnOnce(E) -> Error {
    move |error| Error::config(format!("{}: {error}", path.display()))
}
