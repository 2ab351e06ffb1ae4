//! Ctrl-C, and whatever else asks a command to end.
//!
//! A command that has nothing to lose ends at once. One that records ends by itself, with a whole
//! record, and says with [`Interrupt::give`] how long that may take; what takes longer is cut off, and
//! the record is then as whole as after a kill. Either way the exit code is 130.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use super::Exit;
use crate::{Error, Result};

/// Signals that come closer together are one wish: `timeout` and terminals send the same one to a
/// process and to its group.
const ONE_WISH: Duration = Duration::from_millis(500);
/// How often to look whether a command has been given more time.
const LOOK: Duration = Duration::from_millis(20);
/// How long the terminal may take to be given back: whoever holds it may not let go.
const LEAVING: Duration = Duration::from_millis(300);

type Leave = Box<dyn FnOnce() + Send>;

/// The wish that the command ends. A second one, half a second after the first or later, ends the
/// process at once.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<Shared>);

#[derive(Default)]
struct Shared {
    wished: AtomicBool,
    /// When the first wish was seen.
    first: Mutex<Option<Instant>>,
    /// How long the command may go on after it, in milliseconds.
    patience: AtomicU64,
    /// Whether nobody's wish counts.
    deaf: AtomicBool,
    /// Whether the command goes on where its terminal is gone.
    outlives_terminal: AtomicBool,
    leave: Mutex<Option<Leave>>,
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interrupt").field("wished", &self.0.wished).finish_non_exhaustive()
    }
}

impl Interrupt {
    /// One that listens to Ctrl-C and to the signals that ask a process to end. A signal that whoever
    /// started the process has set to be ignored, as `nohup` does with SIGHUP, stays ignored.
    ///
    /// # Errors
    /// [`Error::Io`] where the system lets nobody listen.
    pub fn listening() -> Result<Self> {
        let interrupt = Self::default();
        listen(&interrupt).map_err(Error::io("the signals that end a process"))?;
        Ok(interrupt)
    }

    /// Becomes true at the first wish.
    pub(super) fn flag(&self) -> &AtomicBool {
        &self.0.wished
    }

    /// Whether the wish was made that the command ends.
    pub fn is_wished(&self) -> bool {
        self.0.wished.load(Ordering::Relaxed)
    }

    /// Gives the command so long after the first wish to end by itself; none if this is never said.
    pub(super) fn give(&self, patience: Duration) {
        self.0.patience.store(patience.as_millis() as u64, Ordering::Relaxed);
    }

    /// From here on nobody's wish counts.
    pub(super) fn ignore(&self) {
        self.0.deaf.store(true, Ordering::Relaxed);
    }

    /// Wishes that the command ends.
    pub(super) fn wish(&self) {
        if self.0.deaf.load(Ordering::Relaxed) {
            return;
        }
        let mut first = lock(&self.0.first);
        match *first {
            None => {
                let now = Instant::now();
                *first = Some(now);
                drop(first);
                self.0.wished.store(true, Ordering::Relaxed);
                self.see_to_it(now);
            }
            Some(first) if first.elapsed() >= ONE_WISH => self.leave(),
            Some(_) => {}
        }
    }

    /// The terminal is gone. Unless the command is to outlive it, that is the wish that it ends, as the
    /// signal is that the system sends to the processes of a terminal.
    pub(super) fn hang_up(&self) {
        if !self.0.outlives_terminal.load(Ordering::Relaxed) && !self.is_wished() {
            self.wish();
        }
    }

    /// Ends the process if it does not end by itself in the time that it has.
    fn see_to_it(&self, first: Instant) {
        let interrupt = self.clone();
        let wait = move || loop {
            let patience = Duration::from_millis(interrupt.0.patience.load(Ordering::Relaxed));
            let left = patience.saturating_sub(first.elapsed());
            if left.is_zero() {
                interrupt.leave();
            }
            thread::sleep(left.min(LOOK));
        };
        if self.0.patience.load(Ordering::Relaxed) == 0 {
            wait();
        }
        // Without a thread for it, whoever wishes is to wish again.
        let _ = thread::Builder::new().name("end".into()).spawn(wait);
    }

    /// What is to be done before the process is ended at once.
    pub(super) fn before_exit(&self, leave: impl FnOnce() + Send + 'static) {
        *lock(&self.0.leave) = Some(Box::new(leave));
    }

    fn leave(&self) -> ! {
        if let Some(leave) = lock(&self.0.leave).take() {
            let (done, end) = mpsc::channel();
            let leaving = thread::Builder::new().spawn(move || {
                leave();
                let _ = done.send(());
            });
            if leaving.is_ok() {
                let _ = end.recv_timeout(LEAVING);
            }
        }
        end_now(Exit::Interrupted.code())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(unix)]
fn listen(interrupt: &Interrupt) -> std::io::Result<()> {
    use signal_hook::{
        consts::{SIGHUP, SIGINT, SIGTERM},
        iterator::Signals,
    };

    let heard = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal));
    let heard: Vec<_> = heard.collect();
    interrupt.0.outlives_terminal.store(!heard.contains(&SIGHUP), Ordering::Relaxed);
    let mut signals = Signals::new(heard)?;
    let interrupt = interrupt.clone();
    let listener = move || signals.forever().for_each(|_| interrupt.wish());
    thread::Builder::new().name("signals".into()).spawn(listener).map(drop)
}

#[cfg(not(unix))]
fn listen(interrupt: &Interrupt) -> std::io::Result<()> {
    let interrupt = interrupt.clone();
    ctrlc::set_handler(move || interrupt.wish()).map_err(std::io::Error::other)
}

/// Whether whoever started this process wants it to ignore a signal.
#[cfg(unix)]
#[expect(unsafe_code, reason = "no safe function tells what becomes of a signal")]
pub fn is_ignored(signal: std::ffi::c_int) -> bool {
    // SAFETY: zeros are a value of this structure of the system, and with no action to set the call
    // does nothing but fill it in.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(signal, std::ptr::null(), &raw mut action) == 0
            && action.sa_sigaction == libc::SIG_IGN
    }
}

/// Ends the process without what libraries do at its end: a driver in the middle of something may
/// neither survive that nor come to its end.
#[cfg(unix)]
fn end_now(code: u8) -> ! {
    signal_hook::low_level::exit(code.into())
}

#[cfg(not(unix))]
fn end_now(code: u8) -> ! {
    std::process::exit(code.into())
}
