//! Edited shaders: a race computes with them, keeps copies of them, and goes on with those alone.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use tortoise::engine::{
    adapter::AdapterId,
    kernels::{ShaderSet, by_name},
};

use crate::adapter::gpu;
use crate::place::{DRIVERS, Place, SHORT, edit, files, json, runs, succeeds};

/// A race on an adapter.
const RACE: &str = "race sync async --model logistic -p 4 -m 8 --quiet";

/// Writes this text as an edited shader.
fn write(folder: &Path, kernel: &str, text: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(format!("{kernel}.wgsl")), text).unwrap();
}

/// The text of a kernel of the family that a race has on this adapter.
fn text(adapter: &AdapterId, kernel: &str) -> String {
    ShaderSet::new(adapter.family(784)).source(by_name(kernel).unwrap()).to_owned()
}

/// The folder `edited` with a kernel that divides gradients by this number as well.
fn divided(place: &Place, adapter: &AdapterId, by: &str) -> PathBuf {
    let right = text(adapter, "softmax_cross_entropy");
    let wrong = right.replace("sum * f32(args.rows)", &format!("{by} * sum * f32(args.rows)"));
    assert_ne!(wrong, right);
    let folder = place.path("edited");
    write(&folder, "softmax_cross_entropy", &wrong);
    folder
}

fn race(place: &Place, adapter: &AdapterId, flags: &str, out: &str) -> Output {
    let (data, device) = (place.data.path().display(), adapter.index);
    place.run(&format!("{RACE} --device {device} --data {data} {flags} --out {out}"))
}

/// That there is no race, for these reasons, and that nothing is written.
#[track_caller]
fn no_race(output: &Output, out: &Path, code: i32, reasons: &[&str]) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    for reason in reasons {
        assert!(message.contains(reason), "\"{reason}\" is not in: {message}");
    }
    assert!(!out.exists(), "nothing is written");
}

#[test]
fn a_race_with_edited_shaders_goes_on_with_its_copies_of_them() {
    let Some(adapter) = gpu() else { return };
    let place = Place::new();
    let folder = divided(&place, &adapter, "0.5");
    let short = "--updates 30 --evaluate-every 4 --events --tensorboard --shaders edited";
    let long = short.replace("30", "75");
    succeeds(&race(&place, &adapter, &long, "whole"));
    succeeds(&race(&place, &adapter, &long.replace(" --shaders edited", ""), "plain"));
    let table = succeeds(&race(&place, &adapter, short, "out"));
    let [out, whole, plain] = ["out", "whole", "plain"].map(|name| place.path(name));
    let said = "kernels, edited: softmax_cross_entropy";
    assert!(table.contains(said), "{table}");
    assert!(fs::read_to_string(out.join("report.html")).unwrap().contains(said));
    let copy = "shaders/softmax_cross_entropy.wgsl";
    assert_eq!(fs::read(out.join(copy)).unwrap(), fs::read(folder.join(&copy[8..])).unwrap());
    assert_eq!(files(&out.join("shaders")).len(), 1);
    let config = fs::read_to_string(out.join("config.toml")).unwrap();
    assert!(config.contains("shaders = \"shaders\"\n"), "{config}");
    let origin = json(&out.join("origin.json"));
    let recorded = &origin["shaders"]["softmax_cross_entropy"];
    assert_eq!(recorded["file"], "edited/softmax_cross_entropy.wgsl");
    assert_eq!(recorded["sha256"].as_str().map(str::len), Some(64));
    assert_eq!(origin["computed"][0]["gradients"][0]["edited"][0], "softmax_cross_entropy");

    // The folder that they are from counts no more, nor where the race lies.
    fs::remove_dir_all(folder).unwrap();
    succeeds(&place.resume("out", "--updates 75"));
    assert!(runs(&out) == runs(&whole), "the bits of a race that was as long from the start");
    let parameters = "sync/seed-0/final.safetensors";
    let [edited, plain_ones] = [&out, &plain].map(|race| fs::read(race.join(parameters)).unwrap());
    assert!(edited != plain_ones, "other shaders compute other bits");
    fs::create_dir(place.path("elsewhere")).unwrap();
    fs::rename(&out, place.path("elsewhere/moved")).unwrap();
    succeeds(&place.resume("elsewhere/moved", ""));
    let data = place.data.path().display();
    let again = "race --config elsewhere/moved/config.toml --quiet --out again";
    succeeds(&place.run(&format!("{again} --data {data}")));
    assert!(runs(&place.path("again")) == runs(&whole));
    let page = fs::read_to_string(place.path("elsewhere/moved/report.html")).unwrap();
    assert!(page.contains("# shaders is in the run directory"));
    // What has none says nothing of them.
    for file in ["config.toml", "origin.json", "summary.json"] {
        let text = fs::read_to_string(plain.join(file)).unwrap();
        assert!(!text.contains("shaders") && !text.contains("edited"), "{file}: {text}");
    }
}

