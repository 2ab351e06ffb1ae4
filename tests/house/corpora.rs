//! Replays what the fuzzers start from and what they found: every file of `fuzz/seeds` and
//! `fuzz/corpus`, through the checks that the fuzzers make.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

#[expect(unreachable_pub, reason = "the fuzzers' own crate makes these checks too")]
#[path = "../../fuzz/src/lib.rs"]
mod checks;

fn files(folder: &str, name: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder).join(name);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// Replays what is there for `name`. The name of a seed says whether it is taken.
fn replay(name: &str, check: fn(&[u8]) -> bool) {
    let run = |file: &PathBuf| {
        let bytes = fs::read(file).unwrap();
        catch_unwind(AssertUnwindSafe(|| check(&bytes))).ok()
    };
    for file in files("seeds", name) {
        let taken = file.file_name().unwrap().to_str().unwrap().starts_with("taken-");
        assert_eq!(run(&file), Some(taken), "{}", file.display());
    }
    for file in files("corpus", name) {
        assert!(run(&file).is_some(), "{}", file.display());
    }
}

#[test]
fn configurations_are_refused_or_read_again_to_the_same() {
    replay("config", checks::config);
}

#[test]
fn events_are_refused_or_give_durations_and_laws() {
    replay("events", checks::events);
}

#[test]
fn idx_files_are_refused_or_hold_what_they_say() {
    replay("idx", checks::idx);
}

#[test]
fn pictures_are_refused_or_prepared() {
    replay("picture", checks::picture);
}

#[test]
fn pixels_are_a_digit_or_none() {
    replay("digit", checks::digit);
}

#[test]
fn parameters_are_refused_or_read_again_to_the_bit() {
    replay("safetensors", checks::safetensors);
}

#[test]
fn traces_are_refused_or_drawn_from() {
    replay("trace", checks::trace);
}
