//! Pins which files are taken for images and labels: the real ones are, and everything that is cut
//! off, overlong, mislabelled, altered or no file at all is refused with a reason, without panic,
//! wait or memory that only a header asks for.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use tempfile::{NamedTempFile, TempDir};
use tortoise::{
    Error,
    dataset::{Minibatch, Split, idx::Idx, mnist},
};

use crate::idx::{gzip, idx};

/// Three images of 2 by 2 pixels.
fn images() -> Vec<u8> {
    idx(0x803, &[3, 2, 2], &[0, 51, 102, 153, 204, 255, 1, 2, 3, 4, 5, 6])
}

fn labels() -> Vec<u8> {
    idx(0x801, &[3], &[7, 0, 9])
}

/// What is wrong with `bytes` as a file of images.
fn problem(bytes: &[u8]) -> Option<String> {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    match Idx::<3>::read(file.path()) {
        Ok(_) => None,
        Err(Error::Dataset { path: named, problem }) => {
            assert_eq!(named, file.path());
            Some(problem)
        }
        Err(error) => panic!("no error of the data: {error}"),
    }
}

#[track_caller]
fn check_refused(bytes: &[u8], fragment: &str) {
    let problem = problem(bytes).expect("the file is refused");
    assert!(problem.contains(fragment), "\"{problem}\" does not say \"{fragment}\"");
}

#[track_caller]
fn check_path_refused(path: &Path, fragment: &str) {
    let error = Idx::<3>::read(path).expect_err("the path is refused").to_string();
    assert!(error.starts_with(&path.display().to_string()), "\"{error}\" does not name the path");
    assert!(error.contains(fragment), "\"{error}\" does not say \"{fragment}\"");
}

#[track_caller]
fn check_folder_refused(folder: &Path, fragment: &str) {
    let error = mnist::load(folder).expect_err("the folder is refused").to_string();
    assert!(error.contains(fragment), "\"{error}\" does not say \"{fragment}\"");
}

/// A folder with the three images and labels above as training set and as test set.
fn folder(names: [&str; 4]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, bytes) in names.into_iter().zip([images(), labels(), images(), labels()]) {
        let bytes = if name.ends_with(".gz") { gzip(&bytes) } else { bytes };
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

const TRAIN_IMAGES: &str = "train-images-idx3-ubyte";
const TRAIN_LABELS: &str = "train-labels-idx1-ubyte";
const TEST_IMAGES: &str = "t10k-images-idx3-ubyte";
const TEST_LABELS: &str = "t10k-labels-idx1-ubyte";
const PLAIN: [&str; 4] = [TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS];

fn repository_data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist")
}

#[test]
fn bad_files_are_refused_with_a_reason_plain_and_packed() {
    let max = u32::MAX;
    let cases: [(Vec<u8>, &str); 15] = [
        (vec![], "is empty"),
        (vec![0], "it has 1 bytes, less than a header"),
        (vec![0, 0, 8, 3], "it has 4 bytes, less than a header"),
        (images()[..15].to_vec(), "it has 15 bytes, less than a header"),
        (images()[..16].to_vec(), "is cut off: its dimensions [3, 2, 2] need 12 elements"),
        (b"<!DOCTYPE html><html></html>".to_vec(), "begins with 0x3c21444f, not 0x00000803"),
        (labels(), "begins with 0x00000801, not 0x00000803"),
        (idx(0x0d03, &[3, 2, 2], &[0; 48]), "begins with 0x00000d03"),
        (idx(0x803, &[0, 2, 2], &[]), "holds nothing"),
        (idx(0x803, &[3, 0, 2], &[]), "holds nothing"),
        (idx(0x803, &[max, 1, 1], &[0; 9]), "[4294967295, 1, 1], more than 1073741824 elements"),
        (idx(0x803, &[max, max, max], &[0; 9]), "more than 1073741824 elements"),
        (idx(0x803, &[1 << 30, 1, 1], &[0; 9]), "is cut off"),
        (idx(0x803, &[2, 2, 2], &[0; 9]), "goes on after the 8 elements"),
        (idx(0x803, &[4, 2, 2], &[0; 15]), "is cut off: its dimensions [4, 2, 2]"),
    ];
    assert_eq!(problem(&images()), None);
    assert_eq!(problem(&gzip(&images())), None);
    for (bytes, fragment) in cases {
        check_refused(&bytes, fragment);
        check_refused(&gzip(&bytes), fragment);
    }
}

#[test]
fn damaged_gzip_is_refused() {
    let packed = gzip(&images());
    let end = packed.len();
    let altered_sum = [&packed[..end - 8], &[packed[end - 8] ^ 1], &packed[end - 7..]].concat();
    let altered_length = [&packed[..end - 1], &[packed[end - 1] ^ 1]].concat();
    check_refused(&altered_sum, "is damaged or cut off");
    check_refused(&altered_length, "is damaged or cut off");
    check_refused(&packed[..end - 1], "is damaged or cut off");
    check_refused(&packed[..end / 2], "cut off");
    check_refused(&[0x1f, 0x8b], "is damaged or cut off");
    check_refused(&[&packed[..], b"garbage"].concat(), "is damaged or cut off");
    check_refused(&[&packed[..], &packed].concat(), "goes on after the 12 elements");
}

