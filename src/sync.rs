//! What threads talk through: of the standard library, or of shuttle, which tries their schedules out.

#[cfg(not(feature = "shuttle"))]
pub(crate) use std::{sync::mpsc, thread};

#[cfg(feature = "shuttle")]
pub(crate) use shuttle::{sync::mpsc, thread};
