//! What the examples share: their arguments, MNIST as the paper trains on it, and their files.

#![allow(dead_code, reason = "not every example needs everything")]
#![allow(clippy::print_stdout, reason = "examples print their numbers")]

use std::{fmt::Write as _, fs, path::PathBuf, sync::Arc};

use clap::Parser;
use tortoise::{
    Result,
    cluster::queues::Queues,
    dataset::mnist,
    engine::{
        backend::{Backend, FamilyChoice},
        gpu::adapter::DeviceChoice,
        model::{Model, Shape},
    },
    report::sheet::Sheet,
    sgd::Objective,
};

/// The arguments of every example.
#[derive(Parser)]
pub(crate) struct Args {
    /// Folder for the picture and the numbers
    #[arg(long, default_value = "runs/gallery")]
    pub(crate) out: PathBuf,
    /// Fewer updates and seeds: shows that it works, not what comes out
    #[arg(long)]
    pub(crate) small: bool,
    /// Where to compute: host, auto, an adapter's index or part of its name
    #[arg(long, default_value = "host")]
    pub(crate) device: DeviceChoice,
}

impl Args {
    /// `all` of something, or `few` where the example runs small.
    pub(crate) fn size<T>(&self, all: T, few: T) -> T {
        if self.small { few } else { all }
    }

    /// MNIST under this model, for minibatches of `minibatch` samples, and the model.
    pub(crate) fn mnist(
        &self,
        shape: &str,
        l2: f32,
        minibatch: usize,
    ) -> Result<(Objective, Model)> {
        self.mnist_in_part(shape, l2, minibatch, usize::MAX)
    }

    /// That, but evaluated on no more than the first `evaluated` samples of the training set.
    pub(crate) fn mnist_in_part(
        &self,
        shape: &str,
        l2: f32,
        minibatch: usize,
        evaluated: usize,
    ) -> Result<(Objective, Model)> {
        let data = mnist::load(&mnist::locate(None)?)?;
        let (inputs, classes) = (data.train.inputs(), data.train.classes());
        let model = Model::new(&shape.parse::<Shape>()?, inputs, classes, l2)?;
        let longest = model.longest_side().max(minibatch);
        let backend = Backend::choose(&self.device, FamilyChoice::Auto, longest)?;
        let queues = Queues::here(&data.train, backend.open(&model, minibatch)?);
        let evaluator = backend.for_evaluation().open(&model, minibatch)?;
        let evaluated = Arc::new(data.train.first(evaluated));
        Ok((Objective::new(&evaluated, queues, evaluator), model))
    }

    /// Prints the numbers, writes them as `NAME.csv`, and draws the sheet as `NAME.svg` and `.png`.
    pub(crate) fn write(
        &self,
        name: &str,
        sheet: &Sheet,
        head: &str,
        rows: &[String],
    ) -> Result<()> {
        let mut csv = String::new();
        for row in [head].into_iter().chain(rows.iter().map(String::as_str)) {
            let _ = writeln!(csv, "{row}");
        }
        let stem = self.out.join(name);
        let file = stem.with_extension("csv");
        fs::create_dir_all(&self.out).map_err(tortoise::Error::io(&self.out))?;
        fs::write(&file, &csv).map_err(tortoise::Error::io(&file))?;
        sheet.draw(&stem)?;
        print!("{csv}");
        Ok(())
    }
}
