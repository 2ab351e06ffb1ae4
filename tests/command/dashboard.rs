//! The dashboard as a person has it: the command in a terminal, keys, and what is on the terminal
//! when it is gone.
#![cfg(unix)]

use std::{
    fs,
    io::{Read, Write},
    path::Path,
    process::{Command, Stdio},
    sync::{
        Arc, Condvar, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tempfile::tempdir;

const ENTER: &str = "\x1b[?1049h";
const LEAVE: &str = "\x1b[?1049l";
/// One that takes hours.
const LONG: &str =
    "race async sync --device host --model logistic -p 4 --updates 100000000 --events";
/// How long is waited for what is to come; more is a failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command in a terminal of 80 x 24, and all that it wrote there.
struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn Write + Send>,
    written: Arc<(Mutex<Written>, Condvar)>,
    /// Whether to listen no more.
    closing: Arc<AtomicBool>,
    master: Box<dyn MasterPty + Send>,
}

#[derive(Default)]
struct Written {
    bytes: Vec<u8>,
    ended: bool,
}

impl Terminal {
    fn start(program: &str, arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let size = PtySize { rows: 24, cols: 80, ..PtySize::default() };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(arguments);
        command.cwd(env!("CARGO_MANIFEST_DIR"));
        command.env("TERM", "xterm-256color");
        command.env_remove("TORTOISE_DATA");
        variables.iter().for_each(|(name, value)| command.env(name, value));
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader().unwrap();
        let keys = pair.master.take_writer().unwrap();
        let written: Arc<(Mutex<Written>, Condvar)> = Arc::default();
        let closing: Arc<AtomicBool> = Arc::default();
        let (shared, no_more) = (Arc::clone(&written), Arc::clone(&closing));
        thread::spawn(move || {
            let (written, news) = &*shared;
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                written.lock().unwrap().bytes.extend(&bytes[..count]);
                news.notify_all();
                if no_more.load(Ordering::Relaxed) {
                    break;
                }
            }
            drop(reader);
            written.lock().unwrap().ended = true;
            news.notify_all();
        });
        Self { child, keys, written, closing, master: pair.master }
    }

    fn tortoise(arguments: &str, out: &Path) -> Self {
        let out = ["--out", out.to_str().unwrap()];
        let arguments: Vec<&str> = arguments.split(' ').chain(out).collect();
        Self::start(tortoise(), &arguments, &[])
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits until `what` was written `times` times.
    #[track_caller]
    fn wait_for(&self, what: &str, times: usize) {
        let (written, news) = &*self.written;
        let missing = |written: &mut Written| {
            let text = String::from_utf8_lossy(&written.bytes);
            text.matches(what).count() < times && !written.ended
        };
        let guard = written.lock().unwrap();
        let (guard, _) = news.wait_timeout_while(guard, PATIENCE, missing).unwrap();
        let text = String::from_utf8_lossy(&guard.bytes).into_owned();
        drop(guard);
        assert!(text.matches(what).count() >= times, "no {what:?} in: {text}");
    }

    /// Closes its window, and waits for the end of the command: the exit code.
    #[track_caller]
    fn close(mut self) -> u32 {
        // Whoever listens notices at what comes next, which is the echo of a key at the latest.
        self.closing.store(true, Ordering::Relaxed);
        self.press("l");
        let (written, news) = &*self.written;
        let guard = written.lock().unwrap();
        drop(news.wait_timeout_while(guard, PATIENCE, |written| !written.ended).unwrap());
        let Self { mut child, keys, master, .. } = self;
        drop((keys, master));
        let start = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status.exit_code();
            }
            if start.elapsed() > PATIENCE {
                child.kill().unwrap();
                panic!("it does not end");
            }
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits for the end: the exit code, and all that was written.
    #[track_caller]
    fn end(mut self) -> (u32, String) {
        let (written, news) = &*self.written;
        let guard = written.lock().unwrap();
        let (guard, waited) = news.wait_timeout_while(guard, PATIENCE, |w| !w.ended).unwrap();
        let text = String::from_utf8_lossy(&guard.bytes).into_owned();
        drop(guard);
        if waited.timed_out() {
            self.child.kill().unwrap();
            panic!("it does not end: {text}");
        }
        (self.child.wait().unwrap().exit_code(), text)
    }
}

fn tortoise() -> &'static str {
    assert_cmd::cargo::cargo_bin!("tortoise").to_str().unwrap()
}

/// What was written before the dashboard, and after it.
#[track_caller]
fn around(text: &str) -> (&str, &str) {
    let (before, inside) = text.split_once(ENTER).unwrap_or_else(|| panic!("no dashboard: {text}"));
    let (_, after) = inside.rsplit_once(LEAVE).unwrap_or_else(|| panic!("not left: {text}"));
    (before, after)
}

#[test]
fn a_race_has_a_dashboard_and_then_its_table() {
    let out = tempdir().unwrap();
    let race = "race sync async --device host --model logistic -p 3 --updates 20";
    let (code, text) = Terminal::tortoise(race, &out.path().join("run")).end();
    assert_eq!(code, 0, "{text}");
    let (_, after) = around(&text);
    assert!(after.contains("entrant  updates") && after.contains("race.png"), "{after}");
    assert!(!after.contains('\x1b') || after.starts_with("\x1b[?25h"), "{after:?}");
}

