//! Tortoise.

pub mod cluster;
pub mod dataset;
pub mod engine;
mod error;
mod rng;
pub mod sgd;
pub mod statistics;
mod suggest;
pub mod theory;

pub use error::{Error, Result};
