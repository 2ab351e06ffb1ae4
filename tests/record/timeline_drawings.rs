//! The drawings of a timeline are whole, small and in their format, whatever happened in the run.

use std::collections::{HashMap, HashSet};

use resvg::usvg::{Options, Tree};
use serde_json::Value;
use tortoise::{
    sgd::{Entrant, Tally},
    timeline::{Collector, Look, perfetto, svg, text},
};

use crate::timelines::{Seen, plain, runs, spans};

/// Flow ids of the events of a phase, with their times and threads.
fn flows(events: &[Value], phase: &str) -> Vec<(u64, f64, u64)> {
    let of_phase = events.iter().filter(|event| event["ph"] == phase);
    let number = |value: &Value| value.as_u64().unwrap();
    of_phase.map(|e| (number(&e["id"]), e["ts"].as_f64().unwrap(), number(&e["tid"]))).collect()
}

#[test]
fn trace_events_are_as_the_format_wants_them() {
    for Seen { collector, tally, .. } in runs() {
        let timeline = collector.finish();
        let trace: Value = serde_json::from_str(&perfetto(&timeline, "\"run\"")).unwrap();
        let events = trace["traceEvents"].as_array().unwrap();
        let mut last = 0.0;
        let (mut slices, mut instants, mut counters) = (0, 0, 0);
        for event in events {
            assert_eq!(event["pid"], 1);
            assert!(event["tid"].as_u64().is_some_and(|thread| (1..=5).contains(&thread)));
            assert!(event["name"].is_string(), "{event}");
            let phase = event["ph"].as_str().unwrap();
            if phase == "M" {
                assert_eq!(last, 0.0, "names come first");
                continue;
            }
            let ts = event["ts"].as_f64().unwrap();
            assert!(ts >= last, "sorted by time");
            last = ts;
            match phase {
                "X" => {
                    assert!(event["dur"].as_f64().unwrap() >= 0.0 && event["args"].is_object());
                    slices += u64::from(event["args"]["task"].is_u64());
                }
                "i" => {
                    assert_eq!(event["s"], "t");
                    instants += u64::from(event["name"] == "update");
                }
                "C" => {
                    assert!(event["args"]["s"].is_u64());
                    counters += 1;
                }
                "s" | "f" => assert_eq!(event["cat"], "push"),
                other => panic!("{other} is no phase of ours"),
            }
        }
        let Tally { started, updates, used, pending, .. } = tally;
        assert_eq!([slices, instants, counters], [started, updates, used + pending]);
        let (starts, ends) = (flows(events, "s"), flows(events, "f"));
        let by_id: HashMap<_, _> =
            ends.iter().map(|&(id, ts, thread)| (id, (ts, thread))).collect();
        assert_eq!([starts.len() as u64, by_id.len() as u64, ends.len() as u64], [used; 3]);
        for (id, ts, thread) in starts {
            let (end, server) = by_id[&id];
            assert!(ts <= end && server == 1, "from a learner to the server");
            // It starts within a slice of its thread: it would be lost outside.
            assert!(events.iter().any(|slice| {
                let (from, long) = (slice["ts"].as_f64(), slice["dur"].as_f64());
                slice["ph"] == "X"
                    && slice["tid"] == thread
                    && from
                        .zip(long)
                        .is_some_and(|(from, long)| from <= ts && (ts < from + long || long == 0.0))
            }));
        }
        // Microseconds.
        let seconds = timeline.updates.last().unwrap().at.as_secs_f64();
        let update = events.iter().rfind(|event| event["name"] == "update").unwrap();
        assert!((update["ts"].as_f64().unwrap() - 1e6 * seconds).abs() < 1e-3);
    }
}

#[test]
fn whatever_happened_the_picture_is_whole() {
    let crowd = plain("async", 300, 900);
    let empty = Collector::new(0).finish();
    let timelines = runs().map(|seen| seen.collector.finish());
    for timeline in timelines.chain([crowd, empty, plain("sync", 3, 1)]) {
        let look = Look { title: "<&\"odd\">".to_owned(), ..Look::picture() };
        let picture = svg(&timeline, &look);
        Tree::from_str(&picture, &Options::default()).unwrap();
        for width in [0, 24, 80, 300] {
            let lines = text(&timeline, width);
            let plain = anstream::adapter::strip_str(&lines).to_string();
            let drawn = plain.lines().take(1 + timeline.lanes.len().min(64));
            assert!(drawn.clone().count() > 0);
            assert!(drawn.into_iter().all(|line| line.chars().count() <= width.max(24)));
        }
        for number in ["NaN", "inf", "=\"-"] {
            assert!(!picture.contains(number), "{number}");
        }
        let titles = picture.matches("<title>learner").count();
        let drawn = timeline.lanes.iter().take(64).map(|lane| lane.spans.len()).sum::<usize>();
        assert_eq!(titles, drawn, "each minibatch says what it is");
        assert_eq!(picture, svg(&timeline, &look), "the same bytes twice");
    }
}

#[test]
fn eight_learners_with_a_hundred_minibatches_are_a_small_picture() {
    for entrant in Entrant::six(8) {
        let timeline = plain(&entrant.to_string(), 8, 200).beginning(100);
        assert!((90..=100).contains(&spans(&timeline).count()));
        let bytes = svg(&timeline, &Look::of_page("a")).len();
        assert!(bytes < 60_000, "{entrant}: {bytes} bytes");
    }
}

#[test]
fn pictures_on_one_page_share_no_id_and_take_the_colours_of_the_page() {
    let timeline = plain("k-sync:2", 3, 5);
    let [first, second] = ["a", "b"].map(|prefix| svg(&timeline, &Look::of_page(prefix)));
    let ids = |picture: &str| -> HashSet<String> {
        let after = picture.split("id=\"").skip(1);
        after.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    };
    assert!(!ids(&first).is_empty() && ids(&first).is_disjoint(&ids(&second)));
    assert!(ids(&first).iter().all(|id| first.contains(&format!("url(#{id})"))));
    for variable in ["--ink, #", "--muted, #", "--grid, #", "--paper, #", "--alarm, #"] {
        assert!(first.contains(variable), "{variable}");
    }
    assert!(!first.contains("<rect width="), "the page is behind it");
    let alone = svg(&timeline, &Look::picture());
    assert!(!alone.contains("var(") && alone.contains("<rect width="));
}

#[test]
fn a_picture_shows_what_tells_the_variants_apart() {
    let picture = |entrant| svg(&plain(entrant, 3, 6), &Look::picture());
    let [sync, k_sync, k_async] = ["sync", "k-sync:2", "k-async:2"].map(picture);
    let has = |picture: &str| {
        ["waits", "cancelled", "s=1"].map(|what| picture.contains(&format!(">{what}<")))
    };
    assert_eq!(has(&sync), [true, false, false]);
    assert_eq!(has(&k_sync), [true, true, false]);
    assert_eq!(has(&k_async), [true, false, true]);
    for version in 0..=6 {
        assert!(sync.contains(&format!(">{version}</tspan>")), "w{version} is named");
    }
}
