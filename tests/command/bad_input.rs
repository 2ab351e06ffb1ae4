//! The command given files that are not what they should be: it says which file or setting and why,
//! ends with the exit code for it, and leaves nothing behind.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::{TempDir, tempdir};

use crate::idx::{gzip, idx};

const SHORT: [&str; 8] =
    ["--device", "host", "--model", "logistic", "--updates", "3", "--quiet", "--out"];

/// Runs `arguments` with a folder to write to, and says that it is not made.
#[track_caller]
fn refused(arguments: &[&str], code: i32, fragments: &[&str]) {
    let folder = tempdir().unwrap();
    let out = folder.path().join("run");
    let more = [&SHORT[..], &[out.to_str().unwrap()]].concat();
    check_refused(&run(&[arguments, &more].concat()), code, fragments);
    assert!(!out.exists(), "{arguments:?} leaves a folder behind");
}

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tortoise"));
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("TORTOISE_DATA");
    command.output().unwrap()
}

#[track_caller]
fn check_refused(output: &Output, code: i32, fragments: &[&str]) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    for fragment in fragments {
        assert!(message.contains(fragment), "\"{fragment}\" is not in: {message}");
    }
    assert!(output.stdout.is_empty(), "an error goes to standard error alone");
}

const IMAGES: &str = "train-images-idx3-ubyte";
const LABELS: &str = "train-labels-idx1-ubyte";

/// A folder with three images of 2 by 2 pixels as training set and as test set, but for the file
/// `without`, and where that belongs.
fn data(without: &str) -> (TempDir, PathBuf) {
    let folder = tempdir().unwrap();
    for name in [IMAGES, LABELS, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"] {
        let images = name.contains("images");
        let bytes =
            if images { idx(0x803, &[3, 2, 2], &[9; 12]) } else { idx(0x801, &[3], &[7, 0, 9]) };
        if name != without {
            fs::write(folder.path().join(name), bytes).unwrap();
        }
    }
    let path = folder.path().join(without);
    (folder, path)
}

/// The data of a folder are refused because of its file `name`.
#[track_caller]
fn data_refused(folder: &Path, name: &str, fragment: &str) {
    refused(&["train", "async", "--data", folder.to_str().unwrap()], 4, &[name, fragment]);
}

#[test]
fn bad_data_are_refused_with_code_4_and_the_name_of_the_file() {
    let max = u32::MAX;
    let images = idx(0x803, &[3, 2, 2], &[9; 12]);
    let bomb = [gzip(&images), gzip(&vec![0; 1 << 19]).repeat(512)].concat();
    let packed = gzip(&images);
    let mut cases = vec![
        (IMAGES, vec![], "is empty"),
        (IMAGES, images[..16].to_vec(), "[3, 2, 2] need 12 elements"),
        (IMAGES, idx(0x802, &[3, 2, 2], &[9; 12]), "begins with 0x00000802, not 0x00000803"),
        (IMAGES, idx(0x803, &[0, 2, 2], &[]), "holds nothing"),
        (IMAGES, idx(0x803, &[3, 2, 0], &[]), "holds nothing"),
        (IMAGES, idx(0x803, &[max, 2, 2], &[9; 12]), "more than 1073741824 elements"),
        (IMAGES, idx(0x803, &[max, max, max], &[9; 12]), "more than 1073741824 elements"),
        (IMAGES, idx(0x803, &[1 << 28, 2, 2], &[9; 12]), "is cut off"),
        (IMAGES, idx(0x803, &[4, 2, 2], &[9; 12]), "need 16 elements"),
        (IMAGES, idx(0x803, &[3, 2, 2], &[9; 13]), "goes on after the 12 elements"),
        (IMAGES, bomb, "goes on after the 12 elements"),
        (IMAGES, packed[..packed.len() - 3].to_vec(), "is damaged or cut off"),
        (LABELS, idx(0x801, &[3], &[7, 10, 9]), "label 10 at 1 is not below 10"),
        (LABELS, idx(0x801, &[4], &[7, 0, 9, 1]), "holds 4 labels for 3 images"),
        (LABELS, idx(0x801, &[max], &[7, 0, 9]), "more than 1073741824 elements"),
    ];
    cases.extend((1..16).map(|end| (IMAGES, images[..end].to_vec(), "less than a header")));
    for (name, bytes, fragment) in cases {
        let (folder, path) = data(name);
        fs::write(path, bytes).unwrap();
        data_refused(folder.path(), name, fragment);
    }
    let (folder, path) = data(IMAGES);
    fs::create_dir(path).unwrap();
    data_refused(folder.path(), IMAGES, "passed over");
}