#[test]
fn zeros_behind_a_gzip_file_are_no_part_of_it_and_members_follow_each_other() {
    let (bytes, packed) = (images(), gzip(&images()));
    let padded = |zeros: usize| [&packed[..], &vec![0; zeros]].concat();
    for zeros in [1, 511, 512, 100_000] {
        assert_eq!(problem(&padded(zeros)), None, "{zeros}");
    }
    check_refused(&[&padded(512)[..], b"x"].concat(), "behind its end there is more than zeros");
    check_refused(&[&padded(7)[..], &packed].concat(), "behind its end there is more than zeros");
    check_refused(&[&packed[..packed.len() - 4], &[0; 512]].concat(), "is damaged or cut off");
    for end in 0..bytes.len() {
        let (first, second) = bytes.split_at(end);
        let members = [gzip(first), gzip(&[]), gzip(second), vec![0; end]].concat();
        assert_eq!(problem(&members), None, "{end}");
    }
}

#[test]
fn a_gzip_bomb_is_refused_at_its_first_byte_too_many() {
    // 512 MiB in 600 KiB.
    let member = gzip(&vec![0; 1 << 19]);
    let bomb = |sizes: [u32; 3]| [gzip(&idx(0x803, &sizes, &[])), member.repeat(1024)].concat();
    check_refused(&bomb([3, 2, 2]), "goes on after the 12 elements");
    check_refused(&bomb([1 << 30, 1, 1]), "is cut off");
    check_refused(&[member.clone(), member].concat(), "begins with 0x00000000");
}

#[test]
fn every_prefix_of_a_file_is_refused() {
    for bytes in [images(), gzip(&images())] {
        for end in 0..bytes.len() {
            assert!(problem(&bytes[..end]).is_some(), "the first {end} bytes are taken");
        }
    }
}

#[test]
fn no_altered_byte_makes_the_reader_panic() {
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) as usize % below
    };
    for bytes in [images(), gzip(&images())] {
        for _ in 0..500 {
            let mut altered = bytes.clone();
            for _ in 0..=random(3) {
                let at = random(altered.len());
                altered[at] = random(256) as u8;
            }
            problem(&altered);
        }
    }
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let folder = TempDir::new().unwrap();
    check_path_refused(folder.path(), "is not a regular file");
    check_path_refused(&folder.path().join("nothing"), "cannot be read");
}

#[cfg(unix)]
#[test]
fn pipes_loops_and_locked_files_are_refused_without_waiting() {
    use std::{
        fs::{File, Permissions},
        os::unix::fs::{PermissionsExt, symlink},
        process::Command,
    };
    let folder = TempDir::new().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    check_path_refused(&pipe, "is not a regular file");

    let [one, other] = ["one", "other"].map(|name| folder.path().join(name));
    symlink(&one, &other).unwrap();
    symlink(&other, &one).unwrap();
    check_path_refused(&one, "cannot be read");

    let locked = folder.path().join("locked");
    fs::write(&locked, images()).unwrap();
    fs::set_permissions(&locked, Permissions::from_mode(0o000)).unwrap();
    // Root reads it all the same.
    if File::open(&locked).is_err() {
        check_path_refused(&locked, "cannot be read");
    }

    let data = self::folder(PLAIN);
    let sums = data.path().join("SHA256SUMS");
    assert!(Command::new("mkfifo").arg(sums).status().unwrap().success());
    check_folder_refused(data.path(), "is not a regular file");
}

#[test]
fn gathered_pixels_are_quotients_to_the_last_bit() {
    let pixels: Vec<u8> = (0..=255).collect();
    let split = Split::images(pixels.repeat(3), vec![0, 1, 2], 256, 10).unwrap();
    let mut batch = Minibatch::default();
    // From one image to many portions of them, and back.
    for samples in [1, 17, 2000, 3] {
        split.gather((0..samples).map(|at| at % 3), &mut batch);
        assert_eq!(batch.features.len(), samples * 256);
        for (at, image) in batch.features.iter().enumerate() {
            assert_eq!(image.to_bits(), ((at % 256) as f32 / 255.0).to_bits());
        }
        assert!(batch.labels.iter().enumerate().all(|(at, &label)| label == at as u32 % 3));
    }
}

#[test]
fn mnist_is_what_it_is_known_to_be() {
    let data = mnist::load(&repository_data()).unwrap();
    assert_eq!([data.train.len(), data.test.len()], [60_000, 10_000]);
    assert_eq!([data.train.inputs(), data.test.inputs()], [784, 784]);
    assert_eq!(data.train.classes(), Some(10));
    assert_eq!([0, 1, 2, 3, 4].map(|at| data.train.class(at)), [5, 0, 4, 1, 9]);
    assert_eq!([0, 1, 2, 3, 4].map(|at| data.test.class(at)), [7, 2, 1, 0, 4]);
    let mut batch = Minibatch::default();
    data.train.gather([0_usize].into_iter(), &mut batch);
    assert_eq!(batch.features.iter().map(|pixel| (pixel * 255.0) as f64).sum::<f64>(), 27_525.0);
}

