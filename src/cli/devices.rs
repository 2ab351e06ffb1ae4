//! `tortoise devices`: the adapters, and what to do where there is none.

use std::fmt::Write as _;

use clap::Args;

use super::{Exit, print, print_json};
use crate::{
    Result,
    engine::gpu::adapter::{self, AdapterId, Limits, REMEDY},
};

#[derive(Debug, Args)]
pub(super) struct DevicesArgs {
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &DevicesArgs) -> Result<Exit> {
    let adapters = adapter::list();
    if args.json {
        print_json(&adapters)?;
        return Ok(Exit::Done);
    }
    let mut text: String = adapters.iter().map(describe).collect();
    match adapters.first() {
        Some(best) => {
            let _ = writeln!(text, "--device auto takes {}: {best}", best.index);
        }
        None => {
            let _ = writeln!(text, "no adapter found: gradients run on the host engine\n{REMEDY}");
        }
    }
    print(&text)?;
    Ok(Exit::Done)
}

fn describe(adapter: &AdapterId) -> String {
    let AdapterId { index, driver, driver_info, limits, features, .. } = adapter;
    let Limits { buffer, storage_binding, workgroup_storage, workgroup_invocations, .. } = limits;
    let family = adapter.family(0);
    let mebibytes = |bytes: &u64| bytes >> 20;
    let subgroup = match adapter.subgroup {
        Some([least, most]) if least == most => format!("subgroups of {least}"),
        Some([least, most]) => format!("subgroups of {least} to {most}"),
        None => "no subgroups".to_owned(),
    };
    format!(
        "{index}: {adapter}\n\
         \x20  driver    {driver} {driver_info}\n\
         \x20  limits    buffers of {} MiB, bindings of {} MiB, workgroups of \
         {workgroup_invocations} with {} KiB, {subgroup}\n\
         \x20  features  {}\n\
         \x20  kernels   {family}\n",
        mebibytes(buffer),
        mebibytes(storage_binding),
        workgroup_storage >> 10,
        features.join(", "),
    )
}
