//! What a race has recorded is not lost, whatever ends it: it goes on where it stopped, and in virtual
//! time no bit tells that it ever did.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::tempdir;

use crate::{
    signals::{self, DEADLINE, end, send, wait_until},
    small_data::small_data,
};

/// Seven entrants, all of which keep what was read: one with stale work in hand, two with a K that grows, one
/// with momentum whose stale work is stopped, one in which who is ahead waits, and one that drops gradients;
/// with parts of the data for each learner, and a way that takes a while.
const RACE: &str = "race sync k-async:2 k-batch-sync:adasync k-batch-async:adaptive \
                    ringmaster:2@momentum=0.5 ssp:1@clip=0.5,stale=5 \
                    async@rate-rule=picky:distance=0.2,minibatch=7 \
                    --link exponential:mean=0.2 --shards dirichlet:alpha=1 \
                    --rate-rule compensated:c=0.01 --device host --model logistic -p 4 --updates 400 --evaluate-every 30 \
                    --learning-rate 0.1 --checkpoint-every 0.01 --events --tensorboard --quiet";
const REAL: &str = "race sync async --clock real --device host --model logistic -p 4 \
                    --budget 1 --evaluate-every 0.1 --checkpoint-every 0.01 --events --tensorboard \
                    --quiet";

fn tortoise(arguments: &str, folder: &Path) -> Command {
    let mut command = signals::tortoise();
    command.args(arguments.split_whitespace()).arg(folder);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

fn start(race: &str, folder: &Path) -> Command {
    tortoise(&format!("{race} --out"), folder)
}

fn resume(folder: &Path) -> Command {
    tortoise("resume --quiet", folder)
}

#[track_caller]
fn succeeds(command: &mut Command) {
    let Output { status, stderr, .. } = command.output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
}

/// Every file of the runs but those that say how long it took to compute.
fn runs(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entrant in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        for file in fs::read_dir(entrant.join("seed-0")).into_iter().flatten() {
            let path = file.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            if !name.ends_with("run.json") {
                files.insert(name, fs::read(path).unwrap());
            }
        }
    }
    files
}

/// Bytes of all records in a run directory.
fn recorded(folder: &Path) -> u64 {
    let entrants = fs::read_dir(folder).into_iter().flatten().flatten();
    let events = entrants.map(|entry| entry.path().join("seed-0").join("events.jsonl"));
    events.filter_map(|path| fs::metadata(path).ok()).map(|file| file.len()).sum()
}

