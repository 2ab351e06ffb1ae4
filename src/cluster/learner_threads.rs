//! Learners on threads of their own, each with an engine, and so a device and a queue, of its own.
//!
//! # The protocol
//!
//! There is a channel of orders to each learner, and one channel of reports from all of them. An
//! order cannot be taken back, since a thread that is inside a driver cannot be interrupted. So
//! whoever receives a message decides whether it still counts:
//!
//! * A learner takes the newest order and forgets those before it. What it computes it always reports,
//!   and the loop above drops what was overtaken meanwhile.
//! * Every run has a number, and every order and computed gradient carries it. A gradient of an earlier
//!   run says nothing in this one: it may arrive at any time, as its learner was at work when that run
//!   ended.
//! * Every thread has the number of its incarnation. A learner that died, or was silent for too long,
//!   is replaced by a new thread with the next number, and the old one is not waited for. What an
//!   earlier incarnation says of itself (that it opened, rests or failed) says nothing of the learner
//!   that is there now. What it computed still is a gradient of this run, and counts if it was not
//!   overtaken.
//!
//! Before a run begins, each learner is asked to rest, and answers when it has nothing left to do.
//! If it answers that it failed in the run before, or does not answer, it is replaced, and the run
//! waits until its successor has opened its engine. A successor that fails is replaced a few times.
//! One that does not open is an error, since it could not take part in any run.

use std::{
    any::Any,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use super::{
    Order,
    engine_pool::{Computed, Worker},
};
use crate::{
    Error, Result, awake,
    dataset::minibatches::Minibatches,
    engine::Engine,
    ids::{LearnerId, Task},
    sync::{mpsc, recv_timeout, thread},
};

/// How long an engine may take to open, and what is at work to come to an end.
const DEADLINE: Duration = Duration::from_secs(60);
/// How many that do not open may be replaced before a run begins.
const MOST_FAILURES: u32 = 5;
/// What is said of one that takes longer.
const NOT_OPEN: &str = "a learner does not open in 60 s";

/// Ends what an engine runs in, whatever it is doing.
pub type Kill = Box<dyn Fn() + Send>;

/// An engine, and how to end it from outside; without that it is left to itself.
pub struct Opened {
    /// What computes the learner's gradients.
    pub engine: Box<dyn Engine>,
    /// What ends it from another thread, where it can be ended.
    pub kill: Option<Kill>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("kill", &self.kill.is_some()).finish_non_exhaustive()
    }
}

/// What opens the engine of a learner.
type Open = dyn Fn(LearnerId) -> Result<Opened> + Send + Sync;

enum ThreadOrder {
    Compute {
        run: u64,
        order: Order,
        minibatches: Minibatches,
    },
    /// Only say when there is nothing left to do.
    Rest,
}

/// What a learner has to say.
pub(super) struct ThreadMessage {
    pub(super) learner: LearnerId,
    incarnation: u64,
    /// By [`awake::now`].
    pub(super) time: Duration,
    pub(super) news: ThreadNews,
}

pub(super) enum ThreadNews {
    Opened { samples: usize, kill: Option<Kill> },
    Computed { run: u64, task: Task, computed: Computed, computing: Duration },
    Rested,
    Failed(Error),
}

/// What a learner has to say before a run begins.
#[derive(Clone, Copy, PartialEq)]
enum Awaited {
    Rest,
    /// It is new, and opens.
    Open,
    Nothing,
}

struct Member {
    orders: mpsc::Sender<ThreadOrder>,
    incarnation: u64,
    kill: Option<Kill>,
}

/// P learners that last for several runs.
pub struct LearnerThreads {
    open: Arc<Open>,
    /// n of the training set, the same for all engines.
    samples: usize,
    members: Vec<Member>,
    sender: Option<mpsc::Sender<ThreadMessage>>,
    reports: mpsc::Receiver<ThreadMessage>,
    run: u64,
}

impl fmt::Debug for LearnerThreads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LearnerThreads").field("count", &self.count()).finish_non_exhaustive()
    }
}

impl LearnerThreads {
    /// Opens the engines of P = `count` learners, all over the same data: the first before the others, so
    /// that those find the driver's cache of compiled kernels warm.
    ///
    /// # Errors
    /// What `open` returns for one of them; [`Error::Fault`] for one that does not open in a minute.
    pub fn open(
        count: usize,
        open: impl Fn(LearnerId) -> Result<Opened> + Send + Sync + 'static,
    ) -> Result<Self> {
        let (sender, reports) = mpsc::channel();
        let mut learners = Self {
            open: Arc::new(open),
            samples: 0,
            members: Vec::with_capacity(count),
            sender: Some(sender),
            reports,
            run: 0,
        };
        for learner in 0..count {
            let member = learners.start(learner, 0)?;
            learners.members.push(member);
            if learner == 0 {
                learners.wait_for(1)?;
            }
        }
        learners.wait_for(count - 1)?;
        Ok(learners)
    }

