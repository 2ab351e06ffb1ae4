//! Random streams: one per run, purpose, learner and task, from a named and portable generator.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// What a stream is for; streams of different purposes are independent.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Delay = 1,
    Minibatch = 2,
    Initialisation = 3,
    Coins = 4,
    Estimation = 5,
    Chaos = 6,
    Shards = 7,
    Link = 8,
}

/// The stream for `purpose`, `learner` and `task` of the run with this seed: the four numbers are
/// the key of ChaCha8, so no two streams overlap.
pub(crate) fn stream(seed: u64, purpose: Purpose, learner: u64, task: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    for (word, value) in key.chunks_exact_mut(8).zip([seed, purpose as u64, learner, task]) {
        word.copy_from_slice(&value.to_le_bytes());
    }
    ChaCha8Rng::from_seed(key)
}
