//! Describes the adapters (a GPU, or a software driver), and which one to use.
//!
//! No device is opened here. An [`AdapterId`] can be sent to the thread or the process that opens
//! it.

use std::{cmp::Reverse, fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use serde_with::{DeserializeFromStr, SerializeDisplay};

use super::kernels::Family;
use crate::{Error, Result};

/// What a person is told to do where no adapter is found.
pub const REMEDY: &str = if cfg!(feature = "gpu") {
    "install a Vulkan driver (scripts/setup.sh does) or choose --device host"
} else {
    "build it with the feature or choose --device host"
};
/// The same where nothing but an adapter will do.
pub(super) const NEEDED: &str = if cfg!(feature = "gpu") {
    "install a Vulkan driver (scripts/setup.sh does)"
} else {
    "build it with the feature"
};
/// Why none is found.
pub(super) const NONE: &str = if cfg!(feature = "gpu") {
    "this machine has none"
} else {
    "this was built without the feature gpu"
};

/// The variable that tells Mesa's software driver how many threads to compute on; with none it
/// computes on the thread of the queue.
pub const DRIVER_THREADS: &str = "LP_NUM_THREADS";

/// One adapter: what is known of it, and enough to find it again on another thread
/// or in another process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(Default))]
pub struct AdapterId {
    /// Its place in [`list`](super::adapters::list); 0 is the one that is taken by default.
    pub index: usize,
    /// What the driver calls it.
    pub name: String,
    /// `vulkan`, `metal`, `dx12` or `gl`.
    pub backend: String,
    /// `discrete`, `integrated`, `virtual`, `other` or `software`.
    pub kind: String,
    /// The driver's name; empty where it gives none.
    pub driver: String,
    /// The driver's version, in its own words.
    pub driver_info: String,
    /// PCI vendor and device, where they mean something.
    pub pci: [u32; 2],
    /// PCI bus id, where the backend knows it.
    pub pci_bus: String,
    /// Which one it is among adapters that agree in all of the above but the index.
    pub twin: usize,
    /// Invocations that step together, at least and at most; none without subgroups.
    pub subgroup: Option<[u32; 2]>,
    /// The most it can hold and dispatch.
    pub limits: Limits,
    /// Features that matter to compute kernels, by their WebGPU names.
    pub features: Vec<String>,
}

/// Limits of an adapter that decide what it can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(Default))]
pub struct Limits {
    /// The largest buffer, in bytes.
    pub buffer: u64,
    /// The largest part of a buffer that a kernel can see, in bytes.
    pub storage_binding: u64,
    /// Memory shared by a workgroup, in bytes.
    pub workgroup_storage: u32,
    /// Invocations of a workgroup, at most.
    pub workgroup_invocations: u32,
    /// Workgroups along one dimension of a dispatch, at most.
    pub workgroups: u32,
    /// Texels along a side of a texture, at most.
    pub texture_side: u32,
}

impl AdapterId {
    /// Whether it computes on the CPU.
    pub fn is_software(&self) -> bool {
        self.kind == "software"
    }

    /// The family of kernels that suits it, where no side of a matrix is longer than `longest`.
    ///
    /// `lanes` counts on a software adapter's subgroups of 8, and on textures that long.
    pub fn family(&self, longest: usize) -> Family {
        let fits = longest <= self.limits.texture_side as usize;
        if self.is_software() && self.subgroup == Some([8, 8]) && fits {
            Family::Lanes
        } else {
            Family::Tiled
        }
    }

    /// Orders adapters by how much one would rather have them.
    pub fn preference(&self) -> impl Ord + use<> {
        let kinds = ["software", "other", "virtual", "integrated", "discrete"];
        let backends = ["gl", "dx12", "vulkan", "metal"];
        let place = |list: &[&str], word: &str| list.iter().position(|&known| known == word);
        Reverse((place(&kinds, &self.kind), place(&backends, &self.backend)))
    }
}

impl fmt::Display for AdapterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.name, self.backend, self.kind)
    }
}

