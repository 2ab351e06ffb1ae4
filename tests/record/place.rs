//! A place to race in, where everything that is written can be looked at.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::{TempDir, tempdir};

use crate::small_data::small_data;

/// What tells loaders where drivers are: where it names a file that is not there, there is no adapter.
pub(crate) const DRIVERS: [&str; 4] =
    ["VK_DRIVER_FILES", "VK_ICD_FILENAMES", "__EGL_VENDOR_LIBRARY_FILENAMES", "LIBGL_DRIVERS_PATH"];
/// Two entrants, one of them with stale work in hand.
pub(crate) const RACE: &str = "race sync async --device host --model logistic -p 4 -m 8 --quiet";
pub(crate) const SHORT: &str = "--updates 30 --evaluate-every 4 --events --tensorboard";

/// A place to race in, with data.
pub(crate) struct Place {
    pub(crate) root: TempDir,
    pub(crate) data: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { root: tempdir().unwrap(), data: small_data() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The command, run in this folder.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tortoise"));
        command.args(arguments.split_whitespace()).env_remove("TORTOISE_DATA");
        command.current_dir(self.root.path());
        command
    }

    pub(crate) fn run(&self, arguments: &str) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Races into the folder `out` with these data.
    pub(crate) fn race(&self, flags: &str, out: &str) -> PathBuf {
        let data = self.data.path().display();
        succeeds(&self.run(&format!("{RACE} {flags} --data {data} --out {out}")));
        self.path(out)
    }

    pub(crate) fn resume(&self, out: &str, flags: &str) -> Output {
        self.run(&format!("resume {out} --quiet {flags}"))
    }

    /// That it does not go on, for these reasons, and that nothing is touched.
    #[track_caller]
    pub(crate) fn refuses(&self, out: &str, flags: &str, code: i32, reasons: &[&str]) {
        let before = files(&self.path(out));
        let output = self.resume(out, flags);
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{message}");
        for reason in reasons {
            assert!(message.contains(reason), "\"{reason}\" is not in: {message}");
        }
        assert!(files(&self.path(out)) == before, "nothing is touched");
    }
}

#[track_caller]
pub(crate) fn succeeds(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Every file below `folder`, by its path from there.
pub(crate) fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let (mut found, mut folders) = (BTreeMap::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for path in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_owned();
                found.insert(name, fs::read(path).unwrap());
            }
        }
    }
    found
}

/// The files of the runs, but for those that say how long it took to compute.
pub(crate) fn runs(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let of_run = |path: &PathBuf| path.parent() != Some(Path::new(""));
    let mut all = files(folder);
    all.retain(|path, _| of_run(path) && !path.ends_with("run.json"));
    all
}

pub(crate) fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

pub(crate) fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

/// Starts a race of 2000 updates, and kills it at a checkpoint of its first run; then it is saved less
/// often.
pub(crate) fn stopped(place: &Place, out: &str) {
    let data = place.data.path().display();
    let flags = "--updates 2000 --evaluate-every 500 --checkpoint-every 0.01";
    let mut command = place.command(&format!("{RACE} {flags} --data {data} --out {out}"));
    let mut process = command.spawn().unwrap();
    let checkpoint = place.path(out).join("sync/seed-0/checkpoint.safetensors");
    let deadline = Instant::now() + Duration::from_secs(120);
    while !checkpoint.exists() {
        assert!(process.try_wait().unwrap().is_none(), "the race was over before");
        assert!(Instant::now() < deadline, "there is no checkpoint");
        thread::sleep(Duration::from_millis(1));
    }
    process.kill().unwrap();
    process.wait().unwrap();
    edit(&place.path(out).join("config.toml"), "every = 0.01", "every = 30.0");
}
