//! Reads an entrant as one names it.

use std::str::FromStr;

use super::{
    ADAPTIVE, ADASYNC, Entrant, Number,
    alias::ALIASES,
    forms::{FORMS, NO_BOUND, Takes},
    own::UNBOUNDED,
};
use crate::{Error, Result, suggest};

impl FromStr for Entrant {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (variant, own) = match text.split_once('@') {
            Some((variant, own)) => (variant, Some(own)),
            None => (text, None),
        };
        let (name, number) = match variant.split_once(':') {
            Some((name, number)) => (name, Some(number)),
            None => (variant, None),
        };
        if let Some((_, alias)) = ALIASES.iter().find(|(known, _)| *known == name) {
            let Some(number) = number else {
                return Err(Error::config(format!("{name} needs a number, as in {name}:2")));
            };
            let entrant = alias.entrant(count(text, "the number", number)?);
            return entrant.with_settings(text, own);
        }
        let Some(form) = FORMS.iter().position(|form| form.name == name) else {
            let hint = match name.contains(',') {
                true => "; entrants have spaces between them".to_owned(),
                false => suggest::nearest(
                    name,
                    FORMS.iter().map(|form| form.name).chain(ALIASES.map(|(name, _)| name)),
                ),
            };
            return Err(Error::config(format!("unknown variant \"{name}\"{hint}")));
        };
        let number = match (FORMS[form].takes, number) {
            (Takes::AllLearners | Takes::OneGradient, Some(k)) => {
                let with_k = format!("k-{name}");
                let hint = match FORMS.iter().any(|form| form.name == with_k) {
                    true => format!("; did you mean \"{with_k}:{k}\"?"),
                    false => String::new(),
                };
                return Err(Error::config(format!("{name} has no K{hint}")));
            }
            (Takes::Bound, None) => {
                return Err(Error::config(format!(
                    "{name} needs a bound R: gradients of that staleness or more do not count, as in \
                     {name}:8"
                )));
            }
            (Takes::Lead, None) => {
                return Err(Error::config(format!(
                    "{name} needs a lead S, by how many minibatches a learner may be ahead of the slowest, as \
                     in {name}:4"
                )));
            }
            (_, None) => Number::None,
            (Takes::Bound | Takes::Lead, Some(UNBOUNDED)) => Number::Of(NO_BOUND),
            (Takes::Lead, Some(lead)) => {
                let wrong = || format!("{text}: S=\"{lead}\" is not a whole number");
                Number::Of(lead.parse().map_err(|_| Error::config(wrong()))?)
            }
            (Takes::Bound, Some(bound)) => Number::Of(count(text, "R", bound)?),
            (Takes::K, Some(k)) => k_of(text, k)?,
        };
        Self::plain(form, number).with_settings(text, own)
    }
}

/// K as it is written in `text`: a number, or how it changes.
fn k_of(text: &str, k: &str) -> Result<Number> {
    if k == ADAPTIVE {
        return Ok(Number::Adaptive);
    }
    if !k.starts_with(|first: char| first.is_alphabetic()) {
        return Ok(Number::Of(count(text, "K", k)?));
    }
    let (policy, initial) = match k.strip_suffix(')').and_then(|k| k.split_once('(')) {
        Some((policy, initial)) => (policy, count(text, "K_0", initial)?),
        None => (k, 1),
    };
    if policy == ADASYNC {
        return Ok(Number::AdaSync(initial));
    }
    let hint = suggest::nearest(policy, [ADASYNC, "adasync(K0)", ADAPTIVE]);
    Err(Error::config(format!("{text}: K=\"{k}\" is not a whole number{hint}")))
}

/// A number as it is written in `text`, which calls it `what`.
fn count(text: &str, what: &str, number: &str) -> Result<usize> {
    match number.parse() {
        Ok(0) => Err(Error::config(format!("{text}: {what} must be at least 1"))),
        Ok(k) => Ok(k),
        Err(_) => Err(Error::config(format!("{text}: {what}=\"{number}\" is not a whole number"))),
    }
}
