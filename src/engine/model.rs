//! The models: multinomial logistic regression and ReLU MLPs of any depth, as dense layers.

use std::{fmt, ops::Range, str::FromStr};

use rand::RngExt;
use serde::{Deserialize, Serialize};
use serde_with::{DeserializeFromStr, SerializeDisplay};

use crate::{
    Error, Result,
    dataset::{Part, Split, Splits},
    rng::{self, Purpose},
    suggest,
};

/// The most parameters a model may have: a gradient of 1 GiB.
const MOST_PARAMS: usize = 1 << 28;

/// One dense layer, Y = act(X W + b), and where its parameters lie in the flat vector.
///
/// W is `[inputs, outputs]`, row-major, and b is one more row behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer {
    /// Columns of X.
    pub inputs: usize,
    /// Columns of Y.
    pub outputs: usize,
    /// Whether act is ReLU; else it is the identity.
    pub relu: bool,
    offset: usize,
}

impl Layer {
    /// Where W and b together lie in the flat parameters: `[inputs + 1, outputs]`.
    pub fn params(&self) -> Range<usize> {
        self.offset..self.offset + (self.inputs + 1) * self.outputs
    }

    /// Where W lies in the flat parameters: `[inputs, outputs]`.
    pub fn weight(&self) -> Range<usize> {
        self.offset..self.offset + self.inputs * self.outputs
    }

    /// Where b lies in the flat parameters: `[outputs]`.
    pub fn bias(&self) -> Range<usize> {
        self.weight().end..self.params().end
    }
}

/// Layer widths, flat parameter layout and L2 of a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Outline", into = "Outline")]
pub struct Model {
    layers: Vec<Layer>,
    l2: f32,
}

impl Model {
    /// The model of this shape for `inputs` features and `classes` classes; `l2` multiplies ||W||_F^2,
    /// biases left out.
    ///
    /// # Errors
    /// [`Error::Config`] where it would have more than 2^28 parameters.
    pub fn new(shape: &Shape, inputs: usize, classes: usize, l2: f32) -> Result<Self> {
        let mut layers = Vec::with_capacity(shape.hidden.len() + 1);
        let (mut width, mut offset) = (inputs, 0_usize);
        let relu = shape.hidden.iter().map(|&outputs| (outputs, true));
        for (outputs, relu) in relu.chain([(classes, false)]) {
            layers.push(Layer { inputs: width, outputs, relu, offset });
            let params = (width + 1).checked_mul(outputs).and_then(|n| n.checked_add(offset));
            offset = params.filter(|&n| n <= MOST_PARAMS).ok_or_else(|| {
                Error::config(format!("model {shape} has more than 2^28 parameters"))
            })?;
            width = outputs;
        }
        Ok(Self { layers, l2 })
    }

    /// The model of this shape for samples as `split` has them.
    ///
    /// # Errors
    /// As [`Self::new`]; [`Error::Config`] where labels are numbers.
    pub fn for_split(shape: &Shape, split: &Split, l2: f32) -> Result<Self> {
        let classes = split.classes();
        let classes =
            classes.ok_or_else(|| Error::config("a model needs labels that are classes"))?;
        Self::new(shape, split.inputs(), classes, l2)
    }

    /// Whether it can compute on these data.
    ///
    /// # Errors
    /// [`Error::Config`] where their samples have other widths or classes, or labels that are numbers.
    pub fn check(&self, data: &Splits) -> Result<()> {
        for (part, name) in [(Part::Train, "training"), (Part::Test, "test")] {
            let Some(split) = data.part(part) else { continue };
            let (inputs, classes) = (split.inputs(), split.classes());
            if inputs != self.inputs() {
                return Err(Error::config(format!(
                    "the {name} set has {inputs} features a sample, but the model takes {}",
                    self.inputs()
                )));
            }
            let has = classes.map_or("labels that are numbers".into(), |n| format!("{n} classes"));
            if classes != Some(self.classes()) {
                return Err(Error::config(format!(
                    "the {name} set has {has}, but the model tells {} classes apart",
                    self.classes()
                )));
            }
        }
        Ok(())
    }

    /// The dense layers, from the image to the logits.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Features a sample, the columns of the first layer's X.
    pub fn inputs(&self) -> usize {
        self.layers[0].inputs
    }

