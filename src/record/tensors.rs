//! Parameters as safetensors, with names and shapes as `PyTorch` has them.

use std::{collections::HashMap, path::Path};

use safetensors::{Dtype, tensor::TensorView};

use super::write_whole;
use crate::{Error, Result, engine::model::Model};

/// Writes `params` to `path`: `layers.0.weight` `[outputs, inputs]`, `layers.0.bias` `[outputs]`
/// and so on, in f32.
///
/// # Errors
/// [`Error::Io`].
pub fn write_params(path: &Path, model: &Model, params: &[f32]) -> Result<()> {
    let mut tensors = Vec::with_capacity(2 * model.layers().len());
    for (number, layer) in model.layers().iter().enumerate() {
        let weight = &params[layer.weight()];
        let columns = (0..layer.outputs)
            .flat_map(|output| weight.iter().skip(output).step_by(layer.outputs).copied());
        let (inputs, outputs) = (layer.inputs, layer.outputs);
        tensors.push((format!("layers.{number}.weight"), vec![outputs, inputs], bytes(columns)));
        let bias = params[layer.bias()].iter().copied();
        tensors.push((format!("layers.{number}.bias"), vec![outputs], bytes(bias)));
    }
    let views = tensors.iter().map(|(name, shape, data)| {
        let view = TensorView::new(Dtype::F32, shape.clone(), data);
        (name, view.expect("the data are as long as the shape says"))
    });
    // One entry only: a map has no order, and the same run must give the same bytes.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let file = safetensors::serialize(views, Some(metadata))
        .map_err(|error| Error::io(path)(std::io::Error::other(error)))?;
    write_whole(path, &file)
}

fn bytes(values: impl Iterator<Item = f32>) -> Vec<u8> {
    values.flat_map(f32::to_le_bytes).collect()
}
