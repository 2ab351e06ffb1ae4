//! The orders in which threads can do what they do: shuttle runs learners and their cluster under some
//! thousands of schedules, at random and by priorities (probabilistic concurrency testing). A wait
//! without end shows as too many steps, a lost wake-up as a deadlock.
//!
//! Times are real, so that a schedule cannot be replayed; it can be run again by its seed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use shuttle::{
    Config, Runner,
    scheduler::{PctScheduler, RandomScheduler},
};
use tortoise::{
    Error, Result,
    cluster::{
        Cluster, Message, Order, Push,
        learner_threads::{LearnerThreads, Opened},
        threaded::Threaded,
    },
    dataset::minibatches::Minibatches,
    engine::Engine,
    ids::{LearnerId, Task},
    sgd::{Ended, Entrant, Event, Observer, RunConfig, Tally, Tolerance, Variant},
};

const SCHEDULES: usize = 3000;
const FAR: Duration = Duration::from_secs(3600);

/// Tries `check` under random schedules, and under those with few changes between threads.
fn explore(check: impl Fn() + Send + Sync + 'static) {
    let config = || {
        let mut config = Config::new();
        config.stack_size = 1 << 18;
        config
    };
    let tried = Arc::new(AtomicUsize::new(0));
    let check = {
        let tried = Arc::clone(&tried);
        Arc::new(move || {
            check();
            tried.fetch_add(1, Ordering::Relaxed);
        })
    };
    let again = Arc::clone(&check);
    let random = RandomScheduler::new_from_seed(1, SCHEDULES);
    Runner::new(random, config()).run(move || check());
    let few_changes = PctScheduler::new_from_seed(1, 3, SCHEDULES);
    Runner::new(few_changes, config()).run(move || again());
    assert_eq!(tried.load(Ordering::Relaxed), 2 * SCHEDULES);
}

/// Answers with the parameters, or fails at its n-th gradient.
struct Echo {
    params: Vec<f32>,
    fails_in: Option<u32>,
    dropped: Arc<AtomicUsize>,
}

impl Engine for Echo {
    fn samples(&self) -> usize {
        4
    }

    fn params(&self) -> usize {
        1
    }

    fn load(&mut self, params: &[f32]) -> Result<()> {
        self.params = params.to_vec();
        Ok(())
    }

