//! What a kernel's declaration holds, and how it is written.

use std::{any::type_name, fmt};

use bytemuck::Pod;

use super::family::{ByFamily, Family, Form};

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

        const _: () = assert!(size_of::<$arguments>() <= declaration::MOST_BYTES);

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

/// The most workgroups one dimension of a dispatch may have in any WebGPU implementation.
const MOST_WORKGROUPS: u32 = 65535;

/// Bytes of the arguments of a kernel, at most.
pub(super) const MOST_BYTES: usize = 16;

/// The names of overrides, each with its value.
pub type Switches = Vec<(&'static str, bool)>;

/// The arguments of some kernel; with them its shapes, and so its dispatch, are known.
#[derive(Debug, Clone, Copy)]
pub struct Arguments {
    kernel: &'static Kernel,
    bytes: [u8; MOST_BYTES],
}

impl Arguments {
    pub(super) fn new<A: Pod>(kernel: &'static Kernel, args: &A) -> Self {
        let mut bytes = [0; MOST_BYTES];
        bytes[..size_of::<A>()].copy_from_slice(bytemuck::bytes_of(args));
        Self { kernel, bytes }
    }

    /// The kernel they are for.
    pub fn kernel(&self) -> &'static Kernel {
        self.kernel
    }

    /// What the uniform buffer holds.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes[..self.kernel.arguments_size]
    }

    /// The same, as the kernel's own type.
    pub(super) fn read<A: Pod>(&self) -> A {
        assert_eq!(size_of::<A>(), self.kernel.arguments_size, "{}", type_name::<A>());
        bytemuck::pod_read_unaligned(self.bytes())
    }

    /// Rows, inputs and outputs of the model's layer that it is dispatched for.
    pub fn sizes(&self) -> [u32; 3] {
        (self.kernel.sizes)(self)
    }

    /// Rows and columns of what is bound there; `binding` is one of the kernel's.
    pub fn shape(&self, binding: &Binding) -> [u32; 2] {
        (binding.shape)(self)
    }

    /// The value of each of the family's overrides.
    pub fn switches(&self, family: Family) -> Switches {
        let switches = self.kernel.shaders.of(family).switches.iter();
        switches.map(|switch| (switch.name, (switch.is_on)(self))).collect()
    }

    /// The dispatch: x first, and y where x alone does not reach.
    pub fn dispatch(&self, family: Family) -> [u32; 3] {
        self.dispatch_within(family, MOST_WORKGROUPS)
    }

    /// The dispatch where one dimension has at most `most` workgroups.
    pub fn dispatch_within(&self, family: Family, most: u32) -> [u32; 3] {
        let workgroups = (self.kernel.shaders.of(family).workgroups)(self);
        let x = workgroups.min(most.into());
        let y = workgroups.div_ceil(x.max(1));
        [x as u32, y as u32, 1]
    }

    /// What the kernel should make of these inputs, which are bits, in f64.
    pub fn expected(&self, inputs: &[Vec<u32>]) -> Vec<Values> {
        let of_kind = |kind| self.kernel.bindings.iter().filter(move |it| it.kind == kind);
        let inputs: Vec<_> = of_kind(BindingKind::Read)
            .zip(inputs)
            .map(|(binding, bits)| Values::from_bits(binding.element, bits))
            .collect();
        let mut outputs: Vec<_> = of_kind(BindingKind::Write)
            .map(|binding| {
                let [rows, columns] = self.shape(binding);
                Values::from_bits(binding.element, &vec![0; (rows * columns) as usize])
            })
            .collect();
        (self.kernel.twin)(self, &inputs, &mut outputs);
        outputs
    }
}

/// Each field with its value: `rows 3, inputs 2`.
impl fmt::Display for Arguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, Field { name, element, offset }) in self.kernel.fields.iter().enumerate() {
            let separator = if at > 0 { ", " } else { "" };
            let word = &self.bytes[*offset..][..4];
            match element {
                Element::F32 => {
                    write!(f, "{separator}{name} {}", bytemuck::pod_read_unaligned::<f32>(word))?;
                }
                Element::U32 => {
                    write!(f, "{separator}{name} {}", bytemuck::pod_read_unaligned::<u32>(word))?;
                }
            }
        }
        Ok(())
    }
}

/// A matrix or vector as the twins see it, row after row.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Of f32s on the device.
    Floats(Vec<f64>),
    /// Of u32s on the device.
    Integers(Vec<u32>),
}

impl Values {
    /// What these bits mean on the device.
    pub fn from_bits(element: Element, bits: &[u32]) -> Self {
        match element {
            Element::F32 => {
                Self::Floats(bits.iter().map(|&bits| f32::from_bits(bits).into()).collect())
            }
            Element::U32 => Self::Integers(bits.to_vec()),
        }
    }

    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "no matrix is empty")]
    pub fn len(&self) -> usize {
        match self {
            Self::Floats(values) => values.len(),
            Self::Integers(values) => values.len(),
        }
    }

    /// All of them as numbers of one type.
    pub fn into_f64(self) -> Vec<f64> {
        match self {
            Self::Floats(values) => values,
            Self::Integers(values) => values.into_iter().map(f64::from).collect(),
        }
    }
}

/// What a twin takes, by the type that it takes it as.
macro_rules! values_as {
    ($($kind:ident as $number:ty;)+) => {$(
        impl AsRef<[$number]> for Values {
            fn as_ref(&self) -> &[$number] {
                let Self::$kind(values) = self else { panic!("a twin takes what is declared") };
                values
            }
        }

        impl AsMut<[$number]> for Values {
            fn as_mut(&mut self) -> &mut [$number] {
                let Self::$kind(values) = self else { panic!("a twin fills what is declared") };
                values
            }
        }
    )+};
}

values_as! {
    Floats as f64;
    Integers as u32;
}

/// One kernel's arguments and inputs, and what it should give.
#[derive(Debug, Clone)]
pub struct Case {
    /// The sizes, and what is special about the inputs.
    pub shape: String,
    /// The arguments.
    pub args: Arguments,
    /// In the order of the bindings, as bits, row after row.
    pub inputs: Vec<Vec<u32>>,
    /// What the twin gives, in the order of the bindings.
    pub expected: Vec<Values>,
    /// Workgroups along a dimension of the dispatch, at most; none where there is no such limit.
    pub widest: Option<u32>,
}

impl Case {
    pub(super) fn new(at: usize, args: impl Into<Arguments>, inputs: Vec<Vec<u32>>) -> Self {
        let args = args.into();
        Self {
            shape: args.to_string(),
            expected: args.expected(&inputs),
            args,
            inputs,
            // Every third case pretends that a dispatch is at most three workgroups wide, as one of
            // millions of rows would be folded.
            widest: (at % 3 == 2).then_some(3),
        }
    }
}
