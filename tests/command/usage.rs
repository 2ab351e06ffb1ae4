//! How the command fits the hand: its help and the examples in it, what a configuration file may hold,
//! what a shell completes, when it is coloured, and what `devices` says of a machine.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use clap::{CommandFactory, Parser};
use serde_json::Value;
use tempfile::tempdir;
use tortoise::cli::{Cli, check_config};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn tortoise(arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tortoise"));
    command.args(arguments).current_dir(ROOT).env_remove("TORTOISE_DATA");
    for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command
}

fn run(arguments: &[&str]) -> Output {
    tortoise(arguments).output().unwrap()
}

#[track_caller]
fn stdout(output: &Output) -> &str {
    assert!(output.status.success(), "{}", stderr(output));
    std::str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    std::str::from_utf8(&output.stderr).unwrap()
}

#[track_caller]
fn fails(output: &Output, code: i32, fragment: &str) {
    let message = stderr(output);
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(message.contains(fragment), "\"{fragment}\" is not in: {message}");
}

/// The subcommands that a user sees.
fn subcommands() -> Vec<clap::Command> {
    let command = Cli::command();
    command.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect()
}

/// What a line of a shell means: its words up to a comment or a redirection.
fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().take_while(|word| !word.starts_with(['#', '>'])).collect()
}

#[track_caller]
fn parses(line: &str) {
    if let Err(error) = Cli::try_parse_from(words(line)) {
        panic!("{line}: {error}");
    }
}

