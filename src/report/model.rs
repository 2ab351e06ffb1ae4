//! Pictures of a trained model: what it confuses, its worst mistakes, and its weights.

pub mod confusion;
pub mod mistakes;
mod tiles;
pub mod weights;
