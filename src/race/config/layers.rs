//! Settings laid over each other: defaults, then a TOML file, then what is given otherwise.

use std::{
    fmt::Display,
    path::{self, Path, PathBuf},
};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, Visitor, value::Error as NoValue},
    forward_to_deserialize_any,
};
use toml::Table;

use super::{Config, Delay};
use crate::{
    Error, Result,
    cluster::delay::{Distribution, Trace},
    engine::kernels::EditedShaders,
    file, suggest,
};

/// The most bytes of a file of settings.
const MOST_BYTES: u64 = 1 << 20;

/// A file of settings: its path and its text.
pub(crate) type Source<'a> = Option<(&'a Path, &'a str)>;

/// The text of the file at `path`, if one is named; `-` is standard input.
///
/// # Errors
/// [`Error::Config`] that names it.
pub(crate) fn text(path: Option<&Path>) -> Result<Option<String>> {
    path.map(|path| file::named_text(path, MOST_BYTES).map_err(in_config(path))).transpose()
}

/// What a file of settings may hold, and what of it counts.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// The settings that count, where not all do: one file serves every command, and what a command
    /// has no use for is passed over.
    pub counts: Option<Vec<String>>,
    /// Settings that a file may hold besides those of a race.
    pub own: Vec<String>,
    /// What is said anew each time and stands in no file, such as where a race is written to.
    pub never: Vec<String>,
}

/// Settings that are part of the program.
pub(crate) fn built_in(settings: &str) -> Table {
    settings.parse().expect("the defaults are TOML")
}

/// Lays `given` over the file.
///
/// # Errors
/// [`Error::Config`] that names the setting.
pub(crate) fn set(source: Source<'_>, given: &Table, scope: &Scope) -> Result<Table> {
    let mut table = Table::new();
    if let Some((path, text)) = source {
        table = settings(path, text, scope)?;
        if let Some(counts) = &scope.counts {
            table.retain(|key, _| key == "entrants" || counts.iter().any(|counts| counts == key));
        }
    }
    table.extend(given.clone());
    Ok(table)
}

/// Names the file with what is wrong with a setting, unless that is of an option that was `given` or
/// of an entrant that was `named` on the command line.
pub(crate) fn of_file(error: Error, source: Source<'_>, given: &Table, named: bool) -> Error {
    let message = error.to_string();
    let option = message.strip_prefix("--").and_then(|rest| rest.split(' ').next());
    let of_flags = option.map_or(named, |option| given.contains_key(option));
    match source {
        Some((path, _)) if !of_flags => in_config(path)(message),
        _ => error,
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
pub(crate) fn with_trace(delay: Delay, given: &Table, source: Source<'_>) -> Result<Delay> {
    let Delay::Trace(path) = delay else { return Ok(delay) };
    let trace = read_named("delay", &path, given, source, Trace::read)?;
    Ok(Delay::Distribution(Distribution::Trace(trace)))
}

/// The edited shaders in this folder.
///
/// # Errors
/// [`Error::Config`] that names the folder or the file.
pub(super) fn edited_shaders(
    folder: &Path,
    given: &Table,
    source: Source<'_>,
) -> Result<EditedShaders> {
    read_named("shaders", folder, given, source, EditedShaders::read)
}

/// What `read` makes of the file or folder that the setting `key` names.
fn read_named<T>(
    key: &str,
    path: &Path,
    given: &Table,
    source: Source<'_>,
    read: impl FnOnce(&Path) -> Result<T>,
) -> Result<T> {
    let named_in = source.filter(|_| !given.contains_key(key));
    read(&place(path, named_in)).map_err(|error| match named_in {
        Some((config, _)) => in_config(config)(format!("{error} in `{key}`")),
        None => Error::config(format!("--{key}: {error}")),
    })
}

/// The folder of the data set, wherever the command runs next.
pub(crate) fn data_folder(folder: &Path, given: &Table, source: Source<'_>) -> PathBuf {
    absolute(&place(folder, source.filter(|_| !given.contains_key("data"))))
}

/// The same folder as seen from everywhere, where that is text, as a setting has to be.
pub(crate) fn absolute(folder: &Path) -> PathBuf {
    let absolute = path::absolute(folder).ok().filter(|absolute| absolute.to_str().is_some());
    absolute.unwrap_or_else(|| folder.to_owned())
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
pub(crate) fn checked<T: DeserializeOwned>(table: Table, source: Source<'_>) -> Result<T> {
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
fn settings(path: &Path, text: &str, scope: &Scope) -> Result<Table> {
    let table: Table = text.parse().map_err(in_config::<toml::de::Error>(path))?;
    unknown(&table, scope).map_or(Ok(table), |problem| Err(in_config(path)(problem)))
}

/// What is wrong with the name of a setting, if that of one is.
pub(super) fn unknown(settings: &Table, scope: &Scope) -> Option<String> {
    let own = scope.own.iter().map(String::as_str);
    let of_a_race = keys::<Config>().iter().copied().filter(|key| !UNSET.contains(key));
    let known: Vec<_> = of_a_race.chain(own).collect();
    let key = settings.keys().find(|key| !known.contains(&&***key))?;
    Some(if scope.never.contains(key) {
        format!("\"{key}\" cannot be set in a file: give --{key} on the command line")
    } else {
        format!("unknown setting \"{key}\"{}", suggest::nearest(key, known))
    })
}

/// What a configuration keeps, and nobody sets.
const UNSET: [&str; 1] = ["extended"];

/// For `map_err`: what is wrong with the file at `path`.
fn in_config<E: Display>(path: &Path) -> impl FnOnce(E) -> Error {
    move |error| Error::config(format!("{}: {error}", file::name(path)))
}

/// The names of the fields of `T`, under which they are written.
fn keys<'de, T: Deserialize<'de>>() -> &'static [&'static str] {
    let mut keys: &'static [&'static str] = &[];
    // Only asked for its fields, the structure gets none of them.
    let _ = T::deserialize(Fields(&mut keys));
    keys
}

/// Notes which fields are asked for.
struct Fields<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = NoValue;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> std::result::Result<V::Value, NoValue> {
        Err(NoValue::custom("there is nothing to read"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> std::result::Result<V::Value, NoValue> {
        *self.0 = fields;
        Err(NoValue::custom("there is nothing to read"))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
