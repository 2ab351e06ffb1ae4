//! Which file is meant by the name of a data set's images or labels. Archives are unpacked in many
//! ways: with a dot for the hyphen, still packed, or each file in a folder that has its name. What is
//! no file is passed over.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// A file that was found: its path, and its name without `.gz`.
pub(super) type Found = (PathBuf, String);

/// What stands at a path.
enum Thing {
    File,
    Folder,
    /// Something else, and why it is none of both.
    Other(String),
    Nothing,
}

/// The name of the images (`D` = 3) or labels (`D` = 1) as they are distributed.
pub(super) fn name<const D: usize>(prefix: &str) -> String {
    format!("{prefix}-{}-idx{D}-ubyte", if D == 1 { "labels" } else { "images" })
}

/// The file with the images (`D` = 3) or labels (`D` = 1) in `folder`; if there is none, what was
/// passed over.
pub(super) fn find<const D: usize>(folder: &Path, prefix: &str) -> Result<Found, Vec<String>> {
    let distributed = name::<D>(prefix);
    let unpacked = distributed.replace(&format!("-idx{D}"), &format!(".idx{D}"));
    let names = [distributed, unpacked];
    let files =
        || names.iter().flat_map(|name| [(format!("{name}.gz"), name), (name.clone(), name)]);
    let (mut folders, mut passed) = (Vec::new(), Vec::new());
    for (file, name) in files() {
        let path = folder.join(&file);
        match thing(&path) {
            Thing::File => return Ok((path, name.clone())),
            Thing::Folder => folders.push(file),
            Thing::Other(why) => passed.push(format!("{file} ({why})")),
            Thing::Nothing => {}
        }
    }
    for inner in folders {
        let path = |file: &str| folder.join(&inner).join(file);
        let found = files().find(|(file, _)| matches!(thing(&path(file)), Thing::File));
        if let Some((file, name)) = found {
            return Ok((path(&file), name.clone()));
        }
        passed.push(format!("{inner} (a folder without such a file)"));
    }
    Err(passed)
}

fn thing(path: &Path) -> Thing {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Thing::File,
        Ok(metadata) if metadata.is_dir() => Thing::Folder,
        Ok(_) => Thing::Other("neither a file nor a folder".to_owned()),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            match fs::symlink_metadata(path) {
                Ok(_) => Thing::Other("a link to nothing".to_owned()),
                Err(_) => Thing::Nothing,
            }
        }
        Err(error) => Thing::Other(format!("it cannot be read: {error}")),
    }
}
