//! What holds of every variant at every moment, whatever happens: a million things that happen to
//! the learners of random runs, pushes in any order, losses and returns, gradients that are none,
//! come twice or come too late, each followed by a comparison with a reference that was written
//! apart from the code, and by a look at the events alone.

mod ledger;
mod naive;
mod script;

use std::{cell::Cell, cell::RefCell, collections::VecDeque, rc::Rc, time::Duration};

use proptest::{
    collection::vec,
    option,
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use tortoise::{
    Error, Result,
    cluster::{Cluster, Snapshot},
    sgd::{
        Action, Cancellation, Ended, Event, Limits, Observer, ParameterServer, Run, Scheduler,
        Tolerance, Variant, Verdict,
        faults::{NonFinite, OnLoss},
        k_schedule::{AdaSync, FixedK, KSchedule, Progress, Rule},
        learning_rate::{Arrival, LearningRate, RateRule, Ruled, Tail},
        scheduler,
    },
};

use self::{
    ledger::Ledger,
    naive::{Drops, End, Heard, Life, Naive, Rules},
    script::{Script, Scripted, Shared, bits},
};

/// A run: what it is told at its start, K over time, and what happens.
#[derive(Debug, Clone)]
struct Case {
    rules: Rules,
    k: usize,
    changes: Changes,
    steps: Vec<u32>,
}

/// What K does.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Changes {
    Never,
    /// It is another after every update.
    Always,
    AdaSync,
}

/// The base variants, those of the literature, and any others that the three questions allow.
fn rules() -> impl Strategy<Value = scheduler::Rules> {
    let any = (any::<bool>(), option::of(0..5_u64), option::of(0..4_u64));
    prop_oneof![
        3 => prop::sample::select(&Variant::ALL[..]).prop_map(scheduler::Rules::from),
        1 => (1..6_u64).prop_map(scheduler::Rules::ringmaster),
        1 => (0..4_u64).prop_map(scheduler::Rules::stale_synchronous),
        2 => any.prop_map(|(waits, most_stale, most_ahead)| {
            scheduler::Rules { waits, most_stale, most_ahead }
        }),
    ]
}

fn cases() -> impl Strategy<Value = Case> {
    let tolerance = (
        prop_oneof![6 => Just(OnLoss::Restart), 2 => Just(OnLoss::Shrink), 1 => Just(OnLoss::Stop)],
        prop_oneof![1 => 0..4_u32, 2 => Just(u32::MAX)],
        prop_oneof![9 => Just(NonFinite::Reject), 1 => Just(NonFinite::Stop)],
        any::<u16>(),
    );
    let changes = prop_oneof![Just(Changes::Never), Just(Changes::Always), Just(Changes::AdaSync)];
    let run = (rules(), any::<bool>(), 1..=12_usize, any::<u16>(), changes);
    let rest = (
        0..=3_usize,
        prop_oneof![9 => Just(0.25), 1 => Just(8.0)],
        any::<bool>(),
        prop_oneof![3 => Just(None), 1 => (1..40_u64).prop_map(Some)],
        prop_oneof![3 => Just(0.0), 1 => Just(0.5)],
        prop_oneof![3 => Just(None), 1 => Just(Some(2.5))],
        prop_oneof![
            6 => Just(None),
            1 => (1..4_u64).prop_map(|most| Some(Drops::Above(most))),
            1 => prop_oneof![Just(0.5), Just(2.0)].prop_map(|far| Some(Drops::FurtherThan(far))),
        ],
    );
    (run, tolerance, rest, vec(any::<u32>(), 0..500)).prop_map(|(run, tolerance, rest, steps)| {
        let (variant, preempt, learners, k, changes) = run;
        let (on_loss, restarts, non_finite, quorum) = tolerance;
        let (length, rate, divided, updates, momentum, clip, drops) = rest;
        let most =
            if variant.waits || changes == Changes::AdaSync { learners } else { 2 * learners + 1 };
        let tolerance = Tolerance {
            on_loss,
            restarts,
            non_finite,
            quorum: 1 + usize::from(quorum) % learners,
            back_off: Duration::from_nanos(3),
        };
        let rules = Rules {
            variant,
            cancellation: if preempt { Cancellation::Preempt } else { Cancellation::OnArrival },
            learners,
            tolerance,
            initial: (0..length).map(|d| d as f32 - 1.0).collect(),
            rate: (rate, divided),
            momentum,
            clip,
            drops,
            updates,
        };
        Case { rules, k: 1 + usize::from(k) % most, changes, steps }
    })
}

