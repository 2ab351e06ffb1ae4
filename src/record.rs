//! What a run writes: the run directory and its files.
//!
//! With `events.jsonl`, `initial.safetensors` and the data set, anyone can compute every parameter
//! of a run again without this crate.

mod checkpoint;
mod deferred;
mod evaluations;
mod files;
mod lines;
mod recorder;
mod run;
pub mod summary;
mod tensorboard;
mod tensors;
mod trained;

pub use self::{
    checkpoint::{Checkpoint, Identity, read_checkpoint},
    evaluations::{EvaluationRow, read_evaluations},
    files::{RunDirectory, write_whole},
    lines::{Lines, Tail},
    recorder::{Outcome, Recorded, Recorder},
    run::{Lengths, RunFiles, read_run},
    summary::{EntrantSummary, RunSummary, Summary},
    tensors::{params_file, parse_params, read_params, write_params},
    trained::{find_trained, parse_model, read_model},
};
