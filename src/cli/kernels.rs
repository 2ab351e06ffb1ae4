//! `tortoise kernels`.
use super::Exit;
use crate::Result;
use clap::Args;
#[derive(Debug, Args)]
pub(super) struct KernelsArgs {}
pub(super) fn run(_: &KernelsArgs) -> Result<Exit> {
    Ok(Exit::Done)
}
