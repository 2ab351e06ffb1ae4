//! The examples that train, run small: what holds of their numbers at any size.

use std::{collections::HashMap, env, fs, process::Command};

use tempfile::tempdir;

/// Runs an example small and returns the rows of its numbers, each by the names of its columns.
#[track_caller]
fn run(example: &str, file: &str) -> Vec<HashMap<String, String>> {
    let out = tempdir().unwrap();
    // Beside the folder of the tests lies that of the examples.
    let here = env::current_exe().unwrap();
    let binary = here.parent().unwrap().with_file_name("examples").join(example);
    let binary = binary.with_extension(env::consts::EXE_EXTENSION);
    assert!(binary.exists(), "no {}: `cargo build --examples` makes it", binary.display());
    let ran = Command::new(binary)
        .args(["--small", "--out"])
        .arg(out.path())
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    for ending in ["svg", "png"] {
        let picture = fs::read(out.path().join(file).with_extension(ending)).unwrap();
        assert!(picture.len() > 1000, "{file}.{ending}");
    }
    let numbers = fs::read_to_string(out.path().join(file).with_extension("csv")).unwrap();
    let mut lines = numbers.lines().map(|line| line.split(',').map(str::to_owned));
    let head: Vec<_> = lines.next().unwrap().collect();
    lines.map(|row| head.iter().cloned().zip(row).collect()).collect()
}

fn number(row: &HashMap<String, String>, column: &str) -> f64 {
    row[column].parse().unwrap()
}

#[test]
fn more_gradients_an_update_cost_time_and_lower_the_floor() {
    let rows = run("fig1_frontier", "fig1-frontier");
    let row = |variant: &str, k: &str| {
        let found = rows.iter().find(|row| row["variant"] == variant && row["k"] == k);
        found.unwrap_or_else(|| panic!("{variant}:{k}"))
    };
    for (variant, one, eight) in [
        // 1 + 1/8, and 1 + H_8; E[X] / P and K E[X] / P.
        ("k-sync", 1.125, 3.7179),
        ("k-batch-sync", 1.125, 2.67),
        ("k-async", 0.25, 3.7179),
        ("k-batch-async", 0.25, 2.0),
    ] {
        for (k, expected) in [("1", one), ("8", eight)] {
            let time = number(row(variant, k), "time_per_update");
            assert!((time / expected - 1.0).abs() < 0.01, "{variant}:{k} {time}");
        }
        let error = |k| number(row(variant, k), "error");
        assert!(error("8") > 0.0 && error("1") > error("8"), "{variant}");
    }
    for (k, one, other) in [
        ("1", "k-sync", "k-batch-sync"),
        ("1", "k-async", "k-batch-async"),
        ("8", "k-sync", "k-async"),
    ] {
        for column in ["time_per_update", "error", "se"] {
            assert_eq!(row(one, k)[column], row(other, k)[column], "{one} {other} {column}");
        }
    }
}

#[test]
fn a_compensated_rate_takes_the_spikes_away() {
    let rows = run("fig9_variable_rate", "fig9-variable-rate");
    let highest = |rate: &str, rule: &str| {
        let found = rows.iter().find(|row| row["eta"] == rate && row["rule"] == rule);
        number(found.unwrap(), "highest_loss_after_a_quarter")
    };
    let fixed = highest("0.3", "constant");
    for c in ["0.0015", "0.015"] {
        let compensated = highest("0.3", &format!("compensated:c={c}"));
        // ln 10 is the loss of who knows nothing.
        assert!(compensated < fixed.min(10_f64.ln()), "{c}: {compensated}, fixed {fixed}");
    }
}

#[test]
fn adasync_starts_as_its_k_0_and_stays_near_the_best_k() {
    let rows = run("adasync_mnist", "adasync-mnist");
    let of = |variant| rows.iter().filter(move |row| row["variant"] == variant);
    for variant in ["k-sync", "k-async", "k-batch-async"] {
        for row in of(variant) {
            let fixed = ["k1", "k2", "k4", "k8"].map(|k| number(row, k));
            let lowest = fixed.into_iter().fold(f64::INFINITY, f64::min);
            let ratio = number(row, "adasync") / lowest;
            assert!((number(row, "ratio") - ratio).abs() < 1e-3, "{row:?}");
            assert!(ratio < 1.25, "{row:?}");
            if number(row, "time") <= 20.0 {
                assert_eq!(row["adasync"], row["k1"], "within the first window");
            }
        }
        let last = of(variant).next_back().unwrap();
        assert!(number(last, "time") > 20.0 && last["adasync"] != last["k1"], "K has grown");
    }
    for (one, other, k) in [("k-sync", "k-async", "k8"), ("k-async", "k-batch-async", "k1")] {
        for (one, other) in of(one).zip(of(other)) {
            assert_eq!(one[k], other[k], "the same variant by two names");
        }
    }
}