    /// P, the number of learners.
    pub fn count(&self) -> usize {
        self.members.len()
    }

    /// Samples of the training set that minibatches are drawn from.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Begins a run: whatever was ordered before comes to an end within `patience`, or its learner is
    /// replaced.
    ///
    /// # Errors
    /// What opening the engine of a new learner returns.
    pub(super) fn begin(&mut self, patience: Duration) -> Result<()> {
        self.run += 1;
        let mut awaited = Vec::with_capacity(self.count());
        for learner in 0..self.count() {
            awaited.push(match self.members[learner].orders.send(ThreadOrder::Rest) {
                Ok(()) => Awaited::Rest,
                Err(_) => self.replace(learner)?,
            });
        }
        let (mut deadline, mut failures) = (awake::now() + patience, 0);
        while awaited.iter().any(|one| *one != Awaited::Nothing) {
            let report = self.wait(deadline.saturating_sub(awake::now()));
            let Some(ThreadMessage { learner, news, .. }) = report else {
                // The time is over. Who should rest and is silent is given up; who should open had all
                // the time there is.
                for (learner, awaited) in awaited.iter_mut().enumerate() {
                    match awaited {
                        Awaited::Rest => *awaited = self.replace(learner)?,
                        Awaited::Open => return Err(Error::Fault(NOT_OPEN.into())),
                        Awaited::Nothing => {}
                    }
                }
                deadline = awake::now() + DEADLINE;
                continue;
            };
            match (news, awaited[learner]) {
                (ThreadNews::Rested, _) => awaited[learner] = Awaited::Nothing,
                (ThreadNews::Opened { samples, kill }, was) => {
                    self.opened(learner, samples, kill);
                    if was == Awaited::Open {
                        awaited[learner] = Awaited::Nothing;
                    }
                }
                // It ended in the run before; this one is another.
                (ThreadNews::Failed(_), Awaited::Rest) => {
                    awaited[learner] = self.replace(learner)?;
                    deadline = awake::now() + DEADLINE;
                }
                // It may have been bad luck, but not again and again.
                (ThreadNews::Failed(_), Awaited::Open) if failures < MOST_FAILURES => {
                    failures += 1;
                    awaited[learner] = self.replace(learner)?;
                    deadline = awake::now() + DEADLINE;
                }
                (ThreadNews::Failed(error), _) => return Err(error),
                (ThreadNews::Computed { .. }, _) => {}
            }
        }
        Ok(())
    }

    /// Puts another in the place of `learner`, which then has to open.
    fn replace(&mut self, learner: LearnerId) -> Result<Awaited> {
        self.kill(learner);
        self.restart(learner)?;
        Ok(Awaited::Open)
    }

    /// Waits until `count` more engines are open.
    fn wait_for(&mut self, count: usize) -> Result<()> {
        let deadline = awake::now() + DEADLINE;
        let mut open = 0;
        while open < count {
            match self.wait(deadline.saturating_sub(awake::now())) {
                Some(ThreadMessage {
                    learner, news: ThreadNews::Opened { samples, kill }, ..
                }) => {
                    self.opened(learner, samples, kill);
                    open += 1;
                }
                Some(ThreadMessage { news: ThreadNews::Failed(error), .. }) => return Err(error),
                Some(_) => {}
                None => return Err(Error::Fault(NOT_OPEN.into())),
            }
        }
        Ok(())
    }

    /// Lets a learner compute, in place of what it has not begun.
    pub(super) fn order(&mut self, order: Order, minibatches: Minibatches) {
        let (learner, run) = (order.learner, self.run);
        // Where the learner has ended, its report of that is on the way.
        let _ = self.members[learner].orders.send(ThreadOrder::Compute { run, order, minibatches });
    }

    /// The next report of this run, if one comes in `time`.
    pub(super) fn wait(&mut self, time: Duration) -> Option<ThreadMessage> {
        // Who waits forever means a time that no clock can add to now; an hour is as good, since
        // whoever waits looks again.
        let deadline = awake::now() + time.min(Duration::from_secs(3600));
        loop {
            let time = deadline.saturating_sub(awake::now());
            // What is there already is taken even when the time is over: a report that came in time must
            // not be lost to a reader that was late.
            let report = match self.reports.try_recv() {
                Ok(report) => report,
                Err(_) if time.is_zero() => return None,
                Err(_) => match recv_timeout(&self.reports, time) {
                    Ok(report) => report,
                    // Too early, where this process was stopped meanwhile.
                    Err(mpsc::RecvTimeoutError::Timeout) => continue,
                    Err(mpsc::RecvTimeoutError::Disconnected) => return None,
                },
            };
            let stale = self.members.get(report.learner).is_some_and(|member| {
                let earlier_run =
                    matches!(report.news, ThreadNews::Computed { run, .. } if run != self.run);
                let other = member.incarnation != report.incarnation;
                // Work of an earlier incarnation still is work of this run.
                earlier_run || other && !matches!(report.news, ThreadNews::Computed { .. })
            });
            if !stale {
                return Some(report);
            }
        }
    }

