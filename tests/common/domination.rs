//! What is to hold of bounds: nothing is above them.

/// Nothing is above `bound`, which is asked for 0, 1, 2, ...
#[track_caller]
pub(crate) fn dominates(
    bound: impl Fn(f64) -> f64,
    errors: impl IntoIterator<Item = f64>,
    case: &str,
) {
    for (j, error) in errors.into_iter().enumerate() {
        let bound = bound(j as f64);
        assert!(error <= bound * (1.0 + 1e-12), "{case} j={j}: {error} is above {bound}");
    }
}

/// Running means.
pub(crate) fn means(values: impl IntoIterator<Item = f64>) -> Vec<f64> {
    let sums = values.into_iter().scan((0.0, 0.0), |(sum, n), value| {
        (*sum, *n) = (*sum + value, *n + 1.0);
        Some(*sum / *n)
    });
    sums.collect()
}
