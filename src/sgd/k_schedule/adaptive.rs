//! K from measurement: as many gradients an update as the noise of the loss asks for now.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Following, KSchedule, LossOf, Progress};
use crate::Result;

/// How fast the average of the parameters forgets: it is made of the last fifth of the updates or so.
const FORGETS: f64 = 4.0;
/// What a stale variant has of noise beyond 1/K, for each learner beyond K, in parts of K.
const STALE: f64 = 0.1;
/// By how much K grows at a look at the most.
const AT_MOST: f64 = 1.25;
/// The first look is after so small a part of a window, and none are closer to each other.
const FIRST_LOOK: u32 = 8;
/// Two looks are apart by so small a part of the time that is past, but by a window at the most.
const LOOKS: u32 = 6;
/// Over so large a factor in the number of updates the slope of the loss is measured, and over so many
/// looks at least.
const BACK: f64 = 3.0;
const SLOPE_OF: usize = 3;
/// The least slope: what does not fall at all would ask for every learner at once.
const LEAST_SLOPE: f64 = 1e-6;
/// A loss that is so many times that of the start, and rises, is one of steps that do not settle.
const UNSTABLE: f64 = 1.5;
/// So many gradients of each learner are looked at one update after the other: what is too large a step
/// does harm soon.
const WATCHED: u64 = 8;

/// K grows when the noise of the parameters costs more than slower updates would.
///
/// With K fixed, the loss after n updates is S(n) + phi(K): what it would be without noise, and the
/// excess by the noise of the gradients. Over as long a time as has passed, K gives more updates where
/// it is small, and less noise where it is large; the best K minimises phi(K) - sigma ln(1 + n'/n),
/// where n' is the number of updates to come, and -sigma the slope of S over ln n. Both are measured:
/// S as the loss of an average of the parameters in which the noise cancels (the polynomial-decay
/// average of Shamir and Zhang 2013), and phi as the difference from it. That noise falls as 1/K is
/// McCandlish et al. 2018; where gradients are stale, (P - K)/K of them add a tenth of it each.
///
/// K starts at 1, never falls, and grows by a quarter at a look at most. It doubles, for good, where
/// the loss is half as high again as at the start and still rises. Where gradients are stale, the first
/// update is of all learners: they have all read w_0, and one after the other their gradients would be
/// a step P times as long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Adaptive {
    stale: bool,
    /// The mean time of an update for each K from 1 on, in units of any length.
    times: Vec<f64>,
    window: Duration,
    next_look: Duration,
    /// What measurement asks for, which may lie between two numbers.
    k: f64,
    /// The least K at which steps have not been found too large.
    settles: f64,
    updates: u64,
    gradients: u64,
    /// The time of the updates so far, in the units of `times`.
    expected: f64,
    /// The average of the parameters.
    #[serde(skip)]
    average: Vec<f32>,
    /// The loss of w_0, and the last that was looked at; none that is not finite.
    first_loss: Option<f64>,
    last_loss: Option<f64>,
    /// Whether steps were found too large then.
    is_unstable: bool,
    measured: Measured,
    /// What was seen at each look: the logarithm of the number of updates, and the loss of the average.
    looks: Vec<(f64, f64)>,
}

/// Averages over the looks, which forget as the average of the parameters does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Measured {
    /// Updates until the last look.
    updates: u64,
    loss: f64,
    /// The noise that goes with K, as a part of that with K = 1 and no staleness.
    noise: f64,
}

impl Adaptive {
    /// `times` are the mean times of an update for K = 1 to P, of which only the ratios count; `stale`,
    /// whether unfinished gradients go on at an update. No two looks are further apart than the window.
    ///
    /// # Panics
    /// If there are no times, or the window is no time at all.
    pub fn new(stale: bool, times: Vec<f64>, window: Duration) -> Self {
        assert!(!times.is_empty(), "there are learners");
        assert!(!window.is_zero(), "there is time between two looks");
        Self {
            stale,
            times,
            window,
            next_look: window / FIRST_LOOK,
            k: 1.0,
            settles: 1.0,
            updates: 0,
            gradients: 0,
            expected: 0.0,
            average: Vec::new(),
            first_loss: None,
            last_loss: None,
            is_unstable: false,
            measured: Measured::default(),
            looks: Vec::new(),
        }
    }

    /// The average of the parameters, which is kept apart from all else.
    pub fn average(&self) -> &[f32] {
        &self.average
    }

    /// The same with this average.
    #[must_use]
    pub fn with_average(self, average: Vec<f32>) -> Self {
        Self { average, ..self }
    }

