//! Pins what a process for a learner is for: the bits of an engine in this process, errors of the
//! same kind, and an end, whoever hangs, that says what happened and leaves nothing behind.

#![cfg(unix)]

mod common;

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use tortoise::{
    Error,
    dataset::{Minibatch, Split},
    engine::{
        Engine,
        adapter::AdapterId,
        backend::{Backend, FamilyChoice},
        isolated::{EngineSetup, Isolated},
        model::Model,
    },
};

const TORTOISE: &str = env!("CARGO_BIN_EXE_tortoise");
const HOST: Backend = Backend::Host { stands_in: false };
const INPUTS: usize = 29;
const CLASSES: usize = 5;
const M: usize = 7;

fn job(backend: Backend, shape: &str) -> EngineSetup {
    // An l2 that no short decimal is.
    let l2 = f32::from_bits(0.01_f32.to_bits() + 1);
    let model = Model::new(&shape.parse().unwrap(), INPUTS, CLASSES, l2).unwrap();
    EngineSetup { backend, model, minibatch: M }
}

fn open(job: &EngineSetup) -> Isolated {
    Isolated::open(TORTOISE, job).unwrap()
}

/// Images without pattern.
fn split(samples: usize) -> Split {
    let mut state = samples as u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    let pixels = (0..samples * INPUTS).map(|_| noise()).collect();
    let labels = (0..samples).map(|_| noise() % CLASSES as u8).collect();
    Split::new(pixels, labels, INPUTS, CLASSES).unwrap()
}

fn batch(samples: usize) -> Minibatch {
    let mut batch = Minibatch::default();
    split(samples).gather(0..samples, &mut batch);
    batch
}

/// The bits of everything that an engine can say of this model.
fn bits(engine: &mut dyn Engine, model: &Model) -> Vec<u64> {
    let mut said = Vec::new();
    for seed in 0..3 {
        engine.load(&model.initial(seed)).unwrap();
        for m in [M, 1] {
            let mut gradient = vec![f32::NAN; model.params()];
            let loss = engine.gradient(&batch(m), &mut gradient).unwrap();
            said.extend([loss].iter().chain(&gradient).map(|x| u64::from(x.to_bits())));
        }
        // More than goes over at a time, and at the parameters of another seed.
        let it = engine.evaluate(&model.initial(seed + 9), &split(40_000)).unwrap();
        said.extend([it.loss.to_bits(), it.accuracy.to_bits()]);
    }
    said
}

#[track_caller]
fn same_bits(backend: &Backend) {
    for shape in ["logistic", "mlp:13,6"] {
        let job = job(backend.clone(), shape);
        let mut here = backend.open(&job.model, M).unwrap();
        assert_eq!(bits(&mut open(&job), &job.model), bits(&mut here, &job.model), "{shape}");
    }
}

#[test]
fn the_host_engine_gives_the_same_bits_in_a_process_of_its_own() {
    same_bits(&HOST);
}

#[test]
fn an_adapter_gives_the_same_bits_in_a_process_of_its_own() {
    if let Some(adapter) = common::gpu() {
        same_bits(&Backend::on(adapter, FamilyChoice::Auto, INPUTS + 1));
    }
}

#[test]
fn a_job_comes_back_as_it_was_written() {
    let written = job(HOST, "mlp:3,2");
    let text = serde_json::to_string(&written).unwrap();
    assert_eq!(serde_json::from_str::<EngineSetup>(&text).unwrap(), written);
}

/// An adapter that no machine has.
fn nowhere() -> AdapterId {
    serde_json::from_str(
        r#"{"index": 0, "name": "Abacus 9000", "backend": "vulkan", "kind": "discrete",
            "driver": "", "driver_info": "", "pci": [1, 2], "pci_bus": "", "twin": 0,
            "subgroup": null, "features": [], "limits": {"buffer": 0, "storage_binding": 0,
            "workgroup_storage": 0, "workgroup_invocations": 0, "workgroups": 0,
            "texture_side": 0}}"#,
    )
    .unwrap()
}

#[test]
fn an_adapter_that_is_not_there_is_the_same_error_as_in_this_process() {
    let backend = Backend::on(nowhere(), FamilyChoice::Auto, 1);
    let job = job(backend, "logistic");
    let error = Isolated::open(TORTOISE, &job).unwrap_err();
    assert!(matches!(&error, Error::NoAdapter(_)), "{error}");
    let here = job.backend.open(&job.model, M).err().unwrap();
    assert_eq!(error.to_string(), here.to_string());
}

