//! The shaders of a family: those that come with the library, or some of them replaced.

use std::{borrow::Cow, path::Path};

use serde::{Deserialize, Serialize};

use super::{KERNELS, Kernel, family::Family, position};
use crate::{Error, Result, file};

/// The most bytes of a shader.
const MOST_BYTES: u64 = 1 << 20;

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
