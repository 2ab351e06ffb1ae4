//! Every option of every command is used or refused: what it changes, or why it is not taken; wrong
//! numbers are told what they may be; and what the help calls the default is the default.

mod table;
mod wording;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use clap::{Arg, CommandFactory};
use tempfile::{TempDir, tempdir};
use tortoise::cli::{Cli, check_config};

use self::table::{ADVISED, COMMANDS, RUN};
use crate::small_data::small_data;

/// Folders and files that the calls name.
struct Place {
    root: TempDir,
    small: TempDir,
    data: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { root: tempdir().unwrap(), small: small_data(), data: small_data() };
        fs::write(place.root.path().join("file.toml"), "delay = \"uniform:low=0,high=2\"").unwrap();
        let made = place.call("race", &format!("sync {RUN}"), Some(&place.race()));
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        place
    }

    fn race(&self) -> PathBuf {
        self.root.path().join("race")
    }

    /// Calls a command; the last of each option counts.
    fn call(&self, command: &str, arguments: &str, out: Option<&Path>) -> Output {
        let out = out.map_or_else(|| self.root.path().join("out"), Path::to_owned);
        for old in [out.clone(), out.with_extension("svg")] {
            let _ = if old.is_dir() { fs::remove_dir_all(&old) } else { fs::remove_file(&old) };
        }
        let mut words: Vec<String> = Vec::new();
        for word in arguments.split_whitespace() {
            let path = |path: &Path| path.to_str().unwrap().to_owned();
            let word = match word {
                "DATA" => path(self.data.path()),
                "SMALL" => path(self.small.path()),
                "FILE" => path(&self.root.path().join("file.toml")),
                "RACE" => path(&self.race()),
                "WEIGHTS" => path(&self.race().join("sync/seed-0")),
                "OUT" => path(&out),
                "OUT.svg" => path(&out.with_extension("svg")),
                other => other.to_owned(),
            };
            words.push(word);
        }
        let mut tortoise = Command::new(assert_cmd::cargo::cargo_bin!("tortoise"));
        tortoise.args(command.split(' ')).args(once_each(words));
        tortoise.current_dir(self.root.path()).env_remove("TORTOISE_DATA");
        tortoise.output().unwrap()
    }

    /// What came of a call, but for what differs from time to time: what was said, and what lies in
    /// the folder that it wrote to.
    fn outcome(&self, command: &str, arguments: &str) -> (Output, Vec<String>) {
        let output = self.call(command, arguments, None);
        let out = self.root.path().join("out");
        let mut seen = vec![
            String::from_utf8_lossy(&output.stderr).lines().count().to_string(),
            output.status.to_string(),
        ];
        // A race tells how long it computed.
        let timed = ["race", "train", "resume"].contains(&command);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        seen.push(if timed { said.starts_with('{').to_string() } else { said });
        let mut files = Vec::new();
        list(&out, &mut files);
        files.sort();
        seen.extend(files.iter().map(|file| file.display().to_string()));
        seen.push(fs::read_to_string(out.join("config.toml")).unwrap_or_default());
        (output, seen)
    }
}

/// The words without an option that comes again later, since no option may be given twice.
fn once_each(words: Vec<String>) -> Vec<String> {
    let short = |word: &str| match word {
        "-p" => "--learners".to_owned(),
        "-m" => "--minibatch".to_owned(),
        word => word.to_owned(),
    };
    let mut groups: Vec<Vec<String>> = vec![Vec::new()];
    for word in words {
        if word.starts_with('-') {
            let name = short(&word);
            groups.retain(|group| group.first() != Some(&name));
            groups.push(vec![name]);
        } else {
            groups.last_mut().unwrap().push(word);
        }
    }
    groups.concat()
}

fn list(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() { list(&path, found) } else { found.push(path) }
    }
}

/// The commands that a user sees, by their whole names, with their options.
fn commands() -> BTreeMap<String, Vec<String>> {
    fn collect(command: &clap::Command, name: &str, all: &mut BTreeMap<String, Vec<String>>) {
        let inner: Vec<_> =
            command.get_subcommands().filter(|inner| !inner.is_hide_set()).collect();
        if inner.is_empty() {
            let longs = command.get_arguments().filter_map(Arg::get_long);
            let longs = longs.filter(|long| !["help", "version"].contains(long));
            all.insert(name.to_owned(), longs.map(|long| format!("--{long}")).collect());
        }
        for command in inner {
            let name = format!("{name} {}", command.get_name());
            collect(command, name.trim(), all);
        }
    }
    let mut all = BTreeMap::new();
    collect(&Cli::command(), "", &mut all);
    all
}

