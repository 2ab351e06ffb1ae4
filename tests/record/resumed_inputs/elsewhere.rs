//! Traces, data and devices: what lies outside of the run directory, and may be elsewhere or another.

use std::{fs, path::Path};

use tempfile::tempdir;

use crate::adapter::gpu;
use crate::place::{DRIVERS, Place, RACE, SHORT, edit, files, json, runs, succeeds};

#[test]
fn a_race_goes_on_with_no_other_trace() {
    let place = Place::new();
    let trace = place.path("delays.txt");
    fs::write(&trace, "# measured\n1.5\n0.5\n2\n").unwrap();
    let out = place.race(&format!("{SHORT} --delay trace:delays.txt"), "out");
    assert_eq!(fs::read(out.join("trace.csv")).unwrap(), fs::read(&trace).unwrap());
    // Only the copy counts.
    fs::write(&trace, "7\n").unwrap();
    succeeds(&place.resume("out", ""));
    fs::write(out.join("trace.csv"), "# measured\n1.5\n0.5\n3\n").unwrap();
    place.refuses("out", "", 2, &["trace.csv is not the trace", "its SHA-256 is", "and was"]);
    edit(&out.join("config.toml"), "trace:trace.csv", &format!("trace:{}", trace.display()));
    place.refuses("out", "", 2, &["delays.txt is not the trace"]);
    edit(&out.join("config.toml"), &format!("trace:{}", trace.display()), "constant:1");
    place.refuses("out", "", 2, &["delay was \"trace:trace.csv\" and is \"constant:1\""]);
}

#[test]
fn a_record_needs_no_file_outside_of_it() {
    let place = Place::new();
    fs::write(place.path("delays.txt"), "1.5\n0.5\n2\n").unwrap();
    let out = place.race(&format!("{SHORT} --delay trace:delays.txt --slow 1=2"), "out");
    let before = runs(&out);
    fs::remove_file(place.path("delays.txt")).unwrap();
    // To a colleague, with nothing else.
    let there = tempdir().unwrap();
    let moved = there.path().join("moved");
    fs::rename(&out, &moved).unwrap();
    let data = place.data.path().display();
    let run = |arguments: &str| {
        let mut command = place.command(arguments);
        command.current_dir(there.path()).output().unwrap()
    };
    let table = succeeds(&run("report moved"));
    assert!(table.contains("trace:trace.csv") && table.contains("async"), "{table}");
    let page = fs::read_to_string(moved.join("report.html")).unwrap();
    assert!(page.contains("# trace.csv is in the run directory"));
    succeeds(&run("resume moved --quiet"));
    succeeds(&run("simulate sync --config moved/config.toml --updates 50 --warm-up 1"));
    succeeds(&run("timeline --events moved/async/seed-0/timeline.jsonl"));
    assert!(runs(&moved) == before);
    let again = format!("race --config moved/config.toml --quiet --data {data} --out again");
    succeeds(&run(&again));
    assert!(runs(&there.path().join("again")) == before);
    // Nor does the report of a record whose distribution names a file that is gone.
    let summary = fs::read_to_string(moved.join("summary.json")).unwrap();
    let gone = summary.replace("trace:trace.csv", "trace:gone/delays.csv");
    assert!(gone != summary);
    fs::write(moved.join("summary.json"), gone).unwrap();
    assert!(succeeds(&run("report moved")).contains("trace:gone/delays.csv"));
}

#[test]
fn a_file_that_a_configuration_names_lies_beside_it_or_is_seen_from_here() {
    let place = Place::new();
    fs::create_dir(place.path("settings")).unwrap();
    let config = "delay = \"trace:delays.txt\"\n";
    fs::write(place.path("settings/race.toml"), config).unwrap();
    let simulate = "simulate sync --config settings/race.toml --updates 50 --warm-up 1";
    let output = place.run(simulate);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("race.toml: delays.txt: ") && message.contains("in `delay`"));
    fs::write(place.path("delays.txt"), "3\n").unwrap();
    assert!(succeeds(&place.run(simulate)).contains("mean update time  3.000000 s"));
    fs::write(place.path("settings/delays.txt"), "5\n").unwrap();
    assert!(succeeds(&place.run(simulate)).contains("mean update time  5.000000 s"));
    // What a flag names is seen from here.
    let flag = format!("{simulate} --delay trace:delays.txt");
    assert!(succeeds(&place.run(&flag)).contains("mean update time  3.000000 s"));
}

