//! What a kernel's declaration holds, and how it is written.

use std::fmt;

use super::{
    arguments::{Arguments, Values},
    cases::Case,
    family::{ByFamily, Form},
};

/// One kernel: everything that the host knows of it.
pub struct Kernel {
    /// The same word in the shader's file, in its twin and in error messages.
    pub name: &'static str,
    /// The fields of the arguments, as the host lays them out.
    pub fields: &'static [Field],
    /// Bytes of the arguments.
    pub arguments_size: usize,
    /// Binding 0, the arguments, then the inputs, then the outputs.
    pub bindings: &'static [Binding],
    /// Its text in each family, and what goes with the text.
    pub shaders: ByFamily<Shader>,
    /// The matrix product that is most of its work; none where none is.
    pub product: Option<Product>,
    /// Rows, inputs and outputs of the model's layer that it is dispatched for.
    pub(super) sizes: fn(&Arguments) -> [u32; 3],
    /// The same in f64 on the host: takes the arguments and the inputs, fills the outputs.
    pub(super) twin: fn(&Arguments, &[Values], &mut [Values]),
    /// What it is checked on, made one at a time.
    pub(super) cases: fn() -> Box<dyn Iterator<Item = Case>>,
    /// The case of these rows, inputs and outputs, on the most ordinary numbers.
    pub(super) ordinary_case: fn([u32; 3]) -> Case,
}

impl Kernel {
    /// What it is checked on, made one at a time.
    pub fn cases(&self) -> impl Iterator<Item = Case> + use<> {
        (self.cases)()
    }

    /// A case of these rows, inputs and outputs, on the most ordinary numbers.
    pub fn ordinary_case(&self, sizes: [u32; 3]) -> Case {
        (self.ordinary_case)(sizes)
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The type of a number on the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Element {
    /// `f32`.
    F32,
    /// `u32`.
    U32,
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::U32 => "u32",
        })
    }
}

/// A number as it is written in a declaration.
pub(super) trait Number {
    const ELEMENT: Element;
}

impl Number for f32 {
    const ELEMENT: Element = Element::F32;
}

impl Number for u32 {
    const ELEMENT: Element = Element::U32;
}

/// One field of a kernel's arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name on both sides.
    pub name: &'static str,
    /// Its type.
    pub element: Element,
    /// Bytes from the start of the arguments.
    pub offset: usize,
}

/// One binding of a kernel, at the index it has in [`Kernel::bindings`].
#[derive(Debug, Clone, Copy)]
pub struct Binding {
    /// The name of the variable in WGSL.
    pub name: &'static str,
    /// What the kernel does with it.
    pub kind: BindingKind,
    /// What its numbers are.
    pub element: Element,
    /// How each family keeps it.
    pub form: ByFamily<Form>,
    pub(super) shape: fn(&Arguments) -> [u32; 2],
}

impl Binding {
    /// The arguments themselves.
    pub(super) const ARGUMENTS: Self = Self::new(
        "args",
        BindingKind::Uniform,
        Element::U32,
        ByFamily { tiled: Form::Packed, lanes: Form::Packed },
        |_| [1, 1],
    );

    pub(super) const fn new(
        name: &'static str,
        kind: BindingKind,
        element: Element,
        form: ByFamily<Form>,
        shape: fn(&Arguments) -> [u32; 2],
    ) -> Self {
        Self { name, kind, element, form, shape }
    }
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

/// A kernel in one family.
#[derive(Debug)]
pub struct Shader {
    /// Its WGSL.
    pub source: &'static str,
    /// Numbers that the host counts on, and the text has as a `const` of the same name.
    pub constants: &'static [(&'static str, u32)],
    /// Its overrides: what is decided when it is compiled, since some drivers compute both sides of
    /// every branch.
    pub switches: &'static [Switch],
    pub(super) workgroups: fn(&Arguments) -> u64,
}

/// An override of type `bool`.
#[derive(Debug)]
pub struct Switch {
    /// Its name in WGSL.
    pub name: &'static str,
    pub(super) is_on: fn(&Arguments) -> bool,
}

/// A matrix product: which matrices are multiplied, in the words of a dense layer Y = X W.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// X W.
    XW,
    /// dY W^T.
    DyWt,
    /// X^T dY.
    XtDy,
}

