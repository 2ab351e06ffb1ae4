//! Matrices on the device: making them within the limits, uploading and reading back.

use std::ops::Deref;

use futures::channel::oneshot;

use super::device::{Device, TEXEL};
use crate::{Result, engine::kernels::Form};

/// Bytes of an element: every one is an `f32` or a `u32`.
const ELEMENT: u64 = 4;

/// Elements of a texel, and of a padded row's units.
const QUAD: usize = 4;

/// A matrix on the device, in the form that a family of kernels wants; a clone is the same matrix.
#[derive(Debug, Clone)]
pub(crate) struct Storage {
    resource: Resource,
    form: Form,
    rows: usize,
    columns: usize,
}

#[derive(Debug, Clone)]
enum Resource {
    Buffer(wgpu::Buffer),
    Texture(wgpu::Texture, wgpu::TextureView),
}

impl Storage {
    /// A matrix of `rows` by `columns` elements.
    ///
    /// # Errors
    /// [`Error::Device`] where the adapter has no room for it, or no kernel could see all of it.
    pub(crate) fn new(
        device: &Device,
        label: &str,
        rows: usize,
        columns: usize,
        form: Form,
    ) -> Result<Self> {
        let resource = match form {
            Form::Texels => texture(device, label, rows, columns.div_ceil(QUAD))?,
            Form::Packed => storage(device, label, rows, columns)?,
            Form::Padded => storage(device, label, rows, columns.next_multiple_of(QUAD))?,
        };
        Ok(Self { resource, form, rows, columns })
    }

    /// The most rows, up to `rows`, of which a matrix of this many columns could be made.
    pub(crate) fn most_rows(device: &Device, rows: usize, columns: usize) -> usize {
        let limits = device.device.limits();
        let most = limits.max_buffer_size.min(limits.max_storage_buffer_binding_size);
        let padded = columns.max(1).next_multiple_of(QUAD) as u64;
        let most = (most / ELEMENT / padded).max(1);
        rows.min(usize::try_from(most).unwrap_or(usize::MAX))
    }

    /// How many rows it has room for.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// How it is kept.
    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// What a bind group takes.
    pub(crate) fn binding(&self) -> wgpu::BindingResource<'_> {
        match &self.resource {
            Resource::Buffer(buffer) => buffer.as_entire_binding(),
            Resource::Texture(_, view) => wgpu::BindingResource::TextureView(view),
        }
    }

    /// Elements from the start of a row to that of the next.
    fn stride(&self) -> usize {
        match self.form {
            Form::Packed => self.columns,
            Form::Padded | Form::Texels => self.columns.next_multiple_of(QUAD),
        }
    }

    /// Writes `data`, whole rows of it, at the start, before whatever is submitted next.
    pub(crate) fn upload<T: bytemuck::Pod>(&self, device: &Device, data: &[T]) {
        let stride = self.stride();
        let padded: Vec<T>;
        let data = if stride == self.columns {
            data
        } else {
            let padding = vec![T::zeroed(); stride - self.columns];
            let rows = data.chunks_exact(self.columns);
            padded = rows.flat_map(|row| row.iter().chain(&padding)).copied().collect();
            &padded
        };
        let bytes = bytemuck::cast_slice(data);
        match &self.resource {
            Resource::Buffer(buffer) => device.queue.write_buffer(buffer, 0, bytes),
            Resource::Texture(texture, _) => {
                let layout = wgpu::TexelCopyBufferLayout {
                    offset: 0,
                    bytes_per_row: Some((stride as u64 * ELEMENT) as u32),
                    rows_per_image: None,
                };
                let size = extent(stride / QUAD, data.len() / stride.max(1));
                device.queue.write_texture(texture.as_image_copy(), bytes, layout, size);
            }
        }
    }
}

/// A buffer of `rows` by `columns` elements.
fn storage(device: &Device, label: &str, rows: usize, columns: usize) -> Result<Resource> {
    let limits = device.device.limits();
    let most = limits.max_buffer_size.min(limits.max_storage_buffer_binding_size);
    // A kernel counts elements in u32.
    let most = (most / ELEMENT).min(u64::from(u32::MAX / 2));
    let elements = (rows as u64).checked_mul(columns as u64).filter(|&n| n <= most);
    let elements = elements.ok_or_else(|| {
        device.error(format!(
            "{label} of {rows} x {columns} numbers is more than the {most} that a kernel can \
             see here; a smaller model or minibatch fits"
        ))
    })?;
    let usage =
        wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
    Ok(Resource::Buffer(make(device, label, elements.max(1) * ELEMENT, usage)?))
}

/// A texture of `rows` by `quads` texels.
fn texture(device: &Device, label: &str, rows: usize, quads: usize) -> Result<Resource> {
    let most = device.device.limits().max_texture_dimension_2d as usize;
    if rows.max(quads) > most {
        return Err(device.error(format!(
            "{label} of {rows} x {} numbers has a side longer than a texture's {most}; the tiled \
             kernels need no texture",
            quads * QUAD
        )));
    }
    let texture = device.device.create_texture(&wgpu::TextureDescriptor {
        label: Some(label),
        size: extent(quads, rows),
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: TEXEL,
        usage: wgpu::TextureUsages::STORAGE_BINDING
            | wgpu::TextureUsages::COPY_SRC
            | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    });
    device.healthy()?;
    let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
    Ok(Resource::Texture(texture, view))
}

fn extent(width: usize, height: usize) -> wgpu::Extent3d {
    let [width, height] = [width, height].map(|side| side.max(1) as u32);
    wgpu::Extent3d { width, height, depth_or_array_layers: 1 }
}

