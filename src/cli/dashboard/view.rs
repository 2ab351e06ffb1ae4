//! What is looked at, the keys that change it, and what a picture of it is made of.

use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::{palette::Palette, state::State};

/// What loss is drawn against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Across {
    Time,
    Updates,
    Gradients,
}

/// What fills the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Page {
    /// Curves, lanes and entrants.
    Race,
    /// Every learner.
    Learners,
    /// What was said, and what came of the runs.
    Log,
}

/// The pages, in turn.
const PAGES: [Page; 3] = [Page::Race, Page::Learners, Page::Log];

/// What is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View {
    pub(super) page: Page,
    pub(super) across: Across,
    /// Whether the axes are logarithmic: across and up.
    pub(super) log_across: bool,
    pub(super) log_up: bool,
    pub(super) help: bool,
}

impl Default for View {
    fn default() -> Self {
        Self {
            page: Page::Race,
            across: Across::Time,
            log_across: false,
            log_up: true,
            help: false,
        }
    }
}

/// Everything that a picture is made of. `wall` is how late it is by the wall clock of the news, and
/// `ending` whether the race has been asked to end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Picture<'a> {
    pub(super) state: &'a State,
    pub(super) view: &'a View,
    pub(super) palette: &'a Palette,
    pub(super) wall: Duration,
    pub(super) ending: bool,
}

/// What a key asks for that is no matter of the view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// That the race ends.
    Interrupt,
    /// That the process is put to sleep.
    Suspend,
    /// That all is drawn again.
    Redraw,
}

impl View {
    /// Answers a key.
    pub(super) fn key(&mut self, key: KeyEvent) -> Option<Wish> {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => Some(Wish::Interrupt),
                KeyCode::Char('z') => Some(Wish::Suspend),
                KeyCode::Char('l') => Some(Wish::Redraw),
                _ => None,
            };
        }
        match key.code {
            KeyCode::Char('q') => return Some(Wish::Interrupt),
            KeyCode::Char('t') => self.across = Across::Time,
            KeyCode::Char('u') => self.across = Across::Updates,
            KeyCode::Char('g') => self.across = Across::Gradients,
            KeyCode::Char('l') => self.log_up = !self.log_up,
            KeyCode::Char('x') => self.log_across = !self.log_across,
            KeyCode::Char('h' | '?') => self.help = !self.help,
            KeyCode::Esc => self.help = false,
            KeyCode::Tab => self.turn(1),
            KeyCode::BackTab => self.turn(PAGES.len() - 1),
            _ => {}
        }
        None
    }

    /// Goes on so many pages.
    fn turn(&mut self, pages: usize) {
        let at = PAGES.iter().position(|page| *page == self.page).unwrap_or(0);
        self.page = PAGES[(at + pages) % PAGES.len()];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_change_the_view_or_are_wishes() {
        let mut view = View::default();
        let mut press = |code, modifiers| view.key(KeyEvent::new(code, modifiers));
        let plain = KeyModifiers::NONE;
        assert_eq!(press(KeyCode::Char('q'), plain), Some(Wish::Interrupt));
        assert_eq!(press(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Wish::Interrupt));
        assert_eq!(press(KeyCode::Char('z'), KeyModifiers::CONTROL), Some(Wish::Suspend));
        for key in ['c', 'g', 'l', 'x', '?'] {
            assert_eq!(press(KeyCode::Char(key), plain), None);
        }
        press(KeyCode::Tab, plain);
        let (page, across) = (Page::Learners, Across::Gradients);
        assert_eq!(view, View { page, across, log_across: true, log_up: false, help: true });
        for _ in 0..3 {
            view.key(KeyEvent::new(KeyCode::Tab, plain));
        }
        assert_eq!(view.page, Page::Learners);
        view.key(KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT));
        assert_eq!(view.page, Page::Race);
    }
}
