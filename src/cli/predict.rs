//! `tortoise predict`: which digits pictures show, as a trained model sees it.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::{Exit, print, print_json, trained::TrainedArgs};
use crate::{
    Error, Result,
    dataset::{Minibatch, mnist::PIXELS},
    engine::classify::Classified,
    picture::{self, Digit, field::SIDE},
    report::align,
};

#[derive(Debug, Args)]
pub(super) struct PredictArgs {
    #[command(flatten)]
    trained: TrainedArgs,
    /// Pictures of one digit each, PNG or JPEG: drawn or photographed, in any colours
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<PathBuf>,
    /// Print a JSON array, with the probability of every digit
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
    Digit { file: &'a Path, digit: usize, probabilities: &'a [f32] },
    Failed { file: &'a Path, error: String },
}

pub(super) fn run(args: &PredictArgs) -> Result<Exit> {
    let mut trained = args.trained.open()?;
    let inputs = trained.model.inputs();
    if inputs != PIXELS {
        return Err(Error::config(format!(
            "{}: the model takes images of {inputs} pixels, and pictures are made into {SIDE} by \
             {SIDE}",
            trained.file.display()
        )));
    }
    let mut seen = Vec::new();
    for file in &args.images {
        seen.push(match digit(file) {
            Ok(digit) => {
                let batch = Minibatch { images: digit.0.to_vec(), labels: vec![0] };
                Ok((trained.classify(&batch)?.swap_remove(0), digit))
            }
            Err(error) => Err(error),
        });
    }
    let told: Vec<_> = args.images.iter().zip(&seen).map(|(file, seen)| tell(file, seen)).collect();
    if args.json {
        print_json(&told)?;
    } else {
        print(&table(&args.images, &seen, args.show))?;
    }
    for told in &told {
        if let Told::Failed { error, .. } = told {
            complain(error);
        }
    }
    Ok(if seen.iter().all(Result::is_ok) { Exit::Done } else { Exit::Failed })
}

/// The digit that a file shows.
fn digit(file: &Path) -> Result<Digit> {
    picture::prepare(&picture::read(file)?).ok_or_else(|| {
        let reason = "no digit found: nothing on it stands out from its background";
        Error::config(format!("{}: {reason}", file.display()))
    })
}

fn tell<'a>(file: &'a Path, seen: &'a Result<(Classified, Digit)>) -> Told<'a> {
    match seen {
        Ok((classified, _)) => {
            let probabilities = &classified.probabilities;
            Told::Digit { file, digit: classified.ranked()[0], probabilities }
        }
        Err(error) => Told::Failed { file, error: error.to_string() },
    }
}

/// A line a picture; empty where there is none.
fn table(files: &[PathBuf], seen: &[Result<(Classified, Digit)>], show: bool) -> String {
    let found =
        || files.iter().zip(seen).filter_map(|(file, seen)| Some((file, seen.as_ref().ok()?)));
    let rows = found().map(|(file, (classified, _))| {
        let p = |class: &usize| 100.0 * classified.probabilities[*class];
        let ranked = classified.ranked();
        let mut row = vec![file.display().to_string(), ranked[0].to_string()];
        row.push(format!("{:.2}", p(&ranked[0])));
        let next =
            (1..3).map(|at| ranked.get(at).map_or(String::new(), |c| format!("{c}: {:.2}", p(c))));
        row.extend(next);
        row
    });
    let head = ["picture", "digit", "p %", "next", "next"].map(str::to_owned).to_vec();
    let cells: Vec<_> = [head].into_iter().chain(rows).collect();
    if cells.len() == 1 {
        return String::new();
    }
    let mut text = align(&cells);
    for (file, (_, digit)) in found().filter(|_| show) {
        text += &format!("\n{}\n{}", file.display(), blocks(digit));
    }
    text
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

#[expect(clippy::print_stderr, reason = "what is wrong with one picture keeps no other back")]
fn complain(error: &str) {
    eprintln!("error: {error}");
}
