//! The dashboard of a race that one can follow by eye, as pictures beside this file, and at sizes
//! that nobody has; and a panic under it, in a terminal.

use std::time::Duration;

use expect_test::expect_file;
use ratatui::{Terminal, backend::TestBackend, buffer::Buffer, style::Color};

use super::{
    draw,
    palette::{Depth, Palette},
    state::State,
    view::{Across, Page, Picture, View},
};
use crate::{
    race::{Config, News, Scope},
    record::{EvaluationRow, Outcome, RunSummary},
    sgd::{Ended, Tally, event::Event, scheduler::Verdict},
};

fn seconds(time: u64) -> Duration {
    Duration::from_secs(time)
}

/// A state, and the wall clock of its news: ten seconds of run time take one.
struct Told {
    state: State,
    tally: Tally,
}

impl Told {
    fn race(config: &str) -> Self {
        let path = std::path::Path::new("test.toml");
        let race = Config::parse(&[], &Default::default(), Some((path, config)), &Scope::default())
            .unwrap();
        let mut told = Self { state: State::default(), tally: Tally::default() };
        told.tell(0, News::Start(&race));
        told
    }

    fn tell(&mut self, wall: u64, news: News<'_>) {
        self.state.tell(news, Duration::from_millis(100 * wall));
    }

    fn run(&mut self, start: u64, entrant: &str, seed: u64) {
        self.tally = Tally::default();
        let (tally, evaluations) = (&Tally::default(), &[][..]);
        let time = Duration::ZERO;
        self.tell(start, News::Run { entrant, seed, time, tally, evaluations });
    }

    fn event(&mut self, start: u64, time: u64, event: &Event) {
        self.tally.count(seconds(time), event);
        self.tell(start + time, News::Event { time: seconds(time), event });
    }

    fn push(&mut self, start: u64, time: u64, learner: usize, version: u64) {
        let (verdict, loss) = (Verdict::Accept, Some(2.5 / (1.0 + self.tally.updates as f32)));
        let (task, staleness) = (time, self.tally.updates - version);
        let (rate, computing) = (None, None);
        let push =
            Event::Push { learner, task, version, staleness, verdict, rate, loss, computing };
        self.event(start, time, &push);
    }

    fn assign(&mut self, start: u64, time: u64, learner: usize) {
        let version = self.tally.updates;
        self.event(start, time, &Event::Assign { learner, task: time, version, computes: None });
    }

    fn update(&mut self, start: u64, time: u64, k: usize) {
        self.event(start, time, &Event::Update { version: self.tally.updates + 1, k });
    }

    fn evaluation(&mut self, start: u64, time: u64, loss: f64) {
        let (time, version, loss) = (seconds(time), self.tally.updates, Some(loss));
        self.tell(start + time.as_secs(), News::Evaluation { time, version, loss });
    }

    fn over(&mut self, wall: u64, entrant: &str, seed: u64, rows: Vec<EvaluationRow>) {
        let (tally, learners, observed) = (self.tally.clone(), Vec::new(), Vec::new());
        let outcome = Outcome { tally, learners, rows, observed };
        let run = RunSummary::new(seed, Ended::Done, 1.5, outcome, &[]);
        self.tell(wall, News::Over { entrant, run: &run });
    }
}

