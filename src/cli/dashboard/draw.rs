//! A picture of the state of a race, for a terminal of any size. Knows no terminal.

use std::time::Duration;

use ratatui::{
    Frame,
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
    text::{Line, Span},
    widgets::{Clear, Widget},
};

use super::{
    chart, learners,
    state::{Figures, Run, State},
    view::{Page, Picture},
};
use crate::numbers::significant;

/// The least width at which lanes stand beside the curves.
const WIDE: u16 = 70;
/// The least height at which the last of the log stands below all.
const HIGH: u16 = 34;

const KEYS: [(&str, &str); 9] = [
    ("q, Ctrl-C", "end the race and write its report; again: end at once"),
    ("t  u  g", "x axis: run time (t), updates (u) or gradients (g)"),
    ("l  x", "logarithmic or linear: y axis (l), x axis (x)"),
    ("Tab", "next page: race, learners, log"),
    ("Ctrl-Z", "suspend; fg goes on"),
    ("Ctrl-L", "draw again"),
    ("h, ?", "this help"),
    ("", "lanes: ━ computes, ● pushes, × is cancelled or dropped,"),
    ("", "       ○ arrives late, ! is lost, ╌ is away"),
];

/// Draws into the whole frame.
pub(super) fn draw(frame: &mut Frame<'_>, picture: &Picture<'_>) {
    let mut area = frame.area();
    let buffer = frame.buffer_mut();
    let mut top = |rows: u16| take(&mut area, rows);
    let (title, progress) = (top(1), top(1));
    picture.title(buffer, title);
    picture.progress(buffer, progress);
    if area.height > 4 {
        let keys = take_below(&mut area, 1);
        picture.keys(buffer, keys);
    }
    match picture.view.page {
        Page::Race => picture.race(buffer, area),
        Page::Learners => picture.learners(buffer, area),
        Page::Log => picture.log(buffer, area),
    }
    if picture.view.help {
        picture.help(buffer, area);
    }
}

/// Takes rows off the top of an area, as many as it has.
fn take(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    let taken = Rect { height: rows, ..*area };
    (area.y, area.height) = (area.y + rows, area.height - rows);
    taken
}

fn take_below(area: &mut Rect, rows: u16) -> Rect {
    let rows = rows.min(area.height);
    area.height -= rows;
    Rect { y: area.y + area.height, height: rows, ..*area }
}

