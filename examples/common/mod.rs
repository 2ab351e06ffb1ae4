//! What the examples share: their arguments, MNIST as the paper trains on it, trajectories over seeds,
//! and their files.

#![allow(dead_code, reason = "not every example needs everything")]

use std::{fs, path::PathBuf};

use clap::Parser;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tortoise::{
    Result,
    cluster::engine_pool::EnginePool,
    dataset::{Dataset, Split, mnist},
    engine::{
        adapter::DeviceChoice,
        backend::{Backend, FamilyChoice},
        model::{Model, Shape},
    },
    report::plot::{Dot, Line, Look, Sheet},
    sgd::{
        Entrant, Objective, RunConfig, Trajectory,
        trajectory::{self, Point},
    },
    statistics,
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
        self.mnist_evaluated_on(shape, l2, minibatch, |data| data.train.first(evaluated))
    }

    /// That, but evaluated on the samples that `evaluated` picks.
    pub(crate) fn mnist_evaluated_on(
        &self,
        shape: &str,
        l2: f32,
        minibatch: usize,
        evaluated: impl Fn(&Dataset) -> Split,
    ) -> Result<(Objective, Model)> {
        let (data, model, backend) = self.opened(shape, l2, minibatch)?;
        let queues = EnginePool::here(backend.open(&model, minibatch, &data.train)?);
        let evaluator = backend.for_evaluation().open(&model, minibatch, evaluated(&data))?;
        Ok((Objective::new(queues, evaluator), model))
    }

    /// MNIST as `tortoise advise` sees it: most losses are over the first 10 000 training samples, and some
    /// over all, which tell by how much the others are off.
    pub(crate) fn mnist_sampled(
        &self,
        shape: &str,
        minibatch: usize,
    ) -> Result<(Objective, Model)> {
        let (data, model, backend) = self.opened(shape, 0.0, minibatch)?;
        let queues = EnginePool::here(backend.open(&model, minibatch, &data.train)?);
        let backend = backend.for_evaluation();
        let part = backend.open(&model, minibatch, data.train.first(10_000))?;
        let whole = backend.open(&model, minibatch, &data)?;
        Ok((Objective::sampled(queues, part, whole), model))
    }

    /// That, where whoever decides on K looks at the first `sampled` samples.
    pub(crate) fn mnist_with_sample(
        &self,
        shape: &str,
        minibatch: usize,
        [evaluated, sampled]: [usize; 2],
    ) -> Result<(Objective, Model)> {
        let (objective, model) = self.mnist_in_part(shape, 0.0, minibatch, evaluated)?;
        let (data, _, backend) = self.opened(shape, 0.0, minibatch)?;
        let sample = data.train.first(sampled);
        let sample = backend.for_evaluation().open(&model, minibatch, sample)?;
        Ok((objective.with_sample(sample), model))
    }

    fn opened(&self, shape: &str, l2: f32, minibatch: usize) -> Result<(Dataset, Model, Backend)> {
        let data = mnist::load(&mnist::locate(None)?)?;
        let model = Model::for_split(&shape.parse::<Shape>()?, &data.train, l2)?;
        let longest = model.longest_side().max(minibatch);
        let backend = Backend::choose(&self.device, FamilyChoice::Auto, longest)?;
        Ok((data, model, backend))
    }

    /// Prints the numbers, writes them as `NAME.csv`, and draws the sheet as `NAME.svg` and `.png`.
    pub(crate) fn write(
        &self,
        name: &str,
        sheet: &Sheet,
        head: &str,
        rows: &[String],
    ) -> Result<()> {
        print!("{}", self.write_rows(name, head, rows)?);
        self.draw(name, sheet)
    }

    /// Draws the sheet as `NAME.svg` and `.png`.
    pub(crate) fn draw(&self, name: &str, sheet: &Sheet) -> Result<()> {
        fs::create_dir_all(&self.out).map_err(tortoise::Error::io(&self.out))?;
        sheet.draw(&self.out.join(name)).map(drop)
    }

    /// Writes the mean trajectories behind a picture as `NAME-trajectories.csv`.
    pub(crate) fn write_courses(&self, name: &str, means: &[(String, Vec<Point>)]) -> Result<()> {
        let mut rows = Vec::new();
        for (entrant, points) in means {
            for Point { time, updates, loss, loss_se } in points {
                let error = loss_se.unwrap_or(f64::NAN);
                rows.push(format!("{entrant},{time:.3},{updates:.1},{loss:.5},{error:.5}"));
            }
        }
        let file = format!("{name}-trajectories");
        self.write_rows(&file, "entrant,time,updates,loss,loss_se", &rows)?;
        Ok(())
    }

    fn write_rows(&self, name: &str, head: &str, rows: &[String]) -> Result<String> {
        let csv = format!("{head}\n{}\n", rows.join("\n"));
        let file = self.out.join(name).with_extension("csv");
        fs::create_dir_all(&self.out).map_err(tortoise::Error::io(&self.out))?;
        fs::write(&file, &csv).map_err(tortoise::Error::io(&file))?;
        Ok(csv)
    }
}

/// The trajectories of an entrant under seeds 0, 1, 2, ..., each from parameters drawn by its seed.
pub(crate) fn trajectories(
    (objective, model): &(Objective, Model),
    run_config: &RunConfig,
    entrant: &Entrant,
    seeds: u64,
) -> Result<Vec<Trajectory>> {
    runs(objective, run_config, entrant, 0..seeds, |seed| initial(model, seed))
}

/// The trajectories of an entrant under each of the seeds, each from the parameters that `initial` has
/// for the seed.
pub(crate) fn runs(
    objective: &Objective,
    run_config: &RunConfig,
    entrant: &Entrant,
    seeds: impl Iterator<Item = u64>,
    initial: impl Fn(u64) -> Vec<f32>,
) -> Result<Vec<Trajectory>> {
    seeds.map(|seed| objective.trajectory(run_config, entrant, seed, &initial(seed))).collect()
}

/// w_0 as the paper has it (section 9 of its supplement): weights and biases ~ N(0, 0.01^2).
fn initial(model: &Model, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // The transform of Box and Muller (1958).
    let mut normal = || {
        let (u, v): (f64, f64) = (rng.random(), rng.random());
        (-2.0 * (1.0 - u).ln()).sqrt() * (std::f64::consts::TAU * v).cos()
    };
    (0..model.params()).map(|_| (0.01 * normal()) as f32).collect()
}

/// The mean of the trajectories, evaluation by evaluation.
pub(crate) fn mean(trajectories: &[Trajectory]) -> Vec<Point> {
    trajectory::mean(trajectories.iter().map(|trajectory| &*trajectory.points))
}

/// The mean of what `of` gives for each trajectory, and its standard error, as two columns.
pub(crate) fn estimate(trajectories: &[Trajectory], of: impl Fn(&Trajectory) -> f64) -> String {
    let values: Vec<f64> = trajectories.iter().map(of).collect();
    let mean = statistics::mean(&values).unwrap_or(f64::NAN);
    let error = statistics::standard_error(&values).unwrap_or(f64::NAN);
    format!("{mean:.4},{error:.4}")
}

/// Loss against what `across` gives, with a band of one standard error.
pub(crate) fn curve(name: &str, points: &[Point], across: fn(&Point) -> f64) -> Line {
    let dot = |point: &Point| Dot { x: across(point), y: point.loss, error: point.loss_se };
    Line::new(name, Look::Curve, points.iter().map(dot))
}
