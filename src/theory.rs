//! Closed forms, to stand beside what is measured. Knows no engine.

pub mod order_statistics;
mod renewals;
pub mod runtime;
