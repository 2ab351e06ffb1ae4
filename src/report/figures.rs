//! Figures of a race, of what was advised before it, and of theory.

pub mod advice;
pub mod chain;
pub mod race;
pub(super) mod staleness;
pub mod theory;