/// Four learners for 40 s. Under sync, learner i takes i + 1 seconds for a gradient, and an update
/// four. Under async, which has come to 30 s, learner 3 is lost at 21 s and back at 26 s, a minibatch
/// of learner 2 is cancelled at 24 s, and its gradient comes at 28 s.
fn race() -> Told {
    let mut told = Told::race(
        "entrants = [\"sync\", \"async\", \"k-batch-async:2\"]\nlearners = 4\nbudget = 40.0\n",
    );
    told.run(0, "sync", 0);
    let row = |round: u64| EvaluationRow {
        t: 4.0 * round as f64,
        update: round,
        gradients: 4 * round,
        train_loss: 2.3 / (1.0 + 0.5 * round as f64),
        test_loss: 2.4,
        test_accuracy: 0.08 * round as f64,
    };
    for round in 0..10 {
        told.evaluation(0, 4 * round, row(round).train_loss);
        (0..4).for_each(|learner| told.assign(0, 4 * round, learner));
        for learner in 0..4 {
            told.push(0, 4 * round + learner as u64 + 1, learner, round);
        }
        told.update(0, 4 * round + 4, 4);
    }
    told.over(40, "sync", 0, (0..=10).map(row).collect());
    told.tell(40, News::Note("a note between the runs"));
    told.run(40, "async", 0);
    (0..4).for_each(|learner| told.assign(40, 0, learner));
    let mut read = [0; 4];
    for time in 1..=30 {
        if time % 5 == 0 {
            told.evaluation(40, time, 2.3 / (1.0 + 0.1 * told.tally.updates as f64));
        }
        for (learner, version) in read.iter_mut().enumerate() {
            let away = learner == 3 && (21..28).contains(&time);
            if time % (learner as u64 + 1) == 0 && !away {
                told.push(40, time, learner, *version);
                told.update(40, time, 1);
                *version = told.tally.updates;
                told.assign(40, time, learner);
            }
        }
        match time {
            21 => {
                let lost = Event::Lost { learner: 3, task: Some(20), cause: "test".into() };
                told.event(40, 21, &lost);
            }
            24 => {
                told.event(40, 24, &Event::Cancel { learner: 2, task: 24, version: 1 });
                told.assign(40, 24, 2);
            }
            26 => {
                told.event(40, 26, &Event::Return { learner: 3 });
                told.assign(40, 26, 3);
            }
            28 => told.event(40, 28, &Event::Late { learner: 2, task: 24, computing: None }),
            _ => {}
        }
    }
    told
}

fn picture(state: &State, view: &View, depth: Depth, size: (u16, u16)) -> Buffer {
    let names: Vec<&str> = state.entrants.iter().map(|entrant| &*entrant.name).collect();
    let palette = &Palette::new(depth, names.into_iter());
    let (wall, ending) = (Duration::from_secs(7), false);
    let picture = Picture { state, view, palette, wall, ending };
    let mut terminal = Terminal::new(TestBackend::new(size.0, size.1)).unwrap();
    terminal.draw(|frame| draw::draw(frame, &picture)).unwrap();
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let rows = buffer.content().chunks(usize::from(buffer.area.width).max(1));
    let row = |cells: &[ratatui::buffer::Cell]| -> String {
        let row: String = cells.iter().map(|cell| cell.symbol()).collect();
        format!("{}\n", row.trim_end())
    };
    rows.map(row).collect()
}

#[test]
fn pictures_show_the_race() {
    let told = race();
    let view = View::default();
    let views = [
        ("race-80x24", (80, 24), view),
        ("race-120x40", (120, 40), view),
        ("updates-60x20", (60, 20), View { across: Across::Updates, log_up: false, ..view }),
        ("learners-80x24", (80, 24), View { page: Page::Learners, ..view }),
        ("log-80x24", (80, 24), View { page: Page::Log, ..view }),
        ("help-80x24", (80, 24), View { help: true, ..view }),
    ];
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/cli/dashboard/tests");
    for (name, size, view) in views {
        let path = format!("{folder}/{name}.txt");
        let actual = text(&picture(&told.state, &view, Depth::True, size));
        expect_file![&path].assert_eq(&actual);
    }
}

#[test]
fn entrants_have_their_colours_unless_none_are_wanted() {
    let told = race();
    let of = |depth| {
        let buffer = picture(&told.state, &View::default(), depth, (80, 24));
        let mark = buffer.content().iter().filter(|cell| cell.symbol() == "◆").map(|cell| cell.fg);
        (mark.collect::<Vec<_>>(), buffer)
    };
    let (marks, _) = of(Depth::True);
    assert!(marks.len() >= 3, "above, in the chart and in the table");
    assert!(marks.iter().all(|colour| *colour == Color::Rgb(0xd5, 0x5e, 0x00)), "{marks:?}");
    let (_, plain) = of(Depth::None);
    assert!(plain.content().iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset));
}

