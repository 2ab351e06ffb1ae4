//! The run time at which an entrant makes its n-th update, where all learners start together.

use std::time::Duration;

use crate::{
    Error, Result,
    ids::Version,
    sgd::{Entrant, Event, Limits, Observer, RunConfig, Tally, simulate::times_only},
    statistics,
    theory::{learners::Learners, runtime, staleness},
};

/// Updates that are simulated; later ones go on at the mean time per update.
const SIMULATED: Version = 1000;
/// Simulations, each with delays of its own, that no run has.
const SEEDS: std::ops::Range<u64> = 1 << 40..(1 << 40) + 8;

/// Times of the updates of an entrant.
#[derive(Debug, Clone, PartialEq)]
pub struct UpdateTimes {
    /// K, the gradients an update.
    pub k: usize,
    /// Mean over the simulations, in seconds, of update 1, 2, ...
    mean: Vec<f64>,
    /// Standard deviation of one run at the last of them.
    deviation: f64,
    /// Mean time per update in the long run, in seconds.
    pub mean_update_time: f64,
    /// Mean staleness of its gradients: what theory says, or what was simulated where it says nothing.
    pub mean_staleness: f64,
}

impl UpdateTimes {
    /// Those of `entrant` on these terms.
    ///
    /// # Errors
    /// [`crate::Error::Config`] where entrant or delays do not fit the learners, or the rule for the rate
    /// drops gradients.
    pub fn of(entrant: &Entrant, run_config: &RunConfig) -> Result<Self> {
        if run_config.rate_rule.may_drop() {
            return Err(Error::config(format!(
                "when updates come where {} drops gradients is not forecast; a bound on the staleness is: \
                 give it with --stale",
                run_config.rate_rule
            )));
        }
        let RunConfig { learners, cancellation, .. } = *run_config;
        let k = entrant.fixed_k(learners)?;
        let mut runs = Vec::new();
        let mut stale = Vec::new();
        for seed in SEEDS {
            let delays = run_config.delays(seed)?;
            let limits = Limits { updates: Some(SIMULATED), ..Limits::default() };
            let mut watch = UpdateCounter::default();
            times_only(entrant, cancellation, learners, delays)?.train(&limits, &mut watch)?;
            stale.push(watch.tally.mean_staleness());
            runs.push(watch.updates);
        }
        let at = |n: usize| -> Vec<f64> { runs.iter().map(|run| run[n]).collect() };
        let mean = |values: &[f64]| statistics::mean(values).expect("there are simulations");
        let all = SIMULATED as usize;
        let means: Vec<f64> = (0..all).map(|n| mean(&at(n))).collect();
        let error = statistics::standard_error(&at(all - 1)).expect("there are several");
        let of_theory = Learners {
            count: learners,
            distribution: run_config.distribution()?,
            link: run_config.link.clone(),
            slow: run_config.slow.clone(),
            cancellation: entrant.cancellation(cancellation),
        };
        let theory = runtime::update_time_of(entrant.rules(), &of_theory, k);
        let half = all / 2;
        let slope = (means[all - 1] - means[half - 1]) / (all - half) as f64;
        let mean_update_time = theory.mean_update_time.filter(|_| theory.exact).unwrap_or(slope);
        let deviation = error * (runs.len() as f64).sqrt();
        let mean_staleness = staleness::mean(entrant.rules(), learners, k);
        let mean_staleness = mean_staleness.unwrap_or_else(|| mean(&stale));
        Ok(Self { k, mean: means, deviation, mean_update_time, mean_staleness })
    }

    /// Run time of update `n` in seconds.
    pub fn of_update(&self, n: f64) -> f64 {
        let last = self.mean.len() as f64;
        if n >= last {
            return self.mean[self.mean.len() - 1] + (n - last) * self.mean_update_time;
        }
        let (whole, share) = (n.max(0.0) as usize, n.max(0.0).fract());
        let at = |n: usize| if n == 0 { 0.0 } else { self.mean[n - 1] };
        at(whole) + share * (at(whole + 1) - at(whole))
    }

    /// Standard deviation, from run to run, of the run time of the update that is expected at `time`.
    pub fn deviation_of(&self, time: f64) -> f64 {
        self.deviation * (time / self.mean[self.mean.len() - 1]).sqrt()
    }

    /// Updates within a run time in seconds.
    pub fn updates_within(&self, time: f64) -> f64 {
        let last = self.mean.len();
        let end = self.mean[last - 1];
        if time >= end {
            return last as f64 + (time - end) / self.mean_update_time;
        }
        self.mean.partition_point(|of_update| *of_update <= time) as f64
    }
}

#[derive(Default)]
struct UpdateCounter {
    updates: Vec<f64>,
    tally: Tally,
}

impl Observer for UpdateCounter {
    fn event(&mut self, time: Duration, event: &Event) -> Result<()> {
        self.tally.count(time, event);
        if let Event::Update { .. } = event {
            self.updates.push(time.as_secs_f64());
        }
        Ok(())
    }
}
