//! The command as a user meets it: what it prints, what it leaves behind, and what it says to bad
//! input, with which exit code. Runs on the host engine, so that no adapter is needed.

use std::{
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use serde_json::Value;
use tempfile::tempdir;

const SHORT: &[&str] =
    &["--device", "host", "--model", "logistic", "--updates", "3", "--quiet", "-p", "3"];

fn tortoise(arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tortoise"));
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("TORTOISE_DATA");
    command
}

fn run(arguments: &[&str]) -> Output {
    tortoise(arguments).output().unwrap()
}

/// Runs a race of `SHORT` into `out` with `more` arguments.
fn short(command: &str, out: &Path, more: &[&str]) -> Output {
    let out = ["--out", out.to_str().unwrap()];
    run(&[&[command], more, SHORT, &out].concat())
}

#[track_caller]
fn fails(output: &Output, code: i32, fragment: &str) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(message.contains(fragment), "\"{fragment}\" is not in: {message}");
    assert!(output.stdout.is_empty(), "an error goes to standard error alone");
}

#[track_caller]
fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn bad_usage_is_refused_with_code_2_and_the_reason() {
    for (arguments, fragment) in [
        ("race k-sync:0", "K must be at least 1"),
        ("race k-sync:9", "K must be at most P = 8"),
        ("race k-async:4 -p 3", "K must be at most P = 3"),
        ("race k-sync k-sync:4", "k-sync:4 is named twice"),
        ("race k-sync:x", "not a whole number"),
        ("race k-sync:adasinc", "did you mean \"adasync\""),
        ("race k-sync:adasync(0)", "K_0 must be at least 1"),
        ("race k-sync:adasync(x)", "K_0=\"x\" is not a whole number"),
        ("race k-batch-sync:adasync(9)", "K must be at most P"),
        ("race k-sync:adasync k-sync:adasync(1)", "named twice"),
        ("race k-sync:adasync --updates 3", "--evaluate-every"),
        ("race async --adasync-every 1", "at least --evaluate-every"),
        ("race sync:adasync", "did you mean \"k-sync:adasync\""),
        ("race sync:3", "did you mean \"k-sync:3\""),
        ("race ksync:3", "did you mean \"k-sync\""),
        ("race asinc", "did you mean \"async\""),
        ("race sync sync", "named twice"),
        ("race -p 0", "--learners (P) must be from 1"),
        ("race -m 0", "--minibatch (m) must be at least 1"),
        ("race -m 60001 --device host", "more than the 60000 samples"),
        ("race --learning-rate NaN", "--learning-rate must be a number above 0"),
        ("race --learning-rate=-1", "--learning-rate must be a number above 0"),
        ("race --rate-rule decoy", "did you mean \"decay\""),
        ("race --rate-rule decay:factor=0.5", "as in decay:factor=0.5,every=1000"),
        ("race --rate-rule decay:factor=2,every=9", "above 0 and at most 1"),
        (
            "race --rate-rule decay:factor=0.5,every=0s",
            "a number of updates, or of seconds with an s",
        ),
        ("race --rate-rule compensated:c=0", "C is a number above 0"),
        ("race --rate-rule compensated:d=1", "no parameter \"d\""),
        ("race --rate-rule adaptive:threshold=0", "whole number of 1 or more"),
        ("race --rate-rule adaptive:threshold=2,threshold=3", "given twice"),
        ("race --rate-rule inverse-staleness:c=1", "it has none"),
        ("race --l2=-1", "--l2 must be 0 or more"),
        ("race --budget 0", "--budget must be from 1e-9 to 1e9 seconds"),
        ("race --budget inf", "--budget must be from 1e-9 to 1e9 seconds"),
        ("race --updates 0", "--updates must be at least 1"),
        ("race --evaluate-every=-3", "--evaluate-every must be from 1e-9 to 1e9 seconds"),
        ("race --seeds 0", "--seeds must be at least 1"),
        ("race --queues 0", "--queues must be from 1"),
        ("race --targets 0", "--targets must be losses above 0"),
        ("race --model mlp:0", "neither logistic nor mlp"),
        ("race --model mlp:99999999999", "more than 2^28 parameters"),
        ("race --clock sundial", "possible values: virtual"),
        ("race --delay exponentail:mean=1", "did you mean \"exponential\""),
        ("race --delay exponential:rate=1", "no parameter \"rate\""),
        ("race --delay exponential:1", "needs its name, as in mean=1"),
        ("race --delay exponential", "exponential needs mean"),
        ("race --delay exponential:mean=-1", "mean must be above 0"),
        ("race --delay exponential:mean=NaN", "parameters are finite numbers"),
        ("race --delay uniform:low=2,high=1", "0 <= low < high must hold"),
        ("race --delay bimodal:fast=1,slow=2,p=1", "p must be above 0 and below 1"),
        ("race --delay constant:0", "seconds above 0"),
        ("race --delay trace:tests/nowhere", "tests/nowhere"),
        ("race --slow 9=2", "learner 9, but the 8 learners count from 0"),
        ("race --slow 1", "not LEARNER=FACTOR"),
        ("race --kernels lines", "kernel family \"lines\""),
        ("race --config tests/nowhere.toml", "tests/nowhere.toml"),
        ("simulate async --delay pareto:shape=1,scale=1", "no finite mean"),
        ("simulate sync --delay pareto:shape=0.5,scale=1", "no finite mean"),
        ("simulate k-async:adasync", "changes K with the training loss"),
        ("simulate k-sync:9", "K must be at most P = 8"),
        ("simulate sync -p 0", "--learners (P) must be from 1"),
        ("simulate sync --updates 0", "--updates must be at least 1"),
        ("theory async --delay pareto:shape=1,scale=1", "no finite mean"),
        ("theory k-sync:9", "K must be at most P = 8"),
        ("theory sync -p 0", "--learners (P) must be from 1"),
        ("theory sync --slow 9=2", "learner 9, but the 8 learners count from 0"),
        ("theory sync --delay wiebull:shape=1,scale=1", "did you mean \"weibull\""),
        ("theory sync --updates 3", "unexpected argument '--updates'"),
        (
            "theory sync --delay constant:1 --delay constant:2",
            "give one --delay with an entrant; only the tables take several",
        ),
        ("train", "required arguments were not provided"),
        ("walk", "unrecognized subcommand"),
    ] {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        fails(&run(&arguments), 2, fragment);
    }
}

