//! The trajectory of a run: how the training loss falls, without a file being written.

use std::{cell::RefCell, fmt, time::Duration};

use super::{
    entrant::Entrant,
    event::{Event, Observer},
    run_config::{Finished, RunConfig},
    tally::Tally,
    train::Ended,
};
use crate::{
    Result,
    cluster::{Snapshot, engine_pool::EnginePool},
    engine::{Engine, Part},
    ids::Version,
    statistics,
};

/// What is minimised: engines for the gradients, and one that evaluates.
pub struct Objective {
    queues: EnginePool,
    evaluator: RefCell<Box<dyn Engine>>,
}

impl fmt::Debug for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objective").field("queues", &self.queues).finish_non_exhaustive()
    }
}

impl Objective {
    /// Gradients from `queues`, the loss over the training set from `evaluator`, which may have a part of
    /// it that is enough.
    pub fn new(queues: EnginePool, evaluator: impl Engine + 'static) -> Self {
        let evaluator: RefCell<Box<dyn Engine>> = RefCell::new(Box::new(evaluator));
        Self { queues, evaluator }
    }

    /// w_0 of a run with this seed, as the evaluator has it.
    pub fn initial(&self, seed: u64) -> Vec<f32> {
        self.evaluator.borrow().initial(seed)
    }

    /// The trajectory of `entrant` from `initial` on these terms.
    ///
    /// # Errors
    /// As [`RunConfig::run`] has them.
    ///
    /// # Panics
    /// As [`RunConfig::run`] has them.
    pub fn trajectory(
        &self,
        run_config: &RunConfig,
        entrant: &Entrant,
        seed: u64,
        initial: &[f32],
    ) -> Result<Trajectory> {
        let (points, tally) = (Vec::new(), Tally::default());
        let mut watch = Evaluations { objective: self, points, tally };
        let run = run_config.run(entrant, seed, initial, &self.queues, None, &mut watch)?;
        let (Finished { ended, params }, Evaluations { points, tally, .. }) = (run, watch);
        Ok(Trajectory { entrant: *entrant, seed, points, tally, ended, params })
    }
}

/// A run that is over.
#[derive(Debug, Clone)]
pub struct Trajectory {
    /// Who ran.
    pub entrant: Entrant,
    /// Under which seed.
    pub seed: u64,
    /// Evaluations, in the order of time.
    pub points: Vec<Point>,
    /// What became of every minibatch.
    pub tally: Tally,
    /// Why it ended.
    pub ended: Ended,
    /// The last parameters.
    pub params: Snapshot,
}

/// An evaluation, or the mean of several.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Run time in seconds.
    pub time: f64,
    /// Updates made until then; a mean need not be whole.
    pub updates: f64,
    /// Training loss, over what is evaluated.
    pub loss: f64,
    /// Its standard error over seeds, where there are several.
    pub loss_se: Option<f64>,
}

/// The mean of several trajectories, evaluation by evaluation, as far as all of them came.
pub fn mean<'a>(trajectories: impl Iterator<Item = &'a [Point]> + Clone) -> Vec<Point> {
    let shortest = trajectories.clone().map(<[Point]>::len).min().unwrap_or(0);
    let point = |at: usize| {
        let of = |value: fn(&Point) -> f64| -> Vec<f64> {
            trajectories.clone().map(|trajectory| value(&trajectory[at])).collect()
        };
        let mean = |values: &[f64]| statistics::mean(values).unwrap_or(f64::NAN);
        let losses = of(|point| point.loss);
        Point {
            time: mean(&of(|point| point.time)),
            updates: mean(&of(|point| point.updates)),
            loss: mean(&losses),
            loss_se: statistics::standard_error(&losses),
        }
    };
    (0..shortest).map(point).collect()
}

/// Evaluates and counts.
struct Evaluations<'a> {
    objective: &'a Objective,
    points: Vec<Point>,
    tally: Tally,
}

impl Observer for Evaluations<'_> {
    fn event(&mut self, time: Duration, event: &Event) -> Result<()> {
        self.tally.count(time, event);
        Ok(())
    }

    fn evaluate(&mut self, time: Duration, update: Version, params: &[f32]) -> Result<Option<f64>> {
        let (time, updates) = (time.as_secs_f64(), update as f64);
        let point = match self.points.last() {
            Some(last) if last.time == time && last.updates == updates => {
                return Ok(Some(last.loss));
            }
            // The same parameters have the same loss.
            Some(last) if last.updates == updates => Point { time, ..*last },
            _ => {
                let mut evaluator = self.objective.evaluator.borrow_mut();
                let loss = evaluator.evaluate(params, Part::Train)?.loss;
                Point { time, updates, loss, loss_se: None }
            }
        };
        self.points.push(point);
        Ok(Some(point.loss))
    }
}
