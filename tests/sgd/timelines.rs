//! What the scheduler does, drawn so that one can hold it beside figures 3 and 4 of Dutta et al.
//! 2018: scripts of delays in `timelines/`, each followed by the timeline that must come of it, event
//! by event and then as the command draws it.
//! `UPDATE_EXPECT=1 cargo test --test sgd timelines` writes the timelines anew.

use std::{collections::VecDeque, fmt::Write as _, time::Duration};

use anstream::adapter::strip_str;
use expect_test::expect_file;
use tortoise::{
    Result,
    cluster::{delay::DelayModel, simulated::Simulated},
    ids::{LearnerId, Version},
    sgd::{
        Cancellation, Entrant, Event, Limits, Observer, ParameterServer, Run, Scheduler, Verdict,
        entrant::FORMS, learning_rate::Constant, simulate::memoryless_update_times,
    },
    timeline::{Collector, text},
};

/// The durations of each learner, in order; the last one repeats.
struct Script(Vec<VecDeque<u64>>);

impl DelayModel for Script {
    fn sample(&mut self, learner: LearnerId) -> Duration {
        let durations = &mut self.0[learner];
        let next = durations[0];
        if durations.len() > 1 {
            durations.pop_front();
        }
        Duration::from_secs(next)
    }
}

#[derive(Default)]
struct Timeline {
    text: String,
    line: Option<(u64, Option<LearnerId>)>,
    collector: Collector,
    /// What evaluations find, one a second; the last one repeats.
    losses: VecDeque<f64>,
    loss: Option<f64>,
}

impl Observer for Timeline {
    fn event(&mut self, time: Duration, event: &Event) -> Result<()> {
        self.collector.event(time, event)?;
        let pusher = match *event {
            Event::Push { learner, .. } => Some(learner),
            _ => self.line.and_then(|(_, pusher)| pusher),
        };
        let line = Some((time.as_secs(), pusher));
        let new_push = matches!(event, Event::Push { .. });
        if self.line != line || new_push {
            let gap = if self.text.is_empty() { "" } else { "\n" };
            write!(self.text, "{gap}t={}", time.as_secs()).unwrap();
            self.line = line;
        }
        match *event {
            Event::Assign { learner, version, .. } => write!(self.text, "  {learner}<-w{version}"),
            Event::Cancel { learner, version, .. } => {
                write!(self.text, "  {learner}:x(w{version})")
            }
            Event::Push { learner, version, verdict, .. } => {
                let late = if verdict == Verdict::Discard { " dropped" } else { "" };
                write!(self.text, "  {learner}:g(w{version}){late}")
            }
            Event::Update { version, .. } => write!(self.text, "  => w{version}"),
            _ => unreachable!("nobody is lost here"),
        }
        .unwrap();
        Ok(())
    }

    fn evaluate(&mut self, time: Duration, _: Version, _: &[f32]) -> Result<Option<f64>> {
        let Some(&loss) = self.losses.front() else { return Ok(None) };
        if self.losses.len() > 1 {
            self.losses.pop_front();
        }
        if self.loss.replace(loss) != Some(loss) {
            let gap = if self.text.is_empty() { "" } else { "\n" };
            write!(self.text, "{gap}t={}  F={}", time.as_secs(), loss).unwrap();
            self.line = None;
        }
        Ok(Some(loss))
    }
}

/// `entrant cancellation until T`, then perhaps a line of losses, then a line of durations a learner.
fn draw(script: &str) -> String {
    let mut lines = script.lines();
    let head: Vec<_> = lines.next().unwrap().split_whitespace().collect();
    let entrant: Entrant = head[0].parse().unwrap();
    let cancellation = match head[1] {
        "preempt" => Cancellation::Preempt,
        "on-arrival" => Cancellation::OnArrival,
        other => panic!("{other} is no way to cancel"),
    };
    let until = Duration::from_secs(head[3].parse().unwrap());
    let mut timeline = Timeline { collector: Collector::new(1000), ..Timeline::default() };
    let mut durations = Vec::new();
    for line in lines {
        let (name, numbers) = line.split_once(':').unwrap();
        let numbers: VecDeque<u64> =
            numbers.split_whitespace().map(|number| number.parse().unwrap()).collect();
        match name {
            "loss" => timeline.losses = numbers.into_iter().map(|loss| loss as f64).collect(),
            _ => durations.push(numbers),
        }
    }
    let (learners, second) = (durations.len(), Duration::from_secs(1));
    let k = entrant.k(learners).unwrap();
    let scheduler = Scheduler::new(entrant.rules(), cancellation, learners, k);
    let cluster = Simulated::times_only(learners, Script(durations));
    let update_times = || Ok(memoryless_update_times(&entrant, learners));
    let k_schedule = entrant.k_schedule(learners, second, update_times).unwrap();
    let server = ParameterServer::new(&[]);
    let mut run = Run::new(scheduler, server, cluster, k_schedule, Constant(1.0));
    let evaluate_every = (!timeline.losses.is_empty()).then_some(second);
    let limits = Limits { time: Some(until), evaluate_every, ..Limits::default() };
    run.train(&limits, &mut timeline).unwrap();
    let lanes = timeline.collector.finish_at(until);
    // Eleven columns of names, then seven a second.
    let lanes = text(&lanes, 11 + 7 * until.as_secs() as usize + 1);
    format!("{}\n--\n{}", timeline.text, strip_str(lanes.trim_end()))
}

#[test]
fn every_timeline_is_as_drawn() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/timelines");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let cases: Vec<String> = text
            .trim_end()
            .split("\n\n")
            .map(|case| {
                let script = case.split("\n--").next().unwrap();
                count += 1;
                format!("{script}\n--\n{}", draw(script))
            })
            .collect();
        expect_file![&path].assert_eq(&format!("{}\n", cases.join("\n\n")));
    }
    assert!(count >= 9, "{count} timelines");
}

#[test]
fn every_entrant_has_a_timeline_and_a_row_in_the_tables() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |file: &str| std::fs::read_to_string(root.join(file)).unwrap();
    let timelines: String = std::fs::read_dir(root.join("tests/timelines"))
        .unwrap()
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect();
    for form in &FORMS {
        let (row, name) = (format!("| `{}` |", form.grammar()), form.name);
        for file in ["README.md", "src/lib.rs", "docs/entrants.md"] {
            assert!(read(file).contains(&row), "{file} has no {row}");
        }
        let starts = |line: &str| line.split([' ', ':']).next() == Some(name);
        assert!(timelines.lines().any(starts), "no timeline of {name}");
    }
}
