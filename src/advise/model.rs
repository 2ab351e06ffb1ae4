//! How many updates a loss takes, from a few runs, as a function of K and the mean staleness.
//!
//! The model combines two effects, each with what is known of its form:
//! * With fresh gradients a loss takes N(K) = A + B/K updates, since the noise of the gradients is
//!   averaged over K of them (`McCandlish` et al. 2018, "An Empirical Model of Large-Batch
//!   Training", equation 2.11).
//! * With stale gradients it takes N updates, where ln(N / N(K)) = a s + b s^2 and s is the mean
//!   staleness.
//!
//! Where a run does not reach a loss at all, a run that averages less or whose gradients are staler
//! is not expected to reach it.

use crate::{Error, Result, sgd::trajectory::Point};

/// How many times as far as a run went a loss may be looked for.
const FARTHEST: f64 = 10.0;
/// Evaluations that the course beyond a run is taken from: the last half of its updates.
const TAIL: f64 = 0.5;

/// A pilot run.
#[derive(Debug, Clone, PartialEq)]
pub struct PilotRun {
    /// K, the gradients an update.
    pub k: usize,
    /// Mean of s = j - tau over its gradients.
    pub mean_staleness: f64,
    /// Evaluations, from the start on.
    pub points: Vec<Point>,
}

impl PilotRun {
    /// Updates to the first loss at or below `loss`. Beyond the run, the loss goes on as the power of
    /// the updates that fits its last half.
    pub fn updates_to(&self, loss: f64) -> Option<Updates> {
        if self.points[0].loss <= loss {
            return Some(Updates { count: 0.0, within: true });
        }
        if let Some([before, after]) = self.points.windows(2).find(|pair| pair[1].loss <= loss) {
            // Where both are equal the earlier one would have been low enough.
            let share = (before.loss / loss).ln() / (before.loss / after.loss).ln();
            let count = before.updates + share * (after.updates - before.updates);
            return Some(Updates { count, within: true });
        }
        let last = self.points[self.points.len() - 1].updates;
        let (at, slope) = self.tail()?;
        let count = last * (loss / at).powf(1.0 / slope);
        (count <= FARTHEST * last).then_some(Updates { count: count.max(last), within: false })
    }

    /// The course whose loss never rises that is nearest to this one, by least squares in ln loss:
    /// neighbours that are out of order share their mean (Barlow et al. 1972).
    #[must_use]
    pub fn smoothed(&self) -> Self {
        let mut blocks: Vec<(f64, usize)> = Vec::new();
        for point in &self.points {
            blocks.push((point.loss.ln(), 1));
            while let [.., (before, m), (after, n)] = *blocks
                && after > before
            {
                let (m_share, all) = (m as f64 / (m + n) as f64, m + n);
                blocks.truncate(blocks.len() - 2);
                blocks.push((before * m_share + after * (1.0 - m_share), all));
            }
        }
        let losses = blocks.iter().flat_map(|&(ln, n)| std::iter::repeat_n(ln.exp(), n));
        let points =
            self.points.iter().zip(losses).map(|(point, loss)| Point { loss, ..*point }).collect();
        Self { points, ..*self }
    }

    /// Loss at the end of the run and d ln loss / d ln updates, by least squares; none unless the
    /// loss falls.
    fn tail(&self) -> Option<(f64, f64)> {
        let last = self.points[self.points.len() - 1].updates;
        let tail = self.points.iter().filter(|point| point.updates > TAIL * last);
        let logs: Vec<(f64, f64)> =
            tail.map(|point| ((point.updates / last).ln(), point.loss.ln())).collect();
        if logs.len() < 3 || logs.iter().any(|(_, y)| !y.is_finite()) {
            return None;
        }
        let n = logs.len() as f64;
        let (x, y) = logs.iter().fold((0.0, 0.0), |(x, y), log| (x + log.0 / n, y + log.1 / n));
        let (mut xx, mut xy) = (0.0, 0.0);
        for log in &logs {
            xx += (log.0 - x).powi(2);
            xy += (log.0 - x) * (log.1 - y);
        }
        let slope = xy / xx;
        (slope < 0.0).then(|| ((y - slope * x).exp(), slope))
    }
}

/// The courses of one repetition of the pilots, made to speak for all entrants.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// With fresh gradients, by K.
    fresh: Vec<PilotRun>,
    /// With stale gradients, by staleness.
    stale: Vec<PilotRun>,
}