#[test]
fn a_race_does_not_go_on_with_other_shaders() {
    let Some(adapter) = gpu() else { return };
    let place = Place::new();
    divided(&place, &adapter, "0.5");
    succeeds(&race(&place, &adapter, &format!("{SHORT} --shaders edited"), "out"));
    let shaders = place.path("out/shaders");
    let copy = shaders.join("softmax_cross_entropy.wgsl");
    let right = fs::read_to_string(&copy).unwrap();
    fs::write(&copy, right.replace("0.5 * sum", "0.25 * sum")).unwrap();
    let changed = ["shaders/softmax_cross_entropy.wgsl is not the shader", "its SHA-256 is"];
    place.refuses("out", "", 2, &[&changed[..], &["and was", "(a copy of edited/"]].concat());
    fs::write(&copy, &right).unwrap();
    write(&shaders, "dense", &text(&adapter, "dense"));
    place.refuses("out", "", 2, &["shaders/dense.wgsl was not there when out was recorded"]);
    fs::remove_file(shaders.join("dense.wgsl")).unwrap();
    fs::remove_file(&copy).unwrap();
    place.refuses(
        "out",
        "",
        2,
        &["config.toml", "no folder with at least one of dense.wgsl", "in `shaders`"],
    );
    fs::write(&copy, &right).unwrap();
    let config = place.path("out/config.toml");
    edit(&config, "shaders = \"shaders\"\n", "");
    place.refuses("out", "", 2, &["shaders was \"shaders\" and is not set"]);
    edit(&config, "isolate", "shaders = \"shaders\"\nisolate");
    place.refuses("out", "--device host", 2, &["the host engine runs no shaders"]);
}

#[test]
fn one_of_several_copies_that_is_gone_is_missed_by_name() {
    let Some(adapter) = gpu() else { return };
    let place = Place::new();
    let folder = divided(&place, &adapter, "0.5");
    write(&folder, "dense", &format!("// Edited.\n{}", text(&adapter, "dense")));
    let table = succeeds(&race(&place, &adapter, &format!("{SHORT} --shaders edited"), "out"));
    assert!(table.contains("kernels, edited: dense, softmax_cross_entropy"), "{table}");
    fs::remove_file(place.path("out/shaders/dense.wgsl")).unwrap();
    place.refuses(
        "out",
        "",
        2,
        &["the shader dense.wgsl, a copy of edited/dense.wgsl", "put it back"],
    );
}

#[test]
fn a_race_that_was_stopped_before_its_origin_was_written_begins() {
    let Some(adapter) = gpu() else { return };
    let place = Place::new();
    divided(&place, &adapter, "0.5");
    succeeds(&race(&place, &adapter, &format!("{SHORT} --shaders edited"), "whole"));
    let out = place.path("out");
    fs::create_dir_all(out.join("shaders")).unwrap();
    for file in ["config.toml", "shaders/softmax_cross_entropy.wgsl"] {
        fs::copy(place.path("whole").join(file), out.join(file)).unwrap();
    }
    succeeds(&place.resume("out", ""));
    assert!(runs(&out) == runs(&place.path("whole")));
}

#[test]
fn learners_in_processes_of_their_own_compute_with_edited_shaders() {
    let Some(adapter) = gpu() else { return };
    let place = Place::new();
    divided(&place, &adapter, "1e38");
    let flags = "--clock real --budget 5 --updates 20 --evaluate-every 1 --isolate";
    let learns = |shaders: &str, out: &str| {
        succeeds(&race(&place, &adapter, &format!("{flags} {shaders}"), out));
        let run = place.path(out).join("sync/seed-0");
        assert!(fs::read_to_string(run.join("updates.jsonl")).unwrap().lines().count() > 1);
        let [initial, last] = ["initial", "final"]
            .map(|name| fs::read(run.join(format!("{name}.safetensors"))).unwrap());
        initial != last
    };
    // Divided by infinity they are zero.
    assert!(!learns("--shaders edited", "with"));
    assert!(learns("", "without"));
}

