//! Looks on at a run and keeps what the estimates need: a few of its parameters, how many gradients
//! were fresh, and how long minibatches took. Memory is bounded however long the run is.

use std::{mem, time::Duration};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{
    Settings,
    bounded::{Batches, Thinned},
    delays::{Observed, Recording},
};
use crate::{
    Result,
    cluster::Snapshot,
    ids::{LearnerId, Version},
    rng::{self, Purpose},
    sgd::{
        event::{Event, Observer},
        scheduler::Verdict,
    },
};

/// An update and one of the gradients that made it.
#[derive(Debug, Clone)]
pub struct Moment {
    /// j, the updates that made w_j.
    pub version: Version,
    /// The parameters w_j.
    pub params: Snapshot,
    /// w_tau of one of the K gradients, each as likely as the others.
    pub read: Snapshot,
}

/// What a [`Watch`] has kept.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Updates, evenly spaced over the run from the first on.
    pub moments: Vec<Moment>,
    /// The number of updates and the parameters they left behind.
    pub last: (Version, Vec<f32>),
    /// The lowest training loss that was evaluated; none if none was.
    pub lowest_loss: Option<f64>,
    /// How many gradients were fresh.
    pub fresh: Batches,
    /// How long minibatches took.
    pub observed: Vec<Observed>,
}

/// Hands everything on to another observer, and keeps what the estimates need.
#[derive(Debug)]
pub struct Watch<O> {
    inner: O,
    rng: ChaCha8Rng,
    /// w_j: what was read last.
    current: Option<Snapshot>,
    /// What each learner read last.
    read: Vec<Option<Snapshot>>,
    /// s and w_tau of the gradients accepted since the last update.
    gathered: Vec<(u64, Snapshot)>,
    moments: Thinned<Moment>,
    last: (Version, Vec<f32>),
    lowest_loss: Option<f64>,
    fresh: Batches,
    recording: Recording,
    now: Duration,
}

impl<O> Watch<O> {
    /// Looks on beside `inner`.
    pub fn new(inner: O, settings: &Settings) -> Self {
        Self {
            inner,
            rng: rng::stream(settings.seed, Purpose::Estimation, 0, 0),
            current: None,
            read: Vec::new(),
            gathered: Vec::new(),
            moments: Thinned::new(settings.moments),
            last: (0, Vec::new()),
            lowest_loss: None,
            fresh: Batches::default(),
            recording: Recording::default(),
            now: Duration::ZERO,
        }
    }

    /// The other observer, and what was kept.
    pub fn finish(self) -> (O, Seen) {
        let Self { inner, moments, last, lowest_loss, fresh, recording, now, .. } = self;
        let moments = moments.into_items();
        (inner, Seen { moments, last, lowest_loss, fresh, observed: recording.finish(now) })
    }

    fn update(&mut self, version: Version) {
        let (j, gathered) = (version - 1, mem::take(&mut self.gathered));
        let fresh = gathered.iter().filter(|(staleness, _)| *staleness == 0).count();
        self.fresh.count(fresh as u64, gathered.len() as u64);
        if self.moments.wants(j) {
            let (_, read) = gathered[self.rng.random_range(0..gathered.len())].clone();
            let params = self.current.clone().expect("what an update is made of has been read");
            self.moments.push(j, Moment { version: j, params, read });
        }
    }
}

impl<O: Observer> Observer for Watch<O> {
    fn event(&mut self, time: Duration, event: &Event) -> Result<()> {
        self.now = time;
        self.recording.event(time, event);
        match *event {
            Event::Push { learner, staleness, verdict: Verdict::Accept, .. } => {
                let read = self.read[learner].clone().expect("who pushes has read");
                self.gathered.push((staleness, read));
            }
            Event::Update { version, .. } => self.update(version),
            _ => {}
        }
        self.inner.event(time, event)
    }

    fn read(&mut self, learner: LearnerId, version: Version, params: &Snapshot) -> Result<()> {
        self.read.resize(self.read.len().max(learner + 1), None);
        self.read[learner] = Some(params.clone());
        self.current = Some(params.clone());
        self.inner.read(learner, version, params)
    }

    fn evaluate(&mut self, time: Duration, update: Version, params: &[f32]) -> Result<Option<f64>> {
        self.now = time;
        self.last.0 = update;
        self.last.1.clear();
        self.last.1.extend_from_slice(params);
        let loss = self.inner.evaluate(time, update, params)?;
        let both = self.lowest_loss.into_iter().chain(loss);
        self.lowest_loss = both.min_by(f64::total_cmp);
        Ok(loss)
    }

    fn loss(&mut self, params: &[f32]) -> Result<Option<f64>> {
        self.inner.loss(params)
    }
}