    fn learners(&self) -> usize {
        self.times.len()
    }

    /// K of the next update.
    fn k(&self) -> usize {
        match self.stale && self.updates == 0 {
            true => self.learners(),
            false => (self.k.max(self.settles).round() as usize).clamp(1, self.learners()),
        }
    }

    /// The noise at K = `k`, as a part of that at K = 1 without staleness.
    fn noise(&self, k: usize) -> f64 {
        let (k, p) = (k as f64, self.learners() as f64);
        let stale = if self.stale { 1.0 + STALE * (p - k) / k } else { 1.0 };
        stale / k
    }

    /// Takes an update in.
    fn count(&mut self, params: &[f32]) {
        let k = self.k();
        self.updates += 1;
        self.gradients += k as u64;
        self.expected += self.times[k - 1];
        let part = ((1.0 + FORGETS) / (self.updates as f64 + FORGETS)) as f32;
        for (average, w) in self.average.iter_mut().zip(params) {
            *average += part * (w - *average);
        }
    }

    /// Doubles K if steps are too large: this loss is far above the first, and rises.
    fn settle(&mut self, first_loss: f64, loss: f64) {
        let loss = if loss.is_finite() { loss } else { f64::INFINITY };
        let rises = self.last_loss.is_none_or(|last| loss > last);
        self.is_unstable = loss > UNSTABLE * first_loss;
        if self.is_unstable && rises {
            self.settles = (2.0 * self.settles.max(self.k)).min(self.learners() as f64);
        }
        self.last_loss = Some(loss).filter(|loss| loss.is_finite());
    }

    /// Chooses K anew after so many seconds, from the loss and that of the average.
    fn look(&mut self, time: f64, loss: f64, smooth: f64) {
        let (n, here) = (self.updates as f64, self.noise(self.k()));
        // All of it at the first look.
        let part = 1.0 - (self.measured.updates as f64 / n).powf(1.0 + FORGETS);
        self.measured.updates = self.updates;
        self.measured.loss += part * (loss - self.measured.loss);
        self.measured.noise += part * (here - self.measured.noise);
        // The average is one of parameters that are older by that much.
        self.looks.push(((n * (1.0 - 1.0 / (FORGETS + 2.0))).ln(), smooth));
        let excess = (self.measured.loss - smooth).max(0.0) / self.measured.noise;
        let (slope, unit) = (self.slope(), time / self.expected);
        let cost = |k: &usize| {
            let more = time / (unit * self.times[k - 1]);
            excess * self.noise(*k) - slope * (1.0 + more / n).ln()
        };
        let best = (1..=self.learners()).min_by(|a, b| cost(a).total_cmp(&cost(b)));
        let best = best.expect("there are learners") as f64;
        self.k = best.max(self.k).min(AT_MOST * self.k);
    }

    /// sigma, by how much the loss of the average falls where ln n grows by 1.
    fn slope(&self) -> f64 {
        let last = self.looks.last().map_or(0.0, |look| look.0);
        let recent = self.looks.iter().filter(|look| look.0 >= last - BACK.ln()).count();
        let few = &self.looks[self.looks.len().saturating_sub(recent.max(SLOPE_OF))..];
        let mean = |of: fn(&(f64, f64)) -> f64| few.iter().map(of).sum::<f64>() / few.len() as f64;
        let (x, y) = (mean(|look| look.0), mean(|look| look.1));
        let covariance: f64 = few.iter().map(|look| (look.0 - x) * (look.1 - y)).sum();
        let variance: f64 = few.iter().map(|look| (look.0 - x).powi(2)).sum();
        // There is no slope of a single look; the larger of the two is the number then.
        (-covariance / variance).max(LEAST_SLOPE)
    }
}

impl KSchedule for Adaptive {
    fn see(&mut self, progress: &Progress, params: &[f32], loss: &mut LossOf<'_>) -> Result<()> {
        if progress.version == 0 {
            self.average = params.to_vec();
            self.first_loss = loss(params)?.filter(|loss| loss.is_finite());
            // It counts as one after half an update.
            self.looks.extend(self.first_loss.map(|loss| (0.5_f64.ln(), loss)));
            return Ok(());
        }
        self.count(params);
        let due = progress.time >= self.next_look;
        let is_watched = self.gradients <= WATCHED * self.learners() as u64 || self.is_unstable;
        let Some(first_loss) = self.first_loss.filter(|_| due || is_watched) else {
            return Ok(());
        };
        let Some(now) = loss(params)? else { return Ok(()) };
        self.settle(first_loss, now);
        if due {
            if let Some(smooth) = loss(&self.average)?
                && now.is_finite()
                && smooth.is_finite()
            {
                self.look(progress.time.as_secs_f64(), now, smooth);
            }
            let apart = (self.window / FIRST_LOOK).max(progress.time / LOOKS).min(self.window);
            self.next_look = progress.time + apart;
        }
        Ok(())
    }

