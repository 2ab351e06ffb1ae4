//! Pins `tortoise kernels bench` and `check` as their readers use them: what is timed, what is said of a
//! wrong kernel, that none is timed, and that no text ends the command otherwise than with an error.

use std::{fs, process::Output};

use crate::adapter::gpu;
use assert_cmd::Command;
use serde_json::Value;
use tempfile::tempdir;
use tortoise::engine::kernels::{Family, ShaderSet, by_name};

fn bench(arguments: &[&str]) -> Output {
    let mut command = Command::cargo_bin("tortoise").unwrap();
    command.args(["kernels", "bench", "--model", "mlp:20", "-m", "3"]).args(arguments);
    command.output().unwrap()
}

#[test]
fn every_kernel_of_a_gradient_is_checked_and_timed_in_its_order() {
    if gpu().is_none() {
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
    let Some(adapter) = gpu() else { return };
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
    if gpu().is_none() {
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
        (["-m", "many"], "must be a whole number from 1 to 60000"),
        (["--model", "mlp"], "neither logistic nor mlp"),
        (["--kernels", "none"], "kernel family \"none\""),
        (["--shaders", "tests/nowhere"], "no folder with at least one of dense.wgsl"),
    ] {
        let mut command = Command::cargo_bin("tortoise").unwrap();
        let output = command.args(["kernels", "bench"]).args(arguments).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
        assert!(text.contains(fragment), "{arguments:?}: {text}");
    }
}

/// Checks this text in place of the `tiled` kernel `dense`.
fn check(dense: &str) -> (Option<i32>, String, String) {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("dense.wgsl"), dense).unwrap();
    let mut command = Command::cargo_bin("tortoise").unwrap();
    command.args(["kernels", "check", "--kernels", "tiled", "--shaders"]).arg(folder.path());
    let output = command.output().unwrap();
    let [text, problem] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.code(), text, problem)
}

/// The text of `dense`, `wrong` in it in place of `right`.
fn dense(family: Family, right: &str, wrong: &str) -> String {
    let text = ShaderSet::new(family).source(by_name("dense").unwrap()).to_owned();
    let changed = text.replace(right, wrong);
    assert_ne!(changed, text);
    changed
}

#[test]
fn a_text_that_breaks_the_compiler_is_an_error_that_names_the_kernel() {
    if gpu().is_none() {
        return;
    }
    let sum = "var sum = w_at(args.inputs, quad)";
    let long = format!("{sum}{}", " + w_at(args.inputs, quad)".repeat(20_000));
    let (code, _, problem) = check(&dense(Family::Tiled, sum, &long));
    assert_eq!(code, Some(1), "{problem}");
    let last = problem.lines().last().unwrap();
    assert!(last.starts_with("error: adapter ") && last.contains("kernel dense: "), "{problem}");
    assert!(last.contains("overflow"), "{problem}");
    // In `bench` as well.
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("dense.wgsl"), dense(Family::Tiled, sum, &long)).unwrap();
    let output = bench(&["--kernels", "tiled", "--shaders", folder.path().to_str().unwrap()]);
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && problem.contains("kernel dense: "), "{problem}");
}

#[test]
fn more_workgroup_memory_than_the_adapter_has_is_an_error_that_says_both() {
    let Some(adapter) = gpu() else { return };
    let text = dense(Family::Tiled, "INVOCATIONS * 4u>", "INVOCATIONS * 400000u>");
    let (code, _, problem) = check(&text);
    let most = adapter.limits.workgroup_storage;
    let expected = format!(
        "kernel dense: it needs 1638400000 bytes of workgroup memory, and the adapter has {most}"
    );
    assert!(code == Some(1) && problem.contains(&expected), "{problem}");
}

#[test]
fn a_kernel_of_the_other_family_is_told_how_to_be_checked() {
    if gpu().is_none() {
        return;
    }
    let (code, _, problem) = check(ShaderSet::new(Family::Lanes).source(by_name("dense").unwrap()));
    assert_eq!(code, Some(1), "{problem}");
    assert!(
        problem.contains("kernel dense: it is bound as those of the lanes family"),
        "{problem}"
    );
    assert!(problem.contains("--kernels lanes"), "{problem}");
}

#[test]
fn an_edited_kernel_is_compared_on_shapes_whose_sides_have_names() {
    if gpu().is_none() {
        return;
    }
    let (code, text, problem) = check(&dense(Family::Tiled, "// Y = act", "// Edited: Y = act"));
    assert_eq!(code, Some(0), "{text}{problem}");
    assert!(text.contains("ok    dense: 18 shapes"), "{text}");
    let wrong = dense(Family::Tiled, "MANY = 128u", "MANY = 129u");
    let (code, text, _) = check(&wrong);
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("dense rows 127, inputs 35, outputs 250, relu 0: "), "{text}");
}
