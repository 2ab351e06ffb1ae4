//! The shaders of a family: those that come with the library, or some of them edited.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{KERNELS, Kernel, family::Family, position};
use crate::{Error, Result, file};

/// The most bytes of a shader.
const MOST_BYTES: u64 = 1 << 20;

/// A source for every kernel: a family's own, or some of them replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShaderSet {
    family: Family,
    sources: [Source; KERNELS.len()],
}

/// The source of a kernel.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Source {
    text: Cow<'static, str>,
    /// The file that it was read from, if it was, for messages.
    file: Option<Box<str>>,
}

/// The same text, wherever it was read from.
impl PartialEq for Source {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Source {}

/// Shaders that somebody has edited: the files `<kernel>.wgsl` of a folder, of any family.
///
/// Serialised it is the folder alone, and what comes of that again has no files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct EditedShaders {
    folder: PathBuf,
    files: Vec<ShaderFile>,
}

/// A shader that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShaderFile {
    /// The name of its kernel.
    pub kernel: &'static str,
    /// Where it was read.
    pub path: PathBuf,
    /// Its WGSL.
    pub text: Arc<str>,
}

impl ShaderSet {
    /// The shaders that come with the library.
    pub fn new(family: Family) -> Self {
        let source = |kernel: &Kernel| Source {
            text: Cow::Borrowed(kernel.shaders.of(family).source),
            file: None,
        };
        Self { family, sources: KERNELS.map(source) }
    }

    /// The shaders that come with the library, those replaced for which `folder` has a file
    /// `<kernel>.wgsl`.
    ///
    /// # Errors
    /// As [`EditedShaders::read`].
    pub fn from_folder(family: Family, folder: &Path) -> Result<Self> {
        Ok(Self::new(family).with_edited(&EditedShaders::read(folder)?))
    }

    /// The same set with `source` in place of this kernel's.
    #[must_use]
    pub fn with(mut self, kernel: &Kernel, source: impl Into<String>) -> Self {
        self.sources[position(kernel)] = Source { text: Cow::Owned(source.into()), file: None };
        self
    }

    /// The same set with these in place of those of their kernels.
    #[must_use]
    pub fn with_edited(mut self, edited: &EditedShaders) -> Self {
        for (kernel, source) in KERNELS.into_iter().zip(&mut self.sources) {
            if let Some(file) = edited.file(kernel.name) {
                let text = Cow::Owned(file.text.to_string());
                *source = Source { text, file: Some(file.path.display().to_string().into()) };
            }
        }
        self
    }

    /// The shaders that come with the library, but for that of this kernel, which is the one here.
    #[must_use]
    pub fn only(&self, kernel: &Kernel) -> Self {
        let mut set = Self::new(self.family);
        set.sources[position(kernel)] = self.sources[position(kernel)].clone();
        set
    }

    /// The family they belong to.
    pub fn family(&self) -> Family {
        self.family
    }

    /// Whether this kernel is the one that comes with the library.
    pub fn is_own(&self, kernel: &Kernel) -> bool {
        self.source(kernel) == kernel.shaders.of(self.family).source
    }

    /// The kernels that are others than those that come with the library.
    pub fn edited(&self) -> impl Iterator<Item = &'static Kernel> {
        KERNELS.into_iter().filter(|kernel| !self.is_own(kernel))
    }

    /// The WGSL of this kernel.
    pub fn source(&self, kernel: &Kernel) -> &str {
        &self.sources[position(kernel)].text
    }

    /// What a message calls this kernel: by its file as well, where it was read from one.
    pub fn called(&self, kernel: &Kernel) -> String {
        let name = kernel.name;
        match &self.sources[position(kernel)].file {
            Some(file) => format!("{file}: kernel {name}"),
            None => format!("kernel {name}"),
        }
    }
}

impl EditedShaders {
    /// Reads the files of `folder` that are named after a kernel; there is at least one.
    ///
    /// # Errors
    /// [`Error::Io`] where a file cannot be read, [`Error::Config`] where there is none.
    pub fn read(folder: &Path) -> Result<Self> {
        let mut files = Vec::new();
        for kernel in KERNELS.map(|kernel| kernel.name) {
            let path = folder.join(file_name(kernel));
            if path.exists() {
                let text = file::text(&path, MOST_BYTES).map_err(Error::io(&path))?.into();
                files.push(ShaderFile { kernel, path, text });
            }
        }
        if files.is_empty() {
            let names = KERNELS.map(|kernel| file_name(kernel.name)).join(", ");
            return Err(Error::config(format!(
                "{} is no folder with at least one of {names}",
                folder.display()
            )));
        }
        Ok(Self { folder: folder.into(), files })
    }

    /// The same shaders, from a copy of the folder. The files stay those that were read.
    #[must_use]
    pub fn copied_to(&self, folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), ..self.clone() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What was read from it, in the order of [`KERNELS`].
    pub fn files(&self) -> &[ShaderFile] {
        &self.files
    }

    /// That of the kernel of this name, if it was edited.
    pub fn file(&self, kernel: &str) -> Option<&ShaderFile> {
        self.files.iter().find(|file| file.kernel == kernel)
    }
}

impl ShaderFile {
    /// Its name in a folder.
    pub fn name(&self) -> String {
        file_name(self.kernel)
    }
}

impl From<String> for EditedShaders {
    fn from(folder: String) -> Self {
        Self { folder: folder.into(), files: Vec::new() }
    }
}

impl From<EditedShaders> for String {
    fn from(shaders: EditedShaders) -> Self {
        shaders.folder.display().to_string()
    }
}

/// The file that has the shader of this kernel.
fn file_name(kernel: &str) -> String {
    format!("{kernel}.wgsl")
}
