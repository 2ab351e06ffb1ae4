//! `tortoise devices`: the adapters, whether a race can run here, and what to do about what is amiss.

mod checks;
#[cfg(target_os = "linux")]
mod vulkan;

use std::{fmt::Write as _, path::PathBuf};

use clap::Args;
use serde::Serialize;

use self::checks::{Check, Verdict};
use super::{Exit, print, print_json};
use crate::{
    Result,
    engine::{
        adapter::{AdapterId, Limits},
        adapters,
    },
};

#[derive(Debug, Args)]
pub(super) struct DevicesArgs {
    /// Folder with the IDX files [default: $TORTOISE_DATA, else data/mnist]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Devices {
    adapters: Vec<AdapterId>,
    checks: Vec<Check>,
}

pub(super) fn run(args: &DevicesArgs) -> Result<Exit> {
    let adapters = adapters::list();
    let (checks, blocks) = checks::all(&adapters, args.data.as_deref());
    let devices = Devices { adapters, checks };
    if args.json {
        print_json(&devices)?;
    } else {
        print(&text(&devices))?;
    }
    // What a race would end with.
    blocks.map_or(Ok(Exit::Done), Err)
}

fn text(Devices { adapters, checks }: &Devices) -> String {
    let mut text: String = adapters.iter().map(describe).collect();
    match adapters.first() {
        Some(best) => {
            let _ = writeln!(text, "--device auto takes {}: {best}\n", best.index);
        }
        None => text.push_str("no adapter found: gradients run on the host engine\n\n"),
    }
    for Check { what, verdict, found, remedy } in checks {
        let verdict = match verdict {
            Verdict::Ok => "ok",
            Verdict::Warning => "warning",
            Verdict::Problem => "PROBLEM",
        };
        let _ = writeln!(text, "{verdict:<8} {what:<9} {found}");
        if let Some(remedy) = remedy {
            let _ = writeln!(text, "{:<18} {remedy}", "");
        }
    }
    text
}

fn describe(adapter: &AdapterId) -> String {
    let AdapterId { index, driver, driver_info, limits, features, .. } = adapter;
    let Limits { buffer, storage_binding, workgroup_storage, workgroup_invocations, .. } = limits;
    let mebibytes = |bytes: &u64| bytes >> 20;
    format!(
        "{index}: {adapter}\n\
         \x20  driver    {driver} {driver_info}\n\
         \x20  limits    buffers of {} MiB, bindings of {} MiB, workgroups of \
         {workgroup_invocations} with {} KiB, {}\n\
         \x20  features  {}\n",
        mebibytes(buffer),
        mebibytes(storage_binding),
        workgroup_storage >> 10,
        checks::subgroups(adapter),
        features.join(", "),
    )
}
