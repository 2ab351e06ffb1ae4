//! A kernel whose text nobody knows, checked in a process of its own: a text can make the compiler
//! overflow its stack, crash the driver, or keep the device busy for ever.

use std::{
    borrow::Cow,
    io::Write,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    OPENING,
    process::{Guard, Process},
    wire::{Kind, Reader, WireFault, Writer, fail},
};
use crate::{
    Error, Result, awake,
    engine::{
        adapter::AdapterId,
        gpu::check::{self, Check},
        kernels::{self, Kernel, ShaderSet},
    },
};

/// What the process is to check.
#[derive(Serialize, Deserialize)]
struct Task<'a> {
    adapter: Cow<'a, AdapterId>,
    /// Only the kernel in question is not as it comes with the library.
    shaders: ShaderSet,
    kernel: Cow<'a, str>,
    sizes: Option<[u32; 3]>,
}

/// Checks a kernel of the set in a process of `program`, which is `tortoise`, over its shapes or only on
/// `[rows, inputs, outputs]`. It has `patience` for each.
///
/// # Errors
/// [`Error::Device`] that names the kernel where the process does not survive its text, or takes too
/// long; else as [`check::check`].
pub fn check(
    program: impl Into<PathBuf>,
    adapter: &AdapterId,
    shaders: &ShaderSet,
    kernel: &'static Kernel,
    sizes: Option<[u32; 3]>,
    patience: Duration,
) -> Result<Vec<Check>> {
    let task = Task {
        adapter: Cow::Borrowed(adapter),
        shaders: shaders.only(kernel),
        kernel: kernel.name.into(),
        sizes,
    };
    let task = serde_json::to_vec(&task)
        .map_err(|error| Error::config(format!("a check cannot be told what to do: {error}")))?;
    let (process, from, to) = Process::start(program.into())?;
    let process = Guard(Arc::new(process));
    let (mut from, watch) = (Reader::new(from, OPENING), Watchdog::over(&process.0, patience)?);
    let mut checks = Vec::new();
    let hear = || -> std::result::Result<Result<()>, WireFault> {
        Writer::new(to).send(Kind::Check, &[&task])?;
        loop {
            let (kind, payload) = from.receive()?.ok_or(WireFault::Truncated)?;
            watch.heard();
            let unreadable = |problem| WireFault::Unreadable { kind, problem };
            match kind {
                Kind::Checked => checks.push(serde_json::from_slice(payload).map_err(unreadable)?),
                Kind::Failed => {
                    break Ok(Err(serde_json::from_slice(payload).map_err(unreadable)?));
                }
                Kind::Ready => break Ok(Ok(())),
                kind => break Err(WireFault::OutOfPlace(kind)),
            }
        }
    };
    let heard = hear();
    let problem = match heard {
        Ok(done) => return done.map(|()| checks),
        Err(_) if watch.is_over() => {
            let seconds = patience.as_secs_f64();
            format!(
                "no result in {seconds} s: the compiler or the device does not get done with it"
            )
        }
        Err(fault) if fault.is_parting() => {
            format!("the process that compiled and ran it was lost: {}", process.0.end())
        }
        Err(fault) => format!("the process that runs it sends what cannot be understood: {fault}"),
    };
    let problem = format!("{}: {problem}", shaders.called(kernel));
    Err(Error::Device { adapter: adapter.name.clone(), problem })
}

/// Ends a process that says nothing for too long.
struct Watchdog {
    heard: mpsc::Sender<()>,
    over: Arc<AtomicBool>,
}

impl Watchdog {
    fn over(process: &Arc<Process>, patience: Duration) -> Result<Self> {
        let (heard, hears) = mpsc::channel();
        let over = Arc::new(AtomicBool::new(false));
        let (process, is_over) = (Arc::clone(process), Arc::clone(&over));
        let watching = thread::Builder::new().name("watch of a check".into()).spawn(move || {
            while let Some(silent) = awake::heard(&hears, patience) {
                if silent {
                    is_over.store(true, Ordering::Relaxed);
                    return process.kill();
                }
            }
        });
        watching.map_err(Error::io("a thread for a check"))?;
        Ok(Self { heard, over })
    }

    fn heard(&self) {
        // Where nobody watches any more, the process is killed.
        let _ = self.heard.send(());
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// The other side: does what the [`Task`] says, and tells of each shape at once.
pub(super) fn serve(
    task: &[u8],
    to: &mut Writer<impl Write>,
) -> std::result::Result<bool, WireFault> {
    let task: Task<'_> = serde_json::from_slice(task)
        .map_err(|problem| WireFault::Unreadable { kind: Kind::Check, problem })?;
    let Task { adapter, shaders, kernel, sizes } = &task;
    let Some(kernel) = kernels::by_name(kernel) else {
        fail(to, &Error::config(format!("there is no kernel {kernel}")))?;
        return Ok(false);
    };
    let mut unsaid = None;
    let checked = check::each(adapter, shaders, kernel, *sizes, &mut |check| {
        let told = serde_json::to_vec(&check)
            .map_err(|problem| WireFault::Unreadable { kind: Kind::Checked, problem })
            .and_then(|check| to.send(Kind::Checked, &[&check]));
        told.map_err(|fault| {
            let error = Error::Process(fault.to_string());
            unsaid = Some(fault);
            error
        })
    });
    match (unsaid, checked) {
        (Some(fault), _) => Err(fault),
        (None, Ok(())) => to.send(Kind::Ready, &[]).map(|()| true),
        (None, Err(error)) => fail(to, &error).map(|()| false),
    }
}
