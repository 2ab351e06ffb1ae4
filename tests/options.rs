//! Every option of every command is used or refused: what it changes, or why it is not taken; wrong
//! numbers are told what they may be; and what the help calls the default is the default.

#[path = "common/small_data.rs"]
mod small_data;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use clap::{Arg, CommandFactory};
use tempfile::{TempDir, tempdir};
use tortoise::cli::{Cli, check_config};

use crate::small_data::small_data;

/// The options of commands that train, each with a value that another result comes of, or with why it
/// is refused here. `DATA` is a folder with data, `FILE` a configuration, `OUT` a new folder. What
/// follows a `~` is where else the option is looked at.
const TRAINING: &[&str] = &[
    "--model mlp:3",
    "--minibatch 5",
    "--learning-rate 0.3",
    "--rate-rule inverse-staleness",
    "--l2 0.1",
    "--learners 3",
    "--delay constant:1",
    "--slow 1=2",
    "--cancel on-arrival",
    "--seed 1",
    "--device 77 ! 77",
    "--kernels lanes ! the host engine has no kernels",
    "--queues 1",
    "--data DATA",
    "--config FILE",
    "--json",
    "--quiet",
    "--plain --quiet ! cannot be used with",
    "--clock real",
];
const RUNS: &[&str] = &[
    "--out OUT",
    "--budget 0.5",
    "--updates 3",
    "--evaluate-every 1",
    "--adasync-every 5 ! no entrant follows the loss",
    "--isolate ! --isolate needs --clock real",
    "--on-loss shrink ! no learner is lost without --chaos",
    "--restarts 1 ! no learner is lost without --chaos",
    "--quorum 2 ! no learner is lost without --chaos",
    "--patience 3 ! no learner is lost without --chaos",
    "--non-finite reject",
    "--chaos 7",
    "--events",
    "--tensorboard",
];
const RACES: &[&str] = &["--checkpoint-every 5", "--seeds 2", "--targets 0.1", "--estimate"];
const ESTIMATES: &[&str] = &["--checkpoint-every 5 ! has no checkpoints"];
const ADVICE: &[&str] = &[
    "--target 2.2",
    "--budget 5",
    "--constants L=1,c=0.1,sigma2=1,gap=9 ! cannot be used with",
    "--pilot 12",
    "--repetitions 2",
    "--follow --out OUT",
    "--seeds 2 ! give --follow as well",
    "--out OUT ! give --follow as well",
    "--events ! give --follow as well",
    "--tensorboard ! give --follow as well",
    "--checkpoint-every 5 ! give --follow as well",
];

/// A command, the words that follow it in all calls, and its options.
const COMMANDS: &[(&str, &str, &[&[&str]])] = &[
    ("race", "k-sync:1 RUN", &[TRAINING, RUNS, RACES]),
    ("train", "k-sync:1 RUN", &[TRAINING, RUNS, RACES]),
    ("estimate", "k-sync:1 RUN", &[TRAINING, RUNS, ESTIMATES]),
    ("advise", "sync async ADVICE", &[TRAINING, ADVICE]),
    (
        "simulate",
        "k-sync:1 --updates 100 -p 2",
        &[&[
            "--learners 3",
            "--delay constant:1",
            "--slow 1=2",
            "--cancel on-arrival",
            "--updates 101",
            "--warm-up 3",
            "--seed 1",
            "--config FILE",
            "--json",
        ]],
    ),
    (
        "timeline",
        "k-sync:1 -p 2",
        &[&[
            "--learners 3",
            "--delay constant:1",
            "--slow 1=2",
            "--cancel on-arrival",
            "--seed 1",
            "--updates 5",
            "--events FILE ! cannot be used with",
            "--from 0.5",
            "--until 0.5",
            "--out OUT.svg",
            "--width 50",
        ]],
    ),
    (
        "theory",
        "k-sync:2 -p 3",
        &[&[
            "--learners 4",
            "--delay constant:1",
            "--slow 1=2",
            "--cancel on-arrival",
            "--out OUT ! leave the entrant out",
            "--smoothness 2 ! leave the entrant out",
            "--convexity 0.2 ! leave the entrant out",
            "--variance 2 ! leave the entrant out",
            "--gradient-variance 2 ! leave the entrant out",
            "--initial-gap 2 ! leave the entrant out",
            "--gamma 0.2 ! leave the entrant out",
            "--learning-rate 0.2 ! leave the entrant out",
            "--minibatch 2 ! leave the entrant out",
            "--json",
        ]],
    ),
    ("devices", "--data nowhere", &[&["--data DATA", "--json"]]),
    ("kernels list", "", &[&["--json"]]),
    (
        "kernels check",
        "",
        &[&[
            "--device host ! no GPU adapter",
            "--kernels none ! kernel family",
            "--shaders nowhere ~ tests/kernels_command.rs",
            "--json ~ tests/kernels_command.rs",
        ]],
    ),
    (
        "kernels bench",
        "",
        &[&[
            "--device host ! no GPU adapter",
            "--kernels none ! kernel family",
            "--shaders nowhere ~ tests/kernels_command.rs",
            "--model none ! unknown model",
            "--minibatch 0 ! from 1 to 60000",
            "--picture OUT.svg ~ tests/kernels_command.rs",
            "--json ~ tests/kernels_command.rs",
        ]],
    ),
    ("completions", "bash", &[]),
    // They look at a race.
    ("resume", "RACE", &[&["--json", "--quiet ~ tests/resume.rs", "--plain ~ tests/dashboard.rs"]]),
    ("report", "RACE", &[&["--out OUT"]]),
    (
        "predict",
        "docs/nothing.png --weights WEIGHTS",
        &[&[
            "--weights nowhere",
            "--device 77 ! 77",
            "--kernels lanes ! the host engine has no kernels",
            "--json",
            "--show ~ tests/predict.rs",
        ]],
    ),
    (
        "show",
        "--weights WEIGHTS --data DATA --out OUT",
        &[&[
            "--weights nowhere ! nowhere",
            "--device 77 ! 77",
            "--kernels lanes ! the host engine has no kernels",
            "--data nowhere ! nowhere",
            "--out RACE ! not empty",
            "--json",
        ]],
    ),
];

