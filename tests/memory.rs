//! Learners on threads leave nothing behind: ten thousand updates take no more memory and hold no
//! more handles than one thousand.
//!
//! A process of its own: what another test takes would be counted.
#![cfg(target_os = "linux")]

use std::{fs, time::Duration};

use tortoise::{
    Result,
    cluster::learner_threads::{LearnerThreads, Opened},
    dataset::mnist,
    engine::{backend::Backend, model::Model},
    sgd::{Entrant, Event, Observer, RunConfig},
};

#[path = "common/adapter.rs"]
mod adapter;
#[path = "common/skipped.rs"]
mod skipped;

/// Memory that is used, in MiB, and handles that are open.
fn used() -> (f64, usize) {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    let kibibytes: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    (kibibytes / 1024.0, fs::read_dir("/proc/self/fd").unwrap().count())
}

/// Looks at memory and handles every thousand updates.
#[derive(Default)]
struct Meter {
    seen: Vec<(f64, usize)>,
}

impl Observer for Meter {
    fn event(&mut self, _: Duration, event: &Event) -> Result<()> {
        if let Event::Update { version, .. } = event
            && version.is_multiple_of(1000)
        {
            self.seen.push(used());
        }
        Ok(())
    }
}

/// Ten thousand updates of sixteen learners on `backend`.
fn ten_thousand(backend: Backend) {
    let data = mnist::load(&mnist::locate(None).unwrap()).unwrap();
    let model = Model::new(&"logistic".parse().unwrap(), 784, 10, 0.0).unwrap();
    let initial = model.initial(0);
    let open = move |_| Ok(Opened { engine: backend.open(&model, 8, &data.train)?, kill: None });
    let before = used();
    let mut learners = LearnerThreads::open(16, open).unwrap();
    let run_config =
        RunConfig { delay: None, minibatch: 8, updates: Some(10_000), ..RunConfig::new(16, 0.01) };
    let mut meter = Meter::default();
    let entrant = Entrant::ASYNC;
    run_config.run_in_real_time(&entrant, 0, &*initial, &mut learners, None, &mut meter).unwrap();
    drop(learners);
    println!("{before:?} {:?} {:?}", meter.seen, used());
    // The first thousand fill what is used again and again.
    let (first, last) = (meter.seen[0], meter.seen[9]);
    assert!(last.0 - first.0 < 8.0, "MiB: {:?}", meter.seen);
    assert_eq!(last.1, first.1, "handles: {:?}", meter.seen);
    assert!(used().1 <= before.1, "handles of learners that have ended");
}

#[test]
fn ten_thousand_updates_of_sixteen_learners_take_no_more_memory_than_one_thousand() {
    ten_thousand(Backend::Host { stands_in: false });
    if let Some(adapter) = adapter::gpu() {
        ten_thousand(Backend::on(adapter, Default::default(), 784));
    }
}
