//! `learners.csv`: what each learner of each run did, a line each.

use std::time::Duration;

use super::summary::EntrantSummary;

/// The first line of `learners.csv`.
const HEAD: &str = "entrant,seed,learner,started,accepted,cancelled,discarded,rejected,lost,late,\
                    losses,busy,wasted,waiting,away,computing\n";

/// All learners of all runs, a line each, as CSV.
pub(crate) fn csv(entrants: &[EntrantSummary]) -> String {
    let mut csv = csv::Writer::from_writer(HEAD.as_bytes().to_vec());
    // All digits of a number, and no exponent.
    let seconds = |time: Duration| time.as_secs_f64().to_string();
    for entrant in entrants {
        for run in &entrant.runs {
            for (learner, one) in run.learners.iter().enumerate() {
                let line = (
                    &entrant.entrant,
                    run.seed,
                    learner,
                    one.started,
                    one.accepted,
                    one.cancelled,
                    one.discarded,
                    one.rejected,
                    one.lost,
                    one.late,
                    one.losses,
                    seconds(one.busy),
                    seconds(one.wasted),
                    run.waiting(one).to_string(),
                    seconds(one.away),
                    one.computing.to_string(),
                );
                csv.serialize(line).expect("memory takes what is written");
            }
        }
    }
    let bytes = csv.into_inner().expect("memory takes what is written");
    String::from_utf8(bytes).expect("names and numbers are text")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        record::{Outcome, RunSummary},
        sgd::{Ended, activity::Activity},
    };

    #[test]
    fn names_are_quoted_where_they_would_end_a_field() {
        let learner =
            Activity { started: 7, busy: Duration::from_micros(1), ..Activity::default() };
        let row = crate::record::EvaluationRow {
            t: 2.0,
            update: 0,
            gradients: 0,
            train_loss: 1.0,
            test_loss: 1.0,
            test_accuracy: 0.5,
        };
        let outcome = Outcome {
            tally: Default::default(),
            learners: vec![learner],
            rows: vec![row],
            observed: Vec::new(),
        };
        let entrant = EntrantSummary {
            entrant: "mine, \"fast\"".to_owned(),
            learners: 1,
            k: 1,
            theory: Default::default(),
            staleness_theory: None,
            error_bound: None,
            runs: vec![RunSummary::new(3, Ended::Done, 0.0, outcome, &[])],
        };
        let line = "\"mine, \"\"fast\"\"\",3,0,7,0,0,0,0,0,0,0,0.000001,0,1.999999,0,0\n";
        assert_eq!(csv(&[entrant]), format!("{HEAD}{line}"));
        assert_eq!(csv(&[]), HEAD);
    }
}
