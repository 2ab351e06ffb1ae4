//! Whoever asks a command to end is heard, once, whatever it is doing; and what it has recorded by then
//! is there, and goes on.
#![cfg(unix)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::tempdir;

use crate::{
    signals::{self, end, send, wait_until},
    small_data::small_data,
};

const HOST: &str = "--device host --model logistic --quiet";

fn start(arguments: &str, folder: &Path) -> Child {
    let mut command = signals::tortoise();
    command.args(arguments.split_whitespace()).stdout(Stdio::null()).stderr(Stdio::null());
    command.arg("--out").arg(folder).spawn().unwrap()
}

fn summary(folder: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(folder.join("summary.json")).unwrap()).unwrap()
}

#[test]
fn a_signal_that_is_to_be_ignored_stays_ignored() {
    for signal in ["HUP", "INT", "TERM"] {
        let root = tempdir().unwrap();
        let folder = root.path().join("run");
        let script = format!(
            "trap '' {signal}; exec \"$0\" train async {HOST} --updates 20000 --out \"$1\""
        );
        let mut command = Command::new("sh");
        let program = assert_cmd::cargo::cargo_bin!("tortoise");
        command.args(["-c", &script]).arg(program).arg(&folder);
        let mut child = command.current_dir(env!("CARGO_MANIFEST_DIR")).spawn().unwrap();
        wait_until(&mut child, "it trains", || folder.join("async/seed-0/updates.jsonl").exists());
        send(&child, &[signal]);
        assert!(end(&mut child).success(), "{signal}");
        assert_eq!(summary(&folder)["interrupted"], false, "{signal}");
    }
}

#[test]
fn signals_within_a_moment_are_one_wish() {
    let signals = ["INT", "TERM", "HUP"];
    for (first, second) in signals.iter().flat_map(|first| signals.map(|second| (first, second))) {
        let root = tempdir().unwrap();
        let folder = root.path().join("run");
        let mut child = start(&format!("train async {HOST} --updates 100000000"), &folder);
        wait_until(&mut child, "it trains", || folder.join("async/seed-0/updates.jsonl").exists());
        send(&child, &[first, second, second]);
        assert_eq!(end(&mut child).code(), Some(130), "{first} {second}");
        assert_eq!(summary(&folder)["interrupted"], true, "{first} {second}");
        for file in ["run.json", "checkpoint.safetensors", "final.safetensors"] {
            assert!(folder.join("async/seed-0").join(file).exists(), "{first} {second}: {file}");
        }
        assert!(folder.join("report.html").exists() && folder.join("learners.csv").exists());
    }
}

#[test]
fn an_interrupted_race_keeps_what_was_recorded() {
    let root = tempdir().unwrap();
    let folder = root.path().join("race");
    let race =
        format!("race async sync {HOST} -p 3 --updates 100000000 --evaluate-every 5 --events");
    let mut command = signals::tortoise();
    command.args(race.split_whitespace()).arg("--out").arg(&folder).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // The run has begun once its first evaluations are on the disk.
    let evaluations = folder.join("async/seed-0/evaluations.csv");
    let lines = || fs::read_to_string(&evaluations).map_or(0, |text| text.lines().count());
    wait_until(&mut child, "it evaluates", || lines() >= 4);
    send(&child, &["INT"]);
    assert_eq!(end(&mut child).code(), Some(130));
    let table = std::io::read_to_string(child.stdout.take().unwrap()).unwrap();
    assert!(table.lines().any(|line| line.starts_with("interrupted")), "{table}");
    let summary = summary(&folder);
    assert_eq!(summary["interrupted"], true);
    assert_eq!(summary["entrants"][0]["runs"][0]["ended"], "interrupted");
    for file in ["updates.jsonl", "events.jsonl"] {
        let text = fs::read_to_string(folder.join("async/seed-0").join(file)).unwrap();
        assert!(text.ends_with('\n'));
        assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
    }
    assert!(folder.join("async/seed-0/final.safetensors").is_file());
}

