//! A run: its record says truly what happened, and it happens again, bit for bit.
//!
//! The recomputation knows nothing of scheduler, server and cluster: it reads `events.jsonl`,
//! `initial.safetensors` and MNIST, and takes its gradients from the f64 reference.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::adapter::gpu;
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

fn race(out: &Path, updates: &str, more: &[&str]) {
    let status = Command::new(assert_cmd::cargo::cargo_bin!("tortoise"))
        .args(["race", "--model", "mlp:17", "-p", "4", "-m", "8", "--updates", updates, "--events"])
        .args(["--learning-rate", "0.3", "--l2", "0.001", "--seed", "5", "--seeds", "1"])
        .args(["--quiet", "--out"])
        .arg(out)
        .args(more)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stderr));
}

/// The folders of the entrants' runs.
fn runs(race: &Path, entrants: usize) -> Vec<PathBuf> {
    let folders = fs::read_dir(race).unwrap().map(|entry| entry.unwrap().path());
    let mut runs: Vec<_> = folders.filter(|path| path.is_dir()).map(|e| e.join("seed-5")).collect();
    runs.sort();
    assert_eq!(runs.len(), entrants);
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

/// The rate of a gradient, of its staleness, ||w_j - w_tau||^2 and ||g||.
type Rate<'a> = &'a dyn Fn(u64, f64, f64) -> f64;

fn recompute(model: &Model, data: &Dataset, run: &Path, rate: Rate<'_>) -> Vec<f64> {
    recompute_with_momentum(model, data, run, rate, 0.0)
}

fn recompute_with_momentum(
    model: &Model,
    data: &Dataset,
    run: &Path,
    rate: Rate<'_>,
    beta: f64,
) -> Vec<f64> {
    let mut velocity = vec![0.0; model.params()];
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
                    let current = &versions[versions.len() - 1];
                    let drift = current.iter().zip(read).map(|(w, read)| (w - read).powi(2)).sum();
                    let staleness = versions.len() as u64 - 1 - number("version");
                    let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
                    let (recorded, rate) =
                        (event["rate"].as_f64().unwrap(), rate(staleness, drift, norm));
                    assert!((recorded - rate).abs() < 1e-3 * rate, "{rate}: {line}");
                    gathered.push((rate, gradient));
                }
            }
            "cancel" => {
                batches.remove(&(number("learner"), number("task"))).unwrap();
            }
            "update" => {
                let k = gathered.len();
                assert_eq!(k as u64, number("k"));
                velocity.iter_mut().for_each(|v| *v *= beta);
                for (rate, gradient) in gathered.drain(..) {
                    for (v, g) in velocity.iter_mut().zip(gradient) {
                        *v += rate * g / k as f64;
                    }
                }
                let last = &versions[versions.len() - 1];
                let next = last.iter().zip(&velocity).map(|(w, v)| w - v).collect();
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
    if gpu().is_none() {
        return;
    }
    let out = tempdir().unwrap();
    let data = mnist::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist"))).unwrap();
    let model = Model::new(&Shape::mlp(&[17]), 784, 10, L2).unwrap();
    for cancel in ["preempt", "on-arrival"] {
        let folder = out.path().join(cancel);
        race(&folder, "12", &["--cancel", cancel]);
        for run in runs(&folder, 7) {
            let initial = params(&model, &run.join("initial.safetensors"));
            let expected = recompute(&model, &data, &run, &|_, _, _| 0.3);
            let actual = params(&model, &run.join("final.safetensors"));
            let error = relative_distance(&actual, &expected);
            assert!(error < 1e-5, "{}: {error}", run.display());
            assert!(relative_distance(&actual, &initial) > 0.01, "it has learnt something");
        }
    }
}

