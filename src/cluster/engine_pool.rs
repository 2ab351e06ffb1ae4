//! The engines that compute the learners' gradients, each on a thread of its own, with its own
//! device and queue.
//!
//! A gradient is a pure function of the parameters and the minibatch, so the result does not depend
//! on when it is computed. Computing ahead only makes the wait shorter.

use std::{
    cell::RefCell,
    fmt,
    sync::Arc,
    thread::{self, JoinHandle},
};

use crossbeam_channel::Sender;

use super::Order;
use crate::{Error, Result, cluster::Snapshot, dataset::minibatches::Minibatches, engine::Engine};

/// A finished gradient and its minibatch's loss.
#[derive(Debug)]
pub struct Computed {
    /// Mean loss of the minibatch.
    pub loss: f32,
    /// Its gradient, as long as the parameters.
    pub gradient: Vec<f32>,
}

/// A gradient on its way; dropped, it is not computed unless that has begun.
pub type Computing = oneshot::Receiver<Result<Computed>>;

struct GradientOrder {
    order: Order,
    minibatches: Minibatches,
    reply: oneshot::Sender<Result<Computed>>,
}

/// Engines that compute at the same time, each the next gradient that is wanted.
pub struct EnginePool {
    engines: Engines,
    samples: usize,
}

/// Where the engines are.
enum Engines {
    /// Each on a thread, all with one inbox, which is closed when the queues are dropped.
    Threads { jobs: Option<Sender<GradientOrder>>, threads: Vec<JoinHandle<()>> },
    /// One, which computes where it is asked to.
    Here(RefCell<Compute>),
}

/// Carries out a job.
type Compute = Box<dyn FnMut(GradientOrder)>;

impl fmt::Debug for EnginePool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnginePool").field("count", &self.count()).finish_non_exhaustive()
    }
}

impl EnginePool {
    /// Opens `count` queues, all with engines over the same data: the first at once, so that those after
    /// it find the driver's cache of compiled kernels warm, and those while it is already at work.
    ///
    /// # Errors
    /// What `open` returns for the first; for another, a gradient returns it.
    pub fn open<E: Engine>(
        count: usize,
        open: impl Fn() -> Result<E> + Send + Sync + 'static,
    ) -> Result<Self> {
        let open = Arc::new(open);
        let (jobs, inbox) = crossbeam_channel::unbounded::<GradientOrder>();
        let mut threads = Vec::with_capacity(count);
        let mut start = |opened: oneshot::Sender<Result<usize>>| {
            let (open, inbox) = (Arc::clone(&open), inbox.clone());
            let thread = thread::Builder::new()
                .name(format!("queue {}", threads.len()))
                .spawn(move || match open() {
                    Ok(engine) => {
                        let _ = opened.send(Ok(engine.samples()));
                        inbox.iter().for_each(computer(engine));
                    }
                    Err(error) => {
                        // Where nobody waits for it to open, whoever wants a gradient is told.
                        if let Err(unheard) = opened.send(Err(error))
                            && let Err(error) = unheard.into_inner()
                            && let Ok(job) = inbox.recv()
                        {
                            let _ = job.reply.send(Err(error));
                        }
                    }
                })
                .map_err(Error::io("a thread for a queue"))?;
            threads.push(thread);
            Ok(())
        };
        let (ready, opened) = oneshot::channel();
        start(ready)?;
        let samples = opened
            .recv()
            .unwrap_or_else(|_| Err(Error::config("a queue ended while it was opened")))?;
        for _ in 1..count {
            // Nobody waits any more when the thread starts, so that its error stays with it.
            let (nobody, _) = oneshot::channel();
            start(nobody)?;
        }
        let engines = Engines::Threads { jobs: Some(jobs), threads };
        Ok(Self { engines, samples })
    }

    /// One queue without a thread of its own: a gradient is computed when it is asked for. A lone
    /// learner has nothing to compute ahead, and waking a thread takes as long as a small gradient.
    pub fn here(engine: impl Engine + 'static) -> Self {
        let samples = engine.samples();
        let compute: Compute = Box::new(computer(engine));
        Self { engines: Engines::Here(RefCell::new(compute)), samples }
    }

    /// How many queues there are; at least one.
    pub fn count(&self) -> usize {
        match &self.engines {
            Engines::Threads { threads, .. } => threads.len(),
            Engines::Here(_) => 1,
        }
    }

