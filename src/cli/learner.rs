//! `tortoise learner`, hidden: computes for the process that started this one, over standard input
//! and output, on which nothing else is said.

use std::{
    backtrace::{Backtrace, BacktraceStatus},
    io::{self, Write},
    panic::{self, PanicHookInfo},
};

use super::{Exit, interrupt::Interrupt};
use crate::{Error, Result, engine::isolated};

pub(super) fn run(interrupt: &Interrupt) -> Result<Exit> {
    panic::set_hook(Box::new(last_words));
    // Ctrl-C goes to every process of the terminal, but the parent decides.
    interrupt.ignore();
    #[cfg(unix)]
    watch()?;
    let opened = isolated::serve(io::stdin().lock(), io::stdout().lock())?;
    Ok(if opened { Exit::Done } else { Exit::Failed })
}

/// What made it panic goes into the last line, the one that the parent's error quotes.
fn last_words(panic: &PanicHookInfo<'_>) {
    let (trace, panic) = (Backtrace::capture(), panic.to_string().replace('\n', " "));
    let mut stderr = io::stderr().lock();
    if trace.status() == BacktraceStatus::Captured {
        let _ = writeln!(stderr, "{trace}");
    }
    let _ = writeln!(stderr, "{panic}");
}

/// Ends the process where the parent is gone: one that is in the hands of a driver does not see
/// that its standard input has ended.
#[cfg(unix)]
fn watch() -> Result<()> {
    use std::{os::unix::process::parent_id, process, thread, time::Duration};

    /// How often to look whether the parent is there.
    const LOOK: Duration = Duration::from_millis(500);
    /// How long the end of the process may take.
    const GRACE: Duration = Duration::from_secs(5);

    let parent = parent_id();
    let watcher = thread::Builder::new().name("watcher".into());
    let watching = watcher.spawn(move || {
        while parent_id() == parent {
            thread::sleep(LOOK);
        }
        // What a driver does at the end of a process may hang as well.
        let _ = thread::Builder::new().spawn(|| {
            thread::sleep(GRACE);
            process::abort();
        });
        process::exit(Exit::Failed.code().into());
    });
    watching.map(drop).map_err(Error::io("a thread that watches the parent"))
}