#[test]
fn what_an_engine_refuses_is_refused_and_the_process_goes_on() {
    let Some(adapter) = common::gpu() else { return };
    let job = job(Backend::on(adapter, FamilyChoice::Auto, INPUTS + 1), "logistic");
    let mut isolated = open(&job);
    let mut gradient = vec![0.0; job.model.params()];
    let mislabelled = Minibatch { labels: vec![CLASSES as u32; M], ..batch(M) };
    let error = isolated.gradient(&mislabelled, &mut gradient).unwrap_err();
    assert!(
        matches!(&error, Error::Config(text) if text.contains("below the model's 5")),
        "{error}"
    );
    isolated.gradient(&batch(M), &mut gradient).unwrap();
}

#[test]
fn what_does_not_fit_the_job_is_not_sent() {
    let job = job(HOST, "logistic");
    let mut isolated = open(&job);
    let mut gradient = vec![0.0; job.model.params()];
    let other = Split::new(vec![0; 4], vec![0], 4, CLASSES).unwrap();
    let no_labels = Minibatch { labels: Vec::new(), ..batch(M) };
    for (error, fragment) in [
        (isolated.load(&[0.0; 3]).unwrap_err(), "3 parameters, but the model has 150"),
        (isolated.gradient(&batch(M + 1), &mut gradient).unwrap_err(), "at most 7"),
        (isolated.gradient(&no_labels, &mut gradient).unwrap_err(), "203 pixels"),
        (isolated.gradient(&batch(1), &mut gradient[1..]).unwrap_err(), "149 gradient"),
        (isolated.evaluate(&job.model.initial(0), &other).unwrap_err(), "4 pixels an image"),
    ] {
        assert!(
            matches!(error, Error::Config(_)) && error.to_string().contains(fragment),
            "{error}"
        );
    }
    isolated.gradient(&batch(M), &mut gradient).unwrap();
}

#[test]
fn a_program_that_is_not_there_is_an_error_that_names_it() {
    let error = Isolated::open("/nowhere/tortoise", &job(HOST, "logistic")).unwrap_err();
    assert!(error.to_string().starts_with("/nowhere/tortoise: "), "{error}");
}

fn signal(name: &str, process: u32) -> bool {
    let mut kill = Command::new("kill");
    kill.args([name, &process.to_string()]).stderr(Stdio::null());
    kill.status().unwrap().success()
}

#[track_caller]
fn lost(error: &Error, message: &str) {
    assert!(matches!(error, Error::Process(_)), "{error}");
    assert_eq!(error.to_string(), message);
}

#[test]
fn killing_a_process_that_hangs_ends_the_wait_for_its_gradient() {
    let job = job(HOST, "logistic");
    let mut isolated = open(&job);
    assert!(signal("-STOP", isolated.id()));
    let killer = isolated.killer();
    let mut gradient = vec![0.0; job.model.params()];
    thread::scope(|scope| {
        let waiting = scope.spawn(|| isolated.gradient(&batch(M), &mut gradient).unwrap_err());
        killer.clone().kill();
        lost(&waiting.join().unwrap(), "learner process killed by signal 9");
    });
    // And says the same again.
    lost(&isolated.load(&job.model.initial(0)).unwrap_err(), "learner process killed by signal 9");
    killer.kill();
}

#[test]
fn a_process_that_crashes_is_an_error_that_says_how() {
    let job = job(HOST, "logistic");
    let mut gradient = vec![0.0; job.model.params()];
    let mut isolated = open(&job);
    assert!(signal("-ALRM", isolated.id()));
    let error = isolated.gradient(&batch(M), &mut gradient).unwrap_err();
    lost(&error, "learner process killed by signal 14");

    let mut isolated = open(&job);
    let mislabelled = Minibatch { labels: vec![u32::MAX; M], ..batch(M) };
    let error = isolated.gradient(&mislabelled, &mut gradient).unwrap_err();
    let said = "learner process exited with code 101: panicked at src";
    assert!(error.to_string().starts_with(said), "{error}");
    assert!(error.to_string().contains(": index out of bounds"), "{error}");
}

/// Writes a program in `sh`. Another process does: what this one has open for writing, a child that
/// starts meanwhile has open too, and then nobody may run it.
fn script(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("program");
    let mut write = Command::new("sh");
    write
        .args(["-c", "printf '#!/bin/sh\n%s\n' \"$1\" > \"$0\" && chmod +x \"$0\""])
        .arg(&path)
        .arg(text);
    assert!(write.status().unwrap().success());
    path
}

