//! A run on the adapter: its record says truly what happened, and it happens again, bit for bit.
//!
//! The recomputation knows nothing of scheduler, server and cluster: it reads `events.jsonl`,
//! `initial.safetensors` and MNIST, and takes its gradients from the f64 reference.

mod common;

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use safetensors::SafeTensors;
use serde_json::Value;
use tempfile::tempdir;
use tortoise::{
    dataset::{Dataset, Minibatch, mnist},
    engine::{
        host::reference,
        model::{Model, Shape},
    },
};

const L2: f32 = 0.001;

fn race(out: &Path, more: &[&str]) {
    let status = Command::new(assert_cmd::cargo::cargo_bin!("tortoise"))
        .args(["race", "--model", "mlp:17", "-p", "4", "-m", "8", "--updates", "12", "--events"])
        .args(["--learning-rate", "0.3", "--l2", "0.001", "--seed", "5", "--quiet", "--out"])
        .arg(out)
        .args(more)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
}

/// The folders of the six entrants' runs.
fn runs(race: &Path) -> Vec<PathBuf> {
    let entrants = fs::read_dir(race).unwrap().map(|entry| entry.unwrap().path());
    let mut runs: Vec<_> =
        entrants.filter(|path| path.is_dir()).map(|e| e.join("seed-5")).collect();
    runs.sort();
    assert_eq!(runs.len(), 6);
    runs
}

/// Flat parameters, W as `[inputs, outputs]`, from a file that has it the other way round.
fn params(model: &Model, file: &Path) -> Vec<f64> {
    let bytes = fs::read(file).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let values = |name: &str, shape: &[usize]| -> Vec<f64> {
        let tensor = tensors.tensor(name).unwrap();
        assert_eq!(tensor.shape(), shape);
        let (words, _) = tensor.data().as_chunks::<4>();
        words.iter().map(|word| f32::from_le_bytes(*word).into()).collect()
    };
    let mut flat = Vec::new();
    for (number, layer) in model.layers().iter().enumerate() {
        let (inputs, outputs) = (layer.inputs, layer.outputs);
        let weight = values(&format!("layers.{number}.weight"), &[outputs, inputs]);
        flat.extend(
            (0..inputs)
                .flat_map(|i| (0..outputs).map(move |o| (o, i)))
                .map(|(o, i)| weight[o * inputs + i]),
        );
        flat.extend(values(&format!("layers.{number}.bias"), &[outputs]));
    }
    flat
}

fn recompute(model: &Model, data: &Dataset, run: &Path) -> Vec<f64> {
    let mut versions = vec![params(model, &run.join("initial.safetensors"))];
    let mut batches: HashMap<(u64, u64), Vec<usize>> = HashMap::new();
    let mut gathered: Vec<(f64, Vec<f64>)> = Vec::new();
    for line in fs::read_to_string(run.join("events.jsonl")).unwrap().lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        let number = |key: &str| event[key].as_u64().unwrap();
        match event["event"].as_str().unwrap() {
            "assign" => {
                assert_eq!(
                    number("version") as usize,
                    versions.len() - 1,
                    "the current one is read"
                );
                let batch = event["batch"].as_array().unwrap();
                let batch = batch.iter().map(|index| index.as_u64().unwrap() as usize).collect();
                let again = batches.insert((number("learner"), number("task")), batch);
                assert!(again.is_none(), "no minibatch is started twice");
            }
            "push" => {
                let indices = batches.remove(&(number("learner"), number("task"))).unwrap();
                let mut batch = Minibatch::default();
                data.train.gather(indices.into_iter(), &mut batch);
                let read = &versions[number("version") as usize];
                let (loss, gradient) = reference::loss_and_gradient(model, read, &batch);
                assert!((loss - event["loss"].as_f64().unwrap()).abs() < 1e-4 * loss, "{line}");
                if event["verdict"] == "accept" {
                    gathered.push((event["rate"].as_f64().unwrap(), gradient));
                }
            }
            "cancel" => {
                batches.remove(&(number("learner"), number("task"))).unwrap();
            }
            "update" => {
                let k = gathered.len();
                assert_eq!(k as u64, number("k"));
                let mut next = versions[versions.len() - 1].clone();
                for (rate, gradient) in gathered.drain(..) {
                    for (w, g) in next.iter_mut().zip(gradient) {
                        *w -= rate * g / k as f64;
                    }
                }
                versions.push(next);
                assert_eq!(versions.len() as u64 - 1, number("version"));
            }
            other => panic!("unknown event {other}"),
        }
    }
    versions.pop().unwrap()
}

fn relative_distance(actual: &[f64], expected: &[f64]) -> f64 {
    let squares = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>();
    let difference = squares(&mut actual.iter().zip(expected).map(|(a, e)| a - e));
    (difference / squares(&mut expected.iter().copied())).sqrt()
}

#[test]
fn every_run_can_be_computed_again_from_its_record() {
    if common::gpu().is_none() {
        return;
    }
    let out = tempdir().unwrap();
    let data = mnist::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist"))).unwrap();
    let model = Model::new(&Shape::mlp(&[17]), 784, 10, L2).unwrap();
    for cancel in ["preempt", "on-arrival"] {
        let folder = out.path().join(cancel);
        race(&folder, &["--cancel", cancel]);
        for run in runs(&folder) {
            let initial = params(&model, &run.join("initial.safetensors"));
            let expected = recompute(&model, &data, &run);
            let actual = params(&model, &run.join("final.safetensors"));
            let error = relative_distance(&actual, &expected);
            assert!(error < 1e-5, "{}: {error}", run.display());
            assert!(relative_distance(&actual, &initial) > 0.01, "it has learnt something");
        }
    }
}

#[test]
fn the_same_race_gives_the_same_bits_however_many_queues_it_has() {
    if common::gpu().is_none() {
        return;
    }
    let out = tempdir().unwrap();
    let folders = ["1", "2", "2 again", "4"].map(|name| out.path().join(name));
    for folder in &folders {
        let queues = &folder.file_name().unwrap().to_str().unwrap()[..1];
        race(folder, &["--queues", queues]);
    }
    for run in runs(&folders[0]) {
        let name = run.strip_prefix(&folders[0]).unwrap();
        for other in &folders[1..] {
            for file in ["final.safetensors", "events.jsonl", "updates.jsonl", "evaluations.csv"] {
                let [first, again] =
                    [&run, &other.join(name)].map(|run| fs::read(run.join(file)).unwrap());
                assert!(first == again, "{}: {file}", name.display());
            }
        }
    }
}
