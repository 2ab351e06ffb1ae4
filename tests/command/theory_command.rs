//! `theory` without an entrant, `estimate` and `advise`, as a user meets them.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::Value;
use tempfile::tempdir;

use crate::small_data::first_images;

fn tortoise(arguments: &str, out: &Path) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tortoise"));
    let words = arguments.split(' ').filter(|word| !word.is_empty());
    command.args(words).current_dir(env!("CARGO_MANIFEST_DIR"));
    // Advice alone writes nothing.
    if !arguments.starts_with("advise") || arguments.contains("--follow") {
        command.arg("--out").arg(out);
    }
    command.output().unwrap()
}

#[track_caller]
fn json(arguments: &str, out: &Path) -> Value {
    let output = tortoise(&format!("{arguments} --json"), out);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn pictures(folder: &Path, names: &[&str]) {
    for name in names {
        let svg = fs::read_to_string(folder.join(name).with_extension("svg")).unwrap();
        assert!(svg.ends_with("</svg>\n") && !svg.contains("NaN"), "{name}");
        image::open(folder.join(name).with_extension("png")).unwrap();
    }
}

#[test]
fn theory_without_an_entrant_lays_out_all_of_them() {
    let folder = tempdir().unwrap();
    let tables = json("theory", folder.path());
    assert_eq!(tables["laws"].as_array().unwrap().len(), 9);
    let exponential = &tables["laws"][0];
    assert_eq!(exponential["rows"].as_array().unwrap().len(), 8);
    // P H_P, and K-sync, K-batch-sync, K-async, K-batch-async with K = 4.
    assert!((exponential["speed_up"].as_f64().unwrap() - 21.742_857).abs() < 1e-5);
    for (at, time) in [0.634_523_8, 0.5, 0.634_523_8, 0.5].into_iter().enumerate() {
        let value = &exponential["rows"][3]["times"][at]["mean_update_time"];
        assert!((value.as_f64().unwrap() - time).abs() < 1e-6, "{value}");
    }
    // eta L sigma^2 / (3 c K m) for sync with the default constants.
    let floor = &tables["error_runtime"][0][0]["bound"]["floor"];
    assert!((floor.as_f64().unwrap() - 0.1 / (3.0 * 0.1 * 8.0)).abs() < 1e-9, "{floor}");
    let names = ["update-times-by-k", "update-times-by-p", "speed-up", "error-runtime"];
    pictures(folder.path(), &names);
}

#[test]
fn theory_says_what_it_does_not_know() {
    let folder = tempdir().unwrap();
    let output = tortoise("theory -p 4 --delay pareto:shape=0.9,scale=1", folder.path());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("E[X] = infinite"), "{text}");
    let rate = tempdir().unwrap();
    let output = tortoise("theory -p 4 --delay constant:1 --learning-rate 3", rate.path());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("the learning rate 3 is above 5.000e-1"), "{text}");
}

#[test]
fn theory_draws_how_the_staleness_of_two_learners_changes() {
    let folder = tempdir().unwrap();
    let out = folder.path().join("chain");
    let theory = json("theory async -p 2", &out);
    pictures(&out, &["staleness-chain"]);
    let states = theory["states"].as_array().unwrap();
    assert_eq!(states[0], serde_json::json!({ "state": [0, 1], "probability": 0.25 }));
    assert_eq!(theory["momentum"], serde_json::json!({ "beta": 0.5, "rate_ratio": 0.5 }));
    for other in ["theory sync -p 2", "theory async", "theory async -p 2 --delay constant:1"] {
        let out = folder.path().join("none");
        let output = tortoise(other, &out);
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && !out.exists(), "{other}");
        assert!(message.contains("that of async -p 2 with exponential times"), "{message}");
    }
}