#[cfg(unix)]
#[test]
fn what_is_no_file_is_refused_without_waiting() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let pipe = |path: &Path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
    let (folder, path) = data(IMAGES);
    pipe(&path);
    data_refused(folder.path(), IMAGES, "neither a file nor a folder");
    let (folder, path) = data(LABELS);
    symlink(&path, &path).unwrap();
    data_refused(folder.path(), LABELS, "cannot be read");
    let (folder, path) = data(LABELS);
    fs::write(&path, idx(0x801, &[3], &[7, 0, 9])).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).unwrap();
    // Root reads it all the same.
    if fs::File::open(&path).is_err() {
        data_refused(folder.path(), LABELS, "cannot be read");
    }

    let folder = tempdir().unwrap();
    let [zero, itself] = ["zero", "itself"].map(|name| folder.path().join(name));
    symlink("/dev/zero", &zero).unwrap();
    symlink(&itself, &itself).unwrap();
    for path in [&zero, &itself, folder.path()] {
        let fragment = if path == itself { "" } else { "it is not a regular file" };
        let name = path.to_str().unwrap();
        refused(&["race", "--config", name], 2, &[name, fragment]);
        let distribution = format!("trace:{name}");
        refused(&["race", "--delay", &distribution], 2, &[name, fragment]);
        let config = format!("delay = \"{distribution}\"");
        config_refused(config.as_bytes(), &[name, fragment]);
    }
}

/// A configuration is refused with code 2.
#[track_caller]
fn config_refused(text: &[u8], fragments: &[&str]) {
    let folder = tempdir().unwrap();
    let file = folder.path().join("race.toml");
    fs::write(&file, text).unwrap();
    refused(&["race", "--config", file.to_str().unwrap()], 2, fragments);
}

