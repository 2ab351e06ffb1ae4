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
    /// Evaluates over the whole training set, where the evaluator has a part of it.
    whole: Option<RefCell<Box<dyn Engine>>>,
    /// Tells whoever decides on K the loss, where the evaluator does not.
    sample: Option<RefCell<Box<dyn Engine>>>,
}

impl fmt::Debug for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Objective").field("queues", &self.queues).finish_non_exhaustive()
    }
}

impl Objective {
    /// Gradients from `queues`, the loss over the training set from `evaluator`.
    pub fn new(queues: EnginePool, evaluator: impl Engine + 'static) -> Self {
        let evaluator: RefCell<Box<dyn Engine>> = RefCell::new(Box::new(evaluator));
        Self { queues, evaluator, whole: None, sample: None }
    }

    /// The same where evaluating the whole training set each time would take too long: the loss is that
    /// over a `part` of it, times the ratio of both. The ratio is measured at the 1st, 2nd, 5th, 17th,
    /// ... evaluation and at the last, and between them it changes evenly.
    pub fn sampled(
        queues: EnginePool,
        part: impl Engine + 'static,
        whole: impl Engine + 'static,
    ) -> Self {
        Self { whole: Some(RefCell::new(Box::new(whole))), ..Self::new(queues, part) }
    }

    /// The same where whoever decides on K is told the losses that this engine has over its training
    /// samples, which may be some of all.
    #[must_use]
    pub fn with_sample(self, sample: impl Engine + 'static) -> Self {
        Self { sample: Some(RefCell::new(Box::new(sample))), ..self }
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
        let mut ratios = Ratios::default();
        let mut watch = Points::new(|asked, params: &[f32]| {
            let evaluator = match (asked, &self.sample) {
                (Asked::Loss, Some(sample)) => sample,
                _ => &self.evaluator,
            };
            let loss = evaluator.borrow_mut().evaluate(params, Part::Train)?.loss;
            match asked {
                Asked::Point(number) if is_compared(number) => {
                    ratios.measure(self, number, loss, params)?;
                }
                _ => {}
            }
            Ok(loss)
        });
        let run = run_config.run(entrant, seed, initial, &self.queues, None, &mut watch)?;
        let Finished { ended, params } = run;
        let Points { mut points, tally, .. } = watch;
        ratios.apply(self, &mut points, &params)?;
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

/// The losses over the whole training set by those over a part of it, each with the number of its
/// point.
#[derive(Default)]
struct Ratios(Vec<(usize, f64)>);

impl Ratios {
    /// Measures the ratio at these parameters, which `loss` is the loss of over the part, and which the
    /// point of this number is for.
    fn measure(
        &mut self,
        objective: &Objective,
        number: usize,
        loss: f64,
        params: &[f32],
    ) -> Result<()> {
        if let Some(whole) = &objective.whole {
            let ratio = whole.borrow_mut().evaluate(params, Part::Train)?.loss / loss;
            // Of a run that has diverged there is none any more.
            let before = self.0.last().map_or(1.0, |(_, ratio)| *ratio);
            self.0.push((number, if ratio.is_finite() { ratio } else { before }));
        }
        Ok(())
    }

    /// Makes the losses of a run those over the whole training set; its `last` parameters are those of
    /// its last point.
    fn apply(mut self, objective: &Objective, points: &mut [Point], last: &[f32]) -> Result<()> {
        let Some(point) = points.last() else { return Ok(()) };
        let number = points.len() - 1;
        if self.0.last().is_some_and(|(compared, _)| *compared < number) {
            self.measure(objective, number, point.loss, last)?;
        }
        for pair in self.0.windows(2) {
            let [(from, low), (to, high)] = [pair[0], pair[1]];
            for (past, point) in points[from..to].iter_mut().enumerate() {
                let part = past as f64 / (to - from) as f64;
                point.loss *= low + part * (high - low);
            }
        }
        if let (Some((_, ratio)), Some(point)) = (self.0.last(), points.last_mut()) {
            point.loss *= ratio;
        }
        Ok(())
    }
}

/// Whether the ratio is measured at the point of this number: 0, 1, 4, 16, ...
fn is_compared(number: usize) -> bool {
    number == 0 || number.is_power_of_two() && number.trailing_zeros().is_multiple_of(2)
}

/// Why a loss is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asked {
    /// For the point of this number.
    Point(usize),
    /// By whoever decides on K.
    Loss,
}

/// Keeps the points of a run, and counts. `loss` has the loss of parameters.
pub(crate) struct Points<L> {
    loss: L,
    pub(crate) points: Vec<Point>,
    tally: Tally,
}

impl<L: FnMut(Asked, &[f32]) -> Result<f64>> Points<L> {
    pub(crate) fn new(loss: L) -> Self {
        Self { loss, points: Vec::new(), tally: Tally::default() }
    }
}

impl<L: FnMut(Asked, &[f32]) -> Result<f64>> Observer for Points<L> {
    fn loss(&mut self, params: &[f32]) -> Result<Option<f64>> {
        (self.loss)(Asked::Loss, params).map(Some)
    }

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
                let loss = (self.loss)(Asked::Point(self.points.len()), params)?;
                Point { time, updates, loss, loss_se: None }
            }
        };
        self.points.push(point);
        Ok(Some(point.loss))
    }
}
