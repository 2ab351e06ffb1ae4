//! Finds MNIST and checks its files. Any folder with IDX files of the same names can be read as
//! well, such as Fashion-MNIST, and so can the six data sets of EMNIST under their own names.
//!
//! Nothing is downloaded.

use std::{
    collections::HashMap,
    env, fs,
    path::{Path, PathBuf},
};

use super::{Dataset, Split, candidates, idx::Idx};
use crate::{Error, Result, file, share::both};

/// What to do about missing data.
const REMEDY: &str = "give the folder with --data DIR or TORTOISE_DATA";
/// The sums of the unpacked files, as `sha256sum` writes them.
pub const SUMS: &str = "SHA256SUMS";
/// The most bytes of [`SUMS`].
const MOST_SUMS: u64 = 1 << 16;
/// What EMNIST's files begin with.
const EMNIST: &str = "emnist-";
/// Where files lie in a folder that is named: in it, or where torchvision puts them.
const PLACES: [&[&str]; 3] =
    [&[""], &["raw"], &["MNIST/raw", "FashionMNIST/raw", "KMNIST/raw", "EMNIST/raw"]];

/// A data set that is known by the names of its files.
#[derive(Debug, PartialEq, Eq)]
struct Set {
    name: &'static str,
    classes: usize,
    /// The label of class 0.
    first: u8,
}

const SETS: [Set; 7] = [
    Set { name: "mnist", classes: 10, first: 0 },
    Set { name: "emnist-digits", classes: 10, first: 0 },
    Set { name: "emnist-mnist", classes: 10, first: 0 },
    Set { name: "emnist-letters", classes: 26, first: 1 },
    Set { name: "emnist-balanced", classes: 47, first: 0 },
    Set { name: "emnist-bymerge", classes: 47, first: 0 },
    Set { name: "emnist-byclass", classes: 62, first: 0 },
];

impl Set {
    fn of_emnist(&self) -> bool {
        self.name.starts_with(EMNIST)
    }

    /// What the names of the training and of the test files begin with.
    fn prefixes(&self) -> [String; 2] {
        match self.of_emnist() {
            true => ["train", "test"].map(|part| format!("{}-{part}", self.name)),
            false => ["train", "t10k"].map(str::to_owned),
        }
    }

    /// How many of its four files are in `folder`.
    fn files(&self, folder: &Path) -> usize {
        let found = |prefix: &String| {
            let images = candidates::find::<3>(folder, prefix).is_ok();
            usize::from(images) + usize::from(candidates::find::<1>(folder, prefix).is_ok())
        };
        self.prefixes().iter().map(found).sum()
    }
}

/// The folder to load from: `explicit`, else `TORTOISE_DATA`, else `data/mnist` here, beside the
/// program, or in a folder that the program's is in. A folder with several data sets may be followed
/// by the name of one of them, as in `data/emnist-digits`.
///
/// # Errors
/// [`Error::Dataset`] if none is there.
pub fn locate(explicit: Option<&Path>) -> Result<PathBuf> {
    let variable = env::var_os("TORTOISE_DATA").filter(|folder| !folder.is_empty());
    if let Some(folder) = explicit.map(PathBuf::from).or(variable.map(PathBuf::from)) {
        if is_there(&folder) {
            return Ok(folder);
        }
        return Err(Error::Dataset { path: folder, problem: format!("is not a folder; {REMEDY}") });
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

/// Whether `path` is a folder, or names a data set in one, as in `data/emnist-digits`.
pub fn is_there(path: &Path) -> bool {
    path.is_dir() || one_of_several(path).is_some()
}

/// A folder and the data set in it that `path` names, if it is no folder itself and there is one.
fn one_of_several(path: &Path) -> Option<(&Path, &'static Set)> {
    let folder = path.parent()?;
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let set = SETS.iter().find(|set| path.file_name().is_some_and(|name| name == set.name))?;
    (!path.is_dir() && set.files(folder) > 0).then_some((folder, set))
}

/// Loads the training set and the test set from `folder`, as [`find`] finds them.
///
/// # Errors
/// [`Error::Dataset`] naming the file and what is wrong with it.
pub fn load(folder: &Path) -> Result<Dataset> {
    find(folder)?.load()
}

/// The data set in `folder`, or in the folders where torchvision puts it, or the one that is named
/// after the folder, as in `data/emnist-digits`.
///
/// # Errors
/// [`Error::Dataset`] where there are several.
pub fn find(folder: &Path) -> Result<Source> {
    let (root, sets) = match one_of_several(folder) {
        Some((root, set)) => (root, std::slice::from_ref(set)),
        None => (folder, &SETS[..]),
    };
    let all = |places: &'static [&str]| {
        let here = move |place: &&str| {
            let folder = if place.is_empty() { root.to_owned() } else { root.join(place) };
            sets.iter().map(move |set| Source { folder: folder.clone(), set })
        };
        places.iter().flat_map(here).map(|source| (source.set.files(&source.folder), source))
    };
    for places in PLACES {
        let mut held: Vec<_> = all(places).filter(|(files, _)| *files > 0).collect();
        if held.iter().any(|(files, _)| *files == 4) {
            held.retain(|(files, _)| *files == 4);
        }
        let names: Vec<_> = held.iter().map(|(_, source)| source.name()).collect();
        match &mut *held {
            [] => {}
            [_] => return Ok(held.remove(0).1),
            _ => {
                let (all, one) = (names.join(", "), &names[names.len() - 1]);
                let problem = format!("holds several data sets; name one of {all}: --data {one}");
                return Err(Error::Dataset { path: root.into(), problem });
            }
        }
    }
    Ok(Source { folder: root.into(), set: &sets[0] })
}

/// Where a data set was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    folder: PathBuf,
    set: &'static Set,
}

