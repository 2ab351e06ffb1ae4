//! The table of kernels: each has one declaration, with everything that the host knows of it.
//!
//! The table needs no device. `tests/engine/kernels.rs` compares the declarations with the WGSL:
//! arguments, bindings, overrides and constants.

mod cases;
mod declaration;
pub mod dispatches;
mod family;
mod shaders;
pub mod twins;

use bytemuck::{Pod, Zeroable};

use self::declaration::{Number, arguments_of_kernel, kernel, of_arguments};
pub use self::{
    declaration::{
        Arguments, Binding, BindingKind, Case, Element, Field, Kernel, Product, Shader, Switch,
        Switches, Values,
    },
    family::{ByFamily, Family, Form},
    shaders::{EditedShaders, ShaderFile, ShaderSet},
};

/// How a matrix is kept.
pub(super) const MATRIX: ByFamily<Form> = ByFamily { tiled: Form::Padded, lanes: Form::Texels };
/// How a matrix that the host reads is kept.
const RESULT: ByFamily<Form> = ByFamily { tiled: Form::Padded, lanes: Form::Padded };
/// How a number a row is kept.
const VECTOR: ByFamily<Form> = ByFamily { tiled: Form::Packed, lanes: Form::Packed };

kernel! {
    /// Y = act(X W + b).
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
    reads {
        x: MATRIX of f32 [rows, inputs];
        params: MATRIX of f32 [inputs + 1, outputs];
    }
    writes {
        y: MATRIX of f32 [rows, outputs];
    }
    twin { twins::dense }
    cases { cases::dense, cases::PRODUCTS }
    sizes { [rows, inputs, outputs] }
    product { Some(Product::XW) }
    tiled {
        const { TALL = 16, LOW = 4, COLUMNS = 16, MANY = 128, }
        override {}
        workgroups { tall_or_low([rows, outputs], [TALL, LOW], COLUMNS, MANY) }
    }
    lanes {
        const { ROWS = 16, COLUMNS = 64, NARROW_COLUMNS = 12, }
        override { NARROW = outputs <= NARROW_COLUMNS, }
        workgroups { narrow_or_wide([rows, outputs], ROWS, [NARROW_COLUMNS, COLUMNS]) }
    }
}

kernel! {
    /// Loss of each row, whether its largest logit is at its label, and the gradient of the mean loss.
    SOFTMAX_CROSS_ENTROPY = "softmax_cross_entropy", SoftmaxCrossEntropy {
        /// Rows of the logits.
        rows: u32,
        /// Columns of the logits.
        classes: u32,
    }
    reads {
        logits: MATRIX of f32 [rows, classes];
        labels: VECTOR of u32 [rows, 1];
    }
    writes {
        losses: VECTOR of f32 [rows, 1];
        hits: VECTOR of u32 [rows, 1];
        dlogits: MATRIX of f32 [rows, classes];
    }
    twin { twins::softmax_cross_entropy }
    cases { cases::softmax_cross_entropy, cases::LOGITS }
    sizes { [rows, classes, classes] }
    product { None }
    tiled {
        const { ROWS = 16, }
        override {}
        workgroups { tiles([rows, 1], [ROWS, 1]) }
    }
    lanes {
        const { ROWS = 8, }
        override {}
        workgroups { tiles([rows, 1], [ROWS, 1]) }
    }
}

kernel! {
    /// dX = dY W^T where X > 0.
    DENSE_INPUT_GRADIENT = "dense_input_gradient", DenseInputGradient {
        /// Rows of X and Y.
        rows: u32,
        /// Columns of X.
        inputs: u32,
        /// Columns of Y.
        outputs: u32,
    }
    reads {
        dy: MATRIX of f32 [rows, outputs];
        params: MATRIX of f32 [inputs + 1, outputs];
        x: MATRIX of f32 [rows, inputs];
    }
    writes {
        dx: MATRIX of f32 [rows, inputs];
    }
    twin { twins::dense_input_gradient }
    cases { cases::dense_input_gradient, cases::PRODUCTS }
    sizes { [rows, inputs, outputs] }
    product { Some(Product::DyWt) }
    tiled {
        const { ROWS = 16, COLUMNS = 16, }
        override {}
        workgroups { tiles([rows, inputs], [ROWS, COLUMNS]) }
    }
    lanes {
        const { ROWS = 16, COLUMNS = 64, }
        override {}
        workgroups { tiles([rows, inputs], [ROWS, COLUMNS]) }
    }
}

kernel! {
    /// dW = X^T dY + 2 L2 W, db = column sums of dY.
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
    reads {
        x: MATRIX of f32 [rows, inputs];
        dy: MATRIX of f32 [rows, outputs];
        params: MATRIX of f32 [inputs + 1, outputs];
    }
    writes {
        dparams: RESULT of f32 [inputs + 1, outputs];
    }
    twin { twins::dense_weight_gradient }
    cases { cases::dense_weight_gradient, cases::PRODUCTS }
    sizes { [rows, inputs, outputs] }
    product { Some(Product::XtDy) }
    tiled {
        const { TALL = 16, LOW = 4, COLUMNS = 16, MANY = 128, }
        override {}
        workgroups { tall_or_low([inputs + 1, outputs], [TALL, LOW], COLUMNS, MANY) }
    }
    lanes {
        const { INPUTS = 32, COLUMNS = 32, NARROW_COLUMNS = 12, }
        override { NARROW = outputs <= NARROW_COLUMNS, DECAY = l2 != 0.0, }
        workgroups { narrow_or_wide([inputs + 1, outputs], INPUTS, [NARROW_COLUMNS, COLUMNS]) }
    }
}

/// Every kernel, in the order in which a gradient uses them.
pub static KERNELS: [&Kernel; 4] =
    [&DENSE, &SOFTMAX_CROSS_ENTROPY, &DENSE_INPUT_GRADIENT, &DENSE_WEIGHT_GRADIENT];

/// The kernel of this name.
pub fn by_name(name: &str) -> Option<&'static Kernel> {
    KERNELS.into_iter().find(|kernel| kernel.name == name)
}

/// Where the kernel stands in [`KERNELS`].
pub(super) fn position(kernel: &Kernel) -> usize {
    let at = KERNELS.iter().position(|known| known.name == kernel.name);
    at.expect("every kernel there is stands in KERNELS")
}

/// How many tiles of these rows and columns cover a matrix.
fn tiles(matrix: [u32; 2], tile: [u32; 2]) -> u64 {
    u64::from(matrix[0].div_ceil(tile[0])) * u64::from(matrix[1].div_ceil(tile[1]))
}

/// How many tiles of the first height cover a matrix, or of the second where those are not `many`:
/// too few to keep a GPU busy.
fn tall_or_low(matrix: [u32; 2], [tall, low]: [u32; 2], columns: u32, many: u32) -> u64 {
    let workgroups = tiles(matrix, [tall, columns]);
    if workgroups >= many.into() { workgroups } else { tiles(matrix, [low, columns]) }
}

/// How many tiles of the first width cover a matrix that is no wider, or else of the second.
fn narrow_or_wide(matrix: [u32; 2], rows: u32, [narrow, wide]: [u32; 2]) -> u64 {
    tiles(matrix, [rows, if matrix[1] <= narrow { narrow } else { wide }])
}
