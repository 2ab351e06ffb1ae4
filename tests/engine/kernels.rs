//! Pins every kernel of every family: its text, arguments and bindings against the host's table
//! (no adapter needed), its results against its f64 twin, and the checks themselves against kernels
//! that are wrong on purpose.

use std::collections::HashMap;

use crate::adapter::gpu;
use naga::{
    AddressSpace, Expression, ImageClass, Literal, Module, Scalar, ScalarKind, ShaderStage,
    StorageAccess, StorageFormat, TypeInner,
    valid::{Capabilities, ShaderStages, SubgroupOperationSet, ValidationFlags, Validator},
};
use tortoise::engine::{
    gpu::check,
    kernels::{self, BindingKind, Element, Family, Form, KERNELS, Kernel, ShaderSet},
};

/// Bytes of workgroup memory, and invocations of a workgroup, that WebGPU grants everywhere.
const WORKGROUP_BYTES: u32 = 16384;
const WORKGROUP_INVOCATIONS: u32 = 256;
/// Storage buffers that a stage may have everywhere.
const STORAGE_BUFFERS: usize = 8;

#[track_caller]
fn module(family: Family, kernel: &Kernel) -> Module {
    let shaders = ShaderSet::new(family);
    let source = shaders.source(kernel);
    let module = naga::front::wgsl::parse_str(source)
        .unwrap_or_else(|error| panic!("{}", error.emit_to_string_with_path(source, kernel.name)));
    let (mut capabilities, mut operations) = (Capabilities::empty(), SubgroupOperationSet::empty());
    if family == Family::Lanes {
        capabilities = Capabilities::SUBGROUP;
        operations = SubgroupOperationSet::SHUFFLE;
    }
    let mut validator = Validator::new(ValidationFlags::all(), capabilities);
    validator.subgroup_stages(ShaderStages::COMPUTE).subgroup_operations(operations);
    if let Err(error) = validator.validate(&module) {
        panic!("{}", error.emit_to_string_with_path(source, kernel.name));
    }
    module
}

fn every() -> impl Iterator<Item = (Family, &'static Kernel)> {
    Family::ALL.into_iter().flat_map(|family| KERNELS.map(|kernel| (family, kernel)))
}

#[test]
fn every_shader_is_valid_within_the_default_limits() {
    for (family, kernel) in every() {
        let module = module(family, kernel);
        let [entry] = &module.entry_points[..] else { panic!("{}: one entry", kernel.name) };
        assert_eq!((entry.name.as_str(), entry.stage), ("main", ShaderStage::Compute));
        let invocations: u32 = entry.workgroup_size.iter().product();
        assert!(invocations <= WORKGROUP_INVOCATIONS, "{}: {invocations}", kernel.name);
        let shared = module.global_variables.iter().map(|(_, variable)| variable);
        let shared = shared.filter(|variable| variable.space == AddressSpace::WorkGroup);
        let bytes: u32 =
            shared.map(|variable| module.types[variable.ty].inner.size(module.to_ctx())).sum();
        assert!(bytes <= WORKGROUP_BYTES, "{}: {bytes} bytes", kernel.name);
        assert!(kernel.bindings.len() - 1 <= STORAGE_BUFFERS, "{}", kernel.name);
    }
}

