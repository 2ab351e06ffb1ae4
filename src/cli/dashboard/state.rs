//! What a dashboard shows: all that the news of a race tells. Knows no terminal and no clock.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::{
    curve::{Curve, Evaluated, Trace},
    lanes::Lanes,
};
use crate::{
    ids::Version,
    race::{Config, News},
    record::{EvaluationRow, RunSummary},
    report,
    sgd::{Ended, Tally, event::Event, scheduler::Verdict},
    statistics,
};

/// Lines of finished runs and notes that are kept.
const LINES: usize = 200;
/// Courses of an entrant that are drawn: those of its last seeds.
const CURVES: usize = 8;

/// All that is known of a race.
#[derive(Debug, Clone, Default)]
pub(super) struct State {
    /// What is run; nothing before it starts.
    pub(super) race: Option<Arc<Config>>,
    /// When it started, on the wall clock of the news.
    started: Duration,
    /// The entrants, in the order of the race.
    pub(super) entrants: Vec<Entrant>,
    /// The run in progress, or the one before.
    pub(super) run: Option<Run>,
    /// Runs that are over; and how many of them are of a process before this one.
    pub(super) over: u64,
    before: f64,
    /// Finished runs and notes, the last at the end.
    pub(super) lines: VecDeque<String>,
}

/// What is known of an entrant.
#[derive(Debug, Clone, Default)]
pub(super) struct Entrant {
    pub(super) name: String,
    /// What came of its runs.
    pub(super) runs: Vec<Figures>,
    /// The curves of the last of them.
    pub(super) curves: VecDeque<Arc<Curve>>,
    pub(super) diverged: bool,
}

/// What a run comes to, in numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figures {
    pub(super) updates: f64,
    /// Gradients that went into updates.
    pub(super) used: f64,
    /// Seconds of run time per update; none without an update.
    pub(super) update_time: Option<f64>,
    /// Mean of s = j - tau.
    pub(super) staleness: f64,
    /// Training loss, where it is known.
    pub(super) loss: Option<f64>,
    /// Share of the test set that is classified as labelled, where it is known.
    pub(super) accuracy: Option<f64>,
}

/// A run, as it is.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// Its entrant's place.
    pub(super) entrant: usize,
    pub(super) seed: u64,
    /// Run time.
    pub(super) now: Duration,
    pub(super) tally: Tally,
    /// Of the last update; none before one.
    pub(super) k: Option<usize>,
    pub(super) lanes: Lanes,
    /// Evaluations, and the losses of minibatches.
    pub(super) evaluated: Curve,
    pub(super) trace: Trace,
    /// When it started here, by the wall clock, and the updates and gradients it had then.
    since: Duration,
    had: (Version, u64),
    /// When it was over, by the wall clock.
    pub(super) ended: Option<Duration>,
}

/// Updates and gradients a second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rates {
    pub(super) updates: f64,
    pub(super) gradients: f64,
}

impl State {
    /// Takes news in that came at `wall` by the wall clock.
    pub(super) fn tell(&mut self, news: News<'_>, wall: Duration) {
        match news {
            News::Note(note) => note.lines().for_each(|line| self.line(line.to_owned())),
            News::Tuned { .. } => {}
            News::Start(race) => self.start(race, wall),
            News::Run { entrant, seed, time, tally, evaluations } => {
                let Some(entrant) = self.place(entrant) else { return };
                let learners = self.race.as_ref().map_or(0, |race| race.learners);
                let run = Run {
                    entrant,
                    seed,
                    now: time,
                    tally: tally.clone(),
                    k: None,
                    lanes: Lanes::new(learners),
                    evaluated: evaluations.iter().map(point).collect(),
                    trace: Trace::default(),
                    since: wall,
                    had: (tally.updates, tally.used),
                    ended: None,
                };
                self.before += self.share_of(&run);
                self.run = Some(run);
            }
            News::Event { time, event } => {
                if let Some(run) = &mut self.run {
                    run.event(time, event);
                }
            }
            News::Evaluation { time, version, loss } => {
                if let Some(run) = &mut self.run {
                    run.now = time;
                    let (updates, gradients) = (version as f64, run.tally.used as f64);
                    if let Some(loss) = loss {
                        let time = time.as_secs_f64();
                        run.evaluated.push(Evaluated { time, updates, gradients, loss });
                    }
                }
            }
            News::Over { entrant, run } => self.over(entrant, run, wall),
            News::End => {}
        }
    }

    /// Which part of the race is over, from 0 to 1.
    pub(super) fn share(&self) -> f64 {
        let runs = self.race.as_ref().map_or(1, |race| self.entrants.len() as u64 * race.seeds);
        let current = self.run.as_ref().filter(|run| run.ended.is_none());
        let current = current.map_or(0.0, |run| self.share_of(run));
        ((self.over as f64 + current) / runs.max(1) as f64).min(1.0)
    }

