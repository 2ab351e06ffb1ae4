//! What threads talk through: of the standard library, or of shuttle, which tries their schedules out.

use std::time::Duration;

#[cfg(not(feature = "shuttle"))]
pub(crate) use std::{sync::mpsc, thread};

#[cfg(feature = "shuttle")]
pub(crate) use shuttle::{sync::mpsc, thread};

/// What comes next, if it comes in `time`.
#[cfg(not(feature = "shuttle"))]
pub(crate) fn recv_timeout<T>(
    receiver: &mpsc::Receiver<T>,
    time: Duration,
) -> Result<T, mpsc::RecvTimeoutError> {
    receiver.recv_timeout(time)
}

/// The same for shuttle, which knows no time and would wait for ever: it looks, and lets others go on.
#[cfg(feature = "shuttle")]
pub(crate) fn recv_timeout<T>(
    receiver: &mpsc::Receiver<T>,
    time: Duration,
) -> Result<T, mpsc::RecvTimeoutError> {
    let deadline = std::time::Instant::now() + time;
    loop {
        match receiver.try_recv() {
            Ok(received) => return Ok(received),
            Err(mpsc::TryRecvError::Disconnected) => {
                return Err(mpsc::RecvTimeoutError::Disconnected);
            }
            Err(mpsc::TryRecvError::Empty) if std::time::Instant::now() >= deadline => {
                return Err(mpsc::RecvTimeoutError::Timeout);
            }
            Err(mpsc::TryRecvError::Empty) => thread::yield_now(),
        }
    }
}
