//! The time in which this process ran, which is what deadlines and run time count.
//!
//! A process can be stopped and go on later, as by Ctrl-Z and `fg`, and the clocks of some systems go
//! on while the machine sleeps. What others do not say meanwhile is no silence of theirs: nobody
//! listened. A thread looks at the clock again and again; where it comes much too late, the process
//! did not run.

use std::{
    sync::{Mutex, MutexGuard, OnceLock, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

/// How often somebody looks at the clock at least.
const BEAT: Duration = Duration::from_millis(50);
/// How late a look may be: a busy machine wakes threads late, too, and that time counts.
const LATE: Duration = Duration::from_millis(200);

/// How long this process has run, by those who looked at the clock.
#[derive(Debug)]
struct Pulse {
    last: Instant,
    ran: Duration,
    paused: Duration,
    /// The longest time between two looks that is no pause.
    late: Duration,
}

impl Pulse {
    /// Of a process that begins `now`; pauses are known only where a thread looks at the clock.
    fn new(now: Instant, watched: bool) -> Self {
        let late = if watched { LATE } else { Duration::MAX };
        Self { last: now, ran: Duration::ZERO, paused: Duration::ZERO, late }
    }

    /// Looks at the clock: how long the process has run. A pause counts for one beat, so that even
    /// where every look is late a deadline comes.
    fn look(&mut self, now: Instant) -> Duration {
        let gap = now.saturating_duration_since(self.last);
        let ran = if gap > self.late { BEAT } else { gap };
        self.last = self.last.max(now);
        self.ran += ran;
        self.paused += gap - ran;
        self.ran
    }
}

/// How long this process has run, from some moment on; never less than before.
pub(crate) fn now() -> Duration {
    pulse().look(Instant::now())
}

/// How long this process has been stopped, from the same moment on.
pub(crate) fn paused() -> Duration {
    let mut pulse = pulse();
    pulse.look(Instant::now());
    pulse.paused
}

/// Waits until something is heard, and returns false then; true where nothing was while this process
/// ran for `patience`, and none where nobody is there any more to say something.
pub(crate) fn heard<T>(hears: &mpsc::Receiver<T>, patience: Duration) -> Option<bool> {
    let deadline = now() + patience;
    loop {
        let left = deadline.saturating_sub(now());
        match hears.recv_timeout(left) {
            Ok(_) => return Some(false),
            Err(mpsc::RecvTimeoutError::Disconnected) => return None,
            Err(mpsc::RecvTimeoutError::Timeout) if left.is_zero() => return Some(true),
            // Too early, where this process was stopped meanwhile.
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
    }
}

fn pulse() -> MutexGuard<'static, Pulse> {
    static PULSE: OnceLock<Mutex<Pulse>> = OnceLock::new();
    let pulse = PULSE.get_or_init(|| {
        let watcher = thread::Builder::new().name("pulse".into());
        let watching = watcher.spawn(|| {
            loop {
                thread::sleep(BEAT);
                now();
            }
        });
        Mutex::new(Pulse::new(Instant::now(), watching.is_ok()))
    });
    pulse.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Looks at the clock after each of those times; how long the process ran, and was stopped.
    fn after(watched: bool, gaps: &[Duration]) -> [Duration; 2] {
        let mut now = Instant::now();
        let mut pulse = Pulse::new(now, watched);
        for gap in gaps {
            now += *gap;
            pulse.look(now);
        }
        [pulse.ran, pulse.paused]
    }

    #[test]
    fn a_pause_counts_for_one_beat() {
        let gaps = [BEAT, 4000 * MS, BEAT, 3_600_000 * MS, 10 * MS];
        let paused = 4000 * MS + 3_600_000 * MS - 2 * BEAT;
        assert_eq!(after(true, &gaps), [4 * BEAT + 10 * MS, paused]);
    }

    #[test]
    fn the_delays_of_a_busy_machine_count_in_full() {
        assert_eq!(
            after(true, &[BEAT, LATE, 3 * BEAT, MS]),
            [4 * BEAT + LATE + MS, Duration::ZERO]
        );
    }

    #[test]
    fn a_deadline_comes_even_where_every_look_is_late() {
        let [ran, _] = after(true, &[2 * LATE; 100]);
        assert_eq!(ran, 100 * BEAT);
    }

    #[test]
    fn without_a_thread_that_looks_nothing_is_taken_for_a_pause() {
        assert_eq!(after(false, &[10_000 * MS, MS]), [10_001 * MS, Duration::ZERO]);
    }

    #[test]
    fn a_clock_that_was_read_earlier_turns_nothing_back() {
        let start = Instant::now();
        let mut pulse = Pulse::new(start, true);
        assert_eq!(pulse.look(start + 30 * MS), 30 * MS);
        assert_eq!(pulse.look(start + 20 * MS), 30 * MS);
        assert_eq!(pulse.look(start + 40 * MS), 40 * MS);
    }
}
