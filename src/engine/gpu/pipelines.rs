//! The compiled kernels of a family: each text once, and a pipeline for every setting of its
//! overrides that something asks for.

use std::{panic::resume_unwind, thread};

use super::{
    device::{Device, Shader},
    text,
};
use crate::{
    Error, Result,
    engine::kernels::{self, Arguments, Family, KERNELS, Kernel, ShaderSet, Switches},
};

/// Bytes of stack on which edited texts are compiled. A compiler goes as deep as a text is nested, some
/// KB a level, and the threads that open engines have stacks of several sizes.
const STACK: usize = 1 << 23;

/// A pipeline and what binds to it.
#[derive(Debug, Clone)]
pub(crate) struct Pipeline {
    pub(super) family: Family,
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

/// Every kernel of a set, ready to be bound.
#[derive(Debug)]
pub(crate) struct Pipelines {
    family: Family,
    /// In the order of [`KERNELS`].
    shaders: Vec<Shader>,
    /// Whether some of them are not those that come with the library.
    edited: bool,
    /// With the kernel's place and its overrides.
    made: Vec<(usize, Switches, Pipeline)>,
}

impl Pipelines {
    /// Checks the text of every kernel.
    pub(crate) fn new(device: &Device, shaders: &ShaderSet) -> Result<Self> {
        let family = shaders.family();
        let most = device.device.limits().max_compute_workgroup_storage_size;
        let edited = shaders.edited().next().is_some();
        let compile = |kernel: &'static Kernel| {
            let (source, called) = (shaders.source(kernel), shaders.called(kernel));
            // wgpu does not look at workgroup memory, and cannot say what a binding is for.
            if !shaders.is_own(kernel) {
                text::examine(family, kernel, source, most)
                    .map_err(|problem| device.error(format!("{called}: {problem}")))?;
            }
            device.shader(family, kernel, source, called)
        };
        let all = || KERNELS.into_iter().map(compile).collect::<Result<_>>();
        let shaders = if edited { with_room(all) } else { all() }?;
        Ok(Self { family, shaders, edited, made: Vec::new() })
    }

    /// The family they belong to.
    pub(crate) fn family(&self) -> Family {
        self.family
    }

    /// The pipeline for these arguments.
    pub(crate) fn of(&mut self, device: &Device, args: &Arguments) -> Result<Pipeline> {
        let kernel = kernels::position(args.kernel());
        let switches = args.switches(self.family);
        let made = self.made.iter().find(|(at, with, _)| *at == kernel && *with == switches);
        if let Some((_, _, pipeline)) = made {
            return Ok(pipeline.clone());
        }
        let constants: Vec<_> =
            switches.iter().map(|&(name, on)| (name, f64::from(u8::from(on)))).collect();
        let shader = &self.shaders[kernel];
        let compile = || device.pipeline(shader, &constants);
        let pipeline = Pipeline {
            family: self.family,
            pipeline: if self.edited { with_room(compile) } else { compile() }?,
            layout: shader.layout.clone(),
        };
        self.made.push((kernel, switches, pipeline.clone()));
        Ok(pipeline)
    }
}

/// Runs this on a thread that has [`STACK`], so that what compiles once compiles wherever it is opened.
fn with_room<T: Send>(compile: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("compiler".into()).stack_size(STACK);
        let thread = thread.spawn_scoped(scope, compile);
        let thread = thread.map_err(Error::io("a thread to compile on"))?;
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}
