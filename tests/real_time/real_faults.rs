//! Faults in real time: engines that panic, fail, hang or give no number, on threads of their own. A
//! run puts up with each as it is told to, and says what happened.

#![cfg(not(feature = "shuttle"))]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::Duration,
};

use tortoise::{
    Error, Result,
    cluster::{
        Cluster, Message, Order,
        learner_threads::{LearnerThreads, Opened},
        threaded::Threaded,
    },
    dataset::minibatches::Minibatches,
    engine::{
        Engine,
        quadratic::{Quadratic, coins},
    },
    sgd::{
        Ended, Entrant, Event, Observer, RunConfig, Tally, Tolerance, Verdict,
        faults::{NonFinite, OnLoss},
        run_config::Finished,
    },
};

const LEARNERS: usize = 3;
const FAULTY: usize = 1;
const DIMENSIONS: usize = 5;
const UPDATES: u64 = 30;
/// The gradient that goes wrong: by then a deadline follows from what was seen.
const NTH: u64 = 12;

/// What goes wrong with the first engine of one learner.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Fault {
    Panic,
    Error,
    Hang,
    NotANumber,
}

/// A quadratic objective until something goes wrong.
struct Engines {
    engine: Quadratic,
    gradients: u64,
    fault: Option<Fault>,
    gate: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl Engine for Engines {
    fn samples(&self) -> usize {
        self.engine.samples()
    }

    fn params(&self) -> usize {
        self.engine.params()
    }

    fn load(&mut self, params: &[f32]) -> Result<()> {
        self.engine.load(params)
    }

    fn gradient(&mut self, samples: &[usize], gradient: &mut [f32]) -> Result<f32> {
        let loss = self.engine.gradient(samples, gradient)?;
        self.gradients += 1;
        match self.fault.filter(|_| self.gradients == NTH) {
            Some(Fault::Panic) => panic!("on purpose"),
            Some(Fault::Error) => return Err(Error::Fault("it fails on purpose".into())),
            Some(Fault::Hang) => drop(self.gate.lock().unwrap().recv()),
            Some(Fault::NotANumber) => gradient[2] = f32::NAN,
            None => {}
        }
        Ok(loss)
    }
}

/// What lets a hung engine go once it is dropped, learners, and how often each was opened.
struct Bench {
    gate: Option<mpsc::Sender<()>>,
    learners: LearnerThreads,
    opened: Arc<[AtomicU64; LEARNERS]>,
}

/// Learners of which one meets `fault`, and fails to open `closed` times after that.
fn bench(fault: Option<Fault>, closed: u64) -> Bench {
    let train = Arc::new(coins(100, DIMENSIONS, 0).unwrap());
    let opened: Arc<[AtomicU64; LEARNERS]> = Arc::default();
    let (gate, held) = mpsc::channel();
    let open = {
        let (train, opened) = (Arc::clone(&train), Arc::clone(&opened));
        let held = Arc::new(Mutex::new(held));
        move |learner: usize| {
            let nth = opened[learner].fetch_add(1, Ordering::Relaxed);
            if (1..=closed).contains(&nth) {
                return Err(Error::Fault(format!("no room the {nth}th time")));
            }
            let engine = Engines {
                engine: Quadratic::new(&train, vec![1.0; DIMENSIONS]),
                gradients: 0,
                fault: fault.filter(|_| learner == FAULTY && nth == 0),
                gate: Arc::clone(&held),
            };
            Ok(Opened { engine: Box::new(engine), kill: None })
        }
    };
    let learners = LearnerThreads::open(LEARNERS, open).unwrap();
    Bench { gate: Some(gate), learners, opened }
}

#[derive(Default)]
struct Told {
    events: Vec<Event>,
    tally: Tally,
}

impl Observer for Told {
    fn event(&mut self, time: Duration, event: &Event) -> Result<()> {
        self.tally.count(time, event);
        self.events.push(event.clone());
        Ok(())
    }
}

impl Told {
    /// Why that learner was lost, each time.
    fn causes(&self, learner: usize) -> Vec<&str> {
        let causes = self.events.iter().filter_map(|event| match event {
            Event::Lost { learner: lost, cause, .. } if *lost == learner => Some(cause.as_str()),
            _ => None,
        });
        causes.collect()
    }

    fn count(&self, is: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|event| is(event)).count()
    }
}

fn run(bench: &mut Bench, fault: Option<Fault>, tolerance: Tolerance) -> (Result<Finished>, Told) {
    let run_config = RunConfig {
        updates: Some(UPDATES),
        delay: None,
        // Nobody else is given up, however busy the machine.
        patience: if fault == Some(Fault::Hang) { 2.0 } else { 60.0 },
        tolerance: Tolerance { back_off: Duration::from_millis(1), ..tolerance },
        ..RunConfig::new(LEARNERS, 0.1)
    };
    let (mut told, initial) = (Told::default(), [0.0; DIMENSIONS]);
    let learners = &mut bench.learners;
    let finished =
        run_config.run_in_real_time(&Entrant::SYNC, 1, &initial[..], learners, None, &mut told);
    let Tally { used, pending, started, .. } = told.tally;
    assert_eq!(started, used + pending + told.tally.wasted() + told.tally.in_flight());
    assert!(told.tally.in_flight() <= LEARNERS as u64);
    (finished, told)
}