    /// How long the race has taken at `wall`, and how much longer it takes if it goes on like that;
    /// what was there before this process took it none of this time.
    pub(super) fn times(&self, wall: Duration) -> (Duration, Option<Duration>) {
        let runs = self.race.as_ref().map_or(1, |race| self.entrants.len() as u64 * race.seeds);
        let elapsed = wall.saturating_sub(self.started);
        let done = self.share() - self.before / runs as f64;
        let left = elapsed.as_secs_f64() * (1.0 - self.share()) / done;
        let left = (done > 0.01).then(|| Duration::try_from_secs_f64(left).ok()).flatten();
        (elapsed, left)
    }

    fn share_of(&self, run: &Run) -> f64 {
        self.race.as_ref().map_or(0.0, |race| race.share(run.now, run.tally.updates))
    }

    fn start(&mut self, race: &Config, wall: Duration) {
        let entrant = |name: String| Entrant { name, ..Entrant::default() };
        self.entrants = race.entrants.iter().map(ToString::to_string).map(entrant).collect();
        self.race = Some(Arc::new(race.clone()));
        self.started = wall;
    }

    fn over(&mut self, name: &str, run: &RunSummary, wall: Duration) {
        self.line(report::line(name, run));
        self.over += 1;
        let Some(place) = self.place(name) else { return };
        match &mut self.run {
            Some(current) if current.entrant == place && current.seed == run.seed => {
                current.ended = Some(wall);
            }
            // It was over before this process began.
            _ => self.before += 1.0,
        }
        let entrant = &mut self.entrants[place];
        entrant.diverged |= run.ended == Ended::Diverged;
        entrant.runs.push(Figures {
            updates: run.tally.updates as f64,
            used: run.tally.used as f64,
            update_time: run.mean_update_time,
            staleness: run.mean_staleness,
            loss: Some(run.train_loss),
            accuracy: Some(run.test_accuracy),
        });
        if entrant.curves.len() == CURVES {
            entrant.curves.pop_front();
        }
        entrant.curves.push_back(Arc::new(run.evaluations.iter().map(point).collect()));
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.entrants.iter().position(|entrant| entrant.name == name)
    }

    fn line(&mut self, line: String) {
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}

impl Entrant {
    /// The mean over its finished runs; none where there is none.
    pub(super) fn figures(&self) -> Option<Figures> {
        let mean = |of: fn(&Figures) -> Option<f64>| {
            statistics::mean(&self.runs.iter().filter_map(of).collect::<Vec<_>>())
        };
        Some(Figures {
            updates: mean(|run| Some(run.updates))?,
            used: mean(|run| Some(run.used))?,
            update_time: mean(|run| run.update_time),
            staleness: mean(|run| Some(run.staleness))?,
            loss: mean(|run| run.loss),
            accuracy: mean(|run| run.accuracy),
        })
    }
}

impl Run {
    fn event(&mut self, time: Duration, event: &Event) {
        self.now = time;
        self.tally.count(time, event);
        self.lanes.count(time, event);
        match *event {
            Event::Push { verdict: Verdict::Accept, loss: Some(loss), .. } => {
                self.trace.push(Evaluated {
                    time: time.as_secs_f64(),
                    updates: self.tally.updates as f64,
                    gradients: (self.tally.used + self.tally.pending) as f64,
                    loss: loss.into(),
                });
            }
            Event::Update { k, .. } => self.k = Some(k),
            _ => {}
        }
    }

    /// What it has come to so far.
    pub(super) fn figures(&self) -> Figures {
        let updates = self.tally.updates as f64;
        Figures {
            updates,
            used: self.tally.used as f64,
            update_time: self.tally.mean_update_time(),
            staleness: self.tally.mean_staleness(),
            loss: self.evaluated.points().last().map(|point| point.loss),
            accuracy: None,
        }
    }

    /// By run time, and by the wall clock at `wall`.
    pub(super) fn rates(&self, wall: Duration) -> [Rates; 2] {
        let rates = |updates: u64, gradients: u64, time: Duration| {
            let time = time.as_secs_f64().max(1e-9);
            Rates { updates: updates as f64 / time, gradients: gradients as f64 / time }
        };
        let Tally { updates, used, .. } = self.tally;
        let (had_updates, had_used) = self.had;
        let here = self.ended.unwrap_or(wall).saturating_sub(self.since);
        [rates(updates, used, self.now), rates(updates - had_updates, used - had_used, here)]
    }

    /// Share of the minibatches that came to nothing.
    pub(super) fn wasted(&self) -> f64 {
        self.tally.wasted() as f64 / self.tally.started.max(1) as f64
    }
}

fn point(row: &EvaluationRow) -> Evaluated {
    Evaluated {
        time: row.t,
        updates: row.update as f64,
        gradients: row.gradients as f64,
        loss: row.train_loss,
    }
}
