//! What a run has recorded comes back to the bit, and whatever is damaged is refused by name.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
    sync::Arc,
};

use crate::small_data::small_data;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use tempfile::tempdir;
use tortoise::{
    cluster::{
        delay::{Distribution, Slow},
        engine_pool::EnginePool,
    },
    dataset::{Dataset, minibatches::Minibatches},
    engine::quadratic::{Quadratic, coins},
    record::{
        EvaluationRow, Recorder, RunDirectory, RunFiles, RunSummary, Summary, read_evaluations,
        read_run, write_whole,
    },
    sgd::{Ended, Entrant, RunConfig, run_config::Finished, scheduler::Variant},
    theory::{
        learners::Learners,
        runtime::{UpdateTime, update_time_of},
        staleness::{Expected, expected},
    },
};

fn race(data: &Path, out: &Path, arguments: &str) -> Output {
    Command::new(assert_cmd::cargo::cargo_bin!("tortoise"))
        .args(["race", "--device", "host", "--model", "logistic", "-p", "4", "-m", "8", "--quiet"])
        .args(arguments.split(' '))
        .args([Path::new("--data"), data, Path::new("--out"), out])
        .output()
        .unwrap()
}

fn pretty(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

/// That `text` is the same when it is read as `T` and written again, but for what comes before `from`.
#[track_caller]
fn same_again<T: Serialize + DeserializeOwned>(text: &str, from: &str) -> T {
    let read: T = serde_json::from_str(text).unwrap();
    let again = pretty(&read);
    let part = |text: &str| text[text.find(from).unwrap()..].to_owned();
    assert_eq!(part(&again), part(text));
    let values = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!(values(&again), values(text));
    read
}

#[test]
fn a_race_that_is_read_and_written_again_has_the_same_bytes() {
    let (data, out) = (small_data(), tempdir().unwrap());
    for (number, (arguments, diverged, estimated)) in [
        ("async k-sync:2 k-batch-sync:3 --updates 40 --evaluate-every 2 --seeds 2", 0, 0),
        ("async k-async:2 --updates 60 --estimate --learning-rate 0.01", 0, 2),
        ("sync --updates 60 --estimate --delay bimodal:fast=1,slow=10,p=0.1", 0, 1),
        ("k-async:2 --updates 60 --estimate --delay constant:0.7", 0, 1),
        ("async k-sync:2 --learning-rate 1e38 --updates 50 --evaluate-every 1 --estimate", 2, 0),
        ("async k-async:2 --updates 9 --delay pareto:shape=0.9,scale=1", 0, 0),
    ]
    .into_iter()
    .enumerate()
    {
        let folder = out.path().join(number.to_string());
        let output = race(data.path(), &folder, arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = fs::read_to_string(folder.join("summary.json")).unwrap();
        let summary: Summary<Value> = same_again(&text, "\"gradients_on\"");
        let runs = || summary.entrants.iter().flat_map(|entrant| &entrant.runs);
        let ended = runs().filter(|run| run.ended == Ended::Diverged);
        assert_eq!(ended.filter(|run| run.test_loss.is_nan()).count(), diverged, "{arguments}");
        assert_eq!(runs().filter(|run| run.estimates.is_some()).count(), estimated, "{arguments}");
        let directory = RunDirectory::open(&folder).unwrap();
        for entrant in &summary.entrants {
            for run in &entrant.runs {
                let read =
                    read_run(&directory.folder(&entrant.entrant, run.seed)).unwrap().unwrap();
                assert_eq!(pretty(&read), pretty(run));
                assert_eq!(read.evaluations[0].t, 0.0);
                assert_eq!(read.evaluations.last().unwrap().t, run.run_time);
            }
        }
    }
}

#[test]
fn an_infinite_time_of_theory_comes_back() {
    let mut infinite = 0;
    for shape in ["0.3", "0.9", "1", "1.1", "2"] {
        let distribution: Distribution = format!("pareto:shape={shape},scale=1").parse().unwrap();
        for variant in Variant::ALL {
            for k in 1..=4 {
                let slow = Slow::default();
                let time = update_time_of(variant, &Learners::alike(4, distribution.clone()), k);
                infinite += u32::from(time.mean_update_time == Some(f64::INFINITY));
                let read: UpdateTime = same_again(&pretty(&time), "{");
                assert_eq!(read, time, "{distribution} {variant:?} {k}");
                let staleness = expected(variant, &distribution, &slow, 4, k).unwrap();
                let read: Expected = same_again(&pretty(&staleness), "{");
                assert_eq!(read, staleness);
            }
        }
    }
    assert!(infinite > 10, "{infinite}");
}

/// A run of a quadratic, in which nothing is classified; ends it, and gives its summary as it was.
fn quadratic(folder: &Path) -> RunSummary {
    let train = Arc::new(coins(64, 5, 3).unwrap());
    let data = Dataset { train: Arc::clone(&train), test: Arc::new(coins(16, 5, 4).unwrap()) };
    let engine = Quadratic::new(&data, vec![1.0, 0.5, 0.3, 0.2, 0.1]);
    let (queues, mut evaluator) = (EnginePool::here(engine.clone()), engine);
    let run_config =
        RunConfig { updates: Some(30), evaluate_every: Some(0.7), ..RunConfig::new(4, 0.1) };
    let files = RunFiles::create(folder.into(), true).unwrap();
    let minibatches = Minibatches::new(0, train.len(), 1);
    let mut recorder = Recorder::new(files, &mut evaluator, minibatches);
    let entrant: Entrant = "k-batch-async:2".parse().unwrap();
    let run = run_config.run(&entrant, 0, &[0.0; 5][..], &queues, None, &mut recorder);
    let Finished { ended, .. } = run.unwrap();
    let (files, outcome) = recorder.finish(None).unwrap();
    let summary = RunSummary::new(0, ended, 0.1, outcome, &[0.1, 1e-9]);
    files.finish(&summary).unwrap();
    summary
}

fn bits(row: &EvaluationRow) -> [u64; 6] {
    let EvaluationRow { t, update, gradients, train_loss, test_loss, test_accuracy } = *row;
    let [t, train, test, accuracy] = [t, train_loss, test_loss, test_accuracy].map(f64::to_bits);
    [t, update, gradients, train, test, accuracy]
}

#[test]
fn a_run_without_accuracy_comes_back_to_the_bit() {
    let out = tempdir().unwrap();
    assert!(read_run(out.path()).unwrap().is_none(), "there is no run");
    let summary = quadratic(out.path());
    assert!(summary.test_accuracy.is_nan() && summary.evaluations.len() > 5);
    let written = fs::read_to_string(out.path().join("run.json")).unwrap();
    let read = read_run(out.path()).unwrap().unwrap();
    assert_eq!(pretty(&read), written);
    assert_eq!(read.time_to_loss, summary.time_to_loss);
    let [read, rows] =
        [read, summary].map(|run| run.evaluations.iter().map(bits).collect::<Vec<_>>());
    assert_eq!(read, rows);
}

#[test]
fn every_number_of_an_evaluation_comes_back_to_the_bit() {
    let mut state = 1_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state
    };
    let special = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MIN_POSITIVE / 3.0, -0.0, 0.1];
    for round in 0..20_000 {
        let mut number = || match special.get(round) {
            Some(special) => *special,
            // All that is no number is written alike.
            None => Some(f64::from_bits(next())).filter(|n| !n.is_nan()).unwrap_or(f64::NAN),
        };
        let (train_loss, test_loss, test_accuracy) = (number(), number(), number());
        let t = number().abs();
        let t = if t.is_finite() { t } else { 0.0 };
        let (update, gradients) = (u64::MAX - round as u64, round as u64);
        let row = EvaluationRow { t, update, gradients, train_loss, test_loss, test_accuracy };
        let line = row.to_string();
        assert_eq!(bits(&line.parse().unwrap()), bits(&row), "{line}");
    }
}

