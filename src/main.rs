//! The command `tortoise`: parse, run, print one error.

#[cfg(unix)]
use std::sync::Arc;
use std::{env, path::Path, process::ExitCode};

use clap::{Parser, builder::styling::Styles};
use tortoise::cli::{self, Cli};

fn main() -> ExitCode {
    // Mesa complains on standard error, once an instance, where this is not set.
    set_variable("XDG_RUNTIME_DIR", &env::temp_dir());
    outlive_full_files();
    fail_without_memory();
    match Cli::parse().run(&|name, value| set_variable(name, value.as_ref())) {
        Ok(exit) => exit.code().into(),
        Err(error) => {
            let style = Styles::styled();
            let style = style.get_error();
            // Coloured where standard error is a terminal, unless NO_COLOR or CLICOLOR_FORCE say else.
            anstream::eprintln!("{style}error:{style:#} {error}");
            cli::code(&error).into()
        }
    }
}

/// A file that may not grow any more (`ulimit -f`) is an error of the write, as a full disk is, and not
/// the end of the process.
fn outlive_full_files() {
    #[cfg(unix)]
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
}

/// Where the last memory is gone the language's runtime says so and aborts: a failure like others, with
/// their exit code.
fn fail_without_memory() {
    #[cfg(unix)]
    let _ = signal_hook::flag::register_conditional_shutdown(
        signal_hook::consts::SIGABRT,
        cli::Exit::Failed.code().into(),
        Arc::new(true.into()),
    );
}

/// Sets a variable for the drivers, unless the user has.
#[expect(unsafe_code, reason = "there is no other way to tell a driver something")]
fn set_variable(name: &str, value: &Path) {
    if env::var_os(name).is_none() {
        // SAFETY: `main` calls this first, and the command before it starts a thread.
        unsafe { env::set_var(name, value) };
    }
}
