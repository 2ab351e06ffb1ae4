//! The families of shaders: what they are, how they keep matrices, and sets of their texts.

use std::{borrow::Cow, fmt, path::Path, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{KERNELS, Kernel, position};
use crate::{Error, Result, file};

/// The most bytes of a shader.
const MOST_BYTES: u64 = 1 << 20;

/// Shaders of the same names and meaning, made for one kind of adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Storage buffers, workgroup memory and register blocking: runs wherever WebGPU does.
    Tiled,
    /// Storage textures and one subgroup of 8 a workgroup: for drivers that compute on a processor.
    Lanes,
}

impl Family {
    /// Every family.
    pub const ALL: [Self; 2] = [Self::Tiled, Self::Lanes];

    /// The word for it on the command line and in records, and its folder under `shaders/`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tiled => "tiled",
            Self::Lanes => "lanes",
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Family {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|family| family.name() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|family| family.name()).collect();
            Error::config(format!("kernel family \"{text}\" is not one of: {}", names.join(", ")))
        })
    }
}

/// Something of each family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByFamily<T> {
    /// Of [`Family::Tiled`].
    pub tiled: T,
    /// Of [`Family::Lanes`].
    pub lanes: T,
}

impl<T> ByFamily<T> {
    /// That of this family.
    pub fn of(&self, family: Family) -> &T {
        match family {
            Family::Tiled => &self.tiled,
            Family::Lanes => &self.lanes,
        }
    }
}

/// A source for every kernel: a family's own, or some of them replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShaderSet {
    family: Family,
    sources: [Cow<'static, str>; KERNELS.len()],
}

impl ShaderSet {
    /// The shaders that come with the library.
    pub fn new(family: Family) -> Self {
        let source = |kernel: &Kernel| Cow::Borrowed(kernel.shaders.of(family).source);
        Self { family, sources: KERNELS.map(source) }
    }

    /// The shaders that come with the library, those replaced for which `folder` has a file
    /// `<kernel>.wgsl`.
    ///
    /// # Errors
    /// [`Error::Io`] where a file cannot be read, [`Error::Config`] where there is none.
    pub fn from_folder(family: Family, folder: &Path) -> Result<Self> {
        let mut set = Self::new(family);
        let mut found = false;
        for kernel in KERNELS {
            let path = folder.join(format!("{}.wgsl", kernel.name));
            if path.exists() {
                set = set.with(kernel, file::text(&path, MOST_BYTES).map_err(Error::io(&path))?);
                found = true;
            }
        }
        if !found {
            let names = KERNELS.map(|kernel| format!("{}.wgsl", kernel.name)).join(", ");
            return Err(Error::config(format!("{} holds none of: {names}", folder.display())));
        }
        Ok(set)
    }

    /// The same set with `source` in place of this kernel's.
    #[must_use]
    pub fn with(mut self, kernel: &Kernel, source: impl Into<String>) -> Self {
        self.sources[position(kernel)] = Cow::Owned(source.into());
        self
    }

    /// The family they belong to.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Whether this kernel is the one that comes with the library.
    pub fn is_own(&self, kernel: &Kernel) -> bool {
        self.source(kernel) == kernel.shaders.of(self.family).source
    }

    /// The WGSL of this kernel.
    pub fn source(&self, kernel: &Kernel) -> &str {
        &self.sources[position(kernel)]
    }
}

/// How a family keeps a matrix or vector on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A buffer of numbers, row after row.
    Packed,
    /// A buffer of vec4s, each row padded to whole ones.
    Padded,
    /// A texture of four columns a texel, each row padded to whole ones.
    Texels,
}
