//! Pins what a process for a learner is for: the bits of an engine in this process, errors of the
//! same kind, and an end, whoever hangs, that says what happened and leaves nothing behind.

#![cfg(unix)]

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use crate::adapter::gpu;
use tortoise::{
    Error,
    dataset::{Dataset, Features, Labels, Minibatch, Split},
    engine::{
        Engine, Part,
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
const SAMPLES: usize = 50;

fn job(backend: Backend, shape: &str) -> EngineSetup {
    // An l2 that no short decimal is.
    let l2 = f32::from_bits(0.01_f32.to_bits() + 1);
    let model = Model::new(&shape.parse().unwrap(), INPUTS, CLASSES, l2).unwrap();
    EngineSetup { backend, model, minibatch: M }
}

fn open(job: &EngineSetup) -> Isolated {
    Isolated::open(TORTOISE, job, split(SAMPLES)).unwrap()
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
    Split::images(pixels, labels, INPUTS, CLASSES).unwrap()
}

/// The first samples.
fn first(count: usize) -> Vec<usize> {
    (0..count).collect()
}

/// The bits of everything that an engine can say of this model.
fn bits(engine: &mut dyn Engine, model: &Model) -> Vec<u64> {
    let mut said: Vec<u64> = vec![engine.samples() as u64, engine.params() as u64];
    said.extend(engine.initial(5).iter().map(|w| u64::from(w.to_bits())));
    for seed in 0..3 {
        engine.load(&model.initial(seed)).unwrap();
        for samples in [&[3, 39_999, 0, 7, 7, 20_000, 1][..], &[5]] {
            let mut gradient = vec![f32::NAN; model.params()];
            let loss = engine.gradient(samples, &mut gradient).unwrap();
            said.extend([loss].iter().chain(&gradient).map(|x| u64::from(x.to_bits())));
        }
        // At the parameters of another seed.
        for part in [Part::Train, Part::Test] {
            let it = engine.evaluate(&model.initial(seed + 9), part).unwrap();
            said.extend([it.loss.to_bits(), it.accuracy.to_bits()]);
        }
    }
    said
}

/// The same samples, as numbers.
fn in_floats(split: &Split) -> Arc<Split> {
    let mut all = Minibatch::default();
    split.gather(0..split.len(), &mut all);
    let labels = Labels::classes(all.labels, CLASSES);
    Arc::new(Split::new(Features::floats(all.features), labels, INPUTS).unwrap())
}

#[track_caller]
fn same_bits(backend: &Backend) {
    // More than goes over at a time.
    let bytes = Dataset { train: split(40_000).into(), test: split(50_001).into() };
    let floats = Dataset { train: in_floats(&bytes.train), test: in_floats(&bytes.test) };
    for shape in ["logistic", "mlp:13,6"] {
        let job = job(backend.clone(), shape);
        let mut here = backend.open(&job.model, M, &bytes).unwrap();
        let expected = bits(&mut here, &job.model);
        for data in [&bytes, &floats] {
            let mut there = Isolated::open(TORTOISE, &job, data).unwrap();
            assert_eq!(bits(&mut there, &job.model), expected, "{shape}");
        }
    }
}

#[test]
fn the_host_engine_gives_the_same_bits_in_a_process_of_its_own() {
    same_bits(&HOST);
}

#[test]
fn an_adapter_gives_the_same_bits_in_a_process_of_its_own() {
    if let Some(adapter) = gpu() {
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
    let error = Isolated::open(TORTOISE, &job, split(SAMPLES)).unwrap_err();
    assert!(matches!(&error, Error::NoAdapter(_)), "{error}");
    let here = job.backend.open(&job.model, M, split(SAMPLES)).err().unwrap();
    assert_eq!(error.to_string(), here.to_string());
}

#[test]
fn what_an_engine_refuses_is_refused_and_the_process_goes_on() {
    let job = job(HOST, "logistic");
    let mut isolated = open(&job);
    let mut gradient = vec![0.0; job.model.params()];
    let far = usize::MAX;
    for (samples, fragment) in [
        (&[][..], "at least one sample"),
        (&[0, SAMPLES], "sample 50 is not one of the 50"),
        (&[far], "is not one of the 50"),
    ] {
        let error = isolated.gradient(samples, &mut gradient).unwrap_err();
        assert!(matches!(&error, Error::Config(text) if text.contains(fragment)), "{error}");
    }
    isolated.gradient(&first(M), &mut gradient).unwrap();
}

#[test]
fn what_does_not_fit_the_job_is_not_sent() {
    let job = job(HOST, "logistic");
    let mut isolated = open(&job);
    let mut gradient = vec![0.0; job.model.params()];
    let other = Split::images(vec![0; 4], vec![0], 4, CLASSES).unwrap();
    let numbers = Features::bytes(vec![0; INPUTS], 255.0);
    let numbers = Split::new(numbers, Labels::numbers(vec![0.5]), INPUTS).unwrap();
    for (error, fragment) in [
        (isolated.load(&[0.0; 3]).unwrap_err(), "3 parameters, but the model has 150"),
        (isolated.gradient(&first(M + 1), &mut gradient).unwrap_err(), "at most 7"),
        (isolated.gradient(&[0], &mut gradient[1..]).unwrap_err(), "149 gradient"),
        (Isolated::start(TORTOISE, &job, other).unwrap_err(), "4 features a sample"),
        (Isolated::start(TORTOISE, &job, numbers).unwrap_err(), "labels that are numbers"),
    ] {
        assert!(
            matches!(error, Error::Config(_)) && error.to_string().contains(fragment),
            "{error}"
        );
    }
    isolated.gradient(&first(M), &mut gradient).unwrap();
}

/// What a program was sent over its whole life, in bytes.
fn sent(gradients: usize) -> u64 {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sent");
    // The file first, so that it holds whatever the learner has been sent.
    let file_first = format!("{{ tee /dev/fd/3 > '{}'; }} 3>&1", file.display());
    let text = format!("{file_first} | '{TORTOISE}' learner");
    let job = job(HOST, "logistic");
    let mut isolated = Isolated::open(script(folder.path(), &text), &job, split(40_000)).unwrap();
    let mut gradient = vec![0.0; job.model.params()];
    for _ in 0..gradients {
        isolated.gradient(&first(M), &mut gradient).unwrap();
    }
    drop(isolated);
    fs::metadata(file).unwrap().len()
}

#[test]
fn samples_are_sent_once_and_then_only_their_places() {
    let [none, some] = [0, 10].map(sent);
    let all = (40_000 * (INPUTS + 4)) as u64;
    assert!((all..all + 10_000).contains(&none), "{none} bytes to open, {all} of them data");
    // A place is eight bytes, and a frame has a header.
    assert_eq!(some - none, 10 * (17 + 8 * M as u64));
}

#[test]
fn a_program_that_is_not_there_is_an_error_that_names_it() {
    let error =
        Isolated::open("/nowhere/tortoise", &job(HOST, "logistic"), split(SAMPLES)).unwrap_err();
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
        let waiting = scope.spawn(|| isolated.gradient(&first(M), &mut gradient).unwrap_err());
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
    let error = isolated.gradient(&first(M), &mut gradient).unwrap_err();
    lost(&error, "learner process killed by signal 14");
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
        let started = Isolated::start(script(folder.path(), text), &job, split(SAMPLES));
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

#[test]
fn a_program_that_does_not_take_in_the_data_is_given_up_when_the_time_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let program = script(folder.path(), "exec tail -f /dev/null");
    // More than a line holds while nobody reads.
    let opening = Isolated::start(program, &job(HOST, "logistic"), split(200_000)).unwrap();
    let error = opening.ready_within(Duration::from_millis(10)).unwrap_err();
    lost(&error, "learner process killed by signal 9");
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
    let isolated = Isolated::open(program, job, split(SAMPLES)).unwrap();
    let process = fs::read_to_string(file).unwrap().trim().parse().unwrap();
    (isolated, process)
}

#[test]
fn the_wait_ends_even_where_the_system_keeps_the_line_open() {
    let job = job(HOST, "logistic");
    let (mut isolated, process) = behind_a_shell(&job);
    assert!(signal("-STOP", process));
    isolated.killer().kill();
    let error = isolated.gradient(&first(M), &mut vec![0.0; job.model.params()]).unwrap_err();
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
    while isolated.gradient(&first(M), &mut gradient).is_ok() {
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
    isolated.gradient(&first(M), &mut vec![0.0; job.model.params()]).unwrap();
}

#[test]
fn the_command_does_not_show_that_it_can_be_a_learner() {
    let output = Command::new(TORTOISE).arg("--help").output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stdout).contains("learner  "));
}
