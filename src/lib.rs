//! Tortoise.

pub mod dataset;
pub mod engine;
mod error;
mod rng;

pub use error::{Error, Result};
