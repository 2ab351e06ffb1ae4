//! The compiled kernels of a family: each text once, and a pipeline for every setting of its
//! overrides that something asks for.

use super::{
    device::{Device, Shader},
    text,
};
use crate::{
    Result,
    engine::kernels::{self, Arguments, Family, KERNELS, Kernel, ShaderSet, Switches},
};

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
    /// With the kernel's place and its overrides.
    made: Vec<(usize, Switches, Pipeline)>,
}

impl Pipelines {
    /// Checks the text of every kernel.
    pub(crate) fn new(device: &Device, shaders: &ShaderSet) -> Result<Self> {
        let family = shaders.family();
        let most = device.device.limits().max_compute_workgroup_storage_size;
        let compile = |kernel: &'static Kernel| {
            let source = shaders.source(kernel);
            // wgpu does not look at workgroup memory, and cannot say what a binding is for.
            if !shaders.is_own(kernel) {
                text::examine(family, kernel, source, most).map_err(|problem| {
                    device.error(format!("kernel {}: {problem}", kernel.name))
                })?;
            }
            device.shader(family, kernel, source)
        };
        let shaders = KERNELS.into_iter().map(compile).collect::<Result<_>>()?;
        Ok(Self { family, shaders, made: Vec::new() })
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
        let pipeline = Pipeline {
            family: self.family,
            pipeline: device.pipeline(shader, &constants)?,
            layout: shader.layout.clone(),
        };
        self.made.push((kernel, switches, pipeline.clone()));
        Ok(pipeline)
    }
}