#[test]
fn every_option_of_every_command_changes_something_or_is_refused() {
    let (place, mut commands) = (Place::new(), commands());
    // A race of one entrant, and one run of it that estimates: the same options of the same run.
    let race = commands["race"].clone();
    assert_eq!(commands.remove("train"), Some(race.clone()));
    let of_races = ["--seeds", "--tune", "--targets", "--estimate"];
    let of_one = race.into_iter().filter(|option| !of_races.contains(&&**option)).collect();
    assert_eq!(commands.remove("estimate"), Some(of_one));
    let estimate = place.call("estimate", &format!("async {RUN} --checkpoint-every 5"), None);
    assert_eq!(estimate.status.code(), Some(2), "it keeps no checkpoints");
    for (command, base, options) in COMMANDS {
        let base = base.replace("RUN", RUN).replace("ADVICE", ADVISED);
        let mut known = commands.remove(*command).unwrap_or_else(|| panic!("no {command}"));
        let (_, plain) = place.outcome(command, &base);
        for option in options.iter().copied().flatten() {
            let name = option.split(' ').next().unwrap();
            let at = known.iter().position(|known| known == name);
            known.remove(
                at.unwrap_or_else(|| panic!("{command} has no {name}, or it is here twice")),
            );
            if option.contains('~') {
                continue;
            }
            let (arguments, reason) = match option.split_once(" ! ") {
                Some((arguments, reason)) => (arguments, Some(reason)),
                None => (*option, None),
            };
            let more = format!("{base} {arguments}");
            let (output, seen) = place.outcome(command, &more);
            let message = String::from_utf8_lossy(&output.stderr);
            let Some(reason) = reason else {
                assert!(
                    command == &"predict" || command == &"devices" || output.status.success(),
                    "{command} {arguments}: {message}"
                );
                let given = base.contains(name) && arguments.contains("OUT");
                let wrote = given && seen.iter().any(|seen| seen.contains("out/"));
                assert!(seen != plain || wrote, "{command} {arguments}: no difference");
                continue;
            };
            let refused = [Some(2), Some(3), Some(4), Some(1)].contains(&output.status.code());
            assert!(refused && message.contains(reason), "{command} {arguments}: {message}");
        }
        assert!(known.is_empty(), "{command}: nobody looks at {known:?}");
    }
    assert!(commands.is_empty(), "nobody looks at {commands:?}");
}

#[test]
fn the_help_of_a_race_has_the_defaults_that_hold() {
    let whole: toml::Table =
        check_config(Path::new("none.toml"), "entrants = [\"sync\"]").unwrap().parse().unwrap();
    let command = Cli::command();
    let race = command.find_subcommand("race").unwrap();
    let mut told = 0;
    for option in race.get_arguments() {
        let help = [option.get_help(), option.get_long_help()];
        let help = help.into_iter().flatten().map(ToString::to_string).collect::<Vec<_>>();
        let Some(value) = option.get_long().and_then(|long| whole.get(long)) else { continue };
        let value = match value {
            toml::Value::String(text) => text.clone(),
            toml::Value::Array(values) => {
                values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
            }
            toml::Value::Float(number) => number.to_string(),
            // What is off is not said.
            toml::Value::Boolean(false) => continue,
            other => other.to_string(),
        };
        // What follows from the budget is said in words.
        let value = if option.get_id() == "evaluate_every" { "a fifteenth of" } else { &*value };
        let said = |text: &String| text.contains(&format!("[default: {value}"));
        assert!(!help.is_empty() && help.iter().all(said), "{}: {help:?}", option.get_id());
        told += 1;
    }
    assert!(told > 15, "{told}");
}

#[test]
fn without_a_number_k_is_half_of_the_learners_wherever_an_entrant_is_named() {
    let place = Place::new();
    for (learners, k) in [(1, 1), (3, 2), (8, 4)] {
        for variant in ["k-sync", "k-batch-sync", "k-async", "k-batch-async"] {
            let text = format!("learners = {learners}\nentrants = [\"{variant}\"]");
            let whole: toml::Table = check_config(Path::new("k"), &text).unwrap().parse().unwrap();
            assert_eq!(whole["entrants"][0].as_str(), Some(&*format!("{variant}:{k}")));
            for command in ["simulate --updates 10", "theory", "timeline"] {
                let output = place.call(command, &format!("{variant} -p {learners}"), None);
                let said = String::from_utf8(output.stdout).unwrap();
                assert!(said.starts_with(&format!("{variant}:{k}, P={learners}")), "{said}");
            }
        }
    }
    for command in ["race", "train", "estimate"] {
        let output = place.call(command, &format!("k-async {RUN} -p 3"), None);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(place.root.path().join("out/k-async-2/seed-0/final.safetensors").is_file());
    }
    let advised = place.call("advise", &format!("k-batch-sync {ADVISED} --json"), None);
    assert!(String::from_utf8(advised.stdout).unwrap().contains("\"k-batch-sync:1\""));
}

#[test]
fn theory_writes_where_it_is_told_to_and_nowhere_else() {
    let folder = tempdir().unwrap();
    let theory = |more: &str| {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tortoise"));
        let words = "theory -p 2 --delay constant:1".split(' ').chain(more.split_whitespace());
        command.args(words).current_dir(folder.path()).output().unwrap()
    };
    assert!(theory("").status.success() && theory("--json").status.success());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(theory("--out tables").status.success());
    assert!(folder.path().join("tables/speed-up.svg").is_file());
}