const LOSSES: [(Fault, &str); 3] = [
    (Fault::Panic, "panicked: on purpose"),
    (Fault::Error, "it fails on purpose"),
    (Fault::Hang, "no answer in "),
];

fn assert_done(finished: &Result<Finished>, told: &Told) {
    let Ok(Finished { ended, .. }) = finished else { panic!("{finished:?}") };
    assert_eq!((*ended, told.tally.updates), (Ended::Done, UPDATES));
}

#[test]
fn a_learner_that_is_lost_is_replaced() {
    for (fault, cause) in LOSSES {
        let mut bench = bench(Some(fault), 0);
        let (finished, told) = run(&mut bench, Some(fault), Tolerance::default());
        assert_done(&finished, &told);
        assert!(told.causes(FAULTY)[0].starts_with(cause), "{:?}", told.causes(FAULTY));
        assert!(bench.opened[FAULTY].load(Ordering::Relaxed) >= 2, "another is opened");
        let lost = told.events.iter().position(|event| matches!(event, Event::Lost { .. }));
        let after = &told.events[lost.unwrap()..];
        let pushes = |event: &Event| matches!(event, Event::Push { learner: FAULTY, .. });
        assert!(after.contains(&Event::Return { learner: FAULTY }));
        assert!(after.iter().any(pushes), "and works");
    }
}

#[test]
fn a_run_goes_on_without_a_learner_that_is_lost() {
    for (fault, cause) in LOSSES {
        let mut bench = bench(Some(fault), 0);
        let shrink = Tolerance { on_loss: OnLoss::Shrink, ..Tolerance::default() };
        let (finished, told) = run(&mut bench, Some(fault), shrink);
        assert_done(&finished, &told);
        assert!(told.causes(FAULTY)[0].starts_with(cause), "{:?}", told.causes(FAULTY));
        assert!(told.events.contains(&Event::Leave { learner: FAULTY }));
        let sizes = told.events.iter().filter_map(|event| match event {
            Event::Update { k, .. } => Some(*k),
            _ => None,
        });
        let sizes: Vec<_> = sizes.collect();
        assert!(sizes.is_sorted_by(|before, after| before >= after), "{sizes:?}");
        assert_eq!((sizes[0], sizes[NTH as usize - 2]), (LEARNERS, LEARNERS));
        assert!(*sizes.last().unwrap() < LEARNERS);
    }
}

#[test]
fn a_run_that_stops_at_a_loss_names_it() {
    for (fault, cause) in LOSSES {
        let mut bench = bench(Some(fault), 0);
        let stop = Tolerance { on_loss: OnLoss::Stop, ..Tolerance::default() };
        let (finished, told) = run(&mut bench, Some(fault), stop);
        let Err(Error::LearnerLost { learner: FAULTY, source }) = finished else {
            panic!("{finished:?}")
        };
        assert!(source.to_string().starts_with(cause), "{source}");
        assert_eq!(told.causes(FAULTY), [source.to_string()]);
    }
}

#[test]
fn a_learner_that_does_not_open_at_first_is_tried_again() {
    let mut bench = bench(Some(Fault::Error), 2);
    let (finished, told) = run(&mut bench, Some(Fault::Error), Tolerance::default());
    assert_done(&finished, &told);
    let causes = ["it fails on purpose", "no room the 1th time", "no room the 2th time"];
    assert_eq!(told.causes(FAULTY), causes);
    assert_eq!(told.tally.lost, 1, "only the first had a minibatch in hand");
    assert_eq!(told.count(|event| *event == Event::Return { learner: FAULTY }), 1);
    assert_eq!(bench.opened[FAULTY].load(Ordering::Relaxed), 4);
}

#[test]
fn a_learner_that_never_opens_again_is_left_out_after_so_many_times() {
    let mut bench = bench(Some(Fault::Error), u64::MAX);
    let tolerance = Tolerance { restarts: 3, ..Tolerance::default() };
    let (finished, told) = run(&mut bench, Some(Fault::Error), tolerance);
    assert_done(&finished, &told);
    assert_eq!(told.causes(FAULTY).len(), 4);
    assert!(told.events.contains(&Event::Leave { learner: FAULTY }));
    let quorum = Tolerance { quorum: LEARNERS, ..tolerance };
    let mut bench = self::bench(Some(Fault::Error), u64::MAX);
    let (finished, _) = run(&mut bench, Some(Fault::Error), quorum);
    let Err(Error::NoQuorum { live: 2, quorum: LEARNERS, learner: FAULTY, cause }) = finished
    else {
        panic!("{finished:?}")
    };
    assert_eq!(cause.to_string(), "no room the 3th time");
}

