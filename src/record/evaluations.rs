//! `evaluations.csv`, written and read.

use std::{fmt, fs, path::Path, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Error, Result, ids::Version};

/// The first line of `evaluations.csv`.
pub(super) const HEAD: &str = "t,update,gradients,train_loss,test_loss,test_accuracy";

/// A line of `evaluations.csv`. As text it has every number in full, so that it comes back to the
/// bit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EvaluationRow {
    /// Run time, in seconds.
    pub t: f64,
    /// Updates made until then.
    pub update: Version,
    /// Gradients that went into them.
    pub gradients: u64,
    /// Mean loss over the training set, with L2.
    #[serde(deserialize_with = "crate::numbers::or_nan")]
    pub train_loss: f64,
    /// Mean loss over the test set, with L2.
    #[serde(deserialize_with = "crate::numbers::or_nan")]
    pub test_loss: f64,
    /// Share of the test set that is classified as labelled.
    #[serde(deserialize_with = "crate::numbers::or_nan")]
    pub test_accuracy: f64,
}

impl fmt::Display for EvaluationRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { t, update, gradients, train_loss, test_loss, test_accuracy } = self;
        write!(f, "{t},{update},{gradients},{train_loss},{test_loss},{test_accuracy}")
    }
}

impl FromStr for EvaluationRow {
    type Err = Error;

    fn from_str(line: &str) -> Result<Self> {
        let [t, update, gradients, train_loss, test_loss, test_accuracy] =
            line.split(',').collect::<Vec<_>>()[..]
        else {
            return Err(Error::config(format!("an evaluation has six numbers: {HEAD}")));
        };
        let t = number::<f64>(t)?;
        if !(t.is_finite() && t >= 0.0) {
            return Err(Error::config(format!("a run time is 0 seconds or more, and not {t}")));
        }
        Ok(Self {
            t,
            update: number(update)?,
            gradients: number(gradients)?,
            train_loss: number(train_loss)?,
            test_loss: number(test_loss)?,
            test_accuracy: number(test_accuracy)?,
        })
    }
}

fn number<N: FromStr>(text: &str) -> Result<N> {
    text.parse()
        .map_err(|_| Error::config(format!("{text:?} is not the number that belongs there")))
}

/// Reads the `evaluations.csv` at `path`.
///
/// # Errors
/// [`Error::Io`] where it cannot be read, [`Error::Config`] naming the line that is no evaluation,
/// does not follow from those before it, or is cut off.
pub fn read_evaluations(path: &Path) -> Result<Vec<EvaluationRow>> {
    let bytes = fs::read(path).map_err(Error::io(path))?;
    let wrong = |number: usize, what: &str| {
        Error::config(format!("{}, line {}: {what}", path.display(), number + 1))
    };
    let mut lines =
        bytes.split_inclusive(|byte| *byte == b'\n').enumerate().map(|(number, line)| {
            let line = line.strip_suffix(b"\n").ok_or_else(|| wrong(number, "is cut off"))?;
            Ok((number, str::from_utf8(line).map_err(|_| wrong(number, "is no text"))?))
        });
    if lines.next().transpose()?.is_none_or(|(_, head)| head != HEAD) {
        return Err(wrong(0, &format!("is not {HEAD}")));
    }
    let mut rows: Vec<EvaluationRow> = Vec::new();
    for line in lines {
        let (number, line) = line?;
        let row: EvaluationRow =
            line.parse().map_err(|error: Error| wrong(number, &error.to_string()))?;
        let back = |last: &EvaluationRow| {
            row.t < last.t || row.update < last.update || row.gradients < last.gradients
        };
        if rows.last().is_some_and(back) {
            return Err(wrong(number, "goes back behind the line before it"));
        }
        rows.push(row);
    }
    Ok(rows)
}
