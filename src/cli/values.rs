//! The values of options: numbers, a folder, and words with what the help says of each.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use clap::{
    ValueEnum,
    builder::{PathBufValueParser, PossibleValue, TypedValueParser},
};

use crate::{
    Error, Result,
    race::Clock,
    sgd::{
        Cancellation, Entrant,
        faults::{NonFinite, OnLoss},
    },
};

/// Lets clap take a setting that is one of these words.
macro_rules! words {
    ($type:ty { $($value:path = $word:literal, $help:literal;)+ }) => {
        impl ValueEnum for $type {
            fn value_variants<'a>() -> &'a [Self] {
                &[$($value),+]
            }

            fn to_possible_value(&self) -> Option<PossibleValue> {
                let (word, help) = match self {
                    $($value => ($word, $help),)+
                };
                Some(PossibleValue::new(word).help(help))
            }
        }
    };
}

words!(Clock {
    Self::Virtual = "virtual", "Delays are drawn from a distribution and added up; nobody waits for them";
    Self::Real = "real",
        "The wall clock: each learner has a thread, a device and a queue of its own";
});

words!(Cancellation {
    Self::Preempt = "preempt",
        "It stops at once, and its learner starts again from the new parameters: the paper's model";
    Self::OnArrival = "on-arrival",
        "It runs to its end, is dropped on arrival, and only then does its learner start again: what \
         parameter servers without a way to stop a learner do";
});

words!(OnLoss {
    Self::Restart = "restart",
        "A new learner takes its place, after a while; after --restarts failures in a row the run goes \
         on without it";
    Self::Shrink = "shrink", "The run goes on without it; K is at most the learners left";
    Self::Stop = "stop", "The run stops";
});

words!(NonFinite {
    Self::Stop = "stop", "The run ends, and counts as diverged";
    Self::Reject = "reject",
        "The gradient is dropped and counted, and its learner starts another minibatch. A run in which \
         no gradient is finite any more ends as diverged";
});

/// The ending of the name of the file that `option` writes, which says what is written into it.
///
/// # Errors
/// [`Error::Config`] where it is none of `known`.
pub(super) fn ending<'p>(option: &str, path: &'p Path, known: &[&str]) -> Result<&'p str> {
    let ending = path.extension().and_then(OsStr::to_str);
    ending.filter(|ending| known.contains(ending)).ok_or_else(|| {
        let (path, known) = (path.display(), known.join(", ."));
        Error::config(format!("{option} {path} must end in one of .{known}"))
    })
}

/// Reads a whole number, or says what it `may_be`; whoever takes it looks whether it is too large or too
/// small. What is larger than a TOML file can hold is refused here.
pub(super) fn whole<T: TryFrom<u64>>(
    may_be: &'static str,
) -> impl Fn(&str) -> std::result::Result<T, String> + Clone {
    move |text| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = text.parse::<u64>().ok().filter(|number| i64::try_from(*number).is_ok());
        let number = number.filter(|_| digits).and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| format!("it must be a whole number {may_be}, written in digits"))
    }
}

/// Reads a number, or says what it `may_be`; whoever takes it looks whether it is.
pub(super) fn number(
    may_be: &'static str,
) -> impl Fn(&str) -> std::result::Result<f64, String> + Clone {
    move |text| text.parse().map_err(|_| format!("it must be {may_be}, as in 1, 0.5 or 2e-3"))
}

/// Reads a folder that a configuration names, which is text, as the value of `option`.
pub(super) fn named_folder(option: &'static str) -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(move |folder| match folder.to_str() {
        Some(_) => Ok(folder),
        None => Err(format!(
            "a configuration is UTF-8 text: run from within that folder, with {option} ."
        )),
    })
}

/// Reads an entrant where what it has of its own for its training does not count, and says `why` if it has
/// that.
pub(super) fn entrant_alone(
    why: &'static str,
) -> impl Fn(&str) -> std::result::Result<Entrant, String> + Clone {
    move |text| {
        let entrant: Entrant = text.parse().map_err(|error: Error| error.to_string())?;
        match entrant.of_training() {
            own if own.is_empty() => Ok(entrant),
            own => Err(format!("{why}: leave {own} out")),
        }
    }
}

/// Why the learning rate of an entrant does not count where only time does.
pub(super) const UNTRAINED: &str = "nothing is trained here, so that this changes nothing";