#[test]
fn a_gradient_that_is_no_number_is_rejected_or_ends_the_run() {
    let fault = Some(Fault::NotANumber);
    let mut bench = bench(fault, 0);
    let reject = Tolerance { non_finite: NonFinite::Reject, ..Tolerance::default() };
    let (finished, told) = run(&mut bench, fault, reject);
    assert_done(&finished, &told);
    let rejected = told.events.iter().filter_map(|event| match event {
        Event::Push { learner, task, verdict: Verdict::Reject, .. } => Some((*learner, *task)),
        _ => None,
    });
    assert_eq!(rejected.collect::<Vec<_>>(), [(FAULTY, NTH - 1)]);
    assert!(told.causes(FAULTY).is_empty());
    assert!(finished.unwrap().params.iter().all(|w| w.is_finite()));

    let mut bench = self::bench(fault, 0);
    let (finished, told) = run(&mut bench, fault, Tolerance::default());
    assert_eq!(finished.unwrap().ended, Ended::Diverged);
    assert_eq!(told.tally.updates, NTH - 1);
}

/// The next run opens another in the place of one that hangs, and only there.
#[test]
fn learners_of_whom_one_was_left_hung_race_again() {
    let mut bench = bench(Some(Fault::Hang), 0);
    let shrink = Tolerance { on_loss: OnLoss::Shrink, ..Tolerance::default() };
    let (finished, told) = run(&mut bench, Some(Fault::Hang), shrink);
    assert_done(&finished, &told);
    let left = |event: &Event| matches!(event, Event::Leave { .. });
    let before: Vec<_> = told.events.iter().filter(|event| left(event)).collect();

    let (finished, told) = run(&mut bench, None, Tolerance::default());
    assert_done(&finished, &told);
    assert!(told.events.iter().all(|event| !matches!(event, Event::Lost { .. })));
    assert!(told.events.iter().all(|event| match event {
        Event::Update { k, .. } => *k == LEARNERS,
        _ => true,
    }));
    for (learner, opened) in bench.opened.iter().enumerate() {
        let again = before.contains(&&Event::Leave { learner });
        assert_eq!(opened.load(Ordering::Relaxed), 1 + u64::from(again), "learner {learner}");
    }
    // What it computes once it is let go is of no run that is on.
    bench.gate = None;
    let (finished, told) = run(&mut bench, None, Tolerance::default());
    assert_done(&finished, &told);
    assert_eq!(told.tally.late, 0);
}

/// Fails at its first gradient, and says when it is gone.
struct Failing(mpsc::Sender<()>);

impl Engine for Failing {
    fn samples(&self) -> usize {
        10
    }

    fn params(&self) -> usize {
        1
    }

    fn load(&mut self, _: &[f32]) -> Result<()> {
        Err(Error::Fault("it fails on purpose".into()))
    }

    fn gradient(&mut self, _: &[usize], _: &mut [f32]) -> Result<f32> {
        unreachable!("nothing is loaded")
    }
}

impl Drop for Failing {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// A learner whose loss is known and has not been told when it is given up; calls `check` then.
fn given_up(check: impl FnOnce(&mut Threaded<'_>)) -> u64 {
    let (gone, is_gone) = mpsc::channel();
    let opened = Arc::new(AtomicU64::new(0));
    let mut learners = LearnerThreads::open(1, {
        let opened = Arc::clone(&opened);
        move |_| {
            opened.fetch_add(1, Ordering::Relaxed);
            Ok(Opened { engine: Box::new(Failing(gone.clone())), kill: None })
        }
    })
    .unwrap();
    let minibatches = Minibatches::new(0, 10, 1);
    let mut threaded = Threaded::new(
        &mut learners,
        minibatches,
        None,
        Duration::from_secs(60),
        Duration::ZERO,
        &[],
    )
    .unwrap();
    threaded.assign(Order { learner: 0, task: 0, params: [0.0].into() });
    // It reports before it goes.
    is_gone.recv().unwrap();
    assert!(threaded.recv(Duration::ZERO, None).unwrap().is_none(), "that was later");
    check(&mut threaded);
    drop(learners);
    opened.load(Ordering::Relaxed)
}

#[test]
fn what_a_lost_learner_said_is_not_taken_for_what_the_next_one_says() {
    let far = Duration::from_secs(3600);
    let opened = given_up(|threaded| {
        threaded.restart(0, Duration::ZERO);
        let message = threaded.recv(far, None).unwrap();
        assert!(matches!(message, Some(Message::Returned(0))), "{message:?}");
    });
    assert_eq!(opened, 2);
}

#[test]
fn a_learner_that_has_left_does_not_return() {
    let opened = given_up(|threaded| {
        threaded.restart(0, Duration::ZERO);
        threaded.leave(0);
        let message = threaded.recv(Duration::ZERO, None).unwrap();
        assert!(message.is_none(), "{message:?}");
    });
    assert_eq!(opened, 1);
}
