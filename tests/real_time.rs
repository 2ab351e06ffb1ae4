//! Learners on threads: what they do is what the same learners do in virtual time, and they leave
//! nothing behind.

use std::{collections::HashMap, fs, sync::Arc, time::Duration};

use tortoise::{
    Result,
    cluster::{
        learners::{Learners, Opened},
        queues::Queues,
    },
    dataset::{Split, mnist},
    engine::{
        backend::Backend,
        model::Model,
        quadratic::{Quadratic, coins},
    },
    sgd::{Cancellation, Entrant, Event, Observer, Tally, Terms},
};

mod common;

const LEARNERS: usize = 4;

/// Counts, and adds the staleness up.
#[derive(Default)]
struct Counts {
    tally: Tally,
    events: HashMap<&'static str, u64>,
}

impl Observer for Counts {
    fn event(&mut self, time: Duration, event: &Event) -> Result<()> {
        assert!(time >= self.tally.last_update, "time never runs backwards");
        self.tally.count(time, event);
        let name = match event {
            Event::Cancel { .. } => "cancel",
            Event::Late { .. } => "late",
            Event::Lost { .. } => "lost",
            _ => "other",
        };
        *self.events.entry(name).or_default() += 1;
        Ok(())
    }
}

fn small() -> (Arc<Split>, Quadratic) {
    let train = Arc::new(coins(100, 8, 0).unwrap());
    let objective = Quadratic::new(&train, vec![1.0; 8]);
    (train, objective)
}

fn learners(count: usize) -> Learners {
    let (train, objective) = small();
    let open = move |_| Ok(Opened { engine: Box::new(objective.clone()), kill: None });
    Learners::open(count, &train, open).unwrap()
}

#[test]
#[expect(clippy::print_stdout, reason = "figures to look at, with --nocapture")]
fn threads_and_virtual_time_agree_where_delays_are_long() {
    let (train, objective) = small();
    let queues = Queues::here(&train, objective);
    let mut learners = learners(LEARNERS);
    for cancellation in [Cancellation::Preempt, Cancellation::OnArrival] {
        for entrant in Entrant::six(LEARNERS) {
            let mean = 0.02;
            let terms = Terms {
                delay: Some(format!("exponential:mean={mean}").parse().unwrap()),
                updates: Some(60 * LEARNERS as u64 / entrant.k(LEARNERS).unwrap() as u64),
                cancellation,
                ..Terms::new(LEARNERS, 0.01)
            };
            let (mut simulated, mut threaded) = (Counts::default(), Counts::default());
            let initial = &[0.0; 8][..];
            terms.run(&entrant, 1, initial, &queues, None, &mut simulated).unwrap();
            let run =
                terms.run_in_real_time(&entrant, 1, initial, &mut learners, None, &mut threaded);
            run.unwrap();
            let time = |counts: &Counts| counts.tally.last_update.as_secs_f64();
            let ratio = time(&threaded) / time(&simulated);
            let staleness = [&threaded, &simulated].map(|counts| counts.tally.mean_staleness());
            let what = format!("{entrant} {cancellation:?}: {ratio} {staleness:?}");
            println!("{what}");
            assert!((ratio - 1.0).abs() < 0.05, "{what}");
            assert!((staleness[0] - staleness[1]).abs() <= 0.05 * staleness[1].max(1.0), "{what}");
            assert_eq!(threaded.events.get("lost"), None, "{what}");
        }
    }
}

#[test]
fn what_is_overtaken_is_cancelled_and_late_at_most_once() {
    let mut learners = learners(LEARNERS);
    for entrant in ["k-sync:1", "k-batch-sync:2", "k-async:2", "async"] {
        let entrant: Entrant = entrant.parse().unwrap();
        let terms = Terms { delay: None, updates: Some(500), ..Terms::new(LEARNERS, 0.01) };
        let mut counts = Counts::default();
        let initial = &[0.0; 8][..];
        let run = terms.run_in_real_time(&entrant, 1, initial, &mut learners, None, &mut counts);
        run.unwrap();
        let Counts { tally, .. } = counts;
        assert_eq!(tally.updates, 500, "{entrant}");
        assert!(tally.late <= tally.cancelled, "{entrant}: {tally:?}");
        let cancels = entrant.variant().cancels();
        assert_eq!(tally.cancelled > 0, cancels, "{entrant}: {tally:?}");
        assert!(tally.in_flight() as usize <= LEARNERS, "{entrant}: {tally:?}");
    }
}

/// Memory that is used, in MiB, and handles that are open.
#[cfg(target_os = "linux")]
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

#[cfg(target_os = "linux")]
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
#[cfg(target_os = "linux")]
#[expect(clippy::print_stdout, reason = "figures to look at, with --nocapture")]
fn ten_thousand(backend: Backend) {
    let data = mnist::load(&mnist::locate(None).unwrap()).unwrap();
    let model = Model::new(&"logistic".parse().unwrap(), 784, 10, 0.0).unwrap();
    let initial = model.initial(0);
    let open = move |_| Ok(Opened { engine: backend.open(&model, 8)?, kill: None });
    let before = used();
    let mut learners = Learners::open(16, &data.train, open).unwrap();
    let terms = Terms { delay: None, minibatch: 8, updates: Some(10_000), ..Terms::new(16, 0.01) };
    let mut meter = Meter::default();
    let entrant = Entrant::Async;
    terms.run_in_real_time(&entrant, 0, &*initial, &mut learners, None, &mut meter).unwrap();
    drop(learners);
    println!("{before:?} {:?} {:?}", meter.seen, used());
    // The first thousand fill what is used again and again.
    let (first, last) = (meter.seen[0], meter.seen[9]);
    assert!(last.0 - first.0 < 8.0, "MiB: {:?}", meter.seen);
    assert_eq!(last.1, first.1, "handles: {:?}", meter.seen);
    assert!(used().1 <= before.1, "handles of learners that have ended");
}

#[cfg(target_os = "linux")]
#[test]
fn ten_thousand_updates_of_sixteen_learners_take_no_more_memory_than_one_thousand() {
    ten_thousand(Backend::Host { stands_in: false });
    if let Some(adapter) = common::gpu() {
        ten_thousand(Backend::on(adapter, Default::default(), 784));
    }
}
