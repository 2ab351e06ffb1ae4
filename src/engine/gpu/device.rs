//! One device and its queue: opening, compiling, submitting and waiting, and every way these fail.
//!
//! Knows no model. Whatever the driver reports ends as one [`Error::Device`], without a panic, and
//! nothing waits longer than [`DEADLINE`].

use std::{
    env, hint,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{adapters, spin::Spin};
use crate::{
    Error, Result,
    engine::{
        adapter::{AdapterId, DRIVER_THREADS},
        kernels::{Binding, BindingKind, Family, Form, Kernel},
    },
};

/// The format of textures: four columns a texel.
pub(super) const TEXEL: wgpu::TextureFormat = wgpu::TextureFormat::Rgba32Float;

/// How long a submission may take before the device counts as hung.
const DEADLINE: Duration = Duration::from_secs(60);
/// In how many looks.
const LOOKS: u32 = 60;

/// How many devices are open in this process.
static OPEN: AtomicUsize = AtomicUsize::new(0);

/// Says that other processes compute on devices at the same time, so that no core is idle.
pub(crate) fn beside_others() {
    OPEN.fetch_add(1, Ordering::Relaxed);
}

/// The first thing that went wrong, as the driver's callbacks report it from any thread.
type DeviceFault = Arc<Mutex<Option<String>>>;

/// A device and its queue, in an instance of their own.
#[derive(Debug)]
pub(crate) struct Device {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    adapter: AdapterId,
    fault: DeviceFault,
    /// Whether a core is idle while the driver computes for this device alone.
    inline: bool,
    spin: Mutex<Spin>,
}

/// The text of a kernel, checked, and what binds to it.
#[derive(Debug)]
pub(crate) struct Shader {
    name: &'static str,
    /// What a message calls it.
    called: String,
    module: wgpu::ShaderModule,
    pipeline_layout: wgpu::PipelineLayout,
    pub(super) layout: wgpu::BindGroupLayout,
}

impl Device {
    /// Opens the adapter with all that its limits allow, and subgroups where it has them.
    pub(crate) fn open(adapter: &AdapterId) -> Result<Self> {
        let failed = |problem: String| Error::Device { adapter: adapter.name.clone(), problem };
        let found = adapters::find(adapter)?;
        let (device, queue) = pollster::block_on(found.request_device(&wgpu::DeviceDescriptor {
            label: Some("tortoise"),
            required_limits: found.limits(),
            required_features: found.features() & wgpu::Features::SUBGROUP,
            ..Default::default()
        }))
        .map_err(|error| failed(error.to_string()))?;

        let fault = DeviceFault::default();
        let report = fault.clone();
        device.on_uncaptured_error(Arc::new(move |error| record(&report, describe(&error))));
        let report = fault.clone();
        device.set_device_lost_callback(move |_, message| {
            record(&report, format!("the device is lost: {message}"));
        });
        let inline = adapter.is_software()
            && env::var(DRIVER_THREADS).is_ok_and(|threads| threads == "0")
            && thread::available_parallelism().is_ok_and(|cores| cores.get() > 1);
        OPEN.fetch_add(1, Ordering::Relaxed);
        Ok(Self { device, queue, adapter: adapter.clone(), fault, inline, spin: Mutex::default() })
    }

    /// An error that names this adapter.
    pub(crate) fn error(&self, problem: impl Into<String>) -> Error {
        Error::Device { adapter: self.adapter.name.clone(), problem: problem.into() }
    }

    /// Looks again and again whether all is done: a core that would be idle may as well save the time
    /// it takes to wake it, 60 us of a step.
    fn spin(&self) {
        let pending = || {
            hint::spin_loop();
            matches!(self.device.poll(wgpu::PollType::Poll), Ok(wgpu::PollStatus::Poll))
        };
        let start = Instant::now();
        let mut spin = self.spin.lock().unwrap_or_else(PoisonError::into_inner);
        spin.wait(pending, || start.elapsed());
    }

    /// What the driver has reported since the device was opened.
    pub(crate) fn healthy(&self) -> Result<()> {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        fault.as_ref().map_or(Ok(()), |problem| Err(self.error(problem)))
    }

    /// Checks `source` as this kernel of the family, with the bindings that the table gives it; a
    /// message calls it `called`.
    pub(crate) fn shader(
        &self,
        family: Family,
        kernel: &'static Kernel,
        source: &str,
        called: String,
    ) -> Result<Shader> {
        let device = &self.device;
        let name = kernel.name;
        let (module, pipeline_layout, layout) = self.refused(&called, || {
            let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(name),
                source: wgpu::ShaderSource::Wgsl(source.into()),
            });
            let bindings = (0..).zip(kernel.bindings);
            let entries: Vec<_> =
                bindings.map(|(at, binding)| entry(family, at, binding)).collect();
            let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some(name),
                entries: &entries,
            });
            let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(name),
                bind_group_layouts: &[Some(&layout)],
                immediate_size: 0,
            });
            (module, pipeline_layout, layout)
        })?;
        Ok(Shader { name, called, module, pipeline_layout, layout })
    }

    /// Compiles a kernel with these values of its overrides.
    pub(crate) fn pipeline(
        &self,
        shader: &Shader,
        constants: &[(&str, f64)],
    ) -> Result<wgpu::ComputePipeline> {
        self.refused(&shader.called, || {
            self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(shader.name),
                layout: Some(&shader.pipeline_layout),
                module: &shader.module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants,
                    // Every kernel writes its workgroup memory before it reads it.
                    zero_initialize_workgroup_memory: false,
                },
                cache: None,
            })
        })
    }

    /// What `make` makes of the kernel that is `called` so, or why the driver refuses it.
    fn refused<T>(&self, called: &str, make: impl FnOnce() -> T) -> Result<T> {
        let scopes = [wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::Validation]
            .map(|filter| self.device.push_error_scope(filter));
        let made = make();
        // Scopes close in the reverse of their order.
        for scope in scopes.into_iter().rev() {
            if let Some(error) = pollster::block_on(scope.pop()) {
                return Err(self.error(format!("{called}: {}", describe(&error))));
            }
        }
        self.healthy()?;
        Ok(made)
    }

    /// Waits in several looks, of which a process that is stopped meanwhile loses one.
    fn poll_patiently(
        &self,
        submission: &wgpu::SubmissionIndex,
    ) -> std::result::Result<wgpu::PollStatus, wgpu::PollError> {
        let look = || {
            self.device.poll(wgpu::PollType::Wait {
                submission_index: Some(submission.clone()),
                timeout: Some(DEADLINE / LOOKS),
            })
        };
        for _ in 1..LOOKS {
            match look() {
                Err(wgpu::PollError::Timeout) => {}
                polled => return polled,
            }
        }
        look()
    }

    /// Waits for a submission and runs the callbacks that are due.
    pub(crate) fn wait(&self, submission: wgpu::SubmissionIndex, doing: &str) -> Result<()> {
        // wgpu panics where the wait itself fails, as it does when the device is lost.
        let polled = catch_unwind(AssertUnwindSafe(|| {
            if self.inline && OPEN.load(Ordering::Relaxed) == 1 {
                self.spin();
            }
            self.poll_patiently(&submission)
        }));
        self.healthy()?;
        match polled {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(wgpu::PollError::Timeout)) => {
                let seconds = DEADLINE.as_secs();
                Err(self.error(format!("{doing}: no answer in {seconds} s, the device hangs")))
            }
            Ok(Err(error)) => Err(self.error(format!("{doing}: {error}"))),
            Err(_) => Err(self.error(format!("{doing}: the device is lost"))),
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        OPEN.fetch_sub(1, Ordering::Relaxed);
    }
}

