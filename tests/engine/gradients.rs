//! Holds whole gradients and evaluations of the wgpu engine to the f64 reference, and the reference
//! to central differences: with both, a wrong formula shared by shader and twin shows too.

use crate::adapter::gpu;
use tortoise::{
    Error,
    dataset::{Dataset, Features, Labels, Minibatch, Split, Splits},
    engine::{
        Engine, Part,
        gpu::Gpu,
        host::reference,
        kernels::{self, Family, ShaderSet},
        model::Model,
    },
};

const TOLERANCE: f64 = 1e-5;

/// Images of 20 pixels of 5 classes, different for each number of samples.
fn split(samples: usize) -> Split {
    let noise = |at: usize| (at * 2_654_435_761 + samples * 40_503) >> 7;
    let pixels = (0..samples * 20).map(|at| noise(at) as u8).collect();
    let labels = (0..samples).map(|at| (noise(at + 7) % 5) as u8).collect();
    Split::images(pixels, labels, 20, 5).unwrap()
}

fn batch(samples: usize) -> Minibatch {
    let mut batch = Minibatch::default();
    split(samples).gather(0..samples, &mut batch);
    batch
}

fn model(shape: &str, l2: f32) -> Model {
    Model::new(&shape.parse().unwrap(), 20, 5, l2).unwrap()
}

fn in_f64(params: &[f32]) -> Vec<f64> {
    params.iter().copied().map(f64::from).collect()
}

/// Samples enough for every minibatch here.
fn enough() -> Split {
    split(100)
}

/// An engine a family.
fn open(model: &Model, minibatch: usize, data: impl Into<Splits>) -> Vec<Gpu> {
    let data = data.into();
    let Some(adapter) = gpu() else { return Vec::new() };
    let shaders = Family::ALL.map(ShaderSet::new);
    let open =
        |shaders| Gpu::open(&adapter, model.clone(), minibatch, shaders, data.clone()).unwrap();
    shaders.iter().map(open).collect()
}

/// ||actual - expected|| / ||expected||; infinite where something is not finite.
fn relative_error(actual: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(actual.len(), expected.len(), "lengths differ");
    let square = |value: f64| value * value;
    let difference: f64 =
        actual.iter().zip(expected).map(|(&a, &e)| square(f64::from(a) - e)).sum();
    let size: f64 = expected.iter().copied().map(square).sum();
    if difference == 0.0 {
        return 0.0;
    }
    let error = (difference / size).sqrt();
    if error.is_nan() { f64::INFINITY } else { error }
}

#[track_caller]
fn check(gpu: &mut Gpu, model: &Model, params: &[f32], samples: usize) {
    let samples: Vec<usize> = (0..samples).map(|at| at * 37 % 100).collect();
    let mut batch = Minibatch::default();
    enough().gather(samples.iter().copied(), &mut batch);
    let m = samples.len();
    let mut gradient = vec![f32::NAN; model.params()];
    gpu.load(params).unwrap();
    let loss = gpu.gradient(&samples, &mut gradient).unwrap();
    let (expected_loss, expected) = reference::loss_and_gradient(model, &in_f64(params), &batch);
    let error = relative_error(&gradient, &expected);
    assert!(error <= TOLERANCE, "m = {m}: gradient off by {error}");
    let error = relative_error(&[loss], &[expected_loss]);
    assert!(error <= TOLERANCE, "m = {m}: loss {loss} in place of {expected_loss}");
}

#[test]
fn gradients_match_the_reference() {
    for shape in ["logistic", "mlp:16", "mlp:33,17"] {
        for l2 in [0.0, 0.01] {
            let model = model(shape, l2);
            for mut gpu in open(&model, 32, enough()) {
                // 65 makes the engine grow, and 7 after it leaves most rows unused.
                for samples in [1, 32, 65, 7] {
                    check(&mut gpu, &model, &model.initial(samples as u64), samples);
                }
            }
        }
    }
}

