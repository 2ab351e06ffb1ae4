//! What has to be kept of a run to go on with it: one safetensors file, with the parameters as tensors
//! and all else as JSON in its metadata, and a checksum over both.

use std::{fs, io::ErrorKind, path::Path, sync::Arc, time::Duration};

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{recorded::Recorded, write_whole};
use crate::{
    Error, Result,
    cluster::Snapshot,
    sgd::{
        Scheduler,
        k_schedule::Following,
        server::Saved,
        state::{Position, State},
    },
};

/// The name of the file.
pub(super) const FILE: &str = "checkpoint.safetensors";
/// What tells it from other safetensors files.
const FORMAT: &str = "tortoise checkpoint";
/// Of this form of it; others are refused.
const VERSION: &str = "6";

/// What a checkpoint must belong to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The entrant that runs, as it is named.
    pub entrant: String,
    /// The seed of the run.
    pub seed: u64,
    /// The whole configuration, as text.
    pub configuration: String,
}

/// A run that stopped.
#[derive(Debug)]
pub struct Checkpoint {
    /// Where the loop goes on.
    pub state: State,
    /// Where its record goes on.
    pub recorded: Recorded,
}

/// All but the numbers of the parameters; these are counted in the order of the file.
#[derive(Serialize, Deserialize)]
struct Text {
    identity: Identity,
    now: Duration,
    scheduler: Scheduler,
    following: Option<Following>,
    /// The average of the parameters, where K is measured.
    average: Option<usize>,
    position: Position,
    gathered: usize,
    params: usize,
    read: Vec<usize>,
    /// The velocity of the server, where it has one.
    velocity: Option<usize>,
    held: Vec<Option<usize>>,
    recorded: Recorded,
}

/// Where `params` stand in a table that has each once.
fn place(table: &mut Vec<Snapshot>, params: &Snapshot) -> usize {
    let known = table.iter().position(|known| Arc::ptr_eq(known, params));
    known.unwrap_or_else(|| {
        table.push(Arc::clone(params));
        table.len() - 1
    })
}

/// Writes a checkpoint into the folder of a run; whatever happens there is the old one or the new.
pub(super) fn write(
    folder: &Path,
    identity: &Identity,
    state: &State,
    recorded: &Recorded,
) -> Result<()> {
    let path = folder.join(FILE);
    let mut table = Vec::new();
    let average = match &state.following {
        Some(Following::Adaptive(adaptive)) => Some(Snapshot::from(adaptive.average())),
        _ => None,
    };
    let text = Text {
        identity: identity.clone(),
        now: state.now,
        scheduler: state.scheduler.clone(),
        following: state.following.clone(),
        average: average.map(|average| place(&mut table, &average)),
        position: state.position.clone(),
        gathered: state.server.gathered,
        params: place(&mut table, &state.server.params),
        velocity: (!state.server.velocity.is_empty())
            .then(|| place(&mut table, &Snapshot::from(&*state.server.velocity))),
        read: state.server.read.iter().map(|params| place(&mut table, params)).collect(),
        held: state.held.iter().map(|one| one.as_ref().map(|one| place(&mut table, one))).collect(),
        recorded: recorded.clone(),
    };
    let failed = |error: std::io::Error| Error::io(&path)(error);
    let text = serde_json::to_string(&text).map_err(|error| failed(error.into()))?;
    let (sum, params) = (&state.server.sum, table.iter().flat_map(|params| &**params));
    let bytes = |numbers: Vec<f32>| bytemuck::cast_slice(&numbers).to_vec();
    let (sum, params): (Vec<u8>, Vec<u8>) = (bytes(sum.clone()), bytes(params.copied().collect()));
    let checksum = checksum(&text, &[&sum, &params]);
    let metadata =
        [("format", FORMAT), ("version", VERSION), ("sha256", &checksum), ("run", &text)];
    let metadata = metadata.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let length = state.server.sum.len();
    let view = |shape, data| {
        TensorView::new(Dtype::F32, shape, data).expect("the data are as long as the shape says")
    };
    let tensors =
        [("sum", view(vec![length], &sum)), ("params", view(vec![table.len(), length], &params))];
    let file = safetensors::serialize(tensors, Some(metadata.into_iter().collect()))
        .map_err(|error| failed(std::io::Error::other(error)))?;
    write_whole(&path, &file)
}

/// Whether the run in `folder` has come to a checkpoint, from which it goes on.
pub fn has_checkpoint(folder: &Path) -> bool {
    folder.join(FILE).exists()
}