#[test]
fn no_size_and_no_state_is_too_absurd() {
    let mut diverged = race();
    for loss in [f64::NAN, f64::INFINITY, 0.0, -1.0, 1e300, 1e-300] {
        diverged.evaluation(40, 30, loss);
    }
    let mut many = Told::race("learners = 100000\nseeds = 1000000\nupdates = 1\n");
    many.run(0, "sync", 0);
    many.assign(0, 0, 99_999);
    let waiting = Told::race("entrants = [\"sync\"]\nlearners = 1\n");
    let states = [State::default(), race().state, diverged.state, many.state, waiting.state];
    let sizes = [(1, 1), (20, 5), (0, 0), (1, 60), (300, 1), (2, 2), (69, 10), (71, 11), (300, 90)];
    let small = (0..24).flat_map(|width| (0..24).map(move |height| (4 * width, height)));
    let sizes: Vec<(u16, u16)> = sizes.into_iter().chain(small).collect();
    for state in &states {
        for page in [Page::Race, Page::Learners, Page::Log] {
            for (log_up, log_across, help) in [(true, false, false), (false, true, true)] {
                let across = if help { Across::Gradients } else { Across::Time };
                let view = View { page, across, log_across, log_up, help };
                for &size in &sizes {
                    picture(state, &view, Depth::Indexed, size);
                }
            }
        }
    }
}

#[test]
fn what_is_left_is_told_from_what_this_process_did() {
    // One run of the three is over before; half of the second takes 4 s of the wall clock.
    let mut told = Told::race(
        "entrants = [\"sync\", \"async\", \"k-async:2\"]\nlearners = 4\nbudget = 40.0\n",
    );
    let row = EvaluationRow {
        t: 40.0,
        update: 7,
        gradients: 28,
        train_loss: 0.5,
        test_loss: 0.6,
        test_accuracy: 0.9,
    };
    told.over(0, "sync", 0, vec![row]);
    assert_eq!(told.state.times(seconds(1)), (seconds(1), None));
    told.run(0, "async", 0);
    (0..4).for_each(|learner| told.assign(20, 0, learner));
    for time in 1..=20 {
        told.push(20, time, 0, 0);
        told.update(20, time, 1);
    }
    assert_eq!(told.state.share(), 0.5);
    assert_eq!(told.state.times(seconds(4)), (seconds(4), Some(seconds(12))));
    let run = told.state.run.as_ref().unwrap();
    let [own, wall] = run.rates(seconds(4));
    assert_eq!((own.updates, own.gradients), (1.0, 1.0));
    assert_eq!((wall.updates, wall.gradients), (5.0, 5.0));
    assert_eq!(told.state.entrants[0].figures().unwrap().loss, Some(0.5));
    assert!(told.state.entrants[1].figures().is_none());
}

#[cfg(unix)]
mod panic {
    use std::{env, io::Read};

    use portable_pty::{CommandBuilder, PtySize, native_pty_system};

    use super::*;
    use crate::{
        cli::{dashboard::Dashboard, interrupt::Interrupt},
        race::Progress,
    };

    /// Set where the test runs itself, in a terminal.
    const INSIDE: &str = "TORTOISE_TEST_PANIC";

    #[test]
    fn a_panic_gives_the_terminal_back_and_is_seen() {
        if env::var_os(INSIDE).is_some() {
            let race = Config::new(&[], &Default::default(), None, &Scope::default()).unwrap();
            let mut dashboard = Dashboard::new(&Interrupt::default());
            dashboard.tell(News::Start(&race));
            panic!("something unforeseen");
        }
        let size = PtySize { rows: 24, cols: 80, ..PtySize::default() };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(env::current_exe().unwrap());
        let test = "cli::dashboard::tests::panic::a_panic_gives_the_terminal_back_and_is_seen";
        command.args(["--exact", test, "--nocapture"]);
        command.env(INSIDE, "1");
        command.env("TERM", "xterm-256color");
        let mut child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let mut output = Vec::new();
        // It ends with an error where the other end is closed, as Linux has it.
        let _ = pair.master.try_clone_reader().unwrap().read_to_end(&mut output);
        assert_eq!(child.wait().unwrap().exit_code(), 101);
        let output = String::from_utf8_lossy(&output);
        let at = |what: &str| output.find(what).unwrap_or_else(|| panic!("no {what:?}: {output}"));
        let (entered, left) = (at("\x1b[?1049h"), at("\x1b[?1049l"));
        assert!(entered < left && left < at("something unforeseen"), "{output}");
    }
}
