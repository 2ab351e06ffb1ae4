//! Lanes of learners, and how stale gradients are.

use std::time::Duration;

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::Style,
    text::{Line, Span},
    widgets::Widget,
};

use super::{
    lanes::{Cell, Lane},
    palette::{EntrantStyle, Palette},
    state::Run,
    view::Picture,
};
use crate::sgd::spans::{Doing, End};

/// Columns of a strip that a minibatch of mean length takes, at most.
const COLUMNS: f64 = 4.0;
/// Columns that what became of a learner's minibatches takes.
const COUNTS: u16 = 26;

/// Lanes and staleness beside the curves, as much as there is room for.
pub(super) fn beside(buffer: &mut Buffer, area: Rect, picture: &Picture<'_>) {
    draw_all(buffer, area, picture, 0);
}

/// The same on a page of its own, and what became of each learner's minibatches.
pub(super) fn page(buffer: &mut Buffer, area: Rect, picture: &Picture<'_>) {
    draw_all(buffer, area, picture, COUNTS);
}

fn draw_all(buffer: &mut Buffer, area: Rect, picture: &Picture<'_>, counts: u16) {
    let Some(run) = &picture.state.run else { return };
    let all = run.lanes.lanes().len() as u16 + 1;
    let lanes = Rect { height: all.min(area.height), ..area };
    draw_lanes(buffer, Rect { width: area.width.saturating_sub(counts), ..lanes }, picture, run);
    if counts > 0 && area.width > counts {
        let counts = Rect { x: area.x + area.width - counts, width: counts, ..lanes };
        draw_counts(buffer, counts, picture.palette, run);
    }
    let rest = area.height - lanes.height;
    if rest > 4 {
        let area = Rect { y: area.y + lanes.height + 1, height: rest - 1, ..area };
        draw_staleness(buffer, area, picture, run);
    }
}

/// How many learners do what.
pub(super) fn counts(run: &Run) -> String {
    let count = |is: fn(Doing) -> bool, what: &str| match run.lanes.how_many(is) {
        0 => String::new(),
        count => format!(", {count} {what}"),
    };
    let compute = run.lanes.how_many(|doing| matches!(doing, Doing::Busy { .. }));
    let wait = count(|doing| doing == Doing::Waiting, "wait");
    let away = count(|doing| doing == Doing::Away, "away");
    let left = count(|doing| doing == Doing::Gone, "left");
    format!("{compute} compute{wait}{away}{left}")
}

fn draw_lanes(buffer: &mut Buffer, area: Rect, picture: &Picture<'_>, run: &Run) {
    let look = picture.palette.entrant(run.entrant);
    let lanes = run.lanes.lanes();
    let learners = picture.state.race.as_ref().map_or(lanes.len(), |race| race.learners);
    let shown = lanes.len().min(usize::from(area.height).saturating_sub(1));
    let digits = learners.saturating_sub(1).to_string().len();
    let version = run.tally.updates.to_string().len().max(4);
    let cells = usize::from(area.width).saturating_sub(digits + version + 4);
    let minibatch = run.lanes.minibatch_time().map_or(1.0, |time| time.as_secs_f64());
    let window = round(cells as f64 / COLUMNS * minibatch);
    let more = if shown < learners { format!(", {shown} of {learners}") } else { String::new() };
    let head = format!("learners{more}: the last {window} s");
    let rows = area.rows();
    for (at, row) in rows.enumerate().take(shown + 1) {
        let Some(at) = at.checked_sub(1) else {
            Line::styled(head.as_str(), picture.palette.faint()).render(row, buffer);
            continue;
        };
        let says = match run.lanes.doing(at) {
            Doing::Busy { version, .. } => format!("w{version}"),
            Doing::Waiting => "-".to_owned(),
            Doing::Away => "away".to_owned(),
            Doing::Gone => "left".to_owned(),
        };
        let mut spans = vec![Span::raw(format!("{at:>digits$} {says:<w$} ", w = version + 1))];
        let window = Duration::try_from_secs_f64(window).unwrap_or(Duration::MAX);
        let strip = run.lanes.strip(at, run.now, window, cells);
        spans.extend(drawn(&strip, look, picture.palette));
        Line::from(spans).render(row, buffer);
    }
}

