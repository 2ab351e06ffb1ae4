//! The house is in order: nothing is left behind, and the maps name what is there.

use std::{
    fs,
    path::{Path, PathBuf},
};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
/// Lines of a file that is worth a second look.
const LONG: usize = 600;

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
fn files_are_finished() {
    for (path, text) in sources() {
        let lines = text.lines().count();
        if lines > LONG {
            println!("{} has {lines} lines: has it more than one subject?", path.display());
        }
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
        assert!(!rust || text.starts_with("//!"), "{}", path.display());
    }
}

#[test]
fn the_architecture_maps_every_folder() {
    let map = fs::read_to_string(Path::new(ROOT).join("docs/architecture.md")).unwrap();
    for entry in fs::read_dir(Path::new(ROOT).join("src")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let folder = format!("`{}`", path.file_name().unwrap().to_str().unwrap());
            assert!(map.contains(&folder), "docs/architecture.md lacks {folder}");
        }
    }
}

/// Who may hand over markup as it is: whole documents, and scripts, which hold no names.
const AS_IT_IS: [&str; 2] = ["src/report/page.rs", "src/report/page/sections.rs"];

#[test]
fn no_markup_is_written_but_by_the_templates_which_escape_it() {
    for (path, text) in sources() {
        let relative = path.strip_prefix(ROOT).unwrap();
        let draws =
            ["src/report", "src/timeline", "src/svg.rs"].iter().any(|at| relative.starts_with(at));
        let rust = relative.extension().is_some_and(|extension| extension == "rs");
        if draws && rust {
            let code: Vec<&str> =
                text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
            let code = code.join("\n");
            let by_hand =
                |c: char| code.contains(&format!("\"<{c}")) || code.contains(&format!("</{c}"));
            assert!(!('a'..='z').any(by_hand), "{} writes markup by hand", relative.display());
            let free = AS_IT_IS.iter().any(|known| relative == Path::new(known));
            assert!(free || !code.contains("PreEscaped"), "{} escapes nothing", relative.display());
        }
    }
}

/// What one system has and another has not.
const PLATFORM: [&str; 9] = [
    "std::os::",
    "rustix::",
    "signal_hook::",
    "libc::",
    "\"/dev/",
    "\"/proc",
    "\"/tmp",
    "\"/usr",
    "\"/etc",
];

/// The lines of a file that are compiled everywhere: no comments, and no item for one system alone.
fn compiled_everywhere(text: &str) -> Vec<&str> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.starts_with("//"));
    let mut everywhere = Vec::new();
    while let Some(line) = lines.next() {
        if !["#[cfg(unix)]", "#[cfg(target_os", "#[cfg(test)]"].iter().any(|c| line.starts_with(c))
        {
            everywhere.push(line);
            continue;
        }
        let mut depth = 0;
        for line in lines.by_ref().filter(|line| !line.starts_with("#[")) {
            depth += line.matches('{').count() as i64 - line.matches('}').count() as i64;
            if depth == 0 && line.ends_with(['}', ';', ',']) {
                break;
            }
        }
    }
    everywhere
}

#[test]
fn nothing_of_one_system_is_compiled_for_another() {
    let sources = sources();
    let source = |(path, text): &(PathBuf, String)| {
        let relative = path.strip_prefix(ROOT).unwrap().to_owned();
        relative.starts_with("src").then(|| (relative, text.clone()))
    };
    let sources: Vec<_> = sources.iter().filter_map(source).collect();
    // A module for one system alone is a file of its own.
    let mut elsewhere = Vec::new();
    for (path, text) in &sources {
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        for pair in lines.windows(2).filter(|pair| pair[0].starts_with("#[cfg(target_os")) {
            if let Some(name) = pair[1].strip_prefix("mod ").and_then(|m| m.strip_suffix(';')) {
                elsewhere.push(path.with_extension("").join(name).with_extension("rs"));
            }
        }
    }
    for (path, text) in sources.iter().filter(|(path, _)| !elsewhere.contains(path)) {
        for line in compiled_everywhere(text) {
            let found = PLATFORM.iter().find(|word| line.contains(**word));
            assert!(found.is_none(), "{}: {line}", path.display());
        }
    }
}
