//! Learning rates of entrants: one of its own, or the best of several that were tried before the race.

use std::fs;

use serde_json::Value;

use crate::place::{Place, edit, files, json, runs, succeeds};

const RATES: &str = "--updates 40 --evaluate-every 2 --events";

/// The rates of the gradients that a run accepted, each once.
fn accepted(place: &Place, run: &str) -> Vec<Value> {
    let events = fs::read_to_string(place.path(run).join("events.jsonl")).unwrap();
    let events = events.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let mut rates: Vec<Value> = events
        .filter(|event| event["verdict"] == "accept")
        .map(|push| push["rate"].clone())
        .collect();
    rates.dedup();
    rates
}

/// A race of these entrants with these flags, into the folder `out`.
fn race(place: &Place, entrants: &str, flags: &str, out: &str) -> String {
    let data = place.data.path().display();
    let learners = if flags.contains("-p ") { "" } else { "-p 4" };
    let line =
        format!("race {entrants} --device host --model logistic {learners} -m 8 --quiet {flags}");
    succeeds(&place.run(&format!("{line} --data {data} --out {out}")))
}

#[test]
fn an_entrant_runs_at_its_own_rate_and_the_others_at_that_of_the_race() {
    let place = Place::new();
    race(&place, "async async@rate=0.125", &format!("{RATES} --learning-rate 0.5"), "both");
    race(&place, "async", &format!("{RATES} --learning-rate 0.125"), "alone");
    assert_eq!(accepted(&place, "both/async/seed-0"), [0.5]);
    assert_eq!(accepted(&place, "both/async@rate=0.125/seed-0"), [0.125]);
    let last = |run: &str| fs::read(place.path(run).join("final.safetensors")).unwrap();
    assert!(last("both/async@rate=0.125/seed-0") == last("alone/async/seed-0"));
    assert!(last("both/async/seed-0") != last("alone/async/seed-0"));
    succeeds(&place.run("report both"));
    succeeds(&place.run("simulate --config both/config.toml async --updates 50"));
}

#[test]
fn a_tuned_race_is_one_at_the_best_rates_that_its_runs_before_found() {
    let place = Place::new();
    let tuned = format!("{RATES} --tune 1e38,0.005,1e-6 --seeds 2");
    let table = race(&place, "sync k-async:2@rate=0.001 async", &tuned, "out");
    // One rate is far too high, one changes nothing in forty updates.
    let tuning = json(&place.path("out/tuning.json"));
    assert_eq!(tuning["seed"], 2, "the race has seeds 0 and 1");
    assert_eq!(tuning["samples"], 200);
    for (at, name) in ["sync", "async"].into_iter().enumerate() {
        let one = &tuning["entrants"][at];
        assert_eq!((&one["entrant"], &one["rate"]), (&name.into(), &0.005.into()));
        assert_eq!(one["losses"][0], Value::Null, "that run diverged");
        assert!(one["losses"][1].as_f64() < one["losses"][2].as_f64());
    }
    assert_eq!(tuning["entrants"].as_array().map(Vec::len), Some(2), "one has its own rate");
    assert!(table.contains("the best for it of the learning rates 1e38, 0.005 and 1e-6."));
    assert!(json(&place.path("out/summary.json"))["tuning"] == tuning);
    let page = fs::read_to_string(place.path("out/report.html")).unwrap();
    assert!(page.contains("Learning rates") && page.contains("* "), "it has the losses");
    // What the configuration gives again is that race, with nothing to find.
    let config = fs::read_to_string(place.path("out/config.toml")).unwrap();
    let entrants = r#"["sync@rate=0.005", "k-async:2@rate=0.001", "async@rate=0.005"]"#;
    assert!(config.contains(entrants) && !config.contains("tune"), "{config}");
    let data = place.data.path().display();
    let again = format!("race --config out/config.toml --quiet --data {data} --out again");
    let table = succeeds(&place.run(&again));
    assert!(!table.contains("the best for it"), "{table}");
    assert!(runs(&place.path("again")) == runs(&place.path("out")));
    // A run of the seed that was tried has the mean loss that was found.
    let pilot = format!("{RATES} --learning-rate 0.005 --seed 2");
    race(&place, "async", &pilot, "pilot");
    let rows = fs::read_to_string(place.path("pilot/async/seed-2/evaluations.csv")).unwrap();
    let rows = rows.lines().skip(1).map(|row| row.split(',').map(str::parse).collect());
    let rows: Vec<Vec<f64>> = rows.collect::<Result<_, _>>().unwrap();
    let half = rows.last().unwrap()[0] / 2.0;
    let late: Vec<f64> = rows.iter().filter(|row| row[0] > half).map(|row| row[3]).collect();
    let mean = late.iter().sum::<f64>() / late.len() as f64;
    let found = tuning["entrants"][1]["losses"][1].as_f64().unwrap();
    assert!((mean - found).abs() < 1e-9, "{mean} and {found}");
}