#[test]
fn q_ends_a_race_with_a_whole_record() {
    let out = tempdir().unwrap();
    let run = out.path().join("run");
    let mut terminal = Terminal::tortoise(LONG, &run);
    // It is there when a gradient has counted, and under async each makes an update.
    terminal.wait_for("gradients by staleness", 1);
    terminal.press("u?\tlx");
    terminal.press("q");
    let (code, text) = terminal.end();
    assert_eq!(code, 130, "{text}");
    assert!(around(&text).1.contains("interrupted"), "{text}");
    let summary = fs::read_to_string(run.join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["interrupted"], true);
    let updates = fs::read_to_string(run.join("async/seed-0/updates.jsonl")).unwrap();
    assert!(updates.lines().count() > 0 && updates.ends_with('\n'));
    for line in updates.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
}

#[test]
fn ctrl_c_ends_it_and_gives_the_terminal_back() {
    let out = tempdir().unwrap();
    let mut terminal = Terminal::tortoise(LONG, &out.path().join("run"));
    terminal.wait_for("training loss", 1);
    terminal.press("\x03\x03");
    let (code, text) = terminal.end();
    assert_eq!(code, 130, "{text}");
    around(&text);
}

#[test]
fn whoever_closes_the_window_has_a_whole_record() {
    for more in ["", " --plain", " --quiet", " --json --quiet"] {
        let out = tempdir().unwrap();
        let run = out.path().join("run");
        let terminal = Terminal::tortoise(&format!("{LONG}{more}"), &run);
        let start = Instant::now();
        while !run.join("async/seed-0/updates.jsonl").exists() {
            assert!(start.elapsed() < PATIENCE, "it does not train");
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(terminal.close(), 130, "{more}");
        let summary = fs::read_to_string(run.join("summary.json")).unwrap();
        let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
        assert_eq!(summary["interrupted"], true);
        for file in ["learners.csv", "report.html", "race.png"] {
            assert!(run.join(file).exists(), "{more}: {file}");
        }
    }
}

#[test]
fn a_race_that_is_to_outlive_its_terminal_does() {
    let out = tempdir().unwrap();
    let run = out.path().join("run");
    let race = LONG.replace("100000000 --events", "40000");
    let script = format!("trap '' HUP; exec \"$0\" {race} --out \"$1\"");
    let arguments = ["-c", &script, tortoise(), run.to_str().unwrap()];
    let terminal = Terminal::start("sh", &arguments, &[]);
    terminal.wait_for("training loss", 1);
    // All is done and written; there is nobody to print the table for.
    assert_eq!(terminal.close(), 1);
    let summary = fs::read_to_string(run.join("summary.json")).unwrap();
    let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
    assert_eq!(summary["interrupted"], false);
    assert!(run.join("report.html").exists());
}

#[test]
fn after_ctrl_z_it_is_there_again() {
    let out = tempdir().unwrap();
    let mut terminal = Terminal::tortoise(LONG, &out.path().join("run"));
    terminal.wait_for("training loss", 1);
    // Where no shell could wake it, the system does not let it sleep.
    terminal.press("\x1a");
    terminal.wait_for(LEAVE, 1);
    terminal.wait_for(ENTER, 2);
    terminal.press("q");
    assert_eq!(terminal.end().0, 130);
}

#[test]
fn an_error_is_seen_when_the_dashboard_is_gone() {
    let out = tempdir().unwrap();
    let run = out.path().join("run");
    // Files may not grow beyond 100 blocks.
    let script = format!("ulimit -f 100; exec \"$0\" {LONG} --out \"$1\"");
    let arguments = ["-c", &script, tortoise(), run.to_str().unwrap()];
    let (code, text) = Terminal::start("sh", &arguments, &[]).end();
    assert_eq!(code, 1, "{text}");
    let (before, after) = around(&text);
    assert!(after.contains("error:") && after.contains(".jsonl"), "{after}");
    assert!(!before.contains("error"), "{before}");
}

#[test]
fn there_is_a_bar_or_nothing_where_no_dashboard_is_wanted_or_possible() {
    let race = "race sync --device host --model logistic -p 3 --updates 20";
    for (more, variables) in
        [("--plain", &[][..]), ("--quiet", &[]), ("--json", &[("TERM", "dumb")])]
    {
        let out = tempdir().unwrap();
        let run = out.path().join("run");
        let all = format!("{race} {more} --out {}", run.display());
        let arguments: Vec<&str> = all.split(' ').collect();
        let (code, text) = Terminal::start(tortoise(), &arguments, variables).end();
        assert_eq!(code, 0, "{text}");
        assert!(!text.contains(ENTER), "{more}: {text}");
        assert_eq!(text.contains("sync (seed 0): 20 updates"), more == "--json", "{more}: {text}");
    }
}

#[test]
fn a_terminal_whose_keys_go_elsewhere_has_a_bar() {
    let out = tempdir().unwrap();
    let run = out.path().join("run");
    let race = "race sync --device host --model logistic -p 3 --updates 20";
    let script = format!("exec \"$0\" {race} --out \"$1\" </dev/null");
    let arguments = ["-c", &script, tortoise(), run.to_str().unwrap()];
    let (code, text) = Terminal::start("sh", &arguments, &[]).end();
    assert_eq!(code, 0, "{text}");
    assert!(!text.contains(ENTER), "{text}");
}

#[test]
fn without_a_terminal_there_is_a_line_a_run() {
    let out = tempdir().unwrap();
    let mut command = Command::new(tortoise());
    command
        .args("race sync async --device host --model logistic -p 3 --updates 5 --out".split(' '));
    command.arg(out.path().join("run")).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.stdin(Stdio::null()).output().unwrap();
    let lines = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{lines}");
    let runs: Vec<&str> = lines.lines().filter(|line| line.contains("(seed 0)")).collect();
    assert!(runs.len() == 2 && runs[0].starts_with("sync ") && runs[1].starts_with("async "));
    assert!(!lines.contains('\x1b'), "{lines}");
}
