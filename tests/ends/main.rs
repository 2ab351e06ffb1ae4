//! Commands and learners that are interrupted or killed, and races that go on afterwards.

#[path = "../common/signals.rs"]
mod signals;
#[path = "../common/small_data.rs"]
mod small_data;

mod interrupted;
mod processes;
mod resume;