#[test]
fn measured_k_starts_at_one_and_the_fixed_k_are_told_beside_it() {
    let rows = run("adaptive", "adaptive");
    assert_eq!(rows.len(), 2);
    for row in &rows {
        let ratio = number(row, "adaptive");
        assert!(ratio > 0.8 && ratio < 1.25, "{row:?}");
        assert!(number(row, "adasync") > 0.99 * ratio, "{row:?}");
    }
    // At so small a rate K = 1 is the best for longer than this, and is what it stays at.
    assert!((number(&rows[0], "adaptive") - 1.0).abs() < 0.05, "{:?}", rows[0]);
}

#[test]
fn a_larger_minibatch_costs_time_and_its_updates_go_further() {
    let rows = run("fig13_choice_of_m", "fig13-choice-of-m");
    let column = |name| -> Vec<f64> { rows.iter().map(|row| number(row, name)).collect() };
    // H_4, and 0.02 s a sample.
    for (row, m) in rows.iter().zip([2.0, 16.0, 128.0]) {
        let expected = 25.0 / 12.0 + 0.02 * m;
        assert!((number(row, "theory") - expected).abs() < 1e-3, "m={m}");
        assert!((number(row, "s_per_update") / expected - 1.0).abs() < 0.25, "m={m}");
    }
    let losses = column("loss");
    assert!(losses.iter().all(|loss| (0.2..3.0).contains(loss)), "{losses:?}");
    assert!(losses[1] < losses[0], "with two samples there is mostly noise: {losses:?}");
}

#[test]
fn methods_are_raced_at_the_rate_that_suits_each() {
    let rows = run("methods", "methods");
    let named: Vec<_> = rows.iter().map(|row| &*row["setting"]).collect();
    let settings = ["heavy-tail", "alike", "slow", "iid", "dirichlet", "all"];
    assert!(named.into_iter().eq(settings.into_iter().flat_map(|name| [name; 2])));
    for row in &rows {
        assert!(row["entrant"].contains("rate=0."), "{row:?}");
        assert!((0.05..2.4).contains(&number(row, "loss")), "{row:?}");
    }
    // Of sync and ssp:0 each waits for the slowest, once for eight gradients and once for one; how samples are
    // split among the learners changes no time.
    let time = |at: usize| number(&rows[at], "s_per_update");
    assert!(rows[2]["entrant"].starts_with("sync") && rows[3]["entrant"].starts_with("ssp:0"));
    assert!(time(3) < 0.4 * time(2));
    assert_eq!([time(6), time(7)], [time(8), time(9)]);
    // Where samples are split at random, those of the slow are learnt as well as the others.
    let of_slow = |at: usize| number(&rows[at], "loss_of_slow") / number(&rows[at], "loss");
    assert!((of_slow(7) - 1.0).abs() < 0.05 && (of_slow(9) - 1.0).abs() > 0.05);
}

#[test]
fn momentum_and_rates_are_tried_side_by_side() {
    let rows = run("momentum_and_rates", "momentum-and-rates");
    let of = |question: &'static str| rows.iter().filter(move |row| row["question"] == question);
    assert_eq!(["momentum", "alike", "heavy"].map(|question| of(question).count()), [4; 3]);
    for row in &rows {
        assert!((0.05..2.31).contains(&number(row, "loss")), "{row:?}");
    }
    // In so few updates among eight learners that clip takes little away.
    for (plain, clipped) in of("alike").take(2).zip(of("alike").skip(2)) {
        assert_eq!(plain["rate"], clipped["rate"]);
        assert!(number(clipped, "loss") < 1.5 * number(plain, "loss"), "{clipped:?}");
    }
}
