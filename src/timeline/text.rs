//! A timeline for a terminal: a lane of characters for the parameter server and for each learner.

use std::time::Duration;

use anstyle::{AnsiColor, Style};

use super::{End, Lane, Span, Timeline, ticks};

/// Columns for the names of the lanes.
const NAMES: usize = 11;
/// Learners that are drawn at most.
const MOST_LANES: usize = 64;
/// Colours of the versions, in turn; what says that work came to nothing is red.
const COLOURS: [AnsiColor; 6] = [
    AnsiColor::Cyan,
    AnsiColor::Yellow,
    AnsiColor::Green,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::White,
];
const RED: Style = AnsiColor::Red.on_default();
const DIM: Style = Style::new().dimmed();

/// Draws the timeline as lines of at most `width` columns: the parameter server with the versions it
/// makes, the learners, run time in seconds, and a legend. Each minibatch begins with the version that
/// its learner has read and is filled by what became of it.
///
/// Styles are ANSI escape sequences; nothing is told by colour alone, and `anstream` takes them out.
pub fn text(timeline: &Timeline, width: usize) -> String {
    let Timeline { from, until, lanes, .. } = timeline;
    let scale = Scale { from: *from, until: *until, last: width.saturating_sub(NAMES + 1).max(10) };
    let mut rows = vec![server(timeline, &scale)];
    for (learner, lane) in lanes.iter().enumerate().take(MOST_LANES) {
        let mut row = Row::new(&format!("learner {learner}"), &scale);
        draw(&mut row, lane, &scale);
        rows.push(row);
    }
    let mut axis = Row::new("run time", &scale);
    for (value, label) in ticks(*from, *until, (scale.last / 8).clamp(1, 10)) {
        let column = scale.column(Duration::from_secs_f64(value));
        let label = format!("{label} s");
        if column + label.len() <= scale.last + 1 {
            axis.write(column, &label, DIM);
        }
    }
    rows.push(axis);

    let mut text: String = rows.iter().map(Row::line).collect();
    if lanes.len() > MOST_LANES {
        text += &format!("and {} more learners\n", lanes.len() - MOST_LANES);
    }
    text + &legend(lanes)
}

/// Where moments are.
struct Scale {
    from: Duration,
    until: Duration,
    /// Where the last one is.
    last: usize,
}

impl Scale {
    fn column(&self, at: Duration) -> usize {
        let whole = self.until.saturating_sub(self.from).as_secs_f64().max(1e-9);
        let share = at.saturating_sub(self.from).as_secs_f64() / whole;
        // A moment on the border of two columns is in the second, however it is rounded.
        ((share * self.last as f64 + 1e-6) as usize).min(self.last)
    }
}

/// A lane of characters.
struct Row {
    name: String,
    cells: Vec<(char, Style)>,
}

impl Row {
    fn new(name: &str, scale: &Scale) -> Self {
        Self { name: name.to_owned(), cells: vec![(' ', Style::new()); scale.last + 1] }
    }

    fn set(&mut self, column: usize, character: char, style: Style) {
        if let Some(cell) = self.cells.get_mut(column) {
            *cell = (character, style);
        }
    }

    /// Writes as much of `text` as there is room for.
    fn write(&mut self, column: usize, text: &str, style: Style) {
        for (place, character) in text.chars().enumerate() {
            self.set(column + place, character, style);
        }
    }

    fn line(&self) -> String {
        let mut line = format!("{:NAMES$}", self.name);
        let end = self.cells.iter().rposition(|(c, _)| *c != ' ').map_or(0, |last| last + 1);
        for run in self.cells[..end].chunk_by(|a, b| a.1 == b.1) {
            let (style, text) = (run[0].1, run.iter().map(|(c, _)| c).collect::<String>());
            line += &format!("{style}{text}{style:#}");
        }
        format!("{}\n", line.trim_end())
    }
}

/// The versions where they are made, with their names where there is room.
fn server(timeline: &Timeline, scale: &Scale) -> Row {
    let mut row = Row::new("server", scale);
    let versions = timeline.versions().map(|(at, version)| (scale.column(at), version));
    let versions: Vec<_> = versions.collect();
    let mut free = 0;
    for (place, &(column, version)) in versions.iter().enumerate() {
        let (label, style) = (format!("w{version}"), colour(version).bold());
        row.set(column, '●', style);
        let next = versions.get(place + 1).map_or(scale.last + 2, |next| next.0);
        let (after, last) = (column + 1, place + 1 == versions.len());
        if after + label.len() < next {
            row.write(after, &label, style);
            free = after + label.len();
        } else if last && column > free + label.len() {
            row.write(column - label.len(), &label, style);
        } else {
            free = after;
        }
    }
    row
}

