//! A race goes on with what it was recorded with: its settings, its trace, its data and what computes
//! it; with anything else only where that is asked for, and then it is recorded. Where the run
//! directory or the data lie does not matter.

mod elsewhere;
mod shaders;

use std::fs;

use crate::place::{Place, SHORT, edit, json, runs, stopped, succeeds};

#[test]
fn a_race_does_not_go_on_under_other_settings() {
    let place = Place::new();
    let finished = place.race(SHORT, "finished");
    stopped(&place, "stopped");
    for (out, keys) in [("finished", 13), ("stopped", 3)] {
        let config = place.path(out).join("config.toml");
        let text = fs::read_to_string(&config).unwrap();
        let edits = [
            ("learning-rate = 0.4", "learning-rate = 0.5", "learning-rate was 0.4 and is 0.5"),
            ("updates = ", "updates = 9", "updates was "),
            (
                "[\"sync\", \"async\"]",
                "[\"sync\", \"async\", \"k-sync:2\"]",
                "entrants was [\"sync",
            ),
            ("[\"sync\", \"async\"]", "[\"async\", \"sync\"]", "and is [\"async\", \"sync\"]"),
            (
                "model = \"logistic\"",
                "model = \"mlp:8\"",
                "model was \"logistic\" and is \"mlp:8\"",
            ),
            ("minibatch = 8\n", "minibatch = 9\n", "minibatch was 8 and is 9"),
            ("seeds = 1", "seeds = 2", "seeds was 1 and is 2"),
            ("seed = 0", "seed = 1", "seed was 0 and is 1"),
            ("mean=1", "mean=2", "delay was \"exponential:mean=1\" and is \"exponential:mean=2\""),
            ("l2 = 0.0", "slow = \"0=3\"", "slow was not set and is \"0=3\""),
            ("targets = [0.5", "targets = [0.6", "targets was [0.5, 0.3, 0.2]"),
            ("estimate = false", "estimate = true", "estimate was false and is true"),
            ("device = \"host\"", "device = \"auto\"", "go on with another device with --device"),
        ];
        for (from, to, key) in edits.into_iter().take(keys) {
            fs::write(&config, &text).unwrap();
            edit(&config, from, to);
            place.refuses(out, "", 2, &["config.toml", "was changed since the race was run", key]);
        }
        let two = text.replace("rate = 0.4", "rate = 0.1").replace("l2 = 0.0", "l2 = 0.1");
        fs::write(&config, two).unwrap();
        place.refuses(out, "", 2, &["l2 was 0.0 and is 0.1", "learning-rate was 0.4 and is 0.1"]);
        fs::write(&config, text).unwrap();
    }
    // What changes no result may be edited, and how it is written does not matter.
    let config = finished.join("config.toml");
    let text = fs::read_to_string(&config).unwrap();
    let mut lines: Vec<_> = text.lines().map(|line| format!("  {line}  # as it was")).collect();
    lines.reverse();
    let text = lines.join("\n\n").replace("learning-rate = 0.4", "learning-rate=4e-1");
    fs::write(&config, text.replace("every = 30.0", "every = 5.0")).unwrap();
    let before = runs(&finished);
    succeeds(&place.resume("finished", ""));
    assert!(runs(&finished) == before);
}

#[test]
fn an_extended_race_has_the_bits_of_one_of_that_length() {
    let place = Place::new();
    let every = "--evaluate-every 4 --events --tensorboard";
    for (short, long, extended) in [
        ("--updates 30", "--updates 75", "extended from 30 updates to 75 updates"),
        ("--budget 10", "--budget 25.5", "extended from 10 s to 25.5 s"),
        ("--updates 9 --budget 20", "--updates 90 --budget 20", "from 20 s and 9 updates"),
    ] {
        let (whole, out) = (place.path("whole"), place.path("out"));
        for folder in [&whole, &out] {
            let _ = fs::remove_dir_all(folder);
        }
        place.race(&format!("{every} {long}"), "whole");
        place.race(&format!("{every} {short}"), "out");
        let table = succeeds(&place.resume("out", long));
        assert!(table.contains(extended), "{table}");
        assert!(runs(&out) == runs(&whole), "{long}");
        let configs = [&out, &whole].map(|folder| fs::read(folder.join("config.toml")).unwrap());
        assert!(configs[0] == configs[1]);
        for file in ["origin.json", "summary.json"] {
            let record = json(&out.join(file));
            let all = record.get("extended").unwrap_or(&record["configuration"]["extended"]);
            assert_eq!(all.as_array().map(Vec::len), Some(1), "{file}: {all}");
        }
        // It is as long as it is then: the same again changes nothing, and less is refused.
        let before = runs(&out);
        succeeds(&place.resume("out", ""));
        succeeds(&place.resume("out", long));
        assert!(runs(&out) == before);
        place.refuses("out", short, 2, &["can be extended, and not shortened"]);
    }
    let page = fs::read_to_string(place.path("out/report.html")).unwrap();
    assert!(page.contains("extended from 20 s and 9 updates to 20 s and 90 updates"));
}

#[test]
fn a_race_that_stopped_is_extended_from_its_checkpoint() {
    let place = Place::new();
    stopped(&place, "out");
    let out = place.path("out");
    // As if it had been started with fewer updates: the length is no part of a checkpoint.
    for (file, from) in [("config.toml", "updates = 2000"), ("origin.json", "\"updates\": 2000")] {
        edit(&out.join(file), from, &from.replace("2000", "1999"));
    }
    let checkpoint = fs::read(out.join("sync/seed-0/checkpoint.safetensors")).unwrap();
    assert!(!checkpoint.is_empty());
    // Of one that is damaged it says so, which shows that it is read.
    fs::write(out.join("sync/seed-0/checkpoint.safetensors"), b"torn").unwrap();
    let output = place.resume("out", "--updates 2000");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("is damaged or cut off"), "{message}");
    fs::write(out.join("sync/seed-0/checkpoint.safetensors"), checkpoint).unwrap();
    succeeds(&place.resume("out", "--updates 2000"));
    let whole = place.race("--updates 2000 --evaluate-every 500 --checkpoint-every 0.01", "whole");
    assert!(runs(&out) == runs(&whole));
}

#[test]
fn a_limit_that_a_race_does_not_have_is_not_extended() {
    let place = Place::new();
    place.race(SHORT, "out");
    place.refuses(
        "out",
        "--budget 99",
        2,
        &["end by --updates, not by --budget", "raise --updates"],
    );
    place.refuses("out", "--updates 29", 2, &["--updates 29 is below the 30"]);
    place.refuses("out", "--updates 0", 2, &["--updates"]);
    place.refuses("out", "--budget nan", 2, &["--budget"]);
    let real = "--clock real --budget 0.2";
    place.race(real, "real");
    place.refuses("real", "--budget 9", 2, &["a race in real time cannot be extended"]);
}
