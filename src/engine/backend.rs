//! Where a model is computed, decided once before anything is opened: on an adapter with a family
//! of kernels, or on the host.

use std::{env, fmt, str::FromStr, thread};

use serde::{Deserialize, Serialize};
use serde_with::{DeserializeFromStr, SerializeDisplay};

use super::{
    Engine,
    adapter::{AdapterId, DRIVER_THREADS, DeviceChoice, NEEDED, NONE, REMEDY},
    adapters, gpu,
    kernels::{EditedShaders, Family, ShaderSet},
    model::Model,
};
use crate::{Error, Result, dataset::Splits};

/// Queues of one GPU beyond which more would only take up its memory.
const MOST_QUEUES: usize = 16;

/// What the host engine is called.
const HOST: &str = "the host engine (f32)";

/// Which family of kernels is wanted. Written `auto` or as the family is named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, SerializeDisplay, DeserializeFromStr)]
pub enum FamilyChoice {
    /// The one that suits the adapter.
    #[default]
    Auto,
    /// This one.
    Family(Family),
}

impl fmt::Display for FamilyChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Family(family) => family.fmt(f),
        }
    }
}

impl FromStr for FamilyChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "auto" { Ok(Self::Auto) } else { text.parse().map(Self::Family) }
    }
}

/// Opens engines, in this process or, sent there, in another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Backend {
    /// Engines on an adapter, each with a device and queue of its own.
    Gpu {
        /// Which adapter.
        adapter: Box<AdapterId>,
        /// Which kernels.
        shaders: ShaderSet,
    },
    /// Engines on the host.
    Host {
        /// Whether it stands in for an adapter that was looked for and not found.
        stands_in: bool,
    },
}

impl Backend {
    /// Decides where to compute what has matrices with sides of at most `longest`.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] where an adapter is asked for that is not there.
    pub fn choose(device: &DeviceChoice, family: FamilyChoice, longest: usize) -> Result<Self> {
        Ok(match adapters::choose(device)? {
            Some(adapter) => Self::on(adapter, family, longest),
            None => Self::host(device),
        })
    }

    /// On this adapter, for matrices with sides of at most `longest`.
    #[must_use]
    pub fn on(adapter: AdapterId, family: FamilyChoice, longest: usize) -> Self {
        let family = match family {
            FamilyChoice::Auto => adapter.family(longest),
            FamilyChoice::Family(family) => family,
        };
        Self::Gpu { adapter: adapter.into(), shaders: ShaderSet::new(family) }
    }

    /// On the host, where `device` was asked for.
    #[must_use]
    pub fn host(device: &DeviceChoice) -> Self {
        Self::Host { stands_in: *device != DeviceChoice::Host }
    }

    /// The same with edited shaders in place of those of their kernels. A host that was asked for stays
    /// as it is.
    ///
    /// # Errors
    /// [`Error::NoAdapter`] for a host that stands in for an adapter: it runs no shaders.
    pub fn with_edited(self, edited: &EditedShaders) -> Result<Self> {
        match self {
            Self::Gpu { adapter, shaders } => {
                Ok(Self::Gpu { adapter, shaders: shaders.with_edited(edited) })
            }
            Self::Host { stands_in: true } => Err(Error::NoAdapter(format!(
                "the edited shaders in {} need an adapter, and {NONE}; the host engine, which would stand in, \
                 runs no shaders: {NEEDED}, or race without --shaders",
                edited.folder().display()
            ))),
            host => Ok(host),
        }
    }

    /// Where to evaluate: on a software adapter the host, since both are the same processor and the
    /// host uses it better; else here.
    #[must_use]
    pub fn for_evaluation(&self) -> Self {
        match self {
            Self::Gpu { adapter, .. } if adapter.is_software() => Self::Host { stands_in: false },
            _ => self.clone(),
        }
    }

    /// How many queues pay for this many learners: on a GPU one each, as long as there are not too
    /// many of them; where all compute on this processor, one a core and one to fill the gaps.
    #[must_use]
    pub fn queues(&self, learners: usize) -> usize {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let most = match self {
            Self::Gpu { adapter, .. } if !adapter.is_software() => MOST_QUEUES,
            _ => cores,
        };
        learners.min(most)
    }