    /// Keeps the number of samples, and how to end a learner that has opened.
    pub(super) fn opened(&mut self, learner: LearnerId, samples: usize, kill: Option<Kill>) {
        self.samples = samples;
        self.members[learner].kill = kill;
    }

    /// Ends a learner, or leaves it to itself where there is no way to.
    pub(super) fn kill(&mut self, learner: LearnerId) {
        let member = &mut self.members[learner];
        member.incarnation += 1;
        // It hears no more orders, and ends when it is done with the one in hand.
        member.orders = mpsc::channel().0;
        if let Some(kill) = member.kill.take() {
            kill();
        }
    }

    /// Starts another learner in the place of one that was [killed](Self::kill); it reports when it
    /// has opened.
    pub(super) fn restart(&mut self, learner: LearnerId) -> Result<()> {
        let incarnation = self.members[learner].incarnation;
        self.members[learner] = self.start(learner, incarnation)?;
        Ok(())
    }

    fn start(&self, learner: LearnerId, incarnation: u64) -> Result<Member> {
        let (orders, inbox) = mpsc::channel();
        let open = Arc::clone(&self.open);
        let reports = self.sender.clone().expect("the learners are not dropped yet");
        let report = move |news| {
            reports.send(ThreadMessage { learner, incarnation, time: awake::now(), news }).is_ok()
        };
        thread::Builder::new()
            .name(format!("learner {learner}"))
            .spawn(move || work(learner, &*open, &inbox, report))
            .map_err(Error::io("a thread for a learner"))?;
        Ok(Member { orders, incarnation, kill: None })
    }
}

impl Drop for LearnerThreads {
    fn drop(&mut self) {
        for learner in 0..self.count() {
            self.members[learner].orders = mpsc::channel().0;
        }
        self.sender = None;
        // Those at work end by themselves soon, or are ended; a hung one without a way to end it stays.
        for patience in [Duration::from_secs(2), Duration::from_secs(2)] {
            let deadline = awake::now() + patience;
            loop {
                let time = deadline.saturating_sub(awake::now());
                match recv_timeout(&self.reports, time) {
                    Ok(_) => {}
                    Err(mpsc::RecvTimeoutError::Disconnected) => return,
                    Err(mpsc::RecvTimeoutError::Timeout) if time.is_zero() => break,
                    Err(mpsc::RecvTimeoutError::Timeout) => {}
                }
            }
            self.members.iter_mut().filter_map(|member| member.kill.take()).for_each(|kill| kill());
        }
    }
}

/// The life of a learner.
fn work(
    learner: LearnerId,
    open: &Open,
    inbox: &mpsc::Receiver<ThreadOrder>,
    report: impl Fn(ThreadNews) -> bool,
) {
    let engine = match guarded(|| open(learner)) {
        Ok(Opened { engine, kill }) => {
            report(ThreadNews::Opened { samples: engine.samples(), kill });
            engine
        }
        Err(error) => {
            report(ThreadNews::Failed(error));
            return;
        }
    };
    let mut worker = Worker::new(engine);
    while let Ok(mut job) = inbox.recv() {
        // What has waited here has been overtaken.
        while let Ok(newer) = inbox.try_recv() {
            job = newer;
        }
        let ThreadOrder::Compute { run, order, minibatches } = job else {
            report(ThreadNews::Rested);
            continue;
        };
        let start = awake::now();
        let goes_on = match guarded(|| worker.compute(&order, &minibatches)) {
            Ok(computed) => {
                let (task, computing) = (order.task, awake::now() - start);
                report(ThreadNews::Computed { run, task, computed, computing })
            }
            Err(error) => {
                report(ThreadNews::Failed(error));
                false
            }
        };
        if !goes_on {
            break;
        }
    }
    // The engine goes before the way to report does: who waits for that to close waits for both.
    drop(worker);
}

/// What `run` returns; a panic is an error.
fn guarded<T>(run: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic: Box<dyn Any + Send>| {
        let said = panic.downcast_ref::<&str>().map(ToString::to_string);
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(Error::Fault(format!("panicked: {}", said.unwrap_or_default())))
    })
}
