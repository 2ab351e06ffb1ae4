//! `tortoise kernels`.
use clap::Args;
use super::Exit;
use crate::Result;
#[derive(Debug, Args)]
pub(super) struct KernelsArgs {}
pub(super) fn run(_: &KernelsArgs) -> Result<Exit> { Ok(Exit::Done) }
