//! Closed forms, to stand beside what is measured. Knows no engine.

pub mod order_statistics;
pub mod runtime;