/// The examples that end the long help of a command.
fn examples(command: &clap::Command) -> Vec<String> {
    let help = command.clone().render_long_help().to_string();
    let (_, examples) = help.split_once("Examples:\n").unwrap_or_default();
    examples.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

#[test]
fn every_subcommand_ends_its_help_with_examples_that_parse() {
    for command in [Cli::command()].iter().chain(&subcommands()) {
        let (name, examples) = (command.get_name(), examples(command));
        assert!((2..=4).contains(&examples.len()), "{name}: {examples:?}");
        for example in examples {
            let of = if name == "tortoise" { "tortoise " } else { &format!("tortoise {name}") };
            assert!(example.starts_with(of), "{name}: {example}");
            assert!(example.len() <= 98, "{example}");
            parses(&example);
        }
    }
}

#[test]
fn the_examples_that_take_no_time_run() {
    let folder = tempdir().unwrap();
    fs::create_dir_all(folder.path().join("runs/race-1")).unwrap();
    fs::write(folder.path().join("runs/race-1/config.toml"), "learners = 4\n").unwrap();
    let quick = ["simulate", "theory", "completions"];
    for command in subcommands().iter().filter(|command| quick.contains(&command.get_name())) {
        for example in examples(command) {
            let output = tortoise(&words(&example)[1..]).current_dir(folder.path()).output();
            assert!(!stdout(&output.unwrap()).is_empty(), "{example}");
        }
    }
}

#[test]
fn a_short_help_fits_a_screen() {
    for command in subcommands() {
        let output = run(&[command.get_name(), "-h"]);
        let help = stdout(&output);
        assert!(help.lines().count() <= 55, "{} has {}", command.get_name(), help.lines().count());
        let wide = help.lines().find(|line| line.chars().count() > 100);
        assert_eq!(wide, None, "{}", command.get_name());
    }
}

#[test]
fn every_option_of_a_race_is_a_setting_or_said_to_be_none() {
    let race = subcommands().into_iter().find(|command| command.get_name() == "race").unwrap();
    let options: Vec<_> = race.get_arguments().filter_map(clap::Arg::get_long).collect();
    assert!(options.len() > 30, "{options:?}");
    for option in options.into_iter().filter(|option| !["help", "version"].contains(option)) {
        // No setting is a table.
        let error = check_config(Path::new("race.toml"), &format!("{option} = {{}}")).unwrap_err();
        let error = error.to_string();
        let none = error
            .ends_with(&format!("cannot be set in a file: give --{option} on the command line"));
        let wrong = error.ends_with(&format!(" in `{option}`"));
        assert!(none || wrong, "{option}: {error}");
        assert!(none || !["config", "out", "json", "quiet"].contains(&option), "{error}");
        assert!(wrong || !["learners", "delay", "events", "chaos"].contains(&option), "{error}");
    }
}

#[test]
fn a_simulation_takes_what_it_needs_of_a_file_and_flags_win() {
    let folder = tempdir().unwrap();
    let config = folder.path().join("race.toml");
    let simulate = |text: &str, more: &[&str]| {
        fs::write(&config, text).unwrap();
        run(&[&["simulate", "--json", "--config", config.to_str().unwrap()], more].concat())
    };
    let race = "entrants = [\"k-sync:2\"]\nlearners = 4\ndelay = \"constant:3\"\nupdates = 50\n\
                model = \"logistic\"\nseed = 9\nwarm-up = 5\n";
    let simulation =
        |more: &[&str]| -> Value { serde_json::from_str(stdout(&simulate(race, more))).unwrap() };
    let as_in_the_file = simulation(&[]);
    for (key, value) in [("entrant", "k-sync:2"), ("delay", "constant:3")] {
        assert_eq!(as_in_the_file[key], value);
    }
    for (key, value) in [("learners", 4), ("updates", 50), ("warm_up", 5), ("seed", 9)] {
        assert_eq!(as_in_the_file[key], value);
    }
    assert_eq!(as_in_the_file["mean_update_time"], 3.0);
    let otherwise = simulation(&["sync", "--delay", "constant:2", "-p", "3"]);
    assert_eq!((&otherwise["entrant"], &otherwise["learners"]), (&"sync".into(), &3.into()));
    assert_eq!((&otherwise["mean_update_time"], &otherwise["seed"]), (&2.0.into(), &9.into()));

    fails(&simulate("lerners = 4", &["sync"]), 2, "did you mean \"learners\"");
    fails(&simulate("json = true", &["sync"]), 2, "give --json on the command line");
    fails(&simulate("learners = 4", &[]), 2, "name one entrant");
    fails(&simulate("delay = \"measured\"", &["sync"]), 2, "name one with --delay");
    fails(&simulate("delay = \"expnential:mean=1\"", &["sync"]), 2, "did you mean");
}

#[test]
fn a_wrong_word_is_told_the_right_one() {
    for (arguments, fragment) in [
        ("race k-asinc:3", "did you mean \"k-async\""),
        ("race --delay parteo:shape=2,scale=1", "did you mean \"pareto\""),
        ("race --model logistik", "did you mean \"logistic\""),
        ("race --model mlps:128", "did you mean \"mlp\""),
        ("race --rate-rule inverse-stalenes", "did you mean \"inverse-staleness\""),
        ("race --cancel on-arival", "a similar value exists: 'on-arrival'"),
        ("race --lerners 4", "a similar argument exists: '--learners'"),
        ("rcae", "a similar subcommand exists: 'race'"),
    ] {
        fails(&run(&arguments.split(' ').collect::<Vec<_>>()), 2, fragment);
    }
}

#[test]
fn an_error_is_red_where_a_person_sees_it_and_nowhere_else() {
    let refused = |variables: &[(&str, &str)]| {
        let mut command = tortoise(&["race", "k-sync:9"]);
        stderr(&command.envs(variables.iter().copied()).output().unwrap()).to_owned()
    };
    let plain = refused(&[]);
    assert!(plain.starts_with("error: k-sync:9 waits for 9 of 8 learners"), "{plain}");
    assert_eq!(refused(&[("NO_COLOR", "1")]), plain);
    let red = refused(&[("CLICOLOR_FORCE", "1")]);
    assert!(red.starts_with("\x1b[1m\x1b[31merror:\x1b[0m k-sync:9"), "{red:?}");
}

#[test]
fn every_shell_gets_a_script() {
    for (shell, fragment) in [
        ("bash", "complete -F _tortoise"),
        ("zsh", "#compdef tortoise"),
        ("fish", "complete -c tortoise"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "set edit:completion:arg-completer[tortoise]"),
    ] {
        let output = run(&["completions", shell]);
        let script = stdout(&output);
        assert!(script.contains(fragment) && script.contains("rate-rule"), "{shell}");
        for hidden in ["another process, which", "tortoise,learner"] {
            assert!(!script.contains(hidden), "{shell} shows what nobody is to see");
        }
        // Those for PowerShell and Elvish complete options alone.
        let words = !["powershell", "elvish"].contains(&shell);
        assert_eq!(script.contains("k-batch-async"), words, "{shell}");
    }
    fails(&run(&["completions", "csh"]), 2, "possible values: bash");
}

#[cfg(unix)]
#[test]
fn bash_completes_subcommands_entrants_options_and_their_words() {
    let folder = tempdir().unwrap();
    let script = folder.path().join("tortoise.bash");
    fs::write(&script, stdout(&run(&["completions", "bash"]))).unwrap();
    // What bash does at a tab: breaks the line into words, : and = being words as well, and calls what
    // `complete -F` names.
    let complete = |line: &str| {
        let words = line.replace(':', " : ").replace('=', " = ");
        let words = if line.ends_with(' ') { words + "''" } else { words };
        let bash = format!(
            "source {}; COMP_LINE='{line}'; COMP_POINT=${{#COMP_LINE}}; COMP_WORDBREAKS=$' :='; \
             COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             function=$(complete -p tortoise | sed 's/.*-F \\([^ ]*\\).*/\\1/'); \
             $function tortoise '' '' 2>/dev/null; printf '%s ' \"${{COMPREPLY[@]}}\"",
            script.display(),
        );
        let output = Command::new("bash").args(["--norc", "-c", &bash]).output().unwrap();
        stdout(&output).trim().to_owned()
    };
    assert_eq!(complete("tortoise si"), "simulate");
    assert_eq!(complete("tortoise race k-s"), "k-sync:4 k-sync:adasync k-sync:adaptive");
    assert_eq!(complete("tortoise train async --learn"), "--learning-rate --learners");
    assert_eq!(complete("tortoise race --delay wei"), "weibull:shape=0.5,scale=1");
    assert_eq!(complete("tortoise race --cancel on"), "on-arrival");
    // What stands before a : or a = stays where it is.
    assert_eq!(complete("tortoise race k-sync:a"), "adasync adaptive");
    assert_eq!(complete("tortoise race --delay=pareto:sh"), "shape=2,scale=1");
    assert_eq!(complete("tortoise race --delay pareto:shape=2,sc"), "2,scale=1");
    assert_eq!(complete("tortoise kernels check --kernels l"), "lanes");
    let entrants = complete("tortoise simulate ");
    for entrant in ["sync", "async", "k-batch-sync:4", "k-batch-async:adasync"] {
        assert!(entrants.split(' ').any(|word| word == entrant), "{entrant}: {entrants}");
    }
}

/// What `devices` says under these variables, and its checks by name.
fn devices(more: &[&str], variables: &[(&str, String)]) -> (Output, Vec<Value>) {
    let mut command = tortoise(&[&["devices", "--json"], more].concat());
    let output = command.envs(variables.iter().cloned()).output().unwrap();
    let devices: Value = serde_json::from_slice(&output.stdout).unwrap();
    (output, devices["checks"].as_array().unwrap().clone())
}

#[track_caller]
fn check<'a>(checks: &'a [Value], what: &str) -> &'a Value {
    let found = checks.iter().find(|check| check["what"] == what);
    found.unwrap_or_else(|| panic!("{what} is not in {checks:?}"))
}

