//! What each learner of the run in progress does, and did last.

use std::{collections::VecDeque, time::Duration};

use crate::{
    ids::{LearnerId, Version},
    sgd::{event::Event, scheduler::Verdict},
};

/// LearnerThreads that are kept a lane for.
const LANES: usize = 128;
/// What is kept of a lane.
const STINTS: usize = 256;

/// What a learner is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Doing {
    /// It waits for parameters.
    #[default]
    Waiting,
    /// It computes a gradient.
    Computing,
    /// It is lost, and another will take its place.
    Away,
    /// It is lost, and the run goes on without it.
    Gone,
}

/// How a stint ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With a gradient that counts.
    Counted,
    /// With one that was dropped on arrival.
    Dropped,
    /// With one that arrived when nobody waited for it any more.
    Late,
    /// It was cancelled.
    Cancelled,
    /// The learner was lost.
    Lost,
    /// The learner is back.
    Back,
}

/// A time that a learner computed, or was away; a late gradient has none.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Stint {
    from: Duration,
    to: Duration,
    end: End,
}

/// What one learner does.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Lane {
    pub(super) doing: Doing,
    /// The parameters that it computes at, or computed at last.
    pub(super) version: Version,
    /// Gradients that counted, and minibatches that came to nothing.
    pub(super) counted: u64,
    pub(super) wasted: u64,
    since: Duration,
    stints: VecDeque<Stint>,
}

/// A cell of a strip: what a learner did most of it, or what happened in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cell {
    Waiting,
    Computing,
    Away,
    Ended(End),
}

/// What all learners do.
#[derive(Debug, Clone, Default)]
pub(super) struct Lanes {
    doing: Vec<Doing>,
    lanes: Vec<Lane>,
    /// Minibatches that were pushed, and how long they took.
    pushed: u32,
    took: Duration,
}

impl Lanes {
    pub(super) fn new(learners: usize) -> Self {
        Self {
            doing: vec![Doing::Waiting; learners],
            lanes: vec![Lane::default(); learners.min(LANES)],
            ..Self::default()
        }
    }

    /// Takes an event in.
    pub(super) fn count(&mut self, time: Duration, event: &Event) {
        match *event {
            Event::Assign { learner, version, .. } => {
                self.turn(learner, time, None, Doing::Computing);
                if let Some(lane) = self.lanes.get_mut(learner) {
                    lane.version = version;
                }
            }
            Event::Push { learner, verdict, .. } => {
                let end = if verdict == Verdict::Accept { End::Counted } else { End::Dropped };
                if let Some(lane) = self.lanes.get(learner).filter(|l| l.doing == Doing::Computing)
                {
                    self.took += time.saturating_sub(lane.since);
                    self.pushed += 1;
                }
                self.turn(learner, time, Some(end), Doing::Waiting);
            }
            Event::Cancel { learner, .. } => {
                self.turn(learner, time, Some(End::Cancelled), Doing::Waiting);
            }
            Event::Late { learner, .. } => {
                if let Some(lane) = self.lanes.get_mut(learner) {
                    lane.keep(Stint { from: time, to: time, end: End::Late });
                }
            }
            Event::Lost { learner, .. } => {
                self.turn(learner, time, Some(End::Lost), Doing::Away);
            }
            Event::Return { learner } => {
                self.turn(learner, time, Some(End::Back), Doing::Waiting);
            }
            Event::Leave { learner } => self.turn(learner, time, None, Doing::Gone),
            Event::Update { .. } => {}
        }
    }

    /// How many learners do this.
    pub(super) fn doing(&self, what: Doing) -> usize {
        self.doing.iter().filter(|doing| **doing == what).count()
    }

    /// The first learners, and what they do.
    pub(super) fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// Mean time of a minibatch that was pushed.
    pub(super) fn minibatch_time(&self) -> Option<Duration> {
        self.took.checked_div(self.pushed)
    }

    fn turn(&mut self, learner: LearnerId, time: Duration, end: Option<End>, next: Doing) {
        if let Some(doing) = self.doing.get_mut(learner) {
            *doing = next;
        }
        let Some(lane) = self.lanes.get_mut(learner) else { return };
        if let Some(end) = end {
            // Of a run that goes on, it is not known since when.
            let from = if lane.doing == Doing::Waiting { time } else { lane.since };
            lane.keep(Stint { from, to: time, end });
            match end {
                End::Counted => lane.counted += 1,
                End::Dropped | End::Cancelled => lane.wasted += 1,
                End::Lost => lane.wasted += u64::from(lane.doing == Doing::Computing),
                End::Late | End::Back => {}
            }
        }
        (lane.doing, lane.since) = (next, time);
    }
}

impl Lane {
    fn keep(&mut self, stint: Stint) {
        if self.stints.len() == STINTS {
            self.stints.pop_front();
        }
        self.stints.push_back(stint);
    }