impl Picture<'_> {
    fn title(&self, buffer: &mut Buffer, area: Rect) {
        let caption = self.state.race.as_ref().map(|race| race.caption()).unwrap_or_default();
        let name = Span::styled(" tortoise  ", Style::new().add_modifier(Modifier::BOLD));
        Line::from(vec![name, Span::styled(caption, self.palette.faint())]).render(area, buffer);
    }

    /// Who runs, how much of the race is over, and how much longer it takes.
    fn progress(&self, buffer: &mut Buffer, area: Rect) {
        let State { race, run, over, entrants, .. } = self.state;
        let Some(race) = race else { return };
        let runs = entrants.len() as u64 * race.seeds;
        let mut left = vec![Span::raw(" ")];
        if let Some(run) = run {
            let look = self.palette.entrant(run.entrant);
            let name = &entrants[run.entrant].name;
            let bold = look.style().add_modifier(Modifier::BOLD);
            left.push(Span::styled(format!("{} {name}", look.mark), bold));
            let seed = if race.seeds > 1 { format!(", seed {}", run.seed) } else { String::new() };
            left.push(Span::raw(format!("{seed}, run {} of {runs}  ", (over + 1).min(runs))));
        }
        let share = self.state.share();
        let (elapsed, rest) = self.state.times(self.wall);
        let mut right = format!(" {:3.0} %  {}", 100.0 * share, minutes(elapsed));
        if let Some(rest) = rest {
            right += &format!(", {} left", minutes(rest));
        }
        let mut right = vec![Span::raw(right), Span::raw(" ")];
        if self.ending {
            right.insert(0, Span::styled(" ending", self.palette.alarm()));
        }
        let taken: usize = left.iter().chain(&right).map(Span::width).sum();
        let cells = usize::from(area.width).saturating_sub(taken);
        let full = ((share * cells as f64).round() as usize).min(cells);
        left.push(Span::raw("━".repeat(full)));
        left.push(Span::styled("─".repeat(cells - full), self.palette.faint()));
        left.extend(right);
        Line::from(left).render(area, buffer);
    }

    fn keys(&self, buffer: &mut Buffer, area: Rect) {
        let keys = " q end  t u g x axis  l x log axes  Tab page  ? help";
        Line::styled(keys, self.palette.faint()).render(area, buffer);
    }

    fn race(&self, buffer: &mut Buffer, mut area: Rect) {
        if area.height >= HIGH {
            let lines = take_below(&mut area, (self.state.lines.len() as u16).min(6));
            self.log(buffer, lines);
        }
        if area.height >= 10 {
            // The curves are what counts; a long table goes on in the log.
            let rows = (self.state.entrants.len() as u16 + 1).min(area.height / 2 - 1);
            let table = take_below(&mut area, rows);
            self.table(buffer, table);
        }
        if area.height >= 8 {
            let rates = take_below(&mut area, 2);
            self.rates(buffer, rates);
        }
        let mut curves = area;
        if area.width >= WIDE {
            let width = (area.width * 2 / 5).min(64);
            curves.width -= width + 1;
            let lanes = Rect { x: area.x + curves.width + 1, width, ..area };
            learners::beside(buffer, lanes, self);
        }
        let curves = Rect { x: curves.x + 1, width: curves.width.saturating_sub(1), ..curves };
        chart::draw(buffer, curves, self.state, self.palette, self.view);
    }

    /// How fast the run in progress is, and what becomes of its work: two lines.
    fn rates(&self, buffer: &mut Buffer, mut area: Rect) {
        let Some(run) = &self.state.run else { return };
        let [own, wall] = run.rates(self.wall);
        let Run { tally, now, .. } = run;
        let budget = self.state.race.as_ref().and_then(|race| race.budget);
        let of = budget.map_or(String::new(), |budget| format!(" of {}", number(budget)));
        let both = |own: f64, wall: f64| format!("{}, wall {}", number(own), number(wall));
        let counts = [
            format!("{}{of} s", number(now.as_secs_f64())),
            format!("{} updates", tally.updates),
            format!("{} gradients", tally.used),
            format!("staleness {:.2}", tally.mean_staleness()),
            format!("{:.0} % fresh", 100.0 * tally.fresh_fraction()),
            run.k.map_or(String::new(), |k| format!("K {k}")),
        ];
        let speeds = [
            format!("updates/s {}", both(own.updates, wall.updates)),
            format!("gradients/s {}", both(own.gradients, wall.gradients)),
            format!("{:.0} % wasted", 100.0 * run.wasted()),
            learners::counts(run),
        ];
        for parts in [&counts[..], &speeds] {
            let line = fitting(parts, area.width.into());
            Line::raw(line).render(take(&mut area, 1), buffer);
        }
    }

    /// A line an entrant: what its finished runs came to, or where the one in progress is.
    fn table(&self, buffer: &mut Buffer, mut area: Rect) {
        let State { entrants, run, .. } = self.state;
        let names = entrants.iter().map(|entrant| entrant.name.len()).max().unwrap_or(0).max(7);
        let head = ["updates", "used", "s/update", "staleness", "train loss", "acc. %"];
        let cells = |cells: [String; 6]| -> String {
            cells
                .iter()
                .zip(head)
                .map(|(cell, head)| format!("  {cell:>w$}", w = head.len().max(7)))
                .collect()
        };
        let top = format!("   {:<names$}{}", "entrant", cells(head.map(str::to_owned)));
        Line::styled(top, self.palette.faint()).render(take(&mut area, 1), buffer);
        // Those about the one that runs, if not all have a place.
        let current = run.as_ref().filter(|run| run.ended.is_none()).map(|run| run.entrant);
        let most = entrants.len().saturating_sub(area.height.into());
        let first =
            current.map_or(most, |at| (at + 2).saturating_sub(area.height.into())).min(most);
        for (at, entrant) in entrants.iter().enumerate().skip(first) {
            if area.height == 0 {
                break;
            }
            let look = self.palette.entrant(at);
            let runs = (current == Some(at)).then_some(run.as_ref()).flatten();
            let figures = runs.map(Run::figures).or_else(|| entrant.figures());
            let style = match (runs, &figures) {
                (Some(_), _) => Style::new().add_modifier(Modifier::BOLD),
                (None, Some(_)) => Style::new(),
                (None, None) => self.palette.faint(),
            };
            let mut spans = vec![
                Span::styled(format!(" {} ", look.mark), look.style()),
                Span::styled(format!("{:<names$}", entrant.name), style),
            ];
            if let Some(figures) = figures {
                spans.push(Span::styled(cells(row(&figures)), style));
            }
            if entrant.diverged {
                spans.push(Span::styled("  diverged", self.palette.alarm()));
            }
            Line::from(spans).render(take(&mut area, 1), buffer);
        }
    }

    fn learners(&self, buffer: &mut Buffer, mut area: Rect) {
        if area.height >= 8 {
            let rates = take_below(&mut area, 2);
            self.rates(buffer, rates);
        }
        learners::page(buffer, area, self);
    }

    /// The last lines.
    fn log(&self, buffer: &mut Buffer, mut area: Rect) {
        let lines = &self.state.lines;
        for line in lines.iter().skip(lines.len().saturating_sub(area.height.into())) {
            Line::raw(format!(" {line}")).render(take(&mut area, 1), buffer);
        }
    }

    fn help(&self, buffer: &mut Buffer, area: Rect) {
        let width = KEYS.iter().map(|(_, what)| what.chars().count() as u16 + 16).max();
        let (width, height) = (width.unwrap_or(0).min(area.width), KEYS.len() as u16 + 2);
        let height = height.min(area.height);
        let (x, y) = ((area.width - width) / 2, (area.height - height) / 2);
        let mut area = Rect { x: area.x + x, y: area.y + y, width, height };
        Clear.render(area, buffer);
        buffer.set_style(area, Style::new().add_modifier(Modifier::REVERSED));
        take(&mut area, 1);
        take_below(&mut area, 1);
        for (keys, what) in KEYS {
            Line::raw(format!("  {keys:<11}{what}")).render(take(&mut area, 1), buffer);
        }
    }
}