#[test]
fn every_binding_and_override_is_what_the_table_says() {
    for (family, kernel) in every() {
        let module = module(family, kernel);
        let bound = module.global_variables.iter().filter_map(|(_, variable)| {
            let at = variable.binding.as_ref()?;
            assert_eq!(at.group, 0, "{}: one bind group", kernel.name);
            let kind = match variable.space {
                AddressSpace::Uniform => BindingKind::Uniform,
                AddressSpace::Storage { access } if access == StorageAccess::LOAD => {
                    BindingKind::Read
                }
                AddressSpace::Storage { .. } => BindingKind::Write,
                AddressSpace::Handle => match module.types[variable.ty].inner {
                    TypeInner::Image { class: ImageClass::Storage { access, format }, .. } => {
                        assert_eq!(format, StorageFormat::Rgba32Float, "{}", kernel.name);
                        if access == StorageAccess::LOAD {
                            BindingKind::Read
                        } else {
                            BindingKind::Write
                        }
                    }
                    ref other => panic!("{}: {other:?} is bound", kernel.name),
                },
                space => panic!("{}: {space:?} is bound", kernel.name),
            };
            let (form, element) = match module.types[variable.ty].inner {
                TypeInner::Image { .. } => (Form::Texels, Element::F32),
                TypeInner::Array { base, .. } => match module.types[base].inner {
                    TypeInner::Vector { scalar, .. } => (Form::Padded, element(scalar)),
                    TypeInner::Scalar(scalar) => (Form::Packed, element(scalar)),
                    ref other => panic!("{}: an array of {other:?}", kernel.name),
                },
                // The arguments, of which there is a test of their own.
                _ => (Form::Packed, Element::U32),
            };
            Some((at.binding, (variable.name.clone().unwrap(), kind, form, element)))
        });
        let overrides = module.overrides.iter();
        let overrides: Vec<_> = overrides.map(|(_, one)| one.name.clone().unwrap()).collect();
        let switches = kernel.shaders.of(family).switches.iter();
        let switches: Vec<_> = switches.map(|switch| switch.name).collect();
        assert_eq!(overrides, switches, "{family}/{}", kernel.name);
        let bound: HashMap<_, _> = bound.collect();
        let table = kernel.bindings.iter();
        let table = table.map(|b| (b.name.to_string(), b.kind, *b.form.of(family), b.element));
        assert_eq!(bound, (0..).zip(table).collect(), "{family}/{}", kernel.name);
    }
}

fn element(scalar: Scalar) -> Element {
    match scalar {
        Scalar { kind: ScalarKind::Uint, width: 4 } => Element::U32,
        Scalar { kind: ScalarKind::Float, width: 4 } => Element::F32,
        other => panic!("{other:?} is neither u32 nor f32"),
    }
}

/// The constants of the table that the text does not have, or has another value of.
fn misnumbered(family: Family, kernel: &Kernel, module: &Module) -> Vec<&'static str> {
    let named = module.constants.iter().filter_map(|(_, constant)| {
        let name = constant.name.as_deref()?;
        match module.global_expressions[constant.init] {
            Expression::Literal(Literal::U32(value)) => Some((name, value)),
            _ => None,
        }
    });
    let named: HashMap<_, _> = named.collect();
    let constants = kernel.shaders.of(family).constants.iter();
    let wrong = constants.filter(|(name, value)| named.get(name) != Some(value));
    wrong.map(|(name, _)| *name).collect()
}

#[test]
fn every_constant_that_the_host_counts_on_is_that_of_the_shader() {
    for (family, kernel) in every() {
        let wrong = misnumbered(family, kernel, &module(family, kernel));
        assert!(wrong.is_empty(), "{family}/{}: {wrong:?}", kernel.name);
        let any = !kernel.shaders.of(family).constants.is_empty();
        assert!(any, "{family}/{}: tiles have a size", kernel.name);
    }
}

#[test]
fn a_constant_that_is_another_or_is_missing_is_found_out() {
    for (family, kernel) in every() {
        let set = ShaderSet::new(family);
        let source = set.source(kernel);
        for (name, value) in kernel.shaders.of(family).constants {
            let right = format!("const {name} = {value}u;");
            assert_eq!(source.matches(&right).count(), 1, "{family}/{}: {right}", kernel.name);
            let larger = format!("const {name} = {}u;", value + 1);
            let literal = format!("const {name}_ = {value}u; const {name} = i32({value});");
            for wrong in [larger, literal] {
                let mutant = naga::front::wgsl::parse_str(&source.replace(&right, &wrong));
                // What the change makes of the rest may be no WGSL, which is found out, too.
                let Ok(mutant) = mutant else { continue };
                assert_eq!(misnumbered(family, kernel, &mutant), [*name], "{wrong}");
            }
        }
    }
}

