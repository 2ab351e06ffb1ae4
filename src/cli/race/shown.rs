//! Hands a run on to its record, and what comes of it to the progress that is shown.

use std::time::Duration;

use crate::{
    Result,
    cli::progress::{News, Progress},
    cluster::Snapshot,
    ids::{LearnerId, Version},
    sgd::{
        event::{Event, Observer},
        state::State,
    },
};

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

    fn wants_state(&mut self) -> bool {
        self.inner.wants_state()
    }

    fn state(&mut self, state: &State) -> Result<()> {
        self.inner.state(state)
    }
}
