//! The kernel table: what each shader is called, takes, gives and how it is dispatched.
//!
//! Knows no device. `tests/kernels.rs` compares every line of it with the WGSL.

use std::{borrow::Cow, fmt, fs, path::Path, str::FromStr};

use bytemuck::{Pod, Zeroable};
use serde::Serialize;

use crate::{Error, Result};

/// The most workgroups one dimension of a dispatch may have in any WebGPU implementation.
const MOST_WORKGROUPS: u32 = 65535;

/// Columns up to which the dense kernels of `lanes` have a path of their own.
const NARROW: u32 = 12;

/// Workgroups that keep a GPU busy, for the dense kernels of `tiled`.
const MANY: u64 = 128;

/// One kernel: its name, which is also its file's, and its bindings.
#[derive(Debug, PartialEq, Eq)]
pub struct Kernel {
    /// The same word in the shader's file, in its host twin and in error messages.
    pub name: &'static str,
    /// The fields of the arguments, as the host lays them out.
    pub fields: &'static [Field],
    /// Bytes of the arguments.
    pub arguments_size: usize,
    /// Binding 0, the arguments, then the inputs, then the outputs.
    pub bindings: &'static [Binding],
}

/// One field of a kernel's arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name on both sides.
    pub name: &'static str,
    /// `u32` or `f32`.
    pub kind: &'static str,
    /// Bytes from the start of the arguments.
    pub offset: usize,
}

/// One binding of a kernel, at the index it has in [`Kernel::bindings`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// The name of the variable in WGSL.
    pub name: &'static str,
    /// What it is bound to.
    pub kind: BindingKind,
}

/// What a kernel does with a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BindingKind {
    /// The arguments, in a uniform buffer.
    Uniform,
    /// It is only read.
    Read,
    /// It is written.
    Write,
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

/// The arguments of one kernel; with them its shapes, and so its dispatch, are known.
pub trait Arguments: Pod {
    /// The kernel they are for.
    const KERNEL: &'static Kernel;

    /// How many workgroups there are to run.
    fn workgroups(&self, family: Family) -> u64;

    /// The dispatch: x first, and y where x alone does not reach.
    fn dispatch(&self, family: Family) -> [u32; 3] {
        self.dispatch_within(family, MOST_WORKGROUPS)
    }

    /// The dispatch where one dimension has at most `most` workgroups.
    fn dispatch_within(&self, family: Family, most: u32) -> [u32; 3] {
        let most = u64::from(most);
        let workgroups = self.workgroups(family);
        let x = workgroups.min(most);
        let y = workgroups.div_ceil(x.max(1));
        [x as u32, y as u32, 1]
    }
}

