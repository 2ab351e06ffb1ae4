//! A list of dispatches on a device: its matrices are made once, for up to so many samples, and a
//! minibatch at a time is uploaded, run in one submission and read back.

use std::collections::{HashMap, hash_map::Entry};

use super::{
    buffers::{self, Copied, Mapped, Readback, Storage},
    device::Device,
    pipelines::{Pipeline, Pipelines},
};
use crate::{
    Result,
    engine::{
        kernels::{
            Arguments,
            dispatches::{Dispatches, Matrix},
        },
        model::Model,
    },
};

/// One dispatch: a kernel bound to its matrices.
#[derive(Debug)]
pub(crate) struct Call {
    uniform: wgpu::Buffer,
    bind_group: wgpu::BindGroup,
    pipeline: Pipeline,
    workgroups: [u32; 3],
}

impl Call {
    /// `matrices` in the order of the kernel's bindings, its arguments left out.
    ///
    /// # Panics
    /// If a matrix is not kept in the form that the kernel declares.
    pub(crate) fn new(
        device: &Device,
        pipelines: &mut Pipelines,
        args: &Arguments,
        matrices: &[&Storage],
    ) -> Result<Self> {
        let kernel = args.kernel();
        for (binding, matrix) in kernel.bindings[1..].iter().zip(matrices) {
            let form = *binding.form.of(pipelines.family());
            assert_eq!(matrix.form(), form, "{}: {}", kernel.name, binding.name);
        }
        let pipeline = pipelines.of(device, args)?;
        let uniform = buffers::uniform(device, kernel.name, kernel.arguments_size)?;
        let storage = matrices.iter().map(|storage| storage.binding());
        let entries: Vec<_> = (0..)
            .zip(std::iter::once(uniform.as_entire_binding()).chain(storage))
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        let bind_group = device.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(kernel.name),
            layout: &pipeline.layout,
            entries: &entries,
        });
        let mut call = Self { uniform, bind_group, pipeline, workgroups: [0; 3] };
        call.set(device, args);
        device.healthy()?;
        Ok(call)
    }

    /// Writes the arguments for what is submitted next.
    pub(crate) fn set(&mut self, device: &Device, args: &Arguments) {
        self.workgroups = args.dispatch(self.pipeline.family);
        device.queue.write_buffer(&self.uniform, 0, args.bytes());
    }

    /// Dispatches the same workgroups in another arrangement.
    pub(crate) fn fold(&mut self, workgroups: [u32; 3]) {
        self.workgroups = workgroups;
    }

    pub(crate) fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        let [x, y, z] = self.workgroups;
        pass.set_pipeline(&self.pipeline.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(x, y, z);
    }
}

/// Which dispatches a minibatch of so many samples needs.
type List = fn(&Model, usize) -> Dispatches;

/// Dispatches with their matrices, for up to `capacity` samples.
#[derive(Debug)]
pub(crate) struct Pass {
    list: List,
    what: &'static str,
    capacity: usize,
    samples: usize,
    matrices: HashMap<Matrix, Storage>,
    calls: Vec<Call>,
    readback: Readback,
    /// What of the results of `samples` samples is read, and where it comes to lie.
    results: Vec<(Matrix, Copied)>,
}

impl Pass {
    /// Makes all matrices but the parameters, which passes share: `params` are those of each layer.
    pub(crate) fn new(
        device: &Device,
        pipelines: &mut Pipelines,
        list: List,
        model: &Model,
        params: &[Storage],
        capacity: usize,
    ) -> Result<Self> {
        if u32::try_from(capacity).is_err() {
            let problem = format!("no kernel counts {capacity} samples; a smaller minibatch fits");
            return Err(device.error(problem));
        }
        let dispatches = list(model, capacity);
        let mut matrices: HashMap<_, _> =
            (0..).map(Matrix::Params).zip(params.iter().cloned()).collect();
        for (matrix, binding, [rows, columns]) in dispatches.shapes() {
            if let Entry::Vacant(place) = matrices.entry(matrix) {
                let form = *binding.form.of(pipelines.family());
                place.insert(Storage::new(device, binding.name, rows, columns, form)?);
            }
        }
        let mut calls = Vec::with_capacity(dispatches.list.len());
        for dispatch in &dispatches.list {
            let bound: Vec<_> = dispatch.matrices.iter().map(|matrix| &matrices[matrix]).collect();
            calls.push(Call::new(device, pipelines, &dispatch.args, &bound)?);
        }
        let results = places(&dispatches, &matrices);
        let readback = Readback::new(device, "readback", end(&results))?;
        let (what, samples) = (dispatches.what, capacity);
        Ok(Self { list, what, capacity, samples, matrices, calls, readback, results })
    }

    /// The most samples it can take.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many samples it was given.
    pub(crate) fn samples(&self) -> usize {
        self.samples
    }

    /// Uploads a minibatch of at most `capacity` samples.
    pub(crate) fn upload(
        &mut self,
        device: &Device,
        model: &Model,
        features: &[f32],
        labels: &[u32],
    ) {
        self.matrices[&Matrix::Images].upload(device, features);
        self.matrices[&Matrix::Labels].upload(device, labels);
        if self.samples != labels.len() {
            self.resize(device, model, labels.len());
        }
    }

    fn resize(&mut self, device: &Device, model: &Model, samples: usize) {
        let dispatches = (self.list)(model, samples);
        for (call, dispatch) in self.calls.iter_mut().zip(&dispatches.list) {
            call.set(device, &dispatch.args);
        }
        self.results = places(&dispatches, &self.matrices);
        self.samples = samples;
    }

    /// Runs the dispatches on what was uploaded, waits for them, and maps their results.
    pub(crate) fn run(&self, device: &Device) -> Result<Results<'_>> {
        let mut encoder = device.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            self.calls.iter().for_each(|call| call.record(&mut pass));
        }
        for (matrix, to) in &self.results {
            self.readback.copy(&mut encoder, &self.matrices[matrix], to);
        }
        let bytes = end(&self.results);
        let mapped = self.readback.read(device, encoder.finish(), bytes, self.what)?;
        Ok(Results { mapped, places: &self.results })
    }
}

/// Where the results come to lie, one behind the other.
fn places(dispatches: &Dispatches, matrices: &HashMap<Matrix, Storage>) -> Vec<(Matrix, Copied)> {
    let mut places = Vec::with_capacity(dispatches.results.len());
    for &result in &dispatches.results {
        let of_it = dispatches.shapes().find(|(matrix, ..)| *matrix == result);
        let (.., [rows, _]) = of_it.expect("a result is bound to some kernel");
        places.push((result, Readback::place(&matrices[&result], rows, end(&places))));
    }
    places
}

/// The first byte behind all of them.
fn end(places: &[(Matrix, Copied)]) -> usize {
    places.last().map_or(0, |(_, place)| place.end())
}

/// Results that the host can read; while they are there, the pass cannot run again.
#[derive(Debug)]
pub(crate) struct Results<'a> {
    mapped: Mapped<'a>,
    places: &'a [(Matrix, Copied)],
}

impl Results<'_> {
    /// The rows of those results, one result after the other, as bytes; rows that no padding
    /// parts come as one.
    pub(crate) fn rows(&self, wanted: fn(&Matrix) -> bool) -> impl Iterator<Item = &[u8]> {
        let places = self.places.iter().filter(move |(matrix, _)| wanted(matrix));
        places.flat_map(|(_, place)| place.rows(&self.mapped))
    }
}
