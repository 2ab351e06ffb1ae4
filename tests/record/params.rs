//! Parameters are read as they were written, to the bit, and nothing else is taken for them: the
//! refusal names the file, the tensor, what the model needs and what is there.

use std::{fs, path::Path};

use safetensors::{Dtype, tensor::TensorView};
use tempfile::tempdir;
use tortoise::{
    Error,
    engine::model::{Model, Shape},
    record::{params_file, parse_params, read_params, write_params},
};

fn model(hidden: &[usize]) -> Model {
    let shape = if hidden.is_empty() { Shape::logistic() } else { Shape::mlp(hidden) };
    Model::new(&shape, 4, 2, 0.0).unwrap()
}

/// Name, type, shape and data.
type Tensor = (&'static str, Dtype, Vec<usize>, Vec<u8>);

/// Those of a model with a hidden layer of width 3.
fn tensors() -> [Tensor; 4] {
    [("layers.0.weight", 12), ("layers.0.bias", 3), ("layers.1.weight", 6), ("layers.1.bias", 2)]
        .map(|(name, count)| {
            let shape = match count {
                12 => vec![3, 4],
                6 => vec![2, 3],
                _ => vec![count],
            };
            let values = (0..count).flat_map(|value| (value as f32).to_le_bytes());
            (name, Dtype::F32, shape, values.collect())
        })
}

fn file(tensors: &[Tensor]) -> Vec<u8> {
    let views = tensors.iter().map(|(name, dtype, shape, data)| {
        (*name, TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

#[track_caller]
fn check_refused(bytes: &[u8], fragment: &str) {
    let read = parse_params(Path::new("some.safetensors"), &model(&[3]), bytes);
    let Err(Error::Config(message)) = read else { panic!("the file is taken, or no setting") };
    assert!(message.starts_with("some.safetensors: "), "\"{message}\" does not name the file");
    assert!(message.contains(fragment), "\"{message}\" does not say \"{fragment}\"");
}

#[test]
fn what_is_written_is_read_to_the_bit() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("params.safetensors");
    for hidden in [&[][..], &[3], &[5, 1, 2], &[1; 300]] {
        let model = model(hidden);
        let mut params = model.initial(7);
        let odd = [0x7fa0_1234, 0xffc0_0001, 0xff80_0000, 0x8000_0000, 1].map(f32::from_bits);
        params[3..8].copy_from_slice(&odd);
        write_params(&path, &model, &params).unwrap();
        assert_eq!(fs::read(&path).unwrap(), params_file(&model, &params));
        let read = read_params(&path, &model).unwrap();
        let bits = |params: &[f32]| params.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&read), bits(&params), "{hidden:?}");
    }
}

#[test]
fn weights_lie_in_the_file_as_outputs_by_inputs() {
    let read = parse_params(Path::new(""), &model(&[3]), &file(&tensors())).unwrap();
    let expected = [
        [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11].as_slice(),
        &[0, 1, 2],
        &[0, 3, 1, 4, 2, 5],
        &[0, 1],
    ];
    assert_eq!(read, expected.concat().into_iter().map(|value| value as f32).collect::<Vec<_>>());
}

#[test]
fn every_prefix_of_a_file_is_refused() {
    let bytes = file(&tensors());
    for end in 0..bytes.len() {
        check_refused(&bytes[..end], "not a safetensors file, or a damaged one");
    }
    check_refused(&[&bytes[..], &[0]].concat(), "not a safetensors file, or a damaged one");
}

#[test]
fn other_tensors_than_the_model_has_are_refused_by_name() {
    let altered = |at: usize, alter: &dyn Fn(&mut Tensor)| {
        let mut tensors = tensors();
        alter(&mut tensors[at]);
        file(&tensors)
    };
    let transposed = altered(0, &|tensor| tensor.2 = vec![4, 3]);
    check_refused(&transposed, "layers.0.weight: shape [3, 4] expected, [4, 3] found");
    let flat = altered(2, &|tensor| tensor.2 = vec![6]);
    check_refused(&flat, "layers.1.weight: shape [2, 3] expected, [6] found");
    let integers = altered(1, &|tensor| tensor.1 = Dtype::I32);
    check_refused(&integers, "layers.0.bias: F32 expected, I32 found");
    let halves = altered(3, &|tensor| (tensor.1, tensor.3) = (Dtype::F16, vec![0; 4]));
    check_refused(&halves, "layers.1.bias: F32 expected, F16 found");
    let renamed = altered(3, &|tensor| tensor.0 = "layers.1.offset");
    check_refused(&renamed, "layers.1.bias: shape [2] expected, no such tensor found");
    let missing = file(&tensors()[..3]);
    check_refused(&missing, "layers.1.bias: shape [2] expected, no such tensor found");
    let extra = ("layers.2.bias", Dtype::F32, vec![1, 1], vec![0; 4]);
    let extra = file(&[&tensors()[..], &[extra]].concat());
    check_refused(&extra, "layers.2.bias: no such tensor expected, shape [1, 1] found");
    let empty = ("a\u{1b}[31m", Dtype::F32, vec![0], vec![]);
    let empty = file(&[&tensors()[..], &[empty]].concat());
    check_refused(&empty, "a\\u{1b}[31m: no such tensor expected, shape [0] found");
}

#[test]
fn a_header_longer_than_the_file_is_refused() {
    for length in [9, 100_000_000, 1 << 40, u64::MAX] {
        check_refused(&[&length.to_le_bytes()[..], b"{}"].concat(), "damaged");
    }
}

#[test]
fn what_is_too_long_or_no_regular_file_is_refused_unread() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("long.safetensors");
    // Sparse: 10 GB that nobody stores, and that nobody could read in time.
    fs::File::create(&path).unwrap().set_len(10_000_000_000).unwrap();
    let refusal = |path: &Path| match read_params(path, &model(&[])) {
        Err(error @ Error::Io { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    };
    let message = refusal(&path);
    assert!(message.ends_with("long.safetensors: it has more than 12328 bytes"), "{message}");
    assert!(refusal(folder.path()).ends_with("it is not a regular file"));
    assert!(refusal(&folder.path().join("none")).contains("none: "));
}