#[test]
fn a_race_goes_on_with_the_data_it_had_wherever_they_lie() {
    let place = Place::new();
    let copy = |to: &str| {
        let to = place.path(to);
        fs::create_dir_all(&to).unwrap();
        for (name, bytes) in files(place.data.path()) {
            fs::write(to.join(name), bytes).unwrap();
        }
        to
    };
    copy("mnist");
    succeeds(&place.run(&format!("{RACE} {SHORT} --data mnist --out out")));
    let config = fs::read_to_string(place.path("out/config.toml")).unwrap();
    assert!(config.contains(&format!("data = \"{}\"", place.path("mnist").display())), "{config}");
    // From elsewhere.
    let elsewhere = tempdir().unwrap();
    let out = place.path("out").display().to_string();
    let resume = |flags: &str, variable: Option<&Path>| {
        let mut command = place.command(&format!("resume {out} --quiet {flags}"));
        command.envs(variable.map(|folder| ("TORTOISE_DATA", folder)));
        command.current_dir(elsewhere.path()).output().unwrap()
    };
    succeeds(&resume("", None));
    let moved = place.path("moved");
    fs::rename(place.path("mnist"), &moved).unwrap();
    place.refuses(
        "out",
        "",
        4,
        &["is not a folder; give the folder with --data DIR or TORTOISE_DATA"],
    );
    succeeds(&resume("", Some(&moved)));
    // Where they were last, it looks for them next.
    succeeds(&resume("", None));
    fs::rename(&moved, place.path("further")).unwrap();
    place.refuses("out", "", 4, &["is not a folder"]);
    succeeds(&place.resume("out", "--data further"));
    succeeds(&resume("", None));

    let other = copy("other");
    for (file, part) in [
        ("train-images-idx3-ubyte", "training images"),
        ("train-labels-idx1-ubyte", "training labels"),
        ("t10k-images-idx3-ubyte", "test images"),
        ("t10k-labels-idx1-ubyte", "test labels"),
    ] {
        let whole = fs::read(other.join(file)).unwrap();
        let mut changed = whole.clone();
        let last = changed.last_mut().unwrap();
        *last = (*last + 1) % 10;
        fs::write(other.join(file), changed).unwrap();
        let reason = format!("the SHA-256 of the {part} is ");
        place.refuses("out", "--data other", 4, &["is not the data set", &reason, "and was"]);
        let output = resume("", Some(&other));
        assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
        fs::write(other.join(file), whole).unwrap();
    }
    succeeds(&place.resume("out", "--data other"));
    // A race anew needs the data that its configuration names, and says so.
    fs::rename(&other, place.path("away")).unwrap();
    let output = resume("", Some(&place.path("nowhere")));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nowhere"));
    let output = place.run("race --config out/config.toml --out again");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{message}");
    assert!(message.contains("config.toml names it; give it with --data DIR"), "{message}");
}

#[test]
fn what_else_computes_is_asked_for_and_recorded() {
    let place = Place::new();
    let out = place.race(SHORT, "out");
    // As if another processor had begun, and been interrupted in the second run.
    edit(&out.join("origin.json"), "\"driver\": \"", "\"driver\": \"another ");
    place.refuses(
        "out",
        "",
        2,
        &["was computed on the host engine (f32) on another", "--device host"],
    );
    fs::remove_file(out.join("async/seed-0/run.json")).unwrap();
    place.refuses("out", "", 2, &["to allow that, give --device host"]);
    let table = succeeds(&place.resume("out", "--device host"));
    assert!(table.contains("; from async (seed 0) on the host engine (f32)"), "{table}");
    let summary = json(&out.join("summary.json"));
    let on = summary["gradients_on"].as_str().unwrap();
    assert!(on.starts_with("the host engine (f32) on another "), "{on}");
    let computed = json(&out.join("origin.json"))["computed"].clone();
    assert_eq!(computed[1]["from"], "async (seed 0)");
    // From there on it is the same.
    succeeds(&place.resume("out", ""));
    assert_eq!(json(&out.join("origin.json"))["computed"], computed);
}

#[test]
fn without_its_adapter_a_race_does_not_go_on_in_silence() {
    if gpu().is_none() {
        return;
    }
    let place = Place::new();
    let flags = SHORT.replace("--updates", "--device auto --updates");
    let data = place.data.path().display();
    let race = RACE.replace("--device host ", "");
    succeeds(&place.run(&format!("{race} {flags} --data {data} --out out")));
    fs::remove_file(place.path("out/async/seed-0/run.json")).unwrap();
    let nowhere = place.path("nowhere");
    let resume = |flags: &str| {
        let mut command = place.command(&format!("resume out --quiet {flags}"));
        command.envs(DRIVERS.map(|name| (name, &nowhere))).output().unwrap()
    };
    let before = files(&place.path("out"));
    let output = resume("");
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(message.contains("was computed on ") && message.contains(" kernels, "), "{message}");
    assert!(files(&place.path("out")) == before);
    let table = succeeds(&resume("--device host"));
    assert!(table.contains("; from async (seed 0) on the host engine (f32)"), "{table}");
    // With nothing left to compute, nothing more is to be recorded.
    let origin = fs::read(place.path("out/origin.json")).unwrap();
    let output = place.resume("out", "--device auto");
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("--device changes nothing"), "{message}");
    let table = succeeds(&output);
    assert!(table.contains("; from async (seed 0) on the host engine (f32) on "), "{table}");
    assert!(fs::read(place.path("out/origin.json")).unwrap() == origin);
}

#[test]
fn a_record_of_an_earlier_tortoise_is_reported_and_not_gone_on_with() {
    let place = Place::new();
    let out = place.race(SHORT, "out");
    fs::remove_file(out.join("origin.json")).unwrap();
    place.refuses("out", "", 2, &["has no origin.json", "tortoise race --config out/config.toml"]);
    succeeds(&place.run("report out"));
    fs::write(out.join("origin.json"), "{").unwrap();
    place.refuses("out", "", 2, &["origin.json, line 1"]);
    // A configuration alone is the beginning of a race.
    fs::create_dir(place.path("new")).unwrap();
    fs::copy(out.join("config.toml"), place.path("new/config.toml")).unwrap();
    succeeds(&place.resume("new", ""));
    assert!(runs(&place.path("new")) == runs(&out));
}
