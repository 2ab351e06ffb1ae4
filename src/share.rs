//! Work in portions, for several cores: those of the host engine, if there is one.

use std::{
    panic::resume_unwind,
    sync::{Mutex, PoisonError},
    thread::{self, ScopedJoinHandle},
};

#[cfg(feature = "host")]
pub(crate) use crate::pool::{share, start, threads};

/// What both return, the other on a thread of its own if the system has one.
pub(crate) fn both<A, B: Send>(
    one: impl FnOnce() -> A,
    other: impl FnOnce() -> B + Send,
) -> (A, B) {
    let other = Mutex::new(Some(other));
    let other = || {
        let other = other.lock().unwrap_or_else(PoisonError::into_inner).take();
        other.expect("it is called once")()
    };
    thread::scope(|scope| match thread::Builder::new().spawn_scoped(scope, other) {
        Ok(thread) => (one(), join(thread)),
        Err(_) => (one(), other()),
    })
}

/// What `work` returns of each, on a thread each as far as the system has them.
#[cfg(feature = "report")]
pub(crate) fn each<P: Sync, T: Send>(all: &[P], work: impl Fn(&P) -> T + Sync) -> Vec<T> {
    let work = &work;
    thread::scope(|scope| {
        let start =
            |one| thread::Builder::new().spawn_scoped(scope, move || work(one)).map_err(|_| one);
        let started: Vec<_> = all.iter().map(start).collect();
        started.into_iter().map(|started| started.map_or_else(work, join)).collect()
    })
}

fn join<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| resume_unwind(panic))
}

/// How many threads can work at the same time.
#[cfg(not(feature = "host"))]
pub(crate) fn threads() -> usize {
    1
}

/// Does `work` on each of `portions`.
#[cfg(not(feature = "host"))]
pub(crate) fn share<W: Send, P>(
    workers: &mut [W],
    portions: impl Iterator<Item = P> + Send,
    work: impl Fn(&mut W, P) + Sync,
) {
    portions.for_each(|portion| work(&mut workers[0], portion));
}
