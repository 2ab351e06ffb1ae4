//! What came of a race, said and drawn again from its run directory.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::Arc,
};

use crate::small_data::small_data;
use serde::Serialize;
use tempfile::tempdir;
use tortoise::{
    cluster::engine_pool::EnginePool,
    dataset::{Dataset, minibatches::Minibatches},
    engine::quadratic::{Quadratic, coins},
    record::{
        EntrantSummary, EvaluationRow, Outcome, Recorder, RunDirectory, RunFiles, RunSummary,
        Summary, Tuned, Tuning, write_summary,
    },
    report::{Race, Report, verdict},
    sgd::{Ended, RunConfig, tally::Tally},
};

/// An entrant whose runs had these losses after 0, 10, 20, ... seconds, and which looked for 0.5 and
/// 0.2.
fn entrant(name: &str, runs: &[&[f64]]) -> EntrantSummary {
    let row = |(at, &loss): (usize, &f64)| EvaluationRow {
        t: 10.0 * at as f64,
        update: at as u64,
        gradients: at as u64,
        train_loss: loss,
        test_loss: loss,
        test_accuracy: 0.5,
    };
    let run = |losses: &&[f64]| {
        let rows = losses.iter().enumerate().map(row).collect();
        let outcome =
            Outcome { tally: Tally::default(), learners: Vec::new(), rows, observed: Vec::new() };
        let finite = losses.iter().all(|loss| loss.is_finite());
        let ended = if finite { Ended::Done } else { Ended::Diverged };
        RunSummary::new(0, ended, 0.0, outcome, &[0.5, 0.2])
    };
    EntrantSummary {
        entrant: name.to_owned(),
        learners: 4,
        k: 1,
        theory: Default::default(),
        staleness_theory: None,
        error_bound: None,
        runs: runs.iter().map(run).collect(),
    }
}

#[track_caller]
fn check(entrants: &[(&str, &[&[f64]])], expected: &str) {
    let entrants: Vec<_> = entrants.iter().map(|(name, runs)| entrant(name, runs)).collect();
    assert_eq!(verdict(&entrants).join(" "), expected);
}

#[test]
fn the_verdict_names_the_first_at_the_lowest_loss_and_how_much_sooner_it_was() {
    let (fast, slow): (&[f64], &[f64]) = (&[2.0, 0.2, 0.15, 0.1], &[2.0, 0.5, 0.3, 0.19]);
    check(
        &[("sync", &[slow]), ("async", &[slow]), ("k-sync:2", &[fast])],
        "k-sync:2 reached a training loss of 0.2 in 10 s, 3.0 times as fast as sync. Next were sync in \
         30 s and async in 30 s. There is one seed; with another, the order may differ. Lowest at the end: k-sync:2 \
         with a training loss of 0.1000.",
    );
    // The reference is sync, else async, else the slowest.
    check(
        &[("k-async:2", &[slow]), ("sync", &[fast]), ("async", &[&[2.0, 1.0, 0.2]])],
        "sync reached a training loss of 0.2 in 10 s, 2.0 times as fast as async. Next was async in \
         20 s. That lead is no longer than the time between two evaluations, and there is one seed: it \
         may be chance. Lowest at the end: sync with a training loss of 0.1000.",
    );
    check(
        &[("k-sync:2", &[slow]), ("k-sync:3", &[fast])],
        "k-sync:3 reached a training loss of 0.2 in 10 s, 3.0 times as fast as k-sync:2. Next was \
         k-sync:2 in 30 s. There is one seed; with another, the order may differ. Lowest at the \
         end: k-sync:3 with a training loss of 0.1000.",
    );
}

/// The verdict on a race of these entrants, and its table of learning rates as the page has it.
fn of_race(entrants: &[&str], tuning: Option<Tuning>) -> String {
    let losses: &[f64] = &[2.0, 0.6];
    let entrants = entrants.iter().map(|name| entrant(name, &[losses, losses])).collect();
    let summary = Summary { entrants, tuning, ..Summary::default() };
    let table = Report { races: vec![Race { summary, ..Race::default() }] }.table();
    table.trim_end().rsplit("\n\n").next().unwrap().to_owned()
}

