//! Pins the host engine's numbers: its gradient is that of an obvious f64 implementation written
//! out here and that of its own loss by central differences, its evaluation is the mean over the
//! split, and every bit is the same each time. With both yardsticks a formula that is wrong in
//! engine and test alike shows too.

use tortoise::{
    dataset::{Minibatch, Split},
    engine::{Engine, host::Host, model::Model},
};

const INPUTS: usize = 11;
const CLASSES: usize = 4;
const SHAPES: [&str; 2] = ["logistic", "mlp:7,5"];
const L2S: [f32; 2] = [0.0, 0.01];

fn model(shape: &str, l2: f32) -> Model {
    Model::new(&shape.parse().unwrap(), INPUTS, CLASSES, l2).unwrap()
}

/// Images without pattern, a function of how many there are.
fn split(samples: usize) -> Split {
    let mut state = samples as u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 24
    };
    let pixels = (0..samples * INPUTS).map(|_| noise() as u8).collect();
    let labels = (0..samples).map(|_| noise() as u8 % CLASSES as u8).collect();
    Split::new(pixels, labels, INPUTS, CLASSES).unwrap()
}

fn batch(samples: usize) -> Minibatch {
    let mut batch = Minibatch::default();
    split(samples).gather(0..samples, &mut batch);
    batch
}

fn gradient(host: &mut Host, model: &Model, batch: &Minibatch) -> (f32, Vec<f32>) {
    // Not zeros: what was there must not matter.
    let mut gradient = vec![f32::NAN; model.params()];
    let loss = host.gradient(batch, &mut gradient).unwrap();
    (loss, gradient)
}

#[track_caller]
fn assert_close(actual: f64, expected: f64, tolerance: f64, what: &str) {
    let allowed = tolerance * (1.0 + expected.abs());
    assert!((actual - expected).abs() <= allowed, "{what}: {actual}, expected {expected}");
}

/// Loss, gradient and hits, one sample and one neuron at a time.
fn naive(model: &Model, params: &[f32], batch: &Minibatch) -> (f64, Vec<f64>, usize) {
    let params: Vec<f64> = params.iter().copied().map(f64::from).collect();
    let mut gradient = vec![0.0; params.len()];
    let (mut loss, mut hits) = (0.0, 0);
    let m = batch.len() as f64;
    for (image, &label) in batch.images.chunks(model.inputs()).zip(&batch.labels) {
        let mut activations = vec![image.iter().copied().map(f64::from).collect::<Vec<_>>()];
        for layer in model.layers() {
            let x = activations.last().unwrap();
            let (w, b) = (&params[layer.weight()], &params[layer.bias()]);
            let neuron = |out: usize| {
                let sum: f64 = (0..layer.inputs).map(|i| x[i] * w[i * layer.outputs + out]).sum();
                if layer.relu { (sum + b[out]).max(0.0) } else { sum + b[out] }
            };
            activations.push((0..layer.outputs).map(neuron).collect());
        }
        let logits = activations.pop().unwrap();
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let exps: Vec<f64> = logits.iter().map(|logit| (logit - largest).exp()).collect();
        let sum: f64 = exps.iter().sum();
        loss += (sum.ln() + largest - logits[label as usize]) / m;
        hits += usize::from(logits.iter().position(|&l| l == largest) == Some(label as usize));
        let mut dy: Vec<f64> = exps.iter().map(|exp| exp / sum / m).collect();
        dy[label as usize] -= 1.0 / m;
        for (layer, x) in model.layers().iter().zip(&activations).rev() {
            let mut dx = vec![0.0; layer.inputs];
            for (out, dy) in dy.iter().enumerate() {
                for i in 0..layer.inputs {
                    let at = layer.weight().start + i * layer.outputs + out;
                    gradient[at] += x[i] * dy;
                    dx[i] += if x[i] > 0.0 { params[at] * dy } else { 0.0 };
                }
                gradient[layer.bias().start + out] += dy;
            }
            dy = dx;
        }
    }
    let l2 = f64::from(model.l2());
    for at in model.layers().iter().flat_map(|layer| layer.weight()) {
        loss += l2 * params[at] * params[at];
        gradient[at] += 2.0 * l2 * params[at];
    }
    (loss, gradient, hits)
}

#[track_caller]
fn check_against_naive(model: &Model, params: &[f32], batch: &Minibatch) {
    let mut host = Host::new(model.clone());
    host.load(params).unwrap();
    let (loss, gradient) = gradient(&mut host, model, batch);
    let (expected_loss, expected, _) = naive(model, params, batch);
    assert_close(loss.into(), expected_loss, 1e-6, "loss");
    for (at, (&actual, expected)) in gradient.iter().zip(expected).enumerate() {
        let what = format!("m = {}, entry {at} of the gradient", batch.len());
        assert_close(actual.into(), expected, 1e-6, &what);
    }
}

#[test]
fn gradients_are_those_of_plain_loops_in_f64() {
    for shape in SHAPES {
        for l2 in L2S {
            for m in [1, 7, 32] {
                let model = model(shape, l2);
                check_against_naive(&model, &model.initial(3), &batch(m));
            }
        }
    }
}

