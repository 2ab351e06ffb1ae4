//! What stands in the place of the wgpu engine where the library is built without the feature `gpu`:
//! there are no adapters.

use super::{
    Engine,
    adapter::{AdapterId, NONE, REMEDY},
    kernels::ShaderSet,
    model::Model,
};
use crate::{Error, Result, dataset::Splits};

/// No adapter, whatever the machine has.
pub(super) fn adapters() -> Vec<AdapterId> {
    Vec::new()
}

/// Nothing computes on devices here, so that nobody waits for others.
pub(super) fn beside_others() {}

/// No engine.
///
/// # Errors
/// [`Error::NoAdapter`].
pub(super) fn open(
    adapter: &AdapterId,
    _: &Model,
    _: usize,
    _: &ShaderSet,
    _: Splits,
) -> Result<Box<dyn Engine>> {
    Err(Error::NoAdapter(format!("adapter {adapter} cannot be opened, since {NONE}: {REMEDY}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::backend::{Backend, FamilyChoice};

    #[test]
    fn an_adapter_is_an_error_that_names_the_feature_and_auto_means_the_host() {
        let choose =
            |device: &str| Backend::choose(&device.parse().unwrap(), FamilyChoice::Auto, 1);
        for device in ["0", "llvmpipe"] {
            let error = choose(device).unwrap_err();
            assert!(
                matches!(&error, Error::NoAdapter(why) if why.contains("feature gpu")),
                "{error}"
            );
        }
        assert_eq!(choose("auto").unwrap(), Backend::Host { stands_in: true });
        assert_eq!(choose("host").unwrap(), Backend::Host { stands_in: false });
    }
}
