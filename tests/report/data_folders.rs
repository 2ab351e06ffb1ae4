//! Pins which data set a folder holds: by MNIST's names and EMNIST's own, however the files were
//! unpacked. EMNIST's images are turned, and what is no file is passed over.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::drawn::Drawing;
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tortoise::dataset::{Dataset, Minibatch, Split, mnist};

fn tortoise(arguments: &[&str]) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tortoise"));
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("TORTOISE_DATA");
    command.output().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn idx(magic: u32, sizes: &[usize], elements: &[u8]) -> Vec<u8> {
    let sizes = sizes.iter().map(|&size| size as u32);
    let header = [magic].into_iter().chain(sizes).flat_map(u32::to_be_bytes);
    header.chain(elements.iter().copied()).collect()
}

/// The four files of a data set in the order of images and labels to train with, and to test with.
type Names = [String; 4];

fn names(prefixes: [&str; 2], dot: &str, ending: &str) -> Names {
    let [train, test] = prefixes;
    [(train, "images", 3), (train, "labels", 1), (test, "images", 3), (test, "labels", 1)]
        .map(|(prefix, what, n)| format!("{prefix}-{what}{dot}idx{n}-ubyte{ending}"))
}

fn of_mnist() -> Names {
    names(["train", "t10k"], "-", "")
}

fn of_emnist(set: &str) -> Names {
    names([&format!("emnist-{set}-train"), &format!("emnist-{set}-test")], "-", "")
}

