//! Commands that are sent signals.

use std::{
    process::{Child, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

/// How long anything may take that is waited for; more is a hang, and no measurement.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);

/// The command, which listens to signals even where this suite runs in the background of a script and
/// has to ignore Ctrl-C: what it starts would have to ignore it as well.
pub(crate) fn tortoise() -> Command {
    let program = assert_cmd::cargo::cargo_bin!("tortoise");
    let mut command = if cfg!(target_os = "linux") {
        let mut command = Command::new("env");
        command.arg("--default-signal=INT,TERM,HUP").arg(program);
        command
    } else {
        Command::new(program)
    };
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("TORTOISE_DATA");
    command
}

/// Sends signals to a process, one right after the other.
#[track_caller]
pub(crate) fn send(child: &Child, signals: &[&str]) {
    let kills: Vec<_> =
        signals.iter().map(|signal| format!("kill -{signal} {}", child.id())).collect();
    let sent = Command::new("sh").args(["-c", &kills.join("; ")]).status().unwrap();
    assert!(sent.success(), "{signals:?}");
}

/// Waits until `holds`, while the process lives.
///
/// # Panics
/// If it ends before, or does not hold in time.
#[track_caller]
pub(crate) fn wait_until(child: &mut Child, what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        if let Some(status) = child.try_wait().unwrap() {
            panic!("it ended with {status} before {what}");
        }
        if start.elapsed() > DEADLINE {
            child.kill().unwrap();
            panic!("waited in vain until {what}");
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Waits for its end.
#[track_caller]
pub(crate) fn end(child: &mut Child) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status;
        }
        if start.elapsed() > DEADLINE {
            child.kill().unwrap();
            panic!("it does not end");
        }
        thread::sleep(Duration::from_millis(1));
    }
}
