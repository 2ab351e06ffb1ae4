//! Products of matrices of f32, by the crate `gemm`, whose one function takes pointers.

use gemm::Parallelism;

/// The terms of a sum that are added up at a time. More are added up in such groups, where `gemm` by
/// itself would choose groups by the caches of the processor, so that bits would depend on them.
const TERMS: usize = 512;
/// The most elements of a product that `gemm` computes as dot products, if it can.
const DOT_PRODUCTS: usize = 256;
/// Fewer columns than these leave lanes of a vector idle.
const LANES: usize = 16;

/// A matrix of f32, somewhere in memory.
///
/// The element in row r and column c is `values[r * row_stride + c * column_stride]`, which is within
/// `values` for every row and column that there is.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Row-major `values`.
    ///
    /// # Panics
    /// If they are not as many as there are elements.
    pub(in crate::engine) fn row_major(values: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(values.len(), rows * columns, "values of {rows} x {columns}");
        Self { values, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// `count` of the columns, from column `start` on.
    ///
    /// # Panics
    /// If there are not so many.
    pub(super) fn columns(self, start: usize, count: usize) -> Self {
        assert!(start + count <= self.columns, "{start} and {count} of {} columns", self.columns);
        let values = self.values.get(start * self.column_stride..).unwrap_or_default();
        Self { values, columns: count, ..self }
    }

    pub(in crate::engine) fn transpose(self) -> Self {
        Self {
            values: self.values,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }

    /// The same matrix, its values one row after the other.
    fn copied(&self, values: &'a mut Vec<f32>) -> Self {
        let row = |row| (0..self.columns).map(move |column| (row, column));
        let at = |(row, column)| self.values[row * self.row_stride + column * self.column_stride];
        values.extend((0..self.rows).flat_map(row).map(at));
        Self::row_major(values, self.rows, self.columns)
    }

    /// Elements of the product of this and `right`.
    pub(in crate::engine) fn product_len(&self, right: &Self) -> usize {
        self.rows * right.columns
    }
}

/// `to` = `left` `right`, row-major.
pub(in crate::engine) fn product(
    to: &mut [f32],
    left: Matrix<'_>,
    right: Matrix<'_>,
    cores: Parallelism,
) {
    if left.columns == 0 {
        to.fill(0.0);
    }
    multiply(to, false, left, right, cores);
}

/// `to` += `left` `right`, row-major, on this core.
pub(super) fn add_product(to: &mut [f32], left: Matrix<'_>, right: Matrix<'_>) {
    multiply(to, true, left, right, Parallelism::None);
}

/// Adds up the terms of every element in their order, one after the other, so that a row of the product
/// has the same bits whatever rows are beside it. (Not so for one or two terms and for one column.)
fn multiply(to: &mut [f32], add: bool, left: Matrix<'_>, right: Matrix<'_>, cores: Parallelism) {
    assert_eq!(left.columns, right.rows, "columns of the left matrix and rows of the right one");
    assert_eq!(to.len(), left.product_len(&right), "elements of the product");
    if left.rows == 1 {
        // Of a single row, gemm adds up the terms in another order.
        let mut two = [&*to, &*to].concat();
        multiply(&mut two, add, Matrix { rows: 2, row_stride: 0, ..left }, right, cores);
        to.copy_from_slice(&two[..to.len()]);
    } else if right.row_stride == 1 && left.column_stride == 1 && to.len() <= DOT_PRODUCTS {
        // And of dot products.
        let mut values = Vec::new();
        call(to, add, left, right.copied(&mut values), cores);
    } else if right.columns < LANES && left.row_stride == 1 && !add {
        // Lanes along the rows, of which there are more.
        let mut columns = vec![0.0; to.len()];
        call(&mut columns, false, right.transpose(), left.transpose(), cores);
        for (row, to) in to.chunks_exact_mut(right.columns.max(1)).enumerate() {
            let values = columns[row..].iter().step_by(left.rows);
            to.iter_mut().zip(values).for_each(|(to, value)| *to = *value);
        }
    } else {
        call(to, add, left, right, cores);
    }
}

#[expect(unsafe_code, reason = "gemm has no function that takes slices")]
fn call(to: &mut [f32], add: bool, left: Matrix<'_>, right: Matrix<'_>, cores: Parallelism) {
    if to.is_empty() {
        return;
    }
    for start in (0..left.columns).step_by(TERMS) {
        let terms = TERMS.min(left.columns - start);
        let left_values = &left.values[start * left.column_stride..];
        let right_values = &right.values[start * right.row_stride..];
        // SAFETY: by the invariant of `Matrix` every element of these columns of `left` and these rows
        // of `right` lies within its values, and `to` is as large as the product and borrowed by
        // nobody else.
        unsafe {
            gemm::gemm(
                left.rows,
                right.columns,
                terms,
                to.as_mut_ptr(),
                1,
                right.columns as isize,
                add || start > 0,
                left_values.as_ptr(),
                left.column_stride as isize,
                left.row_stride as isize,
                right_values.as_ptr(),
                right.column_stride as isize,
                right.row_stride as isize,
                1.0,
                1.0,
                false,
                false,
                false,
                cores,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As it is defined: one sum an element, whose groups of 512 terms are added to what is there.
    fn naive(to: &mut [f32], left: &[f32], right: &[f32], rows: usize, columns: usize) {
        let terms = left.len() / rows;
        for (at, to) in to.iter_mut().enumerate() {
            let (row, column) = (at / columns, at % columns);
            for group in (0..terms).collect::<Vec<_>>().chunks(512) {
                let mut sum = 0.0;
                for &term in group {
                    sum = left[row * terms + term].mul_add(right[term * columns + column], sum);
                }
                *to += sum;
            }
        }
    }

    fn values(count: usize, seed: usize) -> Vec<f32> {
        let value = |at: usize| ((at * 7919 + seed * 104_729) % 1009) as f32 / 1009.0 - 0.5;
        (0..count).map(value).collect()
    }

    fn transposed(values: &[f32], columns: usize) -> Vec<f32> {
        let rows = values.len() / columns;
        (0..values.len()).map(|at| values[at % rows * columns + at / rows]).collect()
    }

    /// Bits where the processor multiplies and adds in one step; elsewhere nearly.
    #[track_caller]
    fn alike(found: &[f32], expected: &[f32]) {
        for (found, expected) in found.iter().zip(expected) {
            #[cfg(target_arch = "x86_64")]
            if std::arch::is_x86_feature_detected!("fma") {
                assert_eq!(found.to_bits(), expected.to_bits(), "{found} and {expected}");
            }
            assert!((found - expected).abs() < 1e-4, "{found} and {expected}");
        }
    }

    #[test]
    fn products_are_those_of_a_naive_loop_to_the_bit() {
        let shapes = [
            [1, 784, 128],
            [3, 128, 10],
            [12, 10, 17],
            [12, 784, 128],
            [12, 784, 10],
            [7, 513, 3],
            [1, 1024, 5],
            [2, 40, 7],
            [64, 1025, 127],
            [784, 32, 128],
        ];
        for [rows, terms, columns] in shapes {
            let (left, right) = (values(rows * terms, 1), values(terms * columns, 2));
            let mut expected = vec![0.0; rows * columns];
            naive(&mut expected, &left, &right, rows, columns);
            let (left_t, right_t) = (transposed(&left, terms), transposed(&right, columns));
            let lefts = [
                Matrix::row_major(&left, rows, terms),
                Matrix::row_major(&left_t, terms, rows).transpose(),
            ];
            let rights = [
                Matrix::row_major(&right, terms, columns),
                Matrix::row_major(&right_t, columns, terms).transpose(),
            ];
            for (left, right) in
                lefts.into_iter().flat_map(|left| rights.map(|right| (left, right)))
            {
                for cores in [Parallelism::None, Parallelism::Rayon(0)] {
                    let mut to = vec![f32::NAN; rows * columns];
                    product(&mut to, left, right, cores);
                    alike(&to, &expected);
                }
                let mut to = vec![0.25; rows * columns];
                let mut sum = to.clone();
                add_product(&mut to, left, right);
                let own = |m: Matrix<'_>| {
                    let at = |r: usize, c: usize| m.values[r * m.row_stride + c * m.column_stride];
                    let rows = 0..m.rows;
                    rows.flat_map(|r| (0..m.columns).map(move |c| at(r, c))).collect::<Vec<_>>()
                };
                naive(&mut sum, &own(left), &own(right), rows, columns);
                alike(&to, &sum);
            }
        }
    }

    #[test]
    fn columns_are_taken_where_they_lie() {
        // 0 1 2    1 2
        // 3 4 5 -> 4 5
        let six = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0];
        let right = Matrix::row_major(&six, 2, 3).columns(1, 2);
        let mut to = [0.0; 2];
        product(&mut to, Matrix::row_major(&[1.0, 10.0], 1, 2), right, Parallelism::None);
        assert_eq!(to, [41.0, 52.0]);
        let mut none = [];
        let row = Matrix::row_major(&[1.0, 10.0], 1, 2);
        product(&mut none, row, right.columns(2, 0), Parallelism::None);
        let mut zeros = [7.0; 2];
        let empty = Matrix::row_major(&[], 1, 0);
        product(&mut zeros, empty, Matrix::row_major(&[], 0, 2), Parallelism::None);
        assert_eq!(zeros, [0.0; 2]);
    }
}
