//! Curves that grow, in bounded memory: they get coarser, and keep their ends.

/// A training loss, and when it was had.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Evaluated {
    /// Run time in seconds.
    pub(super) time: f64,
    /// Updates made.
    pub(super) updates: f64,
    /// Gradients that went into them.
    pub(super) gradients: f64,
    /// Training loss.
    pub(super) loss: f64,
}

/// Points of a curve at most; twice as many as a wide terminal has columns.
const POINTS: usize = 512;
/// Means of a trace at most.
const MEANS: usize = 128;

/// Evaluations: where there are too many, every other is forgotten.
#[derive(Debug, Clone)]
pub(super) struct Curve {
    points: Vec<Evaluated>,
    last: Option<Evaluated>,
    every: usize,
    seen: usize,
}

impl Default for Curve {
    fn default() -> Self {
        Self { points: Vec::new(), last: None, every: 1, seen: 0 }
    }
}

impl Curve {
    pub(super) fn push(&mut self, point: Evaluated) {
        if self.seen.is_multiple_of(self.every) {
            self.points.push(point);
        }
        self.seen += 1;
        self.last = Some(point);
        if self.points.len() > POINTS {
            self.points = self.points.iter().step_by(2).copied().collect();
            self.every *= 2;
        }
    }

    /// What is left, from the first to the last.
    pub(super) fn points(&self) -> impl Iterator<Item = Evaluated> + Clone {
        let more = self.last.filter(|last| self.points.last() != Some(last));
        self.points.iter().copied().chain(more)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.points.is_empty()
    }
}

impl FromIterator<Evaluated> for Curve {
    fn from_iter<I: IntoIterator<Item = Evaluated>>(points: I) -> Self {
        let mut curve = Self::default();
        points.into_iter().for_each(|point| curve.push(point));
        curve
    }
}

/// Losses of minibatches: where there are too many, the mean of two takes their place.
#[derive(Debug, Clone)]
pub(super) struct Trace {
    means: Vec<Evaluated>,
    /// Sums of those that make no mean yet, and how many they are.
    sum: Evaluated,
    gathered: u64,
    every: u64,
}

impl Default for Trace {
    fn default() -> Self {
        Self { means: Vec::new(), sum: Evaluated::default(), gathered: 0, every: 1 }
    }
}

impl Trace {
    pub(super) fn push(&mut self, point: Evaluated) {
        self.sum = sum(self.sum, point);
        self.gathered += 1;
        if self.gathered < self.every {
            return;
        }
        let gathered = std::mem::take(&mut self.sum);
        self.means.push(scaled(gathered, 1.0 / self.gathered as f64));
        self.gathered = 0;
        if self.means.len() >= MEANS {
            // MEANS is even.
            let mean = |pair: &[Evaluated; 2]| scaled(sum(pair[0], pair[1]), 0.5);
            self.means = self.means.as_chunks().0.iter().map(mean).collect();
            self.every *= 2;
        }
    }

    pub(super) fn points(&self) -> impl Iterator<Item = Evaluated> + Clone {
        self.means.iter().copied()
    }
}

fn sum(a: Evaluated, b: Evaluated) -> Evaluated {
    Evaluated {
        time: a.time + b.time,
        updates: a.updates + b.updates,
        gradients: a.gradients + b.gradients,
        loss: a.loss + b.loss,
    }
}

fn scaled(Evaluated { time, updates, gradients, loss }: Evaluated, by: f64) -> Evaluated {
    Evaluated { time: by * time, updates: by * updates, gradients: by * gradients, loss: by * loss }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: usize) -> Evaluated {
        Evaluated { time: time as f64, loss: 2.0 * time as f64, ..Evaluated::default() }
    }

    #[test]
    fn a_curve_keeps_its_ends_and_stays_even() {
        for count in [1, 2, POINTS, POINTS + 1, 10_000] {
            let curve: Curve = (0..count).map(at).collect();
            let times: Vec<f64> = curve.points().map(|point| point.time).collect();
            assert!(times.len() <= POINTS + 1 && times.len() >= count.min(POINTS / 2), "{count}");
            assert_eq!((times[0], times[times.len() - 1]), (0.0, (count - 1) as f64));
            let even = &times[..times.len() - 1];
            assert!(even.windows(3).all(|t| t[2] - t[1] == t[1] - t[0]), "{times:?}");
        }
    }

    #[test]
    fn a_trace_has_the_mean_of_all_it_has_seen() {
        for count in [1, 100, MEANS, 64 * MEANS] {
            let mut trace = Trace::default();
            (0..count).for_each(|time| trace.push(at(time)));
            let means: Vec<Evaluated> = trace.points().collect();
            assert!(means.len() <= MEANS && means.len() >= count.min(MEANS / 2), "{count}");
            let mean = means.iter().map(|point| point.time).sum::<f64>() / means.len() as f64;
            assert_eq!(mean, (count - 1) as f64 / 2.0);
            assert!(means.iter().all(|point| point.loss == 2.0 * point.time));
        }
    }
}
