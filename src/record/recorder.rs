//! Looks on at one run and writes down what it sees.

use std::time::Duration;

use serde::Serialize;

use super::{EvaluationRow, RunFiles};
use crate::{
    Result,
    dataset::{Dataset, minibatches::Minibatches},
    engine::{Engine, Evaluation},
    sgd::{
        event::{Event, Observer},
        scheduler::{LearnerId, Verdict, Version},
        tally::Tally,
    },
};

/// A line of `updates.jsonl`: update j makes w_{j+1} of w_j.
#[derive(Serialize)]
struct UpdateLine<'a> {
    j: Version,
    t: f64,
    k: usize,
    loss: f64,
    staleness: &'a [u64],
    learners: &'a [LearnerId],
}

/// A line of `events.jsonl`.
#[derive(Serialize)]
struct EventLine<'a> {
    t: f64,
    #[serde(flatten)]
    event: &'a Event,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<Vec<usize>>,
}

/// Counts, evaluates and records one run.
#[expect(missing_debug_implementations, reason = "an engine need not be printable")]
pub struct Recorder<'a> {
    files: RunFiles,
    evaluator: &'a mut dyn Engine,
    data: &'a Dataset,
    minibatches: Minibatches,
    progress: &'a mut dyn FnMut(Duration, &Tally),
    tally: Tally,
    rows: Vec<EvaluationRow>,
    gathered: Gathered,
}

/// The gradients accepted since the last update.
#[derive(Default)]
struct Gathered {
    loss: f64,
    staleness: Vec<u64>,
    learners: Vec<LearnerId>,
}

impl<'a> Recorder<'a> {
    /// A recorder that writes to `files` and calls `progress` at every update.
    pub fn new(
        files: RunFiles,
        evaluator: &'a mut dyn Engine,
        data: &'a Dataset,
        minibatches: Minibatches,
        progress: &'a mut dyn FnMut(Duration, &Tally),
    ) -> Self {
        let (tally, rows, gathered) = Default::default();
        Self { files, evaluator, data, minibatches, progress, tally, rows, gathered }
    }

    /// Writes what is still gathered, and gives back the files, the counts and the evaluations.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn finish(mut self) -> Result<(RunFiles, Tally, Vec<EvaluationRow>)> {
        self.files.flush()?;
        Ok((self.files, self.tally, self.rows))
    }

    fn record_update(&mut self, t: f64, event: &Event) -> Result<()> {
        let Gathered { loss, staleness, learners } = &mut self.gathered;
        match *event {
            Event::Push {
                learner, version, verdict: Verdict::Accept, loss: batch_loss, ..
            } => {
                *loss += f64::from(batch_loss.unwrap_or(f32::NAN));
                staleness.push(self.tally.updates - version);
                learners.push(learner);
            }
            Event::Update { version, k } => {
                let (j, loss) = (version - 1, *loss / k as f64);
                self.files.updates.json(&UpdateLine { j, t, k, loss, staleness, learners })?;
                self.gathered = Gathered::default();
            }
            _ => {}
        }
        Ok(())
    }
}

impl Observer for Recorder<'_> {
    fn event(&mut self, time: Duration, event: &Event) -> Result<()> {
        let t = time.as_secs_f64();
        self.record_update(t, event)?;
        if let Some(events) = &mut self.files.events {
            let batch = match *event {
                Event::Assign { learner, task, .. } => {
                    Some(self.minibatches.indices(learner, task))
                }
                _ => None,
            };
            events.json(&EventLine { t, event, batch })?;
        }
        self.tally.count(time, event);
        if matches!(event, Event::Update { .. }) {
            (self.progress)(time, &self.tally);
        }
        Ok(())
    }

    fn evaluate(&mut self, time: Duration, update: Version, params: &[f32]) -> Result<Option<f64>> {
        let (t, gradients) = (time.as_secs_f64(), self.tally.used);
        let row = match self.rows.last() {
            Some(last) if last.t == t && last.update == update => return Ok(Some(last.train_loss)),
            // The same parameters have the same losses.
            Some(last) if last.update == update => EvaluationRow { t, ..*last },
            _ => {
                let train = self.evaluator.evaluate(params, &self.data.train)?;
                let Evaluation { loss, accuracy } =
                    self.evaluator.evaluate(params, &self.data.test)?;
                let train_loss = train.loss;
                let (test_loss, test_accuracy) = (loss, accuracy);
                EvaluationRow { t, update, gradients, train_loss, test_loss, test_accuracy }
            }
        };
        self.files.evaluations.text(&row.to_string())?;
        self.files.flush()?;
        self.rows.push(row);
        Ok(Some(row.train_loss))
    }
}
