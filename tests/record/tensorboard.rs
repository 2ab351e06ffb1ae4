//! What is written for TensorBoard is read back by TensorBoard itself, and is what the other records say.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use serde::Deserialize;
use serde_json::Value;
use tempfile::tempdir;
use tortoise::record::{EvaluationRow, read_evaluations};

/// Reads all that is below a folder, as `tensorboard --logdir` finds it.
const READ: &str = r#"
import json, sys
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer
events = EventMultiplexer(size_guidance={"scalars": 0, "histograms": 0, "tensors": 0})
events.AddRunsFromDirectory(sys.argv[1])
events.Reload()
told = lambda e, value: [e.wall_time, e.step, value]
spread = lambda h: [h.min, h.max, h.num, h.sum, h.sum_squares, h.bucket_limit, h.bucket]
print(json.dumps({run: {
    "scalars": {tag: [told(e, e.value) for e in events.Scalars(run, tag)]
                for tag in tags["scalars"]},
    "histograms": {tag: [told(e, spread(e.histogram_value)) for e in events.Histograms(run, tag)]
                   for tag in tags["histograms"]},
} for run, tags in events.Runs().items()}))
"#;
const FILE: &str = "events.out.tfevents.tortoise";

/// Wall time, step and value.
type Told<T> = Vec<(f64, u64, T)>;
/// Least, most, number, sum and sum of squares, and the upper ends and counts of the buckets.
type Spread = (f64, f64, f64, f64, f64, Vec<f64>, Vec<f64>);

#[derive(Debug, Deserialize)]
struct Run {
    scalars: BTreeMap<String, Told<f64>>,
    histograms: BTreeMap<String, Told<Spread>>,
}

#[track_caller]
fn read(folder: &Path) -> BTreeMap<String, Run> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tensorboard/bin/python");
    assert!(python.exists(), "TensorBoard is missing: scripts/setup.sh tests installs it");
    let output = Command::new(python).args(["-c", READ]).arg(folder).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {message}"))
}

