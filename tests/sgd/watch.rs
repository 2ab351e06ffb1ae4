//! What is kept of a run to estimate from: all of it is handed on, and what is kept is bounded.

use std::time::Duration;

use tortoise::{
    Result,
    cluster::{
        Snapshot,
        delay::{Delays, Slow},
    },
    estimate::{Settings, Watch},
    ids::Version,
    sgd::{Cancellation, Entrant, Event, Limits, Observer, Tally, simulate::times_only},
};

/// Hears of everything.
#[derive(Default)]
struct Listener {
    tally: Tally,
    read: u64,
    evaluated: Vec<Version>,
}

impl Observer for Listener {
    fn event(&mut self, time: Duration, event: &Event) -> Result<()> {
        self.tally.count(time, event);
        Ok(())
    }

    fn read(&mut self, _: usize, version: Version, _: &Snapshot) -> Result<()> {
        assert_eq!(version, self.tally.updates, "the current version is read");
        self.read += 1;
        Ok(())
    }

    fn evaluate(&mut self, _: Duration, update: Version, _: &[f32]) -> Result<Option<f64>> {
        self.evaluated.push(update);
        Ok(Some(1.0 / (1.0 + update as f64)))
    }
}

#[test]
fn a_watch_hands_everything_on_and_keeps_a_bounded_part() {
    for entrant in ["sync", "k-sync:3", "k-batch-sync:3", "async", "k-async:3", "k-batch-async:3"] {
        let entrant: Entrant = entrant.parse().unwrap();
        let distribution = "exponential:mean=1".parse().unwrap();
        let delays = Delays::new(distribution, &Slow::default(), 5, 1).unwrap();
        let settings = Settings { moments: 16, ..Settings::new(1.0, 1, 1, 1) };
        let mut watch = Watch::new(Listener::default(), &settings);
        let mut run = times_only(&entrant, Cancellation::Preempt, 5, delays).unwrap();
        let every = Some(Duration::from_secs(20));
        let limits = Limits { updates: Some(100), evaluate_every: every, ..Limits::default() };
        run.train(&limits, &mut watch).unwrap();
        let (listener, seen) = watch.finish();
        let Tally { updates, started, .. } = listener.tally;
        assert_eq!((updates, listener.read, seen.observed.len() as u64), (100, started, started));
        assert_eq!((listener.evaluated[0], *listener.evaluated.last().unwrap()), (0, 100));
        assert_eq!((seen.last.0, seen.lowest_loss), (100, Some(1.0 / 101.0)));
        let versions: Vec<_> = seen.moments.iter().map(|moment| moment.version).collect();
        assert_eq!(versions, (0..100).step_by(8).collect::<Vec<_>>());
        let share = listener.tally.fresh_fraction();
        let used = listener.tally.used as f64;
        assert!((seen.fresh.share().unwrap().0 - share).abs() < 8.0 / used, "{entrant}");
    }
}
