//! An engine of one's own, raced: least squares on numbers of which the answer is known.

mod common;

use clap::Parser;
use tortoise::{
    Result,
    engine::{Engine, check_samples},
    race::Race,
    report::plot::{Chart, Scale, Sheet},
};

/// The best parameters: five for the bits of a number, one for the constant.
const BEST: [f32; 6] = [3.0, 1.0, 4.0, 1.0, 5.0, 1.0];

/// f(w) = mean of (w . x - y)^2 / 2.
struct LeastSquares {
    data: Vec<([f32; 6], f32)>,
    w: Vec<f32>,
}

impl Engine for LeastSquares {
    fn samples(&self) -> usize {
        self.data.len()
    }

    fn params(&self) -> usize {
        BEST.len()
    }

    fn load(&mut self, params: &[f32]) -> Result<()> {
        self.w = params.to_vec();
        Ok(())
    }

    fn gradient(&mut self, samples: &[usize], gradient: &mut [f32]) -> Result<f32> {
        check_samples(samples, self.data.len())?;
        gradient.fill(0.0);
        let (mut loss, m) = (0.0, samples.len() as f32);
        for (x, y) in samples.iter().map(|&sample| &self.data[sample]) {
            let residual = x.iter().zip(&self.w).map(|(x, w)| x * w).sum::<f32>() - y;
            gradient.iter_mut().zip(x).for_each(|(g, x)| *g += residual * x / m);
            loss += residual * residual / (2.0 * m);
        }
        Ok(loss)
    }
}

/// The bits of `i` and a constant, and what is to be learned: 0, 1 or 2 more than the bits say.
fn sample(i: usize) -> ([f32; 6], f32) {
    let mut x = [1.0; 6];
    x.iter_mut().take(5).enumerate().for_each(|(b, x)| *x = (i >> b & 1) as f32);
    let bits = x.iter().zip(BEST).take(5);
    (x, bits.map(|(x, w)| x * w).sum::<f32>() + (i / 32 % 3) as f32)
}

fn main() -> Result<()> {
    let args = common::Args::parse();
    let engine = LeastSquares { data: (0..960).map(sample).collect(), w: Vec::new() };
    let seeds = args.size(5, 2);
    let race = Race::new(engine).learners(8).minibatch(4).learning_rate(0.04);
    let race = race.budget(args.size(150.0, 60.0)).set("evaluate-every", 2.0).set("seeds", seeds);
    let all = race.run()?;

    let (mut rows, mut lines) = (Vec::new(), Vec::new());
    for trajectories in all.chunks(seeds as usize) {
        let entrant = trajectories[0].entrant;
        let loss = common::estimate(trajectories, |one| one.points.last().map_or(0.0, |p| p.loss));
        let updates = common::estimate(trajectories, |one| one.tally.updates as f64);
        rows.push(format!("{entrant},{updates},{loss}"));
        lines.push(common::curve(&entrant.to_string(), &common::mean(trajectories), |p| p.time));
    }
    let (across, up) = (Scale::linear("run time (s)"), Scale::log("loss"));
    let caption = "Least squares, P=8, m=4, rate 0.04, exponential times of mean 1 s";
    let sheet = Sheet::new(vec![Chart::new(across, up, lines)], caption);
    args.write("custom-engine", &sheet, "entrant,updates,updates_se,loss,loss_se", &rows)
}
