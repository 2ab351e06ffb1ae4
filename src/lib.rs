//! Tortoise races variants of distributed SGD that differ in whether they wait for slow workers.
//!
//! In distributed SGD, several *learners* (workers) compute gradients, and a *parameter server*
//! updates the model with them. In *synchronous* SGD the server waits for a gradient from every
//! learner before each update, so the slowest learner sets the pace. In *asynchronous* SGD it
//! updates as soon as one gradient arrives. Then updates are frequent, but most gradients are
//! *stale*: other updates have changed the model since the learner read it. Between the two there
//! are variants that wait for some of the learners.
//!
//! A race trains one model under several variants. What counts is the loss against run time, next
//! to what theory says of it ("Slow and Stale Gradients Can Win the Race", Dutta, Joshi, Ghosh,
//! Dube and Nagpurkar, AISTATS 2018). The gradients are real: those of an MNIST model, computed
//! with WGSL kernels on as many devices and queues as pay off, or on the processor; or those of an
//! objective of your own. The parameter server runs on the processor.
//!
//! Start with [`race::Race`], which can race whatever the command can, or with [an objective of
//! your own](#your-own-objective).
//!
//! # The model
//!
//! P learners share the parameters w. A learner reads them, computes the gradient of the loss over
//! a minibatch of m samples, and pushes it to the server. The time X that it takes for a minibatch
//! is drawn from a distribution ([`cluster::delay::Distribution`]), independently of all others. K
//! gradients make an update:
//!
//! > w_{j+1} = w_j - (1/K) (rate_1 g(w_tau_1) + ... + rate_K g(w_tau_K)).
//!
//! w_j is called version j of the parameters. A gradient that was computed at version tau and goes
//! into the update of version j has the staleness s = j - tau. Its rate is the learning rate, or
//! what a [rule](sgd::learning_rate) makes of it: the rate can depend on the staleness, on run time
//! or the number of updates, or on the drift, which is how far the parameters have moved since the
//! learner read them. K is one number, or grows as the loss falls ([`sgd::k_schedule::AdaSync`]), or is measured
//! ([`sgd::k_schedule::Adaptive`]).
//! Which gradients make an update, and when, depends on the variant:
//!
//! | variant | an update takes | after its push, a learner | unfinished work at an update | s |
//! |---|---|---|---|---|
//! | `sync` | a gradient of each learner | waits for the update | there is none | 0 |
//! | `k-sync:K` | the first K learners | waits for the update | is cancelled | 0 |
//! | `k-batch-sync:K` | the first K minibatches | starts another minibatch | is cancelled | 0 |
//! | `async` | one gradient | starts again at once | goes on | 0, 1, ... |
//! | `k-async:K` | the first K learners | waits for the update | goes on | 0, 1, ... |
//! | `k-batch-async:K` | the first K minibatches | starts another minibatch | goes on | 0, 1, ... |
//! | `ringmaster:R` | one gradient | starts again at once | goes on until it is stale by R | below R |
//! | `ssp:S` | one gradient | starts again unless its lead is above S | goes on | 0, 1, ... |
//!
//! K learners are K different ones; of K minibatches, two may come from one learner. One state
//! machine, [`sgd::scheduler`], serves all variants. It is told K, and the answers to three
//! questions, the [`Rules`](sgd::scheduler::Rules) of the variant. Cancelled work stops at once, or
//! it is finished and dropped when it arrives ([`sgd::Cancellation`]).
//!
//! There are two clocks. In *virtual time*, the time of each minibatch is drawn at random and added
//! up, and nobody waits for it, while the gradients are real. A race of minutes takes seconds, and
//! the same race gives the same bits again. In *real time* the wall clock counts; learners are
//! threads or processes, and may die. *Run time* is the time of either clock, in seconds. It stands
//! still while the model is evaluated.
//!
//! # A run, from end to end
//!
//! [`sgd::Run::train`] is the loop of every run. In each turn it
//!
//! 1. asks the [`sgd::Scheduler`] what to do: let the [`sgd::ParameterServer`] make an update, or
//!    hand the current parameters to a learner of the [`cluster::Cluster`];
//! 2. waits for the next push;
//! 3. asks the scheduler whether that gradient counts, and if so lets the server add it up.
//!
//! In virtual time ([`cluster::simulated`]), the engines ([`engine::Engine`]) of a pool
//! ([`cluster::engine_pool`]) compute gradients ahead, in the order in which they will arrive. In
//! real time ([`cluster::threaded`]), each learner has a thread and an engine of its own
//! ([`cluster::learner_threads`]). A learner that is silent for too long is given up
//! ([`cluster::deadlines`]), and [`sgd::Tolerance`] says how the run goes on then. An
//! [`sgd::Observer`] is told of everything that happens; [`record::Recorder`] is the one that
//! writes the files of a run.
//!
//! [`race::Race`] does all of this, on MNIST or on an objective of your own. [`sgd::RunConfig`]
//! makes a single run out of a few numbers.
//!
//! # Your own objective
//!
//! Add the library with `cargo add tortoise-sgd`, and write an [`engine::Engine`], which computes
//! the loss over some samples and its gradient. Nothing else in the library depends on what it
//! computes.
//!
//! This example is a least-squares problem whose answer is known. The features of a number are its
//! bits and a constant, and the value to learn is 3, 1, 4, 1 and 5 times the bits, plus 0, 1 or 2.
//! So the best parameters are 3, 1, 4, 1, 5 and 1. The lowest loss is 1/3, half of the variance of
//! what was added:
//!
//! ```
//! use tortoise::{
//!     Result,
//!     engine::{Engine, check_samples},
//!     race::Race,
//! };
//!
//! /// f(w) = mean of (w . x - y)^2 / 2.
//! struct LeastSquares {
//!     data: Vec<([f32; 6], f32)>,
//!     w: Vec<f32>,
//! }
//!
//! impl Engine for LeastSquares {
//!     fn samples(&self) -> usize {
//!         self.data.len()
//!     }
//!
//!     fn params(&self) -> usize {
//!         6
//!     }
//!
//!     fn load(&mut self, params: &[f32]) -> Result<()> {
//!         self.w = params.to_vec();
//!         Ok(())
//!     }
//!
//!     fn gradient(&mut self, samples: &[usize], gradient: &mut [f32]) -> Result<f32> {
//!         check_samples(samples, self.data.len())?;
//!         gradient.fill(0.0);
//!         let (mut loss, m) = (0.0, samples.len() as f32);
//!         for (x, y) in samples.iter().map(|&sample| &self.data[sample]) {
//!             let residual = x.iter().zip(&self.w).map(|(x, w)| x * w).sum::<f32>() - y;
//!             gradient.iter_mut().zip(x).for_each(|(g, x)| *g += residual * x / m);
//!             loss += residual * residual / (2.0 * m);
//!         }
//!         Ok(loss)
//!     }
//! }
//!
//! # fn main() -> Result<()> {
//! let sample = |i: usize| {
//!     let bits = [0, 1, 2, 3, 4].map(|b| (i >> b & 1) as f32);
//!     let sum: f32 = bits.iter().zip([3.0, 1.0, 4.0, 1.0, 5.0]).map(|(bit, w)| bit * w).sum();
//!     let [a, b, c, d, e] = bits;
//!     ([a, b, c, d, e, 1.0], sum + (i / 32 % 3) as f32)
//! };
//! let engine = LeastSquares { data: (0..960).map(sample).collect(), w: Vec::new() };
//!
//! // Eight learners with exponential times of mean 1 s train for 200 s of run time.
//! let race = Race::new(engine).entrants(["sync", "async"])?.learners(8).minibatch(4);
//! let all = race.learning_rate(0.04).budget(200.0).run()?;
//! let [sync, asynchronous] = &all[..] else { panic!("a run of each") };
//! // An update of sync takes H_8 = 2.72 s; one of async 1/8 s, but gradients are 7 versions old.
//! assert!((60..90).contains(&sync.tally.updates));
//! assert!((1500..1700).contains(&asynchronous.tally.updates));
//! assert!((asynchronous.tally.mean_staleness() - 7.0).abs() < 0.1);
//! let loss = |points: &[tortoise::sgd::trajectory::Point]| points.last().map(|point| point.loss);
//! assert!(loss(&asynchronous.points) < loss(&sync.points));
//! for (w, best) in asynchronous.params.iter().zip([3.0, 1.0, 4.0, 1.0, 5.0, 1.0]) {
//!     assert!((w - best).abs() < 0.5);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! `.record(directory)` in place of `.run()` writes the files of the race, and
//! `examples/custom_engine.rs` draws the loss against run time. To measure times alone, without an
//! engine, see [`sgd::simulate`].
//!
//! # The modules
//!
//! A module uses only modules that come earlier in this list, and a few small private ones.
//!
//! * [`ids`]: the numbers of learners, minibatches and versions.
//! * [`statistics`]: means, medians and standard errors.
//! * [`dataset`]: samples of any kind, IDX files and minibatches.
//! * [`engine`]: loss and gradient of a [`engine::model::Model`], through wgpu or on the host.
//! * [`cluster`]: the learners and their clock.
//! * [`sgd`]: the variants, the parameter server and the loop. Its [`sgd::scheduler`] uses nothing
//!   of the library but [`ids`].
//! * [`theory`]: expected times, staleness and loss, to compare with measurements.
//! * [`estimate`]: the constants of theory, from a run.
//! * [`advise`]: which variant and K to choose.
//! * [`picture`]: makes any picture of a digit into what the models take.
//! * [`record`]: the files that a run writes.
//! * [`race`]: a race, from its settings to its record, and going on with one that stopped.
//! * [`report`]: the tables, curves and pages that a person looks at.
//! * [`timeline`]: what each learner and the server did and when, and pictures of it.
//! * [`cli`]: the command.
//!
//! # Invariants
//!
//! * The scheduler knows no parameters, no time and no threads.
//! * Only the loop sees the scheduler, the server and the cluster together. [`sgd::RunConfig`] and
//!   [`sgd::simulate`] make them for it.
//! * A run in virtual time is a function of its configuration, its seed and its adapter: the same
//!   bits every time, however many queues compute it.
//! * Parameters never change once they were handed out. A gradient is applied at most once.
//! * Every minibatch that was started is exactly one of these: used in an update; pending, while
//!   its gradient waits for the rest of its update; wasted, which is cancelled, discarded, rejected
//!   or lost; or in flight. What arrives a second time, or after it was cancelled or lost, is
//!   dropped.
//! * In real time nothing is waited for without a deadline.
//! * No kernel is dispatched whose bindings the tests have not compared with the table of kernels
//!   ([`engine::kernels`]).
//! * Evaluation takes no run time.
//! * Nothing falls back silently: what ran is printed and recorded.

#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod advise;
mod awake;
#[cfg(feature = "cli")]
pub mod cli;
pub mod cluster;
pub mod dataset;
pub mod engine;
mod error;
pub mod estimate;
mod file;
pub mod ids;
mod numbers;
#[cfg(feature = "report")]
pub mod picture;
#[cfg(feature = "host")]
mod pool;
pub mod race;
#[cfg(feature = "report")]
mod raster;
pub mod record;
#[cfg(feature = "report")]
pub mod report;
mod rng;
pub mod sgd;
mod share;
mod spec;
pub mod statistics;
mod suggest;
#[cfg(feature = "report")]
mod svg;
mod sync;
pub mod theory;
#[cfg(feature = "report")]
pub mod timeline;

pub use error::{Error, Result};
