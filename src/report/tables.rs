//! The results of a race and the work of its learners, as tables of text.

pub(super) mod learners;
pub(super) mod results;

/// Rows of cells in columns: the first to the left, the others to the right.
pub fn align(cells: &[Vec<String>]) -> String {
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..cells[0].len()).filter_map(width).collect();
    let mut text = String::new();
    for row in cells {
        let padded: Vec<String> = row
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(column, (cell, &width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            })
            .collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    text
}
