//! What a user names is read however it is handed over: text with the mark that editors put before
//! it, traces as spreadsheets write them, pipes and standard input. What is not understood is said,
//! with the line.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use crate::small_data::small_data;
use tempfile::tempdir;
use tortoise::{
    cluster::delay::{Delays, Distribution, Slow, Trace},
    dataset::mnist,
    engine::model::{Model, Shape},
    estimate::delays::read_events,
    record::{read_evaluations, write_params},
};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tortoise"));
    command.args(arguments).env_remove("TORTOISE_DATA");
    command
}

/// Runs with a file for standard input, through a pipe.
fn piped(arguments: &[&str], input: &[u8]) -> Output {
    use std::io::Write;

    let mut command = command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may not want to read all of it.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

#[track_caller]
fn done(output: &Output) -> String {
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[track_caller]
fn check_refused(output: &Output, code: i32, fragment: &str) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(message.contains(fragment), "\"{fragment}\" is not in: {message}");
}

const EVENTS: &str = concat!(
    r#"{"t":0.0,"event":"assign","learner":0,"task":0,"version":0,"batch":[1,2]}"#,
    "\n",
    r#"{"t":0.5,"event":"push","learner":0,"task":0,"version":0,"verdict":"accept","loss":2.3}"#,
    "\n",
    r#"{"t":0.5,"event":"update","version":1,"k":1}"#,
    "\n",
);

#[test]
fn the_mark_before_a_text_is_no_part_of_it_and_utf_16_is_named() {
    let folder = tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let texts =
        [("trace.csv", "0.5\n1.5\n"), ("events.jsonl", EVENTS), ("race.toml", "learners = 3")];
    let reads = |name: &str| -> Result<(), String> {
        let file = path(name);
        let shown = file.to_str().unwrap();
        let output = match name {
            "trace.csv" => {
                Trace::read(&file).map_err(|error| error.to_string())?;
                command(&["simulate", "async", "--delay", &format!("trace:{shown}")]).output()
            }
            "events.jsonl" => {
                read_events(&file).map_err(|error| error.to_string())?;
                command(&["timeline", "--events", shown]).output()
            }
            _ => command(&["simulate", "async", "--config", shown]).output(),
        };
        let output = output.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(name != "race.toml" || !output.status.success() || said.contains("P=3"), "{said}");
        match output.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8(output.stderr).unwrap()),
        }
    };
    for (name, text) in texts {
        for lines in [text.to_owned(), text.replace('\n', "\r\n")] {
            fs::write(path(name), format!("\u{feff}{lines}")).unwrap();
            assert_eq!(reads(name), Ok(()), "{lines:?}");
        }
        let units = |to_bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            "\u{feff}".chars().chain(text.chars()).flat_map(|c| to_bytes(c as u16)).collect()
        };
        for bytes in [units(u16::to_le_bytes), units(u16::to_be_bytes)] {
            fs::write(path(name), bytes).unwrap();
            let message = reads(name).unwrap_err();
            assert!(message.contains(name) && message.contains("it is UTF-16 text"), "{message}");
        }
    }
    // Sums of a data set are text as well.
    let data = small_data();
    let sum = |text: &str| fs::write(data.path().join(mnist::SUMS), text).unwrap();
    sum("\u{feff}");
    let message = mnist::load(data.path()).unwrap_err().to_string();
    assert!(message.contains("has no sum in SHA256SUMS"), "{message}");
}