    fn gradient(&mut self, _: &[usize], gradient: &mut [f32]) -> Result<f32> {
        self.fails_in = self.fails_in.map(|left| left - 1);
        if self.fails_in == Some(0) {
            return Err(Error::Fault("on purpose".into()));
        }
        gradient.copy_from_slice(&self.params);
        Ok(0.0)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

/// LearnerThreads, how many engines were opened, and how many of them are dropped.
struct Bench {
    learners: LearnerThreads,
    opened: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
}

/// P = `count` learners; the first engine of learner 0 fails at its n-th gradient.
fn bench(count: usize, fails_in: Option<u32>) -> Bench {
    let (opened, dropped) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let open = {
        let (opened, dropped) = (Arc::clone(&opened), Arc::clone(&dropped));
        move |_| {
            let first = opened.fetch_add(1, Ordering::Relaxed) == 0;
            let (params, dropped) = (Vec::new(), Arc::clone(&dropped));
            let engine = Echo { params, fails_in: fails_in.filter(|_| first), dropped };
            Ok(Opened { engine: Box::new(engine), kill: None })
        }
    };
    let learners = LearnerThreads::open(count, open).unwrap();
    Bench { learners, opened, dropped }
}

fn race(learners: &mut LearnerThreads) -> Threaded<'_> {
    Threaded::new(
        learners,
        Minibatches::new(0, 4, 1),
        None,
        Duration::from_secs(60),
        Duration::ZERO,
        &[],
    )
    .unwrap()
}

/// Parameters that tell the run, the learner and the minibatch.
fn params(run: u8, learner: LearnerId, task: Task) -> [f32; 3] {
    [run.into(), learner as f32, task as f32]
}

fn order(cluster: &mut impl Cluster, run: u8, learner: LearnerId, task: Task) {
    let params = params(run, learner, task)[..].into();
    cluster.assign(Order { learner, task, params });
}

/// Waits for the `task`-th minibatch of every learner; what comes besides is older, and of this run.
fn wait_for_all(cluster: &mut impl Cluster, run: u8, learners: usize, task: Task) {
    let mut come = vec![0; learners];
    while come.contains(&0) {
        let message = cluster.recv(FAR, None).unwrap();
        let Some(Message::Push(push)) = message else { panic!("{message:?}") };
        assert_eq!(push.gradient, params(run, push.learner, push.task), "of another minibatch");
        assert!(push.task <= task);
        come[push.learner] += usize::from(push.task == task);
    }
    assert_eq!(come, vec![1; learners], "each once");
}

#[test]
fn an_order_that_overtakes_others_is_carried_out_once() {
    explore(|| {
        let mut bench = bench(2, None);
        let mut cluster = race(&mut bench.learners);
        for task in 0..3 {
            (0..2).for_each(|learner| order(&mut cluster, 0, learner, task));
        }
        wait_for_all(&mut cluster, 0, 2, 2);
        let message = cluster.recv(Duration::ZERO, None).unwrap();
        assert!(message.is_none(), "{message:?}");
    });
}

#[test]
fn a_run_hears_nothing_of_the_run_before() {
    explore(|| {
        let mut bench = bench(2, None);
        for run in 0..3 {
            let mut cluster = race(&mut bench.learners);
            (0..2).for_each(|learner| order(&mut cluster, run, learner, 0));
            // Of the last run all is waited for, and of those before nothing.
            match run {
                0 => assert_eq!(bench.opened.load(Ordering::Relaxed), 2, "nobody is replaced"),
                1 => cluster.leave(1),
                _ => wait_for_all(&mut cluster, run, 2, 0),
            }
        }
        assert_eq!(bench.opened.load(Ordering::Relaxed), 3, "only who had left is replaced");
    });
}

#[test]
fn a_learner_that_is_replaced_at_work_returns_once_and_works_on() {
    explore(|| {
        let mut bench = bench(2, None);
        let mut cluster = race(&mut bench.learners);
        (0..2).for_each(|learner| order(&mut cluster, 0, learner, 0));
        cluster.restart(0, Duration::ZERO);
        let (mut returned, mut pushed) = (0, [[0; 2]; 2]);
        while returned == 0 || pushed[0][1] == 0 || pushed[1][0] == 0 {
            match cluster.recv(FAR, None).unwrap() {
                Some(Message::Returned(0)) => {
                    returned += 1;
                    order(&mut cluster, 0, 0, 1);
                }
                Some(Message::Push(Push { learner, task, gradient, .. })) => {
                    assert_eq!(gradient, params(0, learner, task));
                    pushed[learner][task as usize] += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!((returned, pushed[0][1], pushed[1][0]), (1, 1, 1));
        assert!(pushed[0][0] <= 1, "what the first computed may come, but once");
        assert_eq!(bench.opened.load(Ordering::Relaxed), 3);
    });
}

#[test]
fn a_loss_that_was_on_the_way_is_not_one_of_the_next_learner() {
    explore(|| {
        let mut bench = bench(2, Some(1));
        let mut cluster = race(&mut bench.learners);
        order(&mut cluster, 0, 0, 0);
        for _ in 0..3 {
            // Whatever has come by now was later than that, and is not told yet.
            assert!(cluster.recv(Duration::ZERO, None).unwrap().is_none());
        }
        cluster.restart(0, Duration::ZERO);
        let message = cluster.recv(FAR, None).unwrap();
        assert!(matches!(message, Some(Message::Returned(0))), "{message:?}");
        order(&mut cluster, 0, 0, 1);
        let message = cluster.recv(FAR, None).unwrap();
        assert!(matches!(message, Some(Message::Push(Push { task: 1, .. }))), "{message:?}");
    });
}

#[test]
fn learners_that_are_dropped_at_work_are_gone_and_their_engines_with_them() {
    explore(|| {
        let Bench { mut learners, dropped, .. } = bench(3, None);
        let mut cluster = race(&mut learners);
        for task in 0..2 {
            (0..3).for_each(|learner| order(&mut cluster, 0, learner, task));
        }
        cluster.restart(2, Duration::ZERO);
        drop(learners);
        assert_eq!(dropped.load(Ordering::Relaxed), 3);
    });
}

#[derive(Default)]
struct Told {
    tally: Tally,
    pushed: Vec<(LearnerId, Task)>,
    lost: Vec<LearnerId>,
    returned: Vec<LearnerId>,
}

impl Observer for Told {
    fn event(&mut self, time: Duration, event: &Event) -> Result<()> {
        self.tally.count(time, event);
        match *event {
            Event::Push { learner, task, .. } => self.pushed.push((learner, task)),
            Event::Lost { learner, .. } => self.lost.push(learner),
            Event::Return { learner } => self.returned.push(learner),
            _ => {}
        }
        Ok(())
    }
}

#[test]
fn every_variant_ends_its_run_though_a_learner_fails() {
    for variant in Variant::ALL {
        explore(move || {
            let mut bench = bench(3, Some(2));
            let tolerance = Tolerance { back_off: Duration::ZERO, ..Tolerance::default() };
            let (updates, delay, patience) = (Some(5), None, 60.0);
            let run_config =
                RunConfig { updates, delay, patience, tolerance, ..RunConfig::new(3, 0.5) };
            let (mut told, entrant) = (Told::default(), Entrant::with_k(variant, 2));
            let finished = run_config
                .run_in_real_time(&entrant, 1, &[1.0; 3][..], &mut bench.learners, None, &mut told)
                .unwrap();
            assert_eq!((finished.ended, told.tally.updates), (Ended::Done, 5));
            let Tally { used, pending, started, .. } = told.tally;
            let accounted = used + pending + told.tally.wasted() + told.tally.in_flight();
            assert_eq!((started, used), (accounted, 10));
            let pushes = told.pushed.len();
            told.pushed.sort_unstable();
            told.pushed.dedup();
            assert_eq!(told.pushed.len(), pushes, "each at most once");
            assert!(told.lost.iter().chain(&told.returned).all(|&learner| learner == 0));
            assert!(told.returned.len() <= told.lost.len() && told.lost.len() <= 1);
        });
    }
}
