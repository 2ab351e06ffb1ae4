//! Distributed SGD: the variants, the parameter server and the loop that joins them to a cluster.

pub mod activity;
pub mod entrant;
pub mod event;
pub mod faults;
pub mod k_schedule;
pub mod learning_rate;
pub mod run_config;
pub mod scheduler;
pub mod server;
pub mod simulate;
pub mod spans;
pub mod state;
pub mod tally;
pub mod train;
pub mod trajectory;

pub use self::{
    entrant::Entrant,
    event::{Event, Observer},
    faults::Tolerance,
    run_config::RunConfig,
    scheduler::{Action, Cancellation, Scheduler, Variant, Verdict},
    server::ParameterServer,
    tally::Tally,
    train::{Ended, Limits, Run},
    trajectory::{Objective, Trajectory},
};