#[test]
fn what_takes_too_long_is_cut_off() {
    let root = tempdir().unwrap();
    let folder = root.path().join("run");
    // One evaluation of this model takes minutes, and the first comes before the first update.
    let model = HOST.replace("logistic", "mlp:40000");
    let mut child = start(&format!("train async {model} --updates 1000000"), &folder);
    wait_until(&mut child, "it evaluates", || folder.join("async/seed-0/updates.jsonl").exists());
    send(&child, &["TERM"]);
    assert_eq!(end(&mut child).code(), Some(130));
    assert!(folder.join("config.toml").exists() && !folder.join("summary.json").exists());
}

/// What is asked to end: a command, and whether what it records can go on.
struct Asked {
    command: &'static str,
    records: bool,
}

const fn asked(command: &'static str, records: bool) -> Asked {
    Asked { command, records }
}

/// Every command, with enough to do where it can have, and none that fails by itself; RUN is a race that
/// is over.
const ASKED: [Asked; 17] = [
    asked("race sync async --updates 1500 HOST", true),
    asked("race k-async:2 --estimate --updates 300 HOST", true),
    asked("race sync async --clock real --budget 0.4 HOST", true),
    asked("train k-batch-async:2 --updates 5000 --checkpoint-every 0.05 HOST", true),
    asked("estimate async --updates 300 HOST", true),
    asked("estimate sync -p 100000 --updates 2 HOST", false),
    asked("advise --budget 20 --learning-rate 0.05 HOST", false),
    asked("advise --budget 20 --learning-rate 0.05 --follow --pilot 20 HOST", false),
    asked("simulate k-async:4 --updates 100000000", false),
    asked("theory", false),
    asked("theory k-batch-sync:300 -p 1000 --delay pareto:shape=2,scale=1", false),
    asked("timeline async --updates 20000", false),
    asked("report RUN", false),
    asked("show --weights RUN/sync/seed-0", false),
    asked("kernels bench", false),
    asked("kernels check", false),
    asked("devices", false),
];

/// Four signals to each command, or as many as `SIGNALS` says: `.ci/run` sends more.
#[test]
fn every_command_ends_whenever_it_is_asked() {
    let times: usize = env::var("SIGNALS").map_or(4, |times| times.parse().unwrap());
    let root = tempdir().unwrap();
    let race = root.path().join("race");
    let mut child = start(&format!("race sync {HOST} --updates 20"), &race);
    assert!(end(&mut child).success());
    let (data, next) = (small_data(), Mutex::new(0..(times * ASKED.len()) as u64));
    let slowest = Mutex::new((Duration::ZERO, ""));
    let work = || {
        loop {
            let Some(number) = next.lock().unwrap().next() else { return };
            let asked = &ASKED[number as usize % ASKED.len()];
            // MNIST takes its time to be read, and little data its time to be worked on.
            let data = (number % 2 == 0).then(|| data.path());
            let time = ask(asked, number, &root.path().join(number.to_string()), &race, data);
            let mut slowest = slowest.lock().unwrap();
            *slowest = (*slowest).max((time, asked.command));
        }
    };
    thread::scope(|scope| (0..3).for_each(|_| drop(scope.spawn(work))));
    let (time, command) = *slowest.lock().unwrap();
    println!(
        "{} signals; the slowest took {:.2} s: {command}",
        times * ASKED.len(),
        time.as_secs_f64()
    );
}

/// Asks a command to end at a moment by chance, earlier each time that it is done before, and looks at
/// what it leaves. Returns how long it took to end.
fn ask(asked: &Asked, number: u64, folder: &Path, race: &Path, data: Option<&Path>) -> Duration {
    let mut rng = ChaCha8Rng::seed_from_u64(number);
    let signal = ["INT", "TERM", "HUP"][number as usize % 3];
    let mut most = 0.8;
    loop {
        let _ = fs::remove_dir_all(folder);
        let mut child = spawn(asked.command, folder, race, data);
        wait_until_heard(&mut child);
        thread::sleep(Duration::from_secs_f64(rng.random_range(0.0..most)));
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{}: {status}, and nobody had asked", asked.command);
            most *= 0.7;
            continue;
        }
        let start = Instant::now();
        send_if_there(&child, signal);
        let status = end(&mut child);
        let time = start.elapsed();
        if status.success() {
            // It was done before the signal came.
            most *= 0.7;
            continue;
        }
        assert_eq!(status.code(), Some(130), "{signal}: {}: {status}", asked.command);
        if asked.records && folder.join("config.toml").exists() {
            let mut resume = signals::tortoise();
            resume.args(["resume", "--quiet"]).arg(folder).stdout(Stdio::null());
            assert!(end(&mut resume.spawn().unwrap()).success(), "{signal}: {}", asked.command);
        }
        return time;
    }
}

