//! The top of a smooth function of two or three numbers, by Newton steps that are damped where the
//! function is not shaped like a hill (Levenberg 1944, Marquardt 1963).

/// Where a function is largest, and the inverse of its curvature there.
#[derive(Debug)]
pub(super) struct Top<const N: usize> {
    pub(super) at: [f64; N],
    /// Covariance of `at`, if the function is a log-likelihood.
    pub(super) covariance: [[f64; N]; N],
}

/// Half the distance of the values that differences are taken of; the numbers are logarithms.
const STEP: f64 = 1e-3;
/// A step that gains less has arrived.
const GAIN: f64 = 1e-6;
const MOST_STEPS: usize = 100;

/// Climbs from `start`; none if there is no top of which one falls to all sides.
pub(super) fn maximise<const N: usize>(
    f: impl Fn(&[f64; N]) -> f64,
    start: [f64; N],
) -> Option<Top<N>> {
    let (mut at, mut value, mut damping) = (start, f(&start), 1e-3);
    for _ in 0..MOST_STEPS {
        let (slope, curvature) = derivatives(&f, &at, value);
        let mut gain = f64::INFINITY;
        while damping < 1e12 {
            let mut damped = curvature;
            (0..N).for_each(|i| damped[i][i] += damping * (1.0 + curvature[i][i].abs()));
            let step = inverse(&damped).map(|inverse| times(&inverse, &slope));
            let next = step.map(|step| std::array::from_fn(|i| at[i] + step[i].clamp(-1.0, 1.0)));
            match next.map(|next| (next, f(&next))) {
                Some((next, better)) if better >= value => {
                    gain = better - value;
                    (at, value, damping) = (next, better, damping / 10.0);
                    break;
                }
                _ => damping *= 10.0,
            }
        }
        if gain < GAIN || damping >= 1e12 {
            break;
        }
    }
    let (_, curvature) = derivatives(&f, &at, value);
    inverse(&curvature).map(|covariance| Top { at, covariance })
}

/// The gradient of f, and minus its Hessian.
fn derivatives<const N: usize>(
    f: &impl Fn(&[f64; N]) -> f64,
    at: &[f64; N],
    value: f64,
) -> ([f64; N], [[f64; N]; N]) {
    let moved = |i: usize, by: f64, j: usize, and: f64| {
        let mut to = *at;
        to[i] += by * STEP;
        to[j] += and * STEP;
        f(&to)
    };
    let mut slope = [0.0; N];
    let mut curvature = [[0.0; N]; N];
    for i in 0..N {
        let (up, down) = (moved(i, 1.0, i, 0.0), moved(i, -1.0, i, 0.0));
        slope[i] = (up - down) / (2.0 * STEP);
        curvature[i][i] = (2.0 * value - up - down) / (STEP * STEP);
    }
    for (i, j) in (0..N).flat_map(|i| (0..i).map(move |j| (i, j))) {
        let same = moved(i, 1.0, j, 1.0) + moved(i, -1.0, j, -1.0);
        let across = moved(i, 1.0, j, -1.0) + moved(i, -1.0, j, 1.0);
        curvature[i][j] = (across - same) / (4.0 * STEP * STEP);
        curvature[j][i] = curvature[i][j];
    }
    (slope, curvature)
}

fn times<const N: usize>(matrix: &[[f64; N]; N], vector: &[f64; N]) -> [f64; N] {
    std::array::from_fn(|i| matrix[i].iter().zip(vector).map(|(a, b)| a * b).sum())
}

/// The inverse of a symmetric matrix, by Gauss and Jordan; none if it is not positive definite, which
/// elimination in order tells by its pivots.
fn inverse<const N: usize>(matrix: &[[f64; N]; N]) -> Option<[[f64; N]; N]> {
    let mut left = *matrix;
    let mut right: [[f64; N]; N] =
        std::array::from_fn(|i| std::array::from_fn(|j| f64::from(u8::from(i == j))));
    for pivot in 0..N {
        let scale = left[pivot][pivot];
        if !(scale > 1e-12 * matrix[pivot][pivot].abs() && scale.is_finite()) {
            return None;
        }
        for row in (0..N).filter(|row| *row != pivot) {
            let factor = left[row][pivot] / scale;
            for column in 0..N {
                left[row][column] -= factor * left[pivot][column];
                right[row][column] -= factor * right[pivot][column];
            }
        }
        for column in 0..N {
            left[pivot][column] /= scale;
            right[pivot][column] /= scale;
        }
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_of_a_hill_is_found_with_its_curvature() {
        // Minus a quadratic form beside a quartic: the top is at (1, -2), the form its curvature.
        let f = |&[x, y]: &[f64; 2]| {
            let (x, y) = (x - 1.0, y + 2.0);
            -(2.0 * x * x + x * y + y * y) - x.powi(4)
        };
        let Top { at, covariance } = maximise(f, [4.0, 3.0]).unwrap();
        assert!((at[0] - 1.0).abs() < 1e-4 && (at[1] + 2.0).abs() < 1e-4, "{at:?}");
        // The inverse of [[4, 1], [1, 2]].
        let expected = [[2.0 / 7.0, -1.0 / 7.0], [-1.0 / 7.0, 4.0 / 7.0]];
        for (row, expected) in covariance.iter().zip(expected) {
            assert!(row.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-4), "{covariance:?}");
        }
    }

    #[test]
    fn a_ridge_has_no_top() {
        assert!(maximise(|&[x, y]: &[f64; 2]| -(x + y).powi(2), [1.0, 1.0]).is_none());
        assert!(maximise(|&[x, _]: &[f64; 2]| -x * x, [1.0, 1.0]).is_none());
    }
}