#[test]
fn an_adapter_that_is_not_there_is_refused_with_code_3() {
    fails(&run(&["race", "--device", "no such adapter"]), 3, "no such adapter");
    fails(&run(&["race", "--device", "77"]), 3, "77");
    let out = tempdir().unwrap();
    let mut command = tortoise(&["kernels", "check"]);
    fails(&command.envs(no_driver(out.path())).output().unwrap(), 3, "scripts/setup.sh");
}

/// An environment in which no graphics driver is found.
fn no_driver(folder: &Path) -> [(&'static str, String); 4] {
    let nowhere = folder.join("nowhere").to_str().unwrap().to_owned();
    [
        ("VK_DRIVER_FILES", nowhere.clone()),
        ("VK_ICD_FILENAMES", nowhere.clone()),
        ("__EGL_VENDOR_LIBRARY_FILENAMES", nowhere.clone()),
        ("LIBGL_DRIVERS_PATH", nowhere),
    ]
}

#[test]
fn without_an_adapter_auto_runs_on_the_host_and_says_so() {
    let out = tempdir().unwrap();
    let run = out.path().join("run");
    let mut command = tortoise(&["train", "async", "--model", "logistic", "--updates", "2"]);
    let output = command
        .args(["--out", run.to_str().unwrap()])
        .envs(no_driver(out.path()))
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{message}");
    assert!(message.contains("the host engine computes; install a Vulkan driver"), "{message}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("gradients on the host engine"));
}

#[test]
fn missing_or_damaged_data_are_refused_with_code_4() {
    let out = tempdir().unwrap();
    let data = out.path().join("data");
    let refused = |fragment: &str| {
        let run_folder = out.path().join("run");
        let output = short("race", &run_folder, &["--data", data.to_str().unwrap()]);
        fails(&output, 4, fragment);
        assert!(!run_folder.exists(), "nothing is left behind");
    };
    refused("--data DIR or TORTOISE_DATA");
    fs::create_dir(&data).unwrap();
    refused("holds neither train-images-idx3-ubyte.gz");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist");
    for entry in fs::read_dir(source).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, data.join(path.file_name().unwrap())).unwrap();
    }
    let labels = data.join("train-labels-idx1-ubyte.gz");
    let bytes = fs::read(&labels).unwrap();
    fs::write(&labels, &bytes[..bytes.len() / 2]).unwrap();
    refused("train-labels-idx1-ubyte.gz");
}