#[test]
fn damaged_records_are_refused_by_file_and_line() {
    let out = tempdir().unwrap();
    quadratic(out.path());
    let (csv, end) = (out.path().join("evaluations.csv"), out.path().join("run.json"));
    let [evaluations, json] = [&csv, &end].map(|path| fs::read_to_string(path).unwrap());
    let check = |path: &Path, bytes: &[u8], fragment: &str| {
        let before = fs::read(path).unwrap();
        fs::write(path, bytes).unwrap();
        let error = read_run(out.path()).unwrap_err().to_string();
        let start = format!("{}, line ", path.display());
        assert!(error.starts_with(&start) && error.contains(fragment), "\"{fragment}\": {error}");
        fs::write(path, before).unwrap();
    };
    let head = evaluations.lines().next().unwrap();
    let last = evaluations.lines().last().unwrap();
    let lines = evaluations.lines().count();
    for (text, fragment) in [
        (String::new(), "line 1: is not t,update"),
        (evaluations.replace("test_loss", "loss"), "line 1: is not t,update"),
        (format!("{head}\n"), "line 1: is not at the end of the run"),
        (head.to_owned(), "line 1: is cut off"),
        (evaluations.trim_end().to_owned(), "is cut off"),
        (evaluations.replacen("\n0,0,0,", "\n0,0,", 1), "line 2: an evaluation has six numbers"),
        (evaluations.replacen("\n0,0,0,", "\n0,0,-1,", 1), "line 2: \"-1\" is not the number"),
        (evaluations.replacen("\n0,0,0,", "\nNaN,0,0,", 1), "line 2: a run time is 0 seconds"),
        (evaluations.replacen("\n0,0,0,", "\n-1,0,0,", 1), "line 2: a run time is 0 seconds"),
        (evaluations.replacen("NaN\n", "\n", 1), "line 2: \"\" is not the number"),
        (evaluations.replacen("NaN\n", "NaN\r\n", 1), "line 2: \"NaN\\r\" is not the number"),
        (evaluations.replacen("\n0,0,0,", "\n1e9,0,0,", 1), "line 3: goes back"),
        (evaluations.replace(last, ""), ": an evaluation has six numbers"),
        (evaluations.replace(&format!("{last}\n"), ""), "is not at the end of the run"),
        (format!("{evaluations}{last}\n").replace(last, "1e5,99,99,0,0,0"), "not at the end"),
    ] {
        check(&csv, text.as_bytes(), fragment);
    }
    let garbled = [evaluations.as_bytes(), b"\xff\xfe\n"].concat();
    check(&csv, &garbled, &format!("line {}: is no text", lines + 1));
    for cut in 0..json.trim_end().len() {
        check(&end, &json.as_bytes()[..cut], "EOF");
    }
    check(&end, json.replacen("\"done\"", "\"dine\"", 1).as_bytes(), "line 3: unknown variant");
    check(
        &end,
        json.replacen("\"updates\"", "\"update\"", 1).as_bytes(),
        "missing field `updates`",
    );
    assert!(read_run(out.path()).unwrap().is_some(), "and else it is read");
    fs::remove_file(&csv).unwrap();
    let error = read_run(out.path()).unwrap_err().to_string();
    assert!(error.starts_with(&csv.display().to_string()), "{error}");
    assert!(read_evaluations(&csv).is_err());
}

