//! `tortoise devices`: the adapters, and what to do where there is none.

use std::fmt::Write as _;

use clap::Args;

use super::{Exit, print, print_json};
use crate::{
    Result,
    engine::gpu::adapter::{self, REMEDY},
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
    let mut text = String::new();
    for info in &adapters {
        let _ = writeln!(text, "{info}");
    }
    if adapters.is_empty() {
        let _ = writeln!(text, "no adapter found; gradients run on the host engine\n{REMEDY}");
    } else {
        let best = &adapters[0];
        let _ = writeln!(text, "--device auto takes {}: {}", best.index, best.name);
    }
    print(&text)?;
    Ok(Exit::Done)
}
