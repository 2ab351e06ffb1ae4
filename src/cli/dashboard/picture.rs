//! What a picture of the dashboard is made of.

use std::time::Duration;

use super::{palette::Palette, state::State, view::View};

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