#[test]
fn a_program_that_is_no_learner_is_an_error_with_its_last_words() {
    let folder = tempfile::tempdir().unwrap();
    let job = job(HOST, "logistic");
    for (text, message) in [
        ("echo a >&2; echo why >&2; exit 3", "learner process exited with code 3: why"),
        ("cat; exit 0", "a Open frame where none may come"),
        ("echo libGL: something; cat > /dev/null", "sends what cannot be understood: a checksum"),
        ("exec cat > /dev/null", "learner process killed by signal 9"),
    ] {
        let started = Isolated::start(script(folder.path(), text), &job);
        let opened = started.and_then(|opening| {
            if text.starts_with("exec") {
                opening.killer().kill();
            }
            opening.ready()
        });
        let error = opened.unwrap_err();
        assert!(matches!(&error, Error::Process(_)), "{error}");
        assert!(error.to_string().contains(message), "{error}");
    }
}

/// A learner whose parent is a shell: the process that is known here is not the one that computes.
fn behind_a_shell(job: &EngineSetup) -> (Isolated, u32) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    // The number is written before there is a learner, so that it is there once that is ready.
    let text = format!(
        "exec 3<&0\nsh -c 'echo $$ > \"$0\"; exec \"$1\" learner' '{}' '{TORTOISE}' <&3 &\nwait",
        file.display()
    );
    let program = script(folder.path(), &text);
    let isolated = Isolated::open(program, job).unwrap();
    let process = fs::read_to_string(file).unwrap().trim().parse().unwrap();
    (isolated, process)
}

#[test]
fn the_wait_ends_even_where_the_system_keeps_the_line_open() {
    let job = job(HOST, "logistic");
    let (mut isolated, process) = behind_a_shell(&job);
    assert!(signal("-STOP", process));
    isolated.killer().kill();
    let error = isolated.gradient(&batch(M), &mut vec![0.0; job.model.params()]).unwrap_err();
    lost(&error, "learner process killed by signal 9");
    assert!(signal("-KILL", process), "it still has its end of the line");
}

#[test]
fn a_process_whose_parent_is_gone_ends_by_itself() {
    let job = job(HOST, "logistic");
    let (mut isolated, _) = behind_a_shell(&job);
    // Its standard input stays open, so that nothing else tells it.
    assert!(signal("-KILL", isolated.id()));
    let mut gradient = vec![0.0; job.model.params()];
    let start = Instant::now();
    while isolated.gradient(&batch(M), &mut gradient).is_ok() {
        assert!(start.elapsed() < Duration::from_secs(60), "it does not look for its parent");
    }
}

#[test]
fn a_dropped_learner_leaves_no_process_behind() {
    let job = job(HOST, "logistic");
    let isolated = open(&job);
    let idle = isolated.id();
    assert!(signal("-0", idle));
    drop(isolated);
    assert!(!signal("-0", idle), "not even one that nobody waited for");

    let isolated = open(&job);
    let hung = isolated.id();
    assert!(signal("-STOP", hung));
    drop(isolated);
    assert!(!signal("-0", hung));
}

fn learner() -> Child {
    let mut command = Command::new(TORTOISE);
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    piped.arg("learner").spawn().unwrap()
}

#[test]
fn a_learner_ends_in_peace_where_its_standard_input_does() {
    let output = learner().wait_with_output().unwrap();
    assert!(output.status.success());
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
}

#[test]
fn a_learner_refuses_what_is_no_request() {
    for noise in [&b"hello, learner; what do you think of this?"[..], &[0; 17], &[1; 4000]] {
        let mut learner = learner();
        learner.stdin.take().unwrap().write_all(noise).unwrap();
        let output = learner.wait_with_output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{message}");
        assert!(message.starts_with("error: learner process is sent what cannot"), "{message}");
        assert!(output.stdout.is_empty() && !message.contains("panicked"));
    }
}

#[test]
fn a_learner_leaves_ctrl_c_to_its_parent() {
    let job = job(HOST, "logistic");
    let mut isolated = open(&job);
    assert!(signal("-INT", isolated.id()));
    isolated.gradient(&batch(M), &mut vec![0.0; job.model.params()]).unwrap();
}

#[test]
fn the_command_does_not_show_that_it_can_be_a_learner() {
    let output = Command::new(TORTOISE).arg("--help").output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stdout).contains("learner  "));
}
