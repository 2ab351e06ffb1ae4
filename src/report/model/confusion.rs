//! How well a model classifies: of each class how many are found, and what is taken for what; as
//! numbers, as a table and as a picture.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    super::tables::align,
    tiles::{CAPTION, MARGIN, PLAIN, SMALL, Tiles, between},
};
use crate::{Result, engine::classify::Classified, svg::Set};

/// Side of a cell of the picture, in logical pixels.
const CELL: f64 = 48.0;
/// Beside and above the cells, for names.
const NAMES: f64 = 84.0;
/// What is right, and what is wrong.
const COLOURS: [[u8; 3]; 2] = [[0x00, 0x72, 0xb2], [0xd5, 0x5e, 0x00]];
/// Pairs that the table names.
const PAIRS: usize = 5;

/// What came of classifying a test set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scores {
    /// Images.
    pub samples: usize,
    /// Share that is classified as labelled.
    pub accuracy: f64,
    /// Mean softmax cross-entropy.
    pub loss: f64,
    /// Each class.
    pub classes: Vec<Class>,
    /// How many of each class (row) were taken for each (column).
    pub confusion: Vec<Vec<u64>>,
    /// What was taken for what, the most frequent first.
    pub confused: Vec<Confused>,
    /// Images that were not classified as labelled, the one with the highest loss first.
    pub mistakes: Vec<Mistake>,
}

/// How well a class is told from the others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Class {
    /// Which.
    pub class: usize,
    /// Images of it.
    pub samples: u64,
    /// Share of them that was found; none without any.
    pub recall: Option<f64>,
    /// Share of what was taken for it that is; none if nothing was.
    pub precision: Option<f64>,
}

/// Images of one class that were taken for another.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Confused {
    /// What they are.
    pub label: usize,
    /// What they were taken for.
    pub prediction: usize,
    /// How many.
    pub count: u64,
}

/// An image that was taken for what it is not.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mistake {
    /// Its place in the test set.
    pub sample: usize,
    /// What it is.
    pub label: usize,
    /// What it was taken for.
    pub prediction: usize,
    /// The probability that the prediction was given.
    pub probability: f32,
    /// Softmax cross-entropy.
    pub loss: f32,
}

impl Scores {
    /// Sums up what was made of images with these labels.
    ///
    /// # Panics
    /// If there is no image, or not a label for each.
    pub fn new(classified: &[Classified], labels: &[u32]) -> Self {
        assert!(!labels.is_empty() && classified.len() == labels.len(), "each image has a label");
        let count = classified[0].probabilities.len();
        let mut confusion = vec![vec![0; count]; count];
        let mut mistakes = Vec::new();
        for (sample, (one, &label)) in classified.iter().zip(labels).enumerate() {
            let (label, prediction) = (label as usize, one.ranked()[0]);
            confusion[label][prediction] += 1;
            if label != prediction {
                let (probability, loss) = (one.probabilities[prediction], one.loss);
                mistakes.push(Mistake { sample, label, prediction, probability, loss });
            }
        }
        mistakes.sort_by(|a, b| b.loss.total_cmp(&a.loss));
        let share = |part: u64, of: u64| (of > 0).then(|| part as f64 / of as f64);
        let classes = (0..count).map(|class| {
            let (hits, samples) = (confusion[class][class], confusion[class].iter().sum());
            let taken = confusion.iter().map(|row| row[class]).sum();
            Class { class, samples, recall: share(hits, samples), precision: share(hits, taken) }
        });
        let classes = classes.collect();
        let mut confused = Vec::new();
        for (label, row) in confusion.iter().enumerate() {
            for (prediction, &count) in row.iter().enumerate() {
                if label != prediction && count > 0 {
                    confused.push(Confused { label, prediction, count });
                }
            }
        }
        confused.sort_by_key(|pair| std::cmp::Reverse(pair.count));
        let samples = labels.len();
        let loss = classified.iter().map(|one| f64::from(one.loss)).sum::<f64>() / samples as f64;
        let accuracy = 1.0 - mistakes.len() as f64 / samples as f64;
        Self { samples, accuracy, loss, classes, confusion, confused, mistakes }
    }
}