/// What became of each learner's minibatches, as long as the run is.
fn draw_counts(buffer: &mut Buffer, area: Rect, palette: &Palette, run: &Run) {
    let mut rows = area.rows();
    let line = |counted: &str, wasted: &str| format!("{counted:>12}{wasted:>12}");
    if let Some(head) = rows.next() {
        Line::styled(line("counted", "wasted"), palette.faint()).render(head, buffer);
    }
    for (lane, row) in run.lanes.lanes().iter().zip(rows) {
        let Lane { counted, wasted, .. } = lane;
        Line::raw(line(&counted.to_string(), &wasted.to_string())).render(row, buffer);
    }
}

/// A strip as text: equal cells together.
fn drawn(strip: &[Cell], look: EntrantStyle, palette: &Palette) -> Vec<Span<'static>> {
    let cells = strip.chunk_by(|one, other| one == other);
    cells
        .map(|same| Span::styled(glyph(same[0]).repeat(same.len()), style(same[0], look, palette)))
        .collect()
}

fn glyph(cell: Cell) -> &'static str {
    match cell {
        Cell::Waiting => " ",
        Cell::Computing | Cell::Ended(End::InFlight) => "━",
        Cell::Away => "╌",
        Cell::Late => "○",
        Cell::Ended(End::Accepted { .. }) => "●",
        Cell::Ended(End::Discarded | End::Rejected | End::Cancelled) => "×",
        Cell::Ended(End::Lost) => "!",
    }
}

fn style(cell: Cell, look: EntrantStyle, palette: &Palette) -> Style {
    match cell {
        Cell::Waiting => Style::new(),
        Cell::Computing | Cell::Ended(End::InFlight) => palette.faint(),
        Cell::Ended(End::Accepted { .. }) => look.style(),
        Cell::Away | Cell::Ended(End::Lost) => palette.alarm(),
        Cell::Late | Cell::Ended(End::Discarded | End::Rejected | End::Cancelled) => {
            palette.waste()
        }
    }
}

/// How many gradients were how stale: a bar each, the stalest in one.
fn draw_staleness(buffer: &mut Buffer, area: Rect, picture: &Picture<'_>, run: &Run) {
    let counts = &run.tally.staleness;
    let all: u64 = counts.iter().sum();
    if all == 0 {
        return;
    }
    let mut rows = area.rows();
    let Some(head) = rows.next() else { return };
    let text = "gradients by staleness, in %";
    Line::styled(text, picture.palette.faint()).render(head, buffer);
    let bars = usize::from(area.height) - 1;
    let room = if counts.len() <= bars { counts.len() } else { bars.saturating_sub(1) };
    // A long tail of a hundredth in all would only flicker.
    let mut seen = 0;
    let mut up_to = counts.iter().map(|count| {
        seen += count;
        seen
    });
    let single = up_to.position(|seen| 100 * seen >= 99 * all).map_or(room, |s| room.min(s + 1));
    let rest: u64 = counts[single..].iter().sum();
    let mut shares: Vec<(String, u64)> =
        counts[..single].iter().enumerate().map(|(s, count)| (s.to_string(), *count)).collect();
    if rest > 0 {
        shares.push((format!("{single}+"), rest));
    }
    let most = shares.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
    let digits = shares.iter().map(|(s, _)| s.len()).max().unwrap_or(1);
    let cells = usize::from(area.width).saturating_sub(digits + 6);
    let look = picture.palette.entrant(run.entrant);
    for ((s, count), row) in shares.iter().zip(rows) {
        let percent = 100.0 * *count as f64 / all as f64;
        let bar = "━".repeat((cells as f64 * *count as f64 / most as f64).round() as usize);
        let spans = vec![
            Span::raw(format!("{s:>digits$} ")),
            Span::styled(bar, look.style()),
            Span::styled(format!(" {percent:.0}"), picture.palette.faint()),
        ];
        Line::from(spans).render(row, buffer);
    }
}

/// The next of 1, 2, 5, 10, ... seconds that is not below `value`, so that strips seldom change
/// their scale.
fn round(value: f64) -> f64 {
    let decade = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * decade);
    steps.into_iter().find(|step| *step >= value).unwrap_or(value)
}
