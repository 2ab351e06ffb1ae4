//! A timeline as trace events, in the JSON form that ui.perfetto.dev and chrome://tracing open.
//!
//! The run is a process; the parameter server and each learner are threads of it. Times are
//! microseconds of run time. Minibatches and versions are slices, updates are instants, and from every
//! minibatch that was used a flow goes to the version that it made.

use std::time::Duration;

use serde_json::{Value, json};

use super::{End, Span, Timeline};

const PROCESS: u32 = 1;
const SERVER: usize = 1;
/// The thread of learner 0.
const LEARNERS: usize = 2;

/// The timeline as one JSON object; `name` is that of the process.
pub fn perfetto(timeline: &Timeline, name: &str) -> String {
    let mut events = Vec::new();
    versions(timeline, &mut events);
    for (learner, lane) in timeline.lanes.iter().enumerate() {
        let thread = LEARNERS + learner;
        for span in &lane.spans {
            minibatch(timeline, span, &mut events);
        }
        for pause in lane.pauses.iter().filter(|pause| pause.away) {
            events.push((pause.from, slice("away", thread, pause.from, pause.to, json!({}))));
        }
        for &(at, task) in &lane.late {
            events.push((at, instant("late", thread, at, json!({ "task": task }))));
        }
    }
    flows(timeline, &mut events);
    // Slices of one moment stay before the flows that end in them.
    events.sort_by_key(|(at, _)| *at);
    let events =
        names(timeline, name).into_iter().chain(events.into_iter().map(|(_, event)| event));
    // An event a line, so that a person can read it as well.
    let lines: Vec<String> = events.map(|event| event.to_string()).collect();
    format!("{{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n{}\n]}}\n", lines.join(",\n"))
}

/// What the process and its threads are called, and in which order they stand.
fn names(timeline: &Timeline, name: &str) -> Vec<Value> {
    let meta = |kind: &str, thread: usize, args: Value| json!({ "ph": "M", "name": kind, "pid": PROCESS, "tid": thread, "args": args });
    let threads = [(SERVER, "parameter server".to_owned())].into_iter();
    let learners = (0..timeline.lanes.len()).map(|l| (LEARNERS + l, format!("learner {l}")));
    let mut names = vec![meta("process_name", SERVER, json!({ "name": name }))];
    for (thread, name) in threads.chain(learners) {
        names.push(meta("thread_name", thread, json!({ "name": name })));
        names.push(meta("thread_sort_index", thread, json!({ "sort_index": thread })));
    }
    names
}

/// Which parameters were current, and when they were made.
fn versions(timeline: &Timeline, events: &mut Vec<(Duration, Value)>) {
    let Timeline { until, updates, .. } = timeline;
    let starts: Vec<_> = timeline.versions().collect();
    for (place, &(at, version)) in starts.iter().enumerate() {
        let next = starts.get(place + 1).map_or(*until, |(next, _)| *next);
        let args = json!({ "version": version });
        events.push((at, slice(&format!("w{version}"), SERVER, at, next, args)));
    }
    for update in updates {
        let args = json!({ "version": update.version, "k": update.pushes.len() });
        events.push((update.at, instant("update", SERVER, update.at, args)));
    }
}

fn minibatch(timeline: &Timeline, span: &Span, events: &mut Vec<(Duration, Value)>) {
    let Span { learner, task, version, from, to, end, .. } = *span;
    let thread = LEARNERS + learner;
    let mut args = json!({ "task": task, "version": version, "outcome": end.word() });
    if let End::Accepted { staleness } = end {
        args["staleness"] = staleness.into();
        args["update"] = timeline.update(span).into();
        events.push((
            to,
            json!({ "ph": "C", "name": "staleness", "pid": PROCESS, "tid": thread, "ts": micros(to),
                    "args": { "s": staleness } }),
        ));
    }
    events.push((from, slice(&format!("w{version}"), thread, from, to, args)));
    let [began, ended] = span.computing();
    if span.computes.is_some() && began < ended {
        events.push((began, slice("computes", thread, began, ended, json!({}))));
    }
}

/// From the last moment of every minibatch to the version it went into.
fn flows(timeline: &Timeline, events: &mut Vec<(Duration, Value)>) {
    let mut id = 0_u64;
    for update in &timeline.updates {
        for &(learner, task) in &update.pushes {
            let spans = &timeline.lanes[learner].spans;
            let place = spans.partition_point(|span| span.task < task);
            let Some(span) = spans.get(place).filter(|span| span.task == task) else { continue };
            id += 1;
            // A flow starts in a slice, of which its last moment is no part.
            let last = span.to.saturating_sub(Duration::from_nanos(1)).max(span.from);
            let flow = |phase: &str, thread: usize, at: Duration| {
                json!({ "ph": phase, "id": id, "name": "push", "cat": "push", "pid": PROCESS,
                        "tid": thread, "ts": micros(at) })
            };
            events.push((last, flow("s", LEARNERS + learner, last)));
            let mut end = flow("f", SERVER, update.at);
            end["bp"] = "e".into();
            events.push((update.at, end));
        }
    }
}

fn slice(name: &str, thread: usize, from: Duration, to: Duration, args: Value) -> Value {
    let duration = micros(to.saturating_sub(from));
    json!({ "ph": "X", "name": name, "cat": "run", "pid": PROCESS, "tid": thread, "ts": micros(from),
            "dur": duration, "args": args })
}

fn instant(name: &str, thread: usize, at: Duration, args: Value) -> Value {
    json!({ "ph": "i", "s": "t", "name": name, "cat": "run", "pid": PROCESS, "tid": thread,
            "ts": micros(at), "args": args })
}

fn micros(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1e3
}
