//! The learners' engines, each on a thread of its own, with its own device and queue.
//!
//! A gradient is a pure function of (parameters, minibatch), so when it is computed never shows in
//! the result: computing ahead changes nothing but the time one waits.

use std::{
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};

use futures::channel::oneshot;

use super::Task;
use crate::{
    Error, Result,
    dataset::{Minibatch, Split, minibatches::Minibatches},
    engine::Engine,
    sgd::{scheduler::LearnerId, server::Snapshot},
};

/// A finished gradient and its minibatch's loss.
#[derive(Debug)]
pub struct Computed {
    /// Loss of the minibatch.
    pub loss: f32,
    /// Its gradient, as long as the parameters.
    pub gradient: Vec<f32>,
}

/// A gradient on its way; dropped, it is not computed unless that has begun.
pub type Computing = oneshot::Receiver<Result<Computed>>;

struct Job {
    learner: LearnerId,
    task: Task,
    params: Snapshot,
    minibatches: Minibatches,
    reply: oneshot::Sender<Result<Computed>>,
}

/// Engines that compute at the same time; learner i computes on queue i mod their number.
#[derive(Debug)]
pub struct Queues {
    workers: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

impl Queues {
    /// Opens `count` queues over the training set `train`. The first opens alone, so that those
    /// after it find the driver's cache of compiled kernels warm.
    ///
    /// # Errors
    /// What `open` returns.
    pub fn open<E: Engine>(
        count: usize,
        train: &Arc<Split>,
        open: impl Fn() -> Result<E> + Send + Sync + 'static,
    ) -> Result<Self> {
        let open = Arc::new(open);
        let start = |queue: usize| {
            let (jobs, inbox) = mpsc::channel();
            let (ready, opened) = oneshot::channel();
            let (open, train) = (Arc::clone(&open), Arc::clone(train));
            let thread = thread::Builder::new()
                .name(format!("queue {queue}"))
                .spawn(move || match open() {
                    Ok(engine) => {
                        let _ = ready.send(Ok(()));
                        work(engine, &train, &inbox);
                    }
                    Err(error) => {
                        let _ = ready.send(Err(error));
                    }
                })
                .map_err(Error::io("a thread for a queue"))?;
            Ok((Worker { jobs: Some(jobs), thread: Some(thread) }, opened))
        };
        let wait = |opened: oneshot::Receiver<Result<()>>| {
            pollster::block_on(opened)
                .unwrap_or_else(|_| Err(Error::config("a queue ended while it was opened")))
        };
        let mut workers = Vec::with_capacity(count);
        let (first, opened) = start(0)?;
        workers.push(first);
        wait(opened)?;
        let mut rest = Vec::with_capacity(count);
        for queue in 1..count {
            let (worker, opened) = start(queue)?;
            workers.push(worker);
            rest.push(opened);
        }
        rest.into_iter().try_for_each(wait)?;
        Ok(Self { workers })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.workers.len()
    }

    /// Starts the gradient of `learner`'s minibatch `task` at `params`.
    pub fn compute(
        &self,
        learner: LearnerId,
        task: Task,
        params: Snapshot,
        minibatches: Minibatches,
    ) -> Computing {
        let (reply, computing) = oneshot::channel();
        let worker = &self.workers[learner % self.workers.len()];
        let jobs = worker.jobs.as_ref().expect("jobs are taken only when the queues are dropped");
        // A worker that is gone drops the job, and whoever waits for the reply learns of it.
        let _ = jobs.send(Job { learner, task, params, minibatches, reply });
        computing
    }
}

impl Drop for Queues {
    fn drop(&mut self) {
        for worker in &mut self.workers {
            worker.jobs = None;
        }
        for worker in &mut self.workers {
            if let Some(thread) = worker.thread.take() {
                let _ = thread.join();
            }
        }
    }
}

fn work(mut engine: impl Engine, train: &Split, inbox: &mpsc::Receiver<Job>) {
    let mut batch = Minibatch::default();
    let mut loaded: Option<Snapshot> = None;
    for Job { learner, task, params, minibatches, reply } in inbox {
        if reply.is_canceled() {
            continue;
        }
        train.gather(minibatches.indices(learner, task).into_iter(), &mut batch);
        let mut compute = || {
            if loaded.as_ref().is_none_or(|loaded| !Arc::ptr_eq(loaded, &params)) {
                loaded = None;
                engine.load(&params)?;
                loaded = Some(Arc::clone(&params));
            }
            let mut gradient = vec![0.0; params.len()];
            let loss = engine.gradient(&batch, &mut gradient)?;
            Ok(Computed { loss, gradient })
        };
        let _ = reply.send(compute());
    }
}