#[test]
fn stale_gradients_have_a_bound_where_their_gamma_is_given() {
    let bounds = |gamma: &str| -> BTreeMap<String, Value> {
        let folder = tempdir().unwrap();
        let line = format!("theory -p 4 --delay exponential:mean=1 --json {gamma}");
        let output = tortoise(&line, folder.path());
        let tables: Value = serde_json::from_slice(&output.stdout).unwrap();
        let rows = tables["error_runtime"][0].as_array().unwrap();
        let row = |row: &Value| (row["entrant"].as_str().unwrap().to_owned(), row.clone());
        rows.iter().map(row).collect()
    };
    let has = |rows: &BTreeMap<String, Value>| -> Vec<String> {
        let bound = rows.iter().filter(|(_, row)| !row["bound"].is_null());
        bound.map(|(name, _)| name.clone()).collect()
    };
    let fresh = ["k-batch-sync:2", "k-sync:2", "sync"];
    let none = bounds("");
    assert_eq!(has(&none), fresh);
    assert!(none["async"]["reason"].as_str().unwrap().contains("gamma, by how much"));
    let one = bounds("--gamma async=0.5");
    assert_eq!(has(&one), ["async", "k-batch-sync:2", "k-sync:2", "sync"]);
    let all = bounds("--gamma 0.5,k-async=0.25");
    assert_eq!(has(&all).len(), 6);
    // gamma' = 1 - gamma + p0 / 2, where p0 is 1/P and K/P.
    assert_eq!(all["async"]["gamma_prime"], 1.0 - 0.5 + 0.125);
    assert_eq!(all["k-async:2"]["gamma_prime"], 1.0 - 0.25 + 0.25);
}

#[test]
fn estimates_come_with_their_uncertainty_and_a_race_draws_their_bound() {
    let folder = tempdir().unwrap();
    let run = "k-async:2 --model logistic --l2 0.01 -p 4 -m 32 --learning-rate 0.02 --budget 80 \
               --device host --quiet";
    let estimates = json(&format!("estimate {run}"), &folder.path().join("estimate"));
    let number = |name: &str, of: &str| estimates[name][of].as_f64().unwrap();
    // The curvature of a softmax regression is at most half of the mean squared norm of its inputs,
    // about 107 with the bias for MNIST, and of the L2 term; the measured one is far below.
    assert!((1.0..60.0).contains(&number("smoothness", "value")));
    assert!(number("convexity", "value") <= number("smoothness", "value"));
    assert!(number("variance", "standard_error") < number("variance", "value"));
    assert!((0.0..1.0).contains(&number("gamma", "value")));
    let distribution = estimates["delay"]["candidates"][0]["law"].as_str().unwrap();
    assert!(distribution.starts_with("exponential:mean="), "{distribution}");

    let race = folder.path().join("race");
    let summary = json(&format!("race --estimate {run}"), &race);
    let entrant = &summary["entrants"][0];
    let bound = &entrant["error_bound"];
    let (floor, f_star) = (&bound["bound"]["floor"], bound["f_star"].as_f64().unwrap());
    let loss = entrant["runs"][0]["train_loss"].as_f64().unwrap();
    assert!(floor.as_f64().unwrap() > 0.0 && f_star < loss, "{bound}");
    // Theorem 5 by hand, from the constants in the record: 2 (F_0 - F*) / (eta gamma').
    let of = &entrant["runs"][0]["estimates"];
    let gap = of["initial-loss"].as_f64().unwrap() - f_star;
    let rate = 0.02;
    // By theorem 3 an update takes eta c gamma' of the distance away.
    let c = of["convexity"]["value"].as_f64().unwrap();
    let gamma_prime = bound["bound"]["progress"].as_f64().unwrap() / (rate * c);
    let start = bound["gradient"]["start"].as_f64().unwrap();
    assert!((start * rate * gamma_prime / (2.0 * gap) - 1.0).abs() < 1e-6, "{bound}");
    let page = fs::read_to_string(race.join("report.html")).unwrap();
    assert!(page.contains("bound on the mean of |grad F|^2 over the first n updates"));
    pictures(&race, &["loss-time", "race", "staleness"]);
    let drawn = fs::read_to_string(race.join("loss-time.svg")).unwrap();
    assert_eq!(drawn.matches("<polyline").count(), 2, "a course and its bound");
    assert!(drawn.contains(">bound</text>"));
}

