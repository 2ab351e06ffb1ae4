//! A fixed list of dispatches over buffers that are made once, for up to so many rows.
//!
//! Carries nothing out; what runs when, and what comes back, is the engine's.

use super::{
    buffers::{self, Readback, Storage},
    device::Device,
    kernels::{
        Arguments, Dense, DenseInputGradient, DenseWeightGradient, Family, SoftmaxCrossEntropy,
    },
    pipelines::{Pipeline, Pipelines},
};
use crate::{
    Result,
    engine::model::{Layer, Model},
};

/// One dispatch: a kernel bound to its buffers.
#[derive(Debug)]
pub(crate) struct Call {
    uniform: wgpu::Buffer,
    bind_group: wgpu::BindGroup,
    pipeline: Pipeline,
    workgroups: [u32; 3],
}

impl Call {
    /// `buffers` in the order of the kernel's bindings, its arguments left out.
    pub(crate) fn new<A: Arguments>(
        device: &Device,
        pipelines: &mut Pipelines,
        args: &A,
        buffers: &[&Storage],
    ) -> Result<Self> {
        let pipeline = pipelines.of(device, args)?;
        let uniform = buffers::uniform(device, A::KERNEL.name, size_of::<A>())?;
        let storage = buffers.iter().map(|storage| storage.binding());
        let entries: Vec<_> = (0..)
            .zip(std::iter::once(uniform.as_entire_binding()).chain(storage))
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding, resource })
            .collect();
        let bind_group = device.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(A::KERNEL.name),
            layout: &pipeline.layout,
            entries: &entries,
        });
        let mut call = Self { uniform, bind_group, pipeline, workgroups: [0; 3] };
        call.set(device, args);
        device.healthy()?;
        Ok(call)
    }

    /// Writes the arguments for what is submitted next.
    pub(crate) fn set<A: Arguments>(&mut self, device: &Device, args: &A) {
        self.workgroups = args.dispatch(self.pipeline.family);
        device.queue.write_buffer(&self.uniform, 0, bytemuck::bytes_of(args));
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

/// W with b, and where the gradient needs it, their gradient: both `[inputs + 1, outputs]`.
#[derive(Debug)]
pub(crate) struct LayerBuffers {
    pub(crate) params: Storage,
    pub(crate) dparams: Storage,
}

impl LayerBuffers {
    pub(crate) fn new(device: &Device, family: Family, layer: &Layer) -> Result<Self> {
        let (rows, columns) = (layer.inputs + 1, layer.outputs);
        let storage = |name| Storage::new(device, name, rows, columns, family.form(name));
        Ok(Self { params: storage("params")?, dparams: storage("dparams")? })
    }
}

/// The dispatches for up to `capacity` rows: forward, and back where it is for gradients.
#[derive(Debug)]
pub(crate) struct Plan {
    capacity: usize,
    rows: usize,
    images: Storage,
    labels: Storage,
    losses: Storage,
    hits: Storage,
    forward: Vec<Call>,
    softmax: Call,
    /// From the last layer to the first: by the weights, and by the input where there is a layer
    /// before.
    backward: Vec<(Call, Option<Call>)>,
    readback: Readback,
}

impl Plan {
    /// A plan for evaluations, or with `gradient` one for gradients.
    pub(crate) fn new(
        device: &Device,
        pipelines: &mut Pipelines,
        model: &Model,
        layers: &[LayerBuffers],
        capacity: usize,
        gradient: bool,
    ) -> Result<Self> {
        let family = pipelines.family();
        let storage =
            |name, columns| Storage::new(device, name, capacity, columns, family.form(name));
        let images = storage("x", model.inputs())?;
        let [labels, losses, hits] =
            [storage("labels", 1)?, storage("losses", 1)?, storage("hits", 1)?];
        let dlogits = storage("dlogits", model.classes())?;
        let outputs: Vec<_> = model
            .layers()
            .iter()
            .map(|layer| storage("y", layer.outputs))
            .collect::<Result<_>>()?;

        let mut forward = Vec::with_capacity(layers.len());
        for (at, (layer, buffers)) in model.layers().iter().zip(layers).enumerate() {
            let x = if at == 0 { &images } else { &outputs[at - 1] };
            let bound = [x, &buffers.params, &outputs[at]];
            forward.push(Call::new(device, pipelines, &dense(layer, 0), &bound)?);
        }
        let logits = &outputs[outputs.len() - 1];
        let args = softmax_cross_entropy(model, 0);
        let bound = [logits, &labels, &losses, &hits, &dlogits];
        let softmax = Call::new(device, pipelines, &args, &bound)?;

        let mut backward = Vec::new();
        let mut dy = dlogits;
        for (at, (layer, buffers)) in model.layers().iter().zip(layers).enumerate().rev() {
            if !gradient {
                break;
            }
            let x = if at == 0 { &images } else { &outputs[at - 1] };
            let bound = [x, &dy, &buffers.params, &buffers.dparams];
            let args = dense_weight_gradient(model, layer, 0);
            let by_weight = Call::new(device, pipelines, &args, &bound)?;
            if at == 0 {
                backward.push((by_weight, None));
                break;
            }
            let dx = storage("dx", layer.inputs)?;
            let bound = [&dy, &buffers.params, x, &dx];
            let args = dense_input_gradient(layer, 0);
            let by_input = Call::new(device, pipelines, &args, &bound)?;
            backward.push((by_weight, Some(by_input)));
            dy = dx;
        }
        let beside = if gradient {
            layers.iter().map(|layer| &layer.dparams).collect()
        } else {
            vec![&hits]
        };
        let results = std::iter::once(&losses).chain(beside);
        let bytes = results.fold(0, |end, from| Readback::place(from, from.rows(), end).end());
        let readback = Readback::new(device, "readback", bytes)?;
        Ok(Self {
            capacity,
            rows: 0,
            images,
            labels,
            losses,
            hits,
            forward,
            softmax,
            backward,
            readback,
        })
    }

    /// The most rows it can take.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// How many rows it was given.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Uploads a minibatch of at most `capacity` rows.
    pub(crate) fn upload(
        &mut self,
        device: &Device,
        model: &Model,
        images: &[f32],
        labels: &[u32],
    ) {
        self.images.upload(device, images);
        self.labels.upload(device, labels);
        if self.rows != labels.len() {
            self.resize(device, model, labels.len());
        }
    }

    fn resize(&mut self, device: &Device, model: &Model, rows: usize) {
        self.rows = rows;
        for (call, layer) in self.forward.iter_mut().zip(model.layers()) {
            call.set(device, &dense(layer, rows));
        }
        self.softmax.set(device, &softmax_cross_entropy(model, rows));
        let backward = self.backward.iter_mut().zip(model.layers().iter().rev());
        for ((by_weight, by_input), layer) in backward {
            by_weight.set(device, &dense_weight_gradient(model, layer, rows));
            if let Some(call) = by_input {
                call.set(device, &dense_input_gradient(layer, rows));
            }
        }
    }

    /// Runs it and hands `take` the bytes of the losses, and rows of the gradient, layer after
    /// layer, or else the hits.
    pub(crate) fn run<T>(
        &self,
        device: &Device,
        layers: &[LayerBuffers],
        take: impl FnOnce(&[u8], &mut dyn Iterator<Item = &[u8]>) -> T,
    ) -> Result<T> {
        let mut encoder = device.device.create_command_encoder(&Default::default());
        {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            let back =
                self.backward.iter().flat_map(|(weight, input)| [Some(weight), input.as_ref()]);
            let calls = self.forward.iter().chain([&self.softmax]).chain(back.flatten());
            calls.for_each(|call| call.record(&mut pass));
        }
        let losses = Readback::place(&self.losses, self.rows, 0);
        self.readback.copy(&mut encoder, &self.losses, &losses);
        let evaluation = self.backward.is_empty();
        let hits = evaluation.then_some((&self.hits, self.rows));
        let dparams = layers.iter().filter(|_| !evaluation).map(|layer| &layer.dparams);
        let mut end = losses.end();
        let mut copied = Vec::with_capacity(layers.len());
        for (from, rows) in hits.into_iter().chain(dparams.map(|from| (from, from.rows()))) {
            let to = Readback::place(from, rows, end);
            self.readback.copy(&mut encoder, from, &to);
            end = to.end();
            copied.push(to);
        }
        let doing = if evaluation { "evaluation" } else { "gradient" };
        self.readback.read(device, encoder.finish(), end, doing, |bytes| {
            let losses = &bytes[..losses.end()];
            take(losses, &mut copied.iter().flat_map(|copied| copied.rows(bytes)))
        })
    }
}

fn dense(layer: &Layer, rows: usize) -> Dense {
    let [rows, inputs, outputs] = [rows, layer.inputs, layer.outputs].map(|size| size as u32);
    Dense { rows, inputs, outputs, relu: layer.relu.into() }
}

fn softmax_cross_entropy(model: &Model, rows: usize) -> SoftmaxCrossEntropy {
    SoftmaxCrossEntropy { rows: rows as u32, classes: model.classes() as u32 }
}

fn dense_input_gradient(layer: &Layer, rows: usize) -> DenseInputGradient {
    let [rows, inputs, outputs] = [rows, layer.inputs, layer.outputs].map(|size| size as u32);
    DenseInputGradient { rows, inputs, outputs }
}

fn dense_weight_gradient(model: &Model, layer: &Layer, rows: usize) -> DenseWeightGradient {
    let [rows, inputs, outputs] = [rows, layer.inputs, layer.outputs].map(|size| size as u32);
    DenseWeightGradient { rows, inputs, outputs, l2: model.l2() }
}
