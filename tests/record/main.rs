//! What runs leave behind: records, parameters and timelines, read back, damaged and gone on with.

#[path = "../common/adapter.rs"]
mod adapter;
#[path = "../common/skipped.rs"]
mod skipped;
#[path = "../common/small_data.rs"]
mod small_data;
#[path = "../common/timelines.rs"]
mod timelines;

mod params;
mod place;
mod record_files;
mod records;
mod resumed_inputs;
mod runs;
mod show;
mod tensorboard;
mod timeline;
mod timeline_drawings;
mod tuned;
