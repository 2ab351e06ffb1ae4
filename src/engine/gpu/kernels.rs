//! The kernel table: what each shader is called, takes, gives and how it is dispatched.
//!
//! Knows no device. `tests/kernels.rs` compares every line of it with the WGSL.

mod family;
pub(super) mod text;

use bytemuck::{Pod, Zeroable};

pub use self::family::{Family, Form, ShaderSet};

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

impl Kernel {
    /// Whether most of its work is a matrix product.
    pub fn is_product(&self) -> bool {
        self.name != SOFTMAX_CROSS_ENTROPY.name
    }
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

/// The arguments of one kernel; with them its shapes, and so its dispatch, are known.
pub trait Arguments: Pod {
    /// The kernel they are for.
    const KERNEL: &'static Kernel;

    /// How many workgroups there are to run.
    fn workgroups(&self, family: Family) -> u64;

    /// Whether the override of this name, one of [`Family::switches`], is on.
    fn is_on(&self, _switch: &str) -> bool {
        false
    }

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

    fn is_on(&self, switch: &str) -> bool {
        switch == "NARROW" && self.outputs <= NARROW
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
            Family::Lanes => tiles([self.inputs + 1, self.outputs], [32, 32]),
        }
    }

    fn is_on(&self, switch: &str) -> bool {
        match switch {
            "NARROW" => self.outputs <= NARROW,
            "DECAY" => self.l2 != 0.0,
            _ => false,
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

/// Where the kernel stands in [`KERNELS`].
pub(super) fn position(kernel: &Kernel) -> usize {
    let at = KERNELS.iter().position(|known| known.name == kernel.name);
    at.expect("every kernel there is stands in KERNELS")
}