/// A buffer of `bytes` with the arguments of a kernel.
pub(crate) fn uniform(device: &Device, label: &str, bytes: usize) -> Result<wgpu::Buffer> {
    let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
    make(device, label, bytes as u64, usage)
}

/// A buffer that the host can read, filled by copies from storage.
#[derive(Debug)]
pub(crate) struct Readback {
    buffer: wgpu::Buffer,
}

/// Rows of a matrix that were copied to where the host can read them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Copied {
    /// Bytes.
    start: usize,
    /// Bytes from row to row.
    pitch: usize,
    /// Bytes of a row without its padding.
    row: usize,
    rows: usize,
}

impl Copied {
    /// The first byte behind it.
    pub(crate) fn end(&self) -> usize {
        self.start + self.pitch * self.rows
    }

    /// What pads each row to whole vec4s.
    pub(crate) fn padding<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let row = self.row..self.row.next_multiple_of(QUAD * ELEMENT as usize).min(self.pitch);
        let rows = bytes[self.start..self.end()].chunks_exact(self.pitch.max(1));
        rows.map(move |bytes| &bytes[row.clone()])
    }

    /// The rows without their padding; rows that have none come as one.
    pub(crate) fn rows<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let whole = self.pitch == self.row;
        let bytes = &bytes[self.start..self.end()];
        let (pitch, row) = if whole { (bytes.len(), bytes.len()) } else { (self.pitch, self.row) };
        bytes.chunks_exact(pitch.max(1)).map(move |bytes| &bytes[..row])
    }
}

impl Readback {
    /// Where the first `rows` of `from` come to lie behind `start` bytes.
    pub(crate) fn place(from: &Storage, rows: usize, start: usize) -> Copied {
        let (stride, row) = (from.stride() * ELEMENT as usize, from.columns * ELEMENT as usize);
        let pitch = match from.form {
            Form::Texels => stride.next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT as usize),
            Form::Packed | Form::Padded => stride,
        };
        // Texels are copied to whole texels.
        Copied { start: start.next_multiple_of(QUAD * ELEMENT as usize), pitch, row, rows }
    }

    pub(crate) fn new(device: &Device, label: &str, bytes: usize) -> Result<Self> {
        let most = device.device.limits().max_buffer_size;
        if bytes as u64 > most {
            let problem = format!("{label} of {bytes} bytes is more than the {most} possible");
            return Err(device.error(problem));
        }
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let bytes = (bytes as u64).next_multiple_of(QUAD as u64 * ELEMENT);
        Ok(Self { buffer: make(device, label, bytes.max(ELEMENT), usage)? })
    }

    /// Copies the rows of `from` to their place here.
    pub(crate) fn copy(&self, encoder: &mut wgpu::CommandEncoder, from: &Storage, to: &Copied) {
        let (start, bytes) = (to.start as u64, (to.pitch * to.rows) as u64);
        match &from.resource {
            Resource::Buffer(from) => {
                encoder.copy_buffer_to_buffer(from, 0, &self.buffer, start, bytes);
            }
            Resource::Texture(texture, _) => encoder.copy_texture_to_buffer(
                texture.as_image_copy(),
                wgpu::TexelCopyBufferInfo {
                    buffer: &self.buffer,
                    layout: wgpu::TexelCopyBufferLayout {
                        offset: start,
                        bytes_per_row: Some(to.pitch as u32),
                        rows_per_image: None,
                    },
                },
                extent(from.stride() / QUAD, to.rows),
            ),
        }
    }

    /// Submits the commands, waits, and maps the first `bytes`.
    pub(crate) fn read(
        &self,
        device: &Device,
        commands: wgpu::CommandBuffer,
        bytes: usize,
        doing: &str,
    ) -> Result<Mapped<'_>> {
        let lost = |error: &dyn std::fmt::Display| device.error(format!("{doing}: {error}"));
        let submission = device.queue.submit([commands]);
        device.healthy()?;
        let range = ..bytes as u64;
        let (done, mut mapped) = oneshot::channel();
        self.buffer.map_async(wgpu::MapMode::Read, range, move |result| {
            // Whoever waited may have given up.
            let _ = done.send(result);
        });
        let unmap = Unmap(&self.buffer);
        device.wait(submission, doing)?;
        match mapped.try_recv() {
            Ok(Some(Ok(()))) => {}
            Ok(Some(Err(error))) => return Err(lost(&error)),
            Ok(None) | Err(oneshot::Canceled) => return Err(lost(&"the result was never mapped")),
        }
        let view = self.buffer.get_mapped_range(range).map_err(|error| lost(&error))?;
        Ok(Mapped { view, _unmap: unmap })
    }
}

/// Bytes that came back. While they are there, nothing can be copied to their buffer.
#[derive(Debug)]
pub(crate) struct Mapped<'a> {
    /// Before what unmaps it: fields are dropped in their order, and a buffer with a view stays mapped.
    view: wgpu::BufferView,
    _unmap: Unmap<'a>,
}

impl Deref for Mapped<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.view
    }
}

/// Unmaps a buffer at the end, however that comes.
#[derive(Debug)]
struct Unmap<'a>(&'a wgpu::Buffer);

impl Drop for Unmap<'_> {
    fn drop(&mut self) {
        self.0.unmap();
    }
}

fn make(
    device: &Device,
    label: &str,
    size: u64,
    usage: wgpu::BufferUsages,
) -> Result<wgpu::Buffer> {
    let buffer = device.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size,
        usage,
        mapped_at_creation: false,
    });
    device.healthy()?;
    Ok(buffer)
}
