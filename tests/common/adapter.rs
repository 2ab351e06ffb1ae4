//! What the tests that need an adapter share.

use tortoise::engine::{
    adapter::{AdapterId, DeviceChoice},
    adapters,
};

use crate::skipped::skipped;

/// The adapter to test on, or none where the environment asks to go without.
///
/// `TORTOISE_TEST_DEVICE` takes another than the best one: its place or part of its name.
///
/// # Panics
/// If there is no adapter and `TORTOISE_SKIP_GPU` is not 1.
#[track_caller]
pub(crate) fn gpu() -> Option<AdapterId> {
    if skipped("TORTOISE_SKIP_GPU") {
        return None;
    }
    let choice = std::env::var("TORTOISE_TEST_DEVICE").map_or(DeviceChoice::Auto, |device| {
        device.parse().expect("TORTOISE_TEST_DEVICE is an index or a name")
    });
    let adapter = adapters::choose(&choice).unwrap_or_else(|error| panic!("{error}"));
    Some(adapter.expect(
        "no adapter to test on: scripts/setup.sh installs a software one, and TORTOISE_SKIP_GPU=1 \
         goes without",
    ))
}
