//! Files of lines go on from where they were on the disk, and end with a whole line however full it is;
//! folders have names that every system takes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tempfile::tempdir;
use tortoise::{
    advise,
    record::{Lengths, Lines, RunDirectory, RunFiles, Tail},
    sgd::Entrant,
};

/// A file that has `text`.
fn with(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("lines");
    fs::write(&path, text).unwrap();
    path
}

/// The files in `folder` with what they hold, by name.
fn held(folder: &Path) -> Vec<(String, String)> {
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut held: Vec<_> =
        paths.map(|path| (name(&path), fs::read_to_string(path).unwrap())).collect();
    held.sort();
    held
}

#[track_caller]
fn check(folder: &Path, expected: &[(&str, &str)]) {
    let expected: Vec<_> =
        expected.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
    assert_eq!(held(folder), expected);
}

#[test]
fn lines_go_on_from_any_line_and_keep_what_came_after() {
    let out = tempdir().unwrap();
    let path = with(out.path(), "one\ntwo\nthree\nfo");
    let mut lines = Lines::resume(path.clone(), 8, Tail::Keep).unwrap();
    check(out.path(), &[("lines", "one\ntwo\n"), ("lines.after-1", "three\n")]);
    assert_eq!(lines.length(), 8);
    lines.text("drei").unwrap();
    assert_eq!(lines.length(), 8, "it is not written yet");
    lines.sync().unwrap();
    assert_eq!(lines.length(), 13);
    check(out.path(), &[("lines", "one\ntwo\ndrei\n"), ("lines.after-1", "three\n")]);
    drop(lines);
    drop(Lines::resume(path.clone(), 4, Tail::Keep).unwrap());
    let kept = [("lines.after-1", "three\n"), ("lines.after-2", "two\ndrei\n")];
    check(out.path(), &[&[("lines", "one\n")], &kept[..]].concat());
    drop(Lines::resume(path.clone(), 4, Tail::Keep).unwrap());
    check(out.path(), &[&[("lines", "one\n")], &kept[..]].concat());
    let mut lines = Lines::resume(path, 0, Tail::Drop).unwrap();
    lines.json(&[1, 2]).unwrap();
    drop(lines);
    check(out.path(), &[&[("lines", "[1,2]\n")], &kept[..]].concat());
}

#[test]
fn what_is_cut_off_inside_a_line_is_not_kept() {
    let out = tempdir().unwrap();
    for tail in [Tail::Keep, Tail::Drop] {
        let path = with(out.path(), "one\ntw");
        drop(Lines::resume(path, 4, tail).unwrap());
        check(out.path(), &[("lines", "one\n")]);
    }
}

#[test]
fn a_long_tail_is_kept_in_full() {
    let out = tempdir().unwrap();
    let line = |number: usize| format!("{number:0>20}\n").repeat(3);
    let text: String = (0..10_000).map(line).collect();
    let path = with(out.path(), &format!("{text}and a piece"));
    drop(Lines::resume(path, 21, Tail::Keep).unwrap());
    check(out.path(), &[("lines", &text[..21]), ("lines.after-1", &text[21..])]);
}

#[test]
fn lines_do_not_go_on_from_what_is_not_there() {
    let out = tempdir().unwrap();
    let path = with(out.path(), "one\ntwo\n");
    let refused = |path: &Path, length, fragment: &str| {
        let error = Lines::resume(path.into(), length, Tail::Keep).unwrap_err().to_string();
        assert!(error.starts_with(&path.display().to_string()), "{error}");
        assert!(error.contains(fragment), "\"{fragment}\" is not in: {error}");
    };
    refused(&path, 9, "is 8 bytes long, shorter than the 9");
    refused(&path, u64::MAX, "is 8 bytes long");
    for inside in [1, 2, 3, 5, 6, 7] {
        refused(&path, inside, "inside a line");
    }
    check(out.path(), &[("lines", "one\ntwo\n")]);
    refused(&out.path().join("no lines"), 0, "");
}

#[test]
fn a_value_that_is_no_json_leaves_no_piece_of_a_line() {
    let out = tempdir().unwrap();
    let path = out.path().join("lines");
    let mut lines = Lines::create(path.clone()).unwrap();
    lines.json(&1).unwrap();
    let keys = std::collections::BTreeMap::from([(vec![1], 2)]);
    let error = lines.json(&[keys]).unwrap_err().to_string();
    assert!(error.starts_with(&path.display().to_string()), "{error}");
    lines.json(&2).unwrap();
    drop(lines);
    check(out.path(), &[("lines", "1\n2\n")]);
}

