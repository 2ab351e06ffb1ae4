//! Learners in processes of their own: whatever the system does to them, the race goes on.

#![cfg(target_os = "linux")]

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tempfile::tempdir;

/// How long a race may take; more is a hang, and no measurement.
const DEADLINE: Duration = Duration::from_secs(300);

fn race(arguments: &str, folder: &Path) -> Child {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tortoise"));
    command.args(arguments.split_whitespace()).arg("--out").arg(folder);
    command.args("--clock real --isolate --device host --model logistic --json --quiet".split(' '));
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("TORTOISE_DATA");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// The learners of a race.
fn children(process: &Child) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", process.id())).into_iter().flatten();
    let children = tasks.flatten().filter_map(|task| {
        let children = fs::read_to_string(task.path().join("children")).ok()?;
        Some(children.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    });
    children.flatten().collect()
}

fn signal(name: &str, process: &str) {
    // It may have ended meanwhile.
    Command::new("kill").args([name, process]).stderr(Stdio::null()).status().unwrap();
}

/// Whether an update is recorded.
fn has_begun(folder: &Path) -> bool {
    let entrants = fs::read_dir(folder).into_iter().flatten().flatten();
    let updates = entrants.map(|entry| entry.path().join("seed-0").join("updates.jsonl"));
    updates.filter_map(|path| fs::metadata(path).ok()).any(|file| file.len() > 0)
}

/// Hits one learner in four again and again until the race is over.
fn harass(
    mut process: Child,
    folder: &Path,
    signals: &[&str],
    seed: u64,
) -> (Value, String, Option<i32>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut hit = Vec::new();
    while process.try_wait().unwrap().is_none() && !has_begun(folder) {
        thread::sleep(Duration::from_millis(10));
    }
    let start = Instant::now();
    while process.try_wait().unwrap().is_none() {
        if start.elapsed() > DEADLINE {
            process.kill().unwrap();
            panic!("it does not end");
        }
        thread::sleep(Duration::from_millis(rng.random_range(150..450)));
        if let Some(child) = children(&process).choose(&mut rng) {
            signal(signals.choose(&mut rng).unwrap(), child);
            hit.push(child.clone());
        }
    }
    let output = process.wait_with_output().unwrap();
    for child in hit {
        let state = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        assert!(!state.contains("tortoise"), "a learner is left behind: {state}");
    }
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    let summary = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (summary, message, output.status.code())
}

fn runs(summary: &Value) -> impl Iterator<Item = &Value> {
    summary["entrants"].as_array().unwrap().iter().map(|entrant| &entrant["runs"][0])
}

#[test]
fn every_variant_finishes_while_learners_are_killed_and_stopped_at_random() {
    let root = tempdir().unwrap();
    let arguments = "race -p 4 --updates 1200 --patience 0.1 --restarts 99";
    let folder = root.path().join("r");
    let hit = ["-KILL", "-STOP"];
    let (summary, message, code) = harass(race(arguments, &folder), &folder, &hit, 1);
    assert_eq!(code, Some(0), "{message}");
    let count = |run: &Value, name: &str| run[name].as_u64().unwrap();
    let mut losses = 0;
    for run in runs(&summary) {
        assert_eq!(run["updates"], 1200);
        let parts = ["used", "pending", "cancelled", "discarded", "rejected", "lost", "in_flight"];
        let sum: u64 = parts.iter().map(|part| count(run, part)).sum();
        assert_eq!(count(run, "started"), sum, "{run}");
        let learners = run["learners"].as_array().unwrap();
        let of_learners = |name: &str| learners.iter().map(|one| count(one, name)).sum::<u64>();
        for name in ["started", "cancelled", "discarded", "rejected", "lost", "late"] {
            assert_eq!(of_learners(name), count(run, name), "{name} in {run}");
        }
        losses += of_learners("losses");
    }
    assert!(losses > 0, "somebody was lost");
}

#[test]
fn a_run_goes_on_without_learners_until_there_is_no_quorum() {
    let root = tempdir().unwrap();
    let arguments = "race sync -p 4 --budget 60 --patience 0.1 --on-loss shrink --quorum 2";
    let folder = root.path().join("r");
    let (_, message, code) = harass(race(arguments, &folder), &folder, &["-KILL"], 2);
    assert_eq!(code, Some(1), "{message}");
    let expected = "1 of at least 2 learners are left";
    assert!(message.contains(expected) && message.contains("killed by signal 9"), "{message}");
    let text = fs::read_to_string(folder.join("sync/seed-0/updates.jsonl")).unwrap();
    let updates: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ks: Vec<u64> = updates.iter().map(|update| update["k"].as_u64().unwrap()).collect();
    assert!(ks.is_sorted_by(|a, b| a >= b), "K is at most the learners left");
    assert_eq!((ks[0], ks[ks.len() - 1]), (4, 2));
}

#[test]
fn a_run_that_is_to_stop_names_the_learner_and_what_ended_it() {
    let root = tempdir().unwrap();
    let (arguments, folder) = ("race async -p 2 --budget 60 --on-loss stop", root.path().join("r"));
    let (_, message, code) = harass(race(arguments, &folder), &folder, &["-KILL"], 3);
    assert_eq!(code, Some(1), "{message}");
    assert!(message.contains("is lost: learner process killed by signal 9"), "{message}");
}
