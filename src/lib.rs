//! Tortoise races the synchrony variants of distributed SGD against each other.
//!
//! P learners compute gradients of an MNIST model with WGSL kernels, on as many devices and queues as
//! pay; a parameter server on the host decides, under a variant, which gradients make an update,
//! whose work is cancelled, and who starts again from which parameters. What counts is error against
//! run time, next to what theory says of it ("Slow and Stale Gradients Can Win the Race", Dutta,
//! Joshi, Ghosh, Dube and Nagpurkar, AISTATS 2018).
//!
//! # The model
//!
//! P learners share the parameters w. A learner reads them, computes the gradient of the loss of a
//! minibatch of m samples there, and pushes it to the server. A minibatch takes it the time X, drawn
//! independently from a distribution ([`cluster::delay::Distribution`]). K gradients make an update,
//!
//! > w_{j+1} = w_j - (1/K) (rate_1 g(w_tau_1) + ... + rate_K g(w_tau_K)).
//!
//! A gradient of update j that was read at w_tau is s = j - tau stale. The rate is one number, or what
//! a [rule](sgd::learning_rate) makes of staleness, time or drift; K is one number, or follows the loss
//! ([`sgd::k_schedule::AdaSync`]). Who makes an update, and when, is the synchrony variant:
//!
//! | variant | an update takes | after a push, the learner | at an update, unfinished work | s |
//! |---|---|---|---|---|
//! | `sync` | a gradient of each learner | waits for the update | there is none | 0 |
//! | `k-sync:K` | the first K learners | waits for the update | is cancelled | 0 |
//! | `k-batch-sync:K` | the first K minibatches | starts another minibatch | is cancelled | 0 |
//! | `async` | one gradient | starts again at once | goes on | 0, 1, ... |
//! | `k-async:K` | the first K learners | waits for the update | goes on | 0, 1, ... |
//! | `k-batch-async:K` | the first K minibatches | starts another minibatch | goes on | 0, 1, ... |
//! | `ringmaster:R` | one gradient | starts again at once | goes on | below R |
//!
//! Four questions tell variants apart, and K does the rest: [`sgd::scheduler`] is one machine that is
//! told the answers, its [`Rules`](sgd::scheduler::Rules). What is cancelled stops at once, or is
//! dropped when it arrives ([`sgd::Cancellation`]).
//!
//! There are two clocks. In *virtual time* durations are drawn while gradients are real: a run of
//! minutes takes seconds, and comes out the same to the bit. In *real time* the wall clock counts,
//! learners are threads or processes, and may die. Times are seconds of that clock, *run time*;
//! evaluating takes none of it.
//!
//! # A run, from end to end
//!
//! [`sgd::Run::train`] is the one loop. It asks the [`sgd::Scheduler`] what to do: let the
//! [`sgd::ParameterServer`] make an update, or hand its parameters to a learner of the
//! [`cluster::Cluster`]. Then it waits for the next push, asks the scheduler whether it counts, and
//! lets the server gather it. In virtual time ([`cluster::simulated`]) the engines ([`engine::Engine`])
//! of [`cluster::engine_pool`] compute gradients ahead, in the order in which they will arrive. In real
//! time ([`cluster::threaded`]) each learner of [`cluster::learner_threads`] has a thread and an engine
//! of its own, [`cluster::deadlines`] gives up who is silent for too long, and the loop goes on as
//! [`sgd::Tolerance`] says. An [`sgd::Observer`] looks on; [`record::Recorder`] is the one that writes
//! things down.
//!
//! [`race::Race`] is all of that, on MNIST or on an objective of one's own, and is where to start;
//! [`sgd::RunConfig`] puts a run together from a few numbers.
//!
//! # Your own objective
//!
//! `cargo add tortoise-sgd`, and give an [`engine::Engine`]: what the loss of some samples and its
//! gradient are. The rest does not ask what it computes. Here it is least squares. Features are the bits
//! of a number and a constant, and what is to be learned is 3, 1, 4, 1 and 5 times the bits plus 0, 1 or
//! 2, so that the best parameters are known, and the lowest loss is 1/3, half the variance of what was
//! added:
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
//! `.record(directory)` in place of `.run()` writes it all down, and `examples/custom_engine.rs` draws the
//! trajectories. Without an engine, the loop measures
//! times alone ([`sgd::simulate`]).
//!
//! # The house
//!
//! From the ground up; a room takes only from those below it.
//!
//! * [`ids`]: what everybody counts by.
//! * [`dataset`]: samples of any kind, IDX files and minibatches.
//! * [`engine`]: loss and gradient of a [`engine::model::Model`], through wgpu or on the host.
//! * [`cluster`]: learners and their clock.
//! * [`sgd`]: variants, server, loop. [`sgd::scheduler`] takes nothing of the house but [`ids`].
//! * [`theory`]: expected times beside the measurements.
//! * [`estimate`]: the constants of theory, from a run.
//! * [`advise`]: which variant and K to choose.
//! * [`picture`]: from any picture of a digit to what the models know.
//! * [`record`]: what a run writes.
//! * [`race`]: a race, from its settings to its record; going on with one that stopped.
//! * [`report`]: what a person looks at.
//! * [`timeline`]: what learners and server did, span by span, and its pictures.
//! * [`cli`]: the command.
//!
//! # Invariants
//!
//! * The scheduler knows no parameters, no time and no threads.
//! * Only the loop sees scheduler, server and cluster together; [`sgd::RunConfig`] and
//!   [`sgd::simulate`] make them for it.
//! * A run in virtual time is a function of its configuration, its seed and its adapter: the same
//!   bits twice, however many queues compute it.
//! * Parameters never change once handed out. A gradient is applied at most once.
//! * Every minibatch started is used, pending, wasted or in flight; what comes of it twice, or when it
//!   was cancelled or lost, is dropped.
//! * In real time nothing is waited for without a deadline.
//! * No kernel is dispatched whose bindings the tests have not compared with the host's table.
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
