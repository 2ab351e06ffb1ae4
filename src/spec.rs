//! What is written as `name:key=value,key=value`: distributions, rate rules, constants.

use crate::{Error, Result, suggest};

/// The name before the colon, if it is one of `known`, what stands beside it there, and what follows the
/// colon. `kind` is what a name is of.
///
/// # Errors
/// [`Error::Config`] that says which name is near.
pub(crate) fn name<'t, T>(
    kind: &str,
    text: &'t str,
    known: &'static [(&'static str, T)],
) -> Result<(&'static str, &'static T, &'t str)> {
    let (name, rest) = text.split_once(':').unwrap_or((text, ""));
    let found = known.iter().find(|(known, _)| *known == name);
    found.map(|(name, beside)| (*name, beside, rest)).ok_or_else(|| {
        let hint = suggest::nearest(name, known.iter().map(|(name, _)| *name));
        Error::config(format!("unknown {kind} \"{name}\"{hint}"))
    })
}

/// The value of each of `keys` in `key=value,key=value`, in their order; none for one that is not there.
/// `of` is what they are the parameters of.
///
/// # Errors
/// [`Error::Config`] for one without its key, with another key, or that is given twice.
pub(crate) fn values<'t>(of: &str, text: &'t str, keys: &[&str]) -> Result<Vec<Option<&'t str>>> {
    let mut values = vec![None; keys.len()];
    for pair in text.split(',').filter(|pair| !pair.is_empty()) {
        let Some((key, value)) = pair.split_once('=') else {
            let remedy = match keys.first() {
                Some(first) => format!("needs its name, as in {first}={pair}"),
                None => "is too much: it has no parameter".to_owned(),
            };
            return Err(Error::config(format!("{of}: \"{pair}\" {remedy}")));
        };
        let (key, value) = (key.trim(), value.trim());
        let at = keys.iter().position(|known| *known == key).ok_or_else(|| {
            let hint = match keys {
                [] => "; it has none".to_owned(),
                _ => suggest::nearest(key, keys.iter().copied()),
            };
            Error::config(format!("{of} has no parameter \"{key}\"{hint}"))
        })?;
        if values[at].replace(value).is_some() {
            return Err(Error::config(format!("{of}: {key} is given twice")));
        }
    }
    Ok(values)
}

/// The number in the `value` of `key`.
///
/// # Errors
/// [`Error::Config`] where it is none.
pub(crate) fn number(of: &str, key: &str, value: &str) -> Result<f64> {
    let wrong = |_| Error::config(format!("{of}: {key}=\"{value}\" is not a number"));
    value.parse().map_err(wrong)
}
