//! Lists the adapters of this machine, and picks the one that a [`DeviceChoice`] means.

use super::{
    adapter::{AdapterId, DeviceChoice, pick},
    gpu,
};
use crate::Result;

/// Every adapter of this machine, the best first: real GPUs before software, and of the same kind
/// Metal or Vulkan before DirectX and OpenGL.
pub fn list() -> Vec<AdapterId> {
    gpu::adapters()
}

/// The adapter that `choice` means; none where it means the host.
///
/// # Errors
/// [`crate::Error::NoAdapter`] where an adapter is asked for that is not there.
pub fn choose(choice: &DeviceChoice) -> Result<Option<AdapterId>> {
    if *choice == DeviceChoice::Host {
        return Ok(None);
    }
    pick(choice, list())
}