#[test]
fn a_run_directory_belongs_to_one_process_at_a_time() {
    let out = tempdir().unwrap();
    let refused = |directory: tortoise::Result<RunDirectory>, fragment: &str| {
        let error = directory.unwrap_err().to_string();
        assert!(error.contains(fragment), "\"{fragment}\" is not in: {error}");
    };
    let folder = out.path().join("race");
    refused(
        RunDirectory::open(&folder),
        "is not a run directory, such as runs/race-1: it has no config.toml",
    );
    let directory = RunDirectory::create(Some(&folder), "race").unwrap();
    refused(RunDirectory::open(&folder), "is not a run directory");
    refused(RunDirectory::create(Some(&folder), "race"), "is in use by another tortoise process");
    write_whole(&folder.join("config.toml"), b"").unwrap();
    refused(RunDirectory::open(&folder), "race is in use by another tortoise process");
    refused(RunDirectory::open(&folder.join("config.toml")), "is not a run directory");
    let output = race(out.path(), &folder, "sync --updates 1");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && message.contains("--data"), "{message}");
    drop(directory);
    let opened = RunDirectory::open(&folder).unwrap();
    assert_eq!(opened.path(), folder);
    drop(opened);
    refused(RunDirectory::create(Some(&folder), "race"), "is not empty; choose another folder");
    fs::remove_file(folder.join("config.toml")).unwrap();
    assert!(RunDirectory::create(Some(&folder), "race").is_ok(), "a lock alone is nothing");
}

#[test]
fn a_file_that_cannot_be_written_stays_as_it_was() {
    let out = tempdir().unwrap();
    let path = out.path().join("checkpoint");
    write_whole(&path, b"before").unwrap();
    fs::create_dir(out.path().join("checkpoint.partial")).unwrap();
    let error = write_whole(&path, b"after").unwrap_err().to_string();
    assert!(error.starts_with(&path.display().to_string()), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"before");
}
