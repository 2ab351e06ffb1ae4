//! Learners on threads: what they do is what the same learners do in virtual time.

use std::{
    collections::HashMap,
    sync::{
        Barrier, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use tortoise::{
    Result,
    cluster::{
        delay::{DelayModel, Delays, Distribution, Slow},
        engine_pool::EnginePool,
        learner_threads::{LearnerThreads, Opened},
    },
    engine::quadratic::{Quadratic, coins},
    sgd::{Cancellation, Entrant, Event, Observer, RunConfig, Tally},
};

const LEARNERS: usize = 4;

/// What else the machine does can delay threads, never hurry them: of so many attempts one is
/// enough.
const ATTEMPTS: usize = 3;
/// Mean of the delays, in seconds.
const MEAN: f64 = 0.02;

/// Held by a test while its threads are timed: no two beside one another.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

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

/// What else the machine does to threads, as long as `running`: how much longer than it should
/// synchronous SGD takes among threads that do nothing but sleep and meet, as a share of its time.
fn disturbance(running: &AtomicBool) -> f64 {
    let delays = Delays::new(exponential(), &Slow::default(), LEARNERS, 7).unwrap();
    let meeting = Barrier::new(LEARNERS);
    let goes_on = AtomicBool::new(true);
    let start = Instant::now();
    let slept: Vec<Vec<Duration>> = thread::scope(|scope| {
        let learner = |learner: usize| {
            let mut delays = delays.clone();
            let (meeting, goes_on) = (&meeting, &goes_on);
            scope.spawn(move || {
                let mut slept = Vec::new();
                while goes_on.load(Ordering::Relaxed) {
                    slept.push(delays.sample(learner));
                    thread::sleep(slept[slept.len() - 1]);
                    // One decides for all, and all see it before they look.
                    if meeting.wait().is_leader() {
                        goes_on.store(running.load(Ordering::Relaxed), Ordering::Relaxed);
                    }
                    meeting.wait();
                }
                slept
            })
        };
        let threads: Vec<_> = (0..LEARNERS).map(learner).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let took = start.elapsed();
    let rounds = 0..slept[0].len();
    let ideal: Duration = rounds.map(|round| slept.iter().map(|of| of[round]).max().unwrap()).sum();
    took.as_secs_f64() / ideal.as_secs_f64() - 1.0
}

fn exponential() -> Distribution {
    format!("exponential:mean={MEAN}").parse().unwrap()
}

fn small() -> Quadratic {
    Quadratic::new(coins(100, 8, 0).unwrap(), vec![1.0; 8])
}

fn learners(count: usize) -> LearnerThreads {
    let objective = small();
    let open = move |_| Ok(Opened { engine: Box::new(objective.clone()), kill: None });
    LearnerThreads::open(count, open).unwrap()
}

#[test]
fn threads_and_virtual_time_agree_where_delays_are_long() {
    let _alone = alone();
    let queues = EnginePool::here(small());
    let mut learners = learners(LEARNERS);
    for cancellation in [Cancellation::Preempt, Cancellation::OnArrival] {
        for entrant in Entrant::six(LEARNERS) {
            let run_config = RunConfig {
                delay: Some(exponential()),
                updates: Some(60 * LEARNERS as u64 / entrant.k(LEARNERS).unwrap() as u64),
                cancellation,
                ..RunConfig::new(LEARNERS, 0.01)
            };
            let initial = &[0.0; 8][..];
            let mut simulated = Counts::default();
            run_config.run(&entrant, 1, initial, &queues, None, &mut simulated).unwrap();
            let simulated = simulated.tally;
            let mut agree = || {
                let mut threaded = Counts::default();
                let running = AtomicBool::new(true);
                let disturbed = thread::scope(|scope| {
                    let beside = scope.spawn(|| disturbance(&running));
                    let ran = run_config.run_in_real_time(
                        &entrant,
                        1,
                        initial,
                        &mut learners,
                        None,
                        &mut threaded,
                    );
                    running.store(false, Ordering::Relaxed);
                    ran.unwrap();
                    beside.join().unwrap()
                });
                assert_eq!(threaded.events.get("lost"), None, "{entrant} {cancellation:?}");
                let threaded = threaded.tally;
                let ratio =
                    threaded.last_update.as_secs_f64() / simulated.last_update.as_secs_f64();
                let staleness = [threaded.mean_staleness(), simulated.mean_staleness()];
                println!("{entrant} {cancellation:?}: {ratio} {staleness:?}, beside {disturbed}");
                let apart = (staleness[0] - staleness[1]).abs() / staleness[1].max(1.0);
                // From a gradient to the next of its learner three threads wake up after one another,
                // and two among those that sleep and meet.
                let allowed = 0.05 + 2.0 * disturbed;
                (ratio - 1.0).abs() < allowed && apart <= allowed
            };
            assert!((0..ATTEMPTS).any(|_| agree()), "{entrant} {cancellation:?}: see above");
        }
    }
}

#[test]
fn what_is_overtaken_is_cancelled_and_late_at_most_once() {
    let _alone = alone();
    let mut learners = learners(LEARNERS);
    for entrant in ["k-sync:1", "k-batch-sync:2", "k-async:2", "async"] {
        let entrant: Entrant = entrant.parse().unwrap();
        let run_config =
            RunConfig { delay: None, updates: Some(500), ..RunConfig::new(LEARNERS, 0.01) };
        let mut counts = Counts::default();
        let initial = &[0.0; 8][..];
        let run =
            run_config.run_in_real_time(&entrant, 1, initial, &mut learners, None, &mut counts);
        run.unwrap();
        let Counts { tally, .. } = counts;
        assert_eq!(tally.updates, 500, "{entrant}");
        assert!(tally.late <= tally.cancelled, "{entrant}: {tally:?}");
        let cancels = entrant.rules().cancels();
        assert_eq!(tally.cancelled > 0, cancels, "{entrant}: {tally:?}");
        assert!(tally.in_flight() as usize <= LEARNERS, "{entrant}: {tally:?}");
    }
}