#[test]
fn every_argument_is_where_the_host_puts_it() {
    for (family, kernel) in every() {
        let module = module(family, kernel);
        let mut variables = module.global_variables.iter().map(|(_, variable)| variable);
        let args = variables.find(|variable| variable.space == AddressSpace::Uniform).unwrap();
        let TypeInner::Struct { members, span } = &module.types[args.ty].inner else {
            panic!("{}: arguments are a struct", kernel.name);
        };
        let fields = members.iter().map(|member| {
            let TypeInner::Scalar(scalar) = module.types[member.ty].inner else {
                panic!("{}: {:?} is no number", kernel.name, member.name);
            };
            (member.name.clone().unwrap(), element(scalar), member.offset as usize)
        });
        let table = kernel.fields.iter().map(|f| (f.name.to_string(), f.element, f.offset));
        assert_eq!(fields.collect::<Vec<_>>(), table.collect::<Vec<_>>(), "{}", kernel.name);
        assert_eq!(*span as usize, kernel.arguments_size, "{}", kernel.name);
    }
}

#[test]
fn every_kernel_matches_its_twin_on_ragged_shapes() {
    let Some(adapter) = gpu() else { return };
    for (family, kernel) in every() {
        let checks = check::check(&adapter, &ShaderSet::new(family), kernel, None).unwrap();
        let failed: Vec<_> =
            checks.iter().filter(|check| !check.passed).map(ToString::to_string).collect();
        assert!(failed.is_empty(), "{family}:\n{}", failed.join("\n"));
        let worst = checks.iter().map(|check| check.relative_error).fold(0.0, f64::max);
        println!("{family}/{}: {worst:.1e} at worst", kernel.name);
    }
}

#[test]
fn every_kernel_gives_the_same_bits_every_time() {
    let Some(adapter) = gpu() else { return };
    for (family, kernel) in every() {
        let runs = check::repeat(&adapter, &ShaderSet::new(family), kernel, 20).unwrap();
        assert_eq!(runs.len(), 20);
        assert!(runs.iter().all(|run| *run == runs[0]), "{family}/{}", kernel.name);
    }
}

/// A kernel, a piece of its text, and what breaks it in that place.
const MUTANTS: [(&str, &str, &str); 20] = [
    ("dense", "args.relu != 0u", "false"),
    ("dense", "MANY = 128u", "MANY = 129u"),
    ("dense", "k += parts * 4u", "k += parts * 8u"),
    ("dense", "workgroupBarrier();\n\n", ""),
    ("dense", "INVOCATIONS * 3u", "INVOCATIONS * 2u"),
    ("dense", "at += rows * QUADS", "at += 2u * rows * QUADS"),
    ("dense", "|| row >= args.rows ||", "|| row + 1u >= args.rows ||"),
    ("dense", "group.x + group.y * groups.x", "group.x"),
    ("dense_input_gradient", "select((args.outputs + 3u) / 4u", "select(args.outputs / 4u"),
    ("dense_input_gradient", "transpose(mat4x4(", "(mat4x4("),
    ("dense_input_gradient", "workgroupBarrier();\n\n", ""),
    ("dense_input_gradient", "x[to] > vec4(0.0)", "x[to] >= vec4(0.0)"),
    ("dense_weight_gradient", "row < args.rows", "row <= args.rows"),
    ("dense_weight_gradient", "workgroupBarrier();\n    let input", "let input"),
    ("dense_weight_gradient", "sum = 2.0 * args.l2", "sum = args.l2"),
    ("dense_weight_gradient", "&& input < args.inputs", ""),
    ("softmax_cross_entropy", "other.class_ < one.class_", "other.class_ > one.class_"),
    ("softmax_cross_entropy", "(sum * f32(args.rows))", "sum"),
    ("softmax_cross_entropy", "vec4(-rest)", "vec4(rest)"),
    ("softmax_cross_entropy", "select(power, vec4(0.0), class_ >= vec4(args.classes))", "power"),
];

