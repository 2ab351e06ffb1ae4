//! What a race needs of a machine, looked at one by one. Leaves nothing behind.

use std::{
    env,
    fs::{self, File},
    io::IsTerminal,
    path::{Path, PathBuf},
    process, thread,
};

use serde::Serialize;

use crate::{
    Error, Result,
    dataset::mnist,
    engine::{
        adapter::AdapterId,
        backend::{Backend, FamilyChoice},
        gpu::check::{self, TOLERANCE},
        kernels::{self, Family, Kernel},
    },
    share::{both, each},
};

/// The kernel that an adapter is tried with, and the rows, inputs and outputs it gets.
const TRIED: (&Kernel, [u32; 3]) = (&kernels::DENSE, [33, 65, 17]);
/// Learners of a race if not said otherwise.
#[cfg(unix)]
const LEARNERS: u64 = 8;
/// Files that a race has open, and each learner in a process of its own; more rather than less.
#[cfg(unix)]
const HANDLES: [u64; 2] = [64, 8];

/// Whether something is as a race needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Ok,
    /// A race runs, but not as well as it could, or not as one may expect.
    Warning,
    /// A race with no options does not run.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Check {
    pub(super) what: &'static str,
    pub(super) verdict: Verdict,
    pub(super) found: String,
    pub(super) remedy: Option<String>,
}

impl Check {
    fn ok(what: &'static str, found: impl Into<String>) -> Self {
        Self { what, verdict: Verdict::Ok, found: found.into(), remedy: None }
    }

    fn warning(what: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        let remedy = Some(remedy.into());
        Self { what, verdict: Verdict::Warning, found: found.into(), remedy }
    }

    fn problem(what: &'static str, error: &Error) -> Self {
        Self { what, verdict: Verdict::Problem, found: error.to_string(), remedy: None }
    }
}

/// All checks, and the error that a race with no options would end with, if it would.
pub(super) fn all(adapters: &[AdapterId], data: Option<&Path>) -> (Vec<Check>, Option<Error>) {
    // Devices and data take a while, and none waits for another.
    let (devices, data) = both(|| each(adapters, device), || of_data(data));
    let mut checks = vec![driver(adapters)];
    let mut blocks = None;
    for (adapter, tried) in adapters.iter().zip(devices) {
        match tried {
            Ok(check) => checks.push(check),
            // Only the first is taken unless another is asked for.
            Err(error) if adapter.index > 0 => {
                let remedy = format!("do not use --device {}", adapter.index);
                checks.push(Check::warning("device", error.to_string(), remedy));
            }
            Err(error) => {
                checks.push(Check::problem("device", &error));
                blocks = Some(error);
            }
        }
        checks.push(kernels(adapter));
    }
    checks.push(match data {
        Ok(check) => check,
        Err(error) => {
            let check = Check::problem("data", &error);
            blocks = blocks.or(Some(error));
            check
        }
    });
    checks.push(cores(adapters));
    #[cfg(unix)]
    checks.push(handles());
    checks.push(runs());
    checks.extend(runtime_directory());
    checks.push(terminal());
    (checks, blocks)
}

/// Subgroups in words.
pub(super) fn subgroups(adapter: &AdapterId) -> String {
    match adapter.subgroup {
        Some([least, most]) if least == most => format!("subgroups of {least}"),
        Some([least, most]) => format!("subgroups of {least} to {most}"),
        None => "no subgroups".to_owned(),
    }
}

fn driver(adapters: &[AdapterId]) -> Check {
    let mut drivers: Vec<_> = adapters
        .iter()
        .map(|AdapterId { driver, driver_info, backend, .. }| {
            let driver = if driver.is_empty() { driver_info } else { driver };
            format!("{} ({backend})", driver.trim())
        })
        .collect();
    drivers.dedup();
    if !drivers.is_empty() {
        return Check::ok("driver", drivers.join(", "));
    }
    #[cfg(target_os = "linux")]
    let (found, remedy) = super::vulkan::why_none();
    #[cfg(not(target_os = "linux"))]
    let (found, remedy) = ("none", crate::engine::adapter::REMEDY);
    Check::warning("driver", found, remedy)
}

/// Opens a device and lets it compute something of which the result is known.
fn device(adapter: &AdapterId) -> Result<Check> {
    let backend = Backend::on(adapter.clone(), FamilyChoice::Auto, 0);
    let Backend::Gpu { shaders, .. } = backend else { unreachable!("it is on an adapter") };
    let (kernel, sizes) = TRIED;
    let tried = &check::check(adapter, &shaders, kernel, Some(sizes))?[0];
    if tried.passed {
        let (index, name, error) = (adapter.index, kernel.name, tried.relative_error);
        let found = format!("{index} works: the error of kernel {name} is {error:.1e}");
        return Ok(Check::ok("device", format!("{found}, and may be {TOLERANCE:.0e}")));
    }
    Err(Error::Device {
        adapter: adapter.name.clone(),
        problem: format!("it computes wrong numbers: {tried}; see tortoise kernels check"),
    })
}

