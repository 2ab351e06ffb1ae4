//! `show` tells of a model what one can count by hand: a data set of ten pictures, each with its own
//! pixel, and weights that know each pixel's class.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use resvg::usvg::{Options, Tree};
use serde_json::{Value, json};
use tempfile::tempdir;
use tortoise::{
    dataset::{Features, Labels, Minibatch, Split},
    engine::{
        classify::classify,
        host::{Host, reference},
        model::{Model, Shape},
    },
    record::write_params,
    report::model::weights::{Unit, units},
};

/// The labels of the test set: sample n shows the pixel of digit n, but two are labelled otherwise.
const LABELS: [u8; 10] = [0, 1, 2, 3, 4, 5, 6, 1, 8, 4];

fn idx(path: &Path, sizes: &[u32], elements: &[u8]) {
    let sizes_bytes = sizes.iter().flat_map(|size| size.to_be_bytes());
    let head = [0, 0, 8, sizes.len() as u8].into_iter().chain(sizes_bytes);
    fs::write(path, head.chain(elements.iter().copied()).collect::<Vec<u8>>()).unwrap();
}

/// Pictures of 4 by 4 pixels: sample n has nothing but pixel n.
fn data(folder: &Path) {
    let pixels: Vec<u8> =
        (0..10).flat_map(|n| (0..16).map(move |at| if at == n { 255 } else { 0 })).collect();
    for name in ["train", "t10k"] {
        let file = |what: &str| folder.join(format!("{name}-{what}-ubyte"));
        idx(&file("images-idx3"), &[10, 4, 4], &pixels);
        idx(&file("labels-idx1"), &[10], &LABELS);
    }
}

/// Class n has weight 4 at pixel n, except that pixel 9 says 9 with a weight of 7.
fn weights(folder: &Path) -> PathBuf {
    let model = Model::new(&Shape::logistic(), 16, 10, 0.0).unwrap();
    let mut params = vec![0.0; model.params()];
    (0..10).for_each(|n| params[n * 10 + n] = if n == 9 { 7.0 } else { 4.0 });
    let path = folder.join("weights.safetensors");
    write_params(&path, &model, &params).unwrap();
    path
}

fn show(folder: &Path, more: &[&str]) -> Output {
    let [data, weights, out] = ["data", "weights.safetensors", "out"].map(|name| folder.join(name));
    Command::new(assert_cmd::cargo::cargo_bin!("tortoise"))
        .args(["show", "--weights", weights.to_str().unwrap(), "--data", data.to_str().unwrap()])
        .args(["--out", out.to_str().unwrap()])
        .args(more)
        .output()
        .unwrap()
}