/// Kills the process when it has recorded so much more, or lets it end. Returns whether it was killed.
fn kill_after(mut process: Child, folder: &Path, more: u64) -> bool {
    let (start, begin) = (recorded(folder), Instant::now());
    loop {
        assert!(begin.elapsed() < DEADLINE, "it neither records nor ends");
        if let Some(status) = process.try_wait().unwrap() {
            assert!(status.success());
            return false;
        }
        if recorded(folder) > start + more {
            process.kill().unwrap();
            process.wait().unwrap();
            return true;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_race_that_is_killed_fifty_times_has_the_bits_of_one_that_is_not() {
    // Little data, so that a race is mostly what is recorded of it.
    let (root, data) = (tempdir().unwrap(), small_data());
    let start = |folder: &Path| {
        let mut command = start(RACE, folder);
        command.env("TORTOISE_DATA", data.path());
        command
    };
    let whole = root.path().join("whole");
    succeeds(&mut start(&whole));
    let (expected, total) = (runs(&whole), recorded(&whole));
    assert!(expected.keys().filter(|name| name.ends_with("timeline.jsonl")).count() == 7);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (mut kills, mut race) = (0, 0);
    while kills < 50 {
        let folder = root.path().join(format!("{race}"));
        race += 1;
        let mut command = start(&folder);
        while kill_after(command.spawn().unwrap(), &folder, rng.random_range(0..total / 4)) {
            kills += 1;
            // Before there is a configuration there is nothing to go on with.
            command = match folder.join("config.toml").exists() {
                true => resume(&folder),
                false => start(&folder),
            };
        }
        let actual = runs(&folder);
        let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&actual), names(&expected));
        for (name, bytes) in &expected {
            assert!(actual[name] == *bytes, "{name} differs after {kills} kills");
        }
    }
    println!("{kills} kills in {race} races");
}

/// The lines of a record, which ends with a whole one.
fn lines(path: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "{}", path.display());
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn in_real_time_nothing_that_was_recorded_is_lost() {
    let root = tempdir().unwrap();
    let folder = root.path().join("run");
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut command = start(REAL, &folder);
    let mut seen: Vec<String> = Vec::new();
    for _ in 0..6 {
        if !kill_after(command.spawn().unwrap(), &folder, rng.random_range(10_000..400_000)) {
            break;
        }
        for entrant in ["sync", "async"] {
            let path = folder.join(entrant).join("seed-0").join("updates.jsonl");
            let text = fs::read_to_string(path).unwrap_or_default();
            // The last line may be cut off by the kill itself.
            seen.extend(text.split_inclusive('\n').filter(|l| l.ends_with('\n')).map(Into::into));
        }
        command = resume(&folder);
    }
    succeeds(&mut resume(&folder));
    let mut kept = String::new();
    for entrant in ["sync", "async"] {
        let runs = fs::read_dir(folder.join(entrant)).unwrap().map(|entry| entry.unwrap().path());
        for file in runs.flat_map(|run| fs::read_dir(run).unwrap()) {
            let path = file.unwrap().path();
            if path.file_name().unwrap().to_str().unwrap().starts_with("updates.jsonl") {
                lines(&path);
                kept.push_str(&fs::read_to_string(path).unwrap());
            }
        }
        let run = folder.join(entrant).join("seed-0");
        let updates = lines(&run.join("updates.jsonl"));
        for (j, update) in updates.iter().enumerate() {
            assert_eq!(update["j"], j, "each update follows from the one before it");
        }
        let times: Vec<f64> = updates.iter().map(|update| update["t"].as_f64().unwrap()).collect();
        assert!(times.is_sorted() && times[times.len() - 1] <= 1.0);
        let csv = fs::read_to_string(run.join("evaluations.csv")).unwrap();
        assert_eq!(csv.lines().count(), 1 + 11, "every evaluation is there:\n{csv}");
    }
    for line in &seen {
        assert!(kept.contains(line.as_str()), "lost: {line}");
    }
}

#[test]
#[cfg(unix)]
fn a_race_that_is_interrupted_says_so_and_goes_on() {
    let root = tempdir().unwrap();
    let [whole, folder] = ["whole", "run"].map(|name| root.path().join(name));
    succeeds(&mut start(RACE, &whole));
    let total = recorded(&whole);
    let mut process = start(RACE, &folder).spawn().unwrap();
    wait_until(&mut process, "a third is recorded", || recorded(&folder) >= total / 3);
    send(&process, &["INT"]);
    let output = process.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    let summary: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["interrupted"], true);
    succeeds(&mut resume(&folder));
    assert_eq!(runs(&folder), runs(&whole));
    let summary: serde_json::Value =
        serde_json::from_slice(&fs::read(folder.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["interrupted"], false);
}

#[test]
#[cfg(unix)]
fn a_race_in_real_time_that_is_interrupted_goes_on_too() {
    let root = tempdir().unwrap();
    let folder = root.path().join("run");
    let mut process = start(REAL, &folder).spawn().unwrap();
    let deferred = folder.join("async/seed-0/deferred");
    // Three evaluations of 7850 parameters are waiting.
    let waiting = || fs::metadata(&deferred).map_or(0, |file| file.len());
    wait_until(&mut process, "there is something to evaluate", || waiting() >= 3 * 4 * 7850);
    send(&process, &["INT"]);
    assert_eq!(end(&mut process).code(), Some(130));
    succeeds(&mut resume(&folder));
    let csv = fs::read_to_string(folder.join("async/seed-0/evaluations.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 11, "every evaluation is there:\n{csv}");
    assert!(!deferred.exists());
}

/// A run that stopped at a checkpoint.
fn stopped(folder: &Path) {
    let race = RACE.replace("k-async:2 k-batch-sync:adasync async ", "");
    let mut process = start(&race, folder).spawn().unwrap();
    let checkpoint = folder.join("sync/seed-0/checkpoint.safetensors");
    wait_until(&mut process, "there is a checkpoint", || checkpoint.exists());
    process.kill().unwrap();
    process.wait().unwrap();
}

#[track_caller]
fn refused(folder: &Path, reason: &str) {
    let output = resume(folder).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains(reason), "\"{reason}\" is not in: {message}");
}

#[test]
fn a_checkpoint_that_is_torn_or_foreign_is_refused_with_the_reason() {
    let root = tempdir().unwrap();
    let folder = root.path().join("run");
    stopped(&folder);
    let run = folder.join("sync/seed-0");
    let path = run.join("checkpoint.safetensors");
    let whole = fs::read(&path).unwrap();
    let records = fs::read(run.join("updates.jsonl")).unwrap();
    let with = |bytes: &[u8], reason: &str| {
        fs::write(&path, bytes).unwrap();
        refused(&folder, reason);
        assert_eq!(fs::read(run.join("updates.jsonl")).unwrap(), records, "nothing is touched");
    };
    for length in [0, 1, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        with(&whole[..length], "is damaged or cut off");
    }
    for at in [whole.len() - 1, whole.len() / 2, 300] {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        with(&flipped, "checkpoint.safetensors");
    }
    with(&fs::read(run.join("initial.safetensors")).unwrap(), "is no checkpoint of a run");
    let text = String::from_utf8_lossy(&whole).into_owned();
    let (from, to) = (r#""version":"6""#, r#""version":"0""#);
    assert!(text.contains(from));
    let at = whole.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    let mut older = whole.clone();
    older[at..at + to.len()].copy_from_slice(to.as_bytes());
    with(&older, "has the form 0, and this tortoise reads 6");

    fs::write(&path, &whole).unwrap();
    let config = folder.join("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    for (from, to, reason) in [
        ("learning-rate = 0.1", "learning-rate = 0.2", "was changed since the race was run"),
        ("model = \"logistic\"", "model = \"mlp:8\"", "was changed since the race was run"),
        ("learners = 4", "learners = ", "config.toml"),
        ("learners = 4", "lerners = 4", "did you mean \"learners\""),
    ] {
        assert!(text.contains(from), "{text}");
        fs::write(&config, text.replace(from, to)).unwrap();
        refused(&folder, reason);
    }
    fs::write(&config, &text).unwrap();
    fs::write(run.join("evaluations.csv"), "").unwrap();
    refused(&folder, "evaluations.csv is 0 bytes long, shorter than");
    fs::remove_file(&config).unwrap();
    refused(&folder, "is not a run directory");
}
