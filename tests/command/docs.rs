//! The commands of README and docs: each is one that there is, and those of the command run, in the
//! order of the page, on less work than they stand for. (`tests/house/examples.rs` runs the examples.)
//! `docs/reference.md` has the help of every command. `UPDATE_EXPECT=1 cargo test --test command docs` writes that part of it anew.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::LazyLock,
};

use clap::{CommandFactory, Parser};
use tempfile::{TempDir, tempdir};
use tortoise::cli::Cli;

use crate::{adapter::gpu, small_data::first_images};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// What the commands stand below in the reference; what is above it is written by hand.
const HEADING: &str = "## Commands and their options\n";

/// Options that make a command quick, each for the commands that take it.
const LESS: [(&str, &str, &[&str]); 6] = [
    ("--device", "host", &["race", "train", "estimate", "advise"]),
    ("--model", "logistic", &["race", "train", "estimate", "advise", "kernels"]),
    ("--minibatch", "8", &["race", "train", "estimate", "advise", "kernels"]),
    ("--learners", "4", &["race", "train", "estimate", "theory"]),
    ("--pilot", "60", &["advise"]),
    ("--repetitions", "2", &["advise"]),
];
/// What an option is made to be where it stands in a line.
const SHORTER: [(&str, &str); 5] = [
    ("--device", "host"),
    ("--evaluate-every", "0.1"),
    ("--seeds", "2"),
    ("--shaders", concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/lanes")),
    ("--target", "0.9"),
];

fn tortoise(arguments: &[&str], folder: &Path) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tortoise"));
    static DATA: LazyLock<TempDir> = LazyLock::new(first_images);
    command.args(arguments).current_dir(folder).env("TORTOISE_DATA", DATA.path());
    command.output().unwrap()
}

/// README, CONTRIBUTING and docs, without what is generated.
fn pages() -> Vec<(PathBuf, String)> {
    let mut paths = vec!["README.md".into(), "CONTRIBUTING.md".into()];
    for entry in fs::read_dir(Path::new(ROOT).join("docs")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "md") {
            paths.push(path);
        }
    }
    let read = |path: PathBuf| {
        let text = fs::read_to_string(Path::new(ROOT).join(&path)).unwrap();
        let by_hand = text.split_once(HEADING).map(|(by_hand, _)| by_hand.to_owned());
        (path, by_hand.unwrap_or(text))
    };
    paths.into_iter().map(read).collect()
}

/// The lines of a page that are commands of `program`, without what follows a `#`.
fn commands<'t>(text: &'t str, program: &str) -> Vec<Vec<&'t str>> {
    let words = |line: &'t str| line.split_whitespace().take_while(|word| *word != "#").collect();
    let lines = text.lines().filter(|line| line.starts_with("    "));
    let all = lines.map(words);
    all.filter(|words: &Vec<_>| words.first() == Some(&program)).collect()
}

#[test]
fn every_command_of_the_pages_is_one_that_there_is() {
    let mut count = 0;
    for (path, text) in pages() {
        for words in commands(&text, "tortoise") {
            if let Err(error) = Cli::try_parse_from(&words) {
                panic!("{}: {words:?}: {error}", path.display());
            }
            count += 1;
        }
        for words in commands(&text, "cargo") {
            for (option, folder) in
                [("--bench", "benches"), ("--test", "tests"), ("--example", "examples")]
            {
                let named = words.iter().position(|word| *word == option);
                if let Some(name) = named.map(|at| words[at + 1]).filter(|name| *name != "NAME") {
                    let file = Path::new(ROOT).join(folder).join(name);
                    let exists =
                        file.with_extension("rs").exists() || file.join("main.rs").exists();
                    assert!(exists, "{}: {words:?}", path.display());
                }
            }
        }
    }
    assert!(count > 10, "{count} commands");
}

/// The same command on less work.
fn shorter<'w>(words: &[&'w str]) -> Vec<&'w str> {
    let mut words = words.to_vec();
    for at in 1..words.len() {
        if let Some((_, value)) = SHORTER.iter().find(|(option, _)| *option == words[at - 1]) {
            words[at] = value;
        }
    }
    let races = ["race", "train", "estimate"].contains(&words[0]);
    if let Some(at) = words.iter().position(|word| *word == "--budget") {
        words[at + 1] = if words[0] == "resume" { "3" } else { "0.5" };
    } else if races && !words.contains(&"--updates") {
        words.extend(["--budget", "1"]);
    }
    // Shaders run on an adapter.
    let shaders = words.contains(&"--shaders");
    if shaders {
        words.extend(["--kernels", "lanes"]);
    }
    for (option, value, takers) in LESS {
        let host = shaders && option == "--device";
        if takers.contains(&words[0]) && !words.contains(&option) && !host {
            words.extend([option, value]);
        }
    }
    words
}

#[track_caller]
fn succeeds(words: &[&str], folder: &Path) {
    let output = tortoise(words, folder);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "tortoise {}: {said}", words.join(" "));
    assert!(!output.stdout.is_empty(), "tortoise {}", words.join(" "));
}

#[test]
fn the_commands_of_the_readme_run_in_turn() {
    let folder = tempdir().unwrap();
    let (_, text) = pages().swap_remove(0);
    // What the page starts with is run through cargo.
    let first = shorter(&["race"]);
    let mut all = vec![first];
    all.extend(commands(&text, "tortoise").iter().map(|words| shorter(&words[1..])));
    assert!(all.len() > 5, "{all:?}");
    for words in all {
        succeeds(&words, folder.path());
    }
    assert!(folder.path().join("runs/race-1/report.html").exists());
}

#[test]
fn the_commands_of_the_docs_run() {
    let mut count = 0;
    for (_, text) in pages().split_off(1) {
        // Only those of a paragraph belong together.
        for paragraph in text.split("\n\n") {
            let folder = tempdir().unwrap();
            for words in commands(paragraph, "tortoise") {
                let adapter = words[1] == "kernels" || words.contains(&"--shaders");
                if adapter && gpu().is_none() {
                    continue;
                }
                if words.contains(&"runs/race-1") && !folder.path().join("runs/race-1").exists() {
                    succeeds(&shorter(&["race"]), folder.path());
                }
                succeeds(&shorter(&words[1..]), folder.path());
                count += 1;
            }
        }
    }
    assert!(count > 10, "{count} commands");
}

/// The help of a command, of which `words` are the name.
fn help(words: &[&str], text: &mut String) {
    let output = tortoise(&[words, &["--help"]].concat(), Path::new(ROOT));
    let help = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    let (name, lines) = (words.join(" "), lines.join("\n"));
    let _ = write!(text, "\n### tortoise {name}\n\n```text\n{}\n```\n", lines.trim_end());
}

#[test]
fn the_reference_has_the_help_of_every_command() {
    let mut text = String::new();
    for command in Cli::command().get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = command.get_name();
        help(&[name], &mut text);
        for inner in command.get_subcommands() {
            help(&[name, inner.get_name()], &mut text);
        }
    }
    let path = Path::new(ROOT).join("docs/reference.md");
    let written = fs::read_to_string(&path).unwrap();
    let (by_hand, generated) = written.split_once(HEADING).expect("the heading is there");
    if env::var_os("UPDATE_EXPECT").is_some() {
        return fs::write(&path, format!("{by_hand}{HEADING}{text}")).unwrap();
    }
    assert!(generated == text, "run UPDATE_EXPECT=1 cargo test --test command docs");
}
