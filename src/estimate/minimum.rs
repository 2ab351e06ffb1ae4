//! F*, the lowest loss that there is. Of softmax regression with L2 it is known from both sides: a
//! descent comes down to it, and a certificate says how far above it the descent still is.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::objective::{Objective, Point};
use crate::{
    Result,
    engine::{Engine, model::Model},
};

/// A softmax regression with L2: parameters are W `[inputs, classes]`, row-major, and then
/// b `[classes]`; F is the mean cross-entropy of the logits x W + b, plus `l2` ||W||^2.
///
/// It is strongly convex in W with the constant 2 l2, whatever the best b is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SoftmaxRegression {
    /// Features of a sample.
    pub inputs: usize,
    /// Classes.
    pub classes: usize,
    /// The factor of ||W||^2, above 0.
    pub l2: f64,
}

impl SoftmaxRegression {
    /// What `model` is, if it is one with L2.
    pub fn of(model: &Model) -> Option<Self> {
        let (inputs, classes, l2) = (model.inputs(), model.classes(), f64::from(model.l2()));
        (model.layers().len() == 1 && l2 > 0.0).then_some(Self { inputs, classes, l2 })
    }
}

/// What is known of F*: it is from `least` to `found`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Minimum {
    /// The lowest loss that was found.
    pub found: f64,
    /// What no loss is below.
    pub least: f64,
}

/// Pairs of steps and changes of the gradient that L-BFGS remembers.
const REMEMBERED: usize = 20;
/// Steps at most.
const MOST_STEPS: usize = 600;
/// Distance of what was found from what no loss is below at which it is near enough.
const NEAR: f64 = 1e-5;
/// Part of the decrease along a step that the loss must fall by (Armijo 1966).
const DECREASE: f64 = 1e-4;
/// Losses in f32 that differ by this part are equal.
const ROUNDING: f64 = 3e-7;

/// F* of a softmax regression over the training set of `engine`, by L-BFGS (Nocedal 1980) from w = 0.
///
/// # Errors
/// What the engine returns.
///
/// # Panics
/// If the parameters are not those of the regression, or there is no L2.
pub fn minimum(
    engine: &mut dyn Engine,
    regression: &SoftmaxRegression,
    chunk: usize,
) -> Result<Minimum> {
    let SoftmaxRegression { inputs, classes, l2 } = *regression;
    assert_eq!(engine.params(), (inputs + 1) * classes, "parameters of the regression");
    assert!(l2 > 0.0, "without L2 there is no certificate");
    let mut objective = Objective::new(engine, chunk);
    let mut certificate = Certificate::new(&mut objective, regression)?;
    let mut w = vec![0.0; (inputs + 1) * classes];
    let mut here = at(&mut objective, &w)?;
    certificate.look(&w, &here);
    let mut memory = Memory::default();
    let mut found = here.loss;
    for _ in 0..MOST_STEPS {
        if found - certificate.least <= NEAR {
            break;
        }
        let direction = memory.direction(&here.gradient);
        let slope = dot(&direction, &here.gradient);
        let mut length = if memory.pairs.is_empty() { 1.0 / norm(&here.gradient) } else { 1.0 };
        let stepped = loop {
            let next: Vec<f64> =
                w.iter().zip(&direction).map(|(w, d)| f64::from((w + length * d) as f32)).collect();
            let there = at(&mut objective, &next)?;
            let least = here.loss + DECREASE * length * slope + ROUNDING * here.loss.abs();
            if there.loss <= least {
                break Some((next, there));
            }
            length /= 2.0;
            if length < 1e-6 {
                break None;
            }
        };
        // Where no step leads down any more, rounding is all that is left.
        let Some((next, there)) = stepped else { break };
        memory.learn(&w, &next, &here.gradient, &there.gradient);
        (w, here) = (next, there);
        found = found.min(here.loss);
        certificate.look(&w, &here);
    }
    Ok(Minimum { found, least: certificate.least.min(found) })
}

fn at(objective: &mut Objective<'_>, w: &[f64]) -> Result<Point> {
    objective.full(&w.iter().map(|w| *w as f32).collect::<Vec<_>>())
}

/// The last steps, by which L-BFGS knows the curvature.
#[derive(Default)]
struct Memory {
    /// s, y and s y.
    pairs: VecDeque<(Vec<f64>, Vec<f64>, f64)>,
}