/// Calls `check` with so many cases, always the same.
fn check_all<S: Strategy>(cases: u32, strategy: S, check: impl Fn(S::Value)) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let checked = TestRunner::new_with_rng(config, rng).run(&strategy, |case| {
        check(case);
        Ok(())
    });
    checked.unwrap_or_else(|error| panic!("{error}"));
}

/// A K that the reference is told of.
struct Told {
    schedule: Box<dyn KSchedule>,
    never_falls: bool,
    learners: usize,
    shared: Rc<RefCell<Shared>>,
}

impl KSchedule for Told {
    fn next_k(&mut self, progress: &Progress) -> usize {
        let k = self.schedule.next_k(progress);
        let before = std::mem::replace(&mut self.shared.borrow_mut().k, k);
        if self.never_falls {
            assert!((before..=self.learners).contains(&k), "K from {before} to {k}");
        }
        k
    }
}

/// Some K from 1 to `most`, another each time.
struct Wandering {
    most: usize,
}

impl KSchedule for Wandering {
    fn next_k(&mut self, progress: &Progress) -> usize {
        let mixed = progress.version.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        1 + mixed as usize % self.most
    }
}

struct Rate(Rules);

impl Rate {
    fn dropping(&self) -> RateRule {
        match self.0.drops {
            None => RateRule::Constant,
            Some(Drops::Above(threshold)) => RateRule::Adaptive { threshold, tail: Tail::Dropped },
            Some(Drops::FurtherThan(distance)) => RateRule::Picky { distance },
        }
    }
}

impl LearningRate for Rate {
    fn rate(&mut self, gradient: &Arrival) -> f32 {
        let (most, divided) = self.0.rate;
        let rule = if divided { RateRule::InverseStaleness } else { RateRule::Constant };
        Ruled { rule, most: most.into(), clip: self.0.clip }.rate(gradient)
    }

    fn drops(&mut self, gradient: &Arrival) -> bool {
        self.dropping().drops(gradient)
    }

    fn needs_drift(&self) -> bool {
        self.dropping().needs_drift()
    }

    fn needs_norm(&self) -> bool {
        self.0.clip.is_some()
    }
}

/// Compares what happens with what must.
struct Watching {
    shared: Rc<RefCell<Shared>>,
    ledger: Ledger,
    told: Vec<(Duration, String)>,
}

impl Observer for Watching {
    fn event(&mut self, time: Duration, event: &Event) -> Result<()> {
        let mut shared = self.shared.borrow_mut();
        assert_eq!(time, shared.now);
        // Numbers that are none are not equal to themselves; as text they are.
        let (told, expected) = (format!("{event:?}"), shared.expected.pop_front());
        assert_eq!(told, format!("{:?}", expected.expect("something is to happen")));
        self.told.push((time, told));
        self.ledger.note(time, event);
        if shared.expected.is_empty() {
            self.ledger.agrees(&shared.naive, time);
        }
        Ok(())
    }

    fn read(&mut self, learner: usize, version: u64, params: &Snapshot) -> Result<()> {
        let shared = self.shared.borrow();
        assert_eq!(version, shared.naive.version());
        assert_eq!(bits(params), bits(&shared.naive.params()), "learner {learner}");
        Ok(())
    }

    fn evaluate(&mut self, _: Duration, version: u64, _: &[f32]) -> Result<Option<f64>> {
        Ok(Some(8.0 / (1.0 + version as f64)))
    }
}

/// What is seen of a run: events as text, the last parameters, what was heard, and how it ended.
#[derive(Debug, PartialEq)]
struct Seen {
    events: Vec<(Duration, String)>,
    params: Vec<u32>,
    heard: u64,
    end: End,
}

