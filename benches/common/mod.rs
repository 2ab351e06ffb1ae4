//! What benches share: their measure, the data, the models, and what a gradient is held to.

use std::time::Duration;

use criterion::Criterion;
use tortoise::{
    dataset::{
        Dataset, Minibatch,
        mnist::{load, locate},
    },
    engine::{adapter::AdapterId, adapters, host::reference::loss_and_gradient, model::Model},
};

/// So many samples in `seconds`, after a warm-up in milliseconds; or as the command line says.
pub(crate) fn criterion(samples: usize, warm_up: u64, seconds: f64) -> Criterion {
    Criterion::default()
        .sample_size(samples)
        .warm_up_time(Duration::from_millis(warm_up))
        .measurement_time(Duration::from_secs_f64(seconds))
        .configure_from_args()
}

pub(crate) fn mnist() -> Dataset {
    load(&locate(None).expect("MNIST is here")).expect("MNIST is whole")
}

/// A model of MNIST's images and classes, without L2.
pub(crate) fn model(name: &str) -> Model {
    Model::new(&name.parse().expect("a known model"), 784, 10, 0.0).expect("it is not too large")
}

/// The best adapter.
pub(crate) fn adapter() -> AdapterId {
    adapters::list().into_iter().next().expect("scripts/setup.sh was run")
}

/// Checks a gradient at `params` against the f64 reference.
pub(crate) fn check(
    model: &Model,
    params: &[f32],
    batch: &Minibatch,
    gradient: &[f32],
    case: &str,
) {
    let wide: Vec<_> = params.iter().copied().map(f64::from).collect();
    let (_, expected) = loss_and_gradient(model, &wide, batch);
    let off: f64 = gradient.iter().zip(&expected).map(|(g, e)| (f64::from(*g) - e).powi(2)).sum();
    let size: f64 = expected.iter().map(|e| e * e).sum();
    assert!((off / size).sqrt() < 1e-5, "{case}: {off} of {size}");
}