/// Where gradients are to be computed. Written `auto`, `host`, a place in
/// [`list`](super::adapters::list), or part of a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The best adapter, or the host where there is none.
    #[default]
    Auto,
    /// The host, whatever adapters there are.
    Host,
    /// The adapter at this place in [`list`](super::adapters::list).
    Index(usize),
    /// The first adapter whose name contains this, whatever the case.
    Name(String),
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Host => f.write_str("host"),
            Self::Index(index) => index.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Ok(match text.trim() {
            "" => return Err(Error::config("a device is auto, host, INDEX or NAME")),
            "auto" => Self::Auto,
            "host" => Self::Host,
            text => text.parse().map_or_else(|_| Self::Name(text.into()), Self::Index),
        })
    }
}

/// Devices that learners are spread over. Written with a comma between.
#[derive(Debug, Clone, PartialEq, Eq, SerializeDisplay, DeserializeFromStr)]
pub struct DeviceChoices(pub Vec<DeviceChoice>);

impl fmt::Display for DeviceChoices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let choices: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&choices.join(","))
    }
}

impl FromStr for DeviceChoices {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.split(',').map(str::parse).collect::<Result<_>>().map(Self)
    }
}

/// The one of the adapters `there` that `choice` means.
pub(super) fn pick(choice: &DeviceChoice, mut there: Vec<AdapterId>) -> Result<Option<AdapterId>> {
    let at = match choice {
        DeviceChoice::Host => return Ok(None),
        DeviceChoice::Auto if there.is_empty() => return Ok(None),
        DeviceChoice::Auto => Some(0),
        DeviceChoice::Index(index) => Some(*index).filter(|&index| index < there.len()),
        DeviceChoice::Name(name) => {
            let name = name.to_lowercase();
            there.iter().position(|id| id.name.to_lowercase().contains(&name))
        }
    };
    match at {
        Some(at) => Ok(Some(there.swap_remove(at))),
        None => Err(missing(&format!("no adapter answers to \"{choice}\""), &there)),
    }
}

pub(super) fn missing(problem: &str, there: &[AdapterId]) -> Error {
    if there.is_empty() {
        return Error::NoAdapter(format!("{problem}, and {}: {REMEDY}", NONE));
    }
    let list: Vec<_> = there.iter().map(|id| format!("{}: {id}", id.index)).collect();
    Error::NoAdapter(format!("{problem}; there are: {}", list.join("; ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(index: usize, name: &str) -> AdapterId {
        let (name, backend, kind) = (name.into(), "vulkan".into(), "discrete".into());
        AdapterId { index, name, backend, kind, ..AdapterId::default() }
    }

    #[track_caller]
    fn check(choice: &str, expected: std::result::Result<Option<usize>, &str>) {
        let there = vec![adapter(0, "NVIDIA H200"), adapter(1, "llvmpipe (LLVM 15)")];
        let choice: DeviceChoice = choice.parse().unwrap();
        let picked = pick(&choice, there).map(|id| id.map(|id| id.index));
        assert_eq!(picked.map_err(|error| error.to_string()), expected.map_err(Into::into));
    }

    #[test]
    fn a_device_is_chosen_by_place_or_by_part_of_its_name() {
        check("auto", Ok(Some(0)));
        check("host", Ok(None));
        check("1", Ok(Some(1)));
        check("LLVMpipe", Ok(Some(1)));
        let there = "there are: 0: NVIDIA H200 (vulkan, discrete); \
                     1: llvmpipe (LLVM 15) (vulkan, discrete)";
        check("2", Err(&format!("no adapter answers to \"2\"; {there}")));
        check("radeon", Err(&format!("no adapter answers to \"radeon\"; {there}")));
    }

    #[test]
    fn without_adapters_auto_means_the_host_and_a_name_is_an_error() {
        assert_eq!(pick(&DeviceChoice::Auto, Vec::new()).unwrap(), None);
        let error = pick(&DeviceChoice::Index(0), Vec::new()).unwrap_err();
        assert!(
            matches!(&error, Error::NoAdapter(message) if message.ends_with(REMEDY)),
            "{error}"
        );
    }

    #[test]
    fn real_gpus_come_before_software() {
        let mut there = [adapter(0, "a"), adapter(1, "b"), adapter(2, "c"), adapter(3, "d")];
        (there[0].kind, there[1].kind) = ("software".into(), "integrated".into());
        there[2].backend = "gl".into();
        there.sort_by_key(AdapterId::preference);
        assert_eq!(there.map(|id| id.index), [3, 2, 1, 0]);
    }
}
