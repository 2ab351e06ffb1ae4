//! What a run writes: the run directory and its files.
//!
//! With `events.jsonl`, `initial.safetensors` and the data set, anyone can compute every parameter
//! of a run again without this crate.

mod files;
mod recorder;
pub mod summary;
mod tensors;

pub use self::{
    files::{Lines, RunDirectory, write_whole},
    recorder::{EvaluationRow, Recorder, RunFiles},
    summary::{EntrantSummary, RunSummary, Summary},
    tensors::{params_file, parse_params, read_params, write_params},
};
