//! Pins `tortoise kernels bench` as its readers use it: what it times, what it says of a wrong
//! kernel, and that it never times one.

mod common;

use std::{fs, process::Output};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::tempdir;
use tortoise::engine::gpu::kernels::{ShaderSet, by_name};

fn bench(arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("tortoise").unwrap();
    command.args(["kernels", "bench", "--model", "mlp:20", "-m", "3"]).args(arguments);
    command.output().unwrap()
}

#[test]
fn every_kernel_of_a_gradient_is_checked_and_timed_in_its_order() {
    if common::gpu().is_none() {
        return;
    }
    let out = tempdir().unwrap();
    let picture = out.path().join("step.svg");
    let output = bench(&["--json", "--picture", picture.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let benched: Value = serde_json::from_slice(&output.stdout).unwrap();
    let timings = &benched["minibatches"][0];
    let kernels = timings["kernels"].as_array().unwrap();
    let shapes: Vec<_> = kernels
        .iter()
        .map(|kernel| {
            let size = |key: &str| kernel[key].as_u64().unwrap();
            (kernel["kernel"].as_str().unwrap(), [size("rows"), size("inputs"), size("outputs")])
        })
        .collect();
    assert_eq!(
        shapes,
        [
            ("dense", [3, 784, 20]),
            ("dense", [3, 20, 10]),
            ("softmax_cross_entropy", [3, 10, 10]),
            ("dense_weight_gradient", [3, 20, 10]),
            ("dense_input_gradient", [3, 20, 10]),
            ("dense_weight_gradient", [3, 784, 20]),
        ]
    );
    for kernel in kernels {
        assert_eq!(kernel["check"]["passed"], true);
        assert!(kernel["seconds"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(kernels[0]["operations"], 2.0 * 3.0 * 784.0 * 20.0);
    assert_eq!(kernels[2]["operations"], Value::Null);
    // x, W with b, y, four bytes each.
    assert_eq!(kernels[1]["bytes"], 4.0 * (3.0 * 20.0 + 21.0 * 10.0 + 3.0 * 10.0));
    let step = &timings["step"];
    let part = |key: &str| step[key].as_f64().unwrap();
    assert!(part("upload") < part("seconds") && part("download") < part("seconds"));
    assert!(fs::read_to_string(picture).unwrap().contains("m = 3"));
}

#[test]
fn a_wrong_kernel_is_named_with_its_first_wrong_element_and_not_timed() {
    let Some(adapter) = common::gpu() else { return };
    let family = adapter.family(784);
    let kernel = by_name("softmax_cross_entropy").unwrap();
    let right = ShaderSet::new(family).source(kernel).to_owned();
    let wrong = right.replace("sum * f32(args.rows)", "sum");
    assert_ne!(wrong, right);
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("softmax_cross_entropy.wgsl"), wrong).unwrap();
    let output = bench(&["--shaders", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find(|line| line.starts_with("softmax_cross_entropy")).unwrap();
    assert!(line.contains("WRONG") && line.contains("dlogits[0] is"), "{line}");
    assert!(!text.contains("whole step"), "{text}");
}

#[test]
fn a_shader_that_does_not_compile_is_an_error_that_names_it() {
    if common::gpu().is_none() {
        return;
    }
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("dense.wgsl"), "fn main() { let x = ; }").unwrap();
    let output = bench(&["--shaders", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("kernel dense") && text.contains("expected expression"), "{text}");
}

#[test]
fn bad_usage_is_refused() {
    for (arguments, fragment) in [
        (["-m", "0"], "must be from 1 to 60000"),
        (["-m", "60001"], "must be from 1 to 60000"),
        (["-m", "many"], "invalid digit"),
        (["--model", "mlp"], "neither logistic nor mlp"),
        (["--kernels", "none"], "kernel family \"none\""),
        (["--shaders", "/nonexistent"], "holds none of: dense.wgsl"),
    ] {
        let mut command = Command::cargo_bin("tortoise").unwrap();
        let output = command.args(["kernels", "bench"]).args(arguments).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(fragment), "{arguments:?}: {text}");
    }
}
