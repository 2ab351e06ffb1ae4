//! An objective of which everything is known: how far w is from the mean sample.
//!
//! F(w) = 1/2 sum_d lambda_d (w_d - mean x_d)^2 over samples x, with one parameter w_d for each
//! feature x_d. The gradient of a minibatch is lambda_d (w_d - its mean x_d), so the noise comes
//! from the choice of samples. With this engine one can run the real loop, scheduler, server and
//! learners on a problem whose minimum, noise and curvature are known exactly.

use rand::RngExt;

use super::{Engine, Evaluation, check_samples, expect};
use crate::{
    Result,
    dataset::{Part, Split, Splits},
    rng::{self, Purpose},
};

/// Samples that are gathered at a time.
const GATHERED: usize = 64;

/// Computes gradients of f(w, x) = 1/2 sum_d lambda_d ((w_d - x_d)^2 - v_d), where v_d is the variance
/// of feature d over the training set: over all of it the mean is F(w), whose minimum is zero.
#[derive(Debug, Clone)]
pub struct Quadratic {
    curvature: Vec<f64>,
    data: Splits,
    train: Moments,
    params: Vec<f32>,
    /// Those of the samples in hand.
    features: Vec<f32>,
}

impl Quadratic {
    /// With lambda_d = `curvature[d]` for feature d of these data; at parameters zero.
    ///
    /// # Panics
    /// If there is not one curvature a feature.
    pub fn new(data: impl Into<Splits>, curvature: Vec<f64>) -> Self {
        let data = data.into();
        for split in [Part::Train, Part::Test].into_iter().filter_map(|part| data.part(part)) {
            assert_eq!(curvature.len(), split.inputs(), "one curvature a feature");
        }
        Self {
            params: vec![0.0; curvature.len()],
            train: Moments::of(&data.train),
            features: Vec::new(),
            curvature,
            data,
        }
    }

    /// lambda_d of each dimension: the eigenvalues of the Hessian of F.
    pub fn curvature(&self) -> &[f64] {
        &self.curvature
    }

    /// The minimum of F: the mean sample of the training set.
    pub fn minimum(&self) -> &[f64] {
        &self.train.mean
    }

    /// Variance of each dimension of the gradient of a minibatch of m = `minibatch` different samples
    /// out of n: lambda_d^2 v_d / m, times (n - m) / (n - 1).
    ///
    /// # Panics
    /// If `minibatch` is zero or more than the training set.
    pub fn noise(&self, minibatch: usize) -> Vec<f64> {
        let Moments { samples, variance, .. } = &self.train;
        assert!((1..=*samples).contains(&minibatch), "m is at least 1 and at most the data");
        let left = (samples - minibatch) as f64 / (samples - 1).max(1) as f64;
        let share = left / minibatch as f64;
        let noise = |(lambda, v): (&f64, &f64)| lambda * lambda * v * share;
        self.curvature.iter().zip(variance).map(noise).collect()
    }

    /// F(w) at w = `params`, over the training set.
    pub fn loss(&self, params: &[f32]) -> f64 {
        self.mean_loss(params, &self.train)
    }

    /// The mean of f(w, x) over samples with these `moments`.
    fn mean_loss(&self, params: &[f32], moments: &Moments) -> f64 {
        let Moments { mean, variance, .. } = moments;
        let of_dimension = |d: usize| {
            let distance = f64::from(params[d]) - mean[d];
            // Over the training set nothing is left of the variances.
            self.curvature[d] * (distance * distance + (variance[d] - self.train.variance[d]))
        };
        0.5 * (0..params.len()).map(of_dimension).sum::<f64>()
    }
}

impl Engine for Quadratic {
    fn samples(&self) -> usize {
        self.data.train.len()
    }

    fn params(&self) -> usize {
        self.curvature.len()
    }

    fn load(&mut self, params: &[f32]) -> Result<()> {
        expect("parameters", params.len(), self.curvature.len())?;
        self.params.copy_from_slice(params);
        Ok(())
    }

