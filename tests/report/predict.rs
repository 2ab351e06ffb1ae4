//! `predict` tells which digits pictures show that are not from MNIST: drawn here, in all sorts of
//! colours, sizes and light. And what is done to a picture on its way to the model changes nothing of
//! MNIST's own digits.

use std::{
    fs::{self, File},
    io::BufWriter,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use image::{
    DynamicImage, ImageEncoder, Rgb, RgbImage, RgbaImage,
    codecs::jpeg::JpegEncoder,
    imageops::{self, FilterType},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tempfile::tempdir;
use tortoise::{
    dataset::{Features, Labels, Minibatch, Split, mnist},
    engine::{
        classify::classify,
        host::Host,
        model::{Model, Shape},
    },
    picture,
    record::{find_trained, read_model, write_params},
};

use crate::{drawn::Drawing, trained::trained};

fn tortoise(arguments: &[&str]) -> Output {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tortoise"));
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("TORTOISE_DATA");
    command.output().unwrap()
}

/// Predicts with the trained model; the objects printed, the messages and the exit code.
fn predict(files: &[PathBuf]) -> (Vec<Value>, String, i32) {
    let mut arguments = vec!["predict", "--json", "--weights", trained().to_str().unwrap()];
    arguments.extend(files.iter().map(|file| file.to_str().unwrap()));
    let Output { status, stdout, stderr } = tortoise(&arguments);
    let message = String::from_utf8(stderr).unwrap();
    let told = serde_json::from_slice(&stdout).unwrap_or_else(|_| panic!("{message}"));
    (told, message, status.code().unwrap())
}

/// Ten pictures that have little in common.
fn drawings() -> [(Drawing, &'static str); 10] {
    let plain = Drawing::plain;
    [
        // Black on white, as from a drawing program.
        (plain(0), "png"),
        // A blue pen on white paper, leaning to the right.
        (Drawing { ink: [20, 40, 150], slant: 0.25, pen: 0.06, ..plain(1) }, "jpg"),
        // White chalk on a green board, large.
        (
            Drawing {
                ink: [235, 235, 225],
                paper: [30, 80, 60],
                size: (1200, 900),
                noise: 9.0,
                wobble: 0.01,
                ..plain(2)
            },
            "jpg",
        ),
        // A pencil, grey and thin, at the edge of a page in the shade.
        (
            Drawing {
                ink: [110, 110, 115],
                paper: [250, 248, 240],
                size: (640, 480),
                at: (0.75, 0.35),
                tall: 0.4,
                pen: 0.035,
                shade: (0.35, 0.25),
                noise: 4.0,
                ..plain(3)
            },
            "jpg",
        ),
        // Red on yellow paper.
        (Drawing { ink: [200, 30, 40], paper: [250, 225, 90], turn: -7.0, ..plain(4) }, "png"),
        // A thick marker, and a picture cut close.
        (Drawing { pen: 0.2, tall: 0.78, size: (120, 150), ..plain(5) }, "png"),
        // As few pixels as an icon has.
        (Drawing { size: (16, 16), tall: 0.75, pen: 0.13, ..plain(6) }, "png"),
        // A corner of a wide picture.
        (Drawing { size: (900, 300), at: (0.12, 0.6), tall: 0.35, slant: 0.1, ..plain(7) }, "png"),
        // Light blue on dark blue, noisy, from above.
        (
            Drawing {
                ink: [140, 190, 250],
                paper: [20, 30, 80],
                noise: 14.0,
                shade: (0.0, 0.5),
                wide: 0.5,
                ..plain(8)
            },
            "jpg",
        ),
        // Green and magenta of the same brightness, by an unsteady hand.
        (
            Drawing {
                ink: [40, 150, 60],
                paper: [230, 90, 190],
                size: (300, 400),
                at: (0.4, 0.55),
                tall: 0.5,
                wobble: 0.02,
                seed: 3,
                ..plain(9)
            },
            "png",
        ),
    ]
}

fn save(picture: &RgbImage, path: &Path) {
    if path.extension().is_some_and(|ending| ending == "jpg") {
        let file = BufWriter::new(File::create(path).unwrap());
        JpegEncoder::new_with_quality(file, 80).encode_image(picture).unwrap();
    } else {
        picture.save(path).unwrap();
    }
}

#[test]
fn ten_drawn_digits_are_all_told() {
    let folder = tempdir().unwrap();
    let save = |(drawing, ending): &(Drawing, &str)| {
        let path = folder.path().join(format!("{}.{ending}", drawing.digit));
        save(&drawing.draw(), &path);
        path
    };
    let files: Vec<PathBuf> = drawings().iter().map(save).collect();
    let (told, message, code) = predict(&files);
    assert_eq!((message.as_str(), code), ("", 0));
    let digits: Vec<_> = told.iter().map(|one| one["digit"].as_u64().unwrap()).collect();
    assert_eq!(digits, (0..10).collect::<Vec<_>>());
    for one in told {
        let p: Vec<f64> = serde_json::from_value(one["probabilities"].clone()).unwrap();
        assert_eq!(p.len(), 10);
        assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-5);
        assert!(p.iter().all(|other| *other <= p[one["digit"].as_u64().unwrap() as usize]));
    }
}

/// `image` of MNIST, larger, in other colours, somewhere on a larger picture.
fn disguised(image: &[u8], rng: &mut ChaCha8Rng) -> RgbImage {
    let mut from = |low: f32, high: f32| low + (high - low) * rng.random::<f32>();
    let side = (28.0 * from(1.0, 7.0)) as u32;
    let small = image::GrayImage::from_raw(28, 28, image.to_vec()).unwrap();
    let large = imageops::resize(&small, side, side, FilterType::Triangle);
    let room = [from(0.0, 1.5), from(0.0, 1.5)].map(|share| (share * side as f32) as u32);
    let at = room.map(|room| (from(0.0, 1.0) * room as f32) as u32);
    let [paper, ink] =
        [[120.0, 255.0], [0.0, 90.0]].map(|[low, high]| [(); 3].map(|()| from(low, high)));
    let mut picture =
        RgbImage::from_pixel(side + room[0], side + room[1], Rgb(paper.map(|c| c as u8)));
    for (x, y, pixel) in large.enumerate_pixels() {
        let part = f32::from(pixel.0[0]) / 255.0;
        let colour = [0, 1, 2].map(|c| (paper[c] * (1.0 - part) + ink[c] * part) as u8);
        picture.put_pixel(x + at[0], y + at[1], Rgb(colour));
    }
    picture
}

#[test]
fn digits_of_mnist_are_classified_the_same_in_disguise() {
    let (model, params) = read_model(&find_trained(trained()).unwrap()).unwrap();
    let test =
        mnist::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/data/mnist"))).unwrap().test;
    let samples = 300;
    let (mut plain, mut prepared) = (Minibatch::default(), Minibatch::default());
    test.gather(0..samples, &mut plain);
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for (image, label) in plain.features.chunks(784).zip(&plain.labels) {
        let bytes: Vec<u8> = image.iter().map(|value| (255.0 * value).round() as u8).collect();
        let picture = DynamicImage::ImageRgb8(disguised(&bytes, &mut rng)).into_rgb32f();
        let digit = picture::prepare(&picture).expect("there is a digit");
        prepared.features.extend(digit.0);
        prepared.labels.push(*label);
    }
    let classes = |Minibatch { features, labels }: &Minibatch| -> Vec<usize> {
        let labels = Labels::classes(labels.clone(), 10);
        let split = Split::new(Features::floats(features.clone()), labels, 784).unwrap();
        let mut host = Host::open(model.clone(), split.clone()).unwrap();
        let all = classify(&mut host, &model, &params, &split, 0..samples).unwrap();
        all.iter().map(|one| one.ranked()[0]).collect()
    };
    let (raw, prepared) = (classes(&plain), classes(&prepared));
    let same = raw.iter().zip(&prepared).filter(|(raw, prepared)| raw == prepared).count();
    let right = |classes: &[usize]| {
        classes
            .iter()
            .zip(&plain.labels)
            .filter(|(class, label)| **class == **label as usize)
            .count()
    };
    println!(
        "{same} of {samples} the same; right {} raw, {} prepared",
        right(&raw),
        right(&prepared)
    );
    assert!(same * 100 >= 97 * samples, "{same} of {samples}");
}

#[test]
fn what_is_no_picture_of_a_digit_keeps_no_other_back() {
    let folder = tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    Drawing::plain(7).draw().save(file("seven.png")).unwrap();
    RgbImage::from_pixel(60, 40, Rgb([200, 210, 220])).save(file("blank.png")).unwrap();
    let speckled =
        Drawing { pen: 0.0, noise: 10.0, ink: [255; 3], shade: (0.4, 0.2), ..Drawing::plain(0) };
    speckled.draw().save(file("noise.png")).unwrap();
    fs::write(file("text.png"), "no picture").unwrap();
    let whole = fs::read(file("seven.png")).unwrap();
    fs::write(file("torn.png"), &whole[..whole.len() / 2]).unwrap();
    let names = ["blank.png", "noise.png", "text.png", "torn.png", "none.png", "seven.png"];
    let (told, message, code) = predict(&names.map(file));
    assert_eq!(code, 1);
    assert_eq!(told[5]["digit"], 7);
    for (at, reason) in ["no digit found", "no digit found", "", "", ""].iter().enumerate() {
        let error = told[at]["error"].as_str().unwrap();
        assert!(error.contains(names[at]) && error.contains(reason), "{error}");
        assert!(message.contains(error), "{message}");
    }
}

#[test]
fn the_table_names_each_picture_and_the_next_two_digits() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("four.png");
    Drawing::plain(4).draw().save(&path).unwrap();
    let weights = trained().to_str().unwrap();
    let output = tortoise(&["predict", "--show", "--weights", weights, path.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("picture") && lines[0].contains("p %"), "{text}");
    let cells: Vec<&str> = lines[1].split_whitespace().collect();
    assert_eq!(cells[..2], [path.to_str().unwrap(), "4"], "{text}");
    assert!(cells.len() == 7 && cells[3].ends_with(':') && cells[5].ends_with(':'), "{text}");
    assert_eq!(lines.len(), 2 + 2 + 28, "{text}");
    assert!(text.contains("██"));
}

/// A JPEG whose pixels lie on their side, and that says so.
fn on_its_side(picture: &RgbImage, path: &Path) {
    // A TIFF header with one entry: orientation 6, to be turned by a quarter to the right.
    let exif =
        [&b"II*\0\x08\0\0\0\x01\0"[..], &[0x12, 0x01, 3, 0, 1, 0, 0, 0, 6, 0, 0, 0], &[0; 4]];
    let turned = imageops::rotate270(picture);
    let mut encoder = JpegEncoder::new_with_quality(File::create(path).unwrap(), 95);
    encoder.set_exif_metadata(exif.concat()).unwrap();
    encoder.encode_image(&turned).unwrap();
}

#[test]
fn a_photo_on_its_side_is_turned_upright() {
    let folder = tempdir().unwrap();
    let picture = Drawing { size: (200, 260), ..Drawing::plain(7) }.draw();
    let path = folder.path().join("turned.jpg");
    on_its_side(&picture, &path);
    let read = picture::read(&path).unwrap();
    assert_eq!(read.dimensions(), (200, 260));
    let digit = |picture| picture::prepare(&picture).unwrap().0;
    let (turned, upright) = (digit(read), digit(DynamicImage::ImageRgb8(picture).into_rgb32f()));
    let most = turned.iter().zip(upright).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(most < 0.2, "{most}");
}

#[test]
fn ink_on_nothing_is_seen_whether_it_is_black_or_white() {
    let folder = tempdir().unwrap();
    let picture = Drawing::plain(3).draw();
    let digit = |value: u8| {
        let path = folder.path().join(format!("{value}.png"));
        let transparent = RgbaImage::from_fn(200, 200, |x, y| {
            image::Rgba([value, value, value, 255 - picture.get_pixel(x, y).0[0]])
        });
        transparent.save(&path).unwrap();
        picture::prepare(&picture::read(&path).unwrap()).unwrap()
    };
    let opaque = picture::prepare(&DynamicImage::ImageRgb8(picture.clone()).into_rgb32f()).unwrap();
    for value in [0, 255] {
        let pairs = digit(value).0.into_iter().zip(opaque.0);
        assert!(pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) < 0.02);
    }
}

#[track_caller]
fn refused(weights: &Path, image: &Path, fragment: &str) {
    let output =
        tortoise(&["predict", "--weights", weights.to_str().unwrap(), image.to_str().unwrap()]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(message.contains(fragment), "\"{fragment}\" is not in: {message}");
}

#[test]
fn weights_are_found_or_it_is_said_what_to_name() {
    let folder = tempdir().unwrap();
    let image = folder.path().join("one.png");
    Drawing::plain(1).draw().save(&image).unwrap();
    let small = Model::new(&Shape::mlp(&[3]), 16, 10, 0.0).unwrap();
    let file = folder.path().join("small.safetensors");
    write_params(&file, &small, &small.initial(0)).unwrap();
    refused(&file, &image, "the model takes images of 16 pixels");
    refused(&folder.path().join("none"), &image, "none");
    refused(&image, &image, "not a safetensors file");
    refused(folder.path(), &image, "is not the folder of a finished run");
    let race = folder.path().join("race");
    let logistic = Model::new(&Shape::logistic(), 784, 10, 0.0).unwrap();
    for entrant in ["async", "sync"] {
        let run = race.join(entrant).join("seed-0");
        fs::create_dir_all(&run).unwrap();
        write_params(&run.join("final.safetensors"), &logistic, &logistic.initial(0)).unwrap();
    }
    refused(&race, &image, "holds 2 trained models; name one of ");
    let mut params = logistic.initial(0);
    params[5] = f32::NAN;
    write_params(&file, &logistic, &params).unwrap();
    refused(&file, &image, "not all parameters are finite");
    for one in ["sync", "sync/seed-0", "sync/seed-0/final.safetensors"] {
        let weights = race.join(one);
        let output =
            tortoise(&["predict", "--weights", weights.to_str().unwrap(), image.to_str().unwrap()]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
