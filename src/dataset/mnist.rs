//! Where MNIST is found, and whether it is what it should be. Any folder with IDX files of the same
//! names serves as well: Fashion-MNIST, and EMNIST digits under their own names.
//!
//! Downloads nothing.

use std::{
    collections::HashMap,
    env, fs, io,
    path::{Path, PathBuf},
};

use super::{Dataset, Split, idx::Idx};
use crate::{Error, Result, file, share::both};

/// Pixels of an image of MNIST.
pub const PIXELS: usize = 28 * 28;
/// Ten digits, or ten kinds of clothes.
pub const CLASSES: usize = 10;
/// What the names of the training and of the test files begin with.
const NAMES: [[&str; 2]; 2] = [["train", "t10k"], ["emnist-digits-train", "emnist-digits-test"]];
/// What to do about missing data.
const REMEDY: &str = "give the folder with --data DIR or TORTOISE_DATA";
/// The sums of the unpacked files, as `sha256sum` writes them.
pub const SUMS: &str = "SHA256SUMS";
/// The most bytes of [`SUMS`].
const MOST_SUMS: u64 = 1 << 16;

/// The folder to load from: `explicit`, else `TORTOISE_DATA`, else `data/mnist` here, beside the
/// program, or in a folder that the program's is in.
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
    let program = env::current_exe().ok();
    let beside = program.iter().flat_map(|program| program.ancestors().skip(1));
    let places = [Path::new("")].into_iter().chain(beside);
    let usual = Path::new("data").join("mnist");
    places.map(|place| place.join(&usual)).find(|folder| folder.is_dir()).ok_or_else(|| {
        let problem = format!("is neither here nor beside the program; {REMEDY}");
        Error::Dataset { path: usual.clone(), problem }
    })
}

/// Loads the training set and the test set from `folder`. Where it holds a `SHA256SUMS`, each
/// unpacked file must have the sum that is given there.
///
/// # Errors
/// [`Error::Dataset`] naming the file and what is wrong with it.
pub fn load(folder: &Path) -> Result<Dataset> {
    let folder = Folder { path: folder, sums: sums(folder)? };
    let mut names = NAMES[0];
    for others in &NAMES[1..] {
        if folder.find::<3>(names[0])?.is_none() && folder.find::<3>(others[0])?.is_some() {
            names = *others;
        }
    }
    let [train, test] = names;
    let (train, test) = both(|| folder.split(train), || folder.split(test));
    let (train, test) = (train?, test?);
    if train.rows != test.rows || train.columns != test.columns {
        let [train, test] = [train, test].map(|set| format!("{} by {}", set.rows, set.columns));
        let problem = format!("training images are {train} pixels, but test images {test}");
        return Err(Error::Dataset { path: folder.path.into(), problem });
    }
    Ok(Dataset { train: train.split.into(), test: test.split })
}

struct Folder<'a> {
    path: &'a Path,
    /// SHA-256 of each unpacked file by its name, where the folder says.
    sums: Option<HashMap<String, String>>,
}

struct Sized {
    split: Split,
    rows: usize,
    columns: usize,
}

impl Folder<'_> {
    fn split(&self, prefix: &str) -> Result<Sized> {
        let (_, Idx { sizes: [images, rows, columns], elements: pixels }) = self.read(prefix)?;
        let (path, Idx { sizes: [count], elements: labels }) = self.read(prefix)?;
        let wrong = |problem| Error::Dataset { path, problem };
        if count != images {
            return Err(wrong(format!("holds {count} labels for {images} images")));
        }
        // Neither product nor lengths can be wrong after this; what remains are the labels.
        let split = Split::new(pixels, labels, rows * columns, CLASSES);
        let split = split.map_err(|error| wrong(error.to_string()))?;
        Ok(Sized { split, rows, columns })
    }

    /// Finds, reads and verifies the images (`D` = 3) or labels (`D` = 1).
    fn read<const D: usize>(&self, prefix: &str) -> Result<(PathBuf, Idx<D>)> {
        let Some((path, name)) = self.find::<D>(prefix)? else {
            let [name, _] = names::<D>(prefix);
            let problem = format!("holds neither {name}.gz nor {name}; {REMEDY}");
            return Err(Error::Dataset { path: self.path.into(), problem });
        };
        let content = Idx::read(&path)?;
        if let Some(sums) = &self.sums {
            let actual = content.sha256();
            let problem = match sums.get(&name) {
                Some(expected) if *expected == actual => return Ok((path, content)),
                Some(expected) => format!("has SHA-256 {actual}, but {SUMS} says {expected}"),
                None => format!("has no sum in {SUMS}, which names the unpacked files"),
            };
            return Err(Error::Dataset { path, problem });
        }
        Ok((path, content))
    }

    /// The file's path, and its name without `.gz`.
    fn find<const D: usize>(&self, prefix: &str) -> Result<Option<(PathBuf, String)>> {
        for name in names::<D>(prefix) {
            for file in [format!("{name}.gz"), name.clone()] {
                let path = self.path.join(file);
                match fs::symlink_metadata(&path) {
                    Ok(_) => return Ok(Some((path, name))),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => {
                        let problem = format!("cannot be read: {error}");
                        return Err(Error::Dataset { path, problem });
                    }
                }
            }
        }
        Ok(None)
    }
}

/// As distributed, and as often unpacked.
fn names<const D: usize>(prefix: &str) -> [String; 2] {
    let what = if D == 1 { "labels" } else { "images" };
    ['-', '.'].map(|dot| format!("{prefix}-{what}{dot}idx{D}-ubyte"))
}

fn sums(folder: &Path) -> Result<Option<HashMap<String, String>>> {
    let path = folder.join(SUMS);
    if fs::symlink_metadata(&path).is_err() {
        return Ok(None);
    }
    let wrong = |problem| Error::Dataset { path: path.clone(), problem };
    let text = file::text(&path, MOST_SUMS);
    let text = text.map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let sum = |line: &str| {
        let (sum, name) = line.split_once(char::is_whitespace)?;
        let hexadecimal = sum.len() == 64 && sum.bytes().all(|digit| digit.is_ascii_hexdigit());
        let name = name.trim_start_matches([' ', '*']).trim_end();
        hexadecimal.then(|| (name.to_owned(), sum.to_lowercase()))
    };
    let mut sums = HashMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let Some((name, sum)) = sum(line) else {
            return Err(wrong(format!("\"{line}\" is no SHA-256 and name")));
        };
        sums.insert(name, sum);
    }
    Ok(Some(sums))
}