/// In place of `RUN` and `ADVICE`.
const RUN: &str = "--model logistic -p 2 -m 4 --updates 2 --device host --data SMALL --out OUT";
const ADVISED: &str = "--model logistic -p 2 -m 4 --pilot 10 --repetitions 1 --device host \
                       --data SMALL --target 2";

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

fn refused(arguments: &[&str]) -> String {
    let folder = tempdir().unwrap();
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tortoise"));
    let output = command.args(arguments).current_dir(folder.path()).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {message}");
    assert!(message.starts_with("error: "), "{arguments:?}: {message}");
    message
}

#[test]
fn an_option_is_suggested_by_what_it_means() {
    for (arguments, suggestion) in [
        ("race --lr 0.1", "'--learning-rate'"),
        ("race -lr 0.1", "'--learning-rate'"),
        ("race --learning_rate 0.1", "'--learning-rate'"),
        ("race --batch-size 32", "'--minibatch'"),
        ("race --workers=4", "'--learners'"),
        ("race -n 4", "'--learners'"),
        ("train async --epochs 3", "'--updates'"),
        ("race --timeout 3", "'--budget'"),
        ("race -o runs", "'--out'"),
        ("race --gpu 0", "'--device'"),
        ("race --weight-decay 0.1", "'--l2'"),
        ("race --stragglers 0=3", "'--slow'"),
        ("race --target 0.3", "'--targets'"),
        ("advise --targets 0.3", "'--target'"),
        ("advise --steps 100 --target 1", "'--pilot'"),
        ("predict --model final.safetensors 3.png", "'--weights'"),
        ("race --momentum 0.9", "updates are plain SGD"),
        ("race --resume", "tortoise resume DIR"),
        ("estimate async --seeds 3", "tortoise race --estimate"),
        ("advise --chaos 7 --target 1", "without faults"),
        ("theory --updates 3", "an option of race, train, simulate, timeline and estimate"),
        ("bench", "'kernels bench'"),
        ("doctor", "'devices'"),
        ("infer", "'predict'"),
        ("race ssgd", "did you mean \"sync\""),
        ("race K_Sync:3", "did you mean \"k-sync\""),
        ("race hogwild", "did you mean \"async\""),
        ("race --delay exp:mean=1", "did you mean \"exponential\""),
        ("race --delay normal:mean=1", "there is no such law"),
        ("race --rate-rule exponential", "did you mean \"decay\""),
        ("race --clock wall", "a similar value exists: 'real'"),
    ] {
        let message = refused(&arguments.split(' ').collect::<Vec<_>>());
        assert!(message.contains(suggestion), "{arguments}: {message}");
        assert!(message.matches("tip:").count() <= 1, "{arguments}: {message}");
    }
    for (setting, suggestion) in
        [("lr = 0.1", "learning-rate"), ("batch_size = 64", "minibatch"), ("rng = 3", "seed")]
    {
        let error = check_config(Path::new("race.toml"), setting).unwrap_err().to_string();
        let hint = format!("did you mean \"{suggestion}\"?");
        assert!(error.starts_with("race.toml: ") && error.ends_with(&hint), "{error}");
    }
}

