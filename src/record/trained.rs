//! A model read back from nothing but its parameters: the shapes of the tensors tell its layers.

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;

use super::parse_params;
use crate::{
    Error, Result,
    engine::model::{Model, Shape},
    file,
};

/// The most bytes of a file: as many parameters as a model may have, and what names them.
const MOST_BYTES: u64 = (4 << 28) + (1 << 20);
/// What a run leaves.
const FINAL: &str = "final.safetensors";

/// Reads the model and its flat parameters from a file that [`write_params`](super::write_params)
/// wrote: `layers.0.weight` `[outputs, inputs]`, `layers.0.bias` and so on. Its L2 is 0.
///
/// # Errors
/// [`Error::Io`] where the file cannot be read; [`Error::Config`] naming the file where its tensors
/// are not those of a model, or are not finite.
pub fn read_model(path: &Path) -> Result<(Model, Vec<f32>)> {
    let bytes = file::named_bytes(path, MOST_BYTES).map_err(Error::io(path))?;
    parse_model(path, &bytes)
}

/// What [`read_model`] makes of a file at `path` with these bytes.
///
/// # Errors
/// [`Error::Config`] as there.
pub fn parse_model(path: &Path, bytes: &[u8]) -> Result<(Model, Vec<f32>)> {
    let wrong = |what: String| Error::config(format!("{}: {what}", file::name(path)));
    let tensors = SafeTensors::deserialize(bytes)
        .map_err(|error| wrong(format!("not a safetensors file, or a damaged one ({error})")))?;
    let mut sides = Vec::new();
    while let Ok(weight) = tensors.tensor(&format!("layers.{}.weight", sides.len())) {
        match *weight.shape() {
            [outputs, inputs] if outputs > 0 && inputs > 0 => sides.push([outputs, inputs]),
            ref shape => {
                let number = sides.len();
                return Err(wrong(format!(
                    "layers.{number}.weight: shape [outputs, inputs] expected, {shape:?} found"
                )));
            }
        }
    }
    let (Some([_, inputs]), Some([classes, _])) = (sides.first(), sides.last()) else {
        return Err(wrong(
            "layers.0.weight is missing: these are not parameters of a model".into(),
        ));
    };
    let hidden: Vec<usize> = sides[..sides.len() - 1].iter().map(|[outputs, _]| *outputs).collect();
    let shape = if hidden.is_empty() { Shape::logistic() } else { Shape::mlp(&hidden) };
    let model = Model::new(&shape, *inputs, *classes, 0.0).map_err(|e| wrong(e.to_string()))?;
    let params = parse_params(path, &model, bytes)?;
    if !params.iter().all(|value| value.is_finite()) {
        return Err(wrong("not all parameters are finite: the run has diverged".into()));
    }
    Ok((model, params))
}

/// The file of trained parameters that `path` stands for: itself, or the `final.safetensors` in the
/// folder of a run, or the only one in a run directory.
///
/// # Errors
/// [`Error::Config`] where a folder has none, or several, which it names; [`Error::Io`].
pub fn find_trained(path: &Path) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.into());
    }
    let mut folders = vec![path.to_path_buf()];
    // A race holds entrants, and an entrant seeds.
    for _ in 0..3 {
        let mut found: Vec<_> =
            folders.iter().map(|folder| folder.join(FINAL)).filter(|file| file.is_file()).collect();
        match found.len() {
            0 => {}
            1 => return Ok(found.remove(0)),
            _ => {
                found.sort();
                let runs: Vec<_> = found.iter().filter_map(|file| file.parent()).collect();
                let names: Vec<_> = runs.iter().map(|run| run.display().to_string()).collect();
                return Err(Error::config(format!(
                    "{} holds {} trained models; name one of {}",
                    path.display(),
                    names.len(),
                    names.join(", ")
                )));
            }
        }
        let mut below = Vec::new();
        for folder in folders {
            for entry in folder.read_dir().map_err(Error::io(&folder))? {
                let path = entry.map_err(Error::io(&folder))?.path();
                // What a run in real time put aside is beside it, as seed-0.before-1.
                if path.is_dir() && path.extension().is_none() {
                    below.push(path);
                }
            }
        }
        folders = below;
    }
    Err(Error::config(format!(
        "{} is not the folder of a finished run: it has no {FINAL}",
        path.display()
    )))
}
