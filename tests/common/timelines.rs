//! Runs that a timeline is made of: under every variant, with faults of every kind, or small.

use std::{sync::Arc, time::Duration};

use tortoise::{
    Error, Result,
    cluster::{
        chaos::FaultPlan,
        delay::{Delays, Slow},
        engine_pool::EnginePool,
    },
    engine::quadratic::{Quadratic, coins},
    sgd::{
        Cancellation, Entrant, Event, Limits, Observer, RunConfig, Tally, Tolerance, Variant,
        activity::Activities,
        faults::{NonFinite, OnLoss},
        simulate::times_only,
    },
    timeline::{Collector, Span, Timeline},
};

pub(crate) const LEARNERS: usize = 4;

/// Counts in every way there is.
pub(crate) struct Seen {
    pub(crate) collector: Collector,
    pub(crate) tally: Tally,
    pub(crate) activities: Activities,
    pub(crate) events: Vec<(Duration, Event)>,
}

impl Observer for Seen {
    fn event(&mut self, time: Duration, event: &Event) -> Result<()> {
        self.collector.event(time, event)?;
        self.tally.count(time, event);
        self.activities.count(time, event);
        self.events.push((time, event.clone()));
        Ok(())
    }

    fn evaluate(&mut self, _: Duration, version: u64, _: &[f32]) -> Result<Option<f64>> {
        Ok(Some(4.0 / (1.0 + version as f64)))
    }
}

/// A run in which learners die, hang, push late, twice and what is no number.
pub(crate) fn run(
    entrant: &Entrant,
    seed: u64,
    cancellation: Cancellation,
    on_loss: OnLoss,
) -> Seen {
    let plan: FaultPlan = format!("{seed}:0.2").parse().unwrap();
    let non_finite = NonFinite::Reject;
    let run_config = RunConfig {
        updates: Some(60),
        evaluate_every: Some(5.0),
        chaos: Some(plan),
        cancellation,
        tolerance: Tolerance { on_loss, non_finite, ..Tolerance::default() },
        ..RunConfig::new(LEARNERS, 0.05)
    };
    let train = Arc::new(coins(50, 3, 0).unwrap());
    let queues = EnginePool::here(Quadratic::new(&train, vec![1.0; 3]));
    let (tally, activities) = (Tally::default(), Activities::default());
    let mut seen =
        Seen { collector: Collector::new(10_000), tally, activities, events: Vec::new() };
    match run_config.run(entrant, seed, &[0.0; 3][..], &queues, None, &mut seen) {
        // Some end for want of learners, which is an end like another.
        Ok(_) | Err(Error::NoQuorum { .. } | Error::LearnerLost { .. }) => {}
        Err(error) => panic!("{error}"),
    }
    seen
}

fn entrants() -> Vec<Entrant> {
    let adapt = Variant::ALL.map(|variant| Entrant::adasync(variant, 1));
    Entrant::six(LEARNERS).into_iter().chain(adapt).collect()
}

/// Runs under every variant, with faults of every kind.
pub(crate) fn runs() -> impl Iterator<Item = Seen> {
    entrants().into_iter().flat_map(|entrant| {
        [(1, Cancellation::Preempt, OnLoss::Restart), (2, Cancellation::OnArrival, OnLoss::Shrink)]
            .map(|(seed, cancellation, on_loss)| run(&entrant, seed, cancellation, on_loss))
    })
}

/// A run without faults.
pub(crate) fn plain(entrant: &str, learners: usize, updates: u64) -> Timeline {
    let distribution = "exponential:mean=1".parse().unwrap();
    let delays = Delays::new(distribution, &Slow::default(), learners, 0).unwrap();
    let entrant = entrant.parse().unwrap();
    let mut run = times_only(&entrant, Cancellation::Preempt, learners, delays).unwrap();
    let mut collector = Collector::new(100_000);
    let limits = Limits { updates: Some(updates), ..Limits::default() };
    run.train(&limits, &mut collector).unwrap();
    collector.finish()
}

pub(crate) fn spans(timeline: &Timeline) -> impl Iterator<Item = &Span> {
    timeline.lanes.iter().flat_map(|lane| &lane.spans)
}