    /// Samples of the training set that minibatches are drawn from.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Starts the gradient that is ordered, as soon as a queue is free.
    pub fn compute(&self, order: Order, minibatches: Minibatches) -> Computing {
        let (reply, computing) = oneshot::channel();
        let job = GradientOrder { order, minibatches, reply };
        match &self.engines {
            Engines::Here(compute) => compute.borrow_mut()(job),
            // Where every queue is gone the job is dropped, and whoever waits learns of that.
            Engines::Threads { jobs, .. } => drop(jobs.as_ref().map(|jobs| jobs.send(job))),
        }
        computing
    }
}

impl Drop for EnginePool {
    fn drop(&mut self) {
        if let Engines::Threads { jobs, threads } = &mut self.engines {
            *jobs = None;
            threads.drain(..).for_each(|thread| drop(thread.join()));
        }
    }
}

/// What carries out one job after the other.
fn computer(engine: impl Engine) -> impl FnMut(GradientOrder) {
    let mut worker = Worker::new(engine);
    move |GradientOrder { order, minibatches, reply }| {
        if !reply.is_closed() {
            let _ = reply.send(worker.compute(&order, &minibatches));
        }
    }
}

/// An engine, and the parameters that it has loaded.
pub(super) struct Worker<E> {
    engine: E,
    loaded: Option<Snapshot>,
}

impl<E: Engine> Worker<E> {
    pub(super) fn new(engine: E) -> Self {
        Self { engine, loaded: None }
    }

    pub(super) fn compute(&mut self, order: &Order, minibatches: &Minibatches) -> Result<Computed> {
        let Order { learner, task, params } = order;
        let Self { engine, loaded } = self;
        if loaded.as_ref().is_none_or(|loaded| !Arc::ptr_eq(loaded, params)) {
            *loaded = None;
            engine.load(params)?;
            *loaded = Some(Arc::clone(params));
        }
        let mut gradient = vec![0.0; params.len()];
        let samples = minibatches.indices(*learner, *task);
        let loss = engine.gradient(&samples, &mut gradient)?;
        Ok(Computed { loss, gradient })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    };

    use super::*;
    /// Takes a gradient for each token.
    struct Gated(Arc<Mutex<mpsc::Receiver<()>>>);

    impl Engine for Gated {
        fn samples(&self) -> usize {
            4
        }

        fn params(&self) -> usize {
            1
        }

        fn load(&mut self, _: &[f32]) -> Result<()> {
            Ok(())
        }

        fn gradient(&mut self, _: &[usize], _: &mut [f32]) -> Result<f32> {
            self.0.lock().unwrap().recv().unwrap();
            Ok(1.0)
        }
    }

    fn start(queues: &EnginePool, task: u64) -> Computing {
        let order = Order { learner: 0, task, params: Arc::from([0.0]) };
        queues.compute(order, Minibatches::new(0, 4, 1))
    }

    #[test]
    fn a_queue_that_does_not_open_is_an_error_of_one_gradient() {
        let (tokens, gate) = mpsc::channel();
        let (gate, first) = (Arc::new(Mutex::new(gate)), AtomicBool::new(true));
        let open = move || match first.swap(false, Ordering::Relaxed) {
            true => Ok(Gated(Arc::clone(&gate))),
            false => Err(Error::config("no room")),
        };
        let queues = EnginePool::open(2, open).unwrap();
        // Without a token the first queue is held up by one of these, and the other meets the second.
        let mut started = vec![start(&queues, 0), start(&queues, 1)];
        let (at, first) = loop {
            let mut all = started.iter().enumerate();
            if let Some(first) = all.find_map(|(at, one)| Some((at, one.try_recv().ok()?))) {
                break first;
            }
            thread::yield_now();
        };
        assert_eq!(first.unwrap_err().to_string(), "no room");
        tokens.send(()).unwrap();
        assert!(started.remove(1 - at).recv().unwrap().is_ok());
    }

    #[test]
    fn a_first_queue_that_does_not_open_is_an_error_at_once() {
        let open = || Err::<Gated, _>(Error::config("no room"));
        assert_eq!(EnginePool::open(2, open).unwrap_err().to_string(), "no room");
    }

    #[test]
    fn a_gradient_that_nobody_waits_for_any_more_is_not_computed() {
        let (tokens, gate) = mpsc::channel();
        let queues = EnginePool::open(1, {
            let gate = Arc::new(Mutex::new(gate));
            move || Ok(Gated(Arc::clone(&gate)))
        });
        let queues = queues.unwrap();
        let first = start(&queues, 0);
        drop(start(&queues, 1));
        let third = start(&queues, 2);
        // Two tokens are enough for three; a third would find the channel closed.
        tokens.send(()).unwrap();
        tokens.send(()).unwrap();
        drop(tokens);
        for computing in [first, third] {
            assert!(computing.recv().unwrap().is_ok());
        }
    }
}