#[test]
fn every_rate_can_be_computed_again_from_the_record() {
    let out = tempdir().unwrap();
    let data = mnist::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist"))).unwrap();
    let model = Model::new(&Shape::mlp(&[17]), 784, 10, L2).unwrap();
    let rules: [(&str, Rate<'_>); 3] = [
        ("compensated:c=0.01", &|_, drift, _| (0.01 / drift).min(0.3)),
        ("inverse-staleness", &|s, _, _| 0.3 / (1 + s) as f64),
        ("adaptive:threshold=2", &|s, _, _| 0.3 * (2.0 / s as f64).min(1.0)),
    ];
    for (rule, rate) in rules {
        let folder = out.path().join(rule);
        race(&folder, "12", &["async", "k-batch-async:2", "--device", "host", "--rate-rule", rule]);
        for run in runs(&folder, 2) {
            let expected = recompute(&model, &data, &run, rate);
            let actual = params(&model, &run.join("final.safetensors"));
            let error = relative_distance(&actual, &expected);
            assert!(error < 1e-5, "{}: {error}", run.display());
            let events = fs::read_to_string(run.join("events.jsonl")).unwrap();
            assert!(events.contains("\"rate\":0.3,"), "some rates are whole");
            let reduced = events.matches("\"rate\":").count() > events.matches(":0.3,").count();
            assert!(reduced, "and some are not");
        }
    }
}

#[test]
fn momentum_clipping_and_bounds_can_be_computed_again_from_the_record() {
    let out = tempdir().unwrap();
    let data = mnist::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist"))).unwrap();
    let model = Model::new(&Shape::mlp(&[17]), 784, 10, L2).unwrap();
    let clipped = |norm: f64| 0.3 * (0.8 / norm).min(1.0);
    let cases: [(&str, f64, Rate<'_>); 11] = [
        ("sync@momentum=0.9", 0.9, &|_, _, _| 0.3),
        ("k-async:2@momentum=0.5,clip=0.8", 0.5, &|_, _, norm| clipped(norm)),
        ("async@clip=0.8", 0.0, &|_, _, norm| clipped(norm)),
        ("ringmaster:2@clip=0.8", 0.0, &|_, _, norm| clipped(norm)),
        ("ssp:1@momentum=0.25", 0.25, &|_, _, _| 0.3),
        ("k-batch-async:3@cancel=on-arrival,stale=1", 0.0, &|_, _, _| 0.3),
        ("backup:1@momentum=0.25", 0.25, &|_, _, _| 0.3),
        ("sync@minibatch=5", 0.0, &|_, _, _| 0.3),
        ("async@rate-rule=adaptive:threshold=1,tail=inverse", 0.0, &|s, _, _| {
            0.3 / s.max(1) as f64
        }),
        ("k-batch-async:2@rate-rule=adaptive:threshold=1,tail=dropped", 0.0, &|s, _, _| {
            assert!(s <= 1);
            0.3
        }),
        ("async@rate-rule=picky:distance=0.4,momentum=0.25", 0.25, &|_, drift, _| {
            assert!(drift.sqrt() < 0.4001);
            0.3
        }),
    ];
    let entrants = cases.map(|(entrant, ..)| entrant);
    race(out.path(), "12", &[&entrants[..], &["--device", "host"]].concat());
    let mut all: Vec<_> = runs(out.path(), 11);
    for (entrant, beta, rate) in cases {
        // A folder is named after its entrant, without what file systems dislike.
        let plain = |text: &str| text.replace(|c: char| !c.is_ascii_alphanumeric(), "");
        let name = plain(&entrant.replace("backup:1", "k-sync:3"));
        let at = all.iter().position(|run| {
            let folder = run.parent().unwrap().file_name().unwrap().to_str().unwrap();
            plain(folder).starts_with(&name)
        });
        let run = all.remove(at.expect("each entrant has a folder"));
        let expected = recompute_with_momentum(&model, &data, &run, rate, beta);
        let actual = params(&model, &run.join("final.safetensors"));
        let error = relative_distance(&actual, &expected);
        assert!(error < 1e-5, "{entrant}: {error}");
        let events = fs::read_to_string(run.join("events.jsonl")).unwrap();
        let shortened = events.matches("\"rate\":").count() > events.matches(":0.3,").count();
        let lowered = ["clip", "inverse"].iter().any(|setting| entrant.contains(setting));
        assert_eq!(shortened, lowered, "{entrant}");
        let dropped = ["picky", "dropped", "stale"].iter().any(|rule| entrant.contains(rule));
        let dropped = dropped || entrant.starts_with("backup");
        assert_eq!(events.contains("\"verdict\":\"discard\""), dropped, "{entrant}");
        let cancelled = events.contains("\"event\":\"cancel\"");
        assert_eq!(cancelled, entrant.starts_with("ringmaster"), "{entrant}");
    }
}

#[test]
fn learners_draw_from_their_own_samples_and_wait_for_what_is_on_the_way() {
    let out = tempdir().unwrap();
    let data = mnist::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist"))).unwrap();
    let model = Model::new(&Shape::mlp(&[17]), 784, 10, L2).unwrap();
    let more = [
        "--device",
        "host",
        "--shards",
        "dirichlet:alpha=0.1",
        "--link",
        "uniform:low=0.1,high=0.3",
    ];
    race(out.path(), "30", &[&["async", "k-sync:2"][..], &more].concat());
    for run in runs(out.path(), 2) {
        let expected = recompute(&model, &data, &run, &|_, _, _| 0.3);
        let error = relative_distance(&params(&model, &run.join("final.safetensors")), &expected);
        assert!(error < 1e-5, "{error}");

        let lines = |name: &str| -> Vec<Value> {
            let text = fs::read_to_string(run.join(name)).unwrap();
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        let indices = |value: &Value| -> Vec<u64> {
            value.as_array().unwrap().iter().map(|index| index.as_u64().unwrap()).collect()
        };
        let parts: Vec<_> = lines("shards.jsonl").iter().map(|l| indices(&l["samples"])).collect();
        let mut all = parts.concat();
        all.sort_unstable();
        assert!(parts.len() == 4 && all.into_iter().eq(0..60_000));
        let (mut labels, mut computes) = (HashMap::new(), HashMap::new());
        for event in lines("events.jsonl") {
            let learner = event["learner"].as_u64().unwrap_or(0) as usize;
            let (t, task) = (event["t"].as_f64().unwrap(), event["task"].as_u64());
            if event["event"] == "assign" {
                for index in indices(&event["batch"]) {
                    assert!(parts[learner].binary_search(&index).is_ok());
                    *labels.entry((learner, data.train.class(index as usize))).or_insert(0) += 1;
                }
                let [has, done] = [0, 1].map(|at| event["computes"][at].as_f64().unwrap());
                assert!((0.1..=0.3).contains(&has) && done > has);
                computes.insert((learner, task), t + done);
            } else if event["event"] == "push" {
                let sent = t - computes[&(learner, task)];
                assert!((0.0999..0.3001).contains(&sent), "{sent}");
            }
        }
        // Some class is rare for one learner and common for another.
        let count = |learner, class| labels.get(&(learner, class)).copied().unwrap_or(0);
        let skewed = (0..10).filter(|class| {
            let counts = [0, 1, 2, 3].map(|learner| count(learner, *class));
            4 * counts.iter().min().unwrap() < *counts.iter().max().unwrap()
        });
        assert!(skewed.count() > 3, "{labels:?}");
    }
}

/// The numbers below `name` in a CSV file.
fn column(text: &str, name: &str) -> Vec<f64> {
    let mut lines = text.lines().map(|line| line.split(','));
    let at = lines.next().unwrap().position(|head| head == name).unwrap();
    lines.map(|mut line| line.nth(at).unwrap().parse().unwrap()).collect()
}

/// Where K should stand, of rho.
type KOfRho<'a> = &'a dyn Fn(f64) -> Option<usize>;

#[test]
fn adasync_takes_k_from_the_recorded_losses() {
    const EVERY: f64 = 2.0;
    let out = tempdir().unwrap();
    let entrants = ["k-sync:adasync", "k-batch-async:adasync(2)"];
    let more = ["--device", "host", "--evaluate-every", "2"];
    race(out.path(), "160", &[&entrants[..], &more].concat());
    let data = mnist::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist"))).unwrap();
    let model = Model::new(&Shape::mlp(&[17]), 784, 10, L2).unwrap();
    let quadratic = |rho: f64| {
        (1..=4).rev().find(|&k| {
            // Halves round up, and K^2 / (4 - K) grows with K.
            let half = k as f64 - 0.5;
            k == 1 || half * half / (4.0 - half) <= rho / 3.0
        })
    };
    let root = |rho: f64| Some(((2.0 * rho.sqrt()).round() as usize).min(4));
    let rules: [(&str, usize, KOfRho<'_>); 2] =
        [("k-sync-adasync", 1, &quadratic), ("k-batch-async-adasync-2", 2, &root)];
    for (name, initial, rule) in rules {
        let run = out.path().join(name).join("seed-5");
        let evaluations = fs::read_to_string(run.join("evaluations.csv")).unwrap();
        let (times, losses) = (column(&evaluations, "t"), column(&evaluations, "train_loss"));
        let (mut k, mut looked) = (initial, 0.0);
        for line in fs::read_to_string(run.join("updates.jsonl")).unwrap().lines() {
            let update: Value = serde_json::from_str(line).unwrap();
            assert_eq!(update["k"], k, "{name}: {line}");
            let window = (update["t"].as_f64().unwrap() / EVERY).floor();
            if window > looked {
                looked = window;
                let last = times.iter().rposition(|t| *t <= window * EVERY).unwrap();
                k = k.max(rule(losses[0] / losses[last]).unwrap());
            }
        }
        assert!(k > initial, "{name}: K has grown");
        let expected = recompute(&model, &data, &run, &|_, _, _| 0.3);
        let actual = params(&model, &run.join("final.safetensors"));
        assert!(relative_distance(&actual, &expected) < 1e-5, "{name}");
    }
}

#[test]
fn the_same_race_gives_the_same_bits_however_many_queues_it_has() {
    if gpu().is_none() {
        return;
    }
    let out = tempdir().unwrap();
    let folders = ["1", "2", "2 again", "4"].map(|name| out.path().join(name));
    for folder in &folders {
        let queues = &folder.file_name().unwrap().to_str().unwrap()[..1];
        race(folder, "12", &["--queues", queues]);
    }
    for run in runs(&folders[0], 7) {
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