#[test]
fn what_is_told_can_be_counted_by_hand() {
    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    data(&folder.path().join("data"));
    weights(folder.path());
    let output = show(folder.path(), &["--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["samples"], &told["accuracy"]), (&json!(10), &json!(0.8)));
    // p = e^4 / (e^4 + 9) where it is right.
    let [p, sure] = [4.0_f64, 7.0].map(|weight| weight.exp() / (weight.exp() + 9.0));
    let right = -8.0 * p.ln();
    let wrong = (4.0 - p.ln()) + (7.0 - sure.ln());
    assert!((told["loss"].as_f64().unwrap() - (right + wrong) / 10.0).abs() < 1e-5);
    let class = |n: usize| {
        [
            &told["classes"][n]["samples"],
            &told["classes"][n]["recall"],
            &told["classes"][n]["precision"],
        ]
    };
    assert_eq!(class(0), [&json!(1), &json!(1.0), &json!(1.0)]);
    assert_eq!(class(1), [&json!(2), &json!(0.5), &json!(1.0)]);
    assert_eq!(class(7), [&json!(0), &Value::Null, &json!(0.0)]);
    assert_eq!(told["confusion"][4], json!([0, 0, 0, 0, 1, 0, 0, 0, 0, 1]));
    assert_eq!(
        told["confused"],
        json!([
            { "label": 1, "prediction": 7, "count": 1 },
            { "label": 4, "prediction": 9, "count": 1 },
        ])
    );
    let mistakes = told["mistakes"].as_array().unwrap();
    let places: Vec<_> =
        mistakes.iter().map(|mistake| mistake["sample"].as_u64().unwrap()).collect();
    assert_eq!(places, [9, 7], "the highest loss comes first");
    assert!((mistakes[0]["probability"].as_f64().unwrap() - sure).abs() < 1e-6);
}

#[test]
fn pictures_are_whole_and_stand_alone() {
    let folder = tempdir().unwrap();
    fs::create_dir(folder.path().join("data")).unwrap();
    data(&folder.path().join("data"));
    weights(folder.path());
    let output = show(folder.path(), &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("accuracy 80.00 %") && text.contains("1 taken for 7: 1"), "{text}");
    for name in ["confusion", "mistakes", "weights"] {
        let file = |ending: &str| folder.path().join("out").join(name).with_extension(ending);
        let svg = fs::read_to_string(file("svg")).unwrap();
        let tree = Tree::from_str(&svg, &Options::default()).unwrap();
        let png = image::open(file("png")).unwrap();
        assert_eq!(png.width(), 2 * tree.size().width() as u32);
        assert!(!svg.contains("NaN"), "{svg}");
        assert!(svg.matches("href").count() == svg.matches("href=\"data:").count());
    }
    let svg = fs::read_to_string(folder.path().join("out/mistakes.svg")).unwrap();
    assert!(svg.contains(">4 as 9<") && svg.contains(">1 as 7<"));
    let svg = fs::read_to_string(folder.path().join("out/weights.svg")).unwrap();
    assert_eq!(svg.matches("<image").count(), 10 + 1, "one a class, and the scale");
}

#[test]
fn a_model_of_other_images_is_refused() {
    let folder = tempdir().unwrap();
    weights(folder.path());
    fs::create_dir(folder.path().join("data")).unwrap();
    data(&folder.path().join("data"));
    let model = Model::new(&Shape::mlp(&[2]), 784, 10, 0.0).unwrap();
    write_params(&folder.path().join("weights.safetensors"), &model, &model.initial(0)).unwrap();
    let output = show(folder.path(), &[]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{message}");
    assert!(message.contains("takes 784 pixels") && message.contains("has 16 and 10"), "{message}");
    assert!(!folder.path().join("out").exists(), "nothing is left behind");
}

#[test]
fn units_stand_with_the_class_they_raise_most() {
    let model = Model::new(&Shape::mlp(&[3]), 2, 2, 0.0).unwrap();
    // W of the first layer [2, 3] and b, W of the second [3, 2] and b.
    let params = [3.0, 0.0, 1.0, 4.0, 2.0, 0.0, 0.0, 0.0, 0.0]
        .into_iter()
        .chain([1.0, -1.0, 2.0, 5.0, 6.0, 0.0, 0.0, 0.0])
        .collect::<Vec<f32>>();
    let unit = |unit, class, strength| Unit { unit, class, strength };
    assert_eq!(units(&model, &params), [unit(2, 0, 6.0), unit(0, 0, 5.0), unit(1, 1, 10.0)]);
}

#[test]
fn probabilities_are_those_of_the_reference() {
    for shape in [Shape::logistic(), Shape::mlp(&[7]), Shape::mlp(&[9, 5])] {
        let model = Model::new(&shape, 30, 10, 0.01).unwrap();
        let params = model.initial(3);
        let image: Vec<f32> = (0..30).map(|at| (at as f32 * 0.7).sin().abs()).collect();
        let one = |label| Minibatch { features: image.clone(), labels: vec![label] };
        let labels = Labels::classes((0..10).collect(), 10);
        let data = Split::new(Features::floats(image.repeat(10)), labels, 30).unwrap();
        let mut host = Host::open(model.clone(), data.clone()).unwrap();
        let all = classify(&mut host, &model, &params, &data, 0..10).unwrap();
        let wide: Vec<f64> = params.iter().map(|w| f64::from(*w)).collect();
        for (label, told) in (0..10).zip(all) {
            let (loss, _) = reference::evaluate(&model, &wide, &one(label));
            assert!((f64::from(told.loss) - loss).abs() < 1e-5);
            let p = (-(loss - model.penalty(&params))).exp();
            assert!((f64::from(told.probabilities[label as usize]) - p).abs() < 1e-6);
        }
    }
}