/// What no number of an option may be; of whole numbers only, of others only, of all.
const NOT_WHOLE: [&str; 4] = ["18446744073709551615", "1e3", "1.5", "99999999999999999999"];
const NOT_FINITE: [&str; 3] = ["1e400", "-1e400", "nan"];
const NO_NUMBER: [&str; 5] = ["", "many", "0x10", "1_000", "-1"];

#[test]
fn a_wrong_number_is_told_its_option_and_what_it_may_be() {
    let run = "learners minibatch seed queues updates restarts quorum seeds : learning-rate l2 budget \
               evaluate-every adasync-every patience checkpoint-every targets";
    let bounds = "learners minibatch : smoothness convexity variance gradient-variance initial-gap \
                  gamma learning-rate";
    for (command, options) in [
        ("race", run),
        ("simulate sync", "learners updates warm-up seed :"),
        ("timeline", "learners seed updates width : from until"),
        ("theory", bounds),
        ("advise", "pilot repetitions : target budget"),
        ("kernels bench", "minibatch :"),
    ] {
        let (whole, others) = options.split_once(':').unwrap();
        let kinds = [(whole, &NOT_WHOLE[..]), (others, &NOT_FINITE)];
        for (names, wrong) in kinds {
            for (name, value) in names
                .split_whitespace()
                .flat_map(|name| NO_NUMBER.iter().chain(wrong).map(move |value| (name, *value)))
            {
                let option = format!("--{name}");
                let words: Vec<&str> = command.split(' ').chain([&*option, value]).collect();
                let message = refused(&words);
                assert!(message.contains(&option), "{words:?}: {message}");
                assert!(message.contains("must be"), "{words:?}: {message}");
            }
        }
    }
    let short = refused(&["race", "-m", "18446744073709551615"]);
    assert!(short.contains("'-m, --minibatch <M>': it must be a whole number from 1"), "{short}");
}

#[test]
fn a_wrong_number_of_a_file_is_told_its_file_and_its_setting() {
    for (setting, fragment) in [
        ("minibatch = 0", "--minibatch (m) must be at least 1"),
        ("learners = -1", "expected a whole number from 0 on in `learners`"),
        ("learners = 1.5", "expected a whole number from 0 on in `learners`"),
        ("budget = 1e400", "budget"),
        ("budget = 1e-320", "--budget must be seconds above 0, from 1e-9"),
        ("l2 = \"much\"", "expected a number in `l2`"),
        ("model = \"mlp:1000000000\"", ""),
        ("entrants = [\"k-sync\", \"k-sync:4\"]", "k-sync:4 is named twice"),
    ] {
        let checked = check_config(Path::new("race.toml"), setting);
        if fragment.is_empty() {
            // Refused when the data are known.
            assert!(checked.is_ok());
            continue;
        }
        let error = checked.unwrap_err().to_string();
        assert!(error.starts_with("race.toml: ") && error.contains(fragment), "{setting}: {error}");
    }
}

#[test]
fn no_message_and_no_table_has_hundreds_of_digits() {
    let nines = "9".repeat(400);
    for words in [
        vec!["race", "--delay", "exponential:mean=1e300"],
        vec!["race", "--budget", "1e-320"],
        vec!["race", "-m", &nines],
        vec!["race", &format!("k-sync:{nines}")],
        vec!["race", &nines],
        vec!["race", "--model", &format!("mlp:{nines}")],
        vec!["race", "--rate-rule", &format!("compensated:c={nines}x")],
        vec![&*nines],
        vec!["theory", "--learning-rate", "-1e300"],
    ] {
        let message = refused(&words);
        let longest = message.split_whitespace().map(str::len).max();
        assert!(longest < Some(100), "{message}");
    }
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tortoise"));
    let tables = command.args("theory -p 2 --delay constant:1 --initial-gap 1e300".split(' '));
    let tables = tables.args(["--learning-rate", "1e-300"]).output().unwrap();
    let tables = String::from_utf8(tables.stdout).unwrap();
    assert!(tables.contains("F(w_0)-F*=1e300") && tables.contains("rate 1e-300"), "{tables}");
    let whole = check_config(Path::new("race.toml"), "learning-rate = 1e-300").unwrap();
    let whole: toml::Table = whole.parse().unwrap();
    assert_eq!(whole["learning-rate"].as_float(), Some(1e-300));
}

#[test]
fn the_help_of_a_race_has_the_defaults_that_hold() {
    let whole: toml::Table = check_config(Path::new("none.toml"), "").unwrap().parse().unwrap();
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
