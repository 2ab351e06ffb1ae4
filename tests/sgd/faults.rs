//! Faults on purpose, in virtual time: each has the effect that its name says, nobody is waited for
//! beyond his deadline, and every variant makes its updates all the same, to the same bits twice.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tortoise::{
    Error, Result,
    cluster::{
        Cluster, Message, Order, Push,
        chaos::FaultPlan,
        deadlines::WithDeadlines,
        delay::{DelayModel, Delays, Distribution, Slow},
        engine_pool::EnginePool,
    },
    dataset::Split,
    engine::quadratic::{Quadratic, coins},
    sgd::{
        Ended, Entrant, Event, Observer, RunConfig, Tally, Tolerance, Variant, Verdict,
        activity::Activities,
        faults::{NonFinite, OnLoss},
        run_config::{Finished, Start},
        state::State,
    },
};

const LEARNERS: usize = 4;
const UPDATES: u64 = 200;
const PATIENCE: f64 = 2.0;
const DIMENSIONS: usize = 20;

/// Everything that happened.
#[derive(Default)]
struct Told {
    events: Vec<(Duration, Event)>,
    tally: Tally,
    activities: Activities,
    /// At how many updates to stop, what stops it, and where it was then.
    stop: Option<(u64, Arc<AtomicBool>)>,
    state: Option<State>,
}

impl Told {
    fn count(&self, is: impl Fn(&Event) -> bool) -> usize {
        self.events.iter().filter(|(_, event)| is(event)).count()
    }
}

impl Observer for Told {
    fn event(&mut self, time: Duration, event: &Event) -> Result<()> {
        assert!(self.events.last().is_none_or(|(before, _)| *before <= time), "time goes back");
        self.tally.count(time, event);
        self.activities.count(time, event);
        self.events.push((time, event.clone()));
        if let Some((_, stop)) = self.stop.as_ref().filter(|(at, _)| *at == self.tally.updates) {
            stop.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn evaluate(&mut self, time: Duration, version: u64, _: &[f32]) -> Result<Option<f64>> {
        assert!(self.events.last().is_none_or(|(before, _)| *before <= time), "time goes back");
        Ok(Some(4.0 / (1.0 + version as f64)))
    }

    fn state(&mut self, state: &State) -> Result<()> {
        self.state = Some(state.clone());
        Ok(())
    }
}

fn train() -> Arc<Split> {
    Arc::new(coins(200, DIMENSIONS, 0).unwrap())
}

fn distribution() -> Distribution {
    "exponential:mean=1".parse().unwrap()
}

fn run_config(plan: FaultPlan, on_loss: OnLoss) -> RunConfig {
    let non_finite = NonFinite::Reject;
    RunConfig {
        updates: Some(UPDATES),
        evaluate_every: Some(5.0),
        patience: PATIENCE,
        chaos: Some(plan),
        tolerance: Tolerance { on_loss, non_finite, ..Tolerance::default() },
        ..RunConfig::new(LEARNERS, 0.05)
    }
}

fn run<'a>(
    run_config: &RunConfig,
    entrant: &Entrant,
    start: impl Into<Start<'a>>,
    told: &mut Told,
) -> Result<Finished> {
    let train = train();
    let queues = EnginePool::here(Quadratic::new(&train, vec![1.0; DIMENSIONS]));
    let interrupt = told.stop.as_ref().map(|(_, stop)| Arc::clone(stop));
    run_config.run(entrant, 1, start, &queues, interrupt.as_deref(), told)
}

fn entrants() -> Vec<Entrant> {
    let adapt = Variant::ALL.map(|variant| Entrant::adasync(variant, 1));
    Entrant::six(LEARNERS).into_iter().chain(adapt).collect()
}

/// No silence is longer than the module promises: thirty patiences at first, and then ten deviations
/// beyond the median lateness of the last 32, or the patience.
fn assert_deadlines(events: &[(Duration, Event)]) {
    let mut delays = Delays::new(distribution(), &Slow::default(), LEARNERS, 1).unwrap();
    let mut due = HashMap::new();
    let mut late = vec![Vec::new(); LEARNERS];
    let patience = Duration::from_secs_f64(PATIENCE);
    let mut expired = 0;
    for (time, event) in events {
        match event {
            Event::Assign { learner, .. } => {
                due.insert(*learner, *time + delays.sample(*learner));
            }
            Event::Push { learner, .. } | Event::Lost { learner, task: Some(_), .. } => {
                let due = due[learner];
                let last = late[*learner].iter().rev().take(32).copied().collect();
                let deadline = due + allowance(last, patience);
                assert!(*time <= deadline, "waited from {due:?} to {time:?}, not {deadline:?}");
                match event {
                    Event::Lost { cause, .. } if cause.starts_with("no answer") => {
                        assert_eq!(*time, deadline, "nobody is given up before");
                        expired += 1;
                    }
                    _ => late[*learner].push(*time - due),
                }
            }
            Event::Return { learner } => late[*learner].clear(),
            _ => {}
        }
    }
    assert!(expired > 0, "somebody was given up");
}

fn allowance(mut late: Vec<Duration>, patience: Duration) -> Duration {
    if late.len() < 8 {
        return 30 * patience;
    }
    late.sort();
    let median = late[late.len() / 2];
    let mut from_it: Vec<_> = late.iter().map(|one| one.abs_diff(median)).collect();
    from_it.sort();
    let deviation = from_it[from_it.len() / 2].as_secs_f64();
    // A thousandth of a microsecond is rounded away.
    let most = median.as_secs_f64() + 10.0 * 1.4826 * deviation;
    Duration::from_secs_f64(most).max(patience)
}

#[test]
fn every_variant_makes_its_updates_though_a_quarter_of_minibatches_meet_a_fault() {
    let run_config = run_config(FaultPlan { seed: 3, rate: 0.25 }, OnLoss::Restart);
    for entrant in entrants() {
        let mut told = Told::default();
        let finished = run(&run_config, &entrant, &[0.0; DIMENSIONS][..], &mut told).unwrap();
        assert_eq!((finished.ended, told.tally.updates), (Ended::Done, UPDATES), "{entrant}");
        assert!(finished.params.iter().all(|w| w.is_finite()));
        assert_deadlines(&told.events);
        let Tally { lost, rejected, late, .. } = told.tally;
        assert!(lost > 0 && rejected > 0 && late > 0, "{entrant}: {:?}", told.tally);
        let returns = told.count(|event| matches!(event, Event::Return { .. }));
        assert!(returns > 0 && returns + 4 >= lost as usize, "{entrant}");
        // Counts add up, of all and of each.
        let activities = told.activities.clone().until(told.events.last().unwrap().0);
        let mut in_flight = 0;
        for one in &activities {
            let ended = one.accepted + one.cancelled + one.discarded + one.rejected + one.lost;
            assert!(one.started - ended <= 1, "one in hand at most: {one:?}");
            in_flight += one.started - ended;
        }
        assert_eq!(in_flight, told.tally.in_flight(), "{entrant}");

        let mut again = Told::default();
        let same = run(&run_config, &entrant, &[0.0; DIMENSIONS][..], &mut again).unwrap();
        let bits = |finished: &Finished| finished.params.iter().map(|w| w.to_bits()).collect();
        let [one, other]: [Vec<u32>; 2] = [bits(&finished), bits(&same)];
        assert_eq!(one, other, "{entrant}");
        assert_eq!(format!("{:?}", told.events), format!("{:?}", again.events), "{entrant}");
    }
}

/// One learner whose minibatches are due after a second and come later and later, until one hangs.
#[derive(Default)]
struct Lagging {
    hangs: u64,
    now: Duration,
    hand: Option<(u64, Duration)>,
}

fn lateness(task: u64) -> Duration {
    Duration::from_millis(300 * task + 100 * (37 * task * task % 101))
}

impl Cluster for Lagging {
    fn assign(&mut self, Order { task, .. }: Order) -> Option<Duration> {
        let due = self.now + Duration::from_secs(1);
        self.hand = (task < self.hangs).then(|| (task, due + lateness(task)));
        Some(due)
    }

