//! The engines: gradients, kernels and evaluations beside the f64 reference, data sets, and learners in
//! processes of their own.

#[path = "../common/adapter.rs"]
mod adapter;
#[path = "../common/idx.rs"]
mod idx;
#[path = "../common/skipped.rs"]
mod skipped;

mod dataset;
mod gradients;
mod host_engine;
mod isolated;
mod kernels;