/// The scores as plain text.
pub fn table(scores: &Scores) -> String {
    let head = ["class", "images", "recall %", "precision %"].map(str::to_owned).to_vec();
    let rows = scores.classes.iter().map(|&Class { class, samples, recall, precision }| {
        vec![class.to_string(), samples.to_string(), percent(recall, 2), percent(precision, 2)]
    });
    let cells: Vec<_> = [head].into_iter().chain(rows).collect();
    let (accuracy, loss, wrong) = (100.0 * scores.accuracy, scores.loss, scores.mistakes.len());
    let mut text =
        format!("{}\naccuracy {accuracy:.2} %, loss {loss:.4}, {wrong} mistakes\n", align(&cells));
    let pair = |&Confused { label, prediction, count }: &Confused| {
        format!("{label} taken for {prediction}: {count}")
    };
    let pairs: Vec<_> = scores.confused.iter().take(PAIRS).map(pair).collect();
    if !pairs.is_empty() {
        let _ = writeln!(text, "most often {}", pairs.join(", "));
    }
    text
}

/// A share of a hundred with so many decimals, or a dash.
fn percent(share: Option<f64>, decimals: usize) -> String {
    share.map_or("-".to_owned(), |share| format!("{:.decimals$}", 100.0 * share))
}

/// Draws the confusions into `stem.svg` and `stem.png`: a row a label, a column a prediction.
///
/// # Errors
/// [`crate::Error::Io`].
pub fn draw(scores: &Scores, caption: &str, stem: &Path) -> Result<[PathBuf; 2]> {
    let mut tiles = Tiles::default();
    let (left, top) = (NAMES, NAMES);
    let side = CELL * scores.classes.len() as f64;
    let place = |row: usize, column: usize| (left + CELL * column as f64, top + CELL * row as f64);
    for (label, row) in scores.confusion.iter().enumerate() {
        let samples = row.iter().sum::<u64>().max(1) as f64;
        for (prediction, &count) in row.iter().enumerate() {
            // The root lets one mistake in a hundred be seen beside what is right.
            let share = (count as f64 / samples).sqrt();
            let right = label == prediction;
            let strength = if right { share } else { 1.8 * share };
            let fill = between([0xf7; 3], COLOURS[usize::from(!right)], strength);
            let (x, y) = place(label, prediction);
            tiles.rectangle((x + 1.0, y + 1.0), (CELL - 2.0, CELL - 2.0), fill);
            if count > 0 {
                let colour = if strength > 0.65 { "#fff" } else { "#222" };
                let at = (x + CELL / 2.0, y + CELL / 2.0 + 4.5);
                tiles.text(at, &count.to_string(), PLAIN.fill(colour));
            }
        }
    }
    for Class { class, recall, precision, .. } in &scores.classes {
        let ((x, y), middle) = (place(*class, *class), CELL / 2.0);
        let name = class.to_string();
        tiles.text((x + middle, top - 8.0), &name, PLAIN);
        tiles.text((left - 12.0, y + middle + 4.5), &name, PLAIN);
        let (right, below) = (left + side, top + side);
        tiles.text((right + 26.0, y + middle + 4.0), &percent(*recall, 1), SMALL);
        tiles.text((x + middle, below + 18.0), &percent(*precision, 1), SMALL);
    }
    tiles.text((left + side / 2.0, top - 30.0), "taken for", PLAIN);
    tiles.text((left - 32.0, top + side / 2.0), "label", Set::UPRIGHT);
    tiles.text((left + side + 26.0, top - 8.0), "recall %", SMALL);
    let precision = Set::END.size(CAPTION).fill("#555");
    tiles.text((left - 4.0, top + side + 18.0), "precision %", precision);
    let accuracy = 100.0 * scores.accuracy;
    let caption =
        format!("{caption}. Accuracy {accuracy:.2} %. The stronger a colour, the more of the row.");
    tiles.draw((left + side + NAMES - MARGIN + 24.0, top + side + 24.0), &caption, stem)
}
