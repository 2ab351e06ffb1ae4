//! The command `tortoise`: parse, run, print one error.

use std::process::ExitCode;

use clap::Parser;
use tortoise::cli::{self, Cli};

#[expect(clippy::print_stderr, reason = "this is where errors are printed")]
fn main() -> ExitCode {
    quieten_mesa();
    match Cli::parse().run() {
        Ok(exit) => exit.code().into(),
        Err(error) => {
            eprintln!("error: {error}");
            cli::code(&error).into()
        }
    }
}

/// Mesa complains on standard error, once an instance, where `XDG_RUNTIME_DIR` is not set.
#[expect(unsafe_code, reason = "there is no other way to set a variable for a driver")]
fn quieten_mesa() {
    if std::env::var_os("XDG_RUNTIME_DIR").is_none() {
        // SAFETY: this is the first thing that the process does, before it has a second thread.
        unsafe { std::env::set_var("XDG_RUNTIME_DIR", std::env::temp_dir()) };
    }
}
