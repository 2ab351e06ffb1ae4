//! Where MNIST is found, and whether it is what it should be. Any folder with IDX files of the same
//! names serves as well: Fashion-MNIST, EMNIST digits.

use std::{
    collections::HashMap,
    env, fs,
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{Dataset, Split, idx};
use crate::{Error, Result};

/// Ten digits, or ten kinds of clothes.
const CLASSES: usize = 10;
/// What to do about missing data.
const REMEDY: &str = "give the folder with --data DIR or TORTOISE_DATA";

/// The folder to load from: `explicit`, else `TORTOISE_DATA`, else `data/mnist` here or beside the
/// program.
///
/// # Errors
/// [`Error::Dataset`] if none is there.
pub fn locate(explicit: Option<&Path>) -> Result<PathBuf> {
    let variable = env::var_os("TORTOISE_DATA").filter(|folder| !folder.is_empty());
    if let Some(folder) = explicit.map(PathBuf::from).or(variable.map(PathBuf::from)) {
        if folder.is_dir() {
            return Ok(folder);
        }
        return Err(Error::Dataset { path: folder, problem: format!("is no folder; {REMEDY}") });
    }
    let beside = env::current_exe().ok();
    let program = beside.iter().flat_map(|program| program.ancestors().skip(1));
    let places = [Path::new("")].into_iter().chain(program);
    places.map(|place| place.join("data/mnist")).find(|folder| folder.is_dir()).ok_or_else(|| {
        let problem = format!("is neither here nor beside the program; {REMEDY}");
        Error::Dataset { path: "data/mnist".into(), problem }
    })
}

/// Loads the training set and the test set from `folder`. Where it holds a `SHA256SUMS`, the sums of
/// the unpacked files must be those.
///
/// # Errors
/// [`Error::Dataset`] naming the file and what is wrong with it.
pub fn load(folder: &Path) -> Result<Dataset> {
    let sums = sums(folder)?;
    let train = split(folder, &["train", "emnist-digits-train"], &sums)?;
    let test = split(folder, &["t10k", "test", "emnist-digits-test"], &sums)?;
    if train.inputs() != test.inputs() {
        let problem = format!(
            "training images have {} pixels, test images {}",
            train.inputs(),
            test.inputs()
        );
        return Err(Error::Dataset { path: folder.into(), problem });
    }
    Ok(Dataset { train, test })
}

type Sums = HashMap<String, String>;

/// Name of each unpacked file to its SHA-256; empty where the folder names none.
fn sums(folder: &Path) -> Result<Sums> {
    let path = folder.join("SHA256SUMS");
    if !path.exists() {
        return Ok(Sums::new());
    }
    let wrong = |problem: String| Error::Dataset { path: path.clone(), problem };
    let text = fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
    let line = |line: &str| {
        let (sum, name) = line.split_once(char::is_whitespace)?;
        Some((name.trim_start_matches([' ', '*']).to_owned(), sum.to_lowercase()))
    };
    let lines = text.lines().filter(|text| !text.trim().is_empty());
    lines.map(|text| line(text).ok_or_else(|| wrong(format!("\"{text}\" is no sum")))).collect()
}

fn split(folder: &Path, prefixes: &[&str], sums: &Sums) -> Result<Split> {
    let (images_path, images) = content(folder, prefixes, "images", 3, sums)?;
    let wrong = |path: &Path| {
        let path = path.to_owned();
        move |problem| Error::Dataset { path, problem }
    };
    let images = idx::images(&images).map_err(wrong(&images_path))?;
    let (labels_path, labels) = content(folder, prefixes, "labels", 1, sums)?;
    let labels = idx::labels(&labels).map_err(wrong(&labels_path))?;
    Split::new(images.pixels, labels, images.rows * images.columns, CLASSES)
        .map_err(|error| wrong(&labels_path)(error.to_string()))
}

/// Finds, reads and verifies one file.
fn content(
    folder: &Path,
    prefixes: &[&str],
    what: &str,
    dimensions: u8,
    sums: &Sums,
) -> Result<(PathBuf, Vec<u8>)> {
    let names = prefixes.iter().flat_map(|prefix| {
        ['-', '.'].map(|dot| format!("{prefix}-{what}{dot}idx{dimensions}-ubyte"))
    });
    for name in names {
        for file in [format!("{name}.gz"), name.clone()] {
            let path = folder.join(file);
            if fs::symlink_metadata(&path).is_err() {
                continue;
            }
            let bytes = idx::read(&path)?;
            if let Some(expected) = sums.get(&name) {
                let digest = Sha256::digest(&bytes);
                let sum: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                if sum != *expected {
                    let problem = format!("has SHA-256 {sum}, but SHA256SUMS says {expected}");
                    return Err(Error::Dataset { path, problem });
                }
            }
            return Ok((path, bytes));
        }
    }
    let path = folder.join(format!("{}-{what}-idx{dimensions}-ubyte.gz", prefixes[0]));
    Err(Error::Dataset { path, problem: format!("is missing; {REMEDY}") })
}
