//! Parameters as safetensors, with names and shapes as `PyTorch` has them.

use std::{ops::Range, path::Path};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use super::write_whole;
use crate::{Error, Result, engine::model::Model, file};

/// The most bytes that are spent on saying what a tensor is, and as many on the whole.
const MOST_HEADER: u64 = 1 << 12;

/// How flat parameters are told apart in a file.
#[derive(Debug, Clone, Copy)]
pub enum Layout<'a> {
    /// Those of a model, layer by layer.
    Model(&'a Model),
    /// One tensor, `params`, of all of them.
    Flat,
}

impl<'a> From<&'a Model> for Layout<'a> {
    fn from(model: &'a Model) -> Self {
        Self::Model(model)
    }
}

/// Writes `params` to `path`: of a model `layers.0.weight` `[outputs, inputs]`, `layers.0.bias` `[outputs]`
/// and so on, in f32.
///
/// # Errors
/// [`Error::Io`].
///
/// # Panics
/// If there are fewer `params` than the model has.
pub fn write_params<'a>(path: &Path, layout: impl Into<Layout<'a>>, params: &[f32]) -> Result<()> {
    write_whole(path, &params_file(layout, params))
}

/// The bytes that [`write_params`] writes.
///
/// # Panics
/// If there are fewer `params` than the model has.
pub fn params_file<'a>(layout: impl Into<Layout<'a>>, params: &[f32]) -> Vec<u8> {
    let all = match layout.into() {
        Layout::Model(model) => tensors(model).collect(),
        Layout::Flat => {
            let name = "params".to_owned();
            vec![Tensor { name, shape: vec![params.len()], params: 0..params.len() }]
        }
    };
    let tensors: Vec<_> = all
        .into_iter()
        .map(|Tensor { name, shape, params: place }| {
            let values = &params[place];
            let data = match *shape {
                [outputs, _] => {
                    let column = |o| values.iter().skip(o).step_by(outputs).copied();
                    bytes((0..outputs).flat_map(column))
                }
                _ => bytes(values.iter().copied()),
            };
            (name, shape, data)
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, data)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), data);
        (name, view.expect("the data are as long as the shape says"))
    });
    // One entry only: a map has no order, and the same run must give the same bytes.
    let metadata = [("format".to_owned(), "pt".to_owned())].into_iter().collect();
    safetensors::serialize(views, Some(metadata)).expect("the names are distinct")
}

/// Reads what [`write_params`] has written, to the bit: the flat parameters of `model`.
///
/// # Errors
/// [`Error::Io`] where the file cannot be read, is no regular file or is longer by far than the
/// model needs; [`Error::Config`] naming the file and the tensor where it does not hold exactly the
/// model's tensors.
pub fn read_params(path: &Path, model: &Model) -> Result<Vec<f32>> {
    let tensors = 2 * model.layers().len() as u64;
    let most = 4 * model.params() as u64 + MOST_HEADER * (1 + tensors);
    parse_params(path, model, &file::bytes(path, most).map_err(Error::io(path))?)
}

/// What [`read_params`] makes of a file at `path` with these bytes.
///
/// # Errors
/// [`Error::Config`] as there.
pub fn parse_params(path: &Path, model: &Model, bytes: &[u8]) -> Result<Vec<f32>> {
    let wrong = |what: String| Error::config(format!("{}: {what}", path.display()));
    let file = SafeTensors::deserialize(bytes)
        .map_err(|error| wrong(format!("not a safetensors file, or a damaged one ({error})")))?;
    let mut views = Vec::with_capacity(file.len());
    for expected in tensors(model) {
        let Tensor { name, shape, .. } = &expected;
        let found = file.tensor(name).map_err(|_| {
            wrong(format!("{name}: shape {shape:?} expected, no such tensor found"))
        })?;
        let (dtype, found_shape) = (found.dtype(), found.shape());
        if dtype != Dtype::F32 {
            return Err(wrong(format!("{name}: {:?} expected, {dtype:?} found", Dtype::F32)));
        }
        if found_shape != shape {
            return Err(wrong(format!("{name}: shape {shape:?} expected, {found_shape:?} found")));
        }
        views.push((expected, found));
    }
    let known = |name: &str| views.iter().any(|(known, _)| known.name == name);
    let extra = file.iter().filter(|(name, _)| file.len() > views.len() && !known(name));
    if let Some((name, found)) = extra.min_by_key(|(name, _)| *name) {
        let (name, shape) = (name.escape_debug(), found.shape());
        return Err(wrong(format!("{name}: no such tensor expected, shape {shape:?} found")));
    }
    let mut params = vec![0.0; model.params()];
    for (Tensor { shape, params: place, .. }, view) in views {
        let (words, _) = view.data().as_chunks::<4>();
        // A bias is as if of one input.
        let (outputs, inputs) = (shape[0], shape.get(1).copied().unwrap_or(1));
        let params = &mut params[place];
        for (at, word) in words.iter().enumerate() {
            params[at % inputs * outputs + at / inputs] = f32::from_le_bytes(*word);
        }
    }
    Ok(params)
}

/// A tensor of the file, and where its parameters lie in the flat vector.
struct Tensor {
    name: String,
    shape: Vec<usize>,
    params: Range<usize>,
}

/// Those of the model, in order.
fn tensors(model: &Model) -> impl Iterator<Item = Tensor> {
    model.layers().iter().enumerate().flat_map(|(number, layer)| {
        let tensor = |what, shape, params| {
            let name = format!("layers.{number}.{what}");
            Tensor { name, shape, params }
        };
        [
            tensor("weight", vec![layer.outputs, layer.inputs], layer.weight()),
            tensor("bias", vec![layer.outputs], layer.bias()),
        ]
    })
}

fn bytes(values: impl Iterator<Item = f32>) -> Vec<u8> {
    values.flat_map(f32::to_le_bytes).collect()
}