#[track_caller]
fn trace(text: &str) -> Trace {
    Trace::parse(Path::new("delays.csv"), text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
}

#[test]
fn traces_are_read_as_they_are_written_down() {
    let distribution = trace("0.5\n1.25\n2\n");
    assert_eq!(distribution.distribution(), Some(&[0.5, 1.25, 2.0][..]));
    for text in [
        "0.5\r\n1.25\r\n2\r\n",
        "0.5\n1.25\n2",
        "# seconds\n0.5\n\n  1.25\t\n+2.0\n\n\n",
        "5e-1\n 1.25 \n02.00\n",
    ] {
        assert_eq!(trace(text), distribution, "{text:?}");
    }
    let replay = trace("# learner, seconds\n0,0.5\n1,1\n0 , 0.25\r\n\n");
    assert!(replay.is_replay());
    let fits =
        |learners| Delays::new(Distribution::Trace(replay.clone()), &Slow::default(), learners, 0);
    assert!(fits(2).is_ok());
}

#[test]
fn what_is_no_line_of_a_trace_is_shown_with_its_number() {
    for (text, line, fragments) in [
        ("learner,seconds\n0,1\n", 1, ["a duration", "and not \"learner,seconds\""]),
        ("0.5\nseconds\n", 2, ["a duration", "\"seconds\""]),
        ("0;0,5\n", 1, ["LEARNER,SECONDS", "\"0;0,5\""]),
        ("0;0.5\n", 1, ["a duration", "\"0;0.5\""]),
        ("0\t0.5\n", 1, ["a duration", r#""0\t0.5""#]),
        ("0,1,5\n", 1, ["with a decimal point", "\"0,1,5\""]),
        // Decimal commas.
        ("0,05\n", 1, ["with a decimal point", "\"0,05\""]),
        ("1,25\n0,034\n", 2, ["with a decimal point", "\"0,034\""]),
        ("1\n0,5\n", 2, ["a comma is no decimal point", "\"0,5\""]),
        ("0,5\n\n# a pause\n1\n", 4, ["either every line names its learner", "\"1\""]),
        ("0.5,\n", 1, ["a duration", "\"0.5,\""]),
        ("0.5,1\n", 1, ["a learner is a number", "\"0.5,1\""]),
        ("1.5 s\n", 1, ["a duration", "\"1.5 s\""]),
        ("0x10\n", 1, ["a duration", "\"0x10\""]),
    ] {
        let message = Trace::parse(Path::new("delays.csv"), text).unwrap_err().to_string();
        assert!(message.starts_with(&format!("delays.csv, line {line}: ")), "{message}");
        for fragment in fragments {
            assert!(message.contains(fragment), "\"{fragment}\" is not in: {message}");
        }
    }
    let long = Trace::parse(Path::new("delays.csv"), &"x".repeat(10_000)).unwrap_err().to_string();
    assert!(long.len() < 300 && long.ends_with("xxx\"..."), "{long}");
}

#[test]
fn a_trace_of_more_or_fewer_learners_than_run_is_refused() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("delays.csv");
    let distribution = format!("trace:{}", path.display());
    let cases = [
        ("0,5\n1,2\n0,7\n2,5\n", "delays.csv, line 4: is of learner 2, but the 2 learners"),
        ("0,5\n# a gap\n1,2\n7,7\n5,5\n", "line 4: is of learner 7"),
        ("0,5\n0,7\n", "no duration for learner 1 of 2"),
    ];
    for (text, fragment) in cases {
        fs::write(&path, text).unwrap();
        for name in ["simulate", "timeline", "theory"] {
            let output =
                command(&[name, "async", "-p", "2", "--delay", &distribution]).output().unwrap();
            check_refused(&output, 2, fragment);
            check_refused(&output, 2, "write a point");
        }
        let output =
            command(&["race", "async", "-p", "2", "--delay", &distribution]).output().unwrap();
        check_refused(&output, 2, fragment);
    }
    fs::write(&path, cases[0].0).unwrap();
    done(&command(&["simulate", "async", "-p", "3", "--delay", &distribution]).output().unwrap());
}

/// A small race of one entrant, into `out`.
fn train<'a>(data: &'a Path, out: &'a Path, more: &[&'a str]) -> Vec<&'a str> {
    let flags = "train async --device host --model logistic -p 2 -m 8 --quiet --data";
    let mut arguments: Vec<&str> = flags.split(' ').collect();
    arguments.extend([data.to_str().unwrap(), "--out", out.to_str().unwrap()]);
    arguments.extend(more);
    arguments
}