#[test]
fn a_tuned_race_that_stopped_goes_on_at_its_rates() {
    let place = Place::new();
    race(&place, "sync async", &format!("{RATES} --tune 0.005,1e-6"), "out");
    let (whole, before) = (runs(&place.path("out")), files(&place.path("out")));
    // As if it had been killed in its second entrant, and before it had any rate.
    fs::remove_dir_all(place.path("out/async@rate=0.005")).unwrap();
    let table = succeeds(&place.resume("out", ""));
    assert!(table.contains("the best for it") && runs(&place.path("out")) == whole);
    for folder in ["out/async@rate=0.005", "out/sync@rate=0.005"] {
        fs::remove_dir_all(place.path(folder)).unwrap();
    }
    for file in ["origin.json", "tuning.json", "summary.json"] {
        fs::remove_file(place.path("out").join(file)).unwrap();
    }
    let config = place.path("out/config.toml");
    edit(&config, r#""sync@rate=0.005", "async@rate=0.005""#, r#""sync", "async""#);
    edit(&config, "learning-rate = 0.4", "learning-rate = 0.4\ntune = [0.005, 1e-6]");
    succeeds(&place.resume("out", ""));
    assert!(runs(&place.path("out")) == whole);
    let written = files(&place.path("out"));
    for file in ["tuning.json", "config.toml"] {
        assert!(
            written[file.as_ref() as &std::path::Path] == before[file.as_ref() as &std::path::Path]
        );
    }
    // The rates are part of the race.
    edit(&config, "async@rate=0.005", "async@rate=0.5");
    place.refuses("out", "", 2, &["was changed since the race was run"]);
}

#[test]
fn a_race_of_nobody_named_is_tuned_unless_a_rate_is_given() {
    let place = Place::new();
    let short = "--budget 3 --seeds 1";
    race(&place, "", short, "first");
    let tuning = json(&place.path("first/tuning.json"));
    let names: Vec<&str> = tuning["entrants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["entrant"].as_str().unwrap())
        .collect();
    // Among four learners.
    let seven =
        ["sync", "k-sync:2", "k-sync:1", "k-batch-sync:2", "async", "k-async:2", "k-batch-async:2"];
    assert_eq!(names, seven);
    let table = race(&place, "", &format!("{short} --learning-rate 0.1"), "given");
    assert!(!place.path("given/tuning.json").exists());
    assert!(table.contains("All have the same learning rate"), "{table}");
    assert!(
        place.path("given/k-sync-1/seed-0").exists() && !place.path("given/async/seed-1").exists()
    );
    // Half of two learners is one.
    race(&place, "", &format!("{short} --learning-rate 0.1 -p 2"), "two");
    assert!(place.path("two/k-sync-1").exists());
    let config = fs::read_to_string(place.path("two/config.toml")).unwrap();
    assert_eq!(config.matches("k-sync:1").count(), 1, "{config}");
}

#[test]
fn rates_that_change_nothing_are_refused() {
    let place = Place::new();
    for (line, why) in [
        ("race async@rate=0.1 --learning-rate 0.2", "each entrant has a rate of its own"),
        ("race async@rate=0.1 --tune 0.1,0.2", "each entrant has a rate of its own"),
        ("race async --tune 0.1,0.2 --learning-rate 0.2", "--tune finds a rate for each entrant"),
        ("race async --tune 0.1,0.1", "--tune names a rate twice"),
        ("race async async@rate=0.1 --tune 0.1,0.2", "may give async the rate of async@rate=0.1"),
        ("race async --tune 0.1,0", "--tune must be numbers above 0"),
        ("race async --tune 0.1,x", "rates above 0"),
        ("race async@rate=0", "must be a number above 0"),
        ("race async@decay=0.5", "unknown setting \"decay\""),
        ("race async@rate=0.1 async@rate=0.10", "async@rate=0.1 is named twice"),
        ("simulate async@rate=0.1", "this changes nothing: leave rate=0.1 out"),
        ("theory async@rate=0.1", "this changes nothing: leave rate=0.1 out"),
        ("timeline async@rate=0.1", "this changes nothing: leave rate=0.1 out"),
        ("advise async@rate=0.1 --target 1", "all are weighed with the same --learning-rate"),
    ] {
        let output = place.run(line);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {message}");
        assert!(message.contains(why), "{line}: \"{why}\" is not in: {message}");
    }
}