#[test]
fn gradients_are_right_where_all_cores_share_a_product() {
    let model = Model::new(&"mlp:256".parse().unwrap(), INPUTS, CLASSES, 0.0).unwrap();
    check_against_naive(&model, &model.initial(3), &batch(6000));
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    for shape in SHAPES {
        for l2 in L2S {
            let model = model(shape, l2);
            let (params, batch) = (model.initial(5), batch(7));
            let mut host = Host::new(model.clone());
            host.load(&params).unwrap();
            let (_, expected) = gradient(&mut host, &model, &batch);
            for at in 0..params.len() {
                let mut loss_at = |step: f32| {
                    let mut params = params.clone();
                    params[at] += step;
                    host.load(&params).unwrap();
                    f64::from(gradient(&mut host, &model, &batch).0)
                };
                let slope = (loss_at(2e-3) - loss_at(-2e-3)) / 4e-3;
                let what = format!("{shape}, slope {at}");
                assert_close(slope, expected[at].into(), 3e-4, &what);
            }
        }
    }
}

#[test]
fn huge_logits_give_finite_losses_and_gradients() {
    let model = model("logistic", 0.0);
    for scale in [1e4, 1e-30, 0.0] {
        let params: Vec<f32> = model.initial(3).iter().map(|param| param * scale).collect();
        check_against_naive(&model, &params, &batch(32));
    }
}

#[test]
fn what_is_not_a_number_is_not_hidden() {
    let model = model("mlp:7,5", 0.0);
    let mut params = model.initial(3);
    params[0] = f32::NAN;
    let mut host = Host::new(model.clone());
    host.load(&params).unwrap();
    assert!(gradient(&mut host, &model, &batch(7)).0.is_nan());
}

#[test]
fn evaluations_are_means_over_the_split() {
    for samples in [1, 7, 999, 2503] {
        for shape in SHAPES {
            let model = model(shape, 0.01);
            let params = model.initial(3);
            let mut host = Host::new(model.clone());
            let evaluation = host.evaluate(&params, &split(samples)).unwrap();
            let (loss, _, hits) = naive(&model, &params, &batch(samples));
            assert_close(evaluation.loss, loss, 1e-6, "loss against plain loops");
            assert_eq!(evaluation.accuracy, hits as f64 / samples as f64, "{samples} samples");
            // The evaluated parameters are the loaded ones.
            let (loss, _) = gradient(&mut host, &model, &batch(samples));
            assert_close(evaluation.loss, loss.into(), 1e-6, "loss against the minibatch's");
        }
    }
}

#[test]
fn the_first_of_equal_logits_counts() {
    let split = Split::new(vec![9; 4 * INPUTS], vec![0, 1, 0, 3], INPUTS, CLASSES).unwrap();
    let model = model("logistic", 0.0);
    let evaluation = Host::new(model.clone()).evaluate(&vec![0.0; model.params()], &split).unwrap();
    assert_eq!(evaluation.accuracy, 0.5);
    assert_close(evaluation.loss, 4.0_f64.ln(), 1e-12, "loss");
}

#[test]
fn the_number_of_cores_does_not_show() {
    let model = Model::new(&"mlp:130,70".parse().unwrap(), INPUTS, CLASSES, 0.01).unwrap();
    let (params, split, batch) = (model.initial(3), split(2503), batch(700));
    let results = [1, 2, 3, 8].map(|cores| {
        let cores = rayon::ThreadPoolBuilder::new().num_threads(cores).build().unwrap();
        cores.install(|| {
            let mut host = Host::new(model.clone());
            let evaluation = host.evaluate(&params, &split).unwrap();
            let (loss, gradient) = gradient(&mut host, &model, &batch);
            let bits: Vec<_> = gradient.iter().map(|value| value.to_bits()).collect();
            (evaluation, loss.to_bits(), bits)
        })
    });
    assert!(results.iter().all(|result| *result == results[0]));
}

#[test]
fn every_bit_is_the_same_each_time() {
    let model = Model::new(&"mlp:130,70".parse().unwrap(), 784, 10, 0.01).unwrap();
    let pixels = (0..2100 * 784).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8);
    let labels = (0..2100).map(|at| (at % 10) as u8).collect();
    let split = Split::new(pixels.collect(), labels, 784, 10).unwrap();
    let params = model.initial(3);
    let mut host = Host::new(model.clone());
    for m in [1, 33, 513] {
        let mut batch = Minibatch::default();
        split.gather(0..m, &mut batch);
        host.load(&params).unwrap();
        let (loss, first) = gradient(&mut host, &model, &batch);
        for _ in 0..10 {
            // The buffers have held another shape since.
            gradient(
                &mut host,
                &model,
                &Minibatch { images: vec![0.5; 784 * 3], labels: vec![1, 2, 3] },
            );
            let (again, next) = gradient(&mut host, &model, &batch);
            assert_eq!(loss.to_bits(), again.to_bits());
            assert!(first.iter().map(|v| v.to_bits()).eq(next.iter().map(|v| v.to_bits())));
        }
    }
    let first = host.evaluate(&params, &split).unwrap();
    for _ in 0..10 {
        assert_eq!(host.evaluate(&params, &split).unwrap(), first);
        assert_eq!(Host::new(model.clone()).evaluate(&params, &split).unwrap(), first);
    }
}