    fn gradient(&mut self, samples: &[usize], gradient: &mut [f32]) -> Result<f32> {
        expect("gradient", gradient.len(), self.curvature.len())?;
        check_samples(samples, self.samples())?;
        self.data.train.gather_features(samples, &mut self.features);
        let mut sums = Sums::new(self.params.len());
        sums.add(&self.features);
        let moments = sums.moments();
        for (d, gradient) in gradient.iter_mut().enumerate() {
            let distance = f64::from(self.params[d]) - moments.mean[d];
            *gradient = (self.curvature[d] * distance) as f32;
        }
        Ok(self.mean_loss(&self.params, &moments) as f32)
    }

    /// The loss is the mean of f(w, x), over the training set F(w); nothing is classified, so that
    /// the accuracy is no number.
    fn evaluate(&mut self, params: &[f32], over: Part) -> Result<Evaluation> {
        self.load(params)?;
        let loss = match (over, &self.data.test) {
            (Part::Train, _) => self.loss(params),
            (Part::Test, Some(test)) => self.mean_loss(params, &Moments::of(test)),
            (Part::Test, None) => f64::NAN,
        };
        Ok(Evaluation { loss, ..Evaluation::UNKNOWN })
    }
}

/// Mean and variance of each feature.
#[derive(Debug, Clone)]
struct Moments {
    samples: usize,
    mean: Vec<f64>,
    variance: Vec<f64>,
}

impl Moments {
    fn of(split: &Split) -> Self {
        let (mut sums, mut features) = (Sums::new(split.inputs()), Vec::new());
        let all: Vec<usize> = (0..split.len()).collect();
        for samples in all.chunks(GATHERED) {
            split.gather_features(samples, &mut features);
            sums.add(&features);
        }
        sums.moments()
    }
}

/// Samples, and for each feature the sum and the sum of squares.
struct Sums {
    samples: usize,
    sums: Vec<(f64, f64)>,
}

impl Sums {
    fn new(inputs: usize) -> Self {
        Self { samples: 0, sums: vec![(0.0, 0.0); inputs] }
    }

    fn add(&mut self, features: &[f32]) {
        for sample in features.chunks_exact(self.sums.len()) {
            self.samples += 1;
            for ((sum, squares), &x) in self.sums.iter_mut().zip(sample) {
                let x = f64::from(x);
                (*sum, *squares) = (*sum + x, *squares + x * x);
            }
        }
    }

    fn moments(&self) -> Moments {
        let samples = self.samples as f64;
        let means = self.sums.iter().map(|&(sum, squares)| (sum / samples, squares / samples));
        let (mean, variance) = means.map(|(mean, square)| (mean, square - mean * mean)).unzip();
        Moments { samples: self.samples, mean, variance }
    }
}