/// The type of a kernel's arguments.
macro_rules! arguments_of_kernel {
    (
        $(#[$doc:meta])*
        $arguments:ident { $($(#[$field_doc:meta])* $field:ident: $number:ident,)+ }
    ) => {
        $(#[$doc])*
        #[repr(C)]
        #[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
        pub struct $arguments {
            $($(#[$field_doc])* pub $field: $number,)+
        }

        const _: () = assert!(size_of::<$arguments>() <= arguments::MOST_BYTES);

        impl $arguments {
            const FIELDS: &[Field] = &[$(Field {
                name: stringify!($field),
                element: <$number as Number>::ELEMENT,
                offset: std::mem::offset_of!(Self, $field),
            }),+];
        }
    };
}

/// A function of the arguments in which each field goes by its name.
macro_rules! of_arguments {
    (
        $arguments:ident { $($(#[$field_doc:meta])* $field:ident: $number:ident,)+ },
        $value:expr
    ) => {
        |args| {
            #[allow(unused_variables, reason = "not all fields matter to everything")]
            let $arguments { $($field),+ } = args.read();
            $value
        }
    };
}

/// Declares a kernel and the type of its arguments. Shapes, overrides and workgroups are written with
/// the fields of the arguments, and the latter two also with the constants of the family.
macro_rules! kernel {
    (
        $(#[$doc:meta])*
        $kernel:ident = $name:literal, $arguments:ident $fields:tt
        reads {
            $($input:ident: $input_form:ident of $of_input:ident $input_shape:expr;)+
        }
        writes {
            $($output:ident: $output_form:ident of $of_output:ident $output_shape:expr;)+
        }
        twin { $twin:path }
        cases { $case:path, $shapes:path }
        sizes { $sizes:expr }
        product { $product:expr }
        $($family:ident {
            const { $($constant:ident = $value:literal,)+ }
            override { $($switch:ident = $is_on:expr,)* }
            workgroups { $workgroups:expr }
        })+
    ) => {
        arguments_of_kernel! {
            $(#[$doc])*
            $arguments $fields
        }

        impl From<$arguments> for Arguments {
            fn from(args: $arguments) -> Self {
                Self::new(&$kernel, &args)
            }
        }

        $(#[$doc])*
        pub static $kernel: Kernel = Kernel {
            name: $name,
            fields: $arguments::FIELDS,
            arguments_size: size_of::<$arguments>(),
            bindings: &[
                Binding::ARGUMENTS,
                $(Binding::new(
                    stringify!($input),
                    BindingKind::Read,
                    <$of_input as Number>::ELEMENT,
                    $input_form,
                    of_arguments!($arguments $fields, $input_shape),
                ),)+
                $(Binding::new(
                    stringify!($output),
                    BindingKind::Write,
                    <$of_output as Number>::ELEMENT,
                    $output_form,
                    of_arguments!($arguments $fields, $output_shape),
                ),)+
            ],
            shaders: ByFamily {$(
                $family: {
                    $(const $constant: u32 = $value;)+
                    Shader {
                        source: include_str!(concat!(
                            "../../shaders/", stringify!($family), "/", $name, ".wgsl"
                        )),
                        constants: &[$((stringify!($constant), $constant)),+],
                        switches: &[$(Switch {
                            name: stringify!($switch),
                            is_on: of_arguments!($arguments $fields, $is_on),
                        }),*],
                        workgroups: of_arguments!($arguments $fields, $workgroups),
                    }
                },
            )+},
            product: $product,
            sizes: of_arguments!($arguments $fields, $sizes),
            twin: |args, inputs, outputs| {
                let [$($input),+] = inputs else { panic!("{} takes other inputs", $name) };
                let [$($output),+] = outputs else { panic!("{} has other outputs", $name) };
                $twin(&args.read(), $($input.as_ref(),)+ $($output.as_mut(),)+);
            },
            cases: || Box::new((0..).zip($shapes).map(|(at, shape)| $case(at, shape))),
            ordinary_case: |sizes| $case(0, sizes.into()),
        };
    };
}

pub(super) use {arguments_of_kernel, kernel, of_arguments};