#[test]
fn evaluations_match_the_reference() {
    let model = model("mlp:33,17", 0.01);
    let params = model.initial(1);
    for [train, test] in [[1, 999], [1000, 1001], [2345, 7]] {
        let data = Dataset { train: split(train).into(), test: split(test).into() };
        // The second time all of it has been made.
        let parts = [(Part::Train, train), (Part::Test, test)].repeat(2);
        for mut gpu in open(&model, 4, &data) {
            for &(part, samples) in &parts {
                let got = gpu.evaluate(&params, part).unwrap();
                let (loss, hits) = reference::evaluate(&model, &in_f64(&params), &batch(samples));
                let off = (got.loss - loss).abs();
                assert!(off <= TOLERANCE * loss, "{} in place of {loss}", got.loss);
                assert_eq!(got.accuracy, hits as f64 / samples as f64, "accuracy of {samples}");
            }
        }
    }
}

#[test]
fn numbers_give_the_same_bits_as_the_bytes_that_they_are() {
    let model = model("mlp:16", 0.0);
    let batch = batch(100);
    let floats = Split::new(
        Features::floats(batch.features.clone()),
        Labels::classes(batch.labels.clone(), 5),
        20,
    );
    let of = |data: Split| -> Vec<u32> {
        let mut all = Vec::new();
        for mut gpu in open(&model, 32, data) {
            let mut gradient = vec![0.0; model.params()];
            gpu.load(&model.initial(1)).unwrap();
            let loss = gpu.gradient(&[3, 99, 0, 41], &mut gradient).unwrap();
            all.extend([loss].iter().chain(&gradient).map(|value| value.to_bits()));
        }
        all
    };
    assert_eq!(of(enough()), of(floats.unwrap()));
}

#[test]
fn an_evaluation_leaves_gradients_as_they_are() {
    let model = model("mlp:16", 0.0);
    let params = model.initial(1);
    for mut gpu in open(&model, 32, enough()) {
        check(&mut gpu, &model, &params, 32);
        gpu.evaluate(&model.initial(2), Part::Train).unwrap();
        check(&mut gpu, &model, &params, 32);
    }
}

#[test]
fn the_reference_matches_central_differences() {
    const STEP: f64 = 1e-6;
    for (shape, l2) in [("logistic", 0.01), ("mlp:6", 0.0), ("mlp:6,4", 0.01)] {
        let model = model(shape, l2);
        let batch = batch(7);
        let mut params = in_f64(&model.initial(3));
        let (_, gradient) = reference::loss_and_gradient(&model, &params, &batch);
        let mut differences = Vec::with_capacity(params.len());
        for at in 0..params.len() {
            let centre = params[at];
            let [above, below] = [centre + STEP, centre - STEP].map(|value| {
                params[at] = value;
                reference::evaluate(&model, &params, &batch).0
            });
            params[at] = centre;
            differences.push(((above - below) / (2.0 * STEP)) as f32);
        }
        let error = relative_error(&differences, &gradient);
        assert!(error <= TOLERANCE, "{shape}: off by {error}");
    }
}

#[test]
fn a_minibatch_that_the_adapter_cannot_hold_is_an_error() {
    let Some(adapter) = gpu() else { return };
    for minibatch in [1 << 40, usize::MAX] {
        let shaders = ShaderSet::new(Family::Tiled);
        let error =
            Gpu::open(&adapter, model("mlp:16", 0.0), minibatch, &shaders, enough()).unwrap_err();
        assert!(matches!(&error, Error::Device { .. }), "{error}");
        assert!(error.to_string().contains("smaller"), "{error}");
    }
}

#[test]
fn a_shader_that_does_not_compile_is_an_error_that_names_it() {
    let Some(adapter) = gpu() else { return };
    let kernel = kernels::by_name("dense").unwrap();
    let shaders = ShaderSet::new(Family::Tiled).with(kernel, "fn main() { oops }");
    let error = Gpu::open(&adapter, model("logistic", 0.0), 1, &shaders, enough()).unwrap_err();
    assert!(error.to_string().contains("kernel dense"), "{error}");
}

#[test]
fn what_does_not_fit_the_model_is_an_error() {
    let model = model("logistic", 0.0);
    let Some(mut gpu) = open(&model, 1, enough()).pop() else { return };
    let mut gradient = vec![0.0; model.params()];
    assert!(matches!(gpu.load(&[0.0]), Err(Error::Config(_))));
    assert!(matches!(gpu.gradient(&[], &mut gradient), Err(Error::Config(_))));
    assert!(matches!(gpu.gradient(&[0], &mut gradient[1..]), Err(Error::Config(_))));
    assert!(matches!(gpu.gradient(&[0, 100], &mut gradient), Err(Error::Config(_))));
    gpu.gradient(&[0, 99], &mut gradient).unwrap();
}
