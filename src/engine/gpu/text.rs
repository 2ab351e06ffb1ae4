//! What a shader's text declares, against what the host binds to it and what an adapter grants.

use naga::{
    AddressSpace, ArraySize, Handle, ImageClass, ImageDimension, Module, Override, Scalar,
    ScalarKind, ShaderStage, StorageAccess, StorageFormat, Type, TypeInner,
    back::{PipelineConstants, pipeline_constants::process_overrides},
    front::wgsl,
    valid::{Capabilities, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator},
};

use crate::engine::kernels::{Binding, BindingKind, Element, Family, Form, Kernel, Switch};

/// Checks that `source` declares what this kernel of the family is bound to, and that a workgroup
/// needs at most `most` bytes of memory; returns what is wrong.
///
/// What is no WGSL passes: the driver says better where. A text can break the compiler; see
/// [`isolated::check`](crate::engine::isolated::check).
pub(crate) fn examine(
    family: Family,
    kernel: &Kernel,
    source: &str,
    most: u32,
) -> Result<(), String> {
    let Ok(module) = wgsl::parse_str(source) else { return Ok(()) };
    let is_main =
        |entry: &naga::EntryPoint| entry.stage == ShaderStage::Compute && entry.name == "main";
    if !module.entry_points.iter().any(is_main) {
        return Err("it has no @compute function main".into());
    }
    let mut wrong = misbound(family, kernel, &module);
    if !wrong.is_empty() {
        let other =
            Family::ALL.into_iter().find(|&other| misbound(other, kernel, &module).is_empty());
        if let Some(other) = other {
            return Err(format!(
                "it is bound as those of the {other} family are, but here kernels are {family}; \
                 --kernels {other} takes it as what it is"
            ));
        }
    }
    wrong.extend(misargued(kernel, &module));
    let switches: Vec<_> =
        kernel.shaders.of(family).switches.iter().map(|Switch { name, .. }| *name).collect();
    let known = |one: &Override| {
        one.init.is_some() || one.name.as_deref().is_some_and(|name| switches.contains(&name))
    };
    wrong.extend(module.overrides.iter().filter(|(_, one)| !known(one)).map(|(_, one)| {
        let name = one.name.as_deref().unwrap_or("without a name");
        let names = if switches.is_empty() { "none".into() } else { switches.join(", ") };
        format!("override {name} has no value; those that {family} kernels of this name are given: {names}")
    }));
    if !wrong.is_empty() {
        return Err(wrong.join("; "));
    }
    let needed = [0.0, 1.0].map(|on| workgroup_memory(&module, &switches, on)).into_iter().max();
    match needed.flatten() {
        Some(needed) if needed > u64::from(most) => {
            Err(format!("it needs {needed} bytes of workgroup memory, and the adapter has {most}"))
        }
        _ => Ok(()),
    }
}

/// What the host binds, as it is written.
fn expected(family: Family, binding: &Binding) -> &'static str {
    let texels = *binding.form.of(family) == Form::Texels;
    match binding.kind {
        BindingKind::Uniform => "var<uniform>",
        BindingKind::Read if texels => "texture_storage_2d<rgba32float, read>",
        BindingKind::Read => "var<storage, read>",
        BindingKind::Write if texels => "texture_storage_2d<rgba32float, write>",
        BindingKind::Write => "var<storage, read_write>",
    }
}

/// What the text declares, as it is written.
fn declared(space: AddressSpace, inner: &TypeInner) -> &'static str {
    match (space, inner) {
        (AddressSpace::Uniform, _) => "var<uniform>",
        (AddressSpace::Storage { access: StorageAccess::LOAD }, _) => "var<storage, read>",
        (AddressSpace::Storage { .. }, _) => "var<storage, read_write>",
        (
            _,
            &TypeInner::Image {
                dim: ImageDimension::D2,
                arrayed: false,
                class: ImageClass::Storage { format: StorageFormat::Rgba32Float, access },
            },
        ) => match access {
            StorageAccess::LOAD => "texture_storage_2d<rgba32float, read>",
            StorageAccess::STORE => "texture_storage_2d<rgba32float, write>",
            _ => "texture_storage_2d<rgba32float, read_write>",
        },
        (_, TypeInner::Image { .. }) => "another texture",
        _ => "neither buffer nor texture",
    }
}