/// A number of updates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Updates {
    /// How many, on average: it need not be whole.
    pub count: f64,
    /// Whether the pilots went as far.
    pub within: bool,
}

impl Model {
    /// Out of pilot runs, fresh and stale.
    ///
    /// # Errors
    /// [`Error::Config`] if no run with fresh gradients lowers the loss.
    pub fn new(courses: Vec<PilotRun>) -> Result<Self> {
        let (mut fresh, mut stale): (Vec<PilotRun>, Vec<PilotRun>) =
            courses.into_iter().partition(|course| course.mean_staleness == 0.0);
        fresh.sort_by_key(|course| course.k);
        stale.sort_by(|one, other| one.mean_staleness.total_cmp(&other.mean_staleness));
        let falls = |course: &PilotRun| {
            course.points.iter().any(|point| point.loss < course.points[0].loss)
        };
        if !fresh.iter().any(falls) {
            return Err(Error::config(
                "no pilot run lowers the loss, so there is nothing to go by; choose a smaller \
                 --learning-rate",
            ));
        }
        Ok(Self { fresh, stale })
    }

    /// Updates to `loss` with K = `k` and this mean staleness; none if it is not expected to get
    /// there.
    pub fn updates_to(&self, loss: f64, k: usize, mean_staleness: f64) -> Option<Updates> {
        if loss >= self.start() {
            return Some(Updates { count: 0.0, within: true });
        }
        let fresh = self.fresh_updates(loss, k as f64)?;
        if mean_staleness == 0.0 {
            return Some(fresh);
        }
        let (delay, within) = self.delay(loss, mean_staleness)?;
        Some(Updates { count: fresh.count * delay.exp(), within: fresh.within && within })
    }

    /// The loss that is reached after so many updates.
    pub fn loss_after(&self, updates: f64, k: usize, mean_staleness: f64) -> Option<f64> {
        let within = |loss: f64| {
            let needed = self.updates_to(loss, k, mean_staleness);
            needed.is_some_and(|needed| needed.count <= updates)
        };
        let mut high = self.start();
        let mut low = 1e-6 * high;
        if !within(high) {
            return None;
        }
        while high / low > 1.0001 {
            let middle = (high * low).sqrt();
            if within(middle) { high = middle } else { low = middle }
        }
        Some(high)
    }

    /// The loss at the start.
    pub fn start(&self) -> f64 {
        self.fresh[0].points[0].loss
    }

    /// N(K) = A + B/K through the runs with the least and the most averaging that get to `loss`.
    fn fresh_updates(&self, loss: f64, k: f64) -> Option<Updates> {
        let reaching = |course: &PilotRun| Some((course.k as f64, course.updates_to(loss)?));
        let mut reached = self.fresh.iter().filter_map(reaching);
        let (k0, first) = reached.next()?;
        // A K below those that get there does not.
        if k < k0 {
            return None;
        }
        let Some((k1, last)) = reached.next_back() else { return Some(first) };
        // More averaging never takes more updates.
        let b = ((first.count - last.count) / (1.0 / k0 - 1.0 / k1)).max(0.0);
        let a = (first.count - b / k0).max(0.0);
        Some(Updates { count: a + b / k, within: first.within && last.within })
    }

    /// ln(N / N(K)) at this staleness: a s + b s^2 through the two stalest runs that get to `loss`.
    fn delay(&self, loss: f64, mean_staleness: f64) -> Option<(f64, bool)> {
        let mut known = Vec::new();
        for course in &self.stale {
            let fresh = self.fresh_updates(loss, course.k as f64);
            match (fresh, course.updates_to(loss)) {
                (Some(fresh), Some(stale)) if fresh.count > 0.0 => {
                    let delay = (stale.count / fresh.count).max(0.5).ln();
                    known.push((course.mean_staleness, delay, stale.within && fresh.within));
                }
                // What is staler than a run that does not get there does not either.
                _ if course.mean_staleness <= mean_staleness * 1.0001 => return None,
                _ => {}
            }
        }
        let within = known.iter().all(|(.., within)| *within);
        let s = mean_staleness;
        match *known {
            [] => None,
            [(s1, d1, _)] => (s <= s1 * 1.0001).then_some((d1 * s / s1, within)),
            [.., (s1, d1, _), (s2, d2, _)] => {
                let b = (d2 / s2 - d1 / s1) / (s2 - s1);
                let a = d1 / s1 - b * s1;
                Some((a * s + b * s * s, within))
            }
        }
    }
}
