//! Durations of which some are only known to be longer, and what can be said of them without a
//! distribution.

use super::Observed;

/// The least duration that is told from none.
pub(super) const RESOLUTION: f64 = 1e-9;

/// Durations in increasing order.
#[derive(Debug, Clone, Default)]
pub(super) struct Sample {
    pub(super) finished: Vec<f64>,
    /// How long those were waited for that were not finished.
    pub(super) cancelled: Vec<f64>,
}

impl Sample {
    pub(super) fn new<'a>(observed: impl Iterator<Item = &'a Observed>) -> Self {
        let mut sample = Self::default();
        for observed in observed {
            let to = if observed.finished { &mut sample.finished } else { &mut sample.cancelled };
            to.push(observed.seconds.max(RESOLUTION));
        }
        sample.finished.sort_by(f64::total_cmp);
        sample.cancelled.sort_by(f64::total_cmp);
        sample
    }

    pub(super) fn len(&self) -> usize {
        self.finished.len() + self.cancelled.len()
    }

    /// Both kinds.
    pub(super) fn all(&self) -> impl Iterator<Item = f64> {
        self.finished.iter().chain(&self.cancelled).copied()
    }

    /// How many could be finished at `t`: those that are not finished before, nor cancelled.
    ///
    /// Who is cancelled at `t` itself goes on beyond it, but for an `atom`, where that is not known.
    fn at_risk(&self, t: f64, atom: bool) -> f64 {
        let (finished, _) = self.from(t);
        let gone = |cancelled: &f64| if atom { *cancelled <= t } else { *cancelled < t };
        let cancelled = self.cancelled.len() - self.cancelled.partition_point(gone);
        (finished + cancelled) as f64
    }

    /// How many of each kind are at least `t`.
    pub(super) fn from(&self, t: f64) -> (usize, usize) {
        let [finished, cancelled] = [&self.finished, &self.cancelled]
            .map(|times| times.len() - times.partition_point(|time| *time < t));
        (finished, cancelled)
    }

    /// The distinct finished durations, in order, each with how often it is there.
    pub(super) fn distinct(&self) -> impl Iterator<Item = (f64, usize)> {
        self.finished.chunk_by(|a, b| a == b).map(|equal| (equal[0], equal.len()))
    }

    /// The cumulative hazard from each finished duration on (Nelson 1972, Aalen 1978).
    pub(super) fn hazard(&self) -> Vec<(f64, f64)> {
        let mut hazard = 0.0;
        let step = |(t, count): (f64, usize)| {
            hazard += count as f64 / self.at_risk(t, is_atom(count, self.finished.len()));
            (t, hazard)
        };
        self.distinct().map(step).collect()
    }

    /// How far Pr(X > t) is from that of a distribution, whose Pr(X >= t) and Pr(X > t) are given: at
    /// most (Kolmogorov and Smirnov, from the product-limit estimate of Kaplan and Meier 1958), and in
    /// units of what chance allows (Hall and Wellner 1980, without cancelled ones sqrt(n) times that).
    pub(super) fn distance(
        &self,
        from: impl Fn(f64) -> f64,
        beyond: impl Fn(f64) -> f64,
    ) -> (f64, f64) {
        let n = self.len() as f64;
        let (mut survival, mut hazard) = (1.0, 0.0);
        let (mut distance, mut units) = (0.0_f64, 0.0_f64);
        for (t, count) in self.distinct() {
            let at_risk = self.at_risk(t, is_atom(count, self.finished.len()));
            let count = count as f64;
            let weight = 1.0 / ((1.0 + hazard) * survival);
            let off = f64::abs(survival - from(t));
            (distance, units) = (distance.max(off), units.max(off * weight));
            survival *= 1.0 - count / at_risk;
            let off = f64::abs(survival - beyond(t));
            distance = distance.max(off);
            if at_risk > count {
                hazard += n * count / (at_risk * (at_risk - count));
                units = units.max(off / ((1.0 + hazard) * survival));
            } else {
                units = units.max(off * weight);
            }
        }
        (distance, n.sqrt() * units)
    }
}

/// Whether so many equal durations are no chance of the clock's resolution.
fn is_atom(equal: usize, finished: usize) -> bool {
    equal > 1 && 100 * equal > finished
}

/// How many standard deviations more of `own` are finished than of `others` at equal durations, with
/// the durations of `own` divided by `factor` (the log-rank test, Mantel 1966): negative where they
/// take longer. Cancelled ones count for as long as they were waited for.
pub(super) fn log_rank(own: &Sample, others: &Sample, factor: f64) -> f64 {
    let scaled = |times: &[f64]| times.iter().map(|time| rounded(time / factor)).collect();
    let own = Sample { finished: scaled(&own.finished), cancelled: scaled(&own.cancelled) };
    let (mut excess, mut variance) = (0.0, 0.0);
    let (mut at, mut beside) = (0, 0);
    while at < own.finished.len() || beside < others.finished.len() {
        let next = |times: &[f64], at: usize| times.get(at).copied().unwrap_or(f64::INFINITY);
        let t = next(&own.finished, at).min(next(&others.finished, beside));
        let count = |times: &[f64], at: usize| times[at..].iter().take_while(|x| **x == t).count();
        let own_done = count(&own.finished, at);
        let done = own_done + count(&others.finished, beside);
        let atom = is_atom(done, own.finished.len() + others.finished.len());
        let own_share = own.at_risk(t, atom);
        let all = own_share + others.at_risk(t, atom);
        let share = own_share / all;
        excess += own_done as f64 - done as f64 * share;
        if all > 1.0 {
            variance += done as f64 * share * (1.0 - share) * (all - done as f64) / (all - 1.0);
        }
        at += own_done;
        beside += done - own_done;
    }
    if variance > 0.0 { excess / f64::sqrt(variance) } else { 0.0 }
}

/// To what the clock counts, so that equal durations stay equal.
fn rounded(seconds: f64) -> f64 {
    (seconds / RESOLUTION).round() * RESOLUTION
}