#[test]
fn with_shards_no_bound_is_given_and_it_is_said_why() {
    let folder = tempdir().unwrap();
    let data = first_images();
    let race = format!(
        "race --estimate async --model logistic -p 4 --learning-rate 0.02 --budget 20 --device host --quiet \
         --data {} --shards",
        data.path().display()
    );
    for (split, of_one) in [("iid", false), ("iid -p 1", true)] {
        let race = race.replace(" -p 4", if of_one { "" } else { " -p 4" });
        let out = folder.path().join(split.replace(' ', "-"));
        let summary = json(&format!("{race} {split}"), &out);
        let entrant = &summary["entrants"][0];
        let warnings = entrant["runs"][0]["estimates"]["warnings"].to_string();
        assert_eq!(warnings.contains("unbiased for its own shard"), !of_one, "{warnings}");
        assert_eq!(entrant["error_bound"].is_object(), of_one);
        assert!(entrant["theory"]["mean_update_time"].is_number());
    }
}

#[test]
fn advice_that_is_followed_shows_what_came_of_it() {
    let folder = tempdir().unwrap();
    let arguments = "advise sync async k-sync:1 k-async:2 --model logistic -p 4 --target 0.6 \
                     --learning-rate 0.3 --pilot 100 --repetitions 1 --device host --quiet --follow";
    let advice = json(arguments, folder.path());
    let forecasts = advice["forecasts"].as_array().unwrap();
    assert_eq!(forecasts.len(), 4);
    let times: Vec<f64> = forecasts.iter().filter_map(|f| f["time"].as_f64()).collect();
    assert!(!times.is_empty() && times.is_sorted());
    pictures(folder.path(), &["advice"]);
    let summary = fs::read(folder.path().join("summary.json")).unwrap();
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    assert_eq!(summary["entrants"][0]["entrant"], forecasts[0]["entrant"]);
    let reached = &summary["entrants"][0]["runs"][0]["time_to_loss"][0]["time"];
    assert!(reached.as_f64().unwrap() < 2.0 * times[0], "{reached} of {times:?}");
}

#[test]
fn advice_from_given_constants_is_what_the_bounds_say() {
    let folder = tempdir().unwrap();
    let arguments = "advise sync async k-batch-sync:4 --target 0.5 --learning-rate 0.1 -m 1 \
                     --constants L=1,c=0.1,sigma2=1,gap=10,gamma=0.5";
    let advice = json(arguments, folder.path());
    let forecasts = advice["forecasts"].as_array().unwrap();
    // gamma' = 3/2 for fresh gradients: floors 1/24 and 1/12, and 1 - 0.015 an update.
    for (entrant, floor, update_time) in
        [("k-batch-sync:4", 1.0 / 12.0, 0.5), ("sync", 1.0 / 24.0, 2.7179)]
    {
        let found = forecasts.iter().find(|forecast| forecast["entrant"] == entrant).unwrap();
        let updates = f64::ln((0.5 - floor) / (10.0 - floor)) / f64::ln(1.0 - 0.015);
        assert!((found["updates"].as_f64().unwrap() - updates).abs() < 1e-6, "{found}");
        let time = found["time"].as_f64().unwrap();
        assert!((time / (updates * update_time) - 1.0).abs() < 0.05, "{time}");
    }
    assert_eq!(forecasts[0]["entrant"], "k-batch-sync:4");
    // Its floor, 1/2 / (0.1 gamma') with gamma' = 0.5625, is above the target.
    assert_eq!(forecasts[2]["entrant"], "async");
    assert!(forecasts[2]["time"].is_null());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is run");
}

