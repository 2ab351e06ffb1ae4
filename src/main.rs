//! The command `tortoise`: parse, run, print one error.

use std::process::ExitCode;

use clap::Parser;
use tortoise::cli::{self, Cli};

#[expect(clippy::print_stderr, reason = "this is where errors are printed")]
fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(exit) => exit.code().into(),
        Err(error) => {
            eprintln!("error: {error}");
            cli::code(&error).into()
        }
    }
}
