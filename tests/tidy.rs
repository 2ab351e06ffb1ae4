//! The house is in order: files are short, nothing is left behind, and the maps name what is there.

use std::{
    fs,
    path::{Path, PathBuf},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files(&path, found) } else { found.push(path) }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for folder in ["src", "shaders", "benches", "examples", "tests", "fuzz/src", "fuzz/targets"] {
        files(&Path::new(ROOT).join(folder), &mut found);
    }
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn files_are_short_and_finished() {
    for (path, text) in sources() {
        assert!(text.lines().count() <= 400, "{} is long", path.display());
        for word in [["to", "do!"], ["FIX", "ME"], ["unimple", "mented!"], ["#[ig", "nore"]] {
            assert!(!text.contains(&word.concat()), "{}: {}", path.display(), word.concat());
        }
        assert!(!path.ends_with("src/mod.rs"), "{}", path.display());
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    for (path, text) in sources() {
        let rust = path.extension().is_some_and(|extension| extension == "rs");
        let helpers = path.ends_with("tests/common/mod.rs");
        assert!(!rust || helpers || text.starts_with("//!"), "{}", path.display());
    }
}

#[test]
fn examples_are_read_at_a_glance() {
    for (path, text) in sources() {
        let example = path.parent().is_some_and(|folder| folder.ends_with("examples"));
        assert!(!example || text.lines().count() < 80, "{} is long", path.display());
    }
}

#[test]
fn the_readme_maps_every_room() {
    let readme = fs::read_to_string(Path::new(ROOT).join("README.md")).unwrap();
    for entry in fs::read_dir(Path::new(ROOT).join("src")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let room = format!("src/{}/", path.file_name().unwrap().to_str().unwrap());
            assert!(readme.contains(&room), "README's code map lacks {room}");
        }
    }
}

#[test]
fn the_scheduler_imports_nothing_of_the_house() {
    let text = fs::read_to_string(Path::new(ROOT).join("src/sgd/scheduler.rs")).unwrap();
    assert!(!text.contains("crate::") && !text.contains("super::"));
}