#[test]
fn the_verdict_says_what_it_owes_to_the_learning_rates() {
    let alike = "All have the same learning rate; at another, the order may differ";
    assert!(of_race(&["sync", "async"], None).contains(alike));
    for entrants in [&["sync"][..], &["sync@rate=0.4", "async@rate=0.1"]] {
        let verdict = of_race(entrants, None);
        assert!(!verdict.contains("rate;") && !verdict.contains("rates"), "{verdict}");
    }
    let rates = [0.1, 0.2, 0.4];
    let tuned = |of: &[(&str, [Option<f64>; 3])]| {
        let one = |(name, losses): &(&str, [Option<f64>; 3])| {
            Tuned::new((*name).to_owned(), &rates, losses.to_vec())
        };
        let entrants = of.iter().map(one).collect();
        let on = "the host".to_owned();
        let tuning =
            Tuning { rates: rates.to_vec(), seed: 1, gradients_on: on, samples: 9, entrants };
        of_race(&["sync@rate=0.4", "async@rate=0.1"], Some(tuning))
    };
    let verdict = tuned(&[
        ("sync", [Some(0.9), Some(0.6), Some(0.4)]),
        ("async", [Some(0.3), Some(0.5), None]),
    ]);
    let expected = "Each entrant raced at the best for it of the learning rates 0.1, 0.2 and 0.4. With \
                    one rate for all, the leader depends on it (by one run each): async at 0.1 and 0.2; \
                    sync at 0.4. The best rate of async was the lowest one: a lower one may suit better. \
                    The best rate of sync was the highest one: a higher one may suit better.";
    assert!(verdict.ends_with(expected), "{verdict}");
    let verdict = tuned(&[
        ("sync", [Some(0.9), Some(0.6), Some(0.7)]),
        ("async", [Some(0.3), Some(0.2), None]),
    ]);
    assert!(!verdict.contains("may suit better"), "{verdict}");
    // At 0.4 async has no loss, so that sync leads there.
    assert!(verdict.ends_with("async at 0.1 and 0.2; sync at 0.4."), "{verdict}");
    let verdict = tuned(&[
        ("sync", [Some(0.9), Some(0.6), Some(0.7)]),
        ("async", [Some(0.3), Some(0.2), Some(0.4)]),
    ]);
    let expected = "With any one of these rates for all, async leads (by one run each).";
    assert!(verdict.ends_with(expected), "{verdict}");
}

#[test]
fn the_verdict_says_who_never_got_there() {
    let (far, near): (&[f64], &[f64]) = (&[2.0, 1.0, 0.6, 0.4], &[2.0, 0.6, 0.2]);
    check(
        &[("sync", &[far]), ("async", &[near])],
        "async reached a training loss of 0.2 in 20 s, which sync did not reach in 30 s. There is one \
         seed; with another, the order may differ. Lowest at \
         the end: async with a training loss of 0.2000.",
    );
    // All seeds have to, so that one that is lucky does not flatter the others.
    check(
        &[("sync", &[far, far]), ("async", &[near, far])],
        "async (in 25 s) and sync (in 30 s) reached a training loss of 0.5 first. Lowest at the end: async with a \
         training loss of 0.3000.",
    );
    check(
        &[("sync", &[&[2.0, 1.9]]), ("async", &[&[2.0, f64::NAN]])],
        "No entrant reached a training loss of 0.5. Lowest at the end: sync with a training loss \
         of 1.9000. async diverged.",
    );
    check(
        &[("async", &[&[2.0, f64::INFINITY]])],
        "No entrant reached a training loss of 0.5. async diverged.",
    );
    check(
        &[("async", &[near])],
        "async reached a training loss of 0.2 in 20 s. At the end: async with a training loss of 0.2000.",
    );
    check(&[], "");
}

