//! `tortoise kernels`: which WGSL kernels there are, whether they compute what they should, and how
//! fast.

mod bench;

use std::{fmt::Write as _, path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use serde::Serialize;

use super::{Exit, print, print_json};
use crate::{
    Error, Result,
    engine::{
        adapter::{AdapterId, DeviceChoice},
        backend::{Backend, FamilyChoice},
        gpu::check::{self, Check, TOLERANCE},
        isolated,
        kernels::{BindingKind, Family, KERNELS, Kernel, ShaderSet},
    },
};

/// How long a text that nobody knows may take to be compiled and run on one shape.
const DEADLINE: Duration = Duration::from_secs(30);
/// Rows, inputs and outputs on which the shaders of a race are tried.
const TRIED: [u32; 3] = [8, 8, 8];

#[derive(Debug, Args)]
pub(super) struct KernelsArgs {
    #[command(subcommand)]
    command: KernelsCommand,
}

#[derive(Debug, Subcommand)]
enum KernelsCommand {
    /// Each kernel with its arguments and bindings
    List {
        /// Print a JSON array
        #[arg(long)]
        json: bool,
    },
    /// Compare the results of each kernel with double precision on the processor, over many shapes
    Check(Which),
    /// Time each kernel of a gradient, and the whole step, relative to a matrix product on the processor;
    /// each is checked first
    Bench(bench::BenchArgs),
}

#[derive(Debug, Args)]
struct Which {
    /// auto, an adapter's index or part of its name
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Family of the kernels: tiled (for GPUs), lanes (for software drivers), or auto
    #[arg(long, default_value = "auto")]
    kernels: FamilyChoice,
    /// Folder with edited shaders, KERNEL.wgsl, in place of those built in
    #[arg(long, value_name = "DIR")]
    shaders: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &KernelsArgs) -> Result<Exit> {
    match &args.command {
        KernelsCommand::List { json } => list(*json),
        KernelsCommand::Check(which) => check(which),
        KernelsCommand::Bench(args) => bench::run(args),
    }
}

impl Which {
    /// The adapter and the shaders, for matrices with sides of at most `longest`.
    fn choose(&self, longest: usize) -> Result<(AdapterId, ShaderSet)> {
        let backend = Backend::choose(&self.device, self.kernels, longest)?;
        let Backend::Gpu { adapter, shaders } = backend else {
            let where_else = "kernels run on an adapter, not on the host engine";
            return Err(match self.device {
                DeviceChoice::Host => Error::config(format!(
                    "{where_else}: name one with --device, or leave --device out"
                )),
                _ => Error::NoAdapter(format!(
                    "{where_else}, and none was found: install a Vulkan driver (scripts/setup.sh does)"
                )),
            });
        };
        let shaders = match &self.shaders {
            Some(folder) => ShaderSet::from_folder(shaders.family(), folder)?,
            None => shaders,
        };
        Ok((*adapter, shaders))
    }
}

#[derive(Serialize)]
struct Listed {
    kernel: &'static str,
    families: Vec<Family>,
    arguments: Vec<&'static str>,
    inputs: Vec<&'static str>,
    outputs: Vec<&'static str>,
}

fn list(json: bool) -> Result<Exit> {
    let listed = KERNELS.map(|kernel| {
        let bound = |kind| {
            let bindings = kernel.bindings.iter().filter(move |binding| binding.kind == kind);
            bindings.map(|binding| binding.name).collect()
        };
        Listed {
            kernel: kernel.name,
            families: Family::ALL.to_vec(),
            arguments: kernel.fields.iter().map(|field| field.name).collect(),
            inputs: bound(BindingKind::Read),
            outputs: bound(BindingKind::Write),
        }
    });
    if json {
        print_json(&listed)?;
        return Ok(Exit::Done);
    }
    let mut text = String::new();
    for Listed { kernel, families, arguments, inputs, outputs } in listed {
        let families: Vec<_> = families.iter().map(|family| family.name()).collect();
        let (arguments, inputs) = (arguments.join(", "), inputs.join(", "));
        let (outputs, families) = (outputs.join(", "), families.join(", "));
        let _ = writeln!(text, "{kernel}({arguments}; {inputs}) -> {outputs}  [{families}]");
    }
    print(&text)?;
    Ok(Exit::Done)
}

#[derive(Serialize)]
struct Checked<'a> {
    adapter: &'a AdapterId,
    family: Family,
    tolerance: f64,
    passed: bool,
    checks: Vec<Check>,
}

fn check(which: &Which) -> Result<Exit> {
    let (adapter, shaders) = which.choose(0)?;
    let family = shaders.family();
    let mut checks = Vec::new();
    for kernel in KERNELS {
        checks.append(&mut match shaders.is_own(kernel) {
            true => check::check(&adapter, &shaders, kernel, None)?,
            false => apart(&adapter, &shaders, kernel, None)?,
        });
    }
    let passed = checks.iter().all(|check| check.passed);
    let checked = Checked { adapter: &adapter, family, tolerance: TOLERANCE, passed, checks };
    if which.json {
        print_json(&checked)?;
    } else {
        print(&text(&checked))?;
    }
    Ok(if passed { Exit::Done } else { Exit::Failed })
}

/// Runs each edited shader of a race once. What it computes is for the race to find out.
pub(super) fn try_edited(backend: &Backend) -> Result<()> {
    let Backend::Gpu { adapter, shaders } = backend else { return Ok(()) };
    for kernel in shaders.edited() {
        apart(adapter, shaders, kernel, Some(TRIED))?;
    }
    Ok(())
}

/// Checks a kernel in a process of its own, which its text may break.
fn apart(
    adapter: &AdapterId,
    shaders: &ShaderSet,
    kernel: &'static Kernel,
    sizes: Option<[u32; 3]>,
) -> Result<Vec<Check>> {
    isolated::check(isolated::this_program()?, adapter, shaders, kernel, sizes, DEADLINE)
}

fn text(checked: &Checked<'_>) -> String {
    let Checked { adapter, family, tolerance, checks, .. } = checked;
    let mut text = format!("{family} kernels on {adapter}, tolerance {tolerance:.0e}\n");
    for kernel in KERNELS {
        let checks: Vec<_> = checks.iter().filter(|check| check.kernel == kernel.name).collect();
        let worst = checks.iter().map(|check| check.relative_error).fold(0.0, f64::max);
        let failed: Vec<_> = checks.iter().filter(|check| !check.passed).collect();
        let (name, shapes) = (kernel.name, checks.len());
        let verdict = if failed.is_empty() { "ok" } else { "WRONG" };
        let _ = writeln!(text, "{verdict:5} {name}: {shapes} shapes, worst {worst:.1e}");
        for check in failed.iter().take(10) {
            let _ = writeln!(text, "      {check}");
        }
    }
    text
}