/// Which kernels run there, and why.
fn kernels(adapter: &AdapterId) -> Check {
    let (index, family, subgroups) = (adapter.index, adapter.family(0), subgroups(adapter));
    let why = match (family, adapter.is_software()) {
        (Family::Lanes, _) => format!("it computes on the processor, with {subgroups}"),
        (Family::Tiled, false) => "they run on every GPU".to_owned(),
        (Family::Tiled, true) => format!("lanes need subgroups of 8, and it has {subgroups}"),
    };
    let found = format!("{index} uses the {family} kernels: {why}");
    if index > 0 || family == Family::Lanes || !adapter.is_software() {
        return Check::ok("kernels", found);
    }
    let remedy = "--device host is faster here; so is a Mesa with vectors of 256 bits";
    Check::warning("kernels", found, remedy)
}

fn of_data(folder: Option<&Path>) -> Result<Check> {
    let source = mnist::find(&mnist::locate(folder)?)?;
    let data = source.load()?;
    let (folder, sums) = (source.folder().display(), source.folder().join(mnist::SUMS));
    let (train, test, pixels) = (data.train.len(), data.test.len(), data.train.inputs());
    let note = source.note().map_or(String::new(), |note| format!(" ({note})"));
    let found = format!("{folder}: {train} and {test} images of {pixels} pixels{note}");
    if sums.exists() {
        return Ok(Check::ok("data", format!("{found}, as {} says", mnist::SUMS)));
    }
    let remedy = format!("write the sha256sum of the unpacked files to {}", sums.display());
    Ok(Check::warning(
        "data",
        format!("{found}; there is no SHA256SUMS to check them against"),
        remedy,
    ))
}

fn cores(adapters: &[AdapterId]) -> Check {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let backend = match adapters.first() {
        Some(best) => Backend::on(best.clone(), FamilyChoice::Auto, 0),
        None => Backend::Host { stands_in: true },
    };
    let queues = backend.queues(usize::MAX);
    Check::ok("cores", format!("{cores}; learners share up to {queues} queues in virtual time"))
}

/// Whether learners in processes of their own can have the files they need open.
#[cfg(unix)]
fn handles() -> Check {
    use rustix::process::{Resource, getrlimit};

    let Some(most) = getrlimit(Resource::Nofile).current else {
        return Check::ok("files", "any number may be open");
    };
    let [race, learner] = HANDLES;
    let learners = most.saturating_sub(race) / learner;
    let found = format!("{most} may be open: enough for {learners} learners");
    if learners >= LEARNERS {
        return Check::ok("files", found);
    }
    Check::warning("files", found, format!("ulimit -n {}", race + learner * LEARNERS))
}

/// Whether a run directory can be made.
fn runs() -> Check {
    let folder = if Path::new("runs").is_dir() { "runs" } else { "." };
    let probe: PathBuf = Path::new(folder).join(format!(".tortoise-{}", process::id()));
    let probed = File::create_new(&probe).and_then(|file| {
        drop(file);
        fs::remove_file(&probe)
    });
    let folder = Path::new(folder).canonicalize().unwrap_or_else(|_| folder.into());
    let folder = folder.display();
    match probed {
        Ok(()) => Check::ok("runs", format!("{folder} can be written to")),
        Err(error) => {
            let remedy = "name a folder that can be written to with --out";
            Check::warning("runs", format!("{folder}: {error}"), remedy)
        }
    }
}

/// Mesa complains where this is no folder; where it is not set, the command sets it.
fn runtime_directory() -> Option<Check> {
    let folder = PathBuf::from(env::var_os("XDG_RUNTIME_DIR")?);
    let remedy = "unset XDG_RUNTIME_DIR, or make the folder";
    let found = format!("XDG_RUNTIME_DIR={} is no folder: drivers complain", folder.display());
    (!mnist::is_there(&folder)).then(|| Check::warning("variable", found, remedy))
}

fn terminal() -> Check {
    let (stdout, stderr) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
    let is = |terminal: bool| if terminal { "is a terminal" } else { "is not a terminal" };
    let set = ["NO_COLOR", "CLICOLOR_FORCE"].into_iter().filter(|name| env::var_os(name).is_some());
    let set = set.map(|name| format!("; {name} is set")).collect::<String>();
    let found = format!("standard output {}, standard error {}{set}", is(stdout), is(stderr));
    Check::ok("terminal", found)
}