impl Source {
    /// The folder with its files.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is done to it so that its images stand as those of MNIST do, and its labels count from 0;
    /// none where nothing is.
    pub fn note(&self) -> Option<String> {
        let Set { name, classes, first } = *self.set;
        let labels = match first {
            0 => String::new(),
            _ => format!("; its labels {first} to {classes} are classes 0 to {}", classes - 1),
        };
        self.set.of_emnist().then(|| {
            format!("{name}: EMNIST stores images transposed, and they are turned upright{labels}")
        })
    }

    /// Loads the training set and the test set. Where the folder holds a `SHA256SUMS`, each unpacked
    /// file must have the sum that is given there. EMNIST's images, which are stored transposed, are
    /// turned.
    ///
    /// # Errors
    /// [`Error::Dataset`] naming the file and what is wrong with it.
    pub fn load(&self) -> Result<Dataset> {
        let sums = sums(&self.folder)?;
        let [train, test] = self.set.prefixes();
        let (train, test) =
            both(|| self.split(&train, sums.as_ref()), || self.split(&test, sums.as_ref()));
        let (train, test) = (train?, test?);
        if train.rows != test.rows || train.columns != test.columns {
            let [train, test] = [train, test].map(|set| format!("{} by {}", set.rows, set.columns));
            let problem = format!("training images are {train} pixels, but test images {test}");
            return Err(Error::Dataset { path: self.folder.clone(), problem });
        }
        Ok(Dataset { train: train.split.into(), test: test.split.into() })
    }

    /// Pixels an image and number of classes, before anything else is read of it.
    ///
    /// # Errors
    /// [`Error::Dataset`] where the training images are missing or do not begin as IDX files do.
    pub fn shape(&self) -> Result<(usize, usize)> {
        let [train, _] = self.set.prefixes();
        let (path, _) = self.find::<3>(&train)?;
        let [_, rows, columns] = Idx::<3>::dimensions(&path)?;
        Ok((rows * columns, self.set.classes))
    }

    /// How it is chosen among others.
    fn name(&self) -> String {
        self.folder.join(self.set.name).display().to_string()
    }

    fn split(&self, prefix: &str, sums: Option<&Sums>) -> Result<Sized> {
        let (_, Idx { sizes: [images, rows, columns], elements: mut pixels }) =
            self.read(prefix, sums)?;
        let (path, Idx { sizes: [count], elements: mut labels }) = self.read(prefix, sums)?;
        let wrong = |problem| Error::Dataset { path, problem };
        if count != images {
            return Err(wrong(format!("holds {count} labels for {images} images")));
        }
        let Set { classes, first, .. } = *self.set;
        if let Some(at) = labels.iter().position(|&label| label < first) {
            return Err(wrong(format!("label {} at {at} is below {first}", labels[at])));
        }
        labels.iter_mut().for_each(|label| *label -= first);
        let (rows, columns) = if self.set.of_emnist() {
            transpose(&mut pixels, rows, columns);
            (columns, rows)
        } else {
            (rows, columns)
        };
        // Neither product nor lengths can be wrong after this; what remains are the labels.
        let split = Split::images(pixels, labels, rows * columns, classes);
        let split = split.map_err(|error| wrong(error.to_string()))?;
        Ok(Sized { split, rows, columns })
    }

    /// Finds, reads and verifies the images (`D` = 3) or labels (`D` = 1).
    fn read<const D: usize>(&self, prefix: &str, sums: Option<&Sums>) -> Result<(PathBuf, Idx<D>)> {
        let (path, name) = self.find::<D>(prefix)?;
        let content = Idx::read(&path)?;
        let Some(sums) = sums else { return Ok((path, content)) };
        let actual = content.sha256();
        let problem = match sums.get(&name) {
            Some(expected) if *expected == actual => return Ok((path, content)),
            Some(expected) => format!(
                "is damaged, or {SUMS} is out of date: its SHA-256 is {actual}, and should be {expected}"
            ),
            None => format!("has no sum in {SUMS}, which names the unpacked files"),
        };
        Err(Error::Dataset { path, problem })
    }

    /// Finds the images (`D` = 3) or labels (`D` = 1): their path, and their name unpacked.
    fn find<const D: usize>(&self, prefix: &str) -> Result<candidates::Found> {
        candidates::find::<D>(&self.folder, prefix).map_err(|passed| {
            let name = candidates::name::<D>(prefix);
            let passed = match &*passed {
                [] => String::new(),
                passed => format!("; passed over: {}", passed.join(", ")),
            };
            let problem = format!(
                "holds neither {name}.gz nor {name}, nor one in a folder of such a name{passed}; \
                 {REMEDY}"
            );
            Error::Dataset { path: self.folder.clone(), problem }
        })
    }
}

struct Sized {
    split: Split,
    rows: usize,
    columns: usize,
}

/// Makes rows columns in each image.
fn transpose(pixels: &mut [u8], rows: usize, columns: usize) {
    let mut stored = vec![0; rows * columns];
    for image in pixels.chunks_exact_mut(rows * columns) {
        stored.copy_from_slice(image);
        for (at, pixel) in image.iter_mut().enumerate() {
            *pixel = stored[at % rows * columns + at / rows];
        }
    }
}

/// SHA-256 of each unpacked file by its name.
type Sums = HashMap<String, String>;

/// The sums in `folder`, where it says any.
fn sums(folder: &Path) -> Result<Option<Sums>> {
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
