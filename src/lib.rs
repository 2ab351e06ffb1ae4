//! Tortoise.

pub mod cli;
pub mod cluster;
pub mod dataset;
pub mod engine;
mod error;
pub mod record;
pub mod report;
mod rng;
pub mod sgd;
pub mod statistics;
mod suggest;
mod text;
pub mod theory;

pub use error::{Error, Result};