/// `samples` images of `dimensions` fair coins: each pixel is 0 or 255, so that scaled to `[0, 1]` its
/// variance is 1/4. From w_0 = 0 the minimum is one standard deviation of a gradient's noise away in
/// each dimension, and F(w_0) = 1/8 sum_d lambda_d, but for the chance of the draw.
///
/// # Errors
/// [`crate::Error::Config`] without samples or dimensions.
pub fn coins(samples: usize, dimensions: usize, seed: u64) -> Result<Split> {
    let mut rng = rng::stream(seed, Purpose::Coins, 0, 0);
    let pixels = (0..samples * dimensions).map(|_| if rng.random() { 255 } else { 0 }).collect();
    Split::images(pixels, vec![0; samples], dimensions, 1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::dataset::Dataset;

    const CURVATURE: [f64; 3] = [1.0, 0.5, 4.0];
    const W: [f32; 3] = [0.25, -1.0, 3.0];

    /// Two sets of images of three pixels.
    fn splits() -> [Split; 2] {
        let images = [vec![0, 51, 255, 102, 0, 204, 255, 255, 0, 51, 153, 102], vec![255; 6]];
        images.map(|pixels| {
            let samples = pixels.len() / 3;
            Split::images(pixels, vec![0; samples], 3, 1).unwrap()
        })
    }

    /// Loss and gradient of some samples.
    fn at(engine: &mut Quadratic, samples: &[usize]) -> (f64, Vec<f64>) {
        let mut gradient = [0.0; 3];
        engine.load(&W).unwrap();
        let loss = engine.gradient(samples, &mut gradient).unwrap();
        (loss.into(), gradient.map(f64::from).to_vec())
    }

    fn assert_near(actual: f64, expected: f64) {
        assert!((actual - expected).abs() < 1e-6 * (1.0 + expected.abs()), "{actual}, {expected}");
    }

    #[test]
    fn the_loss_is_how_far_the_mean_image_is() {
        let [train, test] = splits().map(Arc::new);
        let mut engine = Quadratic::new(&Dataset { train, test }, CURVATURE.to_vec());
        let means = [0.4, 0.45, 0.55];
        let expected = |means: [f64; 3]| {
            let squares = (0..3).map(|d| CURVATURE[d] * (f64::from(W[d]) - means[d]).powi(2));
            0.5 * squares.sum::<f64>()
        };
        engine.minimum().iter().zip(means).for_each(|(minimum, mean)| assert_near(*minimum, mean));
        let evaluation = engine.evaluate(&W, Part::Train).unwrap();
        assert_near(evaluation.loss, expected(means));
        assert_eq!(evaluation.loss, engine.loss(&W), "to the bit");
        assert!(evaluation.accuracy.is_nan());
        // All of another set is the same image, without a variance.
        let v: f64 =
            engine.noise(1).iter().zip(CURVATURE).map(|(noise, lambda)| noise / lambda).sum();
        assert_near(engine.evaluate(&W, Part::Test).unwrap().loss, expected([1.0; 3]) - 0.5 * v);
    }

    #[test]
    fn minibatches_have_the_mean_of_the_objective_and_the_noise_that_is_told() {
        let [train, _] = splits();
        let mut engine = Quadratic::new(train, CURVATURE.to_vec());
        let minibatches: [&[&[usize]]; 3] = [
            &[&[0], &[1], &[2], &[3]],
            &[&[0, 1], &[0, 2], &[0, 3], &[1, 2], &[1, 3], &[2, 3]],
            &[&[0, 1, 2, 3]],
        ];
        for all in minibatches {
            let results: Vec<_> = all.iter().map(|samples| at(&mut engine, samples)).collect();
            let n = all.len() as f64;
            assert_near(results.iter().map(|(loss, _)| loss).sum::<f64>() / n, engine.loss(&W));
            let noise = engine.noise(all[0].len());
            for (d, (lambda, noise)) in CURVATURE.into_iter().zip(noise).enumerate() {
                let slope = lambda * (f64::from(W[d]) - engine.minimum()[d]);
                let mean = results.iter().map(|(_, gradient)| gradient[d]).sum::<f64>() / n;
                let squares = results.iter().map(|(_, gradient)| (gradient[d] - slope).powi(2));
                assert_near(mean, slope);
                assert_near(squares.sum::<f64>() / n, noise);
            }
        }
    }

    #[test]
    fn coins_are_fair_and_start_a_standard_deviation_away() {
        let split = coins(1000, 400, 7).unwrap();
        assert_eq!(split, coins(1000, 400, 7).unwrap());
        assert_ne!(split, coins(1000, 400, 8).unwrap());
        let engine = Quadratic::new(split, vec![2.0; 400]);
        let distance = engine.loss(&[0.0; 400]) / (2.0 * 400.0 / 8.0);
        assert!((distance - 1.0).abs() < 0.01, "{distance}");
        let noise = engine.noise(1).iter().sum::<f64>() / 400.0;
        assert!((noise - 1.0).abs() < 0.01, "{noise}");
        assert!(coins(0, 400, 7).is_err() && coins(10, 0, 7).is_err());
    }
}