fn spawn(command: &str, folder: &Path, race: &Path, data: Option<&Path>) -> Child {
    let command = command.replace("HOST", HOST);
    let run = race.to_str().unwrap();
    let mut arguments: Vec<String> =
        command.split_whitespace().map(|word| word.replace("RUN", run)).collect();
    let writes = ["race", "train", "estimate", "report", "show"];
    if writes.contains(&&*arguments[0]) || command.contains("--follow") || command == "theory" {
        arguments.extend(["--out".to_owned(), folder.to_str().unwrap().to_owned()]);
    }
    let mut tortoise = signals::tortoise();
    tortoise.envs(data.map(|data| ("TORTOISE_DATA", data)));
    tortoise.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Whether a process listens to SIGTERM by now, as far as the system tells.
fn listens(child: &Child) -> bool {
    let Ok(status) = fs::read_to_string(format!("/proc/{}/status", child.id())) else {
        return true;
    };
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.map_or(0, |mask| u64::from_str_radix(mask.trim(), 16).unwrap());
    caught & (1 << (15 - 1)) != 0
}

/// Waits until the process listens, or has ended.
fn wait_until_heard(child: &mut Child) {
    let start = Instant::now();
    while !listens(child) && child.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < signals::DEADLINE, "it does not listen");
        thread::sleep(Duration::from_micros(200));
    }
}

/// Sends a signal, unless the process has just ended.
fn send_if_there(child: &Child, signal: &str) {
    let id = child.id().to_string();
    let mut kill = Command::new("kill");
    kill.args([&format!("-{signal}"), &id]).stderr(Stdio::null()).status().unwrap();
}

/// What no output must end: each with what it is, and its exit code.
#[test]
#[cfg(target_os = "linux")]
fn what_cannot_be_printed_is_no_panic() {
    let root = tempdir().unwrap();
    let nowhere: PathBuf = root.path().join("nowhere");
    let nowhere = nowhere.to_str().unwrap();
    let file = root.path().join("no-picture.png");
    fs::write(&file, "no picture").unwrap();
    let file = file.to_str().unwrap();
    let run = root.path().join("run");
    assert!(end(&mut start(&format!("race sync {HOST} --updates 20"), &run)).success());
    let run = run.to_str().unwrap();
    let full = "/dev/full";
    for (arguments, to, code) in [
        (format!("race --data {nowhere}"), "2>", 4),
        ("race --lerning-rate 1".into(), "2>", 2),
        ("race sync async:2".into(), "2>", 2),
        (format!("predict --weights {run}/sync/seed-0 {file}"), "2>", 1),
        (format!("resume {nowhere}"), "2>", 2),
        (format!("race sync {HOST} --updates 5 --out {nowhere}"), "2>", 0),
        ("--help".into(), ">", 1),
        ("race -h".into(), ">", 1),
        ("--version".into(), ">", 1),
        ("theory sync".into(), ">", 1),
        ("simulate sync".into(), ">", 1),
        ("simulate sync --json".into(), ">", 1),
        ("kernels list".into(), ">", 1),
        ("devices".into(), ">", 1),
        ("completions bash".into(), ">", 1),
        (format!("report {run}"), ">", 1),
        (format!("report {run}"), ">/dev/full 2>", 1),
        ("--help".into(), ">/dev/full 2>", 1),
    ] {
        let script = format!("exec \"$0\" {arguments} {to}{full}");
        let mut command = Command::new("sh");
        command.args(["-c", &script]).arg(assert_cmd::cargo::cargo_bin!("tortoise"));
        command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("TORTOISE_DATA");
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(code), "{arguments} {to} {full}");
    }
}