/// Where the bindings of the text are not those of the kernel.
fn misbound(family: Family, kernel: &Kernel, module: &Module) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut missing: Vec<_> = (0..).zip(kernel.bindings).collect();
    for (_, variable) in module.global_variables.iter() {
        let Some(at) = variable.binding else { continue };
        let found = declared(variable.space, &module.types[variable.ty].inner);
        let place = missing.iter().position(|(place, _)| at.group == 0 && *place == at.binding);
        let Some(place) = place else {
            let (group, at) = (at.group, at.binding);
            let count = kernel.bindings.len();
            wrong.push(format!(
                "@group({group}) @binding({at}) is not available, or is declared twice; this kernel has \
                 {count} bindings, all in group 0"
            ));
            continue;
        };
        let (at, binding) = missing.swap_remove(place);
        let expected = expected(family, binding);
        if found != expected {
            let name = binding.name;
            wrong.push(format!("@binding({at}) is to be {name}: {expected}, and is {found}"));
        }
    }
    missing.sort_by_key(|(at, _)| *at);
    wrong.extend(missing.into_iter().map(|(at, binding)| {
        let (name, expected) = (binding.name, expected(family, binding));
        format!("@binding({at}) is to be {name}: {expected}, and is missing")
    }));
    wrong
}

/// Where the arguments of the text are not those of the kernel.
fn misargued(kernel: &Kernel, module: &Module) -> Option<String> {
    let mut variables = module.global_variables.iter().map(|(_, variable)| variable);
    let args = variables.find(|variable| variable.space == AddressSpace::Uniform)?;
    let found: Vec<_> = match &module.types[args.ty].inner {
        TypeInner::Struct { members, .. } => members
            .iter()
            .map(|member| (element(module, member.ty), member.offset as usize))
            .collect(),
        _ => vec![(element(module, args.ty), 0)],
    };
    let expected = kernel.fields.iter().map(|field| (Some(field.element), field.offset));
    if found.into_iter().eq(expected) {
        return None;
    }
    let fields = kernel.fields.iter().map(|field| format!("{}: {}", field.name, field.element));
    let fields: Vec<_> = fields.collect();
    Some(format!("@binding(0) is to be a struct of {}", fields.join(", ")))
}

fn element(module: &Module, ty: Handle<Type>) -> Option<Element> {
    match module.types[ty].inner {
        TypeInner::Scalar(Scalar { kind: ScalarKind::Uint, width: 4 }) => Some(Element::U32),
        TypeInner::Scalar(Scalar { kind: ScalarKind::Float, width: 4 }) => Some(Element::F32),
        _ => None,
    }
}

/// Bytes that a workgroup of `main` needs where all switches are `on`; none of what is not valid, of
/// which the driver will say so.
fn workgroup_memory(module: &Module, switches: &[&str], on: f64) -> Option<u64> {
    let mut validator = Validator::new(ValidationFlags::all(), Capabilities::all());
    validator.subgroup_stages(ShaderStages::COMPUTE);
    validator.subgroup_operations(SubgroupOperationSet::all());
    let info = validator.validate(module).ok()?;
    let constants: PipelineConstants =
        switches.iter().map(|&switch| (switch.to_owned(), on)).collect();
    let main = (ShaderStage::Compute, "main");
    let (module, info) = process_overrides(module, &info, Some(main), &constants).ok()?;
    let at = module.entry_points.iter().position(|entry| entry.name == "main")?;
    let used = info.get_entry_point(at);
    let shared = module.global_variables.iter().filter(|(handle, variable)| {
        variable.space == AddressSpace::WorkGroup && !used[*handle].is_empty()
    });
    // Each begins at a multiple of 16 bytes.
    Some(shared.map(|(_, variable)| bytes(&module, variable.ty).next_multiple_of(16)).sum())
}