    fn recv(&mut self, until: Duration, _: Option<usize>) -> Result<Option<Message>> {
        let hand = self.hand.take_if(|(_, time)| *time <= until);
        self.now = hand.map_or(until, |(_, time)| time);
        let gradient = Vec::new();
        let push = |(task, _)| Push { learner: 0, task, loss: None, gradient, computing: None };
        Ok(hand.map(push).map(Message::Push))
    }

    fn restart(&mut self, _: usize, _: Duration) {}

    fn leave(&mut self, _: usize) {}

    fn now(&self) -> Duration {
        self.now
    }
}

#[test]
fn a_deadline_follows_from_the_last_minibatches() {
    let patience = Duration::from_secs(2);
    for hangs in [0, 7, 8, 20, 32, 33, 80] {
        let lagging = Lagging { hangs, ..Lagging::default() };
        let mut cluster = WithDeadlines::new(lagging, 1, patience);
        let mut due = Duration::ZERO;
        for task in 0..=hangs {
            due = cluster.assign(Order { learner: 0, task, params: [].into() }).unwrap();
            let message = cluster.recv(Duration::MAX, None).unwrap();
            assert_eq!(task < hangs, matches!(message, Some(Message::Push(_))), "{task}");
        }
        let last = (hangs.saturating_sub(32)..hangs).map(lateness).collect();
        assert_eq!(cluster.now(), due + allowance(last, patience), "{hangs}");
    }
}

#[test]
fn sync_is_k_sync_of_all_under_faults() {
    let run_config = run_config(FaultPlan { seed: 3, rate: 0.25 }, OnLoss::Restart);
    let [one, other] = [Entrant::SYNC, Entrant::with_k(Variant::KSync, LEARNERS)].map(|entrant| {
        let mut told = Told::default();
        let finished = run(&run_config, &entrant, &[0.0; DIMENSIONS][..], &mut told).unwrap();
        (finished.params, format!("{:?}", told.events))
    });
    assert_eq!(one, other);
}

#[test]
fn a_run_that_shrinks_makes_its_updates_with_those_left_or_says_that_they_are_too_few() {
    let (mut done, mut too_few) = (0, 0);
    for seed in 0..12 {
        // Two faults in six leave a learner lost for good, and a late push may be a third.
        let mut run_config = run_config(FaultPlan { seed, rate: 0.01 }, OnLoss::Shrink);
        run_config.tolerance.quorum = 3;
        for entrant in entrants() {
            let mut told = Told::default();
            let finished = run(&run_config, &entrant, &[0.0; DIMENSIONS][..], &mut told);
            let mut live = LEARNERS;
            for (_, event) in &told.events {
                match *event {
                    Event::Leave { .. } => live -= 1,
                    Event::Update { k, .. } => {
                        assert!(!entrant.rules().waits || k <= live, "{k} of {live}");
                    }
                    Event::Return { learner } => panic!("{learner} returns"),
                    _ => {}
                }
            }
            match finished {
                Ok(Finished { ended, .. }) => {
                    assert_eq!((ended, told.tally.updates), (Ended::Done, UPDATES));
                    assert!(live >= 3);
                    done += usize::from(live < LEARNERS);
                }
                Err(Error::NoQuorum { live: left, quorum: 3, .. }) => {
                    assert_eq!((left, live), (2, 2));
                    too_few += 1;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert!(done > 3 && too_few > 3, "{done} were done with fewer, {too_few} were too few");
}

#[test]
fn a_run_that_stops_at_a_loss_names_the_learner_and_the_cause() {
    let run_config = run_config(FaultPlan { seed: 3, rate: 0.25 }, OnLoss::Stop);
    let mut told = Told::default();
    let error = run(&run_config, &Entrant::ASYNC, &[0.0; DIMENSIONS][..], &mut told).unwrap_err();
    let (_, last) = told.events.last().unwrap();
    let Event::Lost { learner: lost, cause, .. } = last else { panic!("{last:?}") };
    assert!(matches!(error, Error::LearnerLost { learner, .. } if learner == *lost));
    assert_eq!(error.to_string(), format!("learner {lost} is lost: {cause}"));
}

/// What was hung, late or away when a run stopped is no more; it goes on, and waits for nobody.
#[test]
fn a_run_with_faults_that_was_stopped_goes_on_to_its_end() {
    let mut run_config = run_config(FaultPlan { seed: 3, rate: 0.25 }, OnLoss::Restart);
    // More than enough; who waits for ever is found out.
    run_config.budget = Some(1e5);
    for entrant in entrants() {
        for stop in [1, 60, 61, 62, 63] {
            let interrupt = Arc::new(AtomicBool::new(false));
            let stop = Some((stop, Arc::clone(&interrupt)));
            let mut told = Told { stop, ..Told::default() };
            let finished = run(&run_config, &entrant, &[0.0; DIMENSIONS][..], &mut told).unwrap();
            assert_eq!(finished.ended, Ended::Interrupted, "{entrant}");
            told.stop = None;
            let state = told.state.take().unwrap();
            let finished =
                run(&run_config, &entrant, Start::Saved(Box::new(state)), &mut told).unwrap();
            assert_eq!((finished.ended, told.tally.updates), (Ended::Done, UPDATES), "{entrant}");
            assert!(told.tally.in_flight() <= LEARNERS as u64, "{entrant}");
        }
    }
}

#[test]
fn time_does_not_go_back_where_a_budget_is_used_up_already() {
    let mut run_config = run_config(FaultPlan { seed: 3, rate: 0.0 }, OnLoss::Restart);
    run_config.chaos = None;
    let mut told = Told { stop: Some((60, Arc::default())), ..Told::default() };
    run(&run_config, &Entrant::ASYNC, &[0.0; DIMENSIONS][..], &mut told).unwrap();
    told.stop = None;
    let state = Box::new(told.state.take().unwrap());
    let now = state.now;
    run_config.budget = Some(0.5 * now.as_secs_f64());
    run(&run_config, &Entrant::ASYNC, Start::Saved(state), &mut told).unwrap();
    assert_eq!(told.events.last().unwrap().0, now);
}

#[test]
fn a_share_of_minibatches_meets_faults() {
    let mut plan = FaultPlan { seed: 5, rate: 0.0 };
    let hit = |plan| {
        let mut told = Told::default();
        let run_config = run_config(plan, OnLoss::Restart);
        run(&run_config, &Entrant::ASYNC, &[0.0; DIMENSIONS][..], &mut told).unwrap();
        let verdicts =
            told.count(|event| matches!(event, Event::Push { verdict: Verdict::Reject, .. }));
        told.tally.late + told.tally.lost + verdicts as u64
    };
    assert_eq!(hit(plan), 0);
    plan.rate = 0.25;
    assert!(hit(plan) > 20);
}
