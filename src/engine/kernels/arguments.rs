//! The arguments of a kernel as plain data, and what follows from them: shapes, overrides, the dispatch
//! and the results that are expected.

use std::{any::type_name, fmt};

use bytemuck::Pod;

use super::{
    declaration::{Binding, BindingKind, Element, Field, Kernel},
    family::Family,
};

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