fn race(out: &Path, arguments: &str) {
    let output = Command::new(assert_cmd::cargo::cargo_bin!("tortoise"))
        .args(format!("race {arguments} --device host --quiet --tensorboard --out").split(' '))
        .arg(out)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env_remove("TORTOISE_DATA")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// `of` each evaluation, as TensorBoard has it.
fn told(rows: &[EvaluationRow], of: impl Fn(&EvaluationRow) -> f64) -> Told<f64> {
    rows.iter().map(|row| (row.t, row.update, f64::from(of(row) as f32))).collect()
}

/// `of` each line of `updates.jsonl`.
fn of_updates(folder: &Path, of: impl Fn(&Value) -> f64) -> Told<f64> {
    let text = fs::read_to_string(folder.join("updates.jsonl")).unwrap();
    let line = |line: &str| {
        let update: Value = serde_json::from_str(line).unwrap();
        let (t, version) = (update["t"].as_f64().unwrap(), update["j"].as_u64().unwrap() + 1);
        (t, version, f64::from(of(&update) as f32))
    };
    text.lines().map(line).collect()
}

fn check(folder: &Path, run: &Run) {
    let rows = read_evaluations(&folder.join("evaluations.csv")).unwrap();
    assert!(rows.len() > 5);
    assert_eq!(run.scalars["train_loss"], told(&rows, |row| row.train_loss));
    assert_eq!(run.scalars["test_loss"], told(&rows, |row| row.test_loss));
    assert_eq!(run.scalars["test_accuracy"], told(&rows, |row| row.test_accuracy));
    let k = |update: &Value| update["k"].as_f64().unwrap();
    let stale = |update: &Value| {
        let all = update["staleness"].as_array().unwrap();
        all.iter().map(|s| s.as_f64().unwrap()).sum::<f64>() / all.len() as f64
    };
    assert_eq!(run.scalars["update/loss"], of_updates(folder, |u| u["loss"].as_f64().unwrap()));
    assert_eq!(run.scalars["update/k"], of_updates(folder, k));
    assert_eq!(run.scalars["update/staleness"], of_updates(folder, stale));
    let rate = |update: &Value| {
        let all = update["staleness"].as_array().unwrap();
        let rates = all.iter().map(|s| f64::from(0.1_f32 / (1.0 + s.as_f64().unwrap()) as f32));
        rates.sum::<f64>() / all.len() as f64
    };
    let rates = of_updates(folder, rate);
    assert_eq!(run.scalars["update/rate"].len(), rates.len());
    for (actual, expected) in run.scalars["update/rate"].iter().zip(rates) {
        assert!((actual.2 - expected.2).abs() < 1e-6, "{actual:?} is not {expected:?}");
    }
    let text = fs::read(folder.join("run.json")).unwrap();
    let summary: Value = serde_json::from_slice(&text).unwrap();
    let counts: Vec<f64> = serde_json::from_value(summary["staleness_histogram"].clone()).unwrap();
    let (_, _, (least, most, number, sum, squares, limits, buckets)) =
        run.histograms["staleness"].last().unwrap();
    let first = counts.iter().position(|count| *count > 0.0).unwrap();
    assert_eq!([*least, *most], [first as f64, (counts.len() - 1) as f64]);
    assert_eq!(*buckets, counts[first..]);
    assert!(limits.iter().zip(first..).all(|(limit, s)| *limit == s as f64 + 0.5));
    let moment = |power| -> f64 {
        counts.iter().enumerate().map(|(s, count)| (s as f64).powi(power) * count).sum()
    };
    assert_eq!([*number, *sum, *squares], [moment(0), moment(1), moment(2)]);
}

#[test]
fn tensorboard_reads_what_the_other_records_say() {
    let out = tempdir().unwrap();
    let folder = out.path().join("race");
    let entrants = "sync async k-batch-async:adasync --seeds 2 --model logistic -p 4";
    race(
        &folder,
        &format!("{entrants} --budget 60 --learning-rate 0.1 --rate-rule inverse-staleness"),
    );
    let runs = read(&folder);
    let entrants = ["async", "k-batch-async-adasync", "sync"];
    let names: Vec<String> = entrants
        .iter()
        .flat_map(|entrant| [0, 1].map(|seed| format!("{entrant}/seed-{seed}")))
        .collect();
    assert_eq!(runs.keys().collect::<Vec<_>>(), names.iter().collect::<Vec<_>>());
    for (name, run) in &runs {
        check(&folder.join(name), run);
    }
}

#[test]
fn in_real_time_evaluations_come_at_the_end_and_all_of_them() {
    let out = tempdir().unwrap();
    let folder = out.path().join("race");
    let clock = "--clock real --budget 0.5 --delay exponential:mean=0.01 --evaluate-every 0.05";
    race(
        &folder,
        &format!(
            "async {clock} --model logistic -p 2 --learning-rate 0.1 --rate-rule inverse-staleness"
        ),
    );
    check(&folder.join("async/seed-0"), &read(&folder)["async/seed-0"]);
}

#[test]
fn a_flipped_bit_does_not_pass_its_checksum() {
    let out = tempdir().unwrap();
    let folder = out.path().join("race");
    race(&folder, "sync --model logistic -p 2 --updates 20");
    let losses = || read(&folder)["sync/seed-0"].scalars["update/loss"].len();
    assert_eq!(losses(), 20);
    let path = folder.join("sync/seed-0").join(FILE);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(losses() < 20);
}

#[test]
fn without_the_option_there_is_no_such_file() {
    let out = tempdir().unwrap();
    let folder = out.path().join("race");
    let output = Command::new(assert_cmd::cargo::cargo_bin!("tortoise"))
        .args("race sync --model logistic -p 2 --updates 2 --device host --quiet --out".split(' '))
        .arg(&folder)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(!folder.join("sync/seed-0").join(FILE).exists());
}