fn entry(family: Family, at: u32, binding: &Binding) -> wgpu::BindGroupLayoutEntry {
    let texels = *binding.form.of(family) == Form::Texels;
    let buffer =
        |ty| wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None };
    let texture = |access| wgpu::BindingType::StorageTexture {
        access,
        format: TEXEL,
        view_dimension: wgpu::TextureViewDimension::D2,
    };
    let ty = match binding.kind {
        BindingKind::Uniform => buffer(wgpu::BufferBindingType::Uniform),
        BindingKind::Read if texels => texture(wgpu::StorageTextureAccess::ReadOnly),
        BindingKind::Read => buffer(wgpu::BufferBindingType::Storage { read_only: true }),
        BindingKind::Write if texels => texture(wgpu::StorageTextureAccess::WriteOnly),
        BindingKind::Write => buffer(wgpu::BufferBindingType::Storage { read_only: false }),
    };
    wgpu::BindGroupLayoutEntry {
        binding: at,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty,
        count: None,
    }
}

fn record(fault: &DeviceFault, problem: String) {
    fault.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(problem);
}

fn describe(error: &wgpu::Error) -> String {
    match error {
        wgpu::Error::OutOfMemory { .. } => "out of memory".into(),
        wgpu::Error::Validation { description, .. } => format!("refused: {description}"),
        wgpu::Error::Internal { description, .. } => format!("internal error: {description}"),
    }
}
