//! The adapters that wgpu finds: described as plain data, and found again.

use crate::{
    Result,
    engine::adapter::{AdapterId, Limits, missing},
};

/// Every adapter of this machine that can compute, the best first: real GPUs before software, and of the
/// same kind Metal or Vulkan before DirectX and OpenGL.
pub(crate) fn all() -> Vec<AdapterId> {
    let there = enumerate(wgpu::Backends::PRIMARY | wgpu::Backends::GL);
    let mut ids: Vec<_> = there.into_iter().map(|(id, _)| id).collect();
    ids.sort_by_key(AdapterId::preference);
    for (index, id) in ids.iter_mut().enumerate() {
        id.index = index;
    }
    ids
}

/// Finds the adapter again, in an instance of its own: adapters of one instance share a lock in
/// some drivers.
pub(super) fn find(id: &AdapterId) -> Result<wgpu::Adapter> {
    let backends = match id.backend.as_str() {
        "vulkan" => wgpu::Backends::VULKAN,
        "metal" => wgpu::Backends::METAL,
        "dx12" => wgpu::Backends::DX12,
        _ => wgpu::Backends::GL,
    };
    let mut there = enumerate(backends);
    match there.iter().position(|(one, _)| identity(one) == identity(id) && one.twin == id.twin) {
        Some(at) => Ok(there.swap_remove(at).1),
        None => Err(missing(&format!("adapter {id} is gone"), &all())),
    }
}

fn enumerate(backends: wgpu::Backends) -> Vec<(AdapterId, wgpu::Adapter)> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = backends;
    // A debug build would otherwise ask for validation layers.
    descriptor.flags = wgpu::InstanceFlags::empty();
    let instance = wgpu::Instance::new(descriptor);
    let adapters = pollster::block_on(instance.enumerate_adapters(backends));
    let mut there: Vec<(AdapterId, wgpu::Adapter)> = Vec::with_capacity(adapters.len());
    for adapter in adapters {
        let compute = wgpu::DownlevelFlags::COMPUTE_SHADERS;
        if !adapter.get_downlevel_capabilities().flags.contains(compute) {
            continue;
        }
        let mut id = describe(&adapter);
        id.twin = there.iter().filter(|(other, _)| identity(other) == identity(&id)).count();
        there.push((id, adapter));
    }
    there
}

/// What tells adapters apart.
fn identity(id: &AdapterId) -> impl PartialEq + use<> {
    let AdapterId { name, backend, kind, driver, driver_info, pci_bus, .. } = id;
    ([name, backend, kind, driver, driver_info, pci_bus].map(Clone::clone), id.pci)
}

/// What is known of an adapter.
fn describe(adapter: &wgpu::Adapter) -> AdapterId {
    let info = adapter.get_info();
    let limits = adapter.limits();
    let features = adapter.features();
    let subgroups = features.contains(wgpu::Features::SUBGROUP);
    AdapterId {
        index: 0,
        name: info.name,
        backend: info.backend.to_str().into(),
        kind: match info.device_type {
            wgpu::DeviceType::DiscreteGpu => "discrete",
            wgpu::DeviceType::IntegratedGpu => "integrated",
            wgpu::DeviceType::VirtualGpu => "virtual",
            wgpu::DeviceType::Other => "other",
            wgpu::DeviceType::Cpu => "software",
        }
        .into(),
        driver: info.driver,
        driver_info: info.driver_info,
        pci: [info.vendor, info.device],
        pci_bus: info.device_pci_bus_id,
        twin: 0,
        subgroup: subgroups.then_some([info.subgroup_min_size, info.subgroup_max_size]),
        limits: Limits {
            buffer: limits.max_buffer_size,
            storage_binding: limits.max_storage_buffer_binding_size,
            workgroup_storage: limits.max_compute_workgroup_storage_size,
            workgroup_invocations: limits.max_compute_invocations_per_workgroup,
            workgroups: limits.max_compute_workgroups_per_dimension,
            texture_side: limits.max_texture_dimension_2d,
        },
        features: [
            ("subgroups", wgpu::Features::SUBGROUP),
            ("shader-f16", wgpu::Features::SHADER_F16),
            ("timestamp-query", wgpu::Features::TIMESTAMP_QUERY),
            ("immediates", wgpu::Features::IMMEDIATES),
            ("mappable-primary-buffers", wgpu::Features::MAPPABLE_PRIMARY_BUFFERS),
        ]
        .into_iter()
        .filter(|&(_, feature)| features.contains(feature))
        .map(|(name, _)| name.into())
        .collect(),
    }
}