#[test]
fn bad_usage_is_refused_with_code_2_and_the_reason() {
    let folder = tempdir().unwrap();
    for (arguments, fragment) in [
        ("theory -p 0", "--learners (P) must be from 1"),
        ("theory -p 5000", "must be from 1 to 4096"),
        ("theory --slow 0=2", "all learners are equally fast"),
        ("theory --convexity 2", "above the smoothness"),
        ("theory --variance=-1", "the variance sigma^2 is -1"),
        ("theory --gamma NaN", "--gamma must be 0 or above"),
        ("theory --gamma async=x", "must be a number or ENTRANT=GAMMA"),
        ("theory --gamma k-async:3=0.1", "--gamma k-async:3: the tables have sync"),
        ("theory --gamma asink=0.1", "unknown variant"),
        ("theory --learning-rate 0", "--learning-rate must be"),
        ("estimate", "required arguments were not provided"),
        ("estimate k-sync:9", "K must be at most P = 8"),
        ("advise --target 0", "must be a number above 0"),
        ("advise --target 0.3 --pilot 1", "--pilot must be at least 10"),
        ("advise --target 0.3 --repetitions 0", "--repetitions at least 1"),
        ("advise k-sync:9 --target 0.3", "K must be at most P = 8"),
        ("advise k-sync:adasync --target 0.3", "changes K with the training loss"),
        ("advise --target 0.3 --constants L=1,c=2,sigma2=1,gap=1", "above the smoothness"),
        ("advise --target 0.3 --constants L=1,c=x", "c=\"x\" is not a number"),
        ("advise --target 0.3 --constants L=1,c=0.1", "missing are sigma2 and gap"),
        (
            "advise --target 0.3 --constants L=1,c=0.1,sigma2=1,gap=1 --follow",
            "cannot be used with",
        ),
        ("advise --updates 100", "--target or a --budget"),
    ] {
        let output = tortoise(arguments, folder.path());
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {message}");
        assert!(message.contains(fragment), "{arguments}: \"{fragment}\" is not in: {message}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is written");
}

#[test]
fn advice_chooses_a_minibatch_and_a_rate_if_asked() {
    let folder = tempdir().unwrap();
    let data = first_images();
    let line = format!(
        "advise sync k-sync:1 --model logistic -p 4 --device host --pilot 40 --repetitions 2 \
         --target 0.9 --minibatches 64,4 --rates 0.2,0.02 --per-sample 0.1 --data {}",
        data.path().display()
    );
    let line = line.as_str();
    let advice = json(line, folder.path());
    let forecasts = advice["forecasts"].as_array().unwrap();
    // Two entrants, two minibatches, two rates.
    assert_eq!(forecasts.len(), 8);
    let of = |name: &str, m: u64, rate: f64| {
        let is = |one: &&Value| {
            (&one["entrant"], &one["minibatch"], &one["learning_rate"])
                == (&name.into(), &m.into(), &rate.into())
        };
        forecasts.iter().find(is).unwrap()
    };
    // sync takes H_4 s and a tenth of a second a sample.
    for (m, time) in [(4, 25.0 / 12.0 + 0.4), (64, 25.0 / 12.0 + 6.4)] {
        let measured = of("sync", m, 0.2)["mean_update_time"].as_f64().unwrap();
        assert!((measured - time).abs() < 1e-6, "{measured}");
    }
    let text = String::from_utf8(tortoise(line, folder.path()).stdout).unwrap();
    assert!(text.contains("entrant") && text.contains("  m  rate  "), "{text}");
    let best = &forecasts[0];
    let advised = format!(
        "advice: {} with m={} at rate {}",
        best["entrant"].as_str().unwrap(),
        best["minibatch"],
        best["learning_rate"]
    );
    assert!(text.contains(&advised), "{text}");
    assert!(text.starts_with(&format!("logistic, P=4, m={}, ", best["minibatch"])), "{text}");
}