/// The same for `lanes`.
const LANES_MUTANTS: [(&str, &str, &str); 20] = [
    ("dense", "args.relu != 0u", "false"),
    ("dense", "row >= args.rows ||", "row + 1u >= args.rows ||"),
    (
        "dense",
        "let bias_2 = textureLoad(params, vec2(quad + LANES,",
        "let bias_2 = textureLoad(params, vec2(quad,",
    ),
    ("dense", "let s = r + LANES;", "let s = r;"),
    ("dense", "sums_2[q] = add(sums_2[q], zs_4,", "sums_2[q] = add(sums_2[q], xs_4,"),
    ("dense", "let h = subgroupShuffle(ws, 7u)", "let h = subgroupShuffle(ws, 6u)"),
    ("dense", "group.x + group.y * groups.x", "group.x"),
    ("dense_input_gradient", "> vec4(0.0)", ">= vec4(0.0)"),
    ("dense_input_gradient", "input + 3u, args.inputs", "input + 2u, args.inputs"),
    (
        "dense_input_gradient",
        "store(quad + LANES, row_0 + r, sums_2[r])",
        "store(quad + LANES, row_0 + r, sums[r])",
    ),
    ("dense_weight_gradient", "2.0 * args.l2", "args.l2"),
    ("dense_weight_gradient", "&& input < args.inputs", ""),
    ("dense_weight_gradient", "vec4(1.0), ones", "vec4(0.0), ones"),
    ("dense_weight_gradient", "let d = dy_at(quad, k + 3u)", "let d = dy_at(quad, k + 2u)"),
    ("dense_weight_gradient", "sums[11] = fma(vec4(xs.w)", "sums[11] = fma(vec4(xs.z)"),
    ("dense_weight_gradient", "tile % tiles_across", "tile % (tiles_across + 1u)"),
    (
        "softmax_cross_entropy",
        "exp(textureLoad(logits, vec2(q, row)) - largest.logit)",
        "exp(textureLoad(logits, vec2(q, row)))",
    ),
    ("softmax_cross_entropy", "(sum * f32(args.rows))", "sum"),
    ("softmax_cross_entropy", "vec4(-rest)", "vec4(rest)"),
    ("softmax_cross_entropy", "logit > one.logit", "logit >= one.logit"),
];

#[test]
fn every_wrong_kernel_is_found_out() {
    let Some(adapter) = gpu() else { return };
    let tiled = MUTANTS.map(|mutant| (Family::Tiled, mutant));
    let lanes = LANES_MUTANTS.map(|mutant| (Family::Lanes, mutant));
    for (family, (name, right, wrong)) in tiled.into_iter().chain(lanes) {
        let kernel = kernels::by_name(name).unwrap();
        let shaders = ShaderSet::new(family);
        let source = shaders.source(kernel);
        assert_eq!(source.matches(right).count(), 1, "{name}: \"{right}\" stands there once");
        let mutant = source.replace(right, wrong);
        let shaders = shaders.with(kernel, mutant);
        let checks = check::check(&adapter, &shaders, kernel, None).unwrap();
        let failed = checks.iter().filter(|check| !check.passed).count();
        assert!(failed > 0, "{family}/{name} passes with \"{wrong}\" in place of \"{right}\"");
        println!("{family}/{name} with \"{wrong}\": {failed} of {} shapes", checks.len());
    }
}

#[test]
fn shaders_of_a_folder_stand_in_for_those_they_are_named_after() {
    let folder = tempfile::tempdir().unwrap();
    assert!(ShaderSet::from_folder(Family::Tiled, folder.path()).is_err());
    let kernel = kernels::by_name("dense").unwrap();
    std::fs::write(folder.path().join("dense.wgsl"), "// other").unwrap();
    let shaders = ShaderSet::from_folder(Family::Tiled, folder.path()).unwrap();
    assert_eq!(shaders, ShaderSet::new(Family::Tiled).with(kernel, "// other"));
}
