//! The timeline of a run agrees with everything else that is counted of it, comes back from its
//! records, or is refused.

use std::{collections::HashSet, fmt::Write as _, path::Path, sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::Value;
use tempfile::tempdir;
use tortoise::{
    cluster::engine_pool::EnginePool,
    dataset::{Dataset, minibatches::Minibatches},
    engine::quadratic::{Quadratic, coins},
    record::{Recorder, RunFiles},
    sgd::{Cancellation, Entrant, Event, RunConfig, Tally, Verdict, faults::OnLoss},
    timeline::{End, Span, Timeline, parse_events, read},
};

use crate::timelines::{LEARNERS, Seen, plain, run, runs, spans};

const FILE: &str = "timeline.jsonl";

#[derive(Serialize)]
struct Line<'a> {
    t: f64,
    #[serde(flatten)]
    event: &'a Event,
    batch: Option<[usize; 2]>,
}

fn lines(events: &[(Duration, Event)]) -> String {
    let mut text = String::new();
    for (time, event) in events {
        let batch = matches!(event, Event::Assign { .. }).then_some([3, 4]);
        let line = Line { t: time.as_secs_f64(), event, batch };
        writeln!(text, "{}", serde_json::to_string(&line).unwrap()).unwrap();
    }
    text
}

fn count(timeline: &Timeline, of: impl Fn(&Span) -> bool) -> u64 {
    spans(timeline).filter(|span| of(span)).count() as u64
}

#[test]
fn a_learner_does_one_thing_at_a_time_and_as_long_as_its_activity_says() {
    let mut away = 0;
    for Seen { collector, activities, .. } in runs() {
        let timeline = collector.finish();
        for (lane, activity) in timeline.lanes.iter().zip(activities.until(timeline.until)) {
            let busy = lane.spans.iter().map(|span| (span.from, span.to));
            let pauses = lane.pauses.iter().map(|pause| (pause.from, pause.to));
            let mut all: Vec<_> = busy.clone().chain(pauses).collect();
            all.sort_unstable();
            assert!(all.iter().all(|(from, to)| from <= to && *to <= timeline.until));
            // One follows the other, until it leaves.
            assert!(all.windows(2).all(|pair| pair[0].1 == pair[1].0), "{all:?}");
            assert_eq!(all.first().map(|(from, _)| *from), Some(Duration::ZERO));
            assert_eq!(busy.map(|(from, to)| to - from).sum::<Duration>(), activity.busy);
            let lost = lane.pauses.iter().filter(|pause| pause.away);
            away += lost.clone().count();
            let left = all.last().is_none_or(|(_, to)| *to < timeline.until);
            let seen: Duration = lost.map(|pause| pause.to - pause.from).sum();
            assert!(if left { seen <= activity.away } else { seen == activity.away });
            let tasks = lane.spans.iter().map(|span| span.task);
            assert!(tasks.eq(0..lane.spans.len() as u64), "each minibatch is there once");
        }
    }
    assert!(away > 20, "{away} learners were away");
}

#[test]
fn the_spans_of_a_timeline_are_those_that_the_tally_counts() {
    let mut sums = [0; 5];
    for Seen { collector, tally, .. } in runs() {
        let timeline = collector.finish();
        let accepted = |span: &Span| matches!(span.end, End::Accepted { .. });
        let used = |span: &Span| accepted(span) && timeline.update(span).is_some();
        let pending = |span: &Span| accepted(span) && timeline.update(span).is_none();
        let counts = [End::Discarded, End::Rejected, End::Cancelled, End::Lost, End::InFlight]
            .map(|kind| count(&timeline, |span| span.end == kind));
        let Tally { discarded, rejected, cancelled, lost, .. } = tally;
        assert_eq!(counts, [discarded, rejected, cancelled, lost, tally.in_flight()]);
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        assert_eq!(
            [count(&timeline, used), count(&timeline, pending)],
            [tally.used, tally.pending]
        );
        assert_eq!(count(&timeline, |span| span.end.is_wasted()), tally.wasted());
        assert_eq!(spans(&timeline).count() as u64, tally.started);
        let late: usize = timeline.lanes.iter().map(|lane| lane.late.len()).sum();
        assert_eq!(late as u64, tally.late);
        let mut staleness = vec![0; tally.staleness.len()];
        for span in spans(&timeline) {
            if let End::Accepted { staleness: s } = span.end {
                staleness[s as usize] += 1;
            }
        }
        assert_eq!(staleness, tally.staleness);
    }
    assert!(sums.iter().all(|sum| *sum > 5), "each kind of end is met: {sums:?}");
}

