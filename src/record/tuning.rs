//! `tuning.json`: which learning rates were tried before a race, and what came of it.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::files::{read_json, write_json};
use crate::Result;

/// Short runs of entrants at several learning rates, of which each then took the best.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tuning {
    /// The rates that were tried.
    pub rates: Vec<f64>,
    /// The seed of these runs, which the race does not use.
    pub seed: u64,
    /// What computed their gradients.
    pub gradients_on: String,
    /// Training samples that their losses are over, the first of the training set.
    pub samples: usize,
    /// Who was tuned.
    pub entrants: Vec<Tuned>,
}

/// What came of the runs of one entrant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tuned {
    /// The entrant, as it was named.
    pub entrant: String,
    /// For each rate that was tried the mean training loss over the second half of the run time; none
    /// if the run diverged.
    pub losses: Vec<Option<f64>>,
    /// The rate with the lowest loss; the lowest rate if all diverged.
    pub rate: f64,
}

impl Tuned {
    /// Of the losses at these rates, in their order.
    ///
    /// # Panics
    /// If there is no rate, or not a loss for each.
    pub fn new(entrant: String, rates: &[f64], losses: Vec<Option<f64>>) -> Self {
        assert_eq!(rates.len(), losses.len(), "a loss for each rate");
        let loss = |loss: &Option<f64>| loss.unwrap_or(f64::INFINITY);
        let tried = rates.iter().zip(losses.iter().map(loss));
        let best = tried.min_by(|a, b| a.1.total_cmp(&b.1).then(a.0.total_cmp(b.0)));
        let (rate, _) = best.expect("some rate was tried");
        Self { entrant, rate: *rate, losses }
    }
}

/// The name of the file.
const FILE: &str = "tuning.json";
/// The most bytes of it.
const MOST_BYTES: u64 = 1 << 24;

/// Writes it into the run directory `race`.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn write_tuning(race: &Path, tuning: &Tuning) -> Result<()> {
    write_json(&race.join(FILE), tuning)
}

/// What the run directory `race` has of it; none where its race was not tuned.
///
/// # Errors
/// [`crate::Error::Config`] where the file is not as it was written, [`crate::Error::Io`] where it cannot
/// be read.
pub fn read_tuning(race: &Path) -> Result<Option<Tuning>> {
    read_json(&race.join(FILE), MOST_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_rate_is_that_of_the_lowest_loss() {
        let best = |losses: [Option<f64>; 3]| {
            Tuned::new("sync".into(), &[0.1, 0.2, 0.4], losses.to_vec()).rate
        };
        assert_eq!(best([Some(0.5), Some(0.3), Some(0.4)]), 0.2);
        assert_eq!(best([Some(0.5), Some(0.4), None]), 0.2);
        assert_eq!(best([Some(0.3), Some(0.3), Some(0.3)]), 0.1);
        assert_eq!(best([None, None, None]), 0.1);
    }
}