impl Memory {
    /// Down, by the recursion of both loops (Nocedal 1980).
    fn direction(&self, gradient: &[f64]) -> Vec<f64> {
        let mut d: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let mut parts = Vec::new();
        for (s, y, sy) in self.pairs.iter().rev() {
            let part = dot(s, &d) / sy;
            add(&mut d, -part, y);
            parts.push(part);
        }
        if let Some((_, y, sy)) = self.pairs.back() {
            let scale = sy / dot(y, y);
            d.iter_mut().for_each(|d| *d *= scale);
        }
        for ((s, y, sy), part) in self.pairs.iter().zip(parts.into_iter().rev()) {
            let other = dot(y, &d) / sy;
            add(&mut d, part - other, s);
        }
        d
    }

    fn learn(&mut self, from: &[f64], to: &[f64], before: &[f64], after: &[f64]) {
        let difference =
            |a: &[f64], b: &[f64]| -> Vec<f64> { a.iter().zip(b).map(|(a, b)| a - b).collect() };
        let (s, y) = (difference(to, from), difference(after, before));
        let sy = dot(&s, &y);
        // Of a convex loss it is above 0 but for rounding.
        if sy > 1e-10 * dot(&y, &y) {
            self.pairs.push_back((s, y, sy));
            if self.pairs.len() > REMEMBERED {
                self.pairs.pop_front();
            }
        }
    }
}

/// What no loss is below. For every P of which each row is a distribution, and whose mean is that of
/// the labels Y, F* >= mean H(P_i) - ||X^T (P - Y) / N||^2 / (4 l2): the dual problem of softmax
/// regression, H being the entropy. P is what the parameters predict, moved a little so that the
/// means agree. All of it is told by losses and gradients.
struct Certificate {
    regression: SoftmaxRegression,
    /// The mean of the features.
    mean: Vec<f64>,
    /// How often each class is.
    frequencies: Vec<f64>,
    /// X^T Y / N, `[inputs, classes]`.
    labelled: Vec<f64>,
    least: f64,
}

impl Certificate {
    fn new(objective: &mut Objective<'_>, regression: &SoftmaxRegression) -> Result<Self> {
        let SoftmaxRegression { inputs, classes, .. } = *regression;
        let (weights, each) = (inputs * classes, 1.0 / classes as f64);
        // At W = 0 every sample is predicted alike: as 1/C each, or with the first class twice as likely.
        let mut w = vec![0.0; weights + classes];
        let even = at(objective, &w)?.gradient;
        w[weights] = 2_f64.ln();
        let uneven = at(objective, &w)?.gradient;
        let difference = 2.0 / (classes + 1) as f64 - each;
        let mean: Vec<f64> = (0..inputs)
            .map(|input| (uneven[input * classes] - even[input * classes]) / difference)
            .collect();
        let frequencies = even[weights..].iter().map(|g| each - g).collect();
        let labelled = (0..weights).map(|at| mean[at / classes] * each - even[at]).collect();
        Ok(Self { regression: *regression, mean, frequencies, labelled, least: f64::NEG_INFINITY })
    }

    /// Looks whether these parameters, with their loss and gradient, say more.
    fn look(&mut self, w: &[f64], point: &Point) {
        let SoftmaxRegression { inputs, classes, l2 } = self.regression;
        let weights = inputs * classes;
        let square: f64 = w[..weights].iter().map(|w| w * w).sum();
        // X^T (P - Y) / N, and the means of P - Y.
        let of_data: Vec<f64> =
            point.gradient.iter().zip(w).map(|(g, w)| g - 2.0 * l2 * w).collect();
        let (of_data, of_bias) = (&of_data[..weights], &point.gradient[weights..]);
        let entropy =
            point.loss - l2 * square - dot(of_data, &w[..weights]) - dot(of_bias, &w[weights..]);
        // P moves by the part t towards Q, which makes up for the difference of the means.
        let predicted: Vec<f64> =
            self.frequencies.iter().zip(of_bias).map(|(f, g)| (f + g).max(1e-12)).collect();
        let moved = of_bias.iter().zip(&predicted).map(|(g, p)| g / p).fold(0.0, f64::max);
        if moved >= 1.0 {
            return;
        }
        let towards: Vec<f64> = match moved > 0.0 {
            true => predicted.iter().zip(of_bias).map(|(p, g)| (p - g / moved).max(0.0)).collect(),
            false => predicted,
        };
        let of_moved = |at: usize| {
            let predicted = of_data[at] + self.labelled[at];
            of_data[at] + moved * (self.mean[at / classes] * towards[at % classes] - predicted)
        };
        let square: f64 = (0..weights).map(|at| of_moved(at).powi(2)).sum();
        let least = (1.0 - moved) * entropy - square / (4.0 * l2);
        self.least = self.least.max(least);
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

fn add(to: &mut [f64], factor: f64, values: &[f64]) {
    to.iter_mut().zip(values).for_each(|(to, value)| *to += factor * value);
}
