//! Pilot runs: short, and few. They show what K and staleness do to the loss, update by update.

use serde::Serialize;

use super::{Goal, model::PilotRun, times::UpdateTimes};
use crate::{
    Result,
    sgd::{Entrant, Objective, RunConfig, scheduler::Variant, trajectory::Point},
    statistics,
    theory::staleness,
};

/// Evaluations of a pilot run after the first.
const EVALUATIONS: f64 = 60.0;

/// How many pilot runs there are, and how long they may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PilotBudget {
    /// Updates of each pilot run, at most.
    pub updates: u64,
    /// Repetitions with different seeds, from `seed` on.
    pub repetitions: u64,
    /// The first seed.
    pub seed: u64,
}

/// The pilots with their repetitions.
#[derive(Debug, Clone)]
pub struct Pilots(Vec<Pilot>);

#[derive(Debug, Clone)]
struct Pilot {
    entrant: Entrant,
    courses: Vec<PilotRun>,
    gradients: u64,
}

/// What a pilot showed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shown {
    /// Who ran.
    pub entrant: Entrant,
    /// m, the samples of a gradient.
    pub minibatch: usize,
    /// The learning rate.
    pub learning_rate: f64,
    /// Minibatches it computed, over all repetitions.
    pub gradients: u64,
    /// Mean of the staleness s = j - tau, in updates.
    pub mean_staleness: f64,
    /// Updates to the target; none if it was not reached within the run or, by its course, soon
    /// after.
    pub updates_to_target: Option<f64>,
    /// Mean training loss at the end.
    pub loss: f64,
}

impl Pilots {
    /// Runs what is needed to tell the effects apart: fresh gradients with the least and the most
    /// averaging, and stale ones with the most and with half of the staleness. Where one does not get
    /// near the target, the next that averages twice as much.
    pub(super) fn run(
        run_config: &RunConfig,
        objective: &Objective,
        initial: &dyn Fn(u64) -> Vec<f32>,
        target: Option<f64>,
        budget: &PilotBudget,
    ) -> Result<Self> {
        let p = run_config.learners;
        let mut pilots = Vec::new();
        for (variant, needed) in [(Variant::KSync, 1), (Variant::KBatchAsync, 2)] {
            let (mut k, mut reached) = (1, 0);
            // Among one learner nothing is stale, and what counts learners has one K.
            while k < p && reached < needed {
                let entrant = match (variant, k) {
                    (Variant::KBatchAsync, 1) => Entrant::ASYNC,
                    _ => Entrant::with_k(variant, k),
                };
                let pilot = Pilot::run(&entrant, run_config, objective, initial, budget)?;
                reached += usize::from(pilot.updates_to(target).is_some());
                pilots.push(pilot);
                k *= 2;
            }
        }
        pilots.push(Pilot::run(&Entrant::SYNC, run_config, objective, initial, budget)?);
        Ok(Self(pilots))
    }

    /// The courses of each repetition. A target is reached by the first loss that is low enough, a
    /// budget ends at some loss; so for a budget the noise of the courses is smoothed away.
    pub(super) fn repetitions(&self, goal: Goal) -> impl Iterator<Item = Vec<PilotRun>> {
        let count = self.0[0].courses.len();
        let course = move |pilot: &Pilot, n: usize| match goal {
            Goal::Target(_) => pilot.courses[n].clone(),
            Goal::Budget(_) => pilot.courses[n].smoothed(),
        };
        (0..count).map(move |n| self.0.iter().map(|pilot| course(pilot, n)).collect())
    }

    /// What they showed.
    pub(super) fn shown(&self, run_config: &RunConfig, target: Option<f64>) -> Vec<Shown> {
        let shown = |pilot: &Pilot| {
            let n = pilot.courses.len() as f64;
            let last = |course: &PilotRun| course.points[course.points.len() - 1].loss;
            Shown {
                entrant: pilot.entrant,
                minibatch: run_config.minibatch,
                learning_rate: run_config.learning_rate,
                gradients: pilot.gradients,
                mean_staleness: pilot.courses.iter().map(|c| c.mean_staleness).sum::<f64>() / n,
                updates_to_target: pilot.updates_to(target),
                loss: pilot.courses.iter().map(last).sum::<f64>() / n,
            }
        };
        self.0.iter().map(shown).collect()
    }
}

impl Pilot {
    fn run(
        entrant: &Entrant,
        run_config: &RunConfig,
        objective: &Objective,
        initial: &dyn Fn(u64) -> Vec<f32>,
        budget: &PilotBudget,
    ) -> Result<Self> {
        let times = UpdateTimes::of(entrant, run_config)?;
        let length = times.of_update(budget.updates as f64);
        // No clock tells less than a nanosecond.
        let evaluate_every = Some((length / EVALUATIONS).max(1e-9));
        let run_config = RunConfig {
            budget: None,
            updates: Some(budget.updates),
            evaluate_every,
            ..run_config.clone()
        };
        let (mut courses, mut gradients) = (Vec::new(), 0);
        for seed in budget.seed..budget.seed + budget.repetitions {
            let run = objective.trajectory(&run_config, entrant, seed, &initial(seed))?;
            gradients += run.tally.used;
            let known = staleness::mean(entrant.rules(), run_config.learners, times.k);
            let mean_staleness = known.unwrap_or_else(|| run.tally.mean_staleness());
            let finite = |point: &Point| point.loss.is_finite();
            let points = run.points.into_iter().take_while(finite).collect();
            courses.push(PilotRun { k: times.k, mean_staleness, points });
        }
        Ok(Self { entrant: *entrant, courses, gradients })
    }

    /// Mean over the repetitions of the updates to the target; none if one does not get there.
    fn updates_to(&self, target: Option<f64>) -> Option<f64> {
        let loss = target.unwrap_or_else(|| self.courses[0].points[0].loss);
        let updates = self.courses.iter().map(|course| Some(course.updates_to(loss)?.count));
        statistics::mean(&updates.collect::<Option<Vec<f64>>>()?)
    }
}
