//! `predict` on what people really give it: digits in boxes and circles, several in a row, pictures cut
//! off, far too large or of another kind, names that are no text, models that have no answer. What it
//! cannot read it refuses by name, and it answers the rest.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use image::{RgbImage, codecs::jpeg::JpegEncoder};
use jpeg_encoder::{ColorType, Encoder};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use tempfile::tempdir;
use tortoise::{
    engine::model::{Model, Shape},
    picture,
    record::write_params,
};

use crate::{
    drawn::Drawing,
    framed::{Frame, in_a_row},
    trained::trained,
};

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("tortoise"));
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("TORTOISE_DATA");
    command
}

fn predict(weights: &Path, files: &[PathBuf]) -> Output {
    let mut predict = command(&["predict", "--json", "--weights"]);
    predict.arg(weights).args(files).output().unwrap()
}

fn told(output: &Output) -> Vec<Value> {
    let message = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{message}"))
}

/// The digits told of a picture, and how sure of the one that it is least sure of.
fn digits(told: &Value) -> Option<(Vec<u64>, f64)> {
    let alone = std::slice::from_ref(told);
    let answers = match &told["digits"] {
        Value::Array(several) => several,
        _ if told["digit"].is_u64() => alone,
        _ => return None,
    };
    let p = |answer: &Value| {
        let p: Vec<f64> = serde_json::from_value(answer["probabilities"].clone()).unwrap();
        p.into_iter().fold(0.0, f64::max)
    };
    let all = answers.iter().map(|answer| answer["digit"].as_u64().unwrap()).collect();
    Some((all, answers.iter().map(p).fold(1.0, f64::min)))
}

/// A digit by an unsteady hand.
fn by_hand(digit: usize, rng: &mut ChaCha8Rng) -> Drawing {
    let mut from = |low: f32, high: f32| low + (high - low) * rng.random::<f32>();
    Drawing {
        pen: from(0.06, 0.14),
        slant: from(-0.1, 0.2),
        turn: from(-6.0, 6.0),
        wobble: from(0.0, 0.015),
        wide: from(0.5, 0.7),
        seed: from(0.0, 1000.0) as u64,
        ..Drawing::plain(digit)
    }
}

/// Draws twenty, and how many are read as they are or refused by name; none may be wrong and sure.
#[track_caller]
fn read_or_refused(name: &str, draw: impl Fn(usize, &mut ChaCha8Rng) -> (Vec<usize>, RgbImage)) {
    let folder = tempdir().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let (mut files, mut expected) = (Vec::new(), Vec::new());
    for at in 0..20 {
        let (digits, picture) = draw(at, &mut rng);
        let file = folder.path().join(format!("{at}.png"));
        picture.save(&file).unwrap();
        files.push(file);
        expected.push(digits.into_iter().map(|digit| digit as u64).collect::<Vec<_>>());
    }
    let told = told(&predict(trained(), &files));
    let mut wrong = Vec::new();
    for (told, expected) in told.iter().zip(&expected) {
        match digits(told) {
            Some((digits, _)) if digits == *expected => {}
            Some((digits, p)) => {
                assert!(p <= 0.9, "{name}: {expected:?} as {digits:?}, {p}");
                wrong.push((expected, digits));
            }
            None => assert!(told["error"].as_str().unwrap().contains("on it"), "{told}"),
        }
    }
    let read = told.iter().filter(|told| digits(told).is_some()).count();
    assert!(wrong.len() <= 1, "{name}: {wrong:?}");
    assert!(read >= 15, "{name}: only {read} of 20 are read");
}

#[test]
fn digits_in_boxes_and_circles_are_read() {
    for frame in [
        Frame { shape: 0, ..Frame::PLAIN },
        Frame { shape: 1, turn: 5.0, ..Frame::PLAIN },
        Frame { shape: 2, ..Frame::PLAIN },
        Frame { shape: 0, thick: 0.06, light: true, ..Frame::PLAIN },
        Frame { shape: 2, gap: 8.0, wide: 1.2, ..Frame::PLAIN },
        Frame { shape: 0, room: 0.97, ..Frame::PLAIN },
        Frame { shape: 0, at_edge: true, ..Frame::PLAIN },
    ] {
        read_or_refused(&format!("{frame:?}"), |at, rng| {
            (vec![at % 10], frame.around(&by_hand(at % 10, rng).draw()))
        });
    }
}

#[test]
fn digits_in_a_row_are_read_one_by_one() {
    for room in [0.15, 0.6] {
        read_or_refused(&format!("{room}"), |at, rng| {
            let digits: Vec<usize> = (0..2 + at % 5).map(|_| rng.random_range(0..10)).collect();
            let drawn: Vec<_> = digits.iter().map(|digit| by_hand(*digit, rng).draw()).collect();
            (digits, in_a_row(&drawn, room))
        });
    }
}

