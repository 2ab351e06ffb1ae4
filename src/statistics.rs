//! Mean, median and standard error; and where something begins to hold.

/// The mean; none of no values.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The median, of an even number of values the upper one; none of no values.
pub fn median(mut values: Vec<f64>) -> Option<f64> {
    let middle = values.len() / 2;
    (!values.is_empty()).then(|| *values.select_nth_unstable_by(middle, f64::total_cmp).1)
}

/// Standard error of the mean of independent values; none of fewer than two.
pub fn standard_error(values: &[f64]) -> Option<f64> {
    let (n, mean) = (values.len() as f64, mean(values)?);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (values.len() > 1).then(|| (squares / (n - 1.0) / n).sqrt())
}

/// Sum of y over sum of x, of pairs (y, x) in the order of time, and its standard error, in which
/// neighbours may be correlated (Newey and West 1987); none of no pairs.
///
/// The error is not a number for fewer than two pairs, both are for pairs of zeros.
pub fn ratio(pairs: &[(f64, f64)]) -> Option<(f64, f64)> {
    let n = pairs.len();
    let sum = |of: fn(&(f64, f64)) -> f64| pairs.iter().map(of).sum::<f64>();
    let (all, ratio) = (sum(|pair| pair.1), sum(|pair| pair.0) / sum(|pair| pair.1));
    let residuals: Vec<f64> = pairs.iter().map(|(y, x)| y - ratio * x).collect();
    let lags = (n as f64).cbrt() as usize;
    let products = |lag: usize| residuals.iter().zip(&residuals[lag..]).map(|(a, b)| a * b);
    let covariance = |lag: usize| products(lag).sum::<f64>();
    let weighted = |lag: usize| 2.0 * (1.0 - lag as f64 / (lags + 1) as f64) * covariance(lag);
    let squares: f64 = covariance(0) + (1..=lags.min(n)).map(weighted).sum::<f64>();
    // Without pairs there is nothing; of one pair nothing is known of how it varies.
    let scale = if n > 1 { n as f64 / (n - 1) as f64 } else { f64::NAN };
    (n > 0).then(|| (ratio, (scale * squares.max(0.0)).sqrt() / all))
}

/// From where on something `holds` between `low` and `high`, by so many bisections: it does where they
/// end.
pub(crate) fn bisect(
    mut low: f64,
    mut high: f64,
    steps: usize,
    holds: impl Fn(f64) -> bool,
) -> f64 {
    for _ in 0..steps {
        let middle = f64::midpoint(low, high);
        *if holds(middle) { &mut high } else { &mut low } = middle;
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_values_lie_below_the_median() {
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![3.0]), Some(3.0));
        assert_eq!(median(vec![9.0, -1.0, 4.0]), Some(4.0));
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]), Some(3.0));
    }
}
