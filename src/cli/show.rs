//! `tortoise show`: a trained model in pictures, and how well it does on the test set.

use std::path::PathBuf;

use clap::Args;

use super::{Exit, print, print_json, say, trained::TrainedArgs};
use crate::{
    Error, Result,
    dataset::mnist,
    record::RunDirectory,
    report::model::{
        confusion::{self, Scores},
        mistakes, weights,
    },
};

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    trained: TrainedArgs,
    /// Folder with the IDX files whose test set is classified [default: $TORTOISE_DATA, else
    /// data/mnist]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Folder to write to, new or empty [default: the next free runs/show-N]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print JSON in place of the tables
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ShowArgs) -> Result<Exit> {
    let trained = args.trained.open()?;
    let source = mnist::find(&mnist::locate(args.data.as_deref())?)?;
    let test = source.load()?.test;
    if let Some(note) = source.note() {
        say(&note);
    }
    let (inputs, classes) = (trained.model.inputs(), trained.model.classes());
    if (inputs, Some(classes)) != (test.inputs(), test.classes()) {
        return Err(Error::config(format!(
            "{}: the model takes {inputs} pixels and tells {classes} classes apart, and the test set \
             has {} and {}",
            trained.file.display(),
            test.inputs(),
            test.classes().unwrap_or_default()
        )));
    }
    let mut classifier = trained.over(&test)?;
    let classified = classifier.classify(0..test.len())?;
    let labels: Vec<_> = (0..test.len()).map(|sample| test.class(sample)).collect();
    let directory = RunDirectory::create(args.out.as_deref(), "show")?;
    let scores = Scores::new(&classified, &labels);
    let name = trained.file.display().to_string();
    let caption = format!("{name}, {} images of the test set", test.len());
    let file = |name: &str| directory.path().join(name);
    let mut pictures = Vec::new();
    pictures.extend(confusion::draw(&scores, &caption, &file("confusion"))?);
    pictures.extend(mistakes::draw(&scores, &test, &caption, &file("mistakes"))?);
    let weights = weights::draw(&trained.model, &trained.params, &name, &file("weights"))?;
    pictures.extend(weights);
    if args.json {
        print_json(&scores)?;
    } else {
        let names: Vec<_> = pictures.iter().filter_map(|path| path.file_name()?.to_str()).collect();
        let place = directory.path().display();
        print(&format!(
            "{caption}\n\n{}\n{place}: {}\n",
            confusion::table(&scores),
            names.join(" ")
        ))?;
    }
    Ok(Exit::Done)
}
