//! Looks on at a run and keeps what the estimates need: a few of its parameters, how many gradients
//! were fresh, and how long minibatches took. Memory is bounded however long the run is.

use std::{mem, time::Duration};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{
    Settings,
    delays::{Observed, Recording},
};
use crate::{
    Result,
    rng::{self, Purpose},
    sgd::{
        event::{Event, Observer},
        scheduler::{LearnerId, Verdict, Version},
        server::Snapshot,
    },
    statistics::ratio,
};

/// Batches of updates over which fresh gradients are counted.
const BATCHES: usize = 64;

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
    /// tau and w_tau of the gradients accepted since the last update.
    gathered: Vec<(Version, Snapshot)>,
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
        let fresh = gathered.iter().filter(|(tau, _)| *tau == j).count();
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
            Event::Push { learner, version, verdict: Verdict::Accept, .. } => {
                let read = self.read[learner].clone().expect("who pushes has read");
                self.gathered.push((version, read));
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
}

/// Items evenly spaced over a sequence of unknown length: those whose number divides by a stride that
/// doubles whenever there are too many.
#[derive(Debug)]
pub(super) struct Thinned<T> {
    most: usize,
    stride: u64,
    items: Vec<(u64, T)>,
}

impl<T> Thinned<T> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, stride: 1, items: Vec::new() }
    }

    /// Whether the item of this number is kept as things stand.
    pub(super) fn wants(&self, number: u64) -> bool {
        number.is_multiple_of(self.stride)
    }

    pub(super) fn push(&mut self, number: u64, item: T) {
        self.items.push((number, item));
        if self.items.len() > self.most {
            self.stride = self.stride.saturating_mul(2);
            let stride = self.stride;
            self.items.retain(|(number, _)| number.is_multiple_of(stride));
        }
    }

    pub(super) fn into_items(self) -> Vec<T> {
        self.items.into_iter().map(|(_, item)| item).collect()
    }
}

/// A share, counted in batches of consecutive updates: these are not independent, but means over long
/// batches nearly are.
#[derive(Debug, Clone, Default)]
pub struct Batches {
    /// Hits and all, of each batch; the last may be unfinished.
    counts: Vec<(u64, u64)>,
    /// Updates in the last batch, and in each of the others; a power of two.
    begun: u64,
    length: u64,
}

impl Batches {
    /// Takes in an update: of `all` gradients `hits` hit.
    pub fn count(&mut self, hits: u64, all: u64) {
        self.length = self.length.max(1);
        if self.begun == 0 {
            if self.counts.len() == 2 * BATCHES {
                let pair = |pair: &[(u64, u64)]| (pair[0].0 + pair[1].0, pair[0].1 + pair[1].1);
                self.counts = self.counts.chunks_exact(2).map(pair).collect();
                self.length *= 2;
            }
            self.counts.push((0, 0));
        }
        let last = self.counts.last_mut().expect("there is a batch");
        *last = (last.0 + hits, last.1 + all);
        self.begun = (self.begun + 1) % self.length;
    }

    /// The share of hits and its standard error; none if nothing was counted.
    pub fn share(&self) -> Option<(f64, f64)> {
        let pairs = self.counts.iter().map(|&(hits, all)| (hits as f64, all as f64));
        ratio(&pairs.collect::<Vec<_>>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_even_and_bounded() {
        for length in [1, 7, 8, 9, 1000, 4096] {
            let mut thinned = Thinned::new(8);
            for number in 0..length {
                if thinned.wants(number) {
                    thinned.push(number, number);
                }
            }
            let items = thinned.into_items();
            assert_eq!(items[0], 0);
            assert!(items.len() <= 8 && (items.len() >= 4 || items.len() as u64 == length));
            let stride = items.get(1).map_or(1, |second| second - items[0]);
            assert!(items.windows(2).all(|pair| pair[1] - pair[0] == stride), "{items:?}");
        }
    }

    #[test]
    fn a_share_has_the_error_of_independent_updates_where_they_are() {
        let mut batches = Batches::default();
        let mut rng = rng::stream(1, Purpose::Estimation, 0, 0);
        for _ in 0..100_000 {
            batches.count((0..4).filter(|_| rng.random_bool(0.3)).count() as u64, 4);
        }
        assert!((BATCHES..=2 * BATCHES).contains(&batches.counts.len()));
        let (share, error) = batches.share().unwrap();
        let expected = (0.3 * 0.7 / 400_000.0_f64).sqrt();
        assert!((share - 0.3).abs() < 4.0 * expected, "{share}");
        assert!((error / expected - 1.0).abs() < 0.3, "{error}, expected {expected}");
    }
}
