//! The command as its users meet it: help, options, bad input, the dashboard, README and docs.

#[path = "../common/adapter.rs"]
mod adapter;
#[path = "../common/idx.rs"]
mod idx;
#[path = "../common/skipped.rs"]
mod skipped;
#[path = "../common/small_data.rs"]
mod small_data;

mod bad_input;
mod command;
mod dashboard;
mod docs;
mod inputs;
mod kernels_command;
mod options;
mod theory_command;
mod timeline_command;
mod usage;
