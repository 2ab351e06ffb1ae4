//! What is said of a wrong option or a wrong number: what was meant, what it may be, and briefly.

use std::{path::Path, process::Command};

use tempfile::tempdir;
use tortoise::cli::check_config;

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
        ("race --nesterov 0.9", "updates are SGD, with --momentum"),
        ("race --resume", "tortoise resume DIR"),
        ("estimate async --seeds 3", "tortoise race --estimate"),
        ("advise --chaos 7 --target 1", "assumes that nothing fails"),
        ("theory --updates 3", "an option of race, train, resume, simulate, timeline and estimate"),
        ("bench", "'kernels bench'"),
        ("doctor", "'devices'"),
        ("infer", "'predict'"),
        ("race ssgd", "did you mean \"sync\""),
        ("race K_Sync:3", "did you mean \"k-sync\""),
        ("race hogwild", "did you mean \"async\""),
        ("race --delay exp:mean=1", "did you mean \"exponential\""),
        ("race --delay normal:mean=1", "weibull and shifted-exponential come near"),
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
               evaluate-every adasync-every patience checkpoint-every targets tune";
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
        ("budget = 1e-320", "--budget must be from 1e-9 to 1e9 seconds"),
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
