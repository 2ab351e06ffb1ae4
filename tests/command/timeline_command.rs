//! `tortoise timeline` as a user meets it, and the pictures of `docs/timelines`, which are what it
//! draws. `UPDATE_EXPECT=1 cargo test --test command timeline` draws them anew.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use expect_test::expect_file;
use tempfile::tempdir;

fn tortoise(arguments: &str) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tortoise"));
    command.args(arguments.split_whitespace()).current_dir(env!("CARGO_MANIFEST_DIR"));
    for variable in ["TORTOISE_DATA", "CLICOLOR", "CLICOLOR_FORCE", "NO_COLOR"] {
        command.env_remove(variable);
    }
    command
}

#[track_caller]
fn stdout(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

#[test]
fn the_pictures_of_the_documentation_are_what_the_command_draws() {
    let folder = tempdir().unwrap();
    for entrant in ["sync", "k-sync:2", "k-batch-sync:2", "async", "k-async:2", "k-batch-async:2"] {
        let name = entrant.trim_end_matches(":2");
        let out = folder.path().join(name).with_extension("svg");
        let drawing = "-p 3 --delay trace:docs/timelines/delays.csv --until 7.6 --width 480 --out";
        let said = stdout(tortoise(&format!("timeline {entrant} {drawing}")).arg(&out));
        assert_eq!(said, format!("{}\n", out.display()));
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/timelines");
        expect_file![docs.join(name).with_extension("svg")]
            .assert_eq(&fs::read_to_string(&out).unwrap());
    }
}

#[test]
fn entrants_are_drawn_over_the_same_time() {
    let text = stdout(&mut tortoise("timeline --width 60"));
    let blocks: Vec<&str> = text.split("\n\n").collect();
    assert_eq!(blocks.len(), 6);
    let axis =
        |block: &str| block.lines().find(|line| line.starts_with("run time")).unwrap().to_owned();
    for block in &blocks {
        assert_eq!(axis(block), axis(blocks[0]));
        assert!(block.lines().filter(|line| line.starts_with("learner")).count() == 4);
        let drawn = block.lines().take(6);
        assert!(drawn.into_iter().all(|line| line.chars().count() <= 60), "{block}");
    }
    assert!(blocks[0].starts_with("sync, P=4\n") && blocks[0].contains("●w1"));
    assert!(!text.contains('\u{1b}'), "what is no terminal gets no colours");
    let coloured = stdout(tortoise("timeline async").env("CLICOLOR_FORCE", "1"));
    assert!(coloured.contains("\u{1b}["));
}

#[test]
fn a_recorded_run_is_drawn_as_it_was() {
    let folder = tempdir().unwrap();
    let run = folder.path().join("run");
    let train =
        "train k-async:2 --device host --model logistic -p 3 --updates 8 --events --quiet --out";
    stdout(tortoise(train).arg(&run));
    let run = run.join("k-async-2/seed-0");
    let drawn = |more: &str, file: &str| {
        let text =
            stdout(tortoise(&format!("timeline --width 90 {more} --events")).arg(run.join(file)));
        text.split_once('\n').unwrap().1.to_owned()
    };
    let simulated = stdout(&mut tortoise("timeline k-async:2 -p 3 --updates 8 --width 90"));
    assert_eq!(drawn("", "timeline.jsonl"), simulated.split_once('\n').unwrap().1);
    assert_eq!(drawn("", "events.jsonl"), drawn("", "timeline.jsonl"));
    let part = drawn("--from 1 --until 2", "events.jsonl");
    assert!(part.contains("1.0 s") && part.contains("1.5 s") && !part.contains("0.5 s"), "{part}");
    for form in ["json", "png", "svg"] {
        let out = folder.path().join("picture").with_extension(form);
        let mut command = tortoise("timeline --events");
        stdout(command.arg(run.join("timeline.jsonl")).arg("--out").arg(&out));
        let bytes = fs::read(out).unwrap();
        match form {
            "json" => drop(serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()),
            "png" => assert!(image::load_from_memory(&bytes).unwrap().width() == 1120),
            _ => assert!(bytes.starts_with(b"<svg")),
        }
    }
}

#[test]
fn what_cannot_be_drawn_is_refused_with_code_2_and_the_reason() {
    let folder = tempdir().unwrap();
    let events = folder.path().join("events.jsonl");
    fs::write(&events, "j,t\n").unwrap();
    let events = events.to_str().unwrap();
    for (arguments, fragment) in [
        ("k-sync:adasync", "changes K with the training loss"),
        ("k-sync:5", "K must be at most P = 4"),
        ("async -p 0", "--learners (P) must be from 1"),
        ("async --updates 0", "--updates must be at least 1"),
        ("async --until 0", "--until must be later than --from"),
        ("async --until NaN", "--until must be from 0 to 1e9 seconds"),
        ("async --from=-1", "--from must be from 0 to 1e9 seconds"),
        ("async --from 1e7", "async, P=4: the timeline ends at"),
        ("async --until 1e9", "at most 100000 events"),
        ("async --slow 7=2", "learner 7, but the 4 learners count from 0"),
        ("async --width 3", "--width must be from 24"),
        ("async --out x.gif", "--out x.gif must end in one of .svg, .png, .json"),
        ("async --out nowhere/x.svg --width 9", "from 200 to 20000 pixels"),
        ("--out x.svg", "--out draws one entrant"),
        (&format!("async --events {events}"), "cannot be used with"),
        (&format!("--events {events} --seed 1"), "cannot be used with"),
        (&format!("--events {events}"), "events.jsonl, line 1: is not an event of a run"),
    ] {
        let output = tortoise(&format!("timeline {arguments}")).output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {message}");
        assert!(message.contains(fragment), "\"{fragment}\" is not in: {message}");
        assert!(output.stdout.is_empty());
    }
    let missing = tortoise("timeline --events tests/nowhere").output().unwrap();
    assert_eq!(missing.status.code(), Some(1));
}
