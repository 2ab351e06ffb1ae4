//! Distributed SGD: the variants, the parameter server and the loop that joins them to a cluster.

pub mod activity;
pub mod course;
pub mod entrant;
pub mod event;
pub mod faults;
pub mod k_schedule;
pub mod learning_rate;
pub mod scheduler;
pub mod server;
pub mod simulate;
pub mod state;
pub mod tally;
pub mod terms;
pub mod train;

pub use self::{
    course::{Course, Objective},
    entrant::Entrant,
    event::{Event, Observer},
    faults::Tolerance,
    scheduler::{Action, Cancellation, Scheduler, Variant, Verdict},
    server::ParameterServer,
    tally::Tally,
    terms::Terms,
    train::{Ended, Limits, Run},
};
