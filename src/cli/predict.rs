//! `tortoise predict`: which digits pictures show, as a trained model sees it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use serde::Serialize;

use super::{
    Exit, print, print_json, say,
    trained::{Trained, TrainedArgs},
};
use crate::{
    Error, Result,
    dataset::{Features, Labels, Split},
    engine::classify::Classified,
    picture::{self, Digit, field::SIDE},
    report::align,
};

/// Pixels of what is seen on a picture.
const PIXELS: usize = SIDE * SIDE;
/// Classes of a model that tells digits apart.
const DIGITS: usize = 10;

#[derive(Debug, Args)]
pub(super) struct PredictArgs {
    #[command(flatten)]
    trained: TrainedArgs,
    /// Pictures of a digit or of several in a row, PNG or JPEG: drawn or photographed, in any colours,
    /// in a box or a circle or without
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Print a JSON array, with the probability of every digit; in names of files, what is not UTF-8
    /// becomes U+FFFD
    #[arg(long)]
    json: bool,
    /// Also print what the model saw: 28 by 28 pixels
    #[arg(long, conflicts_with = "json")]
    show: bool,
}

/// What is told of a picture.
#[derive(Serialize)]
#[serde(untagged)]
enum Told<'a> {
    One {
        file: String,
        #[serde(flatten)]
        answer: Answer<'a>,
    },
    Digits {
        file: String,
        digits: Vec<Answer<'a>>,
    },
    Classes {
        file: String,
        classes: Vec<Answer<'a>>,
    },
    Failed {
        file: String,
        error: String,
    },
}

/// What a model makes of a digit, or of what else it tells apart.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer<'a> {
    Digit { digit: usize, probabilities: &'a [f32] },
    Class { class: usize, probabilities: &'a [f32] },
}

/// What was seen on a picture, from left to right.
type Seen = Result<Vec<(Digit, Classified)>>;

pub(super) fn run(args: &PredictArgs) -> Result<Exit> {
    let trained = args.trained.open()?;
    let inputs = trained.model.inputs();
    if inputs != PIXELS {
        return Err(Error::config(format!(
            "{}: the model takes images of {inputs} pixels, and pictures are made into {SIDE} by \
             {SIDE}",
            trained.file.display()
        )));
    }
    let digits = trained.model.classes() == DIGITS;
    let found: Vec<_> = args.images.iter().map(|file| find(file)).collect();
    let seen = classify(found, &trained)?;
    if args.json {
        let told = args.images.iter().zip(&seen).map(|(file, seen)| tell(file, seen, digits));
        print_json(&told.collect::<Vec<_>>())?;
    } else {
        print(&table(&args.images, &seen, digits, args.show))?;
    }
    for error in seen.iter().filter_map(|seen| seen.as_ref().err()) {
        say(&format!("error: {error}"));
    }
    Ok(if seen.iter().all(Result::is_ok) { Exit::Done } else { Exit::Failed })
}

/// What the picture shows that a file has.
fn find(file: &Path) -> Result<Vec<Digit>> {
    let found = picture::digits(&picture::read(file)?);
    found.map_err(|obstacle| Error::config(format!("{}: {obstacle}", file.display())))
}

/// What the model makes of what was found on each picture.
fn classify(found: Vec<Result<Vec<Digit>>>, trained: &Trained) -> Result<Vec<Seen>> {
    let all: Vec<f32> = found.iter().flatten().flatten().flat_map(|digit| digit.0).collect();
    if all.is_empty() {
        return Ok(found.into_iter().map(|digits| digits.map(|_| Vec::new())).collect());
    }
    // Nobody knows the classes, and nothing that is told depends on them.
    let labels = Labels::classes(vec![0; all.len() / PIXELS], trained.model.classes());
    let samples = Arc::new(Split::new(Features::floats(all), labels, PIXELS)?);
    let mut classifier = trained.over(&samples)?;
    let mut next = 0;
    let seen = found.into_iter().map(|digits| {
        let digits = digits?;
        let own = next..next + digits.len();
        next = own.end;
        Ok(digits.into_iter().zip(classifier.classify(own)?).collect())
    });
    Ok(seen.collect())
}

fn tell<'a>(file: &Path, seen: &'a Seen, digits: bool) -> Told<'a> {
    let file = file.display().to_string();
    let answer = |(_, classified): &'a (Digit, Classified)| {
        let (best, probabilities) = (classified.ranked()[0], &classified.probabilities[..]);
        if digits {
            Answer::Digit { digit: best, probabilities }
        } else {
            Answer::Class { class: best, probabilities }
        }
    };
    match seen.as_deref() {
        Ok([one]) => Told::One { file, answer: answer(one) },
        Ok(several) if digits => {
            Told::Digits { file, digits: several.iter().map(answer).collect() }
        }
        Ok(several) => Told::Classes { file, classes: several.iter().map(answer).collect() },
        Err(error) => Told::Failed { file, error: error.to_string() },
    }
}

/// A line a digit; empty where there is none.
fn table(files: &[PathBuf], seen: &[Seen], digits: bool, show: bool) -> String {
    let mut cells = vec![
        ["picture", if digits { "digit" } else { "class" }, "p %", "next", "next"]
            .map(str::to_owned)
            .to_vec(),
    ];
    let mut drawn = String::new();
    for (file, seen) in files.iter().zip(seen) {
        let Ok(seen) = seen else { continue };
        for (at, (digit, classified)) in seen.iter().enumerate() {
            let name = match seen.len() {
                1 => file.display().to_string(),
                count => format!("{} ({} of {count})", file.display(), at + 1),
            };
            drawn += &format!("\n{name}\n{}", blocks(digit));
            let p = |class: &usize| 100.0 * classified.probabilities[*class];
            let ranked = classified.ranked();
            let mut row = vec![name, ranked[0].to_string(), format!("{:.2}", p(&ranked[0]))];
            row.extend((1..3).map(|at| {
                ranked.get(at).map_or(String::new(), |class| format!("{class}: {:.2}", p(class)))
            }));
            cells.push(row);
        }
    }
    if cells.len() == 1 {
        return String::new();
    }
    align(&cells) + if show { &drawn } else { "" }
}

/// The digit in blocks, two a pixel so that they are square.
fn blocks(digit: &Digit) -> String {
    const GREYS: [&str; 5] = ["  ", "░░", "▒▒", "▓▓", "██"];
    let row = |row: &[f32]| {
        let blocks: String =
            row.iter().map(|value| GREYS[(4.0 * value).round() as usize]).collect();
        format!("{}\n", blocks.trim_end())
    };
    digit.0.chunks(SIDE).map(row).collect()
}