#[test]
fn digits_below_each_other_are_refused() {
    let folder = tempdir().unwrap();
    let file = folder.path().join("two.png");
    let mut picture = RgbImage::new(200, 400);
    for (digit, top) in [(3, 0), (5, 200)] {
        image::imageops::replace(&mut picture, &Drawing::plain(digit).draw(), 0, top);
    }
    picture.save(&file).unwrap();
    let told = told(&predict(trained(), &[file]));
    assert!(told[0]["error"].as_str().unwrap().contains("more than one line"), "{told:?}");
}

/// A baseline and a progressive JPEG, with and without restarts.
fn jpegs() -> Vec<Vec<u8>> {
    let picture = Drawing { noise: 5.0, ..Drawing::plain(3) }.draw();
    let mut all = Vec::new();
    for (progressive, restarts) in [(false, 0), (false, 4), (true, 0)] {
        let mut bytes = Vec::new();
        let mut encoder = Encoder::new(&mut bytes, 85);
        encoder.set_progressive(progressive);
        encoder.set_restart_interval(restarts);
        encoder.encode(&picture, 200, 200, ColorType::Rgb).unwrap();
        all.push(bytes);
    }
    all
}

fn error(bytes: &[u8]) -> String {
    match picture::parse(Path::new("a file"), bytes) {
        Ok(_) => panic!("{} bytes are taken", bytes.len()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_picture_of_which_the_end_is_missing_is_none() {
    let mut png = Vec::new();
    let picture = Drawing::plain(3).draw();
    picture.write_to(&mut std::io::Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
    let mut old = Vec::new();
    JpegEncoder::new_with_quality(&mut old, 80).encode_image(&picture).unwrap();
    for whole in jpegs().into_iter().chain([png, old]) {
        assert!(picture::parse(Path::new("a file"), &whole).is_ok());
        let padded = [&whole[..], &[0; 999], b"\xff\xd8 and more"].concat();
        assert!(picture::parse(Path::new("a file"), &padded).is_ok());
        let cuts = (1..100).map(|percent| whole.len() * percent / 100);
        for cut in cuts.chain([whole.len() - 2, whole.len() - 1, 1]) {
            let message = error(&whole[..cut]);
            assert!(message.contains("cut off"), "{cut} of {}: {message}", whole.len());
        }
    }
}

#[test]
fn a_jpeg_that_was_cut_off_and_closed_again_is_none() {
    for whole in jpegs() {
        for percent in [30, 50, 70, 90] {
            let cut = &whole[..whole.len() * percent / 100];
            for end in [&b"\xff\xd9"[..], &[0; 5000]] {
                let message = error(&[cut, end].concat());
                assert!(message.contains("cut off"), "{percent} %: {message}");
            }
        }
    }
}

#[test]
fn what_is_no_png_or_jpeg_is_named() {
    for (head, name) in [
        (&b"GIF89a"[..], "a GIF"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "a WebP"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "an AVIF"),
        (b"BM\x36\0\0\0", "a BMP"),
        (b"II*\0", "a TIFF"),
        (b"%PDF-1.7", "a PDF"),
        (b"<?xml version=\"1.0\"?>\n<svg/>", "an SVG"),
    ] {
        let message = error(head);
        assert!(message.contains(name) && message.contains("PNG and JPEG are read"), "{message}");
    }
    assert!(error(b"").contains("empty"));
    assert!(error(b"some text").contains("PNG and JPEG are read"));
}

/// A JPEG's first segments, for so many pixels.
fn header(progressive: bool, side: u16) -> Vec<u8> {
    let [high, low] = side.to_be_bytes();
    let code = if progressive { 0xc2 } else { 0xc0 };
    let frame = [0xff, code, 0, 17, 8, high, low, high, low, 3, 1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0];
    [&[0xff, 0xd8][..], &frame].concat()
}

#[test]
fn what_is_too_large_is_refused_with_the_limit() {
    let message = error(&header(false, 20_000));
    assert!(message.contains("20000 x 20000") && message.contains("16384"), "{message}");
    let message = error(&header(true, 16_000));
    assert!(message.contains("progressive") && message.contains("MiB"), "{message}");
}

/// A PNG with a drawn digit, each pixel repeated, written row by row.
#[cfg(target_os = "linux")]
fn large(file: &Path, times: u32, colours: png::ColorType, depth: png::BitDepth) {
    let picture = Drawing::plain(7).draw();
    let out = std::io::BufWriter::new(fs::File::create(file).unwrap());
    let mut encoder = png::Encoder::new(out, 200 * times, 200 * times);
    encoder.set_color(colours);
    encoder.set_depth(depth);
    encoder.set_compression(png::Compression::Fastest);
    let mut writer = encoder.write_header().unwrap();
    let mut writer = writer.stream_writer().unwrap();
    for y in 0..200 {
        let dark = |x: u32| picture.get_pixel(x, y).0[0] < 128;
        let row: Vec<u8> = match depth {
            png::BitDepth::One => (0..25 * times)
                .map(|byte| {
                    let bit = |at: u32| u8::from(!dark((8 * byte + at) / times)) << (7 - at);
                    (0..8).map(bit).sum()
                })
                .collect(),
            _ => {
                (0..200 * times).flat_map(|x| [if dark(x / times) { 0 } else { 255 }; 3]).collect()
            }
        };
        for _ in 0..times {
            std::io::Write::write_all(&mut writer, &row).unwrap();
        }
    }
    writer.finish().unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn a_large_picture_takes_little_memory() {
    let folder = tempdir().unwrap();
    for (name, times, colours, depth) in [
        ("one-bit.png", 80, png::ColorType::Grayscale, png::BitDepth::One),
        ("colours.png", 40, png::ColorType::Rgb, png::BitDepth::Eight),
    ] {
        let file = folder.path().join(name);
        large(&file, times, colours, depth);
        let mut predict = command(&["predict", "--json", "--weights"]);
        let out = fs::File::create(folder.path().join("out")).unwrap();
        let mut child = predict.arg(trained()).arg(&file).stdout(out).spawn().unwrap();
        let status = format!("/proc/{}/status", child.id());
        let mut most = 0;
        while child.try_wait().unwrap().is_none() {
            let text = fs::read_to_string(&status).unwrap_or_default();
            let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
            most = kibibytes.unwrap_or(0).max(most);
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let text = fs::read(folder.path().join("out")).unwrap();
        let told: Vec<Value> = serde_json::from_slice(&text).unwrap();
        assert_eq!(told[0]["digit"], 7, "{told:?}");
        assert!(most > 0 && most < 300 << 10, "{name} takes {most} KiB");
    }
}

#[cfg(unix)]
#[test]
fn a_name_that_is_no_text_keeps_no_other_back() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let folder = tempdir().unwrap();
    let file = |name: &[u8]| folder.path().join(OsStr::from_bytes(name));
    Drawing::plain(7).draw().save(file(b"seven.png")).unwrap();
    fs::copy(file(b"seven.png"), file(b"p\xff.png")).unwrap();
    let names: [&[u8]; 4] = [b"seven.png", b"none\xff.png", b"p\xff.png", b"."];
    let output = predict(trained(), &names.map(file));
    assert_eq!(output.status.code(), Some(1));
    let told = told(&output);
    assert_eq!((&told[0]["digit"], &told[2]["digit"]), (&7.into(), &7.into()));
    for at in [1, 3] {
        assert!(told[at]["error"].is_string(), "{told:?}");
    }
    assert!(told[2]["file"].as_str().unwrap().ends_with("p\u{fffd}.png"));
}

/// The weights of a model of these classes, with this value for all, and a picture of a 7.
fn weights(folder: &Path, shape: &Shape, classes: usize, value: f64) -> [PathBuf; 2] {
    let [file, picture] = ["w.safetensors", "seven.png"].map(|name| folder.join(name));
    let model = Model::new(shape, 784, classes, 0.0).unwrap();
    let mut params: Vec<f32> = model.initial(0);
    params.iter_mut().for_each(|w| *w = (f64::from(*w) * value) as f32);
    write_params(&file, &model, &params).unwrap();
    Drawing::plain(7).draw().save(&picture).unwrap();
    [file, picture]
}

#[test]
fn a_model_whose_logits_are_not_finite_has_no_answer() {
    let folder = tempdir().unwrap();
    // With 784 inputs the first weights are less than 1/28.
    for (shape, value) in [(Shape::logistic(), 9e39_f64), (Shape::mlp(&[9, 9]), 1e20)] {
        let [file, picture] = weights(folder.path(), &shape, 10, value);
        let output = predict(&file, &[picture]);
        let told = told(&output);
        assert_eq!(output.status.code(), Some(1), "{told:?}");
        assert!(told[0]["error"].as_str().unwrap().contains("not finite"), "{told:?}");
        let out = folder.path().join("shown");
        let show = command(&["show", "--weights"]).arg(&file).arg("--out").arg(&out).output();
        let show = show.unwrap();
        assert_eq!(show.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&show.stderr).contains("not finite") && !out.exists());
    }
    // Large, but finite.
    let [file, picture] = weights(folder.path(), &Shape::logistic(), 10, 1e30);
    let told = told(&predict(&file, &[picture]));
    let p: Vec<f64> = serde_json::from_value(told[0]["probabilities"].clone()).unwrap();
    assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-6 && p.contains(&1.0), "{p:?}");
}

#[test]
fn a_model_of_other_classes_tells_classes() {
    let folder = tempdir().unwrap();
    let [file, picture] = weights(folder.path(), &Shape::logistic(), 26, 1.0);
    let told = told(&predict(&file, std::slice::from_ref(&picture)));
    assert!(told[0]["class"].is_u64() && told[0]["digit"].is_null(), "{told:?}");
    let output = command(&["predict", "--weights"]).arg(&file).arg(&picture).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("class") && !text.contains("digit"), "{text}");
}
