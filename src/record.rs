//! What a run writes: the run directory and its files.
//!
//! With `events.jsonl`, `initial.safetensors` and the data set, anyone can compute every parameter
//! of a run again without this crate.
//!
//! This example records a run, writes the summary of its race, and draws the report:
//!
//! ```
//! use std::sync::Arc;
//! use tortoise::{
//!     cluster::engine_pool::EnginePool,
//!     dataset::{Dataset, Split, minibatches::Minibatches},
//!     engine::{host::Host, model::{Model, Shape}},
//!     record::{
//!         EntrantSummary, Recorder, RunDirectory, RunFiles, RunSummary, Summary, read_run,
//!         write_summary,
//!     },
//!     sgd::RunConfig,
//! };
//!
//! # fn main() -> tortoise::Result<()> {
//! // Sixteen images of four pixels, dark or bright.
//! let pixels = (0..64).map(|at| if at % 8 < 4 { 20 } else { 220 }).collect();
//! let images = Split::images(pixels, (0..16).map(|at| at % 2).collect(), 4, 2)?;
//! let data = Dataset { train: Arc::new(images.clone()), test: Arc::new(images) };
//! let model = Model::new(&Shape::logistic(), 4, 2, 0.0)?;
//!
//! let folder = tempfile::tempdir().expect("a folder");
//! let directory = RunDirectory::create(Some(&folder.path().join("race")), "race")?;
//! let files = RunFiles::create(directory.run("async", 0)?, true)?;
//! let mut evaluator = Host::open(model.clone(), &data)?;
//! let minibatches = Minibatches::new(0, 16, 2);
//! let mut recorder = Recorder::new(files, &mut evaluator, minibatches);
//!
//! let queues = EnginePool::here(Host::open(model.clone(), &data)?);
//! let run_config = RunConfig { minibatch: 2, updates: Some(50), ..RunConfig::new(4, 0.5) };
//! let initial = model.initial(0);
//! let run = run_config.run(&"async".parse()?, 0, &initial[..], &queues, None, &mut recorder)?;
//!
//! let (files, outcome) = recorder.finish(None)?;
//! files.params("final", &model, &run.params)?;
//! let summary = RunSummary::new(0, run.ended, 0.0, outcome, &[0.5]);
//! files.finish(&summary)?;
//! assert_eq!(read_run(&directory.folder("async", 0))?.unwrap().tally.updates, 50);
//!
//! let entrant = EntrantSummary {
//!     entrant: "async".into(),
//!     learners: 4,
//!     k: 1,
//!     theory: Default::default(),
//!     staleness_theory: None,
//!     error_bound: None,
//!     runs: vec![summary],
//! };
//! let race = Summary {
//!     tortoise: "0.1.0".into(),
//!     configuration: (),
//!     machine: "a desk".into(),
//!     gradients_on: "the host".into(),
//!     evaluations_on: "the host".into(),
//!     queues: 1,
//!     tuning: None,
//!     entrants: vec![entrant],
//!     interrupted: false,
//! };
//! write_summary(directory.path(), &race)?;
//! // Now `tortoise report` draws it, and so does
//! # #[cfg(feature = "report")]
//! {
//!     use tortoise::report::{Race, Report};
//!
//!     let (name, caption) = ("light and dark".into(), "what was run".into());
//!     let report = Report { races: vec![Race { name, caption, summary: race, ..Race::default() }] };
//!     println!("{}", report.table());
//!     assert!(report.draw(directory.path())?.iter().all(|file| file.exists()));
//! }
//! # Ok(())
//! # }
//! ```

mod appender;
mod checkpoint;
mod deferred;
mod evaluations;
mod files;
mod learners;
mod lines;
mod origin;
mod recorded;
mod recorder;
mod run;
pub mod summary;
mod tensorboard;
mod tensors;
mod trained;
mod tuning;

pub(crate) use self::learners::csv as learners_csv;
pub use self::{
    checkpoint::{Checkpoint, Identity, has_checkpoint, read_checkpoint},
    evaluations::{EvaluationRow, read_evaluations},
    files::{RunDirectory, run_folder, write_whole},
    lines::{Lines, Tail},
    origin::{Computed, CopyOrigin, Data, Extension, Length, Origin, read_origin, write_origin},
    recorded::{Lengths, Recorded},
    recorder::Recorder,
    run::{RunFiles, TIMELINE, read_run, reopen, write_run},
    summary::{EntrantSummary, Outcome, RunSummary, Summary, read_summary, write_summary},
    tensors::{Layout, params_file, parse_params, read_params, write_params},
    trained::{find_trained, parse_model, read_model},
    tuning::{Tuned, Tuning, read_tuning, write_tuning},
};