/// Three images of 2 rows and 3 columns, with these labels, as training set and as test set.
fn write(folder: &Path, names: &Names, labels: [u8; 3]) {
    fs::create_dir_all(folder).unwrap();
    let pixels: Vec<u8> = (0..18).collect();
    for (at, name) in names.iter().enumerate() {
        let bytes = match at % 2 {
            0 => idx(0x803, &[3, 2, 3], &pixels),
            _ => idx(0x801, &[3], &labels),
        };
        let bytes = if name.ends_with(".gz") { gzip(&bytes) } else { bytes };
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// Pixels of the second image, as bytes.
fn second(split: &Split) -> Vec<u8> {
    let mut batch = Minibatch::default();
    split.gather([1].into_iter(), &mut batch);
    batch.features.iter().map(|pixel| (255.0 * pixel).round() as u8).collect()
}

const STORED: [u8; 6] = [6, 7, 8, 9, 10, 11];
const TURNED: [u8; 6] = [6, 9, 7, 10, 8, 11];

fn labels(split: &Split) -> Vec<u32> {
    (0..split.len()).map(|at| split.class(at)).collect()
}

#[track_caller]
fn refused(folder: &Path) -> String {
    mnist::load(folder).expect_err("the folder is refused").to_string()
}

#[test]
fn images_of_emnist_are_turned_and_those_of_mnist_are_not() {
    for dot in ["-", "."] {
        for ending in ["", ".gz"] {
            for (prefixes, pixels) in [
                (["train", "t10k"], STORED),
                (["emnist-digits-train", "emnist-digits-test"], TURNED),
                (["emnist-mnist-train", "emnist-mnist-test"], TURNED),
            ] {
                let folder = tempdir().unwrap();
                let names = names(prefixes, dot, ending);
                write(folder.path(), &names, [7, 0, 9]);
                let source = mnist::find(folder.path()).unwrap();
                assert_eq!(source.note().is_some(), pixels == TURNED, "{names:?}");
                let Dataset { train, test } = source.load().unwrap();
                for split in [&*train, &*test] {
                    assert_eq!(second(split), pixels, "{names:?}");
                    assert_eq!((labels(split), split.classes()), (vec![7, 0, 9], Some(10)));
                }
            }
        }
    }
}

#[test]
fn every_data_set_of_emnist_has_its_own_classes() {
    for (set, classes, first) in
        [("letters", 26, 1), ("balanced", 47, 0), ("bymerge", 47, 0), ("byclass", 62, 0)]
    {
        let folder = tempdir().unwrap();
        let last = first + classes - 1;
        write(folder.path(), &of_emnist(set), [first, 5, last]);
        let data = mnist::load(folder.path()).unwrap();
        assert_eq!(data.train.classes(), Some(usize::from(classes)), "{set}");
        let shape = mnist::find(folder.path()).unwrap().shape().unwrap();
        assert_eq!(shape, (data.train.inputs(), usize::from(classes)), "{set}");
        assert_eq!(labels(&data.test), [0, 5 - first, classes - 1].map(u32::from), "{set}");
        write(folder.path(), &of_emnist(set), [first, 5, last + 1]);
        assert!(refused(folder.path()).contains("is not below"), "{set}");
    }
    let folder = tempdir().unwrap();
    write(folder.path(), &of_emnist("letters"), [1, 0, 26]);
    let message = refused(folder.path());
    assert!(message.contains("labels-idx1-ubyte: label 0 at 1 is below 1"), "{message}");
}

#[test]
fn one_of_several_data_sets_is_chosen_by_its_name() {
    let folder = tempdir().unwrap();
    write(folder.path(), &of_emnist("digits"), [0; 3]);
    write(folder.path(), &of_emnist("letters"), [1; 3]);
    write(folder.path(), &of_mnist(), [2; 3]);
    // Of which there is only a part is none.
    fs::write(folder.path().join(&of_emnist("byclass")[1]), []).unwrap();
    let message = refused(folder.path());
    for (set, pixels, label) in
        [("mnist", STORED, 2), ("emnist-digits", TURNED, 0), ("emnist-letters", TURNED, 0)]
    {
        let chosen = folder.path().join(set);
        assert!(message.contains(&chosen.display().to_string()), "{message}");
        let data = mnist::load(&mnist::locate(Some(&chosen)).unwrap()).unwrap();
        assert_eq!((second(&data.test), data.train.class(0)), (pixels.to_vec(), label), "{set}");
    }
    assert!(!message.contains("byclass"), "{message}");
    let none = folder.path().join("emnist-bymerge");
    assert!(mnist::locate(Some(&none)).unwrap_err().to_string().contains("is not a folder"));
    // A folder of such a name is a folder.
    let below = folder.path().join("emnist-digits");
    write(&below, &of_mnist(), [3; 3]);
    assert_eq!(mnist::load(&below).unwrap().train.class(0), 3);

    let output = tortoise(&["train", "async", "--data", folder.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--data"));
}

#[test]
fn a_file_in_a_folder_of_its_name_is_found() {
    let inside = |names: Names, outer: &str, inner: &str| {
        names.map(|name| {
            let plain = name.replace(".idx", "-idx");
            format!("{}/{}", plain.replace("-idx", outer), plain.replace("-idx", inner))
        })
    };
    for [outer, inner] in [["-idx", "-idx"], ["-idx", ".idx"], [".idx", "-idx"], [".idx", ".idx"]] {
        for ending in ["", ".gz"] {
            let folder = tempdir().unwrap();
            let names = inside(of_mnist(), outer, inner).map(|name| name + ending);
            write(folder.path(), &names, [7, 0, 9]);
            let data = mnist::load(folder.path()).unwrap();
            assert_eq!(labels(&data.test), [7, 0, 9], "{names:?}");
        }
    }
    // As it is often unpacked: an empty folder, and the file beside it.
    let folder = tempdir().unwrap();
    for name in of_mnist() {
        fs::create_dir(folder.path().join(name)).unwrap();
    }
    let message = refused(folder.path());
    let passed = "passed over: train-images-idx3-ubyte (a folder without such a file)";
    assert!(message.contains(passed), "{message}");
    write(folder.path(), &names(["train", "t10k"], ".", ""), [7, 0, 9]);
    assert_eq!(labels(&mnist::load(folder.path()).unwrap().train), [7, 0, 9]);
}

#[test]
fn what_torchvision_has_unpacked_is_found() {
    for (place, names) in [
        ("raw", of_mnist()),
        ("MNIST/raw", of_mnist()),
        ("FashionMNIST/raw", of_mnist()),
        ("EMNIST/raw", of_emnist("balanced")),
    ] {
        let folder = tempdir().unwrap();
        write(&folder.path().join(place), &names, [7, 0, 9]);
        let source = mnist::find(folder.path()).unwrap();
        assert_eq!(source.folder(), folder.path().join(place));
        assert_eq!(labels(&source.load().unwrap().test), [7, 0, 9], "{place}");
    }
    let folder = tempdir().unwrap();
    for place in ["MNIST/raw", "KMNIST/raw"] {
        write(&folder.path().join(place), &of_mnist(), [0; 3]);
    }
    let message = refused(folder.path());
    assert!(message.contains("MNIST/raw/mnist") && message.contains("KMNIST/raw/mnist"));
    // What lies in the folder itself goes before what lies below.
    write(folder.path(), &of_mnist(), [4; 3]);
    assert_eq!(mnist::load(folder.path()).unwrap().train.class(0), 4);
}

#[cfg(unix)]
#[test]
fn pipes_sockets_and_broken_links_are_passed_over_without_waiting() {
    use std::os::unix::{fs::symlink, net::UnixListener};

    let folder = tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let packed = of_mnist().map(|name| name + ".gz");
    assert!(Command::new("mkfifo").arg(path(&packed[0])).status().unwrap().success());
    symlink(path("nowhere"), path(&packed[1])).unwrap();
    symlink(path(&packed[2]), path(&packed[2])).unwrap();
    let _socket = UnixListener::bind(path(&packed[3])).unwrap();
    let message = refused(folder.path());
    assert!(message.contains("train-images-idx3-ubyte.gz (neither a file nor a folder)"));
    fs::remove_file(path(&packed[0])).unwrap();
    write(folder.path(), &of_mnist(), [7, 0, 9]);
    assert_eq!(labels(&mnist::load(folder.path()).unwrap().test), [7, 0, 9]);
    for (at, why) in [(1, "a link to nothing"), (2, "it cannot be read"), (3, "neither a file")] {
        let name = &of_mnist()[at];
        fs::rename(path(name), path("aside")).unwrap();
        let message = refused(folder.path());
        assert!(message.contains(&format!("passed over: {name}.gz ({why}")), "{message}");
        fs::rename(path("aside"), path(name)).unwrap();
    }
    // A link to a file is one.
    symlink(path(&of_mnist()[3]), path("target")).unwrap();
    fs::rename(path(&of_mnist()[0]), path("images")).unwrap();
    symlink(path("images"), path(&of_mnist()[0])).unwrap();
    mnist::load(folder.path()).unwrap();
}

/// MNIST as EMNIST distributes it.
fn transposed_mnist() -> TempDir {
    let folder = tempdir().unwrap();
    let data = mnist::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("data/mnist")).unwrap();
    let mut batch = Minibatch::default();
    for (names, split) in of_emnist("digits").chunks(2).zip([&*data.train, &*data.test]) {
        split.gather(0..split.len(), &mut batch);
        let upright: Vec<u8> = batch.features.iter().map(|x| (255.0 * x).round() as u8).collect();
        let mut stored = Vec::with_capacity(upright.len());
        for image in upright.chunks(784) {
            stored.extend((0..28).flat_map(|x| (0..28).map(move |y| image[28 * y + x])));
        }
        let images = idx(0x803, &[split.len(), 28, 28], &stored);
        fs::write(folder.path().join(&names[0]), images).unwrap();
        let bytes: Vec<u8> = labels(split).iter().map(|&label| label as u8).collect();
        let labels = idx(0x801, &[split.len()], &bytes);
        fs::write(folder.path().join(&names[1]), labels).unwrap();
    }
    folder
}

fn trained(data: &str, out: &Path, updates: &str) -> String {
    let flags = "train async -p 1 --device host -m 32 --learning-rate 0.2 --plain --data";
    let mut arguments: Vec<&str> = flags.split(' ').collect();
    arguments.extend([data, "--updates", updates, "--out", out.to_str().unwrap()]);
    let output = tortoise(&arguments);
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{message}");
    message
}

#[test]
fn a_model_of_emnist_reads_upright_digits() {
    let (data, out) = (transposed_mnist(), tempdir().unwrap());
    let folder = data.path().to_str().unwrap();
    let run = |name: &str| out.path().join(name);
    let said = trained(folder, &run("emnist"), "200");
    assert!(said.contains("emnist-digits: EMNIST stores images transposed"), "{said}");
    let said = trained("data/mnist", &run("mnist"), "200");
    assert!(!said.contains("EMNIST"), "{said}");
    let params = |name: &str| fs::read(run(name).join("async/seed-0/final.safetensors")).unwrap();
    assert!(params("emnist") == params("mnist"), "turned, it is MNIST");

    trained(folder, &run("longer"), "3000");
    let pictures: Vec<PathBuf> =
        (0..10).map(|digit| out.path().join(format!("{digit}.png"))).collect();
    for (digit, path) in pictures.iter().enumerate() {
        Drawing::plain(digit).draw().save(path).unwrap();
    }
    let longer = run("longer");
    let mut arguments = vec!["predict", "--json", "--weights", longer.to_str().unwrap()];
    arguments.extend(pictures.iter().map(|path| path.to_str().unwrap()));
    let told: Vec<Value> = serde_json::from_slice(&tortoise(&arguments).stdout).unwrap();
    let right = told.iter().enumerate().filter(|(digit, one)| one["digit"] == *digit).count();
    assert!(right >= 9, "{right} of 10: {told:?}");
}

#[test]
fn letters_are_trained_on_and_shown() {
    let (data, out) = (tempdir().unwrap(), tempdir().unwrap());
    let [images, labels]: [Vec<u8>; 2] = [
        (0..52 * 784).map(|at| (at / 784 % 26 * 9) as u8).collect(),
        (0..52).map(|at| 1 + at % 26).collect(),
    ];
    for (at, name) in of_emnist("letters").iter().enumerate() {
        let bytes = if at % 2 == 0 {
            idx(0x803, &[52, 28, 28], &images)
        } else {
            idx(0x801, &[52], &labels)
        };
        fs::write(data.path().join(name), bytes).unwrap();
    }
    let folder = data.path().to_str().unwrap();
    let said = trained(folder, &out.path().join("run"), "20");
    assert!(said.contains("its labels 1 to 26 are classes 0 to 25"), "{said}");
    let (run, shown) = (out.path().join("run"), out.path().join("shown"));
    let [run, shown] = [&run, &shown].map(|path| path.to_str().unwrap());
    let output = tortoise(&["show", "--weights", run, "--data", folder, "--out", shown]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stderr).contains("turned upright"));
    let picture = out.path().join("picture.png");
    Drawing::plain(3).draw().save(&picture).unwrap();
    let picture = picture.to_str().unwrap();
    let output = tortoise(&["predict", "--json", "--weights", run, picture]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told[0]["probabilities"].as_array().unwrap().len(), 26);
}

#[test]
fn a_configuration_names_one_data_set_of_several() {
    let (data, out) = (tempdir().unwrap(), tempdir().unwrap());
    for set in ["letters", "digits"] {
        write(data.path(), &of_emnist(set), [1, 2, 3]);
    }
    let one = data.path().join("emnist-letters");
    let run = |name: &str| out.path().join(name);
    let train = ["train", "async", "--device", "host", "--updates", "3", "-m", "1", "--quiet"];
    let again = run("first").join("config.toml");
    for (arguments, name) in [
        ([&train[..], &["--data", one.to_str().unwrap()]].concat(), "first"),
        (vec!["train", "async", "--quiet", "--config", again.to_str().unwrap()], "second"),
    ] {
        let folder = run(name);
        let output = tortoise(&[&arguments[..], &["--out", folder.to_str().unwrap()]].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let params = |name: &str| fs::read(run(name).join("async/seed-0/final.safetensors")).unwrap();
    assert!(params("first") == params("second"));
}

/// A setting is text.
#[test]
#[cfg(target_os = "linux")]
fn a_folder_whose_name_is_no_text_is_named_in_the_error() {
    use std::os::unix::ffi::OsStrExt;
    let folder = std::ffi::OsStr::from_bytes(b"/tmp/p\xff");
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tortoise"));
    let output = command.args(["race", "--data"]).arg(folder).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(
        message.contains("/tmp/p\u{fffd}' for '--data <DIR>': a configuration is"),
        "{message}"
    );
}
