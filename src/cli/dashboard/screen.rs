//! The terminal: its other screen, its keys as they are pressed, and what others write on standard
//! error meanwhile, which would spoil the picture.

use std::{
    fmt,
    io::{self, BufWriter, ErrorKind, IsTerminal, Write},
    time::Duration,
};

use ratatui::{
    Frame, Terminal,
    backend::{Backend, ClearType, CrosstermBackend},
    crossterm::{
        cursor::Show,
        execute,
        terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
    },
};

#[cfg(unix)]
use self::redirect::Redirect;

/// The other screen of the terminal, as long as it lives.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<BufWriter<Tty>>>,
    left: bool,
    #[cfg(unix)]
    redirect: Redirect,
}

#[cfg(unix)]
type Out = std::fs::File;
#[cfg(not(unix))]
type Out = io::Stderr;

/// The terminal, which may go away. It fails once for that; what is written to it afterwards, to leave
/// it as it was, goes nowhere. `Terminal` panics where it cannot show the cursor again, since it tells
/// of that on the standard error that is gone as well.
struct Tty {
    out: Out,
    gone: bool,
}

impl Tty {
    fn attempt<T>(
        &mut self,
        nothing: T,
        write: impl FnOnce(&mut Out) -> io::Result<T>,
    ) -> io::Result<T> {
        if self.gone {
            return Ok(nothing);
        }
        let written = write(&mut self.out);
        self.gone = written.as_ref().is_err_and(|error| error.kind() != ErrorKind::Interrupted);
        written
    }
}

impl Write for Tty {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.attempt(bytes.len(), |out| out.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.attempt((), Write::flush)
    }
}

impl fmt::Debug for Screen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Screen").finish_non_exhaustive()
    }
}

impl Screen {
    /// Whether keys reach this process: standard input is a terminal, and it is its turn.
    pub(super) fn has_keys() -> bool {
        io::stdin().is_terminal() && in_foreground()
    }

    /// Whether the terminal that there was is there no more.
    pub(super) fn is_gone() -> bool {
        !io::stdin().is_terminal()
    }

    /// Waits for keys, but not for long.
    ///
    /// # Errors
    /// Where the terminal is gone. Whoever reads keys from it then never comes back.
    pub(super) fn wait(timeout: Duration) -> io::Result<()> {
        #[cfg(unix)]
        return wait(timeout);
        #[cfg(not(unix))]
        ratatui::crossterm::event::poll(timeout).map(drop)
    }

    /// Changes to the other screen. What is written on standard error from here on is [said](Self::said).
    pub(super) fn enter() -> io::Result<Self> {
        #[cfg(unix)]
        let (redirect, out) = Redirect::new()?;
        #[cfg(not(unix))]
        let out = io::stderr();
        let out = Tty { out, gone: false };
        let terminal = Terminal::new(CrosstermBackend::new(BufWriter::new(out)))?;
        #[cfg(unix)]
        let mut screen = Self { terminal, left: false, redirect };
        #[cfg(not(unix))]
        let mut screen = Self { terminal, left: false };
        // What fails from here on leaves it again.
        enable_raw_mode()?;
        execute!(screen.terminal.backend_mut(), EnterAlternateScreen)?;
        screen.redraw()?;
        Ok(screen)
    }

    pub(super) fn draw(&mut self, picture: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.terminal.draw(picture).map(drop)
    }

    /// Forgets what is on the screen, so that all of it is drawn again.
    pub(super) fn redraw(&mut self) -> io::Result<()> {
        // `Terminal::clear` would ask the terminal where its cursor is, and wait for the answer.
        self.terminal.backend_mut().clear_region(ClearType::All)?;
        self.terminal.swap_buffers();
        Ok(())
    }

    /// What was written on standard error since it was asked last.
    pub(super) fn said(&mut self) -> String {
        #[cfg(unix)]
        return self.redirect.said();
        #[cfg(not(unix))]
        String::new()
    }

    /// Gives the terminal back, and the last that was said.
    pub(super) fn leave(mut self) -> String {
        self.restore();
        self.said()
    }

    fn restore(&mut self) {
        if std::mem::replace(&mut self.left, true) {
            return;
        }
        let backend = self.terminal.backend_mut();
        let _ = execute!(backend, LeaveAlternateScreen, Show);
        let _ = Write::flush(backend);
        let _ = disable_raw_mode();
        #[cfg(unix)]
        self.redirect.end();
    }
}

/// Gives the terminal back, as far as it is still there.
impl Drop for Screen {
    fn drop(&mut self) {
        self.restore();
    }
}

#[cfg(unix)]
fn wait(timeout: Duration) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let stdin = io::stdin();
    let mut terminal = [PollFd::new(&stdin, PollFlags::IN)];
    let timeout = Timespec::try_from(timeout).ok();
    // A signal may cut it short: the terminal has another size.
    let _ = poll(&mut terminal, timeout.as_ref());
    if terminal[0].revents().intersects(PollFlags::HUP) {
        return Err(io::Error::other("the terminal is gone"));
    }
    Ok(())
}

#[cfg(unix)]
fn in_foreground() -> bool {
    use rustix::{process::getpgrp, termios::tcgetpgrp};

    tcgetpgrp(io::stdin()).is_ok_and(|foreground| foreground == getpgrp())
}

#[cfg(not(unix))]
fn in_foreground() -> bool {
    true
}

/// Puts this process to sleep, and all that were started with it, as Ctrl-Z does.
#[cfg(unix)]
pub(super) fn suspend() {
    use rustix::process::{Signal, kill_current_process_group};

    let _ = kill_current_process_group(Signal::TSTP);
}

#[cfg(not(unix))]
pub(super) fn suspend() {}

#[cfg(unix)]
mod redirect {
    use std::{
        fs::File,
        io::{self, PipeReader, Read, pipe},
        os::fd::AsFd,
    };

    use rustix::{io::ioctl_fionbio, stdio::dup2_stderr};

    /// Standard error in a pipe.
    #[derive(Debug)]
    pub(super) struct Redirect {
        stderr: File,
        reader: PipeReader,
    }

    impl Redirect {
        /// And the terminal that standard error was.
        pub(super) fn new() -> io::Result<(Self, File)> {
            let stderr = File::from(io::stderr().as_fd().try_clone_to_owned()?);
            let out = stderr.try_clone()?;
            let (reader, writer) = pipe()?;
            ioctl_fionbio(&reader, true)?;
            let redirect = Self { stderr, reader };
            dup2_stderr(&writer)?;
            Ok((redirect, out))
        }

        /// All that is in the pipe.
        pub(super) fn said(&mut self) -> String {
            let mut bytes = Vec::new();
            // It ends with an error where the pipe is empty, and keeps what came before.
            let _ = self.reader.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        }

        /// Gives standard error back.
        pub(super) fn end(&self) {
            let _ = dup2_stderr(&self.stderr);
        }
    }

    /// Where the screen could not be entered.
    impl Drop for Redirect {
        fn drop(&mut self) {
            self.end();
        }
    }
}
