//! The values of options: numbers, and a folder.

use std::path::PathBuf;

use clap::builder::{PathBufValueParser, TypedValueParser};

/// Reads a whole number, or says what it `may_be`; whoever takes it looks whether it is too large or too
/// small. What is larger than a TOML file can hold is refused here.
pub(super) fn whole<T: TryFrom<u64>>(
    may_be: &'static str,
) -> impl Fn(&str) -> Result<T, String> + Clone {
    move |text| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse::<u64>().ok().filter(|number| i64::try_from(*number).is_ok());
        let number = number.filter(|_| digits).and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| format!("it must be a whole number {may_be}, in digits alone"))
    }
}

/// Reads a number, or says what it `may_be`; whoever takes it looks whether it is.
pub(super) fn number(may_be: &'static str) -> impl Fn(&str) -> Result<f64, String> + Clone {
    move |text| text.parse().map_err(|_| format!("it must be {may_be}, as in 1, 0.5 or 2e-3"))
}

/// Reads a folder that a configuration names, which is text.
pub(super) fn named_folder() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|folder| match folder.to_str() {
        Some(_) => Ok(folder),
        None => Err("a configuration is UTF-8 text: run from within that folder, with --data ."),
    })
}
