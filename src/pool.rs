//! Threads that are always there: starting one takes longer than a small gradient.

use std::{
    error::Error as _,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    thread,
};

use rayon::ThreadPoolBuilder;

use crate::{Error, Result};

/// Starts the threads that [`share`] shares with.
///
/// # Errors
/// [`Error::NoRoom`] where the system has none.
pub(crate) fn start() -> Result<()> {
    static STARTED: OnceLock<std::result::Result<(), String>> = OnceLock::new();
    let started = STARTED.get_or_init(|| match ThreadPoolBuilder::new().build_global() {
        // Without a source, it only says that they had been started before.
        Err(error) if error.source().is_some() => Err(error.to_string()),
        _ => Ok(()),
    });
    started.clone().map_err(|problem| Error::NoRoom(format!("threads to compute on: {problem}")))
}

/// How many threads can work at the same time.
pub(crate) fn threads() -> usize {
    rayon::current_num_threads()
}

/// Does `work` on each of `portions`: the first of `workers` on this thread, the others on others,
/// and each takes the next portion as soon as it is done with one.
pub(crate) fn share<W: Send, P>(
    workers: &mut [W],
    portions: impl Iterator<Item = P> + Send,
    work: impl Fn(&mut W, P) + Sync,
) {
    let portions = Mutex::new(portions);
    let next = || portions.lock().unwrap_or_else(PoisonError::into_inner).next();
    let busy = Arc::new(());
    let run = &|worker: &mut W| {
        let _busy = Arc::clone(&busy);
        while let Some(portion) = next() {
            work(worker, portion);
        }
    };
    let (own, others) = workers.split_first_mut().expect("somebody works");
    rayon::in_place_scope(|scope| {
        for other in others {
            scope.spawn(move |_| run(other));
        }
        run(own);
        // The end of the scope would put this thread to sleep, and waking takes longer than the
        // portions in hand.
        while Arc::strong_count(&busy) > 1 {
            thread::yield_now();
        }
    });
}
