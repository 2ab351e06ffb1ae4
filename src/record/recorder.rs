//! Looks on at one run and writes down what it sees.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{
    EvaluationRow, Outcome, RunFiles,
    checkpoint::{self, Identity},
    deferred::{Deferred, Moment},
    recorded::{Gathered, Recorded},
    tensorboard::tells_of,
};
use crate::{
    Result,
    dataset::minibatches::Minibatches,
    engine::{Engine, Evaluation, Part},
    estimate::delays::Recording,
    ids::{LearnerId, Version},
    sgd::{
        event::{Event, Observer},
        scheduler::Verdict,
        state::State,
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

/// A line of `events.jsonl`; without the batch, of `timeline.jsonl`.
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
    /// For whoever decides on K, over a part of the training set.
    sample: Option<&'a mut dyn Engine>,
    minibatches: Minibatches,
    recorded: Recorded,
    rows: Vec<EvaluationRow>,
    recording: Option<Recording>,
    deferred: Option<Deferred>,
    checkpoints: Option<Checkpoints>,
    /// When the files were written last.
    flushed: Instant,
    now: Duration,
}

/// When a checkpoint is due, and what it belongs to.
struct Checkpoints {
    identity: Identity,
    every: Duration,
    last: Instant,
}

/// Events that every run records.
const FIRST_EVENTS: u64 = 2000;
/// How long what is recorded may be in memory only.
const FLUSH_EVERY: Duration = Duration::from_secs(1);

impl<'a> Recorder<'a> {
    /// A recorder that writes to `files`; `evaluator` has the data that are evaluated.
    pub fn new(files: RunFiles, evaluator: &'a mut dyn Engine, minibatches: Minibatches) -> Self {
        Self {
            files,
            evaluator,
            sample: None,
            minibatches,
            recorded: Recorded::default(),
            rows: Vec::new(),
            recording: None,
            deferred: None,
            checkpoints: None,
            flushed: Instant::now(),
            now: Duration::ZERO,
        }
    }

    /// Goes on with the record of a run that stopped.
    ///
    /// # Errors
    /// [`crate::Error`] where the evaluations so far cannot be read.
    pub fn resume(mut self, recorded: Recorded) -> Result<Self> {
        self.rows = self.files.rows()?;
        self.recorded = recorded;
        Ok(self)
    }

    /// Tells whoever decides on K the losses that this engine has over its training samples, which may be
    /// some of all.
    #[must_use]
    pub fn with_sample(self, sample: &'a mut dyn Engine) -> Self {
        Self { sample: Some(sample), ..self }
    }

    /// Writes a checkpoint of the run `every` so long, by the wall clock.
    #[must_use]
    pub fn with_checkpoints(mut self, identity: Identity, every: Duration) -> Self {
        self.checkpoints = Some(Checkpoints { identity, every, last: Instant::now() });
        self
    }

    /// Evaluates when the run is over, and not while it lasts, and looks at how long minibatches take
    /// by `recording`: for a run in real time.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn in_real_time(mut self, recording: Recording) -> Result<Self> {
        self.deferred = Some(Deferred::open(self.files.folder(), self.recorded.deferred)?);
        self.recording = Some(recording);
        Ok(self)
    }

    /// What became of every minibatch so far.
    pub fn tally(&self) -> &Tally {
        &self.recorded.tally
    }

    /// The evaluations so far, those that are deferred left out.
    pub fn rows(&self) -> &[EvaluationRow] {
        &self.rows
    }

    /// Evaluates what was deferred, writes what is still gathered, and gives back the files and what
    /// came of the run. Where `interrupt` is or becomes true, of what was deferred only the last is
    /// evaluated: the rest is still there when the run goes on.
    ///
    /// # Errors
    /// What evaluation returns; [`crate::Error::Io`].
    pub fn finish(mut self, interrupt: Option<&AtomicBool>) -> Result<(RunFiles, Outcome)> {
        if let Some(deferred) = self.deferred.take() {
            let params = self.recorded.params;
            let hurries = || interrupt.is_some_and(|wished| wished.load(Ordering::Relaxed));
            deferred.each(params, |moment, params, last| {
                if last || !hurries() { self.row(moment, params).map(drop) } else { Ok(()) }
            })?;
        }
        self.files.flush()?;
        let Recorded { tally, activities, .. } = self.recorded;
        let observed = self.recording.map_or_else(Vec::new, |seen| seen.finish(self.now));
        let learners = activities.until(self.now);
        Ok((self.files, Outcome { tally, learners, rows: self.rows, observed }))
    }

    fn record_update(&mut self, t: f64, event: &Event) -> Result<()> {
        let gathered = &mut self.recorded.gathered;
        match *event {
            Event::Push { learner, staleness, verdict: Verdict::Accept, rate, loss, .. } => {
                gathered.rate += f64::from(rate.unwrap_or(f32::NAN));
                gathered.loss += f64::from(loss.unwrap_or(f32::NAN));
                gathered.staleness.push(staleness);
                gathered.learners.push(learner);
            }
            Event::Update { version, k } => {
                let Gathered { loss, rate, staleness, learners } = std::mem::take(gathered);
                let mean = |sum: f64| sum / k as f64;
                let (j, loss) = (version - 1, mean(loss));
                let line = UpdateLine { j, t, k, loss, staleness: &staleness, learners: &learners };
                self.files.updates.json(&line)?;
                if let Some(board) = self.files.tensorboard.as_mut().filter(|_| tells_of(version)) {
                    let stale = mean(staleness.iter().sum::<u64>() as f64);
                    let values = [
                        ("update/loss", loss),
                        ("update/staleness", stale),
                        ("update/k", k as f64),
                        ("update/rate", mean(rate)),
                    ];
                    board.scalars(t, version, &values)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Evaluates, unless these parameters have been, and records that.
    fn row(&mut self, moment: Moment, params: &[f32]) -> Result<f64> {
        let Moment { t, update, gradients } = moment;
        let row = match self.rows.last() {
            Some(last) if last.t == t && last.update == update => return Ok(last.train_loss),
            // The same parameters have the same losses.
            Some(last) if last.update == update => EvaluationRow { t, ..*last },
            _ => {
                let train = self.evaluator.evaluate(params, Part::Train)?;
                let Evaluation { loss, accuracy } = self.evaluator.evaluate(params, Part::Test)?;
                let train_loss = train.loss;
                let (test_loss, test_accuracy) = (loss, accuracy);
                EvaluationRow { t, update, gradients, train_loss, test_loss, test_accuracy }
            }
        };
        self.files.evaluations.text(&row.to_string())?;
        if let Some(board) = &mut self.files.tensorboard {
            let EvaluationRow { train_loss, test_loss, test_accuracy, .. } = row;
            let values = [
                ("train_loss", train_loss),
                ("test_loss", test_loss),
                ("test_accuracy", test_accuracy),
            ];
            board.scalars(t, update, &values)?;
        }
        self.rows.push(row);
        Ok(row.train_loss)
    }
}

impl Observer for Recorder<'_> {
    fn event(&mut self, time: Duration, event: &Event) -> Result<()> {
        self.now = time;
        let t = time.as_secs_f64();
        self.record_update(t, event)?;
        if self.recorded.first_events < FIRST_EVENTS {
            self.recorded.first_events += 1;
            self.files.timeline.json(&EventLine { t, event, batch: None })?;
        }
        if let Some(events) = &mut self.files.events {
            let batch = match *event {
                Event::Assign { learner, task, .. } => {
                    Some(self.minibatches.indices(learner, task))
                }
                _ => None,
            };
            events.json(&EventLine { t, event, batch })?;
        }
        self.recorded.tally.count(time, event);
        self.recorded.activities.count(time, event);
        if let Some(recording) = &mut self.recording {
            recording.event(time, event);
        }
        if matches!(event, Event::Update { .. }) && self.flushed.elapsed() > FLUSH_EVERY {
            self.flushed = Instant::now();
            self.files.flush()?;
        }
        Ok(())
    }

    fn evaluate(&mut self, time: Duration, update: Version, params: &[f32]) -> Result<Option<f64>> {
        (self.now, self.recorded.params) = (time, params.len());
        let gradients = self.recorded.tally.used;
        let moment = Moment { t: time.as_secs_f64(), update, gradients };
        if let Some(board) = &mut self.files.tensorboard {
            board.histogram(moment.t, update, "staleness", &self.recorded.tally.staleness)?;
        }
        if let Some(deferred) = &mut self.deferred {
            deferred.push(moment, params)?;
            return Ok(None);
        }
        let loss = self.row(moment, params)?;
        self.files.flush()?;
        Ok(Some(loss))
    }

    fn loss(&mut self, params: &[f32]) -> Result<Option<f64>> {
        let engine = match &mut self.sample {
            Some(sample) => &mut **sample,
            None => &mut *self.evaluator,
        };
        Ok(Some(engine.evaluate(params, Part::Train)?.loss))
    }

    fn wants_state(&mut self) -> bool {
        self.checkpoints.as_ref().is_some_and(|due| due.last.elapsed() >= due.every)
    }

    fn state(&mut self, state: &State) -> Result<()> {
        let Some(Checkpoints { identity, last, .. }) = &mut self.checkpoints else { return Ok(()) };
        *last = Instant::now();
        self.files.sync()?;
        self.recorded.lengths = self.files.lengths();
        if let Some(deferred) = &mut self.deferred {
            self.recorded.deferred = deferred.sync()?;
        }
        checkpoint::write(self.files.folder(), identity, state, &self.recorded)
    }
}
