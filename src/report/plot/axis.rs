//! An axis: from values to a place between 0 and 1, and where its ticks are.

use crate::numbers::significant;

/// Values that span more than this factor are shown on a logarithmic axis, here and on the page.
const FAR: f64 = 10.0;

/// Whether a value can be drawn on a logarithmic axis.
pub(in crate::report) fn drawable(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

/// The least and the most of the values that a logarithmic axis can show, or NaN without any.
pub(in crate::report) fn span(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let wider = |(low, high): (f64, f64), value: f64| (value.min(low), value.max(high));
    values.filter(|value| drawable(*value)).fold((f64::NAN, f64::NAN), wider)
}

/// Whether values are so far apart that they are shown on a logarithmic axis.
pub(in crate::report) fn far_apart((low, high): (f64, f64)) -> bool {
    low > 0.0 && high > FAR * low
}

/// A scale with its range.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Axis {
    log: bool,
    low: f64,
    high: f64,
}

impl Axis {
    /// From 0 to a little above `high`.
    pub(crate) fn from_zero(high: f64) -> Self {
        let high = if high > 0.0 { 1.02 * high } else { 1.0 };
        Self { log: false, low: 0.0, high }
    }

    /// Logarithmic, a little wider than from `low` to `high`.
    pub(crate) fn log(low: f64, high: f64) -> Self {
        let (low, high) = if low > 0.0 && high >= low { (low, high) } else { (0.1, 1.0) };
        // Never so narrow that equal values have no place.
        let margin = 0.05 * (high / low).ln().max(0.7);
        Self { log: true, low: low * (-margin).exp(), high: high * margin.exp() }
    }

    /// Logarithmic where the values span more than a factor of ten, else linear from 0.
    pub(crate) fn fitting(low: f64, high: f64) -> Self {
        if far_apart((low, high)) { Self::log(low, high) } else { Self::from_zero(high) }
    }

    pub(crate) fn is_log(&self) -> bool {
        self.log
    }

    /// Where it begins.
    pub(crate) fn low(&self) -> f64 {
        self.low
    }

    /// Where `value` lies: 0 at the low end, 1 at the high end.
    pub(crate) fn place(&self, value: f64) -> f64 {
        if self.log {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        }
    }

    /// The ticks: value and label.
    pub(crate) fn ticks(&self) -> Vec<(f64, String)> {
        let values = if self.log { self.log_ticks() } else { self.linear_ticks() };
        values.into_iter().map(|value| (value, label(value))).collect()
    }

    fn linear_ticks(&self) -> Vec<f64> {
        let rough = (self.high - self.low) / 5.0;
        let decade = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0]
            .into_iter()
            .map(|multiple| multiple * decade)
            .find(|step| *step >= rough)
            .unwrap_or(rough);
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        (first..=last).map(|n| n as f64 * step).collect()
    }

    /// As many multiples of each power of ten as make four to nine ticks, if any do.
    fn log_ticks(&self) -> Vec<f64> {
        let multiples: [&[f64]; 5] = [
            &[1.0],
            &[1.0, 3.0],
            &[1.0, 2.0, 5.0],
            &[1.0, 2.0, 3.0, 5.0, 7.0],
            &[1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],
        ];
        let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
        let ticks = |multiples: &[f64]| -> Vec<f64> {
            let all = decades.clone().flat_map(|decade| {
                multiples.iter().map(move |multiple| multiple * 10_f64.powi(decade))
            });
            all.filter(|value| (self.low..=self.high).contains(value)).collect()
        };
        let mut chosen = ticks(multiples[0]);
        for multiples in &multiples[1..] {
            if chosen.len() >= 4 {
                break;
            }
            chosen = ticks(multiples);
        }
        if chosen.len() < 3 {
            // Too narrow a range: even steps.
            return self.linear_ticks();
        }
        let every = chosen.len().div_ceil(9);
        chosen.into_iter().step_by(every.max(1)).collect()
    }
}

fn label(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude >= 1e6 || (magnitude < 1e-4 && magnitude > 0.0) {
        return format!("{value:.0e}");
    }
    // Trailing zeros say nothing.
    let text = significant(value, 3);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: Axis) -> String {
        axis.ticks().into_iter().map(|(_, label)| label).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ticks_are_round_and_few() {
        assert_eq!(labels(Axis::from_zero(400.0)), "0 100 200 300 400");
        assert_eq!(labels(Axis::from_zero(0.7)), "0 0.2 0.4 0.6");
        assert_eq!(labels(Axis::log(0.1, 2.3)), "0.1 0.2 0.5 1 2");
        assert_eq!(labels(Axis::log(0.21, 0.39)), "0.25 0.3 0.4");
        assert_eq!(labels(Axis::log(0.3, 0.3)), "0.29 0.295 0.3 0.305 0.31");
        assert_eq!(labels(Axis::log(1.0, 20_000.0)), "1 10 100 1000 10000");
        assert_eq!(labels(Axis::log(1e-9, 1e9)).split(' ').count(), 7);
    }

    #[test]
    fn equal_values_have_a_place_of_their_own() {
        assert!((Axis::log(0.5, 0.5).place(0.5) - 0.5).abs() < 1e-9);
        assert_eq!(Axis::from_zero(0.0).place(0.0), 0.0);
    }
}