#[test]
fn a_race_leaves_a_whole_run_directory() {
    let out = tempdir().unwrap();
    let folder = out.path().join("race");
    let six = "sync k-sync k-batch-sync async k-async k-batch-async".split(' ');
    let flags = ["--events", "--seeds", "2"];
    let output = short("race", &folder, &six.chain(flags).collect::<Vec<_>>());
    let table = String::from_utf8(output.stdout).unwrap();
    for word in
        ["k-batch-async:2", "s/update", "theory", "staleness", "test acc.", "takes no run time"]
    {
        assert!(table.contains(word), "{word} is not in:\n{table}");
    }
    for picture in ["loss-time", "loss-updates", "frontier", "race"] {
        let svg = fs::read_to_string(folder.join(format!("{picture}.svg"))).unwrap();
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        let png = fs::read(folder.join(format!("{picture}.png"))).unwrap();
        assert!(png.starts_with(b"\x89PNG"));
    }
    let summary: Value =
        serde_json::from_slice(&fs::read(folder.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["entrants"].as_array().unwrap().len(), 6);
    for entrant in ["sync", "k-sync-2", "k-batch-sync-2", "async", "k-async-2", "k-batch-async-2"] {
        for seed in ["seed-0", "seed-1"] {
            let run = folder.join(entrant).join(seed);
            for file in ["updates.jsonl", "events.jsonl"] {
                let text = fs::read_to_string(run.join(file)).unwrap();
                assert!(text.ends_with('\n'));
                assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
            }
            let csv = fs::read_to_string(run.join("evaluations.csv")).unwrap();
            assert!(
                csv.starts_with("t,update,gradients,train_loss,test_loss,test_accuracy\n0,0,0,")
            );
            assert!(run.join("initial.safetensors").is_file());
            assert!(run.join("final.safetensors").is_file());
        }
    }
}

#[test]
fn a_recorded_configuration_gives_the_race_again() {
    let out = tempdir().unwrap();
    let [first, second] = ["first", "second"].map(|name| out.path().join(name));
    assert!(short("race", &first, &["k-async:2", "sync", "--l2", "0.01"]).status.success());
    let config = first.join("config.toml");
    let arguments = ["race", "--config", config.to_str().unwrap(), "--out"];
    assert!(run(&[&arguments[..], &[second.to_str().unwrap()]].concat()).status.success());
    for file in ["config.toml", "k-async-2/seed-0/final.safetensors", "sync/seed-0/updates.jsonl"] {
        assert_eq!(fs::read(first.join(file)).unwrap(), fs::read(second.join(file)).unwrap());
    }
}

#[test]
fn a_configuration_file_is_read_strictly_and_flags_win() {
    let out = tempdir().unwrap();
    let config = out.path().join("race.toml");
    let with = |text: &str, more: &[&str]| {
        fs::write(&config, text).unwrap();
        let folder = out.path().join("run");
        let _ = fs::remove_dir_all(&folder);
        let more = [&["--config", config.to_str().unwrap()], more].concat();
        short("race", &folder, &[&more[..], &["--json"]].concat())
    };
    fails(&with("learnin-rate = 1", &[]), 2, "did you mean \"learning-rate\"");
    fails(&with("minibatch = \"many\"", &[]), 2, "invalid type");
    fails(&with("minibatch = ", &[]), 2, "race.toml");
    let summary = json(&with("minibatch = 4\nseed = 9\nentrants = [\"async\"]", &["--seed", "7"]));
    assert_eq!(summary["configuration"]["seed"], 7);
    assert_eq!(summary["configuration"]["minibatch"], 4);
    assert_eq!(summary["entrants"][0]["entrant"], "async");
}

#[test]
fn a_run_directory_in_use_is_left_alone() {
    let out = tempdir().unwrap();
    fs::write(out.path().join("precious"), "mine").unwrap();
    fails(&short("race", out.path(), &[]), 2, "is not empty; choose another folder with --out");
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 1);
    fails(&short("race", &out.path().join("precious/below"), &[]), 1, "precious/below");
}