    /// What tells it from one that computes other bits.
    pub fn computer(&self) -> Computer {
        Computer::of(self)
    }

    /// What the user should know, in plain words: that nothing of what was hoped for is there.
    pub fn note(&self) -> Option<String> {
        matches!(self, Self::Host { stands_in: true })
            .then(|| format!("no GPU adapter found, so the host engine computes; {REMEDY}"))
    }

    /// Opens an engine for minibatches of `minibatch` samples of these data.
    ///
    /// # Errors
    /// [`Error::Config`] where the data do not fit the model; [`Error::Device`] where the device cannot
    /// be opened or has no room, [`Error::NoRoom`] where the
    /// host has none, [`Error::NoAdapter`] where the adapter is gone or the library was built without
    /// the feature `gpu` or `host`.
    pub fn open(
        &self,
        model: &Model,
        minibatch: usize,
        data: impl Into<Splits>,
    ) -> Result<Box<dyn Engine>> {
        let data = data.into();
        match self {
            Self::Gpu { adapter, shaders } => gpu::open(adapter, model, minibatch, shaders, data),
            Self::Host { .. } => host(model, data),
        }
    }
}

#[cfg(feature = "host")]
fn host(model: &Model, data: Splits) -> Result<Box<dyn Engine>> {
    Ok(Box::new(super::host::Host::open(model.clone(), data)?))
}

#[cfg(not(feature = "host"))]
fn host(_: &Model, _: Splits) -> Result<Box<dyn Engine>> {
    let problem = "the host engine is left out: this was built without the feature host";
    Err(Error::NoAdapter(problem.to_owned()))
}

/// What computes, as far as the bits of what it computes depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Computer {
    /// The adapter, or the host engine.
    pub adapter: String,
    /// The driver and its version; of the host engine the kind of processor.
    pub driver: String,
    /// The family of the kernels; none of the host engine, which has but one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernels: Option<Family>,
    /// The kernels of it whose shaders are not those that come with this crate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edited: Vec<String>,
}

impl Computer {
    fn of(backend: &Backend) -> Self {
        match backend {
            Backend::Gpu { adapter, shaders } => Self {
                adapter: adapter.to_string(),
                driver: format!("{} {}", adapter.driver, adapter.driver_info.trim()),
                kernels: Some(shaders.family()),
                edited: shaders.edited().map(|kernel| kernel.name.to_owned()).collect(),
            },
            Backend::Host { .. } => Self::here(HOST),
        }
    }

    /// An engine that a program brings, by the name of its type.
    pub(crate) fn own(name: &str) -> Self {
        Self::here(name)
    }

    /// What has no kernels, on this processor.
    fn here(name: &str) -> Self {
        let edited = Vec::new();
        Self { adapter: name.to_owned(), driver: processor(), kernels: None, edited }
    }
}

impl fmt::Display for Computer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { adapter, driver, kernels, edited } = self;
        match kernels {
            Some(family) => write!(f, "{adapter}, {driver}, {family} kernels")?,
            None => write!(f, "{adapter} on {driver}")?,
        }
        match edited.is_empty() {
            true => Ok(()),
            false => write!(f, ", edited: {}", edited.join(", ")),
        }
    }
}

/// The kind of this processor: products of matrices add up in the order that suits its registers.
fn processor() -> String {
    #[cfg(target_arch = "x86_64")]
    let registers = match (is_x86_feature_detected!("avx512f"), is_x86_feature_detected!("avx2")) {
        (true, _) => " with AVX-512",
        (false, true) => " with AVX2",
        (false, false) => "",
    };
    #[cfg(not(target_arch = "x86_64"))]
    let registers = "";
    format!("{}{registers}", env::consts::ARCH)
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gpu { adapter, .. } => {
                self.computer().fmt(f)?;
                match env::var(DRIVER_THREADS) {
                    Ok(threads) if adapter.is_software() => {
                        write!(f, ", {DRIVER_THREADS}={threads}")
                    }
                    _ => Ok(()),
                }
            }
            Self::Host { .. } => f.write_str(HOST),
        }
    }
}