#[test]
fn who_ended_sooner_is_not_compared() {
    check(
        &[("async", &[&[2.0, 1.0]]), ("sync", &[&[2.0, 1.0, 1.0, 0.2]])],
        "sync reached a training loss of 0.2 in 30 s. async ended before that, after 10 s, and cannot be \
         compared: a --budget gives all the same time. Lowest at the end: sync with a training loss of \
         0.2000.",
    );
}

#[test]
fn nobody_is_first_within_two_standard_errors() {
    let (early, late): (&[f64], &[f64]) = (&[2.0, 0.2, 0.2, 0.2, 0.2], &[2.0, 1.0, 1.0, 1.0, 0.2]);
    check(
        &[("async", &[early, late]), ("k-async:2", &[early, early]), ("sync", &[late, late])],
        "k-async:2 (in 10 s) and async (in 25 s) reached a training loss of 0.2 first, 4.0 times as \
         fast as sync. Next was sync in 40 s. Lowest at the end: async, k-async:2 and sync with a training loss of 0.2000.",
    );
}

fn tortoise(arguments: &[&str], paths: &[&Path]) -> Output {
    Command::new(assert_cmd::cargo::cargo_bin!("tortoise"))
        .args(arguments)
        .args(paths)
        .output()
        .unwrap()
}

