//! Processes in real time, and what the system does to them: learners that are killed or stopped, a race
//! that is stopped itself, and one that has little memory.

#![cfg(target_os = "linux")]

use std::{
    fs,
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use serde_json::Value;
use tempfile::tempdir;

/// How long a race may take; more is a hang, and no measurement.
const DEADLINE: Duration = Duration::from_secs(300);

/// A race with learners in processes of their own.
fn race(arguments: &str, folder: &Path) -> Child {
    start(&format!("{arguments} --isolate"), folder)
}

fn start(arguments: &str, folder: &Path) -> Child {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tortoise"));
    command.args(arguments.split_whitespace()).arg("--out").arg(folder);
    command.args("--clock real --device host --model logistic --json --quiet".split(' '));
    // A group of its own, as a shell gives one to each job.
    command.process_group(0);
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
    // By the shell's own, since the program of that name may take -123 for -1, which is everybody. The
    // process may have ended meanwhile.
    let script = r#"kill "$0" "$1""#;
    Command::new("sh").args(["-c", script, name, process]).stderr(Stdio::null()).status().unwrap();
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
    let arguments = "race -p 4 --updates 600 --patience 0.1 --restarts 99";
    let folder = root.path().join("r");
    let hit = ["-KILL", "-STOP"];
    let (summary, message, code) = harass(race(arguments, &folder), &folder, &hit, 1);
    assert_eq!(code, Some(0), "{message}");
    let count = |run: &Value, name: &str| run[name].as_u64().unwrap();
    let mut losses = 0;
    for run in runs(&summary) {
        assert_eq!(run["updates"], 600);
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
    let expected = "which leaves 1 of the 2 that --quorum asks for";
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

/// Waits until `is` holds.
#[track_caller]
fn wait_until(is: impl Fn() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < Duration::from_secs(60), "it does not come");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether so many updates are recorded.
fn has_made(updates: usize, folder: &Path) -> bool {
    let text = fs::read_to_string(folder.join("async/seed-0/updates.jsonl"));
    text.is_ok_and(|text| text.lines().count() > updates)
}

/// Stops a race, with its group or alone, for longer than anybody is waited for, and lets it go on.
fn pause(process: &Child, with_group: bool) {
    let tell = if with_group { kill_process_group } else { kill_process };
    tell(Pid::from_child(process), Signal::STOP).unwrap();
    let stat = format!("/proc/{}/stat", process.id());
    wait_until(|| fs::read_to_string(&stat).is_ok_and(|stat| stat.contains(") T ")));
    thread::sleep(Duration::from_millis(2000));
    tell(Pid::from_child(process), Signal::CONT).unwrap();
}

#[test]
fn a_race_that_is_stopped_and_goes_on_loses_nobody_and_no_run_time() {
    let root = tempdir().unwrap();
    let arguments = "train async -p 2 --budget 6 --patience 1.2";
    for (name, isolate, with_group) in
        [("threads", "", false), ("alone", "--isolate", false), ("group", "--isolate", true)]
    {
        let folder = root.path().join(name);
        let process = start(&format!("{arguments} {isolate}"), &folder);
        wait_until(|| has_made(100, &folder));
        // Twice, since at the second deadlines follow from what was seen.
        for _ in 0..2 {
            pause(&process, with_group);
        }
        let output = process.wait_with_output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{name}: {message}");
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        let run = runs(&summary).next().unwrap();
        let learners = run["learners"].as_array().unwrap();
        assert!(learners.iter().all(|learner| learner["losses"] == 0), "{name}: {run}");
        assert_eq!(run["lost"], 0, "{name}: {run}");
        let paused = run["paused"].as_f64().unwrap();
        assert!((2.0..60.0).contains(&paused), "{name}: {paused} of about 4 s");
        assert_eq!(run["run_time"], 6.0, "{name}: the time away is no run time");
    }
}

#[test]
fn a_learner_that_hangs_is_lost_though_the_race_was_stopped_once() {
    let root = tempdir().unwrap();
    let folder = root.path().join("r");
    let process = race("train async -p 2 --budget 600 --patience 1 --on-loss stop", &folder);
    wait_until(|| has_made(100, &folder));
    pause(&process, false);
    let learners = children(&process);
    assert_eq!(learners.len(), 2, "{learners:?}");
    signal("-STOP", &learners[0]);
    let output = process.wait_with_output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("is lost: no answer in "), "{message}");
}

#[test]
fn with_little_memory_it_works_or_fails_as_other_failures_do() {
    let tortoise = assert_cmd::cargo::cargo_bin!("tortoise");
    let root = tempdir().unwrap();
    let mut refused = 0;
    for kibibytes in (120_000..=300_000).step_by(20_000).chain([400_000, 1_048_576]) {
        for clock in ["virtual", "real --delay measured"] {
            let mut command = Command::new("sh");
            let run = format!(
                "ulimit -v {kibibytes}; exec \"$0\" train async -p 4 --updates 20 --device host \
                 --clock {clock} --quiet --out \"$1\""
            );
            let folder = root.path().join(format!("{kibibytes}-{}", &clock[..4]));
            command.arg("-c").arg(run).arg(tortoise).arg(folder);
            command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("TORTOISE_DATA");
            let output = command.output().unwrap();
            let message = String::from_utf8_lossy(&output.stderr);
            let code = output.status.code();
            assert!([Some(0), Some(1)].contains(&code), "{kibibytes} {clock}: {code:?} {message}");
            assert!(!message.contains("panicked"), "{kibibytes} {clock}: {message}");
            refused += usize::from(message.contains("error: not enough memory or threads for"));
        }
    }
    assert!(refused > 0, "nowhere was it said what there is no room for");
}