#[test]
fn bad_configurations_are_refused_with_code_2_and_the_setting() {
    for (text, fragments) in [
        ("learnin-rate = 1", ["race.toml", "did you mean \"learning-rate\""]),
        ("seed = 1\nseed = 2", ["race.toml", "line 2"]),
        ("minibatch = ", ["race.toml", "line 1"]),
        ("entrants = \"sync\"", ["race.toml", "in `entrants`"]),
        ("minibatch = \"many\"", ["race.toml", "in `minibatch`"]),
        ("minibatch = 0", ["--minibatch (m)", "at least 1"]),
        ("minibatch = 60001", ["--minibatch 60001", "60000 samples"]),
        ("minibatch = 9223372036854775807", ["--minibatch", "60000 samples"]),
        ("minibatch = 18446744073709551615", ["race.toml", "minibatch"]),
        ("entrants = [\"k-sync:9\"]", ["k-sync:9", "K must be at most P = 8"]),
        ("learners = 3\nentrants = [\"k-async:4\"]", ["k-async:4", "K must be at most P = 3"]),
        ("entrants = [\"k-batch-sync:0\"]", ["race.toml", "K must be at least 1"]),
        ("entrants = [\"sync\", \"sync\"]", ["sync", "named twice"]),
        ("learners = 0", ["--learners (P)", "from 1 to 1048576"]),
        ("learners = 1048577", ["--learners (P)", "from 1 to 1048576"]),
        ("learners = 9223372036854775807", ["--learners (P)", "from 1 to 1048576"]),
        ("learners = -1", ["race.toml", "in `learners`"]),
        ("learning-rate = nan", ["--learning-rate", "above 0"]),
        ("learning-rate = inf", ["--learning-rate", "above 0"]),
        ("learning-rate = 0", ["--learning-rate", "above 0"]),
        ("l2 = nan", ["--l2", "0 or more"]),
        ("budget = nan", ["--budget", "from 1e-9"]),
        ("targets = [nan]", ["--targets", "above 0"]),
        ("seed = -1", ["race.toml", "in `seed`"]),
        ("slow = \"0=0\"", ["race.toml", "factor above 0"]),
        ("slow = \"0=nan\"", ["race.toml", "factor above 0"]),
        ("delay = \"exponential:mean=-1\"", ["race.toml", "mean must be above 0"]),
        ("delay = \"weibull:shape=1,scale=0\"", ["race.toml", "scale must be above 0"]),
        ("delay = \"pareto:shape=1,scale=-2\"", ["race.toml", "scale must be above 0"]),
        ("delay = \"constant:nan\"", ["race.toml", "seconds above 0"]),
        ("delay = \"trace:\"", ["race.toml", "trace needs a file"]),
        ("delay = \"trace:tests/nowhere\"", ["race.toml", "tests/nowhere"]),
        ("delay = \"trace:a\\u0000b\"", ["race.toml", "in `delay`"]),
    ] {
        config_refused(text.as_bytes(), &fragments);
    }
    config_refused(&[0xff, 0xfe, 0], &["race.toml", "not UTF-8"]);
    config_refused(&vec![b'#'; (1 << 20) + 1], &["race.toml", "more than 1048576 bytes"]);
    let deep = format!("entrants = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    config_refused(deep.as_bytes(), &["race.toml"]);
}

#[test]
fn every_command_that_reads_a_configuration_refuses_a_bad_one() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("race.toml");
    fs::write(&file, "pace = 1").unwrap();
    let config = ["--config", file.to_str().unwrap()];
    let reason = ["race.toml", "unknown setting \"pace\""];
    for command in [&["race"][..], &["train", "async"], &["estimate", "async"]] {
        refused(&[command, &config].concat(), 2, &reason);
    }
    check_refused(&run(&[&["advise", "--target", "0.3"], &config[..]].concat()), 2, &reason);
}

#[test]
fn bad_traces_are_refused_with_code_2_and_their_line() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("delays.csv");
    let name = file.to_str().unwrap();
    let distribution = format!("trace:{name}");
    for (bytes, fragment) in [
        (&b""[..], "no duration in the file"),
        (b"# seconds\n\n", "no duration in the file"),
        (&[0, 255, 254, 10], "not UTF-8"),
        (b"\x00\x01\x02", "line 1: a duration"),
        (b"1.5\n2e", "line 2: a duration"),
        (b"0,1.5\n1,", "line 2: a duration"),
        (b"1.5\n1e300\n", "line 2: a duration"),
        (b"1e999", "line 1: a duration"),
        (b"1e-300", "line 1: a duration"),
        (b"-1", "line 1: a duration"),
        (b"0", "line 1: a duration"),
        (b"NaN", "line 1: a duration"),
        (b"-1,2", "line 1: a learner"),
        (b"18446744073709551616,2", "line 1: a learner"),
        (b"1048576,2", "line 1: a learner"),
        (b"0,1\n2", "either every line"),
        (b"0,1\n2,1", "no duration for learner 1 of 8"),
    ] {
        fs::write(&file, bytes).unwrap();
        refused(&["race", "--delay", &distribution], 2, &[name, fragment]);
        check_refused(&run(&["simulate", "sync", "--delay", &distribution]), 2, &[name, fragment]);
        check_refused(&run(&["theory", "sync", "--delay", &distribution]), 2, &[name]);
    }
    // Sparse: nobody stores it, and nobody could read it in time.
    fs::File::create(&file).unwrap().set_len(10_000_000_000).unwrap();
    refused(&["race", "--delay", &distribution], 2, &[name, "more than 268435456 bytes"]);
}