#[test]
fn every_accepted_push_belongs_to_one_update_after_it() {
    for Seen { collector, tally, events, .. } in runs() {
        let timeline = collector.finish();
        assert_eq!(timeline.updates.len() as u64, tally.updates);
        let mut pushed = HashSet::new();
        let ks = events.iter().filter_map(|(time, event)| match event {
            Event::Update { version, k } => Some((*time, *version, *k)),
            _ => None,
        });
        for (update, (at, version, k)) in timeline.updates.iter().zip(ks) {
            assert_eq!((update.at, update.version, update.pushes.len()), (at, version, k));
            for &(learner, task) in &update.pushes {
                assert!(pushed.insert((learner, task)), "a gradient is applied at most once");
                let span = timeline.lanes[learner].spans[task as usize];
                let End::Accepted { staleness } = span.end else { panic!("{span:?}") };
                assert_eq!(span.version + staleness + 1, version);
                assert_eq!(timeline.update(&span), Some(version));
                assert!(span.to <= at);
            }
        }
        assert_eq!(pushed.len() as u64, tally.used);
    }
}

#[test]
fn a_timeline_comes_back_from_its_lines_and_events_to_the_bit() {
    for Seen { collector, events, .. } in runs() {
        let text = lines(&events);
        let again = parse_events(Path::new(FILE), &text, Duration::MAX).unwrap();
        assert_eq!(again, collector.finish());
        for (line, (_, event)) in text.lines().zip(&events) {
            let mut read: Event = serde_json::from_str(line).unwrap();
            if let (Event::Push { staleness, .. }, Event::Push { staleness: of_run, .. }) =
                (&mut read, event)
            {
                assert_eq!(std::mem::replace(staleness, *of_run), 0, "it is no part of a line");
            }
            // Numbers that are none are not equal to themselves; as text they are.
            assert_eq!(format!("{read:?}"), format!("{event:?}").replace("inf", "NaN"));
        }
    }
}

#[test]
fn a_run_records_its_first_events() {
    let folder = tempdir().unwrap();
    assert!(read(folder.path()).unwrap().is_none(), "there is no run");
    std::fs::write(folder.path().join(FILE), "").unwrap();
    assert!(read(folder.path()).unwrap().is_none(), "nothing has happened yet");
    std::fs::remove_file(folder.path().join(FILE)).unwrap();
    let train = Arc::new(coins(50, 3, 0).unwrap());
    let data = Dataset { train: Arc::clone(&train), test: Arc::new(coins(16, 3, 4).unwrap()) };
    let engine = Quadratic::new(&data, vec![1.0; 3]);
    let (queues, mut evaluator) = (EnginePool::here(engine.clone()), engine);
    let run_config = RunConfig { updates: Some(2000), ..RunConfig::new(LEARNERS, 0.1) };
    let files = RunFiles::create(folder.path().into(), true).unwrap();
    let minibatches = Minibatches::new(0, train.len(), 1);
    let mut recorder = Recorder::new(files, &mut evaluator, minibatches);
    let entrant: Entrant = "k-batch-async:2".parse().unwrap();
    run_config.run(&entrant, 0, &[0.0; 3][..], &queues, None, &mut recorder).unwrap();
    drop(recorder.finish(None).unwrap());
    let [first, all] = [FILE, "events.jsonl"]
        .map(|name| std::fs::read_to_string(folder.path().join(name)).unwrap());
    assert_eq!(first.lines().count(), 2000);
    for (line, of_all) in first.lines().zip(all.lines()) {
        let mut value: Value = serde_json::from_str(of_all).unwrap();
        value.as_object_mut().unwrap().remove("batch");
        assert_eq!(serde_json::from_str::<Value>(line).unwrap(), value);
    }
    let whole = parse_events(Path::new(FILE), &all, Duration::MAX).unwrap();
    let start = read(folder.path()).unwrap().unwrap();
    let same = start.updates.len();
    assert!(same > 100 && start.updates[..] == whole.updates[..same]);
}