    /// The longest side of any matrix of parameters.
    pub fn longest_side(&self) -> usize {
        let sides = self.layers.iter().map(|layer| layer.outputs.max(layer.inputs + 1));
        sides.max().unwrap_or(0)
    }

    /// Number of classes, the columns of the last layer's Y.
    pub fn classes(&self) -> usize {
        self.layers[self.layers.len() - 1].outputs
    }

    /// What multiplies ||W||_F^2 in the loss.
    pub fn l2(&self) -> f32 {
        self.l2
    }

    /// Length of the flat parameter vector.
    pub fn params(&self) -> usize {
        self.layers[self.layers.len() - 1].params().end
    }

    /// w_0: uniform on ±1/sqrt(inputs) for weights and biases of each layer, as `PyTorch`'s
    /// `Linear` has it; a function of the seed.
    pub fn initial(&self, seed: u64) -> Vec<f32> {
        let mut rng = rng::stream(seed, Purpose::Initialisation, 0, 0);
        let mut params = Vec::with_capacity(self.params());
        for layer in &self.layers {
            let bound = 1.0 / (layer.inputs as f32).sqrt();
            params.extend(layer.params().map(|_| bound * (2.0 * rng.random::<f32>() - 1.0)));
        }
        params
    }

    /// L2 ||W||_F^2 at `params`, summed in f64.
    pub fn penalty(&self, params: &[f32]) -> f64 {
        if self.l2 == 0.0 {
            return 0.0;
        }
        let weights = self.layers.iter().flat_map(|layer| &params[layer.weight()]);
        f64::from(self.l2) * weights.map(|&w| f64::from(w) * f64::from(w)).sum::<f64>()
    }
}

/// A model as it is written down: what [`Model::new`] takes.
#[derive(Serialize, Deserialize)]
struct Outline {
    shape: Shape,
    inputs: usize,
    classes: usize,
    /// As f64, which comes back as the same f32 however it was rounded on the way.
    l2: f64,
}

impl From<Model> for Outline {
    fn from(model: Model) -> Self {
        let (inputs, classes, l2) = (model.inputs(), model.classes(), f64::from(model.l2));
        let hidden = model.layers.iter().filter(|layer| layer.relu);
        let shape = Shape { hidden: hidden.map(|layer| layer.outputs).collect() };
        Self { shape, inputs, classes, l2 }
    }
}

impl TryFrom<Outline> for Model {
    type Error = Error;

    fn try_from(Outline { shape, inputs, classes, l2 }: Outline) -> Result<Self> {
        Self::new(&shape, inputs, classes, l2 as f32)
    }
}

/// Models by name.
const MODELS: [&str; 2] = ["logistic", "mlp"];

/// The hidden widths of a model; none for logistic regression. Written `logistic` or `mlp:256,128`.
#[derive(Debug, Clone, PartialEq, Eq, SerializeDisplay, DeserializeFromStr)]
pub struct Shape {
    hidden: Vec<usize>,
}

impl Shape {
    /// Multinomial logistic regression: no hidden layer.
    pub fn logistic() -> Self {
        Self { hidden: Vec::new() }
    }

    /// A ReLU MLP with these hidden widths.
    ///
    /// # Panics
    /// If there is no hidden layer or one without width.
    pub fn mlp(hidden: &[usize]) -> Self {
        assert!(
            !hidden.is_empty() && !hidden.contains(&0),
            "an MLP has hidden layers of width >= 1"
        );
        Self { hidden: hidden.to_vec() }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.hidden.is_empty() {
            return f.write_str("logistic");
        }
        let widths: Vec<_> = self.hidden.iter().map(ToString::to_string).collect();
        write!(f, "mlp:{}", widths.join(","))
    }
}

impl FromStr for Shape {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, widths) = text.split_once(':').unwrap_or((text, ""));
        if !MODELS.contains(&name) {
            let hint = suggest::nearest(name, MODELS);
            return Err(Error::config(format!("unknown model \"{name}\"{hint}")));
        }
        let width = |width: &str| width.parse().ok().filter(|&width| width > 0);
        let hidden: Option<Vec<usize>> = match name {
            "mlp" => widths.split(',').map(width).collect(),
            _ => (text == name).then(Vec::new),
        };
        hidden.map(|hidden| Self { hidden }).ok_or_else(|| {
            Error::config(format!(
                "model \"{text}\" is neither logistic nor mlp:WIDTH[,WIDTH...], as in mlp:128"
            ))
        })
    }
}
