//! A learner's process: how it is started, ended from any thread, and what is known of its end.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    path::PathBuf,
    process::{Child, ChildStderr, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc},
    thread,
    time::Duration,
};

pub(super) use self::ends::{FromProcess, ToProcess};
use crate::{Error, Result, awake};

/// How long a process may take to end by itself, and then once it was killed: one in the hands of a
/// driver may not end at all.
const GRACE: Duration = Duration::from_secs(1);
/// How often to look whether it has.
const LOOK: Duration = Duration::from_millis(1);
/// The longest line of its standard error, in bytes.
const LINE: u64 = 1 << 12;

/// A process, and how to cutoff off whoever waits for it.
#[derive(Debug)]
pub(super) struct Process {
    child: Mutex<Child>,
    cutoff: ends::Cutoff,
    /// The last line of its standard error, as soon as that is closed.
    last_words: Mutex<mpsc::Receiver<String>>,
}

/// Ends the process when it is dropped.
#[derive(Debug)]
pub(super) struct Guard(pub(super) Arc<Process>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.cutoff.off();
        self.0.end();
    }
}

impl Process {
    pub(super) fn start(program: PathBuf) -> Result<(Self, FromProcess, ToProcess)> {
        let (from_process, to_process, cutoff, stdin, stdout) =
            ends::connect().map_err(Error::io("a line to a learner"))?;
        let mut child = Command::new(&program)
            .arg("learner")
            .stdin(stdin)
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Error::io(program))?;
        let (said, last_words) = mpsc::channel();
        let stderr = child.stderr.take();
        // A guard from here on, so that no process is left behind where there is no thread.
        let child = Mutex::new(child);
        let process = Self { child, cutoff, last_words: Mutex::new(last_words) };
        let listener = thread::Builder::new().name("standard error of a learner".into());
        match listener.spawn(move || said.send(pass_on(stderr))) {
            Ok(_) => Ok((process, from_process, to_process)),
            Err(error) => {
                drop(Guard(Arc::new(process)));
                Err(Error::io("a thread for a learner")(error))
            }
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.child().id()
    }

    /// Never held while waiting for anything.
    fn child(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Kills the process, then cuts off whoever waits for it: where a driver holds it, the system
    /// closes what it has open only later.
    pub(super) fn kill(&self) {
        // The only error is that it has ended.
        let _ = self.child().kill();
        self.cutoff.off();
    }

    /// Waits until it has ended, by force if need be, and says how.
    pub(super) fn end(&self) -> String {
        let status = self.wait().or_else(|| {
            self.kill();
            self.wait()
        });
        let Some(status) = status else {
            return "was killed and has not ended: the system waits for its device".into();
        };
        let last_words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        match last_words.recv_timeout(GRACE) {
            Ok(words) if !words.is_empty() => format!("{}: {words}", describe(status)),
            _ => describe(status),
        }
    }

    fn wait(&self) -> Option<ExitStatus> {
        let start = awake::now();
        loop {
            let status = self.child().try_wait().ok().flatten();
            if status.is_some() || awake::now() - start > GRACE {
                return status;
            }
            thread::sleep(LOOK);
        }
    }
}

fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("killed by signal {signal}");
    }
    match status.code() {
        Some(code) => format!("exited with code {code}"),
        None => format!("ended: {status}"),
    }
}

/// Copies what a learner says to standard error, and returns its last line.
fn pass_on(stderr: Option<ChildStderr>) -> String {
    let mut last = String::new();
    let Some(mut stderr) = stderr.map(BufReader::new) else { return last };
    let mut line = Vec::new();
    while matches!(stderr.by_ref().take(LINE).read_until(b'\n', &mut line), Ok(1..)) {
        // Where nobody listens, there is nobody to tell.
        let _ = io::stderr().write_all(&line);
        let words = String::from_utf8_lossy(&line);
        if !words.trim().is_empty() {
            last = words.trim().into();
        }
        line.clear();
    }
    last
}

/// A socket, since a blocked thread can be cutoff off from it whatever the other end does.
#[cfg(unix)]
mod ends {
    use std::{
        io,
        net::Shutdown,
        os::{fd::OwnedFd, unix::net::UnixStream},
        process::Stdio,
    };

    pub(crate) type FromProcess = UnixStream;
    pub(crate) type ToProcess = UnixStream;

    #[derive(Debug)]
    pub(super) struct Cutoff(UnixStream);

    impl Cutoff {
        pub(super) fn off(&self) {
            // The only error is that it is.
            let _ = self.0.shutdown(Shutdown::Both);
        }
    }

    pub(super) fn connect() -> io::Result<(FromProcess, ToProcess, Cutoff, Stdio, Stdio)> {
        let (ours, theirs) = UnixStream::pair()?;
        let stdin = OwnedFd::from(theirs.try_clone()?);
        let cutoff = Cutoff(ours.try_clone()?);
        Ok((ours.try_clone()?, ours, cutoff, stdin.into(), OwnedFd::from(theirs).into()))
    }
}

/// Pipes: whoever waits is free when the process has ended.
#[cfg(not(unix))]
mod ends {
    use std::{
        io::{self, PipeReader, PipeWriter},
        process::Stdio,
    };

    pub(crate) type FromProcess = PipeReader;
    pub(crate) type ToProcess = PipeWriter;

    #[derive(Debug)]
    pub(super) struct Cutoff;

    impl Cutoff {
        pub(super) fn off(&self) {}
    }

    pub(super) fn connect() -> io::Result<(FromProcess, ToProcess, Cutoff, Stdio, Stdio)> {
        let ((from_process, stdout), (stdin, to_process)) = (io::pipe()?, io::pipe()?);
        Ok((from_process, to_process, Cutoff, stdin.into(), stdout.into()))
    }
}
