//! What is kept of a sequence whose length nobody knows, in bounded memory.

use crate::statistics::ratio;

/// Batches of updates over which fresh gradients are counted.
const BATCHES: usize = 64;

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
    use rand::RngExt;

    use super::*;
    use crate::rng::{self, Purpose};

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
