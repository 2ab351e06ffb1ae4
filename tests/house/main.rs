//! The repository in order: its rooms, its files, its examples, and what its fuzzers start from.

mod arrows;
mod corpora;
mod examples;
mod examples_training;
mod tidy;