#[test]
fn devices_says_that_a_race_can_run() {
    let (output, checks) = devices(&[], &[]);
    assert!(output.status.success(), "{}", stderr(&output));
    let data = check(&checks, "data");
    assert_eq!(data["verdict"], "ok");
    let found = data["found"].as_str().unwrap();
    assert!(found.contains("60000 and 10000 images of 784 pixels, as SHA256SUMS says"), "{found}");
    for what in ["driver", "cores", "runs", "terminal"] {
        check(&checks, what);
    }
    let plain = run(&["devices"]);
    assert!(stdout(&plain).contains("60000 and 10000 images of 784 pixels"));
}

#[test]
fn devices_tries_a_kernel_on_every_adapter() {
    let (_, checks) = devices(&[], &[]);
    let tried: Vec<_> = checks.iter().filter(|check| check["what"] == "device").collect();
    if check(&checks, "driver")["verdict"] == "warning" {
        assert!(tried.is_empty());
        return;
    }
    for (index, check) in tried.iter().enumerate() {
        let found = check["found"].as_str().unwrap();
        let twin = format!("{index} works: the error of kernel dense is ");
        assert!(check["verdict"] != "ok" || found.starts_with(&twin), "{found}");
    }
    assert_eq!(tried[0]["verdict"], "ok");
}

#[test]
fn devices_tells_the_remedy_where_there_is_no_driver_or_no_data() {
    let folder = tempdir().unwrap();
    let nowhere = folder.path().join("nowhere").to_str().unwrap().to_owned();
    let names = [
        "VK_DRIVER_FILES",
        "VK_ICD_FILENAMES",
        "__EGL_VENDOR_LIBRARY_FILENAMES",
        "LIBGL_DRIVERS_PATH",
    ];
    let (output, checks) = devices(&[], &names.map(|name| (name, nowhere.clone())));
    assert!(output.status.success(), "the host engine computes: {}", stderr(&output));
    let driver = check(&checks, "driver");
    assert_eq!(driver["verdict"], "warning");
    #[cfg(target_os = "linux")]
    assert!(
        ["unset VK_DRIVER_FILES", "setup.sh"]
            .iter()
            .any(|remedy| { driver["remedy"].as_str().unwrap().contains(remedy) })
    );

    let (output, checks) = devices(&["--data", &nowhere], &[]);
    fails(&output, 4, "--data DIR or TORTOISE_DATA");
    assert_eq!(check(&checks, "data")["verdict"], "problem");
    assert_eq!(check(&checks, "cores")["verdict"], "ok");
}

#[cfg(unix)]
#[test]
fn devices_warns_of_what_would_end_a_race_or_spoil_its_output() {
    let nowhere = [("XDG_RUNTIME_DIR", format!("{ROOT}/tests/nowhere"))];
    let (_, checks) = devices(&[], &nowhere);
    let variable = check(&checks, "variable");
    assert_eq!(variable["verdict"], "warning");
    assert!(variable["remedy"].as_str().unwrap().starts_with("unset XDG_RUNTIME_DIR"));

    let tortoise = assert_cmd::cargo::cargo_bin!("tortoise").display().to_string();
    let few = format!("ulimit -n 80; '{tortoise}' devices --json");
    let output = Command::new("bash").args(["-c", &few]).current_dir(ROOT).output().unwrap();
    let few: Value = serde_json::from_str(stdout(&output)).unwrap();
    let files = check(few["checks"].as_array().unwrap(), "files");
    assert_eq!(files["found"], "80 may be open: enough for 2 learners");
    assert_eq!((&files["verdict"], &files["remedy"]), (&"warning".into(), &"ulimit -n 128".into()));
}
