//! Buffers counted in elements: making them within the limits, uploading and reading back.

use futures::channel::oneshot;

use super::device::Device;
use crate::Result;

/// Bytes of an element: every one is an `f32` or a `u32`.
const ELEMENT: u64 = 4;

/// A storage buffer of a number of elements.
#[derive(Debug)]
pub(crate) struct Storage {
    pub(super) buffer: wgpu::Buffer,
    elements: u64,
}

impl Storage {
    /// A buffer of `rows` by `columns` elements.
    ///
    /// # Errors
    /// [`Error::Device`] where the adapter has no room for it, or no kernel could see all of it.
    pub(crate) fn new(device: &Device, label: &str, rows: usize, columns: usize) -> Result<Self> {
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
        let usage = wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST;
        let buffer = make(device, label, elements.max(1) * ELEMENT, usage)?;
        Ok(Self { buffer, elements })
    }

    /// The most rows, up to `rows`, of which a buffer of this many columns could be made.
    pub(crate) fn most_rows(device: &Device, rows: usize, columns: usize) -> usize {
        let limits = device.device.limits();
        let most = limits.max_buffer_size.min(limits.max_storage_buffer_binding_size);
        let most = (most / ELEMENT / columns.max(1) as u64).max(1);
        rows.min(usize::try_from(most).unwrap_or(usize::MAX))
    }

    pub(crate) fn elements(&self) -> u64 {
        self.elements
    }

    /// Writes `data` at the start, before whatever is submitted next.
    pub(crate) fn upload<T: bytemuck::NoUninit>(&self, device: &Device, data: &[T]) {
        device.queue.write_buffer(&self.buffer, 0, bytemuck::cast_slice(data));
    }
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

impl Readback {
    pub(crate) fn new(device: &Device, label: &str, elements: u64) -> Result<Self> {
        let most = device.device.limits().max_buffer_size / ELEMENT;
        if elements > most {
            let problem = format!("{label} of {elements} numbers is more than the {most} possible");
            return Err(device.error(problem));
        }
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        Ok(Self { buffer: make(device, label, elements.max(1) * ELEMENT, usage)? })
    }

    /// Copies the first `elements` of `from` to here, behind the first `at` elements.
    pub(crate) fn copy(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        from: &Storage,
        elements: u64,
        at: u64,
    ) {
        let bytes = elements * ELEMENT;
        encoder.copy_buffer_to_buffer(&from.buffer, 0, &self.buffer, at * ELEMENT, bytes);
    }

    /// Submits the commands, waits, and hands the bytes of the first `elements` to `take`.
    pub(crate) fn read<T>(
        &self,
        device: &Device,
        commands: wgpu::CommandBuffer,
        elements: u64,
        doing: &str,
        take: impl FnOnce(&[u8]) -> T,
    ) -> Result<T> {
        let lost = |error: &dyn std::fmt::Display| device.error(format!("{doing}: {error}"));
        let submission = device.queue.submit([commands]);
        device.healthy()?;
        let range = ..elements * ELEMENT;
        let (done, mut mapped) = oneshot::channel();
        self.buffer.map_async(wgpu::MapMode::Read, range, move |result| {
            // Whoever waited may have given up.
            let _ = done.send(result);
        });
        let waited = device.wait(submission, doing);
        let mapped = waited.and_then(|()| match mapped.try_recv() {
            Ok(Some(Ok(()))) => Ok(()),
            Ok(Some(Err(error))) => Err(lost(&error)),
            Ok(None) | Err(oneshot::Canceled) => Err(lost(&"the result was never mapped")),
        });
        let taken = mapped.and_then(|()| {
            let view = self.buffer.get_mapped_range(range).map_err(|error| lost(&error))?;
            Ok(take(&view))
        });
        self.buffer.unmap();
        taken
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