#[test]
fn simulate_prints_what_scripts_rely_on() {
    let simulation = json(&run(&["simulate", "k-async:4", "--updates", "5000", "--json"]));
    assert_eq!(simulation["entrant"], "k-async:4");
    assert_eq!(simulation["learners"], 8);
    assert_eq!(simulation["k"], 4);
    assert_eq!(simulation["delay"], "exponential:mean=1");
    assert_eq!(simulation["updates"], 5000);
    assert_eq!(simulation["used"], 20_000);
    assert_eq!(simulation["wasted"], 0);
    assert_eq!(simulation["theory"]["exact"], true);
    let number = |key: &str| simulation[key].as_f64().unwrap();
    let theory = simulation["theory"]["mean_update_time"].as_f64().unwrap();
    assert!((theory - 0.634_523_8).abs() < 1e-6);
    let z = (number("mean_update_time") - theory) / number("mean_update_time_se");
    assert!(z.abs() < 4.0, "{simulation}");
    assert!((number("mean_staleness") - 1.0).abs() < 0.02);
    assert!((number("fresh_fraction") - 0.5).abs() < 0.02);
    assert!(simulation["staleness_histogram"].as_array().unwrap().len() > 3);
}

#[test]
fn theory_prints_what_scripts_rely_on() {
    let theory = |more: &str| {
        let arguments: Vec<&str> = more.split(' ').collect();
        json(&run(&[&["theory", "--json"], &arguments[..]].concat()))
    };
    let sync = theory("sync -p 4");
    assert_eq!(sync["entrant"], "sync");
    assert_eq!((&sync["learners"], &sync["k"]), (&4.into(), &4.into()));
    assert_eq!(sync["delay"], "exponential:mean=1");
    assert_eq!(sync["class"], "memoryless");
    assert_eq!(sync["exact"], true);
    assert!((sync["mean_update_time"].as_f64().unwrap() - 25.0 / 12.0).abs() < 1e-9);
    let numeric = theory("k-batch-sync:4 --delay uniform:low=0,high=2");
    assert_eq!(numeric["class"], "new-longer");
    assert_eq!(numeric["exact"], false);
    assert!((numeric["mean_update_time"].as_f64().unwrap() - 0.771).abs() < 0.001);
    let bounds = theory("k-async:4 --delay weibull:shape=0.5,scale=1");
    assert_eq!(bounds["class"], "new-shorter");
    assert!(bounds["mean_update_time"].is_null() && bounds["upper"].is_null());
    assert!(bounds["lower"].as_f64().unwrap() > 0.5);
    let late = theory("k-sync:2 --cancel on-arrival");
    assert!(late["mean_update_time"].as_f64() > theory("k-sync:2")["mean_update_time"].as_f64());
    let slow = theory("async -p 4 --slow 0=2");
    assert!((slow["mean_update_time"].as_f64().unwrap() - 1.0 / 3.5).abs() < 1e-9);
    let nothing = theory("k-sync:2 --cancel on-arrival --delay uniform:low=0,high=2");
    assert!(nothing["mean_update_time"].is_null() && nothing["lower"].is_null());
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child =
        tortoise(&["simulate", "async", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_ends_a_race_with_a_clear_error() {
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output =
        tortoise(&["simulate", "async", "--updates", "100"]).stdout(full).output().unwrap();
    fails(&output, 1, "stdout: No space left on device");
}