fn colour(version: u64) -> Style {
    COLOURS[(version % COLOURS.len() as u64) as usize].on_default()
}

/// What work is filled with, and what it ends with.
fn look(end: End) -> (char, Option<char>) {
    match end {
        End::Accepted { .. } => ('█', Some('▌')),
        End::Discarded => ('▒', Some('○')),
        End::Rejected => ('▒', Some('!')),
        End::Cancelled => ('░', Some('×')),
        End::Lost => ('░', Some('†')),
        End::InFlight => ('▓', None),
    }
}

fn draw(row: &mut Row, lane: &Lane, scale: &Scale) {
    for pause in lane.pauses.iter().filter(|pause| pause.away) {
        for column in scale.column(pause.from)..scale.column(pause.to) {
            row.set(column, '╌', RED);
        }
    }
    for span in &lane.spans {
        let Span { from, to, version, end, .. } = *span;
        if end == End::InFlight && from == to {
            // It started at the very end, and nothing of it is seen.
            continue;
        }
        let (style, (fill, mark)) = (colour(version), look(end));
        let first = scale.column(from);
        let next = scale.column(to).max(first + 1);
        (first..next).for_each(|column| row.set(column, fill, style));
        if span.computes.is_some() {
            let [began, ended] = span.computing().map(|at| scale.column(at).clamp(first, next));
            (first..began).chain(ended..next).for_each(|column| row.set(column, '─', style));
        }
        // What reaches beyond the picture does not end in it.
        let mark = mark.filter(|_| to <= scale.until);
        if let Some(mark) = mark {
            let style = if matches!(end, End::Accepted { .. }) { style } else { RED };
            row.set(next - 1, mark, style);
        }
        let (label, room) = (format!("w{version}"), next - first - usize::from(mark.is_some()));
        if label.len() <= room && from >= scale.from {
            row.write(first, &label, style.bold());
        }
        if let (End::Accepted { staleness: stale @ 1.. }, Some(_)) = (end, mark) {
            let stale = format!("s={stale}");
            if label.len() + 1 + stale.len() <= room {
                row.write(next - 1 - stale.len(), &stale, style.bold());
            }
        }
    }
    for (at, _) in &lane.late {
        let column = scale.column(*at);
        // What is written stays readable.
        if !row.cells[column].0.is_ascii_alphanumeric() {
            row.set(column, '○', RED);
        }
    }
}

/// What there is to be seen, and what it means.
fn legend(lanes: &[Lane]) -> String {
    let spans = || lanes.iter().flat_map(|lane| &lane.spans).map(|span| span.end);
    let any = |of: fn(&End) -> bool| spans().any(|end| of(&end));
    let stale = |end: &End| matches!(end, End::Accepted { staleness: 1.. });
    let travels = lanes.iter().flat_map(|lane| &lane.spans).any(|span| span.computes.is_some());
    let late = lanes.iter().any(|lane| !lane.late.is_empty());
    let away = lanes.iter().flat_map(|lane| &lane.pauses).any(|pause| pause.away);
    let entries = [
        (any(|end| matches!(end, End::Accepted { .. })), "█ pushed and used"),
        (travels, "─ on the way"),
        (any(stale), "s=N staleness N"),
        (any(|end| *end == End::InFlight), "▓ not finished"),
        (any(|end| *end == End::Cancelled), "░× cancelled"),
        (any(|end| *end == End::Discarded), "▒○ dropped on arrival"),
        (any(|end| *end == End::Rejected), "▒! not finite, rejected"),
        (any(|end| *end == End::Lost), "░† lost"),
        (away, "╌ lost, not yet replaced"),
        (late, "○ late, dropped"),
    ];
    let entries: Vec<_> =
        entries.iter().filter(|(there, _)| *there).map(|(_, what)| *what).collect();
    if entries.is_empty() {
        return String::new();
    }
    format!("{:NAMES$}{}\n", "", entries.join("   "))
}
