//! One kernel at a time on a device: bound to the matrices of a case, dispatched, then read or
//! timed.

use std::time::{Duration, Instant};

use super::Case;
use crate::{
    Result,
    engine::gpu::{
        adapter::AdapterId,
        buffers::{Copied, Readback, Storage},
        device::Device,
        kernels::{Kernel, ShaderSet},
        pipelines::Pipelines,
        plan::Call,
        words,
    },
};

/// A device with the kernels compiled.
pub(super) struct Rig {
    pub(super) device: Device,
    pub(super) pipelines: Pipelines,
}

/// A kernel bound to the matrices of a case.
pub(super) struct Bound<'a> {
    rig: &'a Rig,
    kernel: &'static Kernel,
    call: Call,
    outputs: Vec<(Storage, Copied)>,
    readback: Readback,
}

impl Rig {
    pub(super) fn open(adapter: &AdapterId, shaders: &ShaderSet) -> Result<Self> {
        let device = Device::open(adapter)?;
        let pipelines = Pipelines::new(&device, shaders)?;
        Ok(Self { device, pipelines })
    }

    /// Makes the case's matrices: its inputs, and outputs full of NaN.
    pub(super) fn bind(&mut self, kernel: &'static Kernel, case: &Case) -> Result<Bound<'_>> {
        let nothing = case
            .outputs
            .iter()
            .map(|(columns, output)| (*columns, vec![f32::NAN.to_bits(); output.len()]));
        let matrices = case.inputs.iter().cloned().chain(nothing);
        let mut storages = Vec::new();
        for (binding, (columns, bits)) in kernel.bindings[1..].iter().zip(matrices) {
            let (rows, form) =
                (bits.len() / columns as usize, self.pipelines.family().form(binding.name));
            let storage = Storage::new(&self.device, binding.name, rows, columns as usize, form)?;
            storage.upload(&self.device, &bits);
            storages.push(storage);
        }
        let call = (case.bind)(self, &storages.iter().collect::<Vec<_>>())?;
        let mut end = 0;
        let outputs = storages
            .drain(case.inputs.len()..)
            .map(|output| {
                let to = Readback::place(&output, output.rows(), end);
                end = to.end();
                (output, to)
            })
            .collect();
        let readback = Readback::new(&self.device, kernel.name, end)?;
        Ok(Bound { rig: self, kernel, call, outputs, readback })
    }
}

impl Bound<'_> {
    /// Dispatches it and reads its outputs as bits, what pads their rows behind the rows.
    pub(super) fn run(&self) -> Result<Vec<Vec<u32>>> {
        let Rig { device, .. } = self.rig;
        let mut encoder = device.device.create_command_encoder(&Default::default());
        self.call.record(&mut encoder.begin_compute_pass(&Default::default()));
        for (output, to) in &self.outputs {
            self.readback.copy(&mut encoder, output, to);
        }
        let end = self.outputs.last().map_or(0, |(_, to)| to.end());
        self.readback.read(device, encoder.finish(), end, self.kernel.name, |bytes| {
            let bits = |row| words(row).map(u32::from_ne_bytes);
            let all =
                |to: &Copied| to.rows(bytes).chain(to.padding(bytes)).flat_map(bits).collect();
            self.outputs.iter().map(|(_, to)| all(to)).collect()
        })
    }

    /// The time from handing over `dispatches` of it, one after another, to the end of the last.
    pub(super) fn time(&self, dispatches: usize) -> Result<Duration> {
        let Rig { device, .. } = self.rig;
        let mut encoder = device.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            (0..dispatches).for_each(|_| self.call.record(&mut pass));
        }
        let commands = encoder.finish();
        let start = Instant::now();
        let submission = device.queue.submit([commands]);
        device.wait(submission, self.kernel.name)?;
        Ok(start.elapsed())
    }
}