fn bytes(module: &Module, ty: Handle<Type>) -> u64 {
    match module.types[ty].inner {
        TypeInner::Array { size: ArraySize::Constant(count), stride, .. } => {
            u64::from(count.get()) * u64::from(stride)
        }
        ref inner => inner.size(module.to_ctx()).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::kernels::{KERNELS, ShaderSet, by_name};

    /// Bytes that WebGPU grants everywhere.
    const EVERYWHERE: u32 = 16384;

    fn every() -> impl Iterator<Item = (Family, &'static Kernel)> {
        Family::ALL.into_iter().flat_map(|family| KERNELS.map(|kernel| (family, kernel)))
    }

    /// Within the limits of every adapter.
    #[test]
    fn the_kernels_that_come_along_are_what_they_are_to_be_and_those_of_the_other_family_are_not() {
        for (family, kernel) in every() {
            for other in Family::ALL {
                let source = ShaderSet::new(other).source(kernel).to_owned();
                let examined = examine(family, kernel, &source, EVERYWHERE);
                if other == family {
                    assert_eq!(examined, Ok(()), "{}", kernel.name);
                    continue;
                }
                let problem = examined.unwrap_err();
                let (hint, here) = (format!("--kernels {other} "), format!("are {family};"));
                assert!(problem.contains(&hint) && problem.contains(&here), "{problem}");
            }
        }
    }

    #[track_caller]
    fn check(family: Family, name: &str, right: &str, wrong: &str, expected: Result<(), &str>) {
        let kernel = by_name(name).unwrap();
        let source = ShaderSet::new(family).source(kernel).to_owned();
        let changed = source.replacen(right, wrong, 1);
        assert_ne!(changed, source);
        let found = examine(family, kernel, &changed, EVERYWHERE);
        assert_eq!(found, expected.map_err(str::to_owned));
    }

    #[test]
    fn what_is_declared_otherwise_is_named_with_what_it_is_to_be() {
        use Family::{Lanes, Tiled};
        let x = "@group(0) @binding(1) var<storage, read> x";
        for (family, right, wrong, expected) in [
            (
                Tiled,
                x,
                "@group(0) @binding(1) var<storage, read_write> x",
                "@binding(1) is to be x: var<storage, read>, and is var<storage, read_write>",
            ),
            (
                Tiled,
                x,
                "var<private> x",
                "@binding(1) is to be x: var<storage, read>, and is missing",
            ),
            (
                Tiled,
                x,
                "@group(0) @binding(7) var<storage, read> x",
                "@group(0) @binding(7) is not available, or is declared twice; this kernel has 4 bindings, all \
                 in group 0; \
              @binding(1) is to be x: var<storage, read>, and is missing",
            ),
            (
                Lanes,
                "x: texture_storage_2d<rgba32float, read>",
                "x: texture_storage_2d<rgba16float, read>",
                "@binding(1) is to be x: texture_storage_2d<rgba32float, read>, and is another texture",
            ),
            (
                Lanes,
                "override NARROW: bool",
                "override WIDE: bool; const NARROW = false",
                "override WIDE has no value; those that lanes kernels of this name are given: NARROW",
            ),
            (
                Tiled,
                "relu: u32",
                "relu: u32,\n    more: u32",
                "@binding(0) is to be a struct of rows: u32, inputs: u32, outputs: u32, relu: u32",
            ),
            (
                Tiled,
                "inputs: u32,\n",
                "@align(16) inputs: u32,\n",
                "@binding(0) is to be a struct of rows: u32, inputs: u32, outputs: u32, relu: u32",
            ),
            (Tiled, "fn main(", "fn other(", "it has no @compute function main"),
        ] {
            check(family, "dense", right, wrong, Err(expected));
        }
    }

    #[test]
    fn workgroup_memory_is_what_the_adapter_has_at_most() {
        let size = "INVOCATIONS * 4u>";
        let needs = |bytes: u64| {
            format!("it needs {bytes} bytes of workgroup memory, and the adapter has 16384")
        };
        check(Family::Tiled, "dense", size, "INVOCATIONS * 400000u>", Err(&needs(1_638_400_000)));
        check(Family::Tiled, "dense", size, "INVOCATIONS * 4u + 1u>", Err(&needs(16400)));
        let more = "INVOCATIONS * 4u>;\noverride MANY_MORE = INVOCATIONS * 5u;\nvar<workgroup> more: array<u32, MANY_MORE>";
        // What main does not use takes no room.
        check(Family::Tiled, "dense", size, more, Ok(()));
    }

    #[test]
    fn workgroup_memory_that_an_override_decides_is_counted_with_it() {
        let (right, wrong) = (
            "var<workgroup> partial: array<vec4<f32>, INVOCATIONS * 4u>",
            "override PARTS = 5u;\nvar<workgroup> partial: array<vec4<f32>, INVOCATIONS * PARTS>",
        );
        let expected = "it needs 20480 bytes of workgroup memory, and the adapter has 16384";
        check(Family::Tiled, "dense", right, wrong, Err(expected));
    }
}