#[test]
fn a_configuration_from_standard_input_is_that_of_a_file() {
    let (folder, data) = (tempdir().unwrap(), small_data());
    let path = |name: &str| folder.path().join(name);
    let text = "updates = 5\nseed = 3\ndelay = \"uniform:low=1,high=2\"\n";
    fs::write(path("race.toml"), text).unwrap();
    let of_file = path("race.toml");
    let of_file = ["--config", of_file.to_str().unwrap()];
    done(&command(&train(data.path(), &path("file"), &of_file)).output().unwrap());
    done(&piped(&train(data.path(), &path("piped"), &["--config", "-"]), text.as_bytes()));
    let config = |run: &str| fs::read_to_string(path(run).join("config.toml")).unwrap();
    assert_eq!(config("piped"), config("file"));
    assert!(config("piped").contains("seed = 3"));
    let rows =
        |run: &str| read_evaluations(&path(run).join("async/seed-3/evaluations.csv")).unwrap();
    assert_eq!(rows("piped"), rows("file"));
    done(&command(&["report", path("piped").to_str().unwrap()]).output().unwrap());

    for arguments in [&["simulate", "sync"][..], &["advise"], &["estimate", "sync"], &["race"]] {
        let arguments = [arguments, &["--config", "-"]].concat();
        check_refused(
            &piped(&arguments, b"pace = 1"),
            2,
            "standard input: unknown setting \"pace\"",
        );
        check_refused(&piped(&arguments, b"seed ="), 2, "standard input: ");
    }
    let told = done(&piped(&["simulate", "sync", "--config", "-"], b""));
    assert!(told.starts_with("sync, P=8"), "{told}");
}

#[test]
fn standard_input_is_there_once() {
    let both = ["simulate", "async", "--delay", "trace:-", "--config", "-"];
    check_refused(&piped(&both, b"seed = 1\n"), 2, "it was read already");
    check_refused(&piped(&["predict", "--weights", "-", "-"], b""), 2, "standard input");
}

#[test]
fn a_trace_through_a_pipe_is_read_once_and_used() {
    let (folder, data) = (tempdir().unwrap(), small_data());
    let (out, times) = (folder.path().join("run"), b"2.5\n");
    let mut distributions = vec!["trace:-"];
    if cfg!(unix) {
        distributions.push("trace:/dev/stdin");
    }
    for distribution in distributions {
        let told = done(&piped(&["simulate", "async", "-p", "1", "--delay", distribution], times));
        assert!(told.contains("mean update time  2.500000 s"), "{told}");
        let told = done(&piped(&["theory", "async", "-p", "1", "--delay", distribution], times));
        assert!(told.contains("2.5"), "{told}");
    }
    let config = b"delay = \"trace:-\"\nupdates = 4";
    check_refused(&piped(&train(data.path(), &out, &["--config", "-"]), config), 2, "read already");
    let flags = ["--updates", "4", "--evaluate-every", "1", "--delay", "trace:-"];
    let output = piped(&train(data.path(), &out, &flags), times);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("error"), "{output:?}");
    let rows = read_evaluations(&out.join("async/seed-0/evaluations.csv")).unwrap();
    assert_eq!(rows.last().unwrap().t, 5.0);
    check_refused(
        &piped(&["simulate", "async", "--delay", "trace:-"], b"x"),
        2,
        "standard input, line 1",
    );
}

#[test]
fn events_weights_and_pictures_come_through_a_pipe() {
    let folder = tempdir().unwrap();
    let told = done(&piped(&["timeline", "--events", "-"], EVENTS.as_bytes()));
    assert!(told.contains("server"), "{told}");
    let model = Model::new(&Shape::logistic(), 784, 10, 0.0).unwrap();
    let weights = folder.path().join("w.safetensors");
    write_params(&weights, &model, &model.initial(0)).unwrap();
    let picture = folder.path().join("picture.png");
    image::GrayImage::from_fn(60, 60, |x, y| {
        image::Luma([if x / 6 == 5 && y > 9 && y < 50 { 0 } else { 255 }])
    })
    .save(&picture)
    .unwrap();
    let [weights_at, picture_at]: [PathBuf; 2] = [weights, picture];
    let (weights, picture) = (weights_at.to_str().unwrap(), picture_at.to_str().unwrap());
    let classes = |output: Output| {
        let told: serde_json::Value = serde_json::from_str(&done(&output)).unwrap();
        told[0]["probabilities"].clone()
    };
    let of_files =
        classes(command(&["predict", "--json", "--weights", weights, picture]).output().unwrap());
    let read = |file: &str| fs::read(file).unwrap();
    let of_pipe = piped(&["predict", "--json", "--weights", weights, "-"], &read(picture));
    assert_eq!(classes(of_pipe), of_files);
    let of_pipe = piped(&["predict", "--json", "--weights", "-", picture], &read(weights));
    assert_eq!(classes(of_pipe), of_files);
}
