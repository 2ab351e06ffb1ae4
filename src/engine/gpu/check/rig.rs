//! One kernel at a time on a device: bound to the matrices of a case, dispatched, then read or
//! timed.

use std::time::{Duration, Instant};

use crate::{
    Result,
    engine::{
        adapter::AdapterId,
        gpu::{
            buffers::{Copied, Readback, Storage},
            device::Device,
            pass::Call,
            pipelines::Pipelines,
            words,
        },
        kernels::{Case, ShaderSet, Values},
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
    name: &'static str,
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
    pub(super) fn bind(&mut self, case: &Case) -> Result<Bound<'_>> {
        let (kernel, family) = (case.args.kernel(), self.pipelines.family());
        let nothing = |output: &Values| vec![f32::NAN.to_bits(); output.len()];
        let outputs = case.expected.iter().map(nothing);
        let mut storages = Vec::new();
        for (binding, bits) in
            kernel.bindings[1..].iter().zip(case.inputs.iter().cloned().chain(outputs))
        {
            let [rows, columns] = case.args.shape(binding).map(|size| size as usize);
            let form = *binding.form.of(family);
            let storage = Storage::new(&self.device, binding.name, rows, columns, form)?;
            storage.upload(&self.device, &bits);
            storages.push(storage);
        }
        let bound: Vec<_> = storages.iter().collect();
        let mut call = Call::new(&self.device, &mut self.pipelines, &case.args, &bound)?;
        if let Some(widest) = case.widest {
            call.fold(case.args.dispatch_within(family, widest));
        }
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
        Ok(Bound { rig: self, name: kernel.name, call, outputs, readback })
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
        let bytes = self.readback.read(device, encoder.finish(), end, self.name)?;
        let bits = |row| words(row).map(u32::from_ne_bytes);
        let all = |to: &Copied| to.rows(&bytes).chain(to.padding(&bytes)).flat_map(bits).collect();
        Ok(self.outputs.iter().map(|(_, to)| all(to)).collect())
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
        device.wait(submission, self.name)?;
        Ok(start.elapsed())
    }
}