fn run(case: &Case) -> Seen {
    let Case { rules, k, changes, steps } = case.clone();
    let Rules { variant, cancellation, learners, tolerance, .. } = rules;
    let length = rules.initial.len();
    let time = Duration::from_nanos(3 * steps.len() as u64 + 10);
    let script = Script::new(steps, learners, length);
    let mut naive = Naive::new(rules.clone());
    let expected = VecDeque::from(naive.start());
    let now = Duration::ZERO;
    let shared = Rc::new(RefCell::new(Shared { naive, expected, k, heard: 0, now }));
    let most = if variant.waits { learners } else { 2 * learners + 1 };
    let schedule: Box<dyn KSchedule> = match changes {
        Changes::Never => Box::new(FixedK(k)),
        Changes::Always => Box::new(Wandering { most }),
        Changes::AdaSync => {
            Box::new(AdaSync::new(Rule::SquareRoot, k, learners, Duration::from_nanos(20)))
        }
    };
    let never_falls = changes == Changes::AdaSync;
    let told = Told { schedule, never_falls, learners, shared: Rc::clone(&shared) };
    let cluster = Scripted::new(script, Rc::clone(&shared));
    let scheduler = Scheduler::new(variant, cancellation, learners, k);
    let server = ParameterServer::new(&rules.initial).with_momentum(rules.momentum.into());
    let limits = Limits {
        time: Some(time),
        updates: rules.updates,
        evaluate_every: Some(Duration::from_nanos(10)),
        ..Limits::default()
    };
    let mut run = Run::new(scheduler, server, cluster, told, Rate(rules.clone()));
    run = run.with_tolerance(tolerance);
    let ledger = Ledger::new(variant, cancellation, learners);
    let mut watching = Watching { shared: Rc::clone(&shared), ledger, told: Vec::new() };
    let ended = run.train(&limits, &mut watching);
    run.cluster.snapshots_are_as_they_were();
    let shared = shared.borrow();
    assert!(shared.expected.is_empty(), "did not happen: {:?}", shared.expected);
    let params = run.server.params();
    assert_eq!(bits(params), bits(&shared.naive.params()), "w at the end");
    let end = match ended {
        Ok(Ended::Done) => End::Done,
        Ok(Ended::Diverged) => End::Diverged,
        Err(Error::LearnerLost { learner, .. }) => End::LearnerLost(learner),
        Err(Error::NoQuorum { live, learner, .. }) => End::NoQuorum { live, learner },
        other => panic!("{other:?}"),
    };
    let finite = params.iter().all(|w| w.is_finite());
    let expected = match shared.naive.end.unwrap_or(End::Done) {
        // A run whose parameters are no numbers has not done what it should.
        End::Done if !finite => End::Diverged,
        end => end,
    };
    assert_eq!(end, expected);
    if end == End::Done {
        let early = rules.updates.is_some_and(|last| last == shared.naive.version());
        assert!(early || run.cluster.now() == time, "it goes on to its end");
    }
    let params = bits(params);
    Seen { events: watching.told, params, heard: shared.heard, end }
}

