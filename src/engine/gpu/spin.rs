//! Looking again and again whether something is done, in place of sleeping until it is: it saves the
//! time it takes to wake up, as long as nobody else has use for the core.

use std::time::Duration;

/// The longest that is looked without sleeping: against what takes longer, waking up is nothing.
const MOST: Duration = Duration::from_millis(5);
/// Where two looks are further apart, somebody else had the core between.
const TAKEN: Duration = Duration::from_micros(200);
/// Waits that are slept through after that: at first, and at most.
const BACK_OFF: [u32; 2] = [16, 1024];

/// What was seen of whether the core is idle.
#[derive(Debug)]
pub(super) struct Spin {
    back_off: u32,
    /// Waits that are to be slept through yet.
    asleep: u32,
}

impl Default for Spin {
    fn default() -> Self {
        Self { back_off: BACK_OFF[0], asleep: 0 }
    }
}

impl Spin {
    /// Looks until it is no longer `pending`; the time by `now`. Returns sooner where it takes long, or
    /// where others want the core, who would go without it while this thread waits for nothing. Then
    /// the next waits are not for looking, ever more of them.
    pub(super) fn wait(
        &mut self,
        mut pending: impl FnMut() -> bool,
        mut now: impl FnMut() -> Duration,
    ) {
        if self.asleep > 0 {
            self.asleep -= 1;
            return;
        }
        let start = now();
        let (mut last, [least, most]) = (start, BACK_OFF);
        while pending() {
            let look = now();
            if look - last > TAKEN {
                self.asleep = self.back_off;
                self.back_off = (2 * self.back_off).min(most);
                return;
            }
            if look - start > MOST {
                break;
            }
            last = look;
        }
        self.back_off = (self.back_off - self.back_off / 64).max(least);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// Waits for what is done after that many looks, each of which takes `look`; how often it was looked.
    fn wait(spin: &mut Spin, done: u32, look: Duration) -> u32 {
        let looks = Cell::new(0);
        let pending = || {
            looks.set(looks.get() + 1);
            looks.get() < done
        };
        spin.wait(pending, || look * looks.get());
        looks.get()
    }

    const QUICK: Duration = Duration::from_micros(2);

    #[test]
    fn on_an_idle_core_it_looks_until_all_is_done() {
        let mut spin = Spin::default();
        for _ in 0..5000 {
            assert_eq!(wait(&mut spin, 300, QUICK), 300);
        }
    }

    #[test]
    fn what_takes_long_is_not_looked_at_to_its_end() {
        let mut spin = Spin::default();
        for _ in 0..2 {
            let looks = wait(&mut spin, u32::MAX, QUICK);
            assert!(QUICK * looks <= MOST + 2 * QUICK, "{looks}");
        }
    }

    #[test]
    fn where_others_want_the_core_it_sleeps_ever_longer() {
        let mut spin = Spin::default();
        let mut slept = Vec::new();
        for _ in 0..9 {
            // One look, after which another had the core.
            assert_eq!(wait(&mut spin, 9, Duration::from_millis(3)), 1);
            let mut waits = 0;
            while spin.asleep > 0 {
                assert_eq!(wait(&mut spin, 9, Duration::from_millis(3)), 0, "it sleeps");
                waits += 1;
            }
            slept.push(waits);
        }
        assert_eq!(slept, [16, 32, 64, 128, 256, 512, 1024, 1024, 1024]);
    }

    #[test]
    fn once_the_core_is_idle_again_it_looks_again() {
        let mut spin = Spin::default();
        for _ in 0..10_000 {
            wait(&mut spin, 9, Duration::from_millis(3));
        }
        let looked = (0..4000).filter(|_| wait(&mut spin, 9, QUICK) > 0).count();
        assert!(looked > 2900, "{looked}");
        assert_eq!(spin.back_off, BACK_OFF[0].max(63), "a single time is soon forgotten");
    }
}
