//! The command `tortoise`: parse, run, print one error.

#[cfg(unix)]
use std::sync::Arc;
use std::{
    env,
    io::{self, ErrorKind, Write},
    path::Path,
    process::ExitCode,
};

use clap::builder::styling::Styles;
use tortoise::{
    Error,
    cli::{self, Cli, Exit, Interrupt},
};

fn main() -> ExitCode {
    // Mesa complains on standard error, once an instance, where this is not set.
    set_variable("XDG_RUNTIME_DIR", &env::temp_dir());
    outlive_full_files();
    fail_without_memory();
    let interrupt = match Interrupt::listening() {
        Ok(interrupt) => interrupt,
        Err(error) => return fail(&error),
    };
    let command = match Cli::read() {
        Ok(command) => command,
        Err(usage) => return tell(&usage),
    };
    match command.run(&|name, value| set_variable(name, value.as_ref()), &interrupt) {
        // Who wished that the command ends learns that it did, and not how far it was by then.
        Ok(_) | Err(Error::Interrupted) if interrupt.is_wished() => Exit::Interrupted.code().into(),
        Ok(exit) => exit.code().into(),
        Err(error) if interrupt.is_wished() => {
            let _ = fail(&error);
            Exit::Interrupted.code().into()
        }
        Err(error) => fail(&error),
    }
}

/// Prints help, or what is wrong with the arguments. Nobody can be told where that cannot be written.
fn tell(usage: &clap::Error) -> ExitCode {
    let told = usage.print().and_then(|()| io::stdout().flush());
    match told {
        Err(error) if usage.exit_code() == 0 && error.kind() != ErrorKind::BrokenPipe => {
            fail(&Error::io("stdout")(error))
        }
        _ => (usage.exit_code() as u8).into(),
    }
}

/// Prints why the command failed; that it did is told by its exit code where nothing can be printed.
fn fail(error: &Error) -> ExitCode {
    let style = Styles::styled();
    let style = style.get_error();
    // Coloured where standard error is a terminal, unless NO_COLOR or CLICOLOR_FORCE say else.
    let _ = writeln!(anstream::stderr(), "{style}error:{style:#} {error}");
    cli::code(error).into()
}

/// A file that may not grow any more (`ulimit -f`) is an error of the write, as a full disk is, and not
/// the end of the process.
fn outlive_full_files() {
    #[cfg(unix)]
    if !cli::is_ignored(signal_hook::consts::SIGXFSZ) {
        let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
    }
}

/// Where the last memory is gone the language's runtime says so and aborts: a failure like others, with
/// their exit code.
fn fail_without_memory() {
    #[cfg(unix)]
    let _ = signal_hook::flag::register_conditional_shutdown(
        signal_hook::consts::SIGABRT,
        Exit::Failed.code().into(),
        Arc::new(true.into()),
    );
}

/// Sets a variable for the drivers, unless the user has.
#[expect(unsafe_code, reason = "there is no other way to tell a driver something")]
fn set_variable(name: &str, value: &Path) {
    if env::var_os(name).is_none() {
        // SAFETY: `main` calls this first, and the command before it starts a thread. The one thread
        // that there is by then waits for signals, and looks at no variable.
        unsafe { env::set_var(name, value) };
    }
}