#[test]
fn a_shader_that_cannot_be_used_is_named_before_anything_is_written() {
    let Some(adapter) = gpu() else { return };
    let place = Place::new();
    let (folder, out) = (place.path("edited"), place.path("out"));
    let right = text(&adapter, "dense");
    let other = match adapter.family(784).name() {
        "lanes" => "tiled",
        _ => "lanes",
    };
    let of_other = ShaderSet::new(other.parse().unwrap());
    let of_other = of_other.source(by_name("dense").unwrap());
    let called = "edited/dense.wgsl: kernel dense: ";
    let hint = format!("--kernels {other} takes it as what it is");
    let sum = " + x".repeat(20_000);
    let deep = format!("{right}\nfn deep(x: f32) -> f32 {{ return x{sum}; }}\n");
    for (text, reason) in [
        ("fn main() { let x = ; }", "expected expression"),
        ("fn helper() {}", "it has no @compute function main"),
        ("\u{feff}@compute @workgroup_size(1) fn main() {}", "and is missing"),
        (of_other, &*hint),
        (&*deep, "overflow"),
    ] {
        write(&folder, "dense", text);
        for flags in ["--shaders edited", "--shaders edited --clock real --isolate --budget 1"] {
            no_race(&race(&place, &adapter, flags, "out"), &out, 1, &[called, reason]);
        }
    }
    // In a file, from beside it.
    fs::write(place.path("race.toml"), "shaders = \"edited\"\n").unwrap();
    let output = race(&place, &adapter, "--config race.toml", "out");
    no_race(&output, &out, 1, &["edited/dense.wgsl: kernel dense: ", "overflow"]);
}

#[test]
fn a_text_that_nests_deeply_compiles_on_every_thread() {
    let Some(adapter) = gpu() else { return };
    let place = Place::new();
    let (right, sum) = (text(&adapter, "dense"), " + x".repeat(1000));
    let deep = format!("{right}\nfn deep(x: f32) -> f32 {{ return x{sum}; }}\n");
    write(&place.path("edited"), "dense", &deep);
    let table = succeeds(&race(&place, &adapter, &format!("{SHORT} --shaders edited"), "out"));
    assert!(table.contains("kernels, edited: dense"), "{table}");
    succeeds(&race(&place, &adapter, SHORT, "plain"));
    // What nothing calls changes no bit.
    assert!(runs(&place.path("out")).into_iter().all(|(path, bytes)| {
        path.starts_with("shaders") || fs::read(place.path("plain").join(path)).unwrap() == bytes
    }));
}

#[test]
fn a_folder_without_shaders_is_named_with_the_option_or_the_file() {
    let place = Place::new();
    let (data, out) = (place.data.path().display().to_string(), place.path("out"));
    let race = |flags: &str| place.run(&format!("{RACE} --data {data} {flags} --out out"));
    fs::create_dir(place.path("empty")).unwrap();
    let none = "no folder with at least one of dense.wgsl, softmax_cross_entropy.wgsl";
    for folder in ["nowhere", "empty"] {
        no_race(&race(&format!("--shaders {folder}")), &out, 2, &["--shaders: ", folder, none]);
    }
    fs::write(place.path("race.toml"), "shaders = \"empty\"\n").unwrap();
    let named = ["race.toml: ", "empty is no folder with at least one of ", "in `shaders`"];
    no_race(&race("--config race.toml"), &out, 2, &named);
    fs::write(place.path("empty/dense.wgsl"), b"\xff\xfe").unwrap();
    let wrong = ["empty/dense.wgsl: ", "UTF-16", "in `shaders`"];
    no_race(&race("--config race.toml"), &out, 2, &wrong);
    fs::remove_file(place.path("empty/dense.wgsl")).unwrap();
    fs::create_dir(place.path("empty/dense.wgsl")).unwrap();
    no_race(
        &race("--shaders empty"),
        &out,
        2,
        &["--shaders: empty/dense.wgsl: it is not a regular"],
    );
}

#[test]
fn the_host_which_runs_no_shaders_is_refused() {
    let place = Place::new();
    let out = place.path("out");
    write(&place.path("edited"), "dense", "// any");
    fs::write(place.path("race.toml"), "shaders = \"edited\"\n").unwrap();
    let host = "--device host --out out";
    for flags in ["--shaders edited", "--config race.toml"] {
        for command in ["race", "train sync", "estimate sync", "advise --target 1"] {
            let host = if command.starts_with("advise") { "--device host" } else { host };
            let output = place.run(&format!("{command} {flags} {host}"));
            no_race(&output, &out, 2, &["--shaders needs an adapter", "runs no shaders"]);
        }
    }
    // Where no adapter is found.
    let nowhere = place.path("nowhere");
    let data = place.data.path().display();
    let mut race = place.command(&format!("{RACE} --shaders edited --data {data} --out out"));
    let output = race.envs(DRIVERS.map(|name| (name, &nowhere))).output().unwrap();
    no_race(&output, &out, 3, &["the edited shaders in edited need an adapter", "would stand in"]);
}
