//! A line through a few points, neither part of it negative.

use super::Estimate;

/// A measured point of a line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measured {
    pub(super) x: f64,
    pub(super) y: f64,
    /// Of y.
    pub(super) standard_error: f64,
}

/// y = intercept + slope x.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line {
    pub(super) intercept: Estimate,
    pub(super) slope: Estimate,
}

/// Errors that are smaller than this part of the largest y say less about the points than about the
/// arithmetic.
const LEAST_ERROR: f64 = 1e-6;

impl Line {
    /// Weighted least squares. Where the points lie further from the line than their errors allow, its
    /// errors grow by as much. What would be negative is 0, and the other the best there is beside it.
    pub(super) fn through(points: &[Measured]) -> Self {
        let largest = points.iter().fold(0.0, |most: f64, point| most.max(point.y));
        if largest == 0.0 {
            let zero = Estimate::with_error(0.0, 0.0);
            return Self { intercept: zero, slope: zero };
        }
        let weight = |p: &Measured| p.standard_error.max(LEAST_ERROR * largest).powi(-2);
        let sum = |of: &dyn Fn(&Measured) -> f64| points.iter().map(|p| weight(p) * of(p)).sum();
        let (all, x, xx): (f64, f64, f64) = (sum(&|_| 1.0), sum(&|p| p.x), sum(&|p| p.x * p.x));
        let (y, xy): (f64, f64) = (sum(&|p| p.y), sum(&|p| p.x * p.y));
        let spread = xx - x * x / all;
        let flat = spread <= f64::EPSILON * xx;
        let slope = if flat { 0.0 } else { (xy - x * y / all) / spread };
        let intercept = (y - slope * x) / all;
        let (intercept, slope, fixed) = match (intercept < 0.0, slope < 0.0) {
            (_, true) => (y / all, 0.0, 1),
            (true, false) => (0.0, xy / xx, 1),
            (false, false) => (intercept, slope, if flat { 1 } else { 2 }),
        };
        let squares: f64 = sum(&|p| (p.y - intercept - slope * p.x).powi(2));
        let excess = (squares / points.len().saturating_sub(fixed).max(1) as f64).max(1.0).sqrt();
        // Of the whole line, also where a part of it is 0: nothing is surer for being negative.
        let errors = match flat {
            true => [(1.0 / all).sqrt(), f64::INFINITY],
            false => [(xx / (all * spread)).sqrt(), (1.0 / spread).sqrt()],
        };
        let [intercept, slope] = [(intercept, errors[0]), (slope, errors[1])]
            .map(|(value, error)| Estimate::with_error(value, excess * error));
        Self { intercept, slope }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(points: &[(f64, f64)]) -> Line {
        let measured = |&(x, y)| Measured { x, y, standard_error: 0.1 };
        Line::through(&points.iter().map(measured).collect::<Vec<_>>())
    }

    #[track_caller]
    fn check(points: &[(f64, f64)], intercept: f64, slope: f64) {
        let line = line(points);
        let actual = (line.intercept.value, line.slope.value);
        assert!(
            (actual.0 - intercept).abs() < 1e-12 && (actual.1 - slope).abs() < 1e-12,
            "{line:?}"
        );
    }

    #[test]
    fn a_line_goes_through_points_that_lie_on_it() {
        check(&[(0.0, 1.0), (1.0, 3.0), (4.0, 9.0)], 1.0, 2.0);
        check(&[(2.0, 0.0), (3.0, 0.0)], 0.0, 0.0);
    }

    #[test]
    fn no_part_of_a_line_is_negative() {
        check(&[(0.0, 3.0), (1.0, 2.0), (2.0, 1.0)], 2.0, 0.0);
        check(&[(1.0, 0.0), (2.0, 2.0)], 0.0, 0.8);
    }

    #[test]
    fn points_at_one_place_tell_no_slope() {
        let line = line(&[(1.0, 2.0), (1.0, 2.2)]);
        assert!((line.intercept.value - 2.1).abs() < 1e-12);
        assert!(line.slope.value == 0.0 && line.slope.standard_error().unwrap().is_infinite());
    }

    #[test]
    fn errors_are_those_of_ordinary_least_squares() {
        // Errors of 0.1 at x = -1, 0, 1: of the intercept 0.1 / sqrt(3), of the slope 0.1 / sqrt(2).
        let line = line(&[(-1.0, 1.0), (0.0, 2.0), (1.0, 3.0)]);
        let errors = [line.intercept, line.slope].map(|part| part.standard_error().unwrap());
        assert!((errors[0] - 0.1 / 3.0_f64.sqrt()).abs() < 1e-12);
        assert!((errors[1] - 0.1 / 2.0_f64.sqrt()).abs() < 1e-12);
    }
}
