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
//! A minibatch takes a learner the time X, drawn independently from a law
//! ([`cluster::delay::Distribution`]). An update makes w_{j+1} = w_j - (1/K) sum_l rate_l g_l out of
//! K gradients. Two questions tell the variants apart, what a learner does after a push and what
//! becomes of unfinished work at an update; [`sgd::scheduler`] has the table. A gradient read at
//! w_tau that enters update j is s = j - tau stale.
//!
//! # A run, from end to end
//!
//! [`sgd::Run::train`] is the one loop. It asks the [`sgd::Scheduler`] what to do: let the
//! [`sgd::ParameterServer`] make an update, or hand its parameters to a learner of the
//! [`cluster::Cluster`]. Then it waits for the next push, asks the scheduler whether it counts, and
//! lets the server gather it. In virtual time ([`cluster::simulated`]) durations are drawn while
//! gradients are real: the engines ([`engine::Engine`]) of [`cluster::queues`] compute them ahead,
//! in the order in which they will arrive. In real time ([`cluster::threaded`]) each learner of
//! [`cluster::learners`] has a thread and an engine of its own, [`cluster::supervised`] gives up who is
//! silent for too long, and the loop goes on as [`sgd::Tolerance`] says. An [`sgd::Observer`] looks on;
//! [`record::Recorder`] is the one that writes things down.
//!
//! ```
//! use tortoise::{
//!     cluster::delay::{Delays, Distribution, Slow},
//!     sgd::{Cancellation, Entrant, simulate::simulate},
//! };
//!
//! # fn main() -> tortoise::Result<()> {
//! let entrant: Entrant = "k-async:4".parse()?;
//! let law: Distribution = "exponential:mean=1".parse()?;
//! let delays = Delays::new(law, &Slow::default(), 8, 0)?;
//! let times = simulate(&entrant, Cancellation::Preempt, 8, delays, 100, 10_000)?;
//! assert!((times.mean_staleness - 1.0).abs() < 0.05); // (P - K) / K
//! # Ok(())
//! # }
//! ```
//!
//! # The house
//!
//! * [`sgd`]: variants, server, loop. [`sgd::scheduler`] imports nothing of the house.
//! * [`cluster`]: learners and their clock.
//! * [`engine`]: loss and gradient of a [`engine::model::Model`], through wgpu or on the host.
//! * [`dataset`]: IDX files and minibatches.
//! * [`theory`]: expected times beside the measurements.
//! * [`estimate`]: the constants of theory, from a run.
//! * [`advise`]: which variant and K to choose.
//! * [`picture`]: from any picture of a digit to what the models know.
//! * [`record`] and [`report`]: what a run writes, and what a person looks at.
//! * [`cli`]: the command.
//!
//! # Invariants
//!
//! * The scheduler knows no parameters, no time and no threads.
//! * Only the loop sees scheduler, server and cluster together.
//! * A run in virtual time is a function of its configuration, its seed and its adapter: the same
//!   bits twice, however many queues compute it.
//! * Parameters never change once handed out. A gradient is applied at most once.
//! * Every minibatch started is used, pending, wasted or in flight; what comes of it twice, or when it
//!   was cancelled or lost, is dropped.
//! * In real time nothing is waited for without a deadline.
//! * No kernel is dispatched whose bindings the tests have not compared with the host's table.
//! * Evaluation takes no run time.
//! * Nothing falls back silently: what ran is printed and recorded.

pub mod advise;
pub mod cli;
pub mod cluster;
pub mod dataset;
pub mod engine;
mod error;
pub mod estimate;
mod file;
mod numbers;
pub mod picture;
pub mod record;
pub mod report;
mod rng;
pub mod sgd;
mod share;
pub mod statistics;
mod suggest;
mod sync;
mod text;
pub mod theory;

pub use error::{Error, Result};