#[test]
fn a_run_goes_on_with_all_its_files_or_with_none() {
    let out = tempdir().unwrap();
    let folder = out.path();
    let mut files = RunFiles::create(folder.into(), true).unwrap();
    files.sync().unwrap();
    let lengths = files.lengths();
    let head = fs::read_to_string(folder.join("evaluations.csv")).unwrap();
    let evaluations = head.len() as u64;
    let expected =
        Lengths { updates: 0, evaluations, timeline: 0, events: Some(0), tensorboard: None };
    assert_eq!(lengths, expected);
    let json = serde_json::to_string(&lengths).unwrap();
    assert_eq!(serde_json::from_str::<Lengths>(&json).unwrap(), lengths);
    drop(files);
    fs::write(folder.join("updates.jsonl"), "1\n2\n").unwrap();
    fs::write(folder.join("events.jsonl"), "3\n4\n").unwrap();
    fs::write(folder.join("timeline.jsonl"), "5\n").unwrap();
    fs::write(folder.join("run.json"), "over").unwrap();
    let before = held(folder);
    for wrong in [
        Lengths { updates: 2, events: Some(5), ..lengths },
        Lengths { updates: 2, events: Some(1), ..lengths },
        Lengths { updates: 2, evaluations: evaluations + 1, ..lengths },
        Lengths { updates: 6, ..lengths },
        Lengths { updates: 2, timeline: 3, ..lengths },
    ] {
        assert!(RunFiles::resume(folder.into(), &wrong, Tail::Keep).is_err());
        assert_eq!(held(folder), before, "{wrong:?}");
    }
    let right = Lengths { updates: 2, events: Some(4), ..lengths };
    let files = RunFiles::resume(folder.into(), &right, Tail::Keep).unwrap();
    assert_eq!(files.lengths(), right);
    drop(files);
    check(
        folder,
        &[
            ("evaluations.csv", &head),
            ("events.jsonl", "3\n4\n"),
            ("timeline.jsonl", ""),
            ("timeline.jsonl.after-1", "5\n"),
            ("updates.jsonl", "1\n"),
            ("updates.jsonl.after-1", "2\n"),
        ],
    );
}

/// Runs of the command that may write no more than `blocks` of 512 bytes to a file: what a disk that
/// is full does to a write, without a disk.
#[cfg(unix)]
mod full {
    use std::process::Command;

    use super::*;

    /// Standard error, and the folder of the run.
    fn train(out: &Path, blocks: u32, updates: &str) -> (Option<i32>, String, PathBuf) {
        let race = out.join("race");
        let output = Command::new("sh")
            .args(["-c", &format!("ulimit -f {blocks}; exec \"$@\""), "sh"])
            .arg(assert_cmd::cargo::cargo_bin!("tortoise"))
            .args(["train", "async", "--device", "host", "--model", "logistic", "-m", "8", "-p"])
            .args(["4", "--events", "--quiet", "--updates", updates, "--out"])
            .arg(&race)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), message, race.join("async/seed-0"))
    }

    #[test]
    fn records_end_with_a_whole_line_when_the_disk_is_full() {
        let out = tempdir().unwrap();
        let (code, message, run) = train(out.path(), 600, "1000000");
        let events = run.join("events.jsonl");
        assert_eq!(code, Some(1), "{message}");
        assert!(message.contains(&format!("error: {}: File too large", events.display())));
        let text = fs::read_to_string(&events).unwrap();
        assert!(text.len() > 200_000, "what had been written is there");
        for file in ["events.jsonl", "timeline.jsonl", "updates.jsonl", "evaluations.csv"] {
            let text = fs::read_to_string(run.join(file)).unwrap();
            assert!(text.ends_with('\n') && !text.contains('\0'), "{file}");
        }
        let json = |line| serde_json::from_str::<serde_json::Value>(line).is_ok();
        assert!(text.lines().all(json));
        assert!(!run.join("run.json").exists(), "it is not over");
        let initial = fs::read(run.join("initial.safetensors")).unwrap();
        assert_eq!(initial.len() % 4, 0);
    }

    #[test]
    fn no_half_file_is_left_when_the_disk_is_full() {
        let out = tempdir().unwrap();
        let (code, message, run) = train(out.path(), 16, "3");
        assert_eq!(code, Some(1), "{message}");
        let file = run.join("initial.safetensors");
        assert!(message.contains(&format!("error: {}: File too large", file.display())));
        let names: Vec<_> = held(&run).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["evaluations.csv", "events.jsonl", "timeline.jsonl", "updates.jsonl"]);
    }
}

#[test]
fn folders_of_runs_have_names_that_every_system_takes() {
    let out = tempdir().unwrap();
    let directory = RunDirectory::create(Some(out.path()), "race").unwrap();
    let adaptive = ["k-sync:adasync", "k-sync:adasync(2)", "k-batch-async:adasync(12)"];
    let mut entrants = advise::entrants(20);
    entrants.extend(adaptive.map(|entrant| entrant.parse::<Entrant>().unwrap()));
    let mut folders = Vec::new();
    for entrant in &entrants {
        let folder = directory.folder(&entrant.to_string(), u64::MAX);
        let names = folder.strip_prefix(directory.path()).unwrap();
        for name in names.iter().map(|name| name.to_str().unwrap()) {
            let legal = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
            assert!(name.bytes().all(legal), "{name}");
        }
        assert!(!folders.contains(&folder), "{entrant} has a folder of its own");
        folders.push(folder);
    }
    assert!(folders.len() > 30);
}
