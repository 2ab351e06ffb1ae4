//! Ctrl-C, and whatever else asks a race to end.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use super::Exit;
use crate::{Error, Result};

type Leave = Box<dyn FnOnce() + Send>;

/// The wish that a race ends: the first lets it end with a whole record, a second ends the process at
/// once.
#[derive(Clone, Default)]
pub(super) struct Interrupt {
    wished: Arc<AtomicBool>,
    leave: Arc<Mutex<Option<Leave>>>,
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interrupt").field("wished", &self.wished).finish_non_exhaustive()
    }
}

impl Interrupt {
    /// One that listens to Ctrl-C and to signals that ask a process to end.
    pub(super) fn listening() -> Result<Self> {
        let interrupt = Self::default();
        let wish = interrupt.clone();
        ctrlc::set_handler(move || wish.wish())
            .map_err(|error| Error::io("the handler of Ctrl-C")(std::io::Error::other(error)))?;
        Ok(interrupt)
    }

    /// Becomes true at the first wish.
    pub(super) fn flag(&self) -> &AtomicBool {
        &self.wished
    }

    /// Wishes that the race ends.
    pub(super) fn wish(&self) {
        if self.wished.swap(true, Ordering::Relaxed) {
            let leave = self.leave.lock().unwrap_or_else(PoisonError::into_inner).take();
            leave.into_iter().for_each(|leave| leave());
            std::process::exit(Exit::Interrupted.code().into());
        }
    }

    /// What is to be done before the process is ended at once.
    pub(super) fn before_exit(&self, leave: impl FnOnce() + Send + 'static) {
        let leave: Leave = Box::new(leave);
        *self.leave.lock().unwrap_or_else(PoisonError::into_inner) = Some(leave);
    }
}
