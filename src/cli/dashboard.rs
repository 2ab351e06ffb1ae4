//! A dashboard of a race on the whole terminal: curves, lanes of learners, rates. It is drawn by a
//! thread of its own, some times a second, so that the race does not wait for it.

mod chart;
mod curve;
mod draw;
mod lanes;
mod learners;
mod palette;
mod screen;
mod state;
#[cfg(test)]
mod tests;
mod view;

use std::{
    collections::VecDeque,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use ratatui::crossterm::event::{self, Event as Input};

use self::{
    palette::{Depth, Palette},
    screen::Screen,
    state::State,
    view::{Picture, View, Wish},
};
use super::{interrupt::Interrupt, say};
use crate::{
    race::{News, Progress},
    report,
};

/// Between two pictures, if no key is pressed.
const EVERY: Duration = Duration::from_millis(100);
/// How long the end of a race may go unnoticed by who waits for keys.
const LOOK: Duration = Duration::from_millis(20);
/// Lines that are said again when the dashboard is gone.
const KEPT: usize = 1000;

/// Shows the progress of a race on the whole terminal, from its start to its end.
#[derive(Debug)]
pub(super) struct Dashboard {
    shared: Arc<Shared>,
    interrupt: Interrupt,
}

/// What the race, and the thread that draws, have in common.
#[derive(Debug)]
struct Shared {
    begun: Instant,
    state: Mutex<State>,
    /// None before the race starts, while the process sleeps, and when the dashboard is gone.
    screen: Mutex<Option<Screen>>,
    /// Notes, and what was written on standard error, as long as it could not be seen there.
    kept: Mutex<VecDeque<String>>,
    over: AtomicBool,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            state: Mutex::default(),
            screen: Mutex::default(),
            kept: Mutex::default(),
            over: AtomicBool::new(false),
        }
    }
}

impl Dashboard {
    /// One of a race that `interrupt` ends.
    pub(super) fn new(interrupt: &Interrupt) -> Self {
        Self { shared: Arc::default(), interrupt: interrupt.clone() }
    }

    /// Whether there is somebody to press keys.
    pub(super) fn has_keys() -> bool {
        Screen::has_keys()
    }

    fn start(&self) -> io::Result<()> {
        let names = lock(&self.shared.state).entrants.clone();
        let names = names.iter().map(|entrant| entrant.name.as_str());
        let palette = Palette::new(Depth::of_environment(), names);
        *lock(&self.shared.screen) = Some(Screen::enter()?);
        let shared = Arc::clone(&self.shared);
        self.interrupt.before_exit(move || shared.end());
        let (shared, interrupt) = (Arc::clone(&self.shared), self.interrupt.clone());
        let drawing = thread::Builder::new().name("dashboard".into()).spawn(move || {
            let mut operator =
                Operator { shared: &shared, interrupt, palette, view: View::default() };
            let drawn = catch_unwind(AssertUnwindSafe(|| operator.draw_to_the_end()));
            // Whatever happened, the race goes on, and the terminal is not left as it is.
            shared.end();
            if let Ok(Err(error)) = drawn {
                if Screen::is_gone() {
                    operator.interrupt.hang_up();
                }
                say(&format!("no dashboard any more: {error}"));
            }
        });
        drawing.map(drop)
    }
}

impl Progress for Dashboard {
    fn tell(&mut self, news: News<'_>) {
        let Shared { begun, state, screen, .. } = &*self.shared;
        lock(state).tell(news, begun.elapsed());
        match news {
            News::Start(_) => {
                if let Err(error) = self.start() {
                    self.shared.end();
                    say(&format!("no dashboard: {error}"));
                }
            }
            News::Note(note) if lock(screen).is_some() => self.shared.keep(note),
            News::Note(note) => say(note),
            News::Tuned { rates, tuned } => say(&report::tuned(rates, tuned)),
            News::End => self.shared.end(),
            _ => {}
        }
    }
}

/// A race that fails gives the terminal back before its error is told.
impl Drop for Dashboard {
    fn drop(&mut self) {
        self.shared.end();
    }
}

impl Shared {
    /// Gives the terminal back, and says what could not be seen on it.
    fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
        self.leave();
    }

    fn leave(&self) {
        let Some(screen) = lock(&self.screen).take() else { return };
        let said = screen.leave();
        self.keep(&said);
        let kept = std::mem::take(&mut *lock(&self.kept));
        kept.iter().for_each(|line| say(line));
    }

    fn keep(&self, said: &str) {
        let mut kept = lock(&self.kept);
        kept.extend(said.lines().map(str::to_owned));
        let many = kept.len().saturating_sub(KEPT);
        kept.drain(..many);
    }
}

/// Draws, and reads keys.
struct Operator<'a> {
    shared: &'a Shared,
    interrupt: Interrupt,
    palette: Palette,
    view: View,
}

impl Operator<'_> {
    fn draw_to_the_end(&mut self) -> io::Result<()> {
        let mut next = Instant::now();
        while !self.shared.over.load(Ordering::Relaxed) {
            if next <= Instant::now() {
                self.draw()?;
                next = Instant::now() + EVERY;
            }
            let wait = next.saturating_duration_since(Instant::now()).min(LOOK);
            Screen::wait(wait)?;
            if !self.shared.over.load(Ordering::Relaxed) && event::poll(Duration::ZERO)? {
                next = Instant::now();
                self.answer(&event::read()?)?;
            }
        }
        Ok(())
    }

    fn answer(&mut self, input: &Input) -> io::Result<()> {
        let Some(key) = input.as_key_press_event() else { return Ok(()) };
        match self.view.key(key) {
            Some(Wish::Interrupt) => self.interrupt.wish(),
            Some(Wish::Suspend) => self.sleep()?,
            Some(Wish::Redraw) => {
                lock(&self.shared.screen).as_mut().map_or(Ok(()), Screen::redraw)?;
            }
            None => {}
        }
        Ok(())
    }

    fn draw(&self) -> io::Result<()> {
        let Shared { begun, state, screen, .. } = self.shared;
        let state = lock(state).clone();
        let mut screen = lock(screen);
        let Some(screen) = &mut *screen else { return Ok(()) };
        let said = screen.said();
        if !said.is_empty() {
            self.shared.keep(&said);
            lock(&self.shared.state).tell(News::Note(&said), begun.elapsed());
        }
        let ending = self.interrupt.flag().load(Ordering::Relaxed);
        let (view, palette, wall) = (&self.view, &self.palette, begun.elapsed());
        let picture = Picture { state: &state, view, palette, wall, ending };
        screen.draw(|frame| draw::draw(frame, &picture))
    }

    /// Gives the terminal back until it is this process's turn again.
    fn sleep(&self) -> io::Result<()> {
        self.shared.leave();
        screen::suspend();
        loop {
            thread::sleep(EVERY);
            if self.shared.over.load(Ordering::Relaxed) {
                return Ok(());
            }
            if Screen::has_keys() {
                let mut screen = lock(&self.shared.screen);
                if !self.shared.over.load(Ordering::Relaxed) {
                    *screen = Some(Screen::enter()?);
                }
                return Ok(());
            }
        }
    }
}

/// What one thread left when it panicked is good enough for the other to be shown.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