/// The checkpoint in the folder of a run of P = `learners` with `length` parameters; none where none
/// was reached.
///
/// # Errors
/// [`Error::Config`] with the reason where it is torn, or not one of this run or this version;
/// [`Error::Io`] where it cannot be read.
pub fn read_checkpoint(
    folder: &Path,
    identity: &Identity,
    learners: usize,
    length: usize,
) -> Result<Option<Checkpoint>> {
    let path = folder.join(FILE);
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read.map_err(Error::io(&path))?,
    };
    let checkpoint = parse(&bytes, identity, learners, length).map_err(|problem| {
        let remedy = "remove it to start this run over";
        Error::config(format!("{}: {problem}; {remedy}", path.display()))
    })?;
    Ok(Some(checkpoint))
}

type Parsed<T> = std::result::Result<T, String>;

fn parse(bytes: &[u8], identity: &Identity, learners: usize, length: usize) -> Parsed<Checkpoint> {
    let torn = |what: &str| format!("is damaged or cut off ({what})");
    let (_, header) =
        SafeTensors::read_metadata(bytes).map_err(|error| torn(&error.to_string()))?;
    let file = SafeTensors::deserialize(bytes).map_err(|error| torn(&error.to_string()))?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let entry = |name: &str| metadata.get(name).map_or("", String::as_str);
    if entry("format") != FORMAT {
        return Err("is no checkpoint of a run".into());
    }
    if entry("version") != VERSION {
        let other = entry("version");
        return Err(format!("has the form {other}, and this tortoise reads {VERSION}"));
    }
    let tensor = |name| file.tensor(name).map_err(|error| torn(&error.to_string()));
    let (sum, params) = (tensor("sum")?, tensor("params")?);
    if checksum(entry("run"), &[sum.data(), params.data()]) != entry("sha256") {
        return Err(torn("its checksum is another"));
    }
    let text: Text =
        serde_json::from_str(entry("run")).map_err(|error| torn(&error.to_string()))?;
    let Identity { entrant, seed, .. } = &text.identity;
    if (entrant, seed) != (&identity.entrant, &identity.seed) {
        return Err(format!("belongs to {entrant} with the seed {seed}"));
    }
    if text.identity != *identity {
        return Err("belongs to another configuration than config.toml has now".into());
    }
    let shaped = sum.dtype() == Dtype::F32 && params.dtype() == Dtype::F32;
    if !shaped || sum.shape() != [length] || params.shape().get(1) != Some(&length) {
        return Err(format!("does not hold parameters of a model with {length} of them"));
    }
    let numbers = |data: &[u8]| -> Vec<f32> { bytemuck::pod_collect_to_vec(data) };
    let table: Vec<Snapshot> =
        numbers(params.data()).chunks_exact(length).map(Snapshot::from).collect();
    let at = |place: usize| table.get(place).cloned().ok_or_else(|| torn("parameters are missing"));
    let Text { now, scheduler, following, average, position, recorded, .. } = text;
    let average = average.map(at).transpose()?;
    let following = match (following, average) {
        (Some(Following::Adaptive(adaptive)), Some(average)) => {
            Some(Following::Adaptive(Box::new(adaptive.with_average(average.to_vec()))))
        }
        (following, _) => following,
    };
    let in_flight = position.in_flight.all();
    let counts = [
        scheduler.learners(),
        in_flight.len(),
        position.in_flight.started().len(),
        text.held.len(),
    ];
    if counts != [learners; 4] {
        return Err(format!("is one of {} learners, and not of {learners}", counts[0]));
    }
    let read = text.read.into_iter().map(at).collect::<Parsed<_>>()?;
    let held =
        text.held.into_iter().map(|one| one.map(at).transpose()).collect::<Parsed<Vec<_>>>()?;
    let velocity = text.velocity.map(at).transpose()?;
    let server = Saved {
        params: at(text.params)?,
        sum: numbers(sum.data()),
        gathered: text.gathered,
        read,
        velocity: velocity.map_or(Vec::new(), |velocity| velocity.to_vec()),
    };
    let state = State { now, scheduler, server, following, position, held };
    Ok(Checkpoint { state, recorded })
}

fn checksum(text: &str, parts: &[&[u8]]) -> String {
    let mut sum = Sha256::new();
    sum.update(text);
    parts.iter().for_each(|part| sum.update(part));
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