#[test]
fn lines_that_are_torn_or_foreign_are_refused_by_number() {
    let Seen { events, .. } =
        run(&"k-sync:2".parse().unwrap(), 1, Cancellation::Preempt, OnLoss::Restart);
    let good = lines(&events);
    let first: Vec<&str> = good.lines().take(8).collect();
    let with = |place: usize, line: &str| {
        let mut all = first.clone();
        all[place] = line;
        all.join("\n") + "\n"
    };
    let assign = |learner: usize, task: u64, version: u64| {
        format!(
            r#"{{"t":0,"event":"assign","learner":{learner},"task":{task},"version":{version}}}"#
        )
    };
    let push = |version: u64, verdict: &str| {
        format!(
            r#"{{"t":0,"event":"push","learner":0,"task":0,"version":{version},"verdict":"{verdict}"}}"#
        )
    };
    for (text, fragment) in [
        (String::new(), "timeline.jsonl holds no event of a run"),
        (good.trim_end().to_owned(), "is cut off"),
        (with(1, "{\"t\":0.0,\"eve"), "line 2: is not an event of a run"),
        (with(1, "j,t,k"), "line 2: is not an event of a run"),
        (
            with(1, r#"{"t":0,"event":"sneeze"}"#),
            "line 2: is not an event of a run (unknown variant",
        ),
        (with(1, r#"{"event":"return","learner":0}"#), "missing field `t`"),
        (with(1, r#"{"t":-1,"event":"return","learner":0}"#), "line 2: a run time is"),
        (with(1, r#"{"t":1e300,"event":"return","learner":0}"#), "line 2: a run time is"),
        (with(7, r#"{"t":0,"event":"return","learner":0}"#), "line 8: time runs backwards"),
        (with(1, &assign(9, 0, 0)), "line 2: learners start in another order"),
        (with(1, &assign(0, 1, 0)), "line 2: a minibatch starts before the last one has ended"),
        (with(1, &assign(1, 0, 1)), "line 2: a minibatch starts at parameters that are not the"),
        (with(2, &push(0, "maybe")), "line 3: is not an event of a run (unknown variant `maybe`"),
        (with(2, &push(7, "accept")), "line 3: a gradient is of parameters that are not made"),
        (with(1, r#"{"t":0,"event":"cancel","learner":0,"task":5,"version":0}"#), NOT_STARTED),
        (with(1, r#"{"t":0,"event":"lost","learner":0,"task":5,"cause":""}"#), NOT_STARTED),
        (with(1, r#"{"t":0,"event":"lost","learner":0,"cause":""}"#), "without its minibatch"),
        (with(1, r#"{"t":0,"event":"update","version":2,"k":1}"#), "does not follow"),
        (with(1, r#"{"t":0,"event":"update","version":1,"k":1}"#), "another number of gradients"),
    ] {
        let error = parse_events(Path::new(FILE), &text, Duration::MAX).unwrap_err().to_string();
        assert!(error.starts_with(FILE) && error.contains(fragment), "\"{fragment}\": {error}");
    }
}

const NOT_STARTED: &str = "line 2: a minibatch ends that its learner has not started";

#[test]
fn what_comes_after_the_end_is_not_looked_at() {
    let Seen { events, .. } =
        run(&"async".parse().unwrap(), 1, Cancellation::Preempt, OnLoss::Restart);
    let whole = lines(&events) + "{\"t\":1e9,\"event\":\"return\",\"learner\":0}\n torn";
    let end = events.last().unwrap().0;
    let timeline = parse_events(Path::new(FILE), &whole, end).unwrap();
    assert_eq!(timeline.until, end);
}

#[test]
fn a_part_of_a_timeline_has_what_lies_in_it() {
    let whole = plain("k-async:2", 3, 20);
    let [from, until] = [3, 8].map(|place| whole.updates[place].at);
    let part = whole.between(from, until);
    assert_eq!((part.from, part.until, part.version), (from, until, 3));
    assert_eq!(part.updates, whole.updates[3..=8]);
    for (lane, of_whole) in part.lanes.iter().zip(&whole.lanes) {
        let inside = of_whole.spans.iter().filter(|span| span.to > from && span.from < until);
        assert!(lane.spans.iter().eq(inside));
        assert!(lane.pauses.len() < of_whole.pauses.len());
    }
    let start = whole.beginning(7);
    assert_eq!(spans(&start).count(), 7);
    assert_eq!(whole.beginning(10_000), whole);
}

#[test]
fn a_verdict_is_read_as_it_is_written() {
    for verdict in [Verdict::Accept, Verdict::Discard, Verdict::Reject] {
        let text = serde_json::to_string(&verdict).unwrap();
        assert_eq!(serde_json::from_str::<Verdict>(&text).unwrap(), verdict);
    }
}