fn row(figures: &Figures) -> [String; 6] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        format!("{:.0}", figures.updates),
        format!("{:.0}", figures.used),
        or_dash(figures.update_time.map(number)),
        format!("{:.2}", figures.staleness),
        or_dash(figures.loss.map(|loss| format!("{loss:.4}"))),
        or_dash(figures.accuracy.map(|accuracy| format!("{:.2}", 100.0 * accuracy))),
    ]
}

/// The first of `parts`, as many as there is room for.
fn fitting(parts: &[String], width: usize) -> String {
    let mut line = String::new();
    for part in parts {
        let gap = if line.is_empty() { " " } else { "   " };
        if line.len() + gap.len() + part.len() > width {
            break;
        }
        line = line + gap + part;
    }
    line
}

/// A number in three digits.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        magnitude if magnitude >= 99_950.0 && magnitude.is_finite() => format!("{value:.1e}"),
        magnitude if magnitude < 1e-4 && magnitude > 0.0 => format!("{value:.1e}"),
        _ => significant(value, 3),
    }
}

/// Minutes and seconds, and hours where there are some.
fn minutes(time: Duration) -> String {
    let seconds = time.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match hours {
        0 => format!("{minutes}:{seconds:02}"),
        _ => format!("{hours}:{minutes:02}:{seconds:02}"),
    }
}
