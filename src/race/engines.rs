//! What computes the gradients of a race: queues that learners share in virtual time, learners with a
//! thread and a queue each in real time.

use std::{
    fmt,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use super::config::{Clock, Config};
use crate::{
    Result,
    cluster::{
        engine_pool::EnginePool,
        learner_threads::{Kill, LearnerThreads, Opened},
    },
    dataset::Dataset,
    engine::{
        Engine,
        backend::Backend,
        isolated::{self, EngineSetup, Isolated},
        model::Model,
    },
    sgd::{
        Entrant, Observer, RunConfig,
        run_config::{Finished, Start},
    },
};

/// How long a learner's process may take to take in the data and open its device.
const OPENING: Duration = Duration::from_secs(60);

/// Engines for the gradients, and where they are.
#[derive(Debug)]
pub(super) struct Engines {
    /// What they are, in words.
    description: String,
    engines: Owned,
}

#[derive(Debug)]
enum Owned {
    Shared(EnginePool),
    Own(LearnerThreads),
}

impl Engines {
    /// Opens what the race needs on `backends`, over which learners in real time are spread.
    pub(super) fn open(
        config: &Config,
        data: &Dataset,
        model: &Model,
        backends: &[Backend],
    ) -> Result<Self> {
        let Config { learners, isolate, .. } = *config;
        let minibatch = config.largest_minibatch();
        let engines = match config.clock {
            Clock::Virtual => Owned::Shared(queues(config, data, model, &backends[0])?),
            Clock::Real => {
                let (backends, model) = (backends.to_vec(), model.clone());
                let train = Arc::clone(&data.train);
                let open = move |learner: usize| {
                    let backend = backends[learner % backends.len()].clone();
                    if !isolate {
                        let engine = backend.open(&model, minibatch, &train)?;
                        return Ok(Opened { engine, kill: None });
                    }
                    let setup = EngineSetup { backend, model: model.clone(), minibatch };
                    let opening = Isolated::start(isolated::this_program()?, &setup, &train)?;
                    let isolated = opening.ready_within(OPENING)?;
                    let killer = isolated.killer();
                    let kill: Kill = Box::new(move || killer.kill());
                    Ok(Opened { engine: Box::new(isolated), kill: Some(kill) })
                };
                Owned::Own(LearnerThreads::open(learners, open)?)
            }
        };
        Ok(Self { description: description(backends, learners), engines })
    }

    /// One engine, which a program brought.
    pub(super) fn of_one(engine: impl Engine + 'static, name: &str) -> Self {
        let engines = Owned::Shared(EnginePool::here(engine));
        Self { description: name.to_owned(), engines }
    }

    /// One run of `entrant`.
    pub(super) fn run<'s>(
        &mut self,
        run_config: &RunConfig,
        entrant: &Entrant,
        seed: u64,
        start: impl Into<Start<'s>>,
        interrupt: &AtomicBool,
        observer: &mut impl Observer,
    ) -> Result<Finished> {
        let interrupt = Some(interrupt);
        match &mut self.engines {
            Owned::Shared(queues) => {
                run_config.run(entrant, seed, start, queues, interrupt, observer)
            }
            Owned::Own(learners) => {
                run_config.run_in_real_time(entrant, seed, start, learners, interrupt, observer)
            }
        }
    }

    /// The queues of a race in virtual time; none in real time.
    pub(super) fn into_queues(self) -> Option<EnginePool> {
        match self.engines {
            Owned::Shared(queues) => Some(queues),
            Owned::Own(_) => None,
        }
    }

    /// How many engines there are.
    pub(super) fn count(&self) -> usize {
        match &self.engines {
            Owned::Shared(queues) => queues.count(),
            Owned::Own(learners) => learners.count(),
        }
    }
}

impl fmt::Display for Engines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.description)
    }
}

/// Backends in words, and where there are several, which learners each of them has.
fn description(backends: &[Backend], learners: usize) -> String {
    let devices = backends.len();
    if devices == 1 {
        return backends[0].to_string();
    }
    let of_one = |(at, backend): (usize, &Backend)| {
        let learners: Vec<_> =
            (at..learners).step_by(devices).map(|learner| learner.to_string()).collect();
        format!("learners {} on {backend}", learners.join(" "))
    };
    let all: Vec<_> = backends.iter().enumerate().map(of_one).collect();
    all.join("; ")
}

/// Queues for the learners, as many as pay unless it is said how many.
pub(super) fn queues(
    config: &Config,
    data: &Dataset,
    model: &Model,
    gradients: &Backend,
) -> Result<EnginePool> {
    let Config { learners, queues, .. } = *config;
    let m = config.largest_minibatch();
    if learners == 1 {
        return Ok(EnginePool::here(gradients.open(model, m, &data.train)?));
    }
    let count = queues.unwrap_or_else(|| gradients.queues(learners));
    let (gradients, model, train) = (gradients.clone(), model.clone(), Arc::clone(&data.train));
    EnginePool::open(count, move || gradients.open(&model, m, &train))
}
