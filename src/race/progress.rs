//! What happens in a race, told to whoever shows it while it lasts.

use std::time::Duration;

use super::Config;
use crate::{
    Result,
    cluster::Snapshot,
    ids::{LearnerId, Version},
    record::{EvaluationRow, RunSummary, Tuned},
    sgd::{
        Tally,
        event::{Event, Observer},
        state::State,
    },
};

/// What happens in a race.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the line above each variant says what its fields are")]
pub enum News<'a> {
    /// Something that the reader should know before the results come.
    Note(&'a str),
    /// An entrant was tried at these learning rates.
    Tuned { rates: &'a [f64], tuned: &'a Tuned },
    /// The race starts.
    Start(&'a Config),
    /// A run of `entrant` starts, or goes on from `time`, and what was counted and evaluated so far.
    Run {
        entrant: &'a str,
        seed: u64,
        time: Duration,
        tally: &'a Tally,
        evaluations: &'a [EvaluationRow],
    },
    /// Something happens in the run.
    Event { time: Duration, event: &'a Event },
    /// The parameters are looked at; what training loss they have, if that is known already.
    Evaluation { time: Duration, version: Version, loss: Option<f64> },
    /// A run of `entrant` is over.
    Over { entrant: &'a str, run: &'a RunSummary },
    /// All runs are over.
    End,
}

/// Shows what happens in a race. What it does takes no run time.
pub trait Progress {
    /// Takes the news in.
    fn tell(&mut self, news: News<'_>);
}

/// Shows nothing.
impl Progress for () {
    fn tell(&mut self, _: News<'_>) {}
}

/// An observer whose run is shown.
pub(super) struct Shown<'a, O> {
    pub(super) inner: &'a mut O,
    pub(super) progress: &'a mut dyn Progress,
}

impl<O: Observer> Observer for Shown<'_, O> {
    fn event(&mut self, time: Duration, event: &Event) -> Result<()> {
        self.inner.event(time, event)?;
        self.progress.tell(News::Event { time, event });
        Ok(())
    }

    fn read(&mut self, learner: LearnerId, version: Version, params: &Snapshot) -> Result<()> {
        self.inner.read(learner, version, params)
    }

    fn evaluate(
        &mut self,
        time: Duration,
        version: Version,
        params: &[f32],
    ) -> Result<Option<f64>> {
        let loss = self.inner.evaluate(time, version, params)?;
        self.progress.tell(News::Evaluation { time, version, loss });
        Ok(loss)
    }

    fn loss(&mut self, params: &[f32]) -> Result<Option<f64>> {
        self.inner.loss(params)
    }

    fn wants_state(&mut self) -> bool {
        self.inner.wants_state()
    }

    fn state(&mut self, state: &State) -> Result<()> {
        self.inner.state(state)
    }
}
