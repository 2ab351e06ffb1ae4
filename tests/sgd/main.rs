//! The rules of the variants: scheduler, server, learners and faults in virtual time.

#[path = "../common/distributions.rs"]
mod distributions;

mod faults;
mod invariants;
mod quadratic;
mod reductions;
mod timelines;
mod watch;
