//! Pins the host engine's numbers: its gradient is that of an obvious f64 implementation written
//! out here and that of its own loss by central differences, its evaluation is the mean over the
//! split, and every bit is the same each time. With both yardsticks a formula that is wrong in
//! engine and test alike shows too.

use std::sync::Arc;

use tortoise::{
    Error,
    dataset::{Dataset, Features, Labels, Minibatch, Split},
    engine::{Engine, Part, host::Host, model::Model},
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
    Split::images(pixels, labels, INPUTS, CLASSES).unwrap()
}

fn batch(samples: usize) -> Minibatch {
    let mut batch = Minibatch::default();
    split(samples).gather(0..samples, &mut batch);
    batch
}

/// An engine over so many images.
fn host(model: &Model, samples: usize) -> Host {
    Host::open(model.clone(), split(samples)).unwrap()
}

/// Loss and gradient over the first `m` of the engine's samples.
fn gradient(host: &mut Host, m: usize) -> (f32, Vec<f32>) {
    let samples: Vec<usize> = (0..m).collect();
    // Not zeros: what was there must not matter.
    let mut gradient = vec![f32::NAN; host.params()];
    let loss = host.gradient(&samples, &mut gradient).unwrap();
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
    for (image, &label) in batch.features.chunks(model.inputs()).zip(&batch.labels) {
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
fn check_against_naive(model: &Model, params: &[f32], m: usize) {
    let mut host = host(model, m);
    host.load(params).unwrap();
    let (loss, gradient) = gradient(&mut host, m);
    let (expected_loss, expected, _) = naive(model, params, &batch(m));
    assert_close(loss.into(), expected_loss, 1e-6, "loss");
    for (at, (&actual, expected)) in gradient.iter().zip(expected).enumerate() {
        let what = format!("m = {m}, entry {at} of the gradient");
        assert_close(actual.into(), expected, 1e-6, &what);
    }
}

#[test]
fn gradients_are_those_of_plain_loops_in_f64() {
    for shape in SHAPES {
        for l2 in L2S {
            for m in [1, 7, 32] {
                let model = model(shape, l2);
                check_against_naive(&model, &model.initial(3), m);
            }
        }
    }
}

#[test]
fn gradients_are_right_where_all_cores_share_a_product() {
    let model = Model::new(&"mlp:256".parse().unwrap(), INPUTS, CLASSES, 0.0).unwrap();
    check_against_naive(&model, &model.initial(3), 6000);
}

#[test]
fn gradients_are_the_slopes_of_the_loss() {
    for shape in SHAPES {
        for l2 in L2S {
            let model = model(shape, l2);
            let params = model.initial(5);
            let mut host = host(&model, 7);
            host.load(&params).unwrap();
            let (_, expected) = gradient(&mut host, 7);
            for at in 0..params.len() {
                let mut loss_at = |step: f32| {
                    let mut params = params.clone();
                    params[at] += step;
                    host.load(&params).unwrap();
                    f64::from(gradient(&mut host, 7).0)
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
        check_against_naive(&model, &params, 32);
    }
}

#[test]
fn what_is_not_a_number_is_not_hidden() {
    let model = model("mlp:7,5", 0.0);
    let mut params = model.initial(3);
    params[0] = f32::NAN;
    let mut host = host(&model, 7);
    host.load(&params).unwrap();
    assert!(gradient(&mut host, 7).0.is_nan());
}

#[test]
fn evaluations_are_means_over_the_split() {
    for samples in [1, 7, 999, 2503] {
        for shape in SHAPES {
            let model = model(shape, 0.01);
            let params = model.initial(3);
            let data = Dataset { train: split(samples).into(), test: split(samples + 1).into() };
            let mut host = Host::open(model.clone(), &data).unwrap();
            let test = host.evaluate(&params, Part::Test).unwrap();
            let (loss, ..) = naive(&model, &params, &batch(samples + 1));
            assert_close(test.loss, loss, 1e-6, "loss over the test set");
            let evaluation = host.evaluate(&params, Part::Train).unwrap();
            let (loss, _, hits) = naive(&model, &params, &batch(samples));
            assert_close(evaluation.loss, loss, 1e-6, "loss against plain loops");
            assert_eq!(evaluation.accuracy, hits as f64 / samples as f64, "{samples} samples");
            // The evaluated parameters are the loaded ones.
            let (loss, _) = gradient(&mut host, samples);
            assert_close(evaluation.loss, loss.into(), 1e-6, "loss against the minibatch's");
        }
    }
}

#[test]
fn the_first_of_equal_logits_counts() {
    let split = Split::images(vec![9; 4 * INPUTS], vec![0, 1, 0, 3], INPUTS, CLASSES).unwrap();
    let model = model("logistic", 0.0);
    let mut host = Host::open(model, split).unwrap();
    let evaluation = host.evaluate(&vec![0.0; host.params()], Part::Train).unwrap();
    assert_eq!(evaluation.accuracy, 0.5);
    assert_close(evaluation.loss, 4.0_f64.ln(), 1e-12, "loss");
}

#[test]
fn the_number_of_cores_does_not_show() {
    let model = Model::new(&"mlp:130,70".parse().unwrap(), INPUTS, CLASSES, 0.01).unwrap();
    let params = model.initial(3);
    let results = [1, 2, 3, 8].map(|cores| {
        let cores = rayon::ThreadPoolBuilder::new().num_threads(cores).build().unwrap();
        cores.install(|| {
            let mut host = host(&model, 2503);
            let evaluation = host.evaluate(&params, Part::Train).unwrap();
            let (loss, gradient) = gradient(&mut host, 700);
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
    let split = Arc::new(Split::images(pixels.collect(), labels, 784, 10).unwrap());
    let params = model.initial(3);
    let mut host = Host::open(model.clone(), &split).unwrap();
    for m in [1, 33, 513] {
        host.load(&params).unwrap();
        let (loss, first) = gradient(&mut host, m);
        for _ in 0..10 {
            // The buffers have held another shape since.
            gradient(&mut host, 3);
            let (again, next) = gradient(&mut host, m);
            assert_eq!(loss.to_bits(), again.to_bits());
            assert!(first.iter().map(|v| v.to_bits()).eq(next.iter().map(|v| v.to_bits())));
        }
    }
    let first = host.evaluate(&params, Part::Train).unwrap();
    for _ in 0..10 {
        assert_eq!(host.evaluate(&params, Part::Train).unwrap(), first);
        let mut other = Host::open(model.clone(), &split).unwrap();
        assert_eq!(other.evaluate(&params, Part::Train).unwrap(), first);
    }
}

#[test]
fn numbers_give_the_same_bits_as_the_bytes_that_they_are() {
    let model = model("mlp:7,5", 0.01);
    let Minibatch { features, labels } = batch(40);
    let floats = Split::new(Features::floats(features), Labels::classes(labels, CLASSES), INPUTS);
    let mut engines = [host(&model, 40), Host::open(model.clone(), floats.unwrap()).unwrap()];
    let [bytes, floats] = engines.each_mut().map(|host| {
        let evaluation = host.evaluate(&model.initial(3), Part::Train).unwrap();
        let (loss, gradient) = gradient(host, 33);
        (evaluation, loss.to_bits(), gradient.iter().map(|v| v.to_bits()).collect::<Vec<_>>())
    });
    assert_eq!(bytes, floats);
}

/// Samples of this many classes, each with features about a place of its own.
fn clouds(inputs: usize, classes: usize) -> Split {
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state) / f64::from(u32::MAX)
    };
    let size = (20.0 / inputs as f64).sqrt();
    let (mut features, mut labels) = (Vec::new(), Vec::new());
    for sample in 0..classes * 20 {
        let class = sample % classes;
        let place = |input: usize| size * ((class * inputs + input + 1) as f64).powi(2).sin();
        features.extend((0..inputs).map(|input| (place(input) + 0.1 * noise()) as f32));
        labels.push(class as u32);
    }
    Split::new(Features::floats(features), Labels::classes(labels, classes), inputs).unwrap()
}

#[test]
fn data_of_any_width_and_number_of_classes_are_learned() {
    for (inputs, classes) in [(28 * 28, 26), (5, 3)] {
        let data = clouds(inputs, classes);
        let model = Model::for_split(&"mlp:16".parse().unwrap(), &data, 0.0).unwrap();
        assert_eq!((model.inputs(), model.classes()), (inputs, classes));
        let mut host = Host::open(model, data).unwrap();
        let mut params = host.initial(1);
        let before = host.evaluate(&params, Part::Train).unwrap();
        for _ in 0..400 {
            host.load(&params).unwrap();
            let (_, gradient) = gradient(&mut host, classes * 20);
            params.iter_mut().zip(gradient).for_each(|(w, g)| *w -= 0.5 * g);
        }
        let after = host.evaluate(&params, Part::Train).unwrap();
        assert!(after.loss < 0.1 * before.loss, "{inputs}, {classes}: {before:?}, {after:?}");
        assert!(after.accuracy > 0.99, "{inputs}, {classes}: {after:?}");
    }
}

#[test]
fn what_does_not_fit_the_engine_is_refused() {
    let model = model("logistic", 0.0);
    let mut host = host(&model, 7);
    let mut room = vec![0.0; model.params()];
    let cases = [
        (host.load(&[0.0; 3]).unwrap_err(), "3 parameters, but the model has 48"),
        (host.gradient(&[], &mut room).unwrap_err(), "at least one sample"),
        (host.gradient(&[0, 7], &mut room).unwrap_err(), "sample 7 is not one of the 7"),
        (host.gradient(&[0], &mut room[1..]).unwrap_err(), "47 gradient"),
    ];
    for (error, fragment) in cases {
        assert!(matches!(error, Error::Config(_)), "{error}");
        assert!(error.to_string().contains(fragment), "{error}");
    }
    let nothing = host.evaluate(&room, Part::Test).unwrap();
    assert!(nothing.loss.is_nan() && nothing.accuracy.is_nan(), "there is no test set");
}

#[test]
fn data_that_do_not_fit_the_model_are_refused() {
    let model = model("logistic", 0.0);
    let bytes = |inputs: usize| Features::bytes(vec![0; 2 * inputs], 255.0);
    let classes = |classes| Labels::classes(vec![0, 1], classes);
    let cases = [
        (bytes(9), classes(CLASSES), "has 9 features a sample, but the model takes 11"),
        (bytes(INPUTS), classes(3), "has 3 classes, but the model tells 4 classes apart"),
        (bytes(INPUTS), Labels::numbers(vec![0.5, 2.0]), "has labels that are numbers, but the"),
    ];
    for (features, labels, fragment) in cases {
        let inputs = if fragment.contains("features") { 9 } else { INPUTS };
        let wrong = Split::new(features, labels, inputs).unwrap();
        let error = Host::open(model.clone(), wrong.clone()).unwrap_err().to_string();
        assert!(error.starts_with("the training set") && error.contains(fragment), "{error}");
        let data = Dataset { train: split(7).into(), test: wrong.into() };
        let error = Host::open(model.clone(), &data).unwrap_err().to_string();
        assert!(error.starts_with("the test set") && error.contains(fragment), "{error}");
    }
    let numbers = Split::new(bytes(INPUTS), Labels::numbers(vec![0.5, 2.0]), INPUTS).unwrap();
    assert!(Model::for_split(&"logistic".parse().unwrap(), &numbers, 0.0).is_err());
}
