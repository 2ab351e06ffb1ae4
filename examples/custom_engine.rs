//! An engine of one's own, raced: least squares on numbers of which the answer is known.

mod common;

use std::sync::Arc;

use clap::Parser;
use tortoise::{
    Result,
    cluster::engine_pool::EnginePool,
    dataset::{Minibatch, Split},
    engine::{Engine, Evaluation},
    report::plot::{Chart, Scale, Sheet},
    sgd::{Entrant, Objective, RunConfig},
};

/// The best parameters: five for the bits of a number, one for the constant.
const BEST: [f32; 6] = [3.0, 1.0, 4.0, 1.0, 5.0, 1.0];

/// f(w) = mean of (w . x - y)^2 / 2.
#[derive(Default)]
struct LeastSquares {
    w: Vec<f32>,
}

impl Engine for LeastSquares {
    fn load(&mut self, params: &[f32]) -> Result<()> {
        self.w = params.to_vec();
        Ok(())
    }

    fn gradient(&mut self, batch: &Minibatch, gradient: &mut [f32]) -> Result<f32> {
        gradient.fill(0.0);
        let (mut loss, m) = (0.0, batch.len() as f32);
        for (x, &y) in batch.images.chunks(self.w.len()).zip(&batch.labels) {
            let residual = x.iter().zip(&self.w).map(|(x, w)| x * w).sum::<f32>() - y as f32;
            gradient.iter_mut().zip(x).for_each(|(g, x)| *g += residual * x / m);
            loss += residual * residual / (2.0 * m);
        }
        Ok(loss)
    }

    fn evaluate(&mut self, params: &[f32], split: &Split) -> Result<Evaluation> {
        let (mut all, mut unused) = (Minibatch::default(), vec![0.0; params.len()]);
        split.gather(0..split.len(), &mut all);
        self.load(params)?;
        Ok(Evaluation { loss: self.gradient(&all, &mut unused)?.into(), accuracy: f64::NAN })
    }
}

fn main() -> Result<()> {
    let args = common::Args::parse();
    // 960 samples: x is the five bits of a number and a one, y is BEST . x and some noise, which is 1 in
    // the mean and so is what the last parameter stands for.
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for sample in 0..960 {
        let mut label = (sample / 32 % 3) as u8;
        for (at, best) in BEST[..5].iter().enumerate() {
            let bit = (sample >> at & 1) as u8;
            // A pixel of 255 is 1 to the engine.
            pixels.push(255 * bit);
            label += *best as u8 * bit;
        }
        pixels.push(255);
        labels.push(label);
    }
    let train = Arc::new(Split::new(pixels, labels, 6, 17)?);
    let queues = EnginePool::here(&train, LeastSquares::default());
    let objective = Objective::new(&train, queues, LeastSquares::default());
    let (budget, evaluate_every) = (Some(args.size(150.0, 60.0)), Some(2.0));
    let run_config = RunConfig { minibatch: 4, budget, evaluate_every, ..RunConfig::new(8, 0.04) };
    let (mut rows, mut lines) = (Vec::new(), Vec::new());
    for entrant in Entrant::six(8) {
        let (seeds, initial) = (0..args.size(5, 2), |_| vec![0.0; 6]);
        let trajectories = common::runs(&objective, &run_config, &entrant, seeds, initial)?;
        let loss = common::estimate(&trajectories, |trajectory| {
            trajectory.points.last().map_or(0.0, |p| p.loss)
        });
        let updates = common::estimate(&trajectories, |trajectory| trajectory.tally.updates as f64);
        rows.push(format!("{entrant},{updates},{loss}"));
        lines.push(common::curve(&entrant.to_string(), &common::mean(&trajectories), |p| p.time));
    }
    let (across, up) = (Scale::linear("run time (s)"), Scale::log("loss"));
    let caption = "Least squares, P=8, m=4, rate 0.04, exponential times of mean 1 s";
    let sheet = Sheet::new(vec![Chart::new(across, up, lines)], caption);
    args.write("custom-engine", &sheet, "entrant,updates,updates_se,loss,loss_se", &rows)
}