    fn next_k(&mut self, _: &Progress) -> usize {
        self.k()
    }

    fn following(&self) -> Option<Following> {
        Some(Following::Adaptive(Box::new(self.clone())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A schedule of K minibatches among eight learners, with looks a second apart from an eighth on.
    fn schedule(stale: bool) -> Adaptive {
        let times = (1..=8).map(|k| f64::from(k) / 8.0).collect();
        Adaptive::new(stale, times, SECOND)
    }

    /// K after each of `updates` updates, `apart` from each other, of parameters `w(j)` with this loss.
    fn ks(
        mut schedule: Adaptive,
        updates: u64,
        apart: Duration,
        w: impl Fn(u64) -> f32,
        loss: impl Fn(f32) -> f64,
    ) -> Vec<usize> {
        let mut loss = |params: &[f32]| Ok(Some(loss(params[0])));
        let mut at = |version: u64| {
            let time = apart * version as u32;
            let progress = Progress { time, version, loss: None };
            schedule.see(&progress, &[w(version)], &mut loss).unwrap();
            schedule.next_k(&progress)
        };
        (0..=updates).map(&mut at).collect()
    }

    #[test]
    fn without_noise_k_stays_at_one() {
        // The loss falls evenly over ln n, and the average, which is older, has the higher loss.
        let falls = |j: u64| 10.0 - (j as f32 + 1.0).ln();
        let all = ks(schedule(false), 400, SECOND / 8, falls, f64::from);
        assert!(all.iter().all(|k| *k == 1), "{all:?}");
    }

    #[test]
    fn where_nothing_but_noise_is_left_k_grows_by_a_quarter_a_look_to_all_learners() {
        // To and fro around the minimum: the average is near it, and nothing falls any more.
        let swings = |j: u64| if j == 0 { 2.0 } else { [1.0, -1.0][j as usize % 2] };
        let square = |w: f32| f64::from(w * w);
        let all = ks(schedule(false), 400, SECOND / 8, swings, square);
        assert!(all.windows(2).all(|pair| pair[0] <= pair[1]), "it never falls: {all:?}");
        let mut steps: Vec<usize> = all.clone();
        steps.dedup();
        // 1.25^n, rounded.
        assert_eq!(steps, [1, 2, 3, 4, 5, 6, 7, 8], "{all:?}");
    }

    #[test]
    fn steps_that_do_not_settle_double_k_for_good() {
        // Twice the loss of the start from the third update to the fifth, rising twice.
        let loss = |w: f32| [1.0, 0.9, 0.9, 2.0, 3.0, 2.5, 0.8, 0.8, 0.8][w as usize];
        let all = ks(schedule(false), 8, SECOND / 100, |j| j as f32, loss);
        assert_eq!(all, [1, 1, 1, 2, 4, 4, 4, 4, 4]);
    }

    #[test]
    fn where_gradients_are_stale_the_first_update_is_of_all_learners() {
        let falls = |j: u64| 10.0 - (j as f32 + 1.0).ln();
        let all = ks(schedule(true), 20, SECOND / 8, falls, f64::from);
        assert_eq!(all[..3], [8, 1, 1]);
    }

    #[test]
    fn of_a_loss_that_nobody_knows_nothing_follows() {
        let mut schedule = schedule(false);
        for version in 0..50 {
            let progress = Progress { time: SECOND * version, version: version.into(), loss: None };
            schedule.see(&progress, &[0.0], &mut |_| Ok(None)).unwrap();
            assert_eq!(schedule.next_k(&progress), 1);
        }
    }

    #[test]
    fn the_slope_is_that_of_the_line_through_the_last_looks() {
        let mut schedule = schedule(false);
        schedule.looks = vec![(0.0, 9.0), (5.0, 4.0), (5.5, 3.0), (6.0, 2.0)];
        assert!((schedule.slope() - 2.0).abs() < 1e-12);
        schedule.looks = vec![(0.0, 1.0), (1.0, 2.0)];
        assert_eq!(schedule.slope(), LEAST_SLOPE);
        schedule.looks.truncate(1);
        assert_eq!(schedule.slope(), LEAST_SLOPE);
    }
}