/// Declares a kernel, its arguments with their field table, and its bindings in order.
macro_rules! kernel {
    (
        $(#[$doc:meta])*
        $kernel:ident = $name:literal, $arguments:ident {
            $($(#[$field_doc:meta])* $field:ident: $kind:ident,)+
        }
        reads [$($input:literal),+] writes [$($output:literal),+]
    ) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
        pub struct $arguments {
            $($(#[$field_doc])* pub $field: $kind,)+
        }

        static $kernel: Kernel = Kernel {
            name: $name,
            fields: &[$(Field {
                name: stringify!($field),
                kind: stringify!($kind),
                offset: std::mem::offset_of!($arguments, $field),
            }),+],
            arguments_size: size_of::<$arguments>(),
            bindings: &[
                Binding { name: "args", kind: BindingKind::Uniform },
                $(Binding { name: $input, kind: BindingKind::Read },)+
                $(Binding { name: $output, kind: BindingKind::Write },)+
            ],
        };
    };
}

kernel! {
    /// Arguments of `dense`: Y = act(X W + b).
    DENSE = "dense", Dense {
        /// Rows of X and Y.
        rows: u32,
        /// Columns of X.
        inputs: u32,
        /// Columns of Y.
        outputs: u32,
        /// 1 where act is `ReLU`, 0 where it is the identity.
        relu: u32,
    }
    reads ["x", "params"] writes ["y"]
}

kernel! {
    /// Arguments of `softmax_cross_entropy`: losses, hits and the gradient of their mean.
    SOFTMAX_CROSS_ENTROPY = "softmax_cross_entropy", SoftmaxCrossEntropy {
        /// Rows of the logits.
        rows: u32,
        /// Columns of the logits.
        classes: u32,
    }
    reads ["logits", "labels"] writes ["losses", "hits", "dlogits"]
}

kernel! {
    /// Arguments of `dense_input_gradient`: dX = dY W^T where X > 0.
    DENSE_INPUT_GRADIENT = "dense_input_gradient", DenseInputGradient {
        /// Rows of X and Y.
        rows: u32,
        /// Columns of X.
        inputs: u32,
        /// Columns of Y.
        outputs: u32,
    }
    reads ["dy", "params", "x"] writes ["dx"]
}

kernel! {
    /// Arguments of `dense_weight_gradient`: dW = X^T dY + 2 L2 W, db = column sums of dY.
    DENSE_WEIGHT_GRADIENT = "dense_weight_gradient", DenseWeightGradient {
        /// Rows of X and Y.
        rows: u32,
        /// Columns of X.
        inputs: u32,
        /// Columns of Y.
        outputs: u32,
        /// What multiplies ||W||_F^2 in the loss.
        l2: f32,
    }
    reads ["x", "dy", "params"] writes ["dparams"]
}

/// Every kernel, in the order in which a gradient uses them.
pub static KERNELS: [&Kernel; 4] =
    [&DENSE, &SOFTMAX_CROSS_ENTROPY, &DENSE_INPUT_GRADIENT, &DENSE_WEIGHT_GRADIENT];

/// The kernel of this name.
pub fn by_name(name: &str) -> Option<&'static Kernel> {
    KERNELS.into_iter().find(|kernel| kernel.name == name)
}

impl Arguments for Dense {
    const KERNEL: &'static Kernel = &DENSE;

    fn workgroups(&self, family: Family) -> u64 {
        match family {
            Family::Tiled => tiles_for_a_gpu([self.rows, self.outputs]),
            Family::Lanes if self.outputs <= NARROW => tiles([self.rows, 1], [16, 1]),
            Family::Lanes => tiles([self.rows, self.outputs], [16, 64]),
        }
    }
}

impl Arguments for SoftmaxCrossEntropy {
    const KERNEL: &'static Kernel = &SOFTMAX_CROSS_ENTROPY;

    fn workgroups(&self, family: Family) -> u64 {
        match family {
            Family::Tiled => tiles([self.rows, 1], [16, 1]),
            Family::Lanes => tiles([self.rows, 1], [8, 1]),
        }
    }
}

impl Arguments for DenseInputGradient {
    const KERNEL: &'static Kernel = &DENSE_INPUT_GRADIENT;

    fn workgroups(&self, family: Family) -> u64 {
        match family {
            Family::Tiled => tiles([self.rows, self.inputs], [16, 16]),
            Family::Lanes => tiles([self.rows, self.inputs], [16, 64]),
        }
    }
}

impl Arguments for DenseWeightGradient {
    const KERNEL: &'static Kernel = &DENSE_WEIGHT_GRADIENT;

    fn workgroups(&self, family: Family) -> u64 {
        match family {
            Family::Tiled => tiles_for_a_gpu([self.inputs + 1, self.outputs]),
            Family::Lanes if self.outputs <= NARROW => tiles([self.inputs + 1, 1], [32, 1]),
            Family::Lanes => tiles([self.inputs + 1, self.outputs], [32, 64]),
        }
    }
}

/// How many tiles cover a matrix.
fn tiles(matrix: [u32; 2], tile: [u32; 2]) -> u64 {
    u64::from(matrix[0].div_ceil(tile[0])) * u64::from(matrix[1].div_ceil(tile[1]))
}

/// How many tiles of 16 by 16 cover a matrix, or of 4 by 16 where those are too few.
fn tiles_for_a_gpu(matrix: [u32; 2]) -> u64 {
    let tall = tiles(matrix, [16, 16]);
    if tall >= MANY { tall } else { tiles(matrix, [4, 16]) }
}

/// Shaders of the same names and meaning, made for one kind of adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
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

    /// How this family keeps what is bound under this name.
    pub fn form(self, name: &str) -> Form {
        match (self, name) {
            (_, "args" | "labels" | "losses" | "hits") => Form::Packed,
            (Self::Tiled, _) | (Self::Lanes, "dparams") => Form::Padded,
            (Self::Lanes, _) => Form::Texels,
        }
    }

    /// The word for it on the command line and in records, and its folder under `shaders/`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tiled => "tiled",
            Self::Lanes => "lanes",
        }
    }

    fn source(self, kernel: &Kernel) -> &'static str {
        macro_rules! source {
            ($family:literal, $kernel:literal) => {
                include_str!(concat!("../../../shaders/", $family, "/", $kernel, ".wgsl"))
            };
        }
        match (self, kernel.name) {
            (Self::Tiled, "dense") => source!("tiled", "dense"),
            (Self::Tiled, "softmax_cross_entropy") => source!("tiled", "softmax_cross_entropy"),
            (Self::Tiled, "dense_input_gradient") => source!("tiled", "dense_input_gradient"),
            (Self::Tiled, "dense_weight_gradient") => source!("tiled", "dense_weight_gradient"),
            (Self::Lanes, "dense") => source!("lanes", "dense"),
            (Self::Lanes, "softmax_cross_entropy") => source!("lanes", "softmax_cross_entropy"),
            (Self::Lanes, "dense_input_gradient") => source!("lanes", "dense_input_gradient"),
            (Self::Lanes, "dense_weight_gradient") => source!("lanes", "dense_weight_gradient"),
            (family, name) => unreachable!("no kernel {name} in family {family}"),
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

/// A source for every kernel: a family's own, or some of them replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShaderSet {
    family: Family,
    sources: [Cow<'static, str>; KERNELS.len()],
}

impl ShaderSet {
    /// The shaders that come with the library.
    pub fn new(family: Family) -> Self {
        Self { family, sources: KERNELS.map(|kernel| Cow::Borrowed(family.source(kernel))) }
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
                set = set.with(kernel, fs::read_to_string(&path).map_err(Error::io(&path))?);
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

    /// The WGSL of this kernel.
    pub fn source(&self, kernel: &Kernel) -> &str {
        &self.sources[position(kernel)]
    }
}

/// Where the kernel stands in [`KERNELS`].
pub(super) fn position(kernel: &Kernel) -> usize {
    let at = KERNELS.iter().position(|known| known.name == kernel.name);
    at.expect("every kernel there is stands in KERNELS")
}
