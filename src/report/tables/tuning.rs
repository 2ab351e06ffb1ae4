//! What came of the learning rates that were tried before a race.

use crate::{
    numbers::{Shown, listed},
    record::{Tuned, Tuning},
};

/// What came of an entrant at these rates, in a line.
pub fn line(rates: &[f64], tuned: &Tuned) -> String {
    let Tuned { entrant, losses, rate } = tuned;
    let tried =
        rates.iter().zip(losses).map(|(rate, loss)| format!("{} ({})", Shown(*rate), shown(*loss)));
    let tried = listed(&tried.collect::<Vec<_>>());
    format!("{entrant}: learning rate {}, of {tried}", Shown(*rate))
}

/// The cells: a head with the rates, and a row an entrant with its losses, the best with a star.
pub(in crate::report) fn cells(tuning: &Tuning) -> Vec<Vec<String>> {
    let Tuning { rates, entrants, .. } = tuning;
    let head = rates.iter().map(|rate| format!("at {}", Shown(*rate)));
    let head = ["entrant".to_owned()].into_iter().chain(head).collect();
    let row = |Tuned { entrant, losses, rate: best }: &Tuned| {
        let losses = rates.iter().zip(losses).map(|(rate, loss)| {
            let star = if rate == best { "* " } else { "" };
            format!("{star}{}", shown(*loss))
        });
        [entrant.clone()].into_iter().chain(losses).collect()
    };
    [head].into_iter().chain(entrants.iter().map(row)).collect()
}

/// What the reader of the table should know.
pub(in crate::report) fn note(tuning: &Tuning) -> String {
    let Tuning { seed, gradients_on, samples, .. } = tuning;
    format!(
        "Before the race, each entrant ran once at each of these learning rates, with seed {seed}, which \
         the race does not use; it then raced at the best one, which has a star. The numbers are mean \
         training losses over the second half of such a run, on {samples} training samples. Gradients \
         were computed on {gradients_on}."
    )
}

fn shown(loss: Option<f64>) -> String {
    loss.map_or_else(|| "diverged".to_owned(), |loss| format!("{:.3}", Shown(loss)))
}