    /// What it did in the `window` before `now`, in so many cells of equal time.
    pub(super) fn strip(&self, now: Duration, window: Duration, cells: usize) -> Vec<Cell> {
        let mut strip = vec![Cell::Waiting; cells];
        if cells == 0 || window.is_zero() {
            return strip;
        }
        let cell = window.as_secs_f64() / cells as f64;
        let ago = |time: Duration| now.saturating_sub(time).as_secs_f64();
        // The last cell ends now.
        let place = |time: Duration| cells as f64 - ago(time) / cell;
        let mut fill = |from: Duration, to: Duration, what: Cell| {
            let (from, to) = (place(from).max(0.0).round(), place(to).max(0.0).round());
            let (from, to) = (from as usize, (to as usize).min(cells));
            strip[from.min(to)..to].fill(what);
        };
        let during = |end: End| if end == End::Back { Cell::Away } else { Cell::Computing };
        for stint in &self.stints {
            fill(stint.from, stint.to, during(stint.end));
        }
        match self.doing {
            Doing::Computing => fill(self.since, now, Cell::Computing),
            Doing::Away | Doing::Gone => fill(self.since, now, Cell::Away),
            Doing::Waiting => {}
        }
        for stint in self.stints.iter().filter(|stint| stint.end != End::Back) {
            let at = place(stint.to).ceil() - 1.0;
            if at >= 0.0 {
                let mark = &mut strip[(at as usize).min(cells - 1)];
                *mark = match *mark {
                    // A loss is not to be overlooked, nor work that came to nothing.
                    Cell::Ended(End::Lost) => Cell::Ended(End::Lost),
                    before @ Cell::Ended(_) if stint.end == End::Counted => before,
                    _ => Cell::Ended(stint.end),
                };
            }
        }
        strip
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lane: &Lane, now: u64, window: u64, cells: usize) -> String {
        let strip = lane.strip(Duration::from_secs(now), Duration::from_secs(window), cells);
        let cell = |cell| match cell {
            Cell::Waiting => ' ',
            Cell::Computing => '-',
            Cell::Away => '.',
            Cell::Ended(End::Counted) => 'o',
            Cell::Ended(End::Dropped) => 'd',
            Cell::Ended(End::Late) => 'l',
            Cell::Ended(End::Cancelled) => 'x',
            Cell::Ended(End::Lost) => '!',
            Cell::Ended(End::Back) => '?',
        };
        strip.into_iter().map(cell).collect()
    }

    fn lanes(events: &[(u64, Event)]) -> Lanes {
        let mut lanes = Lanes::new(2);
        for (time, event) in events {
            lanes.count(Duration::from_secs(*time), event);
        }
        lanes
    }

    fn push(learner: LearnerId, verdict: Verdict) -> Event {
        let (task, version) = (0, 0);
        Event::Push { learner, task, version, verdict, rate: None, loss: None, computing: None }
    }

    fn assign(learner: LearnerId, version: Version) -> Event {
        Event::Assign { learner, task: 0, version }
    }

    #[test]
    fn a_strip_shows_work_waiting_and_how_it_ended() {
        let cancel = Event::Cancel { learner: 0, task: 0, version: 0 };
        let lost = Event::Lost { learner: 0, task: Some(0), cause: "test".into() };
        let seen = lanes(&[
            (0, assign(0, 0)),
            (4, push(0, Verdict::Accept)),
            (6, assign(0, 1)),
            (9, cancel),
            (9, assign(0, 2)),
            (12, push(0, Verdict::Discard)),
            (12, assign(0, 3)),
            (14, Event::Late { learner: 0, task: 0, computing: None }),
            (16, lost),
            (19, Event::Return { learner: 0 }),
            (20, assign(0, 4)),
        ]);
        let lane = &seen.lanes()[0];
        assert_eq!(text(lane, 22, 22, 22), "---o  --x--d-l-!... --");
        assert_eq!(text(lane, 22, 4, 4), ". --");
        assert_eq!(text(lane, 22, 11, 11), "d-l-!... --");
        assert_eq!((lane.doing, lane.version), (Doing::Computing, 4));
        assert_eq!((lane.counted, lane.wasted), (1, 3));
        assert_eq!(text(&seen.lanes()[1], 22, 22, 3), "   ");
        assert_eq!(seen.minibatch_time(), Some(Duration::from_secs(7) / 2));
        assert_eq!([Doing::Computing, Doing::Waiting].map(|what| seen.doing(what)), [1, 1]);
    }

    #[test]
    fn a_learner_that_left_stays_away() {
        let lost = Event::Lost { learner: 1, task: None, cause: "test".into() };
        let seen = lanes(&[(1, lost), (1, Event::Leave { learner: 1 })]);
        assert_eq!(text(&seen.lanes()[1], 5, 5, 5), "!....");
        assert_eq!(seen.doing(Doing::Gone), 1);
    }

    #[test]
    fn a_lane_is_bounded_and_so_are_the_lanes() {
        let mut many = Lanes::new(1000);
        for time in 0..1000 {
            many.count(Duration::from_secs(time), &assign(0, time));
            many.count(Duration::from_secs(time), &push(0, Verdict::Accept));
            many.count(Duration::from_secs(time), &assign(999, time));
        }
        assert_eq!((many.lanes().len(), many.lanes()[0].stints.len()), (LANES, STINTS));
        assert_eq!([Doing::Computing, Doing::Waiting].map(|what| many.doing(what)), [1, 999]);
        assert!(many.lanes()[0].strip(Duration::ZERO, Duration::ZERO, 5).len() == 5);
    }
}
