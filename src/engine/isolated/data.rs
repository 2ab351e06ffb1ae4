//! A data set on its way to a learner's process: first what it looks like, then its samples in portions,
//! the training set before the test set.

use serde::{Deserialize, Serialize};

use super::wire::{Kind, WireFault, pack, unpack};
use crate::{
    Result,
    dataset::{Features, Labels, Part, Split, Splits},
};

/// About how many bytes are sent at a time.
const PORTION: usize = 1 << 20;
/// Bytes of a label.
const LABEL: usize = 4;

/// What the splits look like that will come.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Outlines {
    train: Outline,
    test: Option<Outline>,
}

/// What a split looks like.
#[derive(Debug, Serialize, Deserialize)]
struct Outline {
    samples: usize,
    inputs: usize,
    /// Of their kind, and empty.
    features: Features,
    labels: Labels,
}

impl Outlines {
    pub(super) fn of(data: &Splits) -> Self {
        Self { train: Outline::of(&data.train), test: data.test.as_deref().map(Outline::of) }
    }

    /// The most bytes of a portion.
    pub(super) fn most(&self) -> u64 {
        let widths = [&self.train].into_iter().chain(&self.test).map(Outline::sample);
        PORTION.max(widths.max().unwrap_or(0)) as u64
    }

    /// The splits, made of as many payloads as it takes.
    pub(super) fn receive(
        self,
        mut portion: impl FnMut(&mut Arriving) -> std::result::Result<(), WireFault>,
    ) -> std::result::Result<Result<Splits>, WireFault> {
        let mut split = |outline: Outline| {
            let mut arriving = Arriving(outline);
            while !arriving.is_whole() {
                portion(&mut arriving)?;
            }
            let Outline { inputs, features, labels, .. } = arriving.0;
            Ok(Split::new(features, labels, inputs))
        };
        let train = split(self.train)?;
        let test = self.test.map(split).transpose()?.transpose();
        Ok(train.and_then(|train| Ok(Splits { train: train.into(), test: test?.map(Into::into) })))
    }
}

impl Outline {
    fn of(split: &Split) -> Self {
        let features = match split.features() {
            Features::Bytes { scale, .. } => Features::bytes(Vec::new(), *scale),
            Features::Floats(_) => Features::floats(Vec::new()),
        };
        let labels = match split.labels() {
            Labels::Classes { classes, .. } => Labels::classes(Vec::new(), *classes),
            Labels::Numbers(_) => Labels::numbers(Vec::new()),
        };
        Self { samples: split.len(), inputs: split.inputs(), features, labels }
    }

    /// Bytes of a sample.
    fn sample(&self) -> usize {
        let feature = match self.features {
            Features::Bytes { .. } => 1,
            Features::Floats(_) => 4,
        };
        self.inputs.saturating_mul(feature).saturating_add(LABEL)
    }
}

/// Hands over the features and labels of each portion, as they are sent.
pub(super) fn portions(
    data: &Splits,
    mut send: impl FnMut(&[u8], &[u8]) -> Result<()>,
) -> Result<()> {
    for split in [Part::Train, Part::Test].into_iter().filter_map(|part| data.part(part)) {
        let (inputs, samples) = (split.inputs(), (PORTION / Outline::of(split).sample()).max(1));
        for start in (0..split.len()).step_by(samples) {
            let end = split.len().min(start + samples);
            let of = start * inputs..end * inputs;
            let features = match split.features() {
                Features::Bytes { values, .. } => pack(&values[of]),
                Features::Floats(values) => pack(&values[of]),
            };
            let labels = match split.labels() {
                Labels::Classes { values, .. } => pack(&values[start..end]),
                Labels::Numbers(values) => pack(&values[start..end]),
            };
            send(&features, &labels)?;
        }
    }
    Ok(())
}

/// A split of which some samples have come.
pub(super) struct Arriving(Outline);

impl Arriving {
    fn is_whole(&self) -> bool {
        let come = match &self.0.labels {
            Labels::Classes { values, .. } => values.len(),
            Labels::Numbers(values) => values.len(),
        };
        come >= self.0.samples
    }

    /// Takes in the features and labels of a portion.
    pub(super) fn take(&mut self, payload: &[u8]) -> std::result::Result<(), WireFault> {
        let samples = payload.len() / self.0.sample();
        let (features, labels) = payload.split_at(samples * (self.0.sample() - LABEL));
        if samples == 0 {
            let (got, expected) = (payload.len(), self.0.sample());
            return Err(WireFault::Misshapen { kind: Kind::Data, got, expected });
        }
        let values = samples * self.0.inputs;
        match &mut self.0.features {
            Features::Bytes { values: all, .. } => append(all, values, features)?,
            Features::Floats(all) => append(all, values, features)?,
        }
        match &mut self.0.labels {
            Labels::Classes { values, .. } => append(values, samples, labels),
            Labels::Numbers(values) => append(values, samples, labels),
        }
    }
}

fn append<T: bytemuck::Pod>(
    to: &mut Vec<T>,
    count: usize,
    payload: &[u8],
) -> std::result::Result<(), WireFault> {
    let come = to.len();
    to.resize(come + count, T::zeroed());
    unpack(Kind::Data, payload, &mut to[come..])
}
