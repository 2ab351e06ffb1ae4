//! Expected times and losses, in closed form or computed, to stand beside what is measured. Knows no
//! engine.

mod arrival;
pub mod capped;
pub mod error;
pub mod lead;
pub mod learners;
pub mod momentum;
pub mod order_statistics;
mod renewals;
pub mod runtime;
pub mod speed_up;
pub mod staleness;
pub mod survey;
mod unequal;
mod update_time;
