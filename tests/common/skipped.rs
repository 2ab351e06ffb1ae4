//! Tests that the environment asks to go without.

use std::{
    env,
    io::{self, Write as _},
    thread,
};

/// Whether to go without this test, because `variable` is 1. If so, says it where the test harness
/// does not keep it to itself.
pub(crate) fn skipped(variable: &str) -> bool {
    let skipped = env::var(variable).is_ok_and(|value| value == "1");
    if skipped {
        let thread = thread::current();
        let test = thread.name().unwrap_or("a part of a test");
        let _ = writeln!(io::stderr(), "skipped {test}: {variable}=1");
    }
    skipped
}