#[test]
fn a_file_that_differs_from_its_sum_is_refused() {
    for name in PLAIN {
        let folder = TempDir::new().unwrap();
        for file in fs::read_dir(repository_data()).unwrap().map(Result::unwrap) {
            fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
        }
        let path = folder.path().join(name);
        let packed_path = folder.path().join(format!("{name}.gz"));
        let mut bytes = Vec::new();
        let mut packed = flate2::read::GzDecoder::new(fs::File::open(&packed_path).unwrap());
        std::io::Read::read_to_end(&mut packed, &mut bytes).unwrap();
        // From one label to another: nothing but the sum can tell.
        let last = bytes.last_mut().unwrap();
        *last = if *last == 0 { 1 } else { 0 };
        fs::write(&path, bytes).unwrap();
        fs::remove_file(packed_path).unwrap();
        check_folder_refused(folder.path(), "its SHA-256 is");
    }
}

#[test]
fn sums_are_of_the_unpacked_files_and_of_all_of_them() {
    let folder = folder(PLAIN);
    let sums = |text: &str| fs::write(folder.path().join("SHA256SUMS"), text).unwrap();
    let sum = |name: &str| match name {
        TRAIN_LABELS | TEST_LABELS => Idx::<1>::read(&folder.path().join(name)).unwrap().sha256(),
        _ => Idx::<3>::read(&folder.path().join(name)).unwrap().sha256(),
    };
    let lines = PLAIN.map(|name| format!("{}  {name}\n", sum(name)));
    sums(&lines.concat());
    mnist::load(folder.path()).unwrap();
    sums(&lines.concat().to_uppercase().replace("UBYTE", "ubyte"));
    check_folder_refused(folder.path(), "has no sum in SHA256SUMS");
    sums(&lines[..3].concat());
    check_folder_refused(folder.path(), "has no sum in SHA256SUMS");
    sums(&lines.concat().replace(&sum(TEST_LABELS), &"0".repeat(64)));
    check_folder_refused(folder.path(), "and should be 000000");
    sums("not a sum\n");
    check_folder_refused(folder.path(), "is no SHA-256 and name");
    sums(&"\n".repeat(70_000));
    check_folder_refused(folder.path(), "has more than 65536 bytes");
}

#[test]
fn the_usual_names_are_found_plain_and_packed() {
    let families = [
        PLAIN,
        [
            "train-images.idx3-ubyte",
            "train-labels.idx1-ubyte",
            "t10k-images.idx3-ubyte",
            "t10k-labels.idx1-ubyte",
        ],
    ];
    for names in families {
        let packed = names.map(|name| format!("{name}.gz"));
        for names in [names, packed.each_ref().map(String::as_str)] {
            let data = mnist::load(folder(names).path()).unwrap();
            assert_eq!([data.train.len(), data.test.len()], [3, 3], "{names:?}");
            assert_eq!([0, 1, 2].map(|at| data.test.class(at)), [7, 0, 9], "{names:?}");
            let mut batch = Minibatch::default();
            data.train.gather([1_usize].into_iter(), &mut batch);
            assert_eq!(batch.features, [204, 255, 1, 2].map(|pixel| pixel as f32 / 255.0));
        }
    }
}

#[test]
fn a_missing_file_is_named_with_the_remedy() {
    for name in PLAIN {
        let folder = folder(PLAIN);
        fs::remove_file(folder.path().join(name)).unwrap();
        check_folder_refused(folder.path(), &format!("holds neither {name}.gz nor {name}"));
        check_folder_refused(folder.path(), "--data DIR or TORTOISE_DATA");
    }
    check_folder_refused(Path::new("no such folder"), "no such folder: holds neither train-images");
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let cases = [
        (TRAIN_LABELS, idx(0x801, &[2], &[7, 0]), "holds 2 labels for 3 images"),
        (TEST_LABELS, idx(0x801, &[3], &[7, 10, 0]), "label 10 at 1 is not below 10"),
        (
            TEST_IMAGES,
            idx(0x803, &[3, 1, 4], &[0; 12]),
            "are 2 by 2 pixels, but test images 1 by 4",
        ),
        (TRAIN_IMAGES, labels(), "begins with 0x00000801, not 0x00000803"),
        (TRAIN_LABELS, images(), "begins with 0x00000803, not 0x00000801"),
    ];
    for (name, bytes, fragment) in cases {
        let folder = folder(PLAIN);
        fs::write(folder.path().join(name), bytes).unwrap();
        check_folder_refused(folder.path(), fragment);
    }
}

#[test]
fn a_folder_that_is_asked_for_is_the_one_that_is_used() {
    let folder = folder(PLAIN);
    assert_eq!(mnist::locate(Some(folder.path())).unwrap(), folder.path());
    let missing = folder.path().join("missing");
    let error = mnist::locate(Some(&missing)).unwrap_err().to_string();
    assert!(error.contains("is not a folder; give the folder with --data DIR"), "{error}");
}