/// Races into `out`; what is printed.
fn race(out: &Path, flags: &str) -> String {
    let data = small_data();
    let arguments = format!("race --device host --model logistic -p 4 -m 8 --quiet {flags} --data");
    let arguments: Vec<&str> = arguments.split_whitespace().collect();
    let output = tortoise(&arguments, &[data.path(), Path::new("--out"), out]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn drawn(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let drawn = |path: &PathBuf| {
        path.extension()
            .is_some_and(|ending| ["svg", "png", "html"].map(OsStr::new).contains(&ending))
    };
    let mut files: Vec<_> =
        files.filter(drawn).map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    files.sort();
    files
}

#[test]
fn a_race_is_drawn_again_to_the_byte_from_its_run_directory() {
    let out = tempdir().unwrap();
    race(out.path(), "sync async k-sync:adasync --budget 10 --seeds 2");
    let before = drawn(out.path());
    assert!(before.len() == 11, "{before:?}");
    for (path, _) in &before {
        fs::remove_file(path).unwrap();
    }
    let output = tortoise(&["report"], &[out.path()]);
    assert!(output.status.success());
    assert!(drawn(out.path()) == before);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("report.html") && said.contains("Lowest at the end: "), "{said}");
}

#[test]
fn several_races_stand_side_by_side_under_their_names() {
    let folder = tempdir().unwrap();
    let [a, b, both] = ["a", "b", "both"].map(|name| folder.path().join(name));
    let [again, all] = ["again/a", "all"].map(|name| folder.path().join(name));
    race(&a, "sync async --budget 5");
    race(&b, "sync --budget 5 --learning-rate 0.1 --seed 7");
    let output = tortoise(&["report", "--out"], &[&both, &a, &b]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    let page = fs::read_to_string(both.join("report.html")).unwrap();
    for name in ["sync (a)", "async (a)", "sync (b)"] {
        assert!(said.contains(name) && page.contains(name), "{name}");
    }
    // Where two folders have one name, they are told apart by their paths.
    race(&again, "sync --budget 5");
    let output = tortoise(&["report", "--out"], &[&all, &a, &again]);
    let said = String::from_utf8(output.stdout).unwrap();
    let path = again.display().to_string();
    assert!(said.contains(&format!("sync ({path})")), "{said}");
    // Each with what gives it again.
    for line in ["learning-rate = 0.4", "learning-rate = 0.1", "seed = 7"] {
        assert!(page.contains(line), "{line}");
    }
}

/// What stands in the column `wasted` of a table, by entrant.
fn wasted(rows: &[Vec<String>]) -> Vec<(String, u64)> {
    let column = rows[0].iter().position(|cell| cell == "wasted").unwrap();
    rows[1..].iter().map(|row| (row[0].clone(), row[column].parse().unwrap())).collect()
}

/// The rows of the table in the text that a race prints.
fn rows_of_text(text: &str) -> Vec<Vec<String>> {
    let lines = text.lines().skip_while(|line| !line.starts_with("entrant"));
    let cells = |line: &str| {
        line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect()
    };
    lines.take_while(|line| !line.is_empty()).take(3).map(cells).collect()
}

/// The rows of the table of results in a page.
fn rows_of_page(page: &str) -> Vec<Vec<String>> {
    let table = page.split_once("<h2>Results</h2>").unwrap().1.split_once("</table>").unwrap().0;
    let cells = |row: &str| -> Vec<String> {
        let cells = row.split(['<', '>']).skip_while(|part| !["th", "td"].contains(part));
        let cells: Vec<&str> = cells.collect();
        let holds = |at: &usize| ["th", "td"].contains(&cells[*at]);
        (0..cells.len()).filter(holds).map(|at| cells[at + 1].to_owned()).collect()
    };
    table.split("</tr>").map(cells).filter(|row| !row.is_empty()).collect()
}

#[test]
fn what_is_wasted_is_the_same_wherever_it_is_told() {
    let folder = tempdir().unwrap();
    let out = folder.path().join("faulty");
    let said = race(&out, "async k-sync:2 --updates 300 --chaos 7:0.2 --non-finite reject");
    let told = wasted(&rows_of_text(&said));
    let mut counted: Vec<(String, u64)> = Vec::new();
    let (mut rejected, mut lost) = (0, 0);
    let csv = fs::read_to_string(out.join("learners.csv")).unwrap();
    let head: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    for line in csv.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let cell = |name: &str| -> u64 {
            cells[head.iter().position(|head| *head == name).unwrap()].parse().unwrap()
        };
        let sum = ["cancelled", "discarded", "rejected", "lost"].map(cell).iter().sum::<u64>();
        rejected += cell("rejected");
        lost += cell("lost");
        match counted.last_mut().filter(|(name, _)| name == cells[0]) {
            Some((_, all)) => *all += sum,
            None => counted.push((cells[0].to_owned(), sum)),
        }
    }
    assert!(rejected > 5 && lost > 5, "{rejected} rejected, {lost} lost");
    assert_eq!(told, counted);
    assert_eq!(wasted(&rows_of_page(&fs::read_to_string(out.join("report.html")).unwrap())), told);

    let out = folder.path().join("sound");
    let said = race(&out, "k-sync:2 k-batch-sync:2 --updates 300 --cancel on-arrival");
    for (entrant, told) in wasted(&rows_of_text(&said)) {
        let flags = "-p 4 --cancel on-arrival --updates 300 --warm-up 0 --json";
        let arguments: Vec<&str> =
            ["simulate", &*entrant].into_iter().chain(flags.split(' ')).collect();
        let output = tortoise(&arguments, &[]);
        let simulated: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert!(told > 0);
        assert_eq!(simulated["wasted"], told, "{entrant}");
    }
}

#[test]
fn what_is_no_race_that_is_over_is_refused_by_name() {
    let folder = tempdir().unwrap();
    let out = folder.path().join("race");
    race(&out, "sync --budget 5");
    let refused = |directory: &Path, what: &str| {
        let output = tortoise(&["report"], &[directory]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(what) && said.contains(directory.to_str().unwrap()), "{said}");
    };
    refused(folder.path(), "has no summary.json");
    refused(&folder.path().join("nowhere"), "has no summary.json");
    let before = drawn(&out);
    let evaluations = out.join("sync/seed-0/evaluations.csv");
    let whole = fs::read(&evaluations).unwrap();
    fs::write(&evaluations, &whole[..whole.len() - 3]).unwrap();
    refused(&out, "is cut off");
    fs::write(&evaluations, whole).unwrap();
    let summary = out.join("summary.json");
    let text = fs::read_to_string(&summary).unwrap();
    fs::write(&summary, &text[..text.len() / 2]).unwrap();
    refused(&out, "summary.json, line ");
    fs::write(&summary, text.replace("\"queues\": ", "\"queues\": -")).unwrap();
    refused(&out, "invalid value");
    assert!(drawn(&out) == before);
    fs::write(&summary, text).unwrap();
    let output = tortoise(&["report"], &[&out, &out]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("is named twice"));
    // With nowhere to write to that is free, nothing is lost either.
    let output = tortoise(&["report", "--out"], &[&out, &out]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8(output.stderr).unwrap().contains("is not empty"));
}

/// Races a quadratic into `folder`, as a program of one's own does.
fn program(folder: &Path, configuration: impl Serialize) {
    let directory = RunDirectory::create(Some(folder), "race").unwrap();
    let train = Arc::new(coins(64, 3, 3).unwrap());
    let data = Dataset { train: Arc::clone(&train), test: Arc::new(coins(16, 3, 4).unwrap()) };
    let engine = Quadratic::new(&data, vec![1.0, 0.5, 0.3]);
    let (queues, mut evaluator) = (EnginePool::here(engine.clone()), engine);
    let run_config =
        RunConfig { updates: Some(30), evaluate_every: Some(2.0), ..RunConfig::new(4, 0.1) };
    let mut race = |name: &str| {
        let files = RunFiles::create(directory.run(name, 0).unwrap(), false).unwrap();
        let minibatches = Minibatches::new(0, train.len(), 1);
        let mut recorder = Recorder::new(files, &mut evaluator, minibatches);
        let racer = name.parse().unwrap();
        let run = run_config.run(&racer, 0, &[0.0; 3][..], &queues, None, &mut recorder).unwrap();
        let (files, outcome) = recorder.finish(None).unwrap();
        let summary = RunSummary::new(0, run.ended, 0.1, outcome, &[]);
        files.finish(&summary).unwrap();
        EntrantSummary { runs: vec![summary], ..entrant(name, &[]) }
    };
    let summary = Summary {
        tortoise: "0.1.0".into(),
        configuration,
        machine: "a desk & a chair".into(),
        gradients_on: "a quadratic".into(),
        evaluations_on: "a quadratic".into(),
        queues: 1,
        tuning: None,
        entrants: ["async", "k-sync:2"].map(&mut race).into(),
        interrupted: false,
    };
    write_summary(folder, &summary).unwrap();
}

#[test]
fn a_race_that_a_program_has_recorded_is_reported() {
    let root = tempdir().unwrap();
    let [none, own, both, raced] =
        ["none", "own", "both", "raced"].map(|name| root.path().join(name));
    program(&none, ());
    program(&own, BTreeMap::from([("pace", "<slow>")]));
    race(&raced, "sync --budget 5");
    let said = |arguments: &[&str], paths: &[&Path]| {
        let output = tortoise(arguments, paths);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let page = |folder: &Path| fs::read_to_string(folder.join("report.html")).unwrap();
    for (folder, caption, again) in [
        (&none, "which recorded no configuration", "it recorded no configuration"),
        (&own, "with a configuration of its own", "&quot;pace&quot;: &quot;&lt;slow&gt;&quot;"),
    ] {
        let (table, page) = (said(&["report"], &[folder]), page(folder));
        for word in ["async", "k-sync:2", "a quadratic", caption] {
            assert!(table.contains(word) && page.contains(word), "{word}: {table}");
        }
        assert!(page.contains(again) && page.contains("a desk &amp; a chair"));
        assert!(!page.contains("tortoise race --config"), "the command cannot run it");
    }
    let table = said(&["report", "--out"], &[&both, &none, &raced, &own]);
    for entrant in ["async (none)", "k-sync:2 (own)", "sync (raced)"] {
        assert!(table.contains(entrant) && page(&both).contains(entrant), "{entrant}: {table}");
    }
    assert!(page(&both).contains("tortoise race --config"));
}