/// The same of the scheduler alone: it is fed what the loop would feed it.
fn schedule(case: &Case) -> u64 {
    let Case { rules, k, changes, steps } = case.clone();
    let Rules { variant, cancellation, learners, .. } = rules;
    let mut script = Script::new(steps, learners, rules.initial.len());
    let mut scheduler = Scheduler::new(variant, cancellation, learners, k);
    let mut naive = Naive::new(rules);
    let mut wandering = Wandering { most: if variant.waits { learners } else { 2 * learners } };
    let (mut k, mut heard) = (k, 0);
    let mut events = naive.start();
    loop {
        for event in events {
            let action = match event {
                Event::Update { version, .. } => Action::Apply { version },
                Event::Assign { learner, task, version, .. } => {
                    script.assign(learner, task);
                    Action::Assign { learner, version }
                }
                _ => continue,
            };
            assert_eq!(scheduler.poll(), Some(action));
            if let (Event::Update { version, .. }, true) = (event, changes != Changes::Never) {
                let (time, loss) = (Duration::ZERO, None);
                k = wandering.next_k(&Progress { time, version, loss });
                scheduler.set_k(k);
            }
        }
        if naive.end.is_some() {
            return heard;
        }
        assert_eq!(scheduler.poll(), None);
        assert_eq!((scheduler.version(), scheduler.live()), (naive.version(), naive.live()));
        let bound = variant.only_fresh() && cancellation == Cancellation::Preempt;
        let quota = if variant.waits { k.min(naive.live()) } else { k };
        let missing = quota - naive.pending() as usize;
        assert_eq!(scheduler.wanted(), bound.then_some(missing));
        let Some((_, happened)) = script.next() else { return heard };
        heard += 1;
        events = naive.hear(&happened, k);
        match (&happened, &events[0]) {
            (Heard::Push { .. }, &Event::Push { learner, version, verdict, .. }) => {
                let told = match verdict {
                    Verdict::Reject => scheduler.on_reject(learner),
                    Verdict::Discard if naive.drops(version) => scheduler.on_drop(learner),
                    _ => scheduler.on_push(learner, version),
                };
                assert_eq!(told, verdict);
            }
            (Heard::Push { .. }, _) => {}
            (&Heard::Lost { learner }, _) if naive.life[learner] == Life::Gone => {
                script.lose(learner, Life::Gone);
                scheduler.on_leave(learner);
            }
            (&Heard::Lost { learner }, _) => {
                script.lose(learner, Life::Down);
                scheduler.on_loss(learner);
            }
            (&Heard::Returned { learner }, _) => assert!(scheduler.on_return(learner)),
        }
    }
}

#[test]
fn a_million_things_happen_and_each_has_the_effect_that_the_definitions_say() {
    let (heard, ends) = (Cell::new(0), RefCell::new(Vec::new()));
    check_all(4000, cases(), |case| {
        let Seen { heard: its, end, .. } = run(&case);
        heard.set(heard.get() + its);
        ends.borrow_mut().push(std::mem::discriminant(&end));
    });
    check_all(4000, cases(), |case| heard.set(heard.get() + schedule(&case)));
    assert!(heard.get() >= 1_000_000, "{} are no million", heard.get());
    let no_quorum = End::NoQuorum { live: 0, learner: 0 };
    for end in [End::Done, End::Diverged, End::LearnerLost(0), no_quorum] {
        let met = ends.borrow().iter().filter(|met| **met == std::mem::discriminant(&end)).count();
        assert!(met > 40, "{end:?} is met {met} times");
    }
}

#[test]
fn the_same_things_have_the_same_effects() {
    check_all(200, cases(), |case| assert_eq!(run(&case), run(&case)));
}

/// Whatever happens to the learners, `one` and `other` of P are the same algorithm to the bit.
fn are_twins(
    one: impl Fn(usize) -> (Variant, usize),
    other: impl Fn(usize) -> (Variant, usize),
    fits: impl Fn(&Case) -> bool,
) {
    let compared = Cell::new(0);
    check_all(400, cases(), |mut case| {
        case.changes = Changes::Never;
        if fits(&case) {
            let [one, other] = [one(case.rules.learners), other(case.rules.learners)].map(|twin| {
                (case.rules.variant, case.k) = (twin.0.into(), twin.1);
                run(&case)
            });
            assert_eq!(one, other);
            compared.set(compared.get() + one.heard);
        }
    });
    assert!(compared.get() > 1000, "{} are few", compared.get());
}

#[test]
fn variants_that_are_the_same_stay_the_same_under_faults() {
    are_twins(|_| (Variant::KAsync, 1), |_| (Variant::KBatchAsync, 1), |_| true);
    are_twins(|_| (Variant::KSync, 1), |_| (Variant::KBatchSync, 1), |_| true);
    // Where the run goes on without one, an update can be complete while another is at work.
    let all_return = |case: &Case| {
        let Tolerance { on_loss, restarts, .. } = case.rules.tolerance;
        on_loss == OnLoss::Restart && restarts == u32::MAX
    };
    are_twins(|p| (Variant::KSync, p), |p| (Variant::KAsync, p), all_return);
    let alone = |case: &Case| case.rules.learners == 1;
    for variant in Variant::ALL {
        are_twins(|_| (Variant::KSync, 1), |_| (variant, 1), alone);
    }
}
